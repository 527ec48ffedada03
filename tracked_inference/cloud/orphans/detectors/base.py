"""What detectors are made of."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, Protocol

from tracked_inference.cloud.orphans.model import MonthlyCost, OrphanedResource, Thresholds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from tracked_inference.cloud.orphans.prices import PriceBook

__all__ = ["KEEP_TAG", "Aws", "Detector", "ScanContext", "age_in_days", "detector", "is_kept", "tags_of"]

KEEP_TAG = "tracked-inference/keep-until"


class Aws(Protocol):
    """What a detector may ask of AWS: read-only operations that it has declared."""

    def pages(self, service: str, operation: str, key: str, /, **request: Any) -> list[dict[str, Any]]:
        """Return every item under `key` of every page."""
        ...


@dataclass(frozen=True, slots=True)
class ScanContext:
    """
    Where and by what a detector judges.

    Attributes:
        region: The region.
        account: The account, where known.
        now: The time of the scan, aware UTC.
        prices: What things cost.
        thresholds: From when on something counts.

    """

    region: str
    account: str | None
    now: datetime
    prices: PriceBook
    thresholds: Thresholds

    def finding(
        self,
        resource_id: str,
        resource_type: str,
        cost: MonthlyCost,
        *,
        age_days: int | None,
        reason: str,
        tags: Mapping[str, str],
        last_activity: str | None = None,
    ) -> OrphanedResource:
        """Return what was found, in its place."""
        kept = tags.get(KEEP_TAG)
        if kept is not None:  # an unkept resource with a keep tag: say why the tag does not hold
            reason += f"; its {KEEP_TAG} tag {'has ended' if _as_date(kept) else 'is no date'}: {kept}"
        return OrphanedResource(
            resource_id=resource_id,
            resource_type=resource_type,
            region=self.region,
            estimated_monthly_cost=None if cost.usd is None else float(cost.usd),
            age_days=age_days,
            reason=reason,
            last_activity=last_activity,
            tags=dict(tags),
            account=self.account,
            cost_basis=cost.basis,
        )


@dataclass(frozen=True, slots=True)
class Detector:
    """
    One kind of search.

    Attributes:
        name: As `--only` takes it.
        actions: The IAM actions it needs, and the only ones it can use.
        scan: Yields what it finds in one region.

    """

    name: str
    actions: frozenset[str]
    scan: Callable[[Aws, ScanContext], Iterator[OrphanedResource]]


def detector(*actions: str) -> Callable[[Callable[[Aws, ScanContext], Iterator[OrphanedResource]]], Detector]:
    """Make a detector of a function, with the actions it needs."""

    def make(scan: Callable[[Aws, ScanContext], Iterator[OrphanedResource]]) -> Detector:
        return Detector(scan.__name__.replace("_", "-"), frozenset(actions), scan)

    return make


def tags_of(entries: Iterable[Mapping[str, str]] | None) -> dict[str, str]:
    """Return tags as AWS lists them as a mapping."""
    return {entry["Key"]: entry.get("Value", "") for entry in entries or ()}


def is_kept(tags: Mapping[str, str], now: datetime) -> bool:
    """Whether a keep tag still holds: through the day it names. One that is no date keeps nothing."""
    day = _as_date(tags.get(KEEP_TAG, ""))
    return day is not None and now.astimezone(UTC).date() <= day


def age_in_days(since: datetime, now: datetime) -> int:
    """Return whole days from then to now, never less than 0."""
    return max(0, (now - since).days)


def _as_date(text: str) -> date | None:
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        return None
