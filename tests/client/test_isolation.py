"""The application does not feel the tracking: whatever fails in it, the SDK's own object or error comes back."""

import functools
import logging

import pytest
import structlog
from prometheus_client import CollectorRegistry

from tests.conftest import CLAUDE, GPT, Records, done, every, http_of, value_of
from tracked_inference import PriceTable, TrackedClient
from tracked_inference.loopback import Reply
from tracked_inference.sinks import default_sinks
from tracked_inference.sinks.metrics import MetricsSink
from tracked_inference.tracking import faults as faults_of_tracking
from tracked_inference.tracking import observe
from tracked_inference.vendors import anthropic as vendor_of_claude

anthropic = pytest.importorskip("anthropic", reason="the Anthropic SDK is not installed")
openai = pytest.importorskip("openai", reason="the OpenAI SDK is not installed")


class Surprise(BaseException):
    """Not even an Exception."""


@pytest.fixture
def sdk_result(monkeypatch):
    """The very object that the SDK's own `request` returned last."""
    seen = []
    for base in (anthropic.Anthropic, openai.OpenAI):
        before = base.request

        @functools.wraps(before)
        def request(self, *args, before=before, **kwargs):
            seen.append(before(self, *args, **kwargs))
            return seen[-1]

        monkeypatch.setattr(base, "request", request, raising=True)
    for base in (anthropic.AsyncAnthropic, openai.AsyncOpenAI):
        before = base.request

        @functools.wraps(before)
        async def request(self, *args, before=before, **kwargs):
            seen.append(await before(self, *args, **kwargs))
            return seen[-1]

        monkeypatch.setattr(base, "request", request, raising=True)
    return seen


def fail_with(error):
    def fail(*args, **kwargs):
        raise error

    return fail


STAGES = [
    ("begin", "operation_of", RuntimeError("x")),
    ("begin", "reader", RuntimeError("x")),
    ("usage", "usage_of", RuntimeError("x")),
]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(("stage", "name", "error"), STAGES, ids=lambda value: str(value))
async def test_a_faulty_adapter(
    stage, name, error, stream, plain_claude, registry, monkeypatch, sdk_result, faults, caplog
):
    """Each step of the vendor's adapter may raise: the object is the SDK's own, the fault is counted, told once."""
    if name == "reader" and not stream:
        pytest.skip("there is no reader of what is no stream")
    records = Records()
    client = TrackedClient(
        plain_claude,
        feature="search",
        team="discovery",
        registry=registry,
        sinks=[records],
        provider="anthropic",
    )
    monkeypatch.setattr(vendor_of_claude, name, fail_with(error))
    with caplog.at_level(logging.ERROR, logger="tracked_inference"):
        for _ in range(2):
            result = await done(client.messages.create(**CLAUDE, stream=stream))
            assert result is sdk_result[-1]
            if stream:
                events = await every(result)
                assert events[-1].type == "message_stop"

    assert [one[0] for one in faults] == [stage] * 2
    assert value_of(registry, "ai_inference_tracking_errors_total", stage=stage) == 2
    assert len([one for one in caplog.records if one.name == "tracked_inference"]) == 1
    faults.clear()


async def test_a_faulty_event_reader(claude, records, monkeypatch, faults):
    """A reader that cannot take an event lets it pass; the call is recorded as what it is, unmeasured."""
    monkeypatch.setattr(vendor_of_claude._Messages, "see", fail_with(RuntimeError("x")))
    events = await every(claude.messages.create(**CLAUDE, stream=True))

    assert events[-1].type == "message_stop"
    assert records.one.cost.total_usd is None
    assert {stage for stage, _ in faults} == {"usage"}
    faults.clear()


async def test_a_faulty_observation(plain_claude, tracked, records, monkeypatch, faults, sdk_result):
    """Where the result cannot be looked at the call is recorded, as unmeasured."""
    client = tracked(plain_claude, provider="anthropic")
    monkeypatch.setattr(observe, "_kind_of", fail_with(RuntimeError("x")))
    result = await done(client.messages.create(**CLAUDE))

    assert result is sdk_result[-1]
    assert (records.one.cost.status, records.one.cost.reasons) == ("unmeasured", ("unobserved",))
    assert [stage for stage, _ in faults] == ["observe"]
    faults.clear()


