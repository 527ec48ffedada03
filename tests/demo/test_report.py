"""What the demo shows people: a table that fits, and notes that say what happened."""

import io
from decimal import Decimal

import pytest

pytest.importorskip("rich", reason="rich is not installed: pip install 'tracked-inference[cli]'")

from rich.console import Console

from tests.demo.test_audit import LEFT, RECORD
from tracked_inference.demo.audit import Check
from tracked_inference.demo.report import ending, table
from tracked_inference.demo.run import Demo, Plan


def drawn(renderable, width=80):
    output = io.StringIO()
    Console(width=width, force_terminal=False, file=output).print(renderable)
    return output.getvalue()


@pytest.fixture
def demo():
    demo = Demo(Plan(seconds=60), metrics_url="http://127.0.0.1:9/metrics", elapsed_seconds=36.0)
    for one in demo.tally.features.values():
        one.cost_usd, one.calls, one.unpriced = Decimal("0.87654"), 1234, 17
        one._latencies.append(12.345)
    demo.check = Check(5, Decimal("0.10"), Decimal("0.10"), 0, Decimal(0), Decimal(0), ())
    return demo


@pytest.mark.parametrize("width", [80, 100, 120])
def test_the_table_fits_a_terminal(demo, width):
    """Eighty columns show every figure whole."""
    text = drawn(table(demo, title="what it costs", width=width), width)

    assert "…" not in text
    assert max(len(line.rstrip()) for line in text.splitlines()) <= width
    assert "document_summarisation" in text


def test_rates_are_those_of_the_run(demo):
    """0.87654 dollars in 36 seconds are 87.654 an hour and 63,987 a month of 730 hours."""
    lines = drawn(table(demo, title="", width=80)).splitlines()
    row = next(line for line in lines if line.startswith("support_chat"))
    total = next(line for line in lines if line.startswith("total"))

    assert row.split() == [
        "support_chat",
        "support",
        "$0.8765",
        "$87.65",
        "$63,987",
        "1,234",
        "12.3",
        "s",
        "17",
    ]
    assert total.split() == ["total", "$4.38", "$438.27", "$319,937", "6,170", "85"]


def test_one_round_has_no_rates(demo):
    """A round is as fast as it can be, so an hour of it means nothing."""
    demo.plan = Plan(once=True)

    assert "$/hour" not in drawn(table(demo, title="", width=80))


def test_a_feature_without_a_latency_has_a_dash(demo):
    """Nobody waits for a batch: its p95 is a dash, where a gap would look like a fault."""
    demo.tally.features["contract_review"]._latencies.clear()

    lines = drawn(table(demo, title="", width=80)).splitlines()
    row = next(line for line in lines if line.startswith("contract_review"))

    assert row.split()[-2:] == ["-", "17"]


def test_before_the_first_call_there_is_nothing_to_divide():
    """The table can be drawn before anything has happened."""
    text = drawn(table(Demo(Plan()), title="", width=80))

    assert "$0.0000" in text


def test_the_ending_tells_what_happened(demo):
    """Retries, failures, calls cut short and models without a price are each a sentence."""
    chat = demo.tally.features["support_chat"]
    chat.retries, chat.failed = 3, 1
    chat.unpriced_models["gpt-6-nano-preview"] = 2
    demo.check = Check(5, Decimal("0.10"), Decimal("0.10"), 1, Decimal(0), Decimal("0.0042"), ())

    text = drawn(ending(demo, dashboards=True, width=200), 200)

    assert "the vendor billed $0.1 for 5 calls; the records say the same, to the last digit." in text
    assert (
        "1 call cut short, as when a user leaves: the vendor billed $0.0042 but told the client of only $0;"
        in text
    )
    assert "The SDK retried 3 requests that hit a rate limit; each call counts once." in text
    assert "1 call failed and cost nothing." in text
    assert "2 calls of support_chat went to gpt-6-nano-preview, which has no price" in text
    assert "tracked-inference grafana export" in text


def test_the_ending_says_what_does_not_agree(demo):
    """Faults are listed, each on its line."""
    demo.check = Check(
        5, Decimal("0.10"), Decimal("0.20"), 0, Decimal(0), Decimal(0), ("$0.10 recorded but $0.20 billed",)
    )

    text = drawn(ending(demo, dashboards=False, width=80))

    assert "do NOT agree" in text
    assert "  $0.10 recorded but $0.20 billed" in text
    assert "grafana" not in text


def test_the_last_good_call_is_shown_as_its_log_line(demo):
    """The log line at the end is that of a call that went well."""
    demo.tally.features["search"] = demo.tally.features["support_chat"]
    demo.tally(RECORD)
    demo.tally(LEFT)

    text = drawn(ending(demo, dashboards=False, width=400), 400)

    assert "event='ai.inference.completed' model='claude-haiku-4-5'" in text
    assert "estimated_cost_usd=0.002" in text


def test_all_of_1000_and_more_dollars_are_whole(demo):
    """Small amounts have four places, ordinary ones two, large ones none."""
    demo.tally.features["support_chat"].cost_usd = Decimal("1234.5")

    assert "$1,234 " in drawn(table(demo, title="", width=80))
