"""Streams: one record however they end, the time of the first content, and nothing left behind in memory."""

import asyncio
import contextlib
import gc
import threading
import time
import typing
import weakref

import pytest

from tests.conftest import CLAUDE, CLAUDE_SAYS, CLAUDE_USD, GPT, GPT_SAYS, GPT_USD, done, entered, every, some
from tracked_inference import TrackedClient
from tracked_inference.loopback import Answer, Reply, ToolCall
from tracked_inference.sinks import default_sinks
from tracked_inference.tracking import handover, streams

anthropic = pytest.importorskip("anthropic", reason="the Anthropic SDK is not installed")
openai = pytest.importorskip("openai", reason="the OpenAI SDK is not installed")


async def settle():
    """Give the event loop and the garbage collector what they need to end what was dropped."""
    for _ in range(3):
        gc.collect()
        await asyncio.sleep(0)


async def test_money_of_streams(claude, gpt, records):
    """A stream costs what the same call costs without."""
    await every(claude.messages.create(**CLAUDE, stream=True))
    await every(gpt.chat.completions.create(**GPT, stream=True))
    await every(gpt.responses.create(model="gpt-4o", input="x", stream=True))

    assert [str(record.cost.total_usd) for record in records] == [CLAUDE_USD, GPT_USD, GPT_USD]
    assert [record.stream for record in records] == [True] * 3


async def test_a_cut_stream_costs_at_least_its_input(claude, records):
    """11 x $3 + 3 x $0.30 + 2 x $3.75 + 1 x $15 for the one token of output that was told of, a million calls: $56.40."""
    stream = await done(claude.messages.create(**CLAUDE, stream=True))
    await some(stream, 3)
    await done(stream.close())

    assert (records.one.cost.status, str(records.one.cost.total_usd)) == ("lower_bound", "0.0000564")
    assert records.one.usage.complete is False


async def test_stream_class_stays_the_sdks(plain_claude, claude, plain_gpt, gpt):
    """Type name, isinstance and attributes of a stream are the SDK's."""
    for plain, tracked in (
        (plain_claude.messages.create(**CLAUDE, stream=True), claude.messages.create(**CLAUDE, stream=True)),
        (
            plain_gpt.chat.completions.create(**GPT, stream=True),
            gpt.chat.completions.create(**GPT, stream=True),
        ),
    ):
        plain, tracked = await done(plain), await done(tracked)

        assert isinstance(tracked, type(plain))
        assert (type(tracked).__name__, type(tracked).__module__) == (
            type(plain).__name__,
            type(plain).__module__,
        )
        assert isinstance(tracked.response, type(plain.response))
        assert set(vars(tracked)) - set(vars(plain)) == {"_tracked_call"}
        await every(plain)
        await every(tracked)


async def test_iterating_on_after_a_break(claude, records):
    """A stream that is left and taken up again is one call."""
    stream = await done(claude.messages.create(**CLAUDE, stream=True))
    if hasattr(stream, "__aiter__"):
        async for event in stream:
            break
    else:
        for event in stream:
            break
    rest = await every(stream)

    assert event.type == "message_start"
    assert rest[-1].type == "message_stop"
    assert records.one.outcome == "ok"


async def test_closing_after_the_end_and_twice(gpt, records):
    """What comes after the end is no end."""
    stream = await done(gpt.chat.completions.create(**GPT, stream=True))
    await every(stream)
    await done(stream.close())
    await done(stream.close())
    assert await every(stream) == []

    assert records.one.outcome == "ok"


async def test_an_exception_in_the_body(claude, records):
    """The caller's own exception inside the context of a stream is the caller's; the call was abandoned."""
    with pytest.raises(LookupError):
        async with entered(await done(claude.messages.create(**CLAUDE, stream=True))) as stream:
            await some(stream, 2)
            raise LookupError

    assert records.one.outcome == "abandoned"


@pytest.mark.parametrize("kind", ["async"], indirect=True)
async def test_a_cancelled_task(claude, records, vendor):
    """A task cancelled in the body of a stream's context was cancelled, not abandoned."""
    vendor.script(CLAUDE_SAYS.paced(5), endpoint="messages")
    started = asyncio.Event()

    async def read():
        async with await claude.messages.create(**CLAUDE, stream=True) as stream:
            async for _ in stream:
                started.set()

    task = asyncio.create_task(read())
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert (records.one.outcome, records.one.error_type) == ("cancelled", "CancelledError")


