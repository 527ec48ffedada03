"""What a call cost: the answer of the price engine, with the reasons for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

from tracked_inference._frozen import maker

if TYPE_CHECKING:
    from decimal import Decimal

__all__ = ["Cost", "CostLine", "CostStatus", "make_cost", "make_line"]

CostStatus = Literal[
    "exact",  # every unit has its row
    "estimated",  # a named assumption
    "lower_bound",  # the true cost is at least this
    "upper_bound",  # the true cost is at most this
    "partial",  # some units are unpriced, and named
    "unpriced",  # the model has no price: total_usd is None
    "unmeasured",  # the vendor reported no usage: total_usd is None
    "inconsistent",  # the vendor's counts contradict each other: a bounded estimate
    "free",  # a true zero
]


@dataclass(frozen=True, slots=True)
class CostLine:
    """
    One line of the invoice.

    Attributes:
        unit: The billed unit, `cache_read` for instance.
        quantity: How many tokens, seconds, characters or calls.
        rate_usd: USD for one unit after the rules (tier, place, long context), before discounts.
        amount_usd: quantity x rate, less discounts; exact.
        model: The canonical model whose row gave the rate.
        rules: The rules that moved the rate, `long_context` or `batch` for instance.
    """

    unit: str
    quantity: int | Decimal
    rate_usd: Decimal
    amount_usd: Decimal
    model: str
    rules: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Cost:
    """
    What one call cost, by which table, and how sure that is.

    Attributes:
        status: How to read `total_usd`; zero dollars happens only as `free` or with zero usage.
        total_usd: The net cost; None, never zero, where there is no price or no usage.
        list_usd: The same before the user's own discounts.
        model: The canonical id of the call's model, with the seller before it where that is not the maker.
        lines: The invoice; their amounts sum to `total_usd`.
        reasons: Why the status is what it is, in words a metric label can carry: `unknown_model`, `service_tier`, `code_execution`.
        table_version: The version of the price table that gave the rates.
        table_sha256: Its content hash, all overlays included.
    """

    status: CostStatus
    total_usd: Decimal | None
    list_usd: Decimal | None
    model: str
    lines: tuple[CostLine, ...] = ()
    reasons: tuple[str, ...] = ()
    table_version: str = ""
    table_sha256: str = ""


_lines_slot: Any = vars(Cost)["lines"]


def _lines(cost: Cost) -> tuple[CostLine, ...]:
    """The lines; the engine leaves a function that draws them up, as most calls are never asked for theirs."""
    lines = _lines_slot.__get__(cost)
    if type(lines) is not tuple:
        lines = lines()
        _lines_slot.__set__(cost, lines)
    return cast("tuple[CostLine, ...]", lines)


setattr(Cost, "lines", property(_lines, _lines_slot.__set__))  # noqa: B010  # the slot, read lazily

make_cost = maker(Cost)
"""`Cost`, for the engine: the same object, made for less; `lines` may be a function that draws them up."""
make_line = maker(CostLine)
"""`CostLine`, likewise."""