async def test_a_faulty_price_table(plain_claude, records, monkeypatch, faults, sdk_result):
    """A table that raises makes the call unpriced, never free."""

    class Broken(PriceTable):
        price = fail_with(RuntimeError("x"))

    table = PriceTable.bundled()
    broken = object.__new__(Broken)
    broken.__dict__.update(table.__dict__)
    client = TrackedClient(
        plain_claude, feature="search", team="discovery", prices=broken, sinks=[records], provider="anthropic"
    )
    result = await done(client.messages.create(**CLAUDE))

    assert result is sdk_result[-1]
    assert (records.one.cost.status, records.one.cost.total_usd, records.one.cost.reasons) == (
        "unpriced",
        None,
        ("price_error",),
    )
    assert [stage for stage, _ in faults] == ["price"]
    faults.clear()


@pytest.mark.parametrize(
    "error",
    [RuntimeError("x"), Surprise("x"), SystemExit(3), GeneratorExit()],
    ids=lambda one: type(one).__name__,
)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_a_faulty_sink(error, stream, plain_gpt, registry, records, faults, sdk_result):
    """A user's sink may raise anything but Ctrl-C: it is counted, and the sinks after it run."""
    client = TrackedClient(
        plain_gpt,
        feature="search",
        team="discovery",
        registry=registry,
        sinks=[fail_with(error), records],
        provider="openai",
    )
    result = await done(client.chat.completions.create(**GPT, stream=stream))
    assert result is sdk_result[-1]
    if stream:
        await every(result)

    assert records.one.outcome == "ok"
    assert value_of(registry, "ai_inference_tracking_errors_total", stage="sink") == 1
    assert [stage for stage, _ in faults] == ["sink"]
    faults.clear()


async def test_ctrl_c_in_a_sink_is_ctrl_c(plain_gpt, registry, records):
    """KeyboardInterrupt is the user's and goes through, after the other sinks had the record; no call stays in progress."""
    client = TrackedClient(
        plain_gpt,
        feature="search",
        team="discovery",
        registry=registry,
        sinks=[fail_with(KeyboardInterrupt()), MetricsSink(registry), records],
    )
    with pytest.raises(KeyboardInterrupt):
        await done(client.chat.completions.create(**GPT))

    assert records.one.outcome == "ok"
    assert value_of(registry, "ai_inference_calls_in_progress", feature="search") == 0


async def test_an_error_of_the_vendor_goes_through_a_faulty_sink(plain_claude, vendor, faults):
    """The caller gets the SDK's error, not the sink's."""
    client = TrackedClient(plain_claude, feature="search", team="discovery", sinks=[fail_with(Surprise("x"))])
    vendor.script(Reply.error(400, "no such thing"))
    with pytest.raises(anthropic.BadRequestError, match="no such thing") as raised:
        await done(client.messages.create(**CLAUDE))

    assert raised.value.__context__ is None or isinstance(
        raised.value.__context__, http_of(anthropic).HTTPStatusError
    )
    faults.clear()


async def test_metrics_that_do_not_fit(plain_gpt, records, faults, sdk_result):
    """A registry in which somebody else has registered our name with other labels breaks the metrics alone."""
    registry = CollectorRegistry()
    sinks = default_sinks(registry)
    sinks[0]._all.duration = sinks[
        0
    ]._all.cost  # a collector with other labels: prometheus_client raises ValueError
    client = TrackedClient(
        plain_gpt,
        feature="search",
        team="discovery",
        registry=registry,
        sinks=[*sinks, records],
        provider="openai",
    )
    with structlog.testing.capture_logs() as lines:
        result = await done(client.chat.completions.create(**GPT))

    assert result is sdk_result[-1]
    assert [line["event"] for line in lines] == ["ai.inference.completed"]
    assert records.one.outcome == "ok"
    assert value_of(registry, "ai_inference_tracking_errors_total", stage="metrics") == 1
    faults.clear()