@pytest.mark.parametrize("kind", ["async"], indirect=True)
async def test_cancelled_while_the_caller_does_something_else(claude, records):
    """Cancelled between two events, inside the stream's context: cancelled as well."""
    started = asyncio.Event()

    async def read():
        async with await claude.messages.create(**CLAUDE, stream=True) as stream:
            async for _ in stream:
                started.set()
                await asyncio.sleep(60)

    task = asyncio.create_task(read())
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert records.one.outcome == "cancelled"


@pytest.mark.parametrize("kind", ["async"], indirect=True)
async def test_a_coroutine_that_is_dropped(plain_claude, tracked, records, vendor):
    """A coroutine closed in the middle of a call leaves one record and no call in flight."""
    vendor.script(Reply.hang(), endpoint="messages")
    client = tracked(plain_claude)
    call = asyncio.ensure_future(client.messages.create(**CLAUDE))
    await asyncio.sleep(0.05)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call

    assert records.one.outcome == "cancelled"


class _Waits:
    def __await__(self):
        yield


async def test_a_coroutine_thrown_away_in_flight(tracked, records, vendor, monkeypatch):
    """GeneratorExit in the middle of a call, which is how a dropped coroutine ends, is recorded once."""
    pytest.importorskip("anthropic")
    from tests.conftest import new_claude

    async def request(self, *args, **kwargs):
        await _Waits()

    plain = new_claude("async", vendor)
    monkeypatch.setattr(anthropic.AsyncAnthropic, "request", request)
    call = tracked(plain).messages.create(**CLAUDE)
    call.send(None)
    call.close()
    await plain.close()

    assert records.one.outcome == "cancelled"


async def test_first_content_not_first_byte(kind, claude, gpt, records, vendor):
    """The time to the first token is that of the first content, after the events that only open the stream."""
    for say, endpoint in ((CLAUDE_SAYS, "messages"), (GPT_SAYS, "chat.completions"), (GPT_SAYS, "responses")):
        vendor.script(say.paced(0.05), endpoint=endpoint)
    await every(claude.messages.create(**CLAUDE, stream=True))
    await every(gpt.chat.completions.create(**GPT, stream=True))
    await every(gpt.responses.create(model="gpt-4o", input="x", stream=True))
    await done(claude.messages.create(**CLAUDE))

    for record in records[:3]:
        assert 0.05 <= record.time_to_first_token_seconds < record.duration_seconds
        assert record.duration_seconds - record.time_to_first_token_seconds > 0.05
    assert records[3].time_to_first_token_seconds is None


@pytest.mark.parametrize(
    "say",
    [
        Answer.using({"output": 3}, tool_calls=(ToolCall("weather", {"city": "Oslo"}),)),
        Answer.using({"output": 3}, thinking="hm"),
    ],
    ids=["tool call", "thinking"],
)
async def test_tools_and_thoughts_are_content(say, claude, records, vendor):
    """What a model thinks or wants called is content."""
    vendor.script(say, endpoint="messages")
    await every(claude.messages.create(**CLAUDE, stream=True))

    assert records.one.time_to_first_token_seconds is not None


async def test_thousands_of_left_streams_leave_nothing_behind(records, tracked, vendor, monkeypatch):
    """Streams that nobody reads or closes are recorded and freed: calls, finalizers and connections."""
    http = pytest.importorskip("httpx2", reason="the older SDK keeps dropped streams in cycles by itself")
    if anthropic.Timeout is not http.Timeout:
        pytest.skip("the older SDK keeps dropped streams in cycles by itself")
    body = b'event: message_start\ndata: {"type":"message_start","message":{"id":"m","type":"message","role":"assistant","model":"claude-sonnet-4-6","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":1,"output_tokens":1}}}\n\n'
    transport = http.MockTransport(
        lambda request: http.Response(200, headers={"content-type": "text/event-stream"}, content=body)
    )
    client = tracked(anthropic.Anthropic(api_key="k", http_client=http.Client(transport=transport)))
    gc.collect()
    gc.disable()
    try:
        for _ in range(50):
            next(client.messages.create(**CLAUDE, stream=True))
        before = len(weakref.finalize._registry)
        calls = sum(type(one).__name__ == "Call" for one in gc.get_objects())
        for _ in range(2_000):
            next(client.messages.create(**CLAUDE, stream=True))
        after = len(weakref.finalize._registry)
        calls_after = sum(type(one).__name__ == "Call" for one in gc.get_objects())
    finally:
        gc.enable()

    assert len(records) == 2_050
    assert {record.outcome for record in records} == {"abandoned"}
    assert after - before <= 1
    assert calls_after - calls <= 1
    client.close()


