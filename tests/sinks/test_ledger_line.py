"""The line of a ledger holds the whole record."""

from __future__ import annotations

import dataclasses
import json
import re
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracked_inference.pricing.cost import Cost, CostLine
from tracked_inference.record import CallRecord
from tracked_inference.sinks._ledger_line import line_of, record_of
from tracked_inference.usage import FEE_UNITS, TOKEN_UNITS, Pass, Usage

WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
MAYBE = st.none() | WORDS
MONEY = st.decimals(min_value=0, max_value=10_000, allow_nan=False, allow_infinity=False, places=15)
SECONDS = st.floats(0, 1e5, allow_nan=False)
QUANTITY = st.integers(0, 10**9) | st.decimals("0.001", 1000, places=3)
PASSES = st.builds(
    Pass,
    counts=st.dictionaries(st.sampled_from(TOKEN_UNITS), st.integers(1, 10**9))
    | st.dictionaries(st.sampled_from(FEE_UNITS), QUANTITY),
    model=MAYBE,
    kind=st.sampled_from(["message", "compaction", "advisor_message"]),
    refusal=MAYBE,
    size=MAYBE,
)
USAGES = st.builds(
    Usage,
    passes=st.lists(PASSES, max_size=3).map(tuple),
    reasoning_tokens=st.integers(0, 10**6),
    service_tier=MAYBE,
    requested_tier=MAYBE,
    speed=MAYBE,
    inference_geo=MAYBE,
    batch=st.booleans(),
    complete=st.booleans(),
    notes=st.lists(WORDS, max_size=2).map(tuple),
    gateway_cost_usd=st.none() | MONEY,
    free=MAYBE,
    model=MAYBE,
)
LINES = st.builds(
    CostLine,
    unit=WORDS,
    quantity=QUANTITY,
    rate_usd=MONEY,
    amount_usd=MONEY,
    model=WORDS,
    rules=st.lists(WORDS, max_size=2).map(tuple),
)
COSTS = st.builds(
    Cost,
    status=st.sampled_from(["exact", "free", "unpriced"]),
    total_usd=st.none() | MONEY,
    list_usd=st.none() | MONEY,
    model=WORDS,
    lines=st.lists(LINES, max_size=3).map(tuple),
    reasons=st.lists(WORDS, max_size=2).map(tuple),
    table_version=WORDS,
    table_sha256=WORDS,
)
RECORDS = st.builds(
    CallRecord,
    started_at=st.datetimes(datetime(2020, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC)),
    duration_seconds=SECONDS,
    time_to_first_token_seconds=st.none() | SECONDS,
    provider=WORDS,
    operation=WORDS,
    requested_model=MAYBE,
    model=WORDS,
    stream=st.booleans(),
    feature=WORDS,
    team=WORDS,
    user=MAYBE,
    usage=st.none() | USAGES,
    cost=COSTS,
    outcome=st.sampled_from(["ok", "error", "cancelled", "abandoned"]),
    error_type=MAYBE,
    attempts=st.integers(0, 9),
    request_id=MAYBE,
    tags=st.dictionaries(WORDS, WORDS, max_size=3),
    trace_id=MAYBE,
)


def a_record(**changes: object) -> CallRecord:
    whole = CallRecord(
        started_at=datetime(2026, 11, 22, 23, 59, 59, 5, tzinfo=UTC),
        duration_seconds=1.25,
        time_to_first_token_seconds=None,
        provider="anthropic",
        operation="messages",
        requested_model="claude-sonnet-4-5",
        model="claude-sonnet-4-5",
        stream=False,
        feature="search",
        team="documents",
        user="u_1",
        usage=Usage((Pass({"input": 1000, "output": 500}),)),
        cost=Cost(
            "exact",
            Decimal("0.0105"),
            Decimal("0.0105"),
            "claude-sonnet-4-5",
            (
                CostLine("input", 1000, Decimal("3E-6"), Decimal("0.003"), "claude-sonnet-4-5"),
                CostLine("output", 500, Decimal("0.000015"), Decimal("0.0075"), "claude-sonnet-4-5"),
            ),
            table_version="2026-11-20.1",
        ),
        outcome="ok",
        error_type=None,
        attempts=1,
        request_id="req_1",
    )
    return dataclasses.replace(whole, **changes)