async def test_structlog_that_raises(plain_gpt, registry, records, faults, sdk_result):
    """A logging configuration that raises is counted at its own stage; metrics and the user's sink have the call."""

    def broken(logger, name, event):
        raise RuntimeError("x")

    sinks = default_sinks(registry)
    client = TrackedClient(
        plain_gpt,
        feature="search",
        team="discovery",
        registry=registry,
        sinks=[*sinks, records],
        provider="openai",
    )
    before = structlog.get_config()
    structlog.configure(processors=[broken])
    try:
        result = await done(client.chat.completions.create(**GPT))
    finally:
        structlog.configure(**before)

    assert result is sdk_result[-1]
    assert records.one.outcome == "ok"
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
    assert value_of(registry, "ai_inference_tracking_errors_total", stage="log") == 1
    faults.clear()


async def test_metrics_at_construction_that_raise(plain_gpt, records, faults):
    """What a sink does when it is declared to may fail too; the client is there."""

    class Sink(Records):
        declare = fail_with(RuntimeError("x"))
        call_started = fail_with(RuntimeError("x"))
        call_ended = fail_with(RuntimeError("x"))
        show_prices = fail_with(RuntimeError("x"))
        show_table = fail_with(RuntimeError("x"))

    sink = Sink()
    client = TrackedClient(plain_gpt, feature="search", team="discovery", sinks=[sink], provider="openai")
    await done(client.chat.completions.create(**GPT))

    assert sink.one.outcome == "ok"
    assert {stage for stage, _ in faults} == {"metrics"}
    faults.clear()


async def test_a_logger_that_raises(plain_gpt, faults, monkeypatch, sdk_result):
    """Even the place where faults are told may raise."""
    monkeypatch.setattr(faults_of_tracking._log, "error", fail_with(RuntimeError("x")))
    client = TrackedClient(
        plain_gpt, feature="search", team="discovery", sinks=[fail_with(RuntimeError("x"))]
    )
    monkeypatch.setattr(client.__dict__["_tracked_meter"].faults, "_count", fail_with(RuntimeError("x")))
    result = await done(client.chat.completions.create(**GPT))

    assert result is sdk_result[-1]
    faults.clear()


async def test_a_fault_is_told_without_its_text(plain_gpt, faults, caplog):
    """The log line of a fault has its type and place; its text may hold a prompt."""
    client = TrackedClient(
        plain_gpt, feature="search", team="discovery", sinks=[fail_with(RuntimeError("a prompt"))]
    )
    with caplog.at_level(logging.ERROR, logger="tracked_inference"):
        await done(client.chat.completions.create(**GPT))

    assert "RuntimeError at" in caplog.text
    assert "a prompt" not in caplog.text
    faults.clear()


async def test_arguments_are_handed_on_as_they_are(kind, claude, vendor, records):
    """Generators of messages are read by the SDK alone, and nothing the caller gave is changed."""
    read = []

    def messages():
        for text in ("one", "two"):
            read.append(text)
            yield {"role": "user", "content": text}

    metadata = {"user_id": "u_1"}
    await done(
        claude.messages.create(
            model="claude-sonnet-4-6", max_tokens=5, messages=messages(), metadata=metadata
        )
    )
    await every(
        claude.messages.create(
            model="claude-sonnet-4-6", max_tokens=5, messages=messages(), metadata=metadata, stream=True
        )
    )

    assert read == ["one", "two"] * 2
    assert [one["content"] for one in vendor.requests[1].json["messages"]] == ["one", "two"]
    assert metadata == {"user_id": "u_1"}
    assert len(records) == 2


async def test_stream_options_of_the_caller_are_not_changed(gpt, vendor):
    """Asking for usage is done in a copy of the request."""
    options = {"include_obfuscation": False}
    await every(gpt.chat.completions.create(**GPT, stream=True, stream_options=options))

    assert options == {"include_obfuscation": False}
    assert vendor.requests[0].json["stream_options"] == {"include_obfuscation": False, "include_usage": True}


def test_the_stage_of_a_sink_is_in_the_catalogue_of_stages():
    """The stages that can fail exist at 0 from the start, so that an alert sees the first fault."""
    registry = CollectorRegistry()
    MetricsSink(registry)

    for stage in ("begin", "usage", "price", "record", "observe", "metrics", "log", "sink"):
        assert value_of(registry, "ai_inference_tracking_errors_total", stage=stage) == 0
