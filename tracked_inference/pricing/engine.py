"""
From usage to cost: disjoint line items, times rates, with the reasons for what is not exact.

Pure: no I/O, no clock, no globals. Rule numbers are those of docs/explanation/pricing-rules.md.
"""

from __future__ import annotations

from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any

from tracked_inference.pricing.cost import make_cost, make_line
from tracked_inference.pricing.rows import EXACT, SCALE, to_usd
from tracked_inference.usage import TOKEN_UNITS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tracked_inference.pricing.cost import Cost, CostLine, CostStatus
    from tracked_inference.pricing.terms import Plan, Unit
    from tracked_inference.usage import Usage

__all__ = ["free_of_charge", "no_price", "price_usage", "printed"]

_SEVERITY: dict[str, int] = {
    "exact": 0,
    "estimated": 1,
    "upper_bound": 2,
    "lower_bound": 2,
    "partial": 4,
    "inconsistent": 5,
}
_NOTE_STATUS = {
    "assumed_image_model": "estimated",
    "assumed_ttl": "estimated",  # rule 3
    "coerced_count": "estimated",
    "overlapping_details": "estimated",
    "chat_search": "partial",
    "code_execution": "partial",  # rule 26
    "code_interpreter": "partial",  # rule 28
    "image_generation": "partial",  # rule 43
    "missing_counter": "partial",  # rule 8
    "unknown_field": "partial",  # rule 9
    "unknown_tool": "partial",
    "fallback_credit": "upper_bound",  # rule 24
    "inconsistent": "inconsistent",  # rule 7
}
_INPUT = frozenset(unit for unit in TOKEN_UNITS if not unit.startswith("output"))
_ZERO = Decimal(0)

# unit, quantity, price, label: what a line is made of when somebody asks for it
_Raw = tuple[str, "int | Decimal", "Unit", str]


def _invoice(raw: list[_Raw]) -> tuple[CostLine, ...]:
    """The lines of a cost, drawn up when they are first asked for."""
    return tuple(
        make_line(
            unit, quantity, to_usd(one.list_rate), _exact_amount(quantity, one.net_rate), label, one.rules
        )
        for unit, quantity, one, label in raw
    )


def _exact_amount(quantity: int | Decimal, rate: int) -> Decimal:
    if type(quantity) is int:
        return to_usd(quantity * rate)
    return _usd(EXACT.multiply(quantity, Decimal(rate)))


def _usd(amount: Decimal) -> Decimal:
    whole = EXACT.to_integral_value(amount)
    if whole == amount:
        return to_usd(int(whole))
    return EXACT.normalize(EXACT.scaleb(amount, -SCALE))


def no_price(status: CostStatus, model: str, reasons: tuple[str, ...], table: tuple[str, str]) -> Cost:
    """A cost that is unknown: `total_usd` is None, never zero."""
    return make_cost(status, None, None, model, (), reasons, *table)


def free_of_charge(reason: str, model: str, table: tuple[str, str]) -> Cost:
    """A true zero, and by which rule."""
    return make_cost("free", _ZERO, _ZERO, model, (), (reason,), *table)


def printed(amount: Decimal, model: str, table: tuple[str, str]) -> Cost:
    """The cost that a gateway printed itself beats any table (rule 32); a printed zero is a true one."""
    line = make_line("gateway", 1, amount, amount, model, ("gateway",))
    return make_cost("exact" if amount else "free", amount, amount, model, (line,), ("gateway",), *table)


