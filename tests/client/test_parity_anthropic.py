"""Every way to call the Anthropic SDK gives the caller what the plain SDK gives, and the right records."""

import asyncio
import functools
import json

import pytest

from tests.client.parity import Case, can, fresh_vendor, outcome_of, summary
from tests.conftest import CLAUDE, CLAUDE_SAYS, done, entered, every, new_claude, some
from tracked_inference.loopback import Answer, Reply, ToolCall

anthropic = pytest.importorskip("anthropic", reason="the Anthropic SDK is not installed")
from pydantic import BaseModel

BILLED = {"input": 11, "cache_read": 3, "cache_write_5m": 2, "output": 7}
OK = ("messages", "ok", BILLED, "exact", 1)
SEEN = {**BILLED, "output": 1}  # message_start has the exact input and says 1 for the output
AGAIN = Reply.error(429, retry_after_ms=1)
BROKEN = Reply.error(500, retry_after_ms=1)


class Weather(BaseModel):
    city: str


SUNNY = Answer.using({"input": 11, "output": 7}, text='{"city":"Oslo"}', chunks=3)
SUNNY_OK = ("messages", "ok", {"input": 11, "output": 7}, "exact", 1)


def tool(kind):
    if kind == "async":

        @anthropic.beta_async_tool
        async def weather(city: str) -> str:
            """The weather of a city."""
            return f"sunny in {city}"

    else:

        @anthropic.beta_tool
        def weather(city: str) -> str:
            """The weather of a city."""
            return f"sunny in {city}"

    return weather


def kind_of(client):
    return "async" if isinstance(client, anthropic.AsyncAnthropic) else "sync"


async def create(client, vendor):
    return await done(client.messages.create(**CLAUDE))


async def create_stream(client, vendor):
    return await every(client.messages.create(**CLAUDE, stream=True))


async def stream_final_message(client, vendor):
    async with entered(client.messages.stream(**CLAUDE)) as stream:
        return await done(stream.get_final_message())


async def stream_text(client, vendor):
    async with entered(client.messages.stream(**CLAUDE)) as stream:
        text = await every(stream.text_stream)
        return text, await done(stream.get_final_message())


async def stream_events(client, vendor):
    async with entered(client.messages.stream(**CLAUDE)) as stream:
        return await every(stream)


async def parse(client, vendor):
    return await done(client.messages.parse(**CLAUDE, output_format=Weather))


async def beta_create(client, vendor):
    return await done(client.beta.messages.create(**CLAUDE))


async def beta_create_stream(client, vendor):
    return await every(client.beta.messages.create(**CLAUDE, stream=True))


async def beta_stream(client, vendor):
    async with entered(client.beta.messages.stream(**CLAUDE)) as stream:
        return await every(stream), await done(stream.get_final_message())


async def beta_parse(client, vendor):
    return await done(client.beta.messages.parse(**CLAUDE, output_format=Weather))


async def tool_runner(client, vendor):
    runner = client.beta.messages.tool_runner(**CLAUDE, tools=[tool(kind_of(client))])
    return await every(runner)


async def tool_runner_stream(client, vendor):
    runner = client.beta.messages.tool_runner(**CLAUDE, tools=[tool(kind_of(client))], stream=True)
    seen = []
    if kind_of(client) == "async":
        async for stream in runner:
            seen.append(await every(stream))
    else:
        seen.extend([list(stream) for stream in runner])
    return seen


async def count_tokens(client, vendor):
    return await done(client.messages.count_tokens(model=CLAUDE["model"], messages=CLAUDE["messages"]))


async def models(client, vendor):
    return (
        [one async for one in client.models.list()]
        if kind_of(client) == "async"
        else list(client.models.list(limit=1))
    )


BATCH = [{"custom_id": name, "params": CLAUDE} for name in ("a", "b")]


async def batches(client, vendor):
    batch = await done(client.messages.batches.create(requests=BATCH))
    return await done(client.messages.batches.retrieve(batch.id))


async def batch_results(client, vendor):
    batch = await done(client.messages.batches.create(requests=BATCH))
    await done(client.messages.batches.retrieve(batch.id))
    first = await every(client.messages.batches.results(batch.id))
    return first, await every(client.messages.batches.results(batch.id))


