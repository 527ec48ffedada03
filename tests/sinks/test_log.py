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
