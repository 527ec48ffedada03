"""
Rows of the table, ready to be reckoned with.

Money is whole numbers of 1e-24 US dollars here, so that nothing rounds and no decimal context of the application matters.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Context, Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ALWAYS", "EVER", "EXACT", "SCALE", "Row", "instant", "row_of", "to_usd"]

SCALE = 24
EXACT = Context(prec=200)
"""Decimal arithmetic that never rounds what can occur here, whatever the application has set."""
ALWAYS = datetime.min.replace(tzinfo=UTC)
EVER = datetime.max.replace(tzinfo=UTC)

_DOLLAR = 10**SCALE
_TEN_DOLLARS = 10 * _DOLLAR
_normalize = EXACT.normalize
_scaleb = EXACT.scaleb


class Row:
    """One dated row of the table, its rates in 1e-24 USD for one unit."""

    __slots__ = (
        "above",
        "assumed",
        "end",
        "free",
        "model",
        "own",
        "provider",
        "rates",
        "recorded_at",
        "source",
        "start",
        "when",
    )

    def __init__(
        self,
        provider: str,
        model: str,
        start: datetime,
        end: datetime,
        when: Mapping[str, Any],
        rates: Mapping[str, int],
        above: Mapping[int, Mapping[str, int]],
        assumed: Mapping[str, str],
        source: str,
        recorded_at: str,
        free: bool,
        own: bool,
    ) -> None:
        self.provider = provider
        self.model = model
        self.start = start
        self.end = end
        self.when = when
        self.rates = rates
        self.above = above
        self.assumed = assumed
        self.source = source
        self.recorded_at = recorded_at
        self.free = free
        self.own = own


def instant(day: str | date | None, default: datetime) -> datetime:
    """The instant that an ISO date, an ISO time or None stands for; a date is its midnight in UTC."""
    if day is None:
        return default
    if isinstance(day, str):
        day = datetime.fromisoformat(day)
    if not isinstance(day, datetime):
        day = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return day if day.tzinfo is not None else day.replace(tzinfo=UTC)


def to_usd(amount: int) -> Decimal:
    """A scaled amount as dollars, exact, without trailing zeros."""
    if amount % _TEN_DOLLARS:
        return _normalize(_scaleb(amount, -SCALE))
    return Decimal(amount // _DOLLAR)  # not 1E+1


def _scaled(rate: str, unit: str, per: Mapping[str, int]) -> int:
    each = EXACT.divide(EXACT.scaleb(Decimal(rate), SCALE), Decimal(per[unit.partition("@")[0]]))
    return int(EXACT.to_integral_value(each))


def row_of(raw: Mapping[str, Any], per: Mapping[str, int], *, own: bool = False) -> Row:
    """A row as the file has it, made ready."""
    return Row(
        provider=raw["provider"],
        model=raw["model"],
        start=instant(raw.get("effective_from"), ALWAYS),
        end=instant(raw.get("effective_to"), EVER),
        when=raw.get("when", {}),
        rates={unit: _scaled(rate, unit, per) for unit, rate in raw["rates"].items()},
        above={
            int(limit): {unit: _scaled(rate, unit, per) for unit, rate in rates.items()}
            for limit, rates in raw.get("above", {}).items()
        },
        assumed=raw.get("assumed", {}),
        source=raw.get("source", ""),
        recorded_at=raw.get("recorded_at", ""),
        free=raw.get("free", False),
        own=own,
    )