def price_usage(
    usage: Usage,
    plan: Plan,
    table: tuple[str, str],
    reasons: Sequence[tuple[str, str]] = (),
    other: Callable[[str], Plan] | None = None,
    refusal_billed: Callable[[str], bool] | None = None,
) -> Cost:
    """
    The cost of what a call used.

    Args:
        usage: What was used.
        plan: The plan of the call's model at its start.
        table: Version and hash of the price table.
        reasons: What is already known to make the cost inexact.
        other: The plan of another model of the same call; needed where a pass names one.
        refusal_billed: Whether a refusal of this category before any output is billed at that instant (rule 23);
            needed where a pass was refused.
    """
    found = [*plan.reasons, *reasons] if plan.reasons or reasons else []
    summed = bool(usage.notes) and _read_notes(usage.notes, found)
    if not usage.complete:
        found.append(("incomplete", "lower_bound"))  # rule 13
    total = saved = 0
    fraction = fraction_saved = _ZERO
    raw: list[_Raw] = []
    unpriced = False
    for one in usage.passes:
        its = plan if one.model is None or other is None else other(one.model)
        counts = one.counts
        if its is not plan:
            found.extend(reason for reason in its.reasons if reason not in found)
        if (
            one.refusal is not None
            and counts.get("output", 0) <= 1
            and not (refusal_billed or bool)(one.refusal)
        ):
            found.append(("refusal_not_billed", "exact"))  # rule 23
            continue
        if its.free is not None:
            found.append((its.free, "exact"))
            continue
        if not its.priced:
            found.append(("unknown_model", "partial"))
            unpriced = unpriced or bool(counts)
            continue
        units: Mapping[str, Unit] = its.units
        if its.above:
            units = _level(its, counts, summed=summed, found=found)
        for unit, quantity in counts.items():
            if not quantity > 0:
                if quantity:
                    found.append((f"inconsistent:{unit}", "inconsistent"))
                continue
            price = units.get(unit) if one.size is None else _sized(units, unit, one.size)
            if price is None:
                found.append((f"unpriced_unit:{unit}", "partial"))
                unpriced = True
                continue
            raw.append((unit, quantity, price, its.model))
            if price.assumed is not None:
                found.append((price.assumed, "estimated"))
            if type(quantity) is int:
                total += quantity * price.net_rate
                if price.discounted:
                    saved += quantity * (price.list_rate - price.net_rate)
            else:
                fraction = EXACT.fma(quantity, price.net_rate, fraction)
                fraction_saved = EXACT.fma(quantity, price.list_rate - price.net_rate, fraction_saved)
    if unpriced and not raw:
        return no_price("unpriced", plan.model, _words(found), table)
    if fraction or fraction_saved:
        total_usd = _usd(EXACT.add(total, fraction))
        list_usd = _usd(EXACT.add(total + saved, EXACT.add(fraction, fraction_saved)))
    else:
        total_usd = to_usd(total)
        list_usd = to_usd(total + saved) if saved else total_usd
    lines: Any = partial(_invoice, raw) if raw else ()
    if not found and total:
        return make_cost("exact", total_usd, list_usd, plan.model, lines, (), *table)
    status, words = _status(found), _words(found)
    if (
        not total_usd
        and status in ("exact", "estimated")
        and (words or any(quantity for _, quantity, _, _ in raw))
    ):
        status, words = "free", words or ("zero_rate",)
    return make_cost(status, total_usd, list_usd, plan.model, lines, words, *table)


def _level(
    plan: Plan, counts: Mapping[str, int | Decimal], *, summed: bool, found: list[tuple[str, str]]
) -> Mapping[str, Unit]:
    """
    The prices of a request by its length (rule 20): a cliff for the whole request, strictly above the threshold.

    Cached and written tokens count towards it. Counts that were summed over hidden passes say nothing of the length of any
    one of them (rule 38): the base rates then, as an estimate.
    """
    length: int | Decimal = 0
    for unit, quantity in counts.items():
        if unit in _INPUT:
            length += quantity
    for limit, units in plan.above:
        if length > limit:
            if not summed:
                return units
            found.append(("summed_passes", "estimated"))
            break
    return plan.units


def _sized(units: Mapping[str, Unit], unit: str, size: str) -> Unit | None:
    """A picture's or video's price by its size and quality (rule 30), else the one for all sizes."""
    return units.get(f"{unit}@{size}") or units.get(unit)


def _read_notes(notes: tuple[str, ...], found: list[tuple[str, str]]) -> bool:
    """Turn the notes of a reading into reasons; whether the counts are sums over hidden passes."""
    summed = False
    for note in notes:
        if note == "summed_passes":
            summed = True
        else:
            found.append((note, _NOTE_STATUS.get(note.partition(":")[0], "estimated")))
    return summed


def _status(found: list[tuple[str, str]]) -> str:
    """The gravest status; what is bounded from both sides is an estimate."""
    statuses = {"exact", *(status for _, status in found)}
    if {"upper_bound", "lower_bound"} <= statuses:
        statuses = (statuses - {"upper_bound", "lower_bound"}) | {"estimated"}
    return max(statuses, key=lambda status: _SEVERITY[status])


def _words(found: list[tuple[str, str]]) -> tuple[str, ...]:
    """The reasons, gravest first, each once."""
    ordered = sorted(found, key=lambda pair: -_SEVERITY[pair[1]])
    return tuple(dict.fromkeys(word for word, _ in ordered))
