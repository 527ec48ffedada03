"""What a report says of a group of calls: exact sums, and what follows from them."""

from __future__ import annotations

from dataclasses import dataclass, fields
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tracked_inference.reporting.periods import Period

__all__ = ["Figures", "Report", "Row", "counted", "money", "ratio"]


@dataclass(frozen=True, slots=True)
class Figures:
    """
    The sums of a group of calls. None is what the source cannot say.

    Attributes:
        calls: Calls, failed and cut ones included.
        cost_usd: The estimated cost of the calls that have a price.
        priced_calls: How many have one; the others add nothing to `cost_usd`.
        unpriced_calls: Calls of models without a price: the true cost is above `cost_usd`.
        unmeasured_calls: Calls whose usage the vendor did not report: likewise.
        floor_calls: Calls of which only a part is priced or was reported (`partial`, `lower_bound`): likewise.
        input_tokens: Every token that went in.
        cache_read_tokens: Of these, read from a cache.
        cache_write_tokens: Of these, written to a cache.
        output_tokens: Every token that came out, reasoning included.
        reasoning_tokens: Of these, reasoning.
        priced_output_tokens: Output tokens of calls with a price.
        users: Distinct users that were named.
        user_cost_usd: The cost of the calls that name a user.
        retries: Requests that the SDK sent again.
        failed_calls: Calls that ended in an error.
        failed_cost_usd: What they cost nevertheless.
        cut_calls: Calls that were cancelled, and streams that were left before their end.
        cut_cost_usd: What they cost at least.
        refused_calls: Calls that the model refused.
        refused_cost_usd: What they cost nevertheless.
        cache_savings_usd: What caching saved at list price, what it cost to write included; negative where it cost more.
        cache_unknown_calls: Calls with cached tokens whose saving cannot be worked out.
    """

    calls: int | None = 0
    cost_usd: Decimal = Decimal(0)
    priced_calls: int | None = 0
    unpriced_calls: int | None = 0
    unmeasured_calls: int | None = 0
    floor_calls: int | None = 0
    input_tokens: int | None = 0
    cache_read_tokens: int | None = 0
    cache_write_tokens: int | None = 0
    output_tokens: int | None = 0
    reasoning_tokens: int | None = 0
    priced_output_tokens: int | None = 0
    users: int | None = 0
    user_cost_usd: Decimal | None = Decimal(0)
    retries: int | None = 0
    failed_calls: int | None = 0
    failed_cost_usd: Decimal | None = Decimal(0)
    cut_calls: int | None = 0
    cut_cost_usd: Decimal | None = Decimal(0)
    refused_calls: int | None = 0
    refused_cost_usd: Decimal | None = Decimal(0)
    cache_savings_usd: Decimal | None = Decimal(0)
    cache_unknown_calls: int | None = 0

    @property
    def known_cost_usd(self) -> Decimal | None:
        """The cost; None, never zero, where there are calls and none of them has a price."""
        return None if self.calls and self.priced_calls == 0 else self.cost_usd

    @property
    def cost_per_call_usd(self) -> Decimal | None:
        """The cost of a call that has a price."""
        return ratio(self.cost_usd, self.priced_calls)

    @property
    def cost_per_user_usd(self) -> Decimal | None:
        """The cost of the calls that name a user, for each user."""
        return None if self.known_cost_usd is None else ratio(self.user_cost_usd, self.users)

    @property
    def cost_per_1k_output_tokens_usd(self) -> Decimal | None:
        """The whole cost, input included, of the calls that have a price, for each 1,000 tokens that came out of them."""
        found = ratio(self.cost_usd, self.priced_output_tokens)
        return None if found is None else found * 1000

    @property
    def waste_usd(self) -> Decimal | None:
        """What was paid for failed, cut and refused calls; a call is in one of the three."""
        if self.failed_cost_usd is None or self.cut_cost_usd is None or self.refused_cost_usd is None:
            return None
        return self.failed_cost_usd + self.cut_cost_usd + self.refused_cost_usd

    @property
    def missing_calls(self) -> int:
        """Calls that make the total too small by an amount that nobody knows."""
        return sum(one or 0 for one in (self.unpriced_calls, self.unmeasured_calls, self.floor_calls))


FIGURES = tuple(field.name for field in fields(Figures))
DERIVED = ("cost_per_call_usd", "cost_per_user_usd", "cost_per_1k_output_tokens_usd", "waste_usd")


@dataclass(frozen=True, slots=True)
class Row:
    """
    One line of a report.

    Attributes:
        key: The values of the dimensions, in order; None where calls say nothing.
        now: The period's figures.
        before: Those of the period before; None where it was not asked for.
        planned_usd: What the plan says for this row and period; None where there is none.
    """

    key: tuple[str | None, ...]
    now: Figures
    before: Figures | None = None
    planned_usd: Decimal | None = None

    @property
    def change(self) -> Decimal | None:
        """The cost against that of the period before, 0.25 for a quarter more; None where that is nothing."""
        if self.before is None or not self.before.cost_usd:
            return None
        return self.now.cost_usd / self.before.cost_usd - 1

    @property
    def of_plan(self) -> Decimal | None:
        """The cost as a part of what was planned."""
        return ratio(self.now.cost_usd, self.planned_usd)


@dataclass(frozen=True, slots=True)
class Report:
    """
    What calls cost during a period.

    Attributes:
        period: The period.
        by: The dimensions of the rows.
        rows: All rows, dearest first; days in order.
        total: All calls of the period, rows that are not shown included.
        source: What was read, in words.
        notes: What a reader must know to trust or doubt the numbers, each a sentence.
        filters: What the calls were narrowed down to, `feature=search` for instance.
        limit: How many rows are to be shown; None shows all.
    """

    period: Period
    by: tuple[str, ...]
    rows: tuple[Row, ...]
    total: Row
    source: str
    notes: tuple[str, ...] = ()
    filters: tuple[str, ...] = ()
    limit: int | None = None

    @property
    def shown(self) -> tuple[Row, ...]:
        """The rows that were asked for."""
        return self.rows[: self.limit]

    @property
    def left_out(self) -> int:
        """How many rows that leaves out."""
        return len(self.rows) - len(self.shown)


def ratio(amount: Decimal | None, count: Decimal | int | None) -> Decimal | None:
    """An amount for each of a count; None where there is nothing to divide by."""
    return amount / count if amount is not None and count else None


def counted(count: int, one: str, many: str) -> str:
    """`1 call`, `2,000 calls`."""
    return f"{count:,} {one if count == 1 else many}"


def money(amount: Decimal | None) -> str:
    """
    An amount for people: cents, and for small ones the digits that say something.

    `1,234.50`, `0.0421`, `0.00000375`; `-` for what is not known.
    """
    if amount is None:
        return "-"
    size = abs(amount)
    if size >= 1 or size == 0:
        return f"{amount:,.2f}"
    places = min(-size.adjusted() + 2, 12)
    return f"{amount:.{places}f}"
