"""The log line: its events, its fields, what is never in it, and that it goes through the application's own structlog."""

import json
import logging
from decimal import Decimal

import pytest
import structlog

from tests.conftest import CLAUDE, done
from tests.sinks.records import cost, record
from tracked_inference import TrackedClient
from tracked_inference.loopback import Answer
from tracked_inference.sinks.log import LogSink, fields_of
from tracked_inference.usage import Pass, Usage


def test_the_line_of_a_call():
    """One line a call, with these fields and no others."""
    with structlog.testing.capture_logs() as lines:
        LogSink()(record())

    assert lines == [
        {
            "event": "ai.inference.completed",
            "log_level": "info",
            "model": "gpt-4o",
            "feature": "search",
            "team": "discovery",
            "input_tokens": 15,
            "output_tokens": 7,
            "estimated_cost_usd": 0.000102,
            "latency_seconds": 1.5,
            "cost_status": "exact",
            "price_table": "",
            "outcome": "ok",
            "attempts": 3,
            "provider": "openai",
            "operation": "chat.completions",
            "stream": True,
            "cache_read_tokens": 4,
            "reasoning_tokens": 2,
            "time_to_first_token_seconds": 0.25,
            "user": "u_42",
            "request_id": "req_1",
        }
    ]


@pytest.mark.parametrize("outcome", ["error", "cancelled", "abandoned"])
def test_a_call_that_did_not_end_well(outcome):
    """Errors, cancelled and abandoned calls are warnings under another event."""
    with structlog.testing.capture_logs() as lines:
        LogSink()(
            record(
                outcome=outcome,
                error_type="APITimeoutError",
                usage=None,
                cost=cost("unmeasured", None, "timeout"),
            )
        )

    assert (lines[0]["event"], lines[0]["log_level"]) == ("ai.inference.failed", "warning")
    assert lines[0]["error_type"] == "APITimeoutError"
    assert lines[0]["cost_reasons"] == ["timeout"]
    assert (lines[0]["input_tokens"], lines[0]["output_tokens"], lines[0]["estimated_cost_usd"]) == (
        None,
        None,
        None,
    )


def told(*records, sinks=1):
    """The lines about models without a price, of some sinks that each take these records."""
    with structlog.testing.capture_logs() as lines:
        for sink in [LogSink() for _ in range(sinks)]:
            for one in records:
                sink(one)
    return [line for line in lines if line["event"] == "ai.inference.unpriced"]


def test_an_unpriced_model_is_told_once():
    """A model without a price has a line of its own, once in a process, that says how to mend it."""
    new = record(model="new", cost=cost("unpriced", None, "unknown_model"))
    lines = told(new, new, sinks=2)

    assert len(lines) == 1
    assert "docs/howto/prices.md" in lines[0]["hint"]


def test_a_unit_without_a_price_is_told_too():
    """What a model's row lacks can be added like a model; what no price list can give is no line of its own."""
    lacks = record(model="gpt-4.1", cost=cost("partial", "0.01", "unpriced_unit:input_audio"))
    container = record(model="claude-opus-5", cost=cost("partial", "0.01", "code_execution"))
    lines = told(lacks, container, lacks)

    assert [(line["model"], line["reasons"]) for line in lines] == [
        ("gpt-4.1", ["unpriced_unit:input_audio"])
    ]


def test_a_logger_of_ones_own_is_told_by_itself():
    """Another logger may go elsewhere: it has its own line."""
    new = record(model="new", cost=cost("unpriced", None, "unknown_model"))
    with structlog.testing.capture_logs() as lines:
        for sink in (LogSink(), LogSink(structlog.get_logger("mine"))):
            sink(new)

    assert [line["event"] for line in lines].count("ai.inference.unpriced") == 2


def test_an_address_that_nobody_knows_is_told_as_such():
    """A call through a proxy that nobody named has a model that is known: what is missing is who sells it."""
    lines = told(record(model="proxy:8080/gpt-4o", cost=cost("unpriced", None, "unknown_seller")))

    assert "provider=" in lines[-1]["hint"]


def test_optional_fields():
    """Cache writes, tier, tags, trace and the model asked for stand there where there is something to say."""
    usage = Usage(
        (Pass({"input": 1, "cache_write_5m": 2, "cache_write_1h": 3, "output": 4}),), service_tier="priority"
    )
    fields = fields_of(
        record(
            usage=usage,
            requested_model="gpt-4o-latest",
            tags={"tenant": "t"},
            trace_id="ab",
            time_to_first_token_seconds=None,
        )
    )

    assert (fields["cache_write_tokens"], fields["service_tier"], fields["input_tokens"]) == (
        5,
        "priority",
        6,
    )
    assert (fields["requested_model"], fields["tags"], fields["trace_id"]) == (
        "gpt-4o-latest",
        {"tenant": "t"},
        "ab",
    )
    assert "time_to_first_token_seconds" not in fields
    assert "cache_read_tokens" not in fields


def test_every_field_is_json():
    """A line can be written as JSON by anybody's renderer."""
    assert json.loads(json.dumps(fields_of(record(cost=cost("partial", Decimal("0.5"), "a", "b")))))[
        "cost_reasons"
    ] == ["a", "b"]