async def raw(client, vendor):
    answer = await done(client.messages.with_raw_response.create(**CLAUDE))
    return (
        answer.status_code,
        answer.text if isinstance(answer.text, str) else await done(answer.text()),
        await done(answer.parse()),
    )


async def raw_stream(client, vendor):
    answer = await done(client.messages.with_raw_response.create(**CLAUDE, stream=True))
    return await every(answer.parse())


async def raw_stream_answer_dropped(client, vendor):
    return await every((await done(client.messages.with_raw_response.create(**CLAUDE, stream=True))).parse())


async def streaming_response_parse(client, vendor):
    async with entered(client.messages.with_streaming_response.create(**CLAUDE)) as answer:
        return await done(answer.parse())


async def streaming_response_lines(client, vendor):
    async with entered(client.messages.with_streaming_response.create(**CLAUDE, stream=True)) as answer:
        return await every(answer.iter_lines())


async def streaming_response_read(client, vendor):
    async with entered(client.messages.with_streaming_response.create(**CLAUDE)) as answer:
        return await done(answer.read())


async def streaming_response_unread(client, vendor):
    async with entered(client.messages.with_streaming_response.create(**CLAUDE)) as answer:
        return answer.status_code


async def streaming_response_partly(client, vendor):
    async with entered(client.messages.with_streaming_response.create(**CLAUDE, stream=True)) as answer:
        lines = answer.iter_lines()
        if hasattr(lines, "__anext__"):
            line = await lines.__anext__()
            await lines.aclose()
        else:
            line = next(lines)
            lines.close()
        return line


async def client_with_raw_response(client, vendor):
    return await done((await done(client.with_raw_response.messages.create(**CLAUDE))).parse())


async def with_options(client, vendor):
    return await done(client.with_options(timeout=9).messages.create(**CLAUDE))


async def copy_with_options(client, vendor):
    copied = client.copy(max_retries=1).with_options(default_headers={"x-mine": "1"})
    answer = await done(copied.messages.create(**CLAUDE))
    return answer, vendor.requests[-1].headers["x-mine"]


def middleware(client, act):
    """What answers instead of the vendor if `act` gives an answer."""

    class Middleware(anthropic.Middleware):
        def handle(self, request, call_next):
            return act() or call_next(request)

        async def handle_async(self, request, call_next):
            return act() or await call_next(request)

    return Middleware()


async def with_middleware(client, vendor):
    seen = []
    client = client.with_middleware(middleware(client, lambda: seen.append(1)))
    return await done(client.messages.create(**CLAUDE)), seen


async def answered_by_middleware(client, vendor):
    kept = await done(client.messages.create(**CLAUDE))
    client = client.with_middleware(middleware(client, lambda: kept))
    return await done(client.messages.create(**CLAUDE))


async def post(client, vendor):
    answer = client.post("/v1/messages", body=dict(CLAUDE), cast_to=anthropic.types.Message)
    return await done(answer)


async def post_object(client, vendor):
    return await done(client.post("/v1/messages", body=dict(CLAUDE), cast_to=object))


async def error_in_stream(client, vendor):
    return await every(client.messages.create(**CLAUDE, stream=True))


async def close_early(client, vendor):
    stream = await done(client.messages.create(**CLAUDE, stream=True))
    first = await some(stream, 2)
    await done(stream.close())
    return first


async def leave_context_early(client, vendor):
    async with entered(client.messages.stream(**CLAUDE)) as stream:
        return await some(stream, 2)


async def drop_early(client, vendor):
    stream = await done(client.messages.create(**CLAUDE, stream=True))
    if kind_of(client) == "async":
        async for event in stream:
            break
    else:
        for event in stream:
            break
    del stream
    return event


async def never_iterated(client, vendor):
    stream = await done(client.messages.create(**CLAUDE, stream=True))
    name = type(stream).__name__
    await done(stream.response.aclose() if kind_of(client) == "async" else stream.response.close())
    return name


