"""Records for the sinks' tests, made without an SDK."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

from tracked_inference.pricing.cost import Cost
from tracked_inference.record import CallRecord
from tracked_inference.usage import Pass, Usage


def record(**changes):
    usage = Usage((Pass({"input": 11, "cache_read": 4, "output": 7}),), reasoning_tokens=2)
    plain = CallRecord(
        started_at=datetime(2026, 11, 23, tzinfo=UTC),
        duration_seconds=1.5,
        time_to_first_token_seconds=0.25,
        provider="openai",
        operation="chat.completions",
        requested_model="gpt-4o",
        model="gpt-4o",
        stream=True,
        feature="search",
        team="discovery",
        user="u_42",
        usage=usage,
        cost=Cost("exact", Decimal("0.0001025"), Decimal("0.0001025"), "gpt-4o"),
        outcome="ok",
        error_type=None,
        attempts=3,
        request_id="req_1",
    )
    return replace(plain, **changes)


def cost(status, total=None, *reasons):
    return Cost(status, total, total, "gpt-4o", reasons=reasons)