async def test_no_text_of_the_call_and_no_key(plain_claude, vendor):
    """Prompt, answer and key are not in the line."""
    pytest.importorskip("anthropic")
    vendor.script(Answer(text="the secret answer"))
    client = TrackedClient(
        plain_claude, feature="search", team="discovery", sinks=[LogSink()], provider="anthropic"
    )
    with structlog.testing.capture_logs() as lines:
        await done(
            client.messages.create(
                **{**CLAUDE, "messages": [{"role": "user", "content": "the secret prompt"}]}
            )
        )

    assert "secret" not in repr(lines)
    assert "any" not in [value for value in lines[0].values() if isinstance(value, str)]


def test_it_goes_through_the_applications_configuration():
    """Context that the application binds, its processors and stdlib logging all apply."""
    said = []
    before = structlog.get_config()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            lambda logger, name, event: said.append(dict(event)) or str(event["event"]),
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    logging.getLogger("tracked_inference").setLevel(logging.INFO)
    try:
        with structlog.contextvars.bound_contextvars(request="r_1"):
            LogSink()(record())
    finally:
        structlog.configure(**before)
        logging.getLogger("tracked_inference").setLevel(logging.NOTSET)

    assert said[0]["request"] == "r_1"


def test_a_logger_of_ones_own():
    """`LogSink(logger)` writes there."""
    lines = structlog.testing.CapturingLogger()
    LogSink(structlog.wrap_logger(lines, processors=[structlog.processors.JSONRenderer()]))(record())

    assert json.loads(lines.calls[0].args[0])["feature"] == "search"


def test_no_word_of_a_line_is_longer_than_a_name():
    """What collects logs cuts a long line in pieces, each of which would be a line that somebody else wrote."""
    long = "m" * 501
    fields = fields_of(record(model=long, requested_model=f"{long}n", user=long, tags={long: long}))

    cut = "m" * 500 + "..."
    assert [fields["model"], fields["requested_model"], fields["user"]] == [cut] * 3
    assert fields["tags"] == {cut: cut}
    assert fields_of(record(user="m" * 500))["user"] == "m" * 500


def test_reasons_that_hold_a_vendors_words_are_plain_text():
    """A counter that a gateway invents is named in a reason, by whatever name it has."""
    fields = fields_of(record(cost=cost("partial", Decimal(1), "unknown_field:\ud800\nx")))

    assert fields["cost_reasons"] == ["unknown_field:\\ud800\\nx"]


# The fields go into the context of a logger of the line's own, where that is the same as giving them as keywords.


@pytest.fixture
def configured():
    """`structlog.configure`, undone afterwards."""
    before = structlog.get_config()
    yield structlog.configure
    structlog.configure(**before)


def as_given(said):
    """A processor that notes what comes to it."""

    def processor(_logger, _name, event):
        said.append(dict(event))
        return "x"

    return processor


@pytest.mark.parametrize("cached", [False, True])
@pytest.mark.parametrize(
    "wrapper", [structlog.make_filtering_bound_logger(0), structlog.stdlib.BoundLogger, structlog.BoundLogger]
)
def test_a_line_is_what_keywords_would_have_made(configured, cached, wrapper):
    """The same keys in the same order, nothing left behind for the next line, whatever class of structlog's writes it."""
    said = []
    configured(
        processors=[as_given(said)],
        wrapper_class=wrapper,
        logger_factory=structlog.testing.CapturingLoggerFactory(),
        cache_logger_on_first_use=cached,
    )
    sink = LogSink()
    sink(record(tags={"tenant": "a"}))
    sink(record(user=None))
    structlog.get_logger("x").info("ai.inference.completed", **fields_of(record(user=None)))

    assert "tags" in said[0]
    assert list(said[1].items()) == list(said[2].items())


def test_configuring_structlog_later_is_followed(configured):
    """Unless the application has structlog keep its loggers."""
    first, second = [], []
    configured(processors=[as_given(first)], logger_factory=structlog.testing.CapturingLoggerFactory())
    sink = LogSink()
    sink(record())
    configured(processors=[as_given(second)])
    sink(record())

    assert (len(first), len(second)) == (1, 1)


def test_a_logger_class_of_the_applications_gets_keywords(configured):
    """It may look at them, and so may anything that has `info` and `warning` alone."""
    seen = []

    class Own(structlog.BoundLogger):
        def info(self, event, **words):
            seen.append((event, words["team"]))

    class Least:
        def info(self, event, **words):
            seen.append((event, words["team"]))

    configured(wrapper_class=Own)
    LogSink()(record())
    LogSink(Least())(record())

    assert seen == [("ai.inference.completed", "discovery")] * 2


def test_a_context_of_another_class_gets_keywords(configured):
    """A context may be that of a whole thread, where the fields would stay."""
    said = []

    class Shared(dict):
        pass

    configured(
        processors=[as_given(said)],
        context_class=Shared,
        logger_factory=structlog.testing.CapturingLoggerFactory(),
    )
    sink = LogSink()
    sink(record())

    assert said[0]["team"] == "discovery"
    assert said[0]["event"] == "ai.inference.completed"
