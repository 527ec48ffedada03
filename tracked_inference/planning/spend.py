"""
What features have spent since a month or day began, by all processes: the PromQL, and how wrong it can be.

Where the recorded series of the shipped rules exist, they are read: one short series a feature.
They lag by up to six minutes, and know only what came after the rules were loaded.
Else the counters themselves are read, with the query of `prometheus.queries`.
It cannot see what a process spent after its last scrape.
And where nothing was scraped in the whole day before the period began, it counts all that a long-lived process ever spent.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Protocol

from tracked_inference.prometheus.queries import COST, grown, selector

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from tracked_inference.prometheus.store import Prometheus

__all__ = ["Answer", "PrometheusSpend", "SpendSource", "recorded_query", "seen_query", "spend_query"]

_RECORDED = (
    "feature_team:ai_inference_estimated_cost_usd:{period}_to_date",
    "feature:ai_inference_estimated_cost_usd:{period}_to_date",
)
_RECORDED_LAG_SECONDS = 360.0
_LOOK_BACK = "1d"
"""Longer than a report's: who counts a long-lived process whole because it went unscraped for hours refuses its calls."""


@dataclass(frozen=True, slots=True)
class Answer:
    """
    What a source knows.

    Attributes:
        spent_usd: By feature; one that is missing has spent nothing that the source knows of.
        seen_until: Unix seconds by feature: what a process spent after that is not in the answer yet.
            A feature that is missing was not seen at all.
    """

    spent_usd: Mapping[str, Decimal]
    seen_until: Mapping[str, float]


class SpendSource(Protocol):
    """
    Where the spend of all processes is known.

    Attributes:
        name: Said in messages and logs.
    """

    name: str

    def __call__(self, period: str, features: Collection[str], start: datetime, at: datetime) -> Answer:
        """What features have spent from the start of a period until an instant; raises when there is no answer."""
        ...


class PrometheusSpend:
    """
    The spend that a Prometheus-compatible store has counted.

    Args:
        store: The store.
        matchers: Further label matchers; the recorded series, which do not have those labels, are then not read.
    """

    def __init__(self, store: Prometheus, matchers: str = "") -> None:
        self.name = f"Prometheus at {store.name}"
        self._store = store
        self._matchers = matchers.strip()

    def __call__(self, period: str, features: Collection[str], start: datetime, at: datetime) -> Answer:
        if (at - start).total_seconds() < 1:
            return Answer({}, {})
        spent: dict[str, Decimal] = {}
        if not self._matchers:
            spent = self._by_feature(recorded_query(period, features, start), at)
        seen_until = dict.fromkeys(spent, at.timestamp() - _RECORDED_LAG_SECONDS)
        unrecorded = [feature for feature in features if feature not in spent]
        if unrecorded:
            spent |= self._by_feature(spend_query(unrecorded, start, at, self._matchers), at)
            seen = self._by_feature(seen_query(unrecorded, self._matchers), at)
            seen_until |= {feature: float(value) for feature, value in seen.items()}
        return Answer(spent, seen_until)

    def _by_feature(self, expression: str, at: datetime) -> dict[str, Decimal]:
        return {
            sample.labels.get("feature", ""): max(sample.value, Decimal(0))
            for sample in self._store.query(expression, at)
        }


def recorded_query(period: str, features: Collection[str], start: datetime) -> str:
    """
    The recorded spend to date, if it was recorded in this period.

    An instant query looks back five minutes, so in the first minutes of a month it would find the last value of the month
    before: a sample counts only if its own time is in the period.
    """
    since = f"{start.astimezone(UTC).timestamp():.0f}"
    parts = []
    for name in _RECORDED:
        series = name.format(period=period) + selector({"feature": sorted(features)})
        parts.append(f"sum by (feature) ({series} and (timestamp({series}) >= {since}))")
    return " or ".join(parts)


def spend_query(features: Collection[str], start: datetime, at: datetime, matchers: str = "") -> str:
    """The spend since the start of a period, from the counters; to be asked at exactly `at`."""
    series = COST + selector({"feature": sorted(features)}, matchers)
    return grown(series, ["feature"], max(int((at - start).total_seconds()), 1), look_back=_LOOK_BACK)


def seen_query(features: Collection[str], matchers: str = "") -> str:
    """Until when every process that is still there was scraped, Unix seconds by feature."""
    return f"min by (feature) (timestamp({COST}{selector({'feature': sorted(features)}, matchers)}))"