async def twenty_at_once(client, vendor):
    create = functools.partial(client.messages.create, **CLAUDE)
    calls = [create() if kind_of(client) == "async" else asyncio.to_thread(create) for _ in range(20)]
    return sorted(message.id for message in await asyncio.gather(*calls))


async def copied(client, vendor):
    import copy

    return await done(copy.copy(client).messages.create(**CLAUDE))


async def cancel_before_headers(client, vendor):
    async with asyncio.timeout(0.1):
        await client.messages.create(**CLAUDE)


async def cancel_in_stream(client, vendor):
    seen = []
    stream = await client.messages.create(**CLAUDE, stream=True)
    try:
        async with asyncio.timeout(0.2):
            async for event in stream:
                seen.append(event)
    except TimeoutError:
        return seen


async def times_out(client, vendor):
    return await done(client.with_options(timeout=0.1, max_retries=0).messages.create(**CLAUDE))


async def legacy_completion(client, vendor):
    return await done(
        client.completions.create(model="claude-2.1", max_tokens_to_sample=5, prompt="Say something.")
    )


async def scoped(client, vendor):
    return await done(client.with_options(api_key="another").messages.create(**CLAUDE)), vendor.requests[
        -1
    ].headers["x-api-key"]


LEGACY = Reply.json(
    {
        "type": "completion",
        "id": "c",
        "completion": " hi",
        "stop_reason": "stop_sequence",
        "model": "claude-2.1",
    }
)
USE = Answer.using({"input": 11, "output": 7}, tool_calls=(ToolCall("weather", {"city": "Oslo"}),))
USED = ("messages", "ok", {"input": 11, "output": 7}, "exact", 1)
ITEM = ("messages.batch", "ok", BILLED, "exact", 1)