async def test_a_response_is_freed_without_the_garbage_collector(vendor, plain_claude, claude):
    """Where the plain SDK makes no reference cycle, tracking makes none either."""

    async def freed(client):
        gc.collect()
        gc.disable()
        try:
            stream = await done(client.messages.create(**CLAUDE, stream=True))
            await every(stream)
            gone = weakref.ref(stream)
            del stream
            await asyncio.sleep(0)
            return gone() is None
        finally:
            gc.enable()

    assert await freed(claude) >= await freed(plain_claude)


async def test_a_stream_dropped_while_a_lock_is_held(vendor, plain_claude, registry, monkeypatch):
    """A stream that the garbage collector drops while this thread holds a lock of prometheus_client: no deadlock."""
    monkeypatch.setattr(handover, "_PATIENCE_SECONDS", 0.05)  # as it is outside of tests
    client = TrackedClient(
        plain_claude,
        feature="search",
        team="discovery",
        sinks=default_sinks(registry)[:1],
        registry=registry,
        provider="anthropic",
    )
    stream = await done(client.messages.create(**CLAUDE, stream=True))
    await some(stream, 2)
    if hasattr(stream, "__anext__"):
        await stream.response.stream.aclose()
    labels = {"model": "claude-sonnet-4-6", "feature": "search", "team": "discovery", "outcome": "abandoned"}
    child = default_sinks(registry)[0]._all.calls.labels(*labels.values())
    begun = time.monotonic()
    with child._value._lock:
        del stream
        gc.collect()
        waited = time.monotonic() - begun
    await settle()
    for _ in range(200):
        if registry.get_sample_value("ai_inference_calls_total", labels):
            break
        await asyncio.sleep(0.01)

    assert waited < 15  # and not for ever
    assert registry.get_sample_value("ai_inference_calls_total", labels) == 1


def test_hand_over_waits_for_its_work():
    """Handed over work is done when hand_over returns, in another thread; after fork or without one it is done inline."""
    handover.prepare()
    ran = []
    handover.hand_over(lambda: ran.append(threading.current_thread().name))
    before = handover._queue, handover._thread
    handover._forget()
    try:
        handover.hand_over(lambda: ran.append(threading.current_thread().name))
    finally:
        handover._queue, handover._thread = before

    assert ran == ["tracked-inference", threading.current_thread().name]


def test_no_thread_to_be_had(monkeypatch):
    """Where no thread can be started the work is done inline."""

    def start(self):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(handover, "_thread", None)
    monkeypatch.setattr(threading.Thread, "start", start)
    ran = []
    handover.later(lambda: ran.append(1))

    assert ran == [1]


def test_a_response_that_cannot_be_extended_is_left_alone():
    """A stand-in for a response, of a class with slots, is no fault."""

    class Slotted:
        __slots__ = ()

    streams.watch_close(Slotted(), None)
    streams.watch_close(None, None)


async def test_a_stream_class_whose_iterator_is_no_generator(plain_claude, tracked, records, vendor):
    """The application's own stream class may iterate as it likes; that the SDK closes the response at the end is no leaving."""
    client = tracked(plain_claude, provider="anthropic")
    item = typing.TypeVar("item")

    class Steps:
        def __init__(self, inner):
            self._inner = inner

        def __iter__(self):
            return self

        def __next__(self):
            return next(self._inner)

        def __aiter__(self):
            return self

        async def __anext__(self):
            return await self._inner.__anext__()

    class Own(anthropic.Stream[item]):
        def __iter__(self):
            return Steps(super().__iter__())

    class AsyncOwn(anthropic.AsyncStream[item]):
        def __aiter__(self):
            return Steps(super().__aiter__())

    kind = AsyncOwn if isinstance(client, anthropic.AsyncAnthropic) else Own
    asked = {"cast_to": anthropic.types.Message, "body": {**CLAUDE, "stream": True}, "stream": True}
    vendor.script(CLAUDE_SAYS, CLAUDE_SAYS.cut(after=1), CLAUDE_SAYS)
    for last in ("read", "cut", "left"):
        stream = await done(
            client.post("/v1/messages", **asked, stream_cls=kind[anthropic.types.RawMessageStreamEvent])
        )
        if last == "left":
            await some(stream, 3)
            await done(stream.close())
        else:
            with contextlib.suppress(Exception):  # the HTTP library's, where the stream was cut
                await every(stream)

    assert type(stream).__name__ == kind.__name__
    assert [one.outcome for one in records] == ["ok", "error", "abandoned"]