@given(RECORDS)
def test_nothing_of_a_record_is_lost(record: CallRecord) -> None:
    """Every field of a record comes back from its line, exactly."""
    line = line_of(record)

    assert record_of(line) == record
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")


def test_amounts_are_exact_text_without_an_exponent() -> None:
    """A rate of three millionths is `0.000003`, which every reader of decimals takes."""
    cost = json.loads(line_of(a_record()))["cost"]

    assert cost["total_usd"] == "0.0105"
    assert cost["lines"][0] == {
        "unit": "input",
        "quantity": 1000,
        "rate_usd": "0.000003",
        "amount_usd": "0.003",
        "model": "claude-sonnet-4-5",
    }


def test_an_unpriced_call_has_no_amount() -> None:
    """What has no price is null in the ledger, never zero."""
    line = json.loads(line_of(a_record(cost=Cost("unpriced", None, None, "m", reasons=("unknown_model",)))))

    assert line["cost"]["total_usd"] is None
    assert line["cost"]["status"] == "unpriced"


def test_times_are_utc() -> None:
    """A start in another zone is written as UTC."""
    at = datetime(2026, 11, 23, 1, 30, tzinfo=timezone(timedelta(hours=2)))

    assert json.loads(line_of(a_record(started_at=at)))["started_at"] == "2026-11-22T23:30:00.000000Z"


def test_a_lone_surrogate_costs_a_letter_and_not_the_record() -> None:
    """Text that UTF-8 cannot say does not keep the money out of the ledger."""
    line = json.loads(line_of(a_record(user="u_\ud800")))

    assert line["user"] == "u_?"
    assert line["cost"]["total_usd"] == "0.0105"


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", "null", '{"schema":1', '{"schema":1,"started_at":"2026-11-22T00:00:00Z"}']
)
def test_what_is_no_line_is_a_value_error(text: str) -> None:
    """A damaged line is told from a whole one."""
    with pytest.raises(ValueError):
        record_of(text)


def test_a_newer_schema_is_refused_by_name() -> None:
    """A line of a schema that this version does not know is not read as if it were known."""
    line = line_of(a_record()).replace(b'"schema":1', b'"schema":2')

    with pytest.raises(ValueError, match="has schema 2 and this version knows 1"):
        record_of(line)


PAGE = (Path(__file__).parents[2] / "docs/reference/ledger.md").read_text()


def documented(after: str) -> list[str]:
    table = PAGE.split(after, 1)[1].split("\n\n", 2)[1]
    return re.findall(r"^\| `([a-z0-9_]+)` \|", table, re.MULTILINE)


def test_the_reference_page_lists_the_fields_of_a_line() -> None:
    """The page says every field of a line, of its cost and of its usage, in order, and no other."""
    record = a_record(
        usage=Usage(
            (Pass({"input": 1}),),
            1,
            "a",
            "b",
            "c",
            "d",
            batch=True,
            complete=False,
            notes=("n",),
            gateway_cost_usd=Decimal(1),
            free="f",
            model="m",
        )
    )
    line = json.loads(line_of(record))

    assert documented("which are text too.") == list(line)
    assert documented("`cost`:") == list(line["cost"])
    assert documented("`usage` leaves out") == list(line["usage"])


def test_every_field_of_the_record_is_in_the_line() -> None:
    """A field that CallRecord, Cost or Usage gains must reach the ledger."""
    line = json.loads(line_of(a_record()))

    assert {field.name for field in dataclasses.fields(CallRecord)} <= set(line)
    assert {field.name for field in dataclasses.fields(Cost)} == set(line["cost"])
    assert {field.name for field in dataclasses.fields(Usage)} == set(documented("`usage` leaves out"))
