"""Which requests are calls, what their records say, retries, errors, batches and `complete()`."""

import asyncio
import json
import os
import subprocess
import sys
import textwrap
import time
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from prometheus_client import CollectorRegistry

from tests.conftest import (
    CLAUDE,
    CLAUDE_SAYS,
    CLAUDE_USD,
    GPT,
    GPT_USD,
    done,
    every,
    http_of,
    value_of,
)
from tracked_inference import TrackedClient, attribute
from tracked_inference.errors import ConfigurationError
from tracked_inference.loopback import Answer, Reply, ToolCall

anthropic = pytest.importorskip("anthropic", reason="the Anthropic SDK is not installed")
openai = pytest.importorskip("openai", reason="the OpenAI SDK is not installed")


async def test_a_record(claude, records, vendor):
    """Every field of the record of an ordinary call."""
    before = datetime.now(UTC)
    message = await done(claude.messages.create(**CLAUDE))
    after = datetime.now(UTC)
    record = records.one

    assert before <= record.started_at <= after
    assert 0 < record.duration_seconds < 30
    assert record.time_to_first_token_seconds is None
    assert (record.provider, record.operation, record.stream) == ("anthropic", "messages", False)
    assert (record.requested_model, record.model) == ("claude-sonnet-4-6", "claude-sonnet-4-6")
    assert (record.feature, record.team, record.user) == ("search", "discovery", None)
    assert record.cost.total_usd == Decimal(CLAUDE_USD)
    assert sum(line.amount_usd for line in record.cost.lines) == Decimal(CLAUDE_USD)
    assert (record.outcome, record.error_type, record.attempts) == ("ok", None, 1)
    assert record.request_id == message._request_id
    assert record.trace_id is None


async def test_the_model_that_answered_is_priced(gpt, records, vendor):
    """The answer's model goes before the one that was asked for: 11 x $0.15 + 7 x $0.60 a million calls."""
    vendor.script(Answer.using({"input": 11, "output": 7}, model="gpt-4o-mini-2024-07-18"))
    await done(gpt.chat.completions.create(**GPT))

    assert (records.one.requested_model, records.one.model) == ("gpt-4o", "gpt-4o-mini")
    assert str(records.one.cost.total_usd) == "0.00000585"


async def test_retries_are_one_record(claude, records, vendor):
    """Two refused requests and one that is answered: one record, three attempts, what the third cost."""
    vendor.script(Reply.error(529, retry_after_ms=1), Reply.error(500, retry_after_ms=1))
    await done(claude.messages.create(**CLAUDE))

    assert (records.one.attempts, records.one.cost.status, str(records.one.cost.total_usd)) == (
        3,
        "exact",
        CLAUDE_USD,
    )


async def test_an_attempt_that_timed_out_may_be_billed(claude, records, vendor):
    """The vendor may bill a request whose answer the client did not wait for: the cost is a lower bound then."""
    vendor.script(Reply.hang())
    await done(claude.with_options(timeout=0.2).messages.create(**CLAUDE))

    assert (records.one.attempts, records.one.cost.status) == (2, "lower_bound")
    assert records.one.cost.reasons == ("attempt_timed_out",)
    assert str(records.one.cost.total_usd) == CLAUDE_USD


async def test_an_estimate_after_a_lost_attempt_is_a_lower_bound_too(plain_gpt, tracked, records, vendor):
    """What was lost is said beside what was assumed."""
    vendor.script(Reply.hang())
    azure = tracked(plain_gpt, provider="azure").with_options(timeout=0.2)
    await done(azure.chat.completions.create(**GPT))

    assert (records.one.attempts, records.one.cost.status) == (2, "lower_bound")
    assert records.one.cost.reasons == ("deployment_type", "attempt_timed_out")


