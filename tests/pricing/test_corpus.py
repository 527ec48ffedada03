"""
Recorded responses of real vendors against an oracle that was decided by hand.

Skipped where the corpus does not lie beside the repository.
Every difference from the oracle has its reason here, and in docs/explanation/pricing-accuracy.md.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import pytest

from tests import corpus
from tracked_inference.pricing import Cost, PriceTable
from tracked_inference.pricing.reasons import REASONS
from tracked_inference.vendors import anthropic_usage, openai_usage

if TYPE_CHECKING:
    from tracked_inference.usage import Usage

pytestmark = pytest.mark.skipif(
    not corpus.SHARED.exists(), reason="the corpus of recorded responses does not lie beside the repository"
)

SOLD = {"anthropic", "openai", "azure", "bedrock", "vertex", "foundry"}
STATUSES = {
    "exact",
    "estimated",
    "lower_bound",
    "upper_bound",
    "partial",
    "unpriced",
    "unmeasured",
    "inconsistent",
    "free",
}
EXPLAINED = {
    "4fc1c41b76e9": "a text model that reports audio: the oracle bills it as text, we name a unit without a price",
    "093ccf3b4d7e": "the answering model's name is blacked out in the recording; we do not price the requested one instead",
    "70cf178167a5": "a Grok at Azure: no model of Anthropic's or OpenAI's",
}


@lru_cache
def priced() -> list[tuple[dict[str, Any], dict[str, Any], Usage | None, Cost]]:
    """Each billable response that the two SDKs can read, with its oracle row, its usage and its cost."""
    table = PriceTable.bundled()
    recorded = {row["id"]: row for row in corpus.lines("open.jsonl.gz")}
    found = []
    for oracle in corpus.lines("oracle.open.jsonl.gz"):
        row = recorded[oracle["id"]]
        operation = corpus.OPERATIONS.get(row["endpoint"])
        if operation is None:
            continue  # another wire format: Gemini, Cohere, Ollama, Bedrock converse
        body, complete = corpus.final_body(row)
        reader = anthropic_usage if row["endpoint"] in ANTHROPIC else openai_usage
        request = corpus.request_of(row)
        usage = reader.usage_of(body, operation=operation, request=request, complete=complete)
        cost = table.price(
            usage,
            provider=corpus.seller(row, table),
            model=body.get("model") if isinstance(body, dict) else None,
            at=datetime.fromisoformat(row["recorded"]).replace(hour=12, tzinfo=UTC),
            requested_model=request.get("model")
            or row.get("model_requested")
            or oracle.get("model_requested"),
        )
        found.append((row, oracle, usage, cost))
    return found


ANTHROPIC = {"messages", "bedrock.invoke", "bedrock.invoke-stream", "vertex.anthropic", "anthropic.complete"}


def same(cost: Cost, usd: float) -> bool:
    """The oracle's dollars are floats; ours agree to a billionth of a dollar or a millionth of the amount."""
    return cost.total_usd is not None and abs(float(cost.total_usd) - usd) <= 1e-9 + 1e-6 * usd


def test_every_billable_response_gets_a_status():
    """No recorded response breaks the readers or the engine."""
    for row, _, _, cost in priced():
        assert cost.status in STATUSES, row["id"]
        assert "engine_error" not in cost.reasons, row["id"]
        assert {reason.partition(":")[0] for reason in cost.reasons} <= set(REASONS), row["id"]

    assert len(priced()) > 1000


def test_each_agreed_amount_is_ours_or_explained():
    """Where calculators agree, the vendor says so or a rule decides, our dollars are the same, or the reason is listed."""
    agreed, unexplained = 0, []
    for row, oracle, usage, cost in priced():
        expected = oracle.get("expected_usd")
        if oracle.get("expected_basis") not in ("consensus", "vendor", "rule") or expected is None:
            continue
        if same(cost, expected):
            agreed += 1
        elif oracle["id"] not in EXPLAINED and not seller_not_in_table(row, usage, cost):
            unexplained.append(
                (oracle["id"], row["vendor"], oracle.get("model"), expected, cost.total_usd, cost.reasons)
            )

    assert unexplained == []
    assert agreed > 750


def seller_not_in_table(row: dict[str, Any], usage: Usage | None, cost: Cost) -> bool:
    """Other vendors behind the OpenAI SDK (Mistral, Groq, DeepSeek, …) have no rows: unpriced, and never at OpenAI's price."""
    known = corpus.seller(row, PriceTable.bundled()) in SOLD
    return (
        cost.total_usd is None
        and cost.status in ("unpriced", "unmeasured")
        and not (known and usage is not None)
    )


def test_the_explained_differences_are_still_differences():
    """An explanation that is no longer needed is taken out."""
    by_id = {oracle["id"]: (oracle, cost) for _, oracle, _, cost in priced()}

    for name in EXPLAINED:
        oracle, cost = by_id[name]
        assert not same(cost, oracle["expected_usd"]), name


def test_what_cannot_be_computed_from_the_body_is_partial():
    """Containers and pictures that the body does not count are named, never taken as nothing."""
    for _, oracle, _, cost in priced():
        if oracle.get("expected_basis") == "lower_bound":
            assert cost.status == "partial", oracle["id"]


def test_what_is_in_doubt_is_not_exact():
    """Ambiguous, inconsistent and disputed amounts do not come out as exact."""
    for _, oracle, _, cost in priced():
        if oracle.get("expected_basis") in ("ambiguous", "inconsistent", "disputed"):
            assert cost.status != "exact", oracle["id"]


def test_a_stream_without_usage_is_unmeasured():
    """What the vendor did not count has no cost, and not a cost of zero."""
    named = {one["id"] for one in corpus.lines("cases.open.jsonl.gz") if one["case"] == "S-NOUSAGE"}
    found = [cost for _, oracle, _, cost in priced() if oracle["id"] in named]

    assert found
    assert {(cost.status, cost.total_usd) for cost in found} == {("unmeasured", None)}


def test_the_lines_of_every_recorded_call_sum_to_its_total():
    """The invoice of a real call adds up."""
    for _, oracle, _, cost in priced():
        if cost.total_usd is not None:
            assert sum(line.amount_usd for line in cost.lines) == cost.total_usd, oracle["id"]


def test_hand_made_fixtures_break_nothing():
    """Cassettes that people wrote by hand are read without an error too."""
    table = PriceTable.bundled()
    for row in corpus.lines("synthetic_fixtures.jsonl.gz"):
        operation = corpus.OPERATIONS.get(row.get("endpoint"))
        if operation is None or row.get("status") != 200:
            continue
        body, complete = corpus.final_body(row)
        reader = anthropic_usage if row["endpoint"] in ANTHROPIC else openai_usage
        usage = reader.usage_of(body, operation=operation, request=corpus.request_of(row), complete=complete)
        cost = table.price(
            usage, provider="openai", model=row.get("model_requested"), at=datetime(2026, 11, 1, tzinfo=UTC)
        )

        assert cost.status in STATUSES
        assert "engine_error" not in cost.reasons