CASES = [
    Case("create", create, [OK]),
    Case("create, gzip", create, [OK], [(CLAUDE_SAYS.gzipped(), "messages")]),
    Case("create(stream=True)", create_stream, [OK]),
    Case(
        "create(stream=True), gzip, in slices",
        create_stream,
        [OK],
        [(CLAUDE_SAYS.gzipped().sliced(7), "messages")],
    ),
    Case("stream() and final message", stream_final_message, [OK]),
    Case("stream(), text and final message", stream_text, [OK]),
    Case("stream(), events", stream_events, [OK]),
    Case("parse", parse, [SUNNY_OK], [(SUNNY, "messages")], needs="messages.parse"),
    Case("parse of nonsense", parse, [("messages", "error", BILLED, "exact", 1)], needs="messages.parse"),
    Case("beta.create", beta_create, [OK]),
    Case("beta.create(stream=True)", beta_create_stream, [OK]),
    Case("beta.stream()", beta_stream, [OK]),
    Case("beta.parse", beta_parse, [SUNNY_OK], [(SUNNY, "messages")]),
    Case("tool_runner", tool_runner, [USED, OK], [(USE, "messages")]),
    Case("tool_runner(stream=True)", tool_runner_stream, [USED, OK], [(USE, "messages")]),
    Case("count_tokens", count_tokens, []),
    Case("models, paged", models, []),
    Case("batches", batches, []),
    Case("batches.results, twice", batch_results, [ITEM, ITEM]),
    Case("with_raw_response", raw, [OK]),
    Case("with_raw_response, stream", raw_stream, [OK]),
    Case("with_raw_response, stream, the answer dropped", raw_stream_answer_dropped, [OK]),
    Case("with_streaming_response, parse", streaming_response_parse, [OK]),
    Case("with_streaming_response, lines", streaming_response_lines, [OK]),
    Case(
        "with_streaming_response, lines, gzip",
        streaming_response_lines,
        [OK],
        [(CLAUDE_SAYS.gzipped(), "messages")],
    ),
    Case("with_streaming_response, bytes", streaming_response_read, [OK]),
    Case(
        "with_streaming_response, unread",
        streaming_response_unread,
        [("messages", "abandoned", None, "unmeasured", 1)],
    ),
    Case(
        "with_streaming_response, partly",
        streaming_response_partly,
        [("messages", "abandoned", SEEN, "lower_bound", 1)],
        [(CLAUDE_SAYS.paced(0.05), "messages")],
    ),
    Case(
        "with_streaming_response, partly, gzip",
        streaming_response_partly,
        [("messages", "abandoned", SEEN, "lower_bound", 1)],
        [(CLAUDE_SAYS.gzipped().paced(0.05), "messages")],
    ),
    Case("client.with_raw_response", client_with_raw_response, [OK]),
    Case("with_options", with_options, [OK]),
    Case("copy().with_options()", copy_with_options, [OK]),
    Case("with_options(api_key=)", scoped, [OK]),
    Case("with_middleware", with_middleware, [OK], needs="with_middleware"),
    Case("answered by middleware, from a cache", answered_by_middleware, [OK], needs="with_middleware"),
    Case("post", post, [OK]),
    Case("post, cast to object", post_object, [OK]),
    Case("429, 429, ok", create, [("messages", "ok", BILLED, "exact", 3)], [(AGAIN, "messages")] * 2),
    Case("500 always", create, [("messages", "error", {}, "free", 3)], [(BROKEN, "messages")] * 3),
    Case("400", create, [("messages", "error", {}, "free", 1)], [(Reply.error(400), "messages")]),
    Case("timeout", times_out, [("messages", "error", None, "unmeasured", 1)], [(Reply.hang(), "messages")]),
    Case(
        "error in the stream",
        error_in_stream,
        [("messages", "error", SEEN, "lower_bound", 1)],
        [(Answer.using(BILLED, text="Hello there.", chunks=3, fails_after=1), "messages")],
    ),
    Case(
        "disconnected in the stream",
        error_in_stream,
        [("messages", "error", SEEN, "lower_bound", 1)],
        [(CLAUDE_SAYS.cut(after=1), "messages")],
    ),
    Case("close()", close_early, [("messages", "abandoned", SEEN, "lower_bound", 1)]),
    Case("context left", leave_context_early, [("messages", "abandoned", SEEN, "lower_bound", 1)]),
    Case("dropped", drop_early, [("messages", "abandoned", SEEN, "lower_bound", 1)]),
    Case("never iterated", never_iterated, [("messages", "abandoned", None, "unmeasured", 1)]),
    Case("twenty at once", twenty_at_once, [OK] * 20),
    Case("copy.copy", copied, [OK]),
    Case(
        "cancelled before headers",
        cancel_before_headers,
        [("messages", "cancelled", None, "unmeasured", 1)],
        [(Reply.hang(), "messages")],
        only="async",
    ),
    Case(
        "cancelled in the stream",
        cancel_in_stream,
        [("messages", "cancelled", SEEN, "lower_bound", 1)],
        [(CLAUDE_SAYS.paced(0.15), "messages")],
        only="async",
    ),
    Case(
        "legacy completions",
        legacy_completion,
        [("completions", "ok", None, "unmeasured", 1)],
        [(LEGACY, None)],
        needs="completions",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
async def test_case(case, kind, tracked, records):
    """The caller sees what the plain SDK gives; each call is one record, with what was billed."""
    if case.only not in (None, kind):
        pytest.skip(f"a case of {case.only} clients")
    with fresh_vendor(case) as vendor:
        plain = new_claude(kind, vendor)
        if not can(plain, case.needs):
            pytest.skip(f"this SDK has no {case.needs}")
        expected = await outcome_of(case, plain, vendor)
        await done(plain.close())
    with fresh_vendor(case) as vendor:
        plain = new_claude(kind, vendor)
        client = tracked(plain, provider="anthropic")
        seen = await outcome_of(case, client, vendor)
        await done(client.close())

    assert seen == expected
    assert summary(records) == case.expected


async def test_requests_are_the_same_bytes(kind, vendor, plain_claude, claude):
    """Tracking changes nothing of what is sent."""
    await done(plain_claude.messages.create(**CLAUDE))
    await done(claude.messages.create(**CLAUDE))
    await every(plain_claude.messages.create(**CLAUDE, stream=True))
    await every(claude.messages.create(**CLAUDE, stream=True))
    before, after, stream_before, stream_after = vendor.requests

    assert after.body == before.body
    assert after.headers == before.headers
    assert json.loads(stream_after.body) == json.loads(stream_before.body)
