"""What the demo counts for itself: a sink that adds up records by feature."""

from __future__ import annotations

import math
from collections import Counter, deque
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tracked_inference.record import CallRecord

__all__ = ["HOURS_PER_MONTH", "FeatureTally", "Tally"]

HOURS_PER_MONTH = 730
LATENCIES_KEPT = 1000


@dataclass(slots=True)
class FeatureTally:
    """
    What one feature has done so far.

    Attributes:
        feature: The feature.
        team: Who pays.
        cost_usd: What its priced calls cost, exact.
        calls: How many calls ended, however they ended.
        failed: Those of them that ended in an error.
        unpriced: Those whose cost is unknown, wholly or in part, for want of a price.
        unmeasured: Those whose usage the vendor did not report, or only in part.
        retries: Requests that the SDK sent again.
        tokens: Tokens by kind.
        models: Calls by model.
        unpriced_models: Unpriced calls by model.
    """

    feature: str
    team: str
    cost_usd: Decimal = Decimal(0)
    calls: int = 0
    failed: int = 0
    unpriced: int = 0
    unmeasured: int = 0
    retries: int = 0
    tokens: Counter[str] = field(default_factory=Counter)
    models: Counter[str] = field(default_factory=Counter)
    unpriced_models: Counter[str] = field(default_factory=Counter)
    _latencies: deque[float] = field(default_factory=lambda: deque(maxlen=LATENCIES_KEPT))

    def add(self, record: CallRecord) -> None:
        """Count a record."""
        self.calls += 1
        self.failed += record.outcome == "error"
        self.retries += max(0, record.attempts - 1)
        self.cost_usd += record.cost.total_usd or 0
        self.models[record.model] += 1
        if record.usage is None or not record.usage.batch:  # nobody waits for a line of a batch
            self._latencies.append(record.duration_seconds)
        if record.cost.status in ("unpriced", "partial"):
            self.unpriced += 1
            self.unpriced_models[record.model] += 1
        self.unmeasured += record.cost.status in ("unmeasured", "lower_bound")
        if record.usage is not None:
            self.tokens.update(record.usage.tokens())

    @property
    def p95_seconds(self) -> float | None:
        """The time that 95 of 100 of the last thousand calls stayed within; None before the first."""
        if not self._latencies:
            return None
        return sorted(self._latencies)[math.ceil(0.95 * len(self._latencies)) - 1]


class Tally:
    """A sink that keeps a `FeatureTally` for each feature, in the order given, and the last record of all."""

    def __init__(self, features: list[tuple[str, str]]) -> None:
        self.features = {feature: FeatureTally(feature, team) for feature, team in features}
        self.last: CallRecord | None = None

    def __call__(self, record: CallRecord, /) -> None:
        self.features[record.feature].add(record)
        if record.outcome == "ok":
            self.last = record

    @property
    def cost_usd(self) -> Decimal:
        """What all priced calls cost, exact."""
        return sum((one.cost_usd for one in self.features.values()), Decimal(0))