async def test_a_fallback_inside_a_handler_is_a_call_of_its_own(claude, gpt, records, vendor):
    """A retried call made while the caller handles a timeout of another one has lost no attempt itself."""
    vendor.script(Reply.hang())
    try:
        await done(claude.with_options(timeout=0.2, max_retries=0).messages.create(**CLAUDE))
    except anthropic.APITimeoutError:
        vendor.script(Reply.error(529, retry_after_ms=1))
        await done(claude.messages.create(**CLAUDE))
        vendor.script(Reply.error(529, retry_after_ms=1))
        await done(gpt.chat.completions.create(**GPT))

    assert [(one.outcome, one.attempts, one.cost.status) for one in records] == [
        ("error", 1, "unmeasured"),
        ("ok", 2, "exact"),
        ("ok", 2, "exact"),
    ]
    assert records[0].cost.reasons == ("timeout",)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 422, 429, 500, 503, 529])
async def test_an_error_is_free(status, gpt, records, vendor):
    """Vendors bill no errors: a true zero, under the class of the error and without its text."""
    vendor.always(Reply.error(status, "secret prompt", headers={"x-should-retry": "false"}))
    with pytest.raises(openai.APIStatusError) as raised:
        await done(gpt.chat.completions.create(**GPT))

    assert (records.one.outcome, records.one.cost.status, records.one.cost.total_usd) == ("error", "free", 0)
    assert records.one.error_type == type(raised.value).__name__
    assert records.one.request_id == raised.value.request_id
    assert "secret" not in repr(records.one)


async def test_a_server_that_is_not_there(kind, tracked, records):
    """A connection that cannot be made: an error, unmeasured for want of an answer."""
    cls = openai.OpenAI if kind == "sync" else openai.AsyncOpenAI
    client = tracked(cls(base_url="http://127.0.0.1:9/v1", api_key="k", max_retries=0))
    with pytest.raises(openai.APIConnectionError):
        await done(client.chat.completions.create(**GPT))
    await done(client.close())

    assert (records.one.outcome, records.one.cost.status, records.one.cost.reasons) == (
        "error",
        "unmeasured",
        ("connection_error",),
    )


async def test_what_is_never_sent_is_no_call(gpt, records):
    """An argument that the SDK refuses costs nothing and leaves nothing."""
    with pytest.raises(TypeError):
        await done(gpt.chat.completions.create(model="gpt-4o", messages=[object()]))

    assert records == []


async def test_a_paid_answer_that_is_no_json(gpt, records, vendor):
    """An answer that the SDK cannot read is recorded, unmeasured."""
    vendor.script(Reply.data(b"<html>", content_type="application/json"))
    with pytest.raises((openai.APIError, json.JSONDecodeError)):
        await done(gpt.chat.completions.create(**GPT))

    assert (records.one.outcome, records.one.cost.status) == ("error", "unmeasured")


@pytest.mark.parametrize(
    "usage", [None, {}, {"prompt_tokens": None, "completion_tokens": None}, "many"], ids=str
)
async def test_no_usage_is_not_zero(usage, gpt, records, vendor):
    """A missing or empty usage is unmeasured."""
    vendor.script(Answer(text="hi", usage_json=usage))
    await done(gpt.chat.completions.create(**GPT))

    assert records.one.cost.total_usd is None
    assert records.one.usage is None or records.one.cost.status != "exact"


