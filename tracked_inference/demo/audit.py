"""The demo's check of itself: what the records say against what the vendor billed, call by call, to the last digit."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from tracked_inference.demo.money import exact

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tracked_inference.loopback import Bill
    from tracked_inference.pricing import PriceTable
    from tracked_inference.record import CallRecord

__all__ = ["Audit", "Check"]

BATCH_FACTOR = Decimal("0.5")
"""Both vendors sell batches at half their token prices."""


@dataclass(frozen=True, slots=True)
class Check:
    """
    What the audit found.

    Attributes:
        calls: Calls that were recorded whole and billed whole.
        tracked_usd: What the records say these cost.
        billed_usd: What the vendor billed for these, worked out from its own counts and the list prices.
        cut_calls: Calls that the client left before their end.
        cut_tracked_usd: What the records say that those cost at least.
        cut_billed_usd: What the vendor billed for those.
        faults: Everything that does not agree, in words; empty if all is well.
    """

    calls: int
    tracked_usd: Decimal
    billed_usd: Decimal
    cut_calls: int
    cut_tracked_usd: Decimal
    cut_billed_usd: Decimal
    faults: tuple[str, ...]


class Audit:
    """
    A sink that holds each record against the vendor's bill of the same request, or of the same line of a batch.

    The vendor's dollars are its counts times list prices: none of the price engine's rules are used, so both cannot err alike.
    """

    def __init__(self, prices: PriceTable) -> None:
        self._prices = prices
        self._records: dict[str, CallRecord] = {}
        self._bills: dict[str, Bill] = {}
        self._tokens: Counter[tuple[str, str]] = (
            Counter()
        )  # tracked less billed; nothing but zeros if all is well
        self._calls = 0
        self._tracked, self._billed = Decimal(0), Decimal(0)
        self._cut_calls = 0
        self._cut_tracked, self._cut_billed = Decimal(0), Decimal(0)

    def __call__(self, record: CallRecord, /) -> None:
        if record.usage is not None and record.usage.free == "not_billed":
            return  # refused, and so without a bill; if there is one, `finish` finds it left over
        if record.usage is not None and record.usage.complete and record.request_id is not None:
            self._records[record.request_id] = record
            self._match(record.request_id)
        elif record.outcome != "error":
            self._cut_calls += 1
            self._cut_tracked += record.cost.total_usd or 0

    def take(self, bills: Iterable[Bill]) -> None:
        """Take what the vendor has billed since last time."""
        for bill in bills:
            self._bills[bill.request_id] = bill
            self._match(bill.request_id)

    def finish(self, *, stopped: bool = False) -> Check:
        """
        Say what was found; what has no counterpart by now has none.

        Args:
            stopped: The clients were stopped midway, perhaps before they read the results of a batch.
        """
        unread = sum(bill.usage.batch for bill in self._bills.values()) if stopped else 0
        cut = self._cut_calls + unread
        faults = [
            f"{abs(count)} {unit} tokens of {model} {'more' if count > 0 else 'fewer'} recorded than billed"
            for (model, unit), count in sorted(self._tokens.items())
            if count
        ]
        if self._records:
            faults.append(f"{len(self._records)} calls recorded that were not billed")
        if self._tracked != self._billed:
            faults.append(f"${exact(self._tracked)} recorded but ${exact(self._billed)} billed")
        if len(self._bills) > cut:
            faults.append(f"{len(self._bills)} calls billed beyond those recorded whole, but {cut} cut")
        for bill in self._bills.values():
            self._cut_billed += self._invoice(bill)
        if self._cut_tracked > self._cut_billed:
            faults.append(
                f"${exact(self._cut_tracked)} recorded for cut calls but ${exact(self._cut_billed)} billed"
            )
        return Check(
            self._calls,
            self._tracked,
            self._billed,
            cut,
            self._cut_tracked,
            self._cut_billed,
            tuple(faults),
        )

    def _match(self, request_id: str) -> None:
        if request_id in self._records and request_id in self._bills:
            self._track(self._records.pop(request_id))
            self._bill(self._bills.pop(request_id))

    def _track(self, record: CallRecord) -> None:
        assert record.usage is not None
        self._calls += 1
        self._tracked += record.cost.total_usd or 0
        for unit, count in record.usage.tokens().items():
            self._tokens[record.model, unit] += count

    def _bill(self, bill: Bill) -> None:
        self._billed += self._invoice(bill)
        for unit, count in bill.usage.tokens().items():
            self._tokens[bill.model, unit] -= count

    def _invoice(self, bill: Bill) -> Decimal:
        now = datetime.now(UTC)
        if not self._prices.knows(bill.seller, bill.model, now):
            return Decimal(0)
        rates = self._prices.rates(bill.seller, bill.model, now)
        factor = BATCH_FACTOR if bill.usage.batch else Decimal(1)
        return sum(
            (count * rates[unit] * factor for one in bill.usage.passes for unit, count in one.counts.items()),
            Decimal(0),
        )
