"""The demo's check of itself finds what does not agree."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from tracked_inference.demo.audit import Audit
from tracked_inference.loopback import Bill
from tracked_inference.pricing import PriceTable
from tracked_inference.pricing.cost import Cost
from tracked_inference.record import CallRecord
from tracked_inference.usage import Pass, Usage

# claude-haiku-4-5 costs 1 dollar a million tokens in, 5 out: 1,000 in and 200 out are 0.002 dollars.
USED = Usage(passes=(Pass({"input": 1000, "output": 200}),))
COST = Cost("exact", Decimal("0.002"), Decimal("0.002"), "claude-haiku-4-5")
BILL = Bill(7, "anthropic", "messages", "claude-haiku-4-5", "claude-haiku-4-5", USED)
RECORD = CallRecord(
    started_at=datetime(2026, 11, 23, tzinfo=UTC),
    duration_seconds=1.0,
    time_to_first_token_seconds=None,
    provider="anthropic",
    operation="messages",
    requested_model="claude-haiku-4-5",
    model="claude-haiku-4-5",
    stream=False,
    feature="search",
    team="discovery",
    user=None,
    usage=USED,
    cost=COST,
    outcome="ok",
    error_type=None,
    attempts=1,
    request_id="req_000007",
)
BATCH = replace(USED, batch=True)
LINE = replace(BILL, usage=BATCH, message="msg_1_0")
LEFT = replace(
    RECORD, usage=None, cost=Cost("unmeasured", None, None, "claude-haiku-4-5"), outcome="abandoned"
)


def check(records, bills):
    audit = Audit(PriceTable.bundled())
    for record in records:
        audit(record)
    audit.take(bills)
    return audit.finish()


def test_a_record_and_its_bill_agree():
    """The vendor's counts at list prices are what the record says."""
    found = check([RECORD], [BILL])

    assert found.faults == ()
    assert found.calls == 1
    assert found.tracked_usd == found.billed_usd == Decimal("0.002")


def test_the_bill_may_come_first():
    """Records and bills are matched in whichever order they come."""
    audit = Audit(PriceTable.bundled())
    audit.take([BILL])
    audit(RECORD)

    assert audit.finish().faults == ()


def test_lines_of_batches_are_billed_at_half():
    """A batch costs half: 0.001 dollars for these tokens."""
    half = replace(COST, total_usd=Decimal("0.001"))

    found = check([replace(RECORD, usage=BATCH, cost=half, request_id="msg_1_0")], [LINE])

    assert found.faults == ()
    assert found.billed_usd == Decimal("0.001")


def test_an_unpriced_model_is_compared_by_its_tokens():
    """Where there is no price the tokens still have to agree."""
    none = Cost("unpriced", None, None, "gpt-6-nano-preview")
    record = replace(RECORD, model="gpt-6-nano-preview", provider="openai", cost=none)
    bill = replace(BILL, model="gpt-6-nano-preview", seller="openai")
    more = replace(bill, usage=Usage(passes=(Pass({"input": 1000, "output": 201}),)))

    assert check([record], [bill]).faults == ()
    assert check([record], [more]).faults == (
        "1 output tokens of gpt-6-nano-preview fewer recorded than billed",
    )


def test_a_call_that_was_left_is_known_in_part():
    """What a client did not wait for is billed, and counted apart."""
    found = check([LEFT], [BILL])

    assert found.faults == ()
    assert found.calls == 0
    assert found.cut_calls == 1
    assert found.cut_tracked_usd == 0
    assert found.cut_billed_usd == Decimal("0.002")


def test_a_batch_that_nobody_could_read_any_more_is_cut():
    """Results that were billed, but not read before the clients were stopped, count as cut."""
    audit = Audit(PriceTable.bundled())
    audit.take([LINE])

    found = audit.finish(stopped=True)

    assert found.faults == ()
    assert found.cut_calls == 1
    assert found.cut_billed_usd == Decimal("0.001")


def test_a_failed_call_has_no_bill():
    """An error is neither billed nor cut."""
    found = check([replace(LEFT, outcome="error")], [])

    assert found.faults == ()
    assert found.cut_calls == 0


def test_a_call_that_the_vendor_refused_has_no_bill():
    """A rate limit that outlasts the SDK's retries has a request id and a true zero; a bill for it would be one too many."""
    zero = Cost("free", Decimal(0), Decimal(0), "claude-haiku-4-5", reasons=("not_billed",))
    refused = replace(RECORD, usage=Usage(passes=(), free="not_billed"), cost=zero, outcome="error")

    assert check([refused], []).faults == ()
    assert check([refused], [BILL]).faults == ("1 calls billed beyond those recorded whole, but 0 cut",)


@pytest.mark.parametrize(
    ("records", "bills", "said"),
    [
        ([RECORD], [], "1 calls recorded that were not billed"),
        ([], [BILL], "1 calls billed beyond those recorded whole, but 0 cut"),
        (
            [replace(RECORD, usage=Usage(passes=(Pass({"input": 1100, "output": 200}),)))],
            [BILL],
            "100 input tokens of claude-haiku-4-5 more recorded than billed",
        ),
        (
            [replace(RECORD, cost=replace(COST, total_usd=Decimal("0.003")))],
            [BILL],
            "$0.003 recorded but $0.002 billed",
        ),
        ([], [LINE], "1 calls billed beyond those recorded whole, but 0 cut"),
        (
            [replace(LEFT, cost=replace(COST, status="lower_bound"))],
            [],
            "$0.002 recorded for cut calls but $0 billed",
        ),
    ],
)
def test_what_does_not_agree_is_said(records, bills, said):
    """Every kind of difference is a fault of its own words."""
    assert said in check(records, bills).faults