async def test_zero_is_zero(gpt, records, vendor):
    """Explicit zeros are a usage."""
    vendor.script(
        Answer(text="hi", usage_json={"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0})
    )
    await done(gpt.chat.completions.create(**GPT))

    assert records.one.usage is not None
    assert records.one.cost.total_usd == 0


async def test_an_unknown_model_is_unpriced(gpt, records, vendor):
    """A model without a price is unpriced, its tokens are counted, and it is never $0."""
    await done(gpt.chat.completions.create(model="gpt-99", messages=GPT["messages"]))

    assert (records.one.cost.status, records.one.cost.total_usd, records.one.cost.reasons) == (
        "unpriced",
        None,
        ("unknown_model",),
    )
    assert records.one.usage.output_tokens == 7


async def test_a_new_endpoint_that_reports_usage_is_counted(gpt, records, vendor):
    """A POST that no table names is a call if its answer reports usage, and nothing if it does not."""
    usage = {"input_tokens": 11, "output_tokens": 7, "total_tokens": 18}
    vendor.script(Reply.json({"id": "x", "model": "gpt-4o", "usage": usage}), Reply.json({"id": "x"}))
    await done(gpt.post("/new_things", body={"model": "gpt-4o"}, cast_to=object))
    await done(gpt.post("/new_things", body={"model": "gpt-4o"}, cast_to=object))

    assert (records.one.operation, records.one.usage.tokens()) == ("new_things", {"input": 11, "output": 7})


async def test_sessions_of_agents_are_no_calls(claude, records, vendor):
    """A managed session shows what it used so far on every look: it is not counted at each."""
    usage = {"input_tokens": 11, "output_tokens": 7}
    vendor.always(Reply.json({"id": "s", "usage": usage}))
    await done(claude.post("/v1/sessions", body={}, cast_to=object))
    await done(claude.post("/v1/sessions/abc/archive", body={}, cast_to=object))

    assert records == []


async def test_the_http_librarys_own_response(gpt, records, vendor):
    """`cast_to=httpx.Response` gives the plain response; its usage is read."""
    answer = await done(gpt.post("/chat/completions", body=dict(GPT), cast_to=http_of(openai).Response))

    assert answer.json()["usage"]["completion_tokens"] == 7
    assert str(records.one.cost.total_usd) == GPT_USD


async def test_calls_inside_of_a_call(kind, claude, records, vendor, tracked):
    """Requests that middleware makes on the way, free or billed, do not count as attempts of the call around them."""
    inner = claude

    class Middleware(anthropic.Middleware):
        def handle(self, request, call_next):
            inner.messages.count_tokens(model=CLAUDE["model"], messages=CLAUDE["messages"])
            return call_next(request)

        async def handle_async(self, request, call_next):
            await inner.messages.count_tokens(model=CLAUDE["model"], messages=CLAUDE["messages"])
            return await call_next(request)

    await done(claude.with_middleware(Middleware()).messages.create(**CLAUDE))

    assert (records.one.attempts, records.one.cost.status) == (1, "exact")


@pytest.mark.parametrize("stream", [False, True])
async def test_a_call_that_middleware_sends_twice(claude, records, stream):
    """Both answers are billed and the caller gets the last one's usage: what is known is a lower bound, and not exact."""

    class Middleware(anthropic.Middleware):
        def handle(self, request, call_next):
            call_next(request).close()
            return call_next(request)

        async def handle_async(self, request, call_next):
            await (await call_next(request)).close()
            return await call_next(request)

    answer = await done(claude.with_middleware(Middleware()).messages.create(**CLAUDE, stream=stream))
    if stream:
        await every(answer)

    assert (records.one.attempts, str(records.one.cost.total_usd)) == (2, CLAUDE_USD)
    assert (records.one.cost.status, records.one.cost.reasons) == ("lower_bound", ("earlier_answer",))


# Batches


def line(at, status=200, model="gpt-4o", created=1_790_000_000):
    body = {
        "id": f"chatcmpl-{at}", "object": "chat.completion", "created": created, "model": model,
        "choices": [], "usage": {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100},
    }  # fmt: skip
    response = {"status_code": status, "request_id": "r", "body": body if status == 200 else {"error": {}}}
    return json.dumps({"id": f"batch_req_{at}", "custom_id": f"c{at}", "response": response, "error": None})


async def test_the_output_file_of_a_batch(gpt, records, vendor):
    """Each line is a record, once, at half price: (1000 x $2.50 + 100 x $10) / 2 a million lines; failed lines are free."""
    content = "\n".join([line(1), line(2), line(3, status=400), ""]).encode()
    vendor.always(Reply.data(content))
    with attribute(feature="nightly"):
        first = await done(gpt.files.content("file-1"))
    await done(gpt.files.content("file-1"))
    one, two, failed = records

    assert first.content == content
    assert [(r.operation, r.outcome, str(r.cost.total_usd)) for r in (one, two)] == [
        ("chat.completions.batch", "ok", "0.00175")
    ] * 2
    assert (failed.outcome, failed.cost.status) == ("error", "free")
    assert {record.feature for record in records} == {"nightly"}
    assert one.started_at == datetime.fromtimestamp(1_790_000_000, UTC)
    assert one.usage.batch is True


async def test_an_output_file_of_azure(gpt, records, vendor):
    """Azure's lines have no id of their own; an input file, whose lines have no response, is no output."""
    lines = [json.loads(line(at)) for at in (1, 2)]
    for one in lines:
        del one["id"]
    asked = json.dumps({"custom_id": "c1", "method": "POST", "url": "/chat/completions", "body": GPT})
    vendor.script(Reply.data("\n".join(map(json.dumps, lines)).encode()), Reply.data(asked.encode()))
    await done(gpt.files.content("file-1"))
    await done(gpt.files.content("file-2"))

    assert [str(record.cost.total_usd) for record in records] == ["0.00175"] * 2


async def test_a_batch_is_counted_once_for_each_who_takes_the_records(plain_gpt, tracked, vendor):
    """Clients that write to one place count a line once between them; those that write elsewhere count it too."""
    vendor.always(Reply.data(line(1).encode()))
    first, second = [], []
    registry = CollectorRegistry()
    ways = (
        {"sinks": [first.append]},
        {"sinks": [first.append]},
        {"sinks": [second.append]},
        {"sinks": None, "registry": registry},
        {"sinks": None, "registry": registry},
    )
    for way in ways:
        await done(tracked(plain_gpt, provider="openai", **way).files.content("file-1"))
    words = {"model": "gpt-4o", "feature": "search", "team": "discovery", "outcome": "ok"}

    assert (len(first), len(second)) == (1, 1)
    assert value_of(registry, "ai_inference_calls_total", **words) == 1


async def test_a_placeholder_is_no_time(gpt, records, vendor):
    """A time before there was an API is what a proxy or a fixture writes: the line is priced as of now."""
    before = datetime.now(UTC)
    vendor.always(Reply.data(line(1, created=1).encode()))
    await done(gpt.files.content("file-1"))

    assert records.one.started_at >= before


async def test_a_large_output_file(gpt, records, vendor):
    """A file over a megabyte is read in a thread, and every line of it counts."""
    count = 5000
    content = "\n".join(line(at) for at in range(count)).encode()
    assert len(content) > 1_000_000
    vendor.always(Reply.data(content))
    await done(gpt.files.content("file-1"))
    end = time.monotonic() + 60
    while len(records) < count and time.monotonic() < end:
        await asyncio.sleep(0.02)

    assert len(records) == count


async def test_another_file_is_no_batch(gpt, records, vendor):
    """Any other file is only a file."""
    vendor.always(Reply.data(b"hello\n" * 10))
    assert (await done(gpt.files.content("file-1"))).content == b"hello\n" * 10

    assert records == []


async def test_results_of_an_anthropic_batch(claude, records, vendor):
    """Half of $146.40 a million: the batch's own price; failed requests are free; lines read again are not counted."""
    vendor.always(CLAUDE_SAYS, endpoint="messages.batches.item")
    vendor.script(CLAUDE_SAYS, Reply.error(400), endpoint="messages.batches.item")
    asked = [{"custom_id": name, "params": CLAUDE} for name in ("a", "b")]
    batch = await done(claude.messages.batches.create(requests=asked))
    await done(claude.messages.batches.retrieve(batch.id))
    await every(claude.messages.batches.results(batch.id))
    await every(claude.with_options(timeout=5).messages.batches.results(batch.id))
    done_one, failed = records

    assert (done_one.operation, str(done_one.cost.total_usd)) == ("messages.batch", "0.0000732")
    assert (failed.outcome, failed.cost.status) == ("error", "free")


async def test_lines_of_a_large_file_are_counted_before_the_program_ends(tmp_path):
    """A script that downloads a batch and ends at once has counted all of it."""
    script = textwrap.dedent(
        """
        import openai, sys
        from tests.client.test_calls import line
        from tracked_inference import TrackedClient
        from tracked_inference.loopback import LoopbackVendor, Reply

        with LoopbackVendor() as vendor:
            content = "\\n".join(line(at) for at in range(5000)).encode()
            vendor.always(Reply.data(content))
            out = open(sys.argv[1], "a")
            sink = lambda record: print(record.operation, file=out, flush=True)
            client = TrackedClient(openai.OpenAI(base_url=vendor.openai_url, api_key="k"), feature="a1", team="b1", sinks=[sink])
            client.files.content("file-1")
        """
    )
    path = tmp_path / "lines"
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", script, str(path)], check=True, env=env, timeout=120)

    assert len(path.read_text().splitlines()) == 5000


# complete()


async def test_complete_is_the_same_for_both_vendors(claude, gpt, records):
    """Text, tokens, model, time and dollars of one answer."""
    ask = [{"role": "user", "content": "Say something."}]
    from_claude = await done(claude.complete(ask, model="claude-sonnet-4-6", max_tokens=64))
    from_gpt = await done(gpt.complete(ask, model="gpt-4o"))

    assert (from_claude.content, from_claude.input_tokens, from_claude.output_tokens) == (
        "Hello there.",
        16,
        7,
    )
    assert (from_gpt.content, from_gpt.input_tokens, from_gpt.output_tokens) == ("Hello there.", 15, 7)
    assert (from_claude.model, from_gpt.model) == ("claude-sonnet-4-6", "gpt-4o")
    assert from_claude.estimated_cost_usd == pytest.approx(float(CLAUDE_USD))
    assert from_gpt.estimated_cost_usd == pytest.approx(float(GPT_USD))
    assert from_gpt.latency_seconds == records[1].duration_seconds


@pytest.mark.parametrize(
    ("seller", "sent"),
    [("openai", {"max_completion_tokens": 64}), ("llm.example.com", {"max_tokens": 64})],
)
async def test_complete_takes_max_tokens_for_either_vendor(plain_gpt, tracked, vendor, seller, sent):
    """OpenAI's newer models refuse `max_tokens` under that name; what is compatible with OpenAI may know no other."""
    await done(tracked(plain_gpt, provider=seller).complete([], model="gpt-5-mini", max_tokens=64))

    assert vendor.requests[-1].json == {"model": "gpt-5-mini", "messages": [], **sent}


async def test_complete_sends_what_names_the_limit_itself(plain_gpt, tracked, vendor):
    """A caller who knows OpenAI's name for it is not second-guessed."""
    await done(
        tracked(plain_gpt, provider="openai").complete([], model="gpt-5-mini", max_completion_tokens=64)
    )

    assert vendor.requests[-1].json["max_completion_tokens"] == 64


async def test_complete_with_a_tool_only_answer(claude, gpt, vendor):
    """Tool calls have no text."""
    tools = Answer.using({"input": 1, "output": 1}, tool_calls=(ToolCall("weather", {"city": "Oslo"}),))
    vendor.script(tools, tools)

    assert (await done(claude.complete([], model="claude-sonnet-4-6", max_tokens=5))).content == ""
    assert (await done(gpt.complete([], model="gpt-4o"))).content == ""


async def test_complete_takes_the_clients_model(plain_gpt, tracked):
    """The default model is the client's; without one the error says where to give it."""
    client = tracked(plain_gpt, provider="openai", model="gpt-4o")

    assert (await done(client.complete([]))).model == "gpt-4o"
    with pytest.raises(ConfigurationError, match=r"TrackedClient\(\.\.\., model="):
        await done(tracked(plain_gpt).complete([]))
    with pytest.raises(ConfigurationError, match="stream"):
        await done(client.complete([], stream=True))


async def test_complete_without_price_or_usage(gpt, vendor):
    """What is not known is None, never 0."""
    vendor.script(Answer(text="hi", usage_json=None))
    result = await done(gpt.complete([], model="gpt-4o"))

    assert (result.input_tokens, result.output_tokens, result.estimated_cost_usd) == (None, None, None)


async def test_complete_raises_what_the_sdk_raises(gpt, vendor, records):
    """Errors of the vendor are the SDK's; its record is not taken by the next `complete()`."""
    vendor.script(Reply.error(400, "no"))
    with pytest.raises(openai.BadRequestError):
        await done(gpt.complete([], model="gpt-4o"))
    result = await done(gpt.complete([], model="gpt-4o"))

    assert result.estimated_cost_usd == pytest.approx(float(GPT_USD))


# Background


async def test_a_background_call_is_in_progress_until_the_vendor_has_it(plain_gpt, registry, vendor):
    """The gauge of calls in progress is not kept up by what is never asked for again."""
    client = TrackedClient(
        plain_gpt, feature="search", team="discovery", registry=registry, provider="openai"
    )
    made = await done(client.responses.create(model="gpt-4o", input="x", background=True))
    waiting = value_of(registry, "ai_inference_calls_in_progress", feature="search")
    await done(client.responses.retrieve(made.id))

    assert waiting == 0
    assert value_of(registry, "ai_inference_calls_in_progress", feature="search") == 0
    assert (
        value_of(
            registry,
            "ai_inference_calls_total",
            model="gpt-4o",
            feature="search",
            team="discovery",
            outcome="ok",
        )
        == 1
    )


async def test_an_id_that_is_given_out_again(gpt, records, vendor):
    """A response that was just made is a new one, whatever was counted under its id before."""
    for status in ("queued", "completed") * 2:
        usage = (
            {"input_tokens": 11, "output_tokens": 7, "total_tokens": 18} if status == "completed" else None
        )
        said = {"id": "resp_1", "object": "response", "model": "gpt-4o", "background": True, "output": []}
        vendor.script(Reply.json({**said, "status": status, "usage": usage}))
        if status == "queued":
            await done(gpt.responses.create(model="gpt-4o", input="x", background=True))
        else:
            await done(gpt.responses.retrieve("resp_1"))

    assert [str(record.cost.total_usd) for record in records] == ["0.0000975"] * 2


async def test_a_background_call_is_for_who_made_it(gpt, records, vendor):
    """The words, the start and the money of a background call are those of its making, whoever finds it finished."""
    with attribute(feature="nightly", user="u_1"):
        made = await done(gpt.responses.create(model="gpt-4o", input="x", background=True))
    await done(gpt.with_attribution(feature="other").responses.retrieve(made.id))

    assert (records.one.feature, records.one.user, str(records.one.cost.total_usd)) == (
        "nightly",
        "u_1",
        GPT_USD,
    )


def test_a_forked_child_calls_and_counts(vendor):
    """After fork a child makes calls, drops streams and counts them, in threads of its own."""
    if not hasattr(os, "fork"):
        pytest.skip("no fork here")
    script = textwrap.dedent(
        """
        import gc, openai, os, sys, warnings
        warnings.simplefilter("ignore")
        from tracked_inference import TrackedClient
        from tracked_inference.loopback import LoopbackVendor

        def use(url):
            seen = []
            client = TrackedClient(openai.OpenAI(base_url=url, api_key="k"), feature="a1", team="b1", sinks=[seen.append])
            client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "x"}])
            next(client.chat.completions.create(model="gpt-4o", messages=[], stream=True))
            gc.collect()
            made = client.responses.create(model="gpt-4o", input="x", background=True)
            client.responses.retrieve(made.id)
            return [one.outcome for one in seen] == ["ok", "abandoned", "ok"]

        with LoopbackVendor() as vendor:
            first = use(vendor.openai_url)
            pid = os.fork()
            if pid == 0:
                os._exit(0 if use(vendor.openai_url) else 1)
            _, status = os.waitpid(pid, 0)
            assert first and status == 0, (first, status)
        """
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}

    assert subprocess.run([sys.executable, "-c", script], env=env, timeout=120, check=False).returncode == 0
