"""
What a feature really did: tokens, shares and traffic of whole UTC days, to put in the place of what was assumed.

The mean makes the bill, so it is the expected value; the middle call (p50) and the long one (p95) are the ends of the range.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Context, Decimal, localcontext
from typing import TYPE_CHECKING, Any

from tracked_inference.planning.ranges import Range

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import date

__all__ = ["Distribution", "Measured", "spread"]

_PLACES = Decimal("0.000001")
_EXACT = Context(prec=60)


@dataclass(frozen=True, slots=True)
class Distribution:
    """
    How a number was spread.

    Attributes:
        p50: Half were at most this.
        mean: Their sum over their count.
        p95: Nineteen in twenty were at most this.
    """

    p50: Decimal
    mean: Decimal
    p95: Decimal

    def range(self) -> Range:
        """The mean as what is expected, between p50 and p95; an end that the mean lies beyond is the mean."""
        return Range(min(self.p50, self.mean), self.mean, max(self.p95, self.mean))


@dataclass(frozen=True, slots=True)
class Measured:
    """
    A feature as it was.

    Attributes:
        feature: Which.
        source: Where the numbers come from, for the reader of the estimate.
        first_day: The first whole UTC day that was looked at.
        last_day: The last one.
        calls: Paid calls on those days.
        input_tokens: Tokens into a call.
        output_tokens: Tokens out of a call.
        requests_per_day: Paid calls of a day.
        cached_share: The part of all input that was read from a cache.
        cache_write_share: The part of all input that was written to a cache.
        batch_share: The part of the calls that came from batches.
        models: The share of the calls that each model answered.
        users: Different users on those days; None where no call named one.
        spread_of: What the ends of the token ranges are of: `calls`, or `daily means` where single calls are not known.
    """

    feature: str
    source: str
    first_day: date
    last_day: date
    calls: int
    input_tokens: Distribution
    output_tokens: Distribution
    requests_per_day: Distribution
    cached_share: Decimal
    cache_write_share: Decimal
    batch_share: Decimal
    models: Mapping[str, Decimal]
    users: int | None = None
    spread_of: str = "calls"

    def over(self, given: Mapping[str, Any], *, keep_models: bool) -> dict[str, Any]:
        """
        The arguments of a scenario with what was measured in the place of what was assumed.

        Args:
            given: What was assumed.
            keep_models: Whether to stay with the assumed models: what would it cost on another one?
        """
        replaced = dict(given)
        for name in ("requests_per_user_per_day", "daily_share", "retry_rate"):
            replaced.pop(name, None)  # calls are counted as they were paid
        replaced.update(
            feature=self.feature,
            input_tokens=self.input_tokens.range(),
            output_tokens=self.output_tokens.range(),
            requests_per_day=self.requests_per_day.range(),
            cached_share=self.cached_share,
            cache_write_share=self.cache_write_share,
            batch_share=self.batch_share,
            retry_rate=0,
        )
        if not keep_models or replaced.get("models") is None:
            replaced["models"] = dict(self.models)
        if replaced.get("monthly_users") is None and self.users:
            replaced["monthly_users"] = self.users
        return replaced

    def sentences(self) -> tuple[str, ...]:
        """What was measured, for people."""

        def three(name: str, of: Distribution) -> str:
            return f"{name}: p50 {of.p50:,.0f}, mean {of.mean:,.0f}, p95 {of.p95:,.0f}"

        models = ", ".join(f"{model} {share:.1%}" for model, share in self.models.items())
        users = [] if self.users is None else [f"{self.users:,} different users"]
        return (
            f"{self.calls:,} paid calls from {self.first_day} to {self.last_day} (UTC), from {self.source}",
            f"{three('input tokens', self.input_tokens)} (of {self.spread_of})",
            f"{three('output tokens', self.output_tokens)} (of {self.spread_of})",
            three("calls a day", self.requests_per_day),
            f"{self.cached_share:.1%} of the input read from caches, {self.cache_write_share:.1%} written to them",
            f"{self.batch_share:.1%} of the calls in batches",
            f"answered by {models}",
            *users,
        )


def spread(values: Mapping[int, int]) -> Distribution:
    """The distribution of numbers, given how often each occurred; a percentile is a number that occurred."""
    count = sum(values.values())
    with localcontext(_EXACT):
        mean = Decimal(sum(value * times for value, times in values.items())) / count
        return Distribution(_percentile(values, 50), mean.quantize(_PLACES), _percentile(values, 95))


def _percentile(values: Mapping[int, int], percent: int) -> Decimal:
    """The smallest value that at least so many of a hundred do not exceed."""
    count, seen = sum(values.values()), 0
    for value in sorted(values):
        seen += values[value]
        if seen * 100 >= count * percent:
            return Decimal(value)
    raise ValueError("no values")


def shares(counts: Mapping[str, int]) -> dict[str, Decimal]:
    """Shares that add up to exactly 1, largest first; the largest takes what rounding leaves."""
    total = sum(counts.values())
    with localcontext(_EXACT):
        ordered = sorted(counts, key=lambda name: -counts[name])
        found = {name: (Decimal(counts[name]) / total).quantize(_PLACES) for name in ordered}
        if ordered:
            found[ordered[0]] += 1 - sum(found.values())
    return found


def part(some: int | Decimal, whole: int | Decimal) -> Decimal:
    """A part of a whole as a share, 0 of nothing."""
    with localcontext(_EXACT):
        return (Decimal(some) / Decimal(whole)).quantize(_PLACES) if whole else Decimal(0)


def days_between(first: date, last: date) -> Iterable[date]:
    """Every day from the first to the last."""
    from datetime import timedelta

    return (first + timedelta(days=day) for day in range((last - first).days + 1))
