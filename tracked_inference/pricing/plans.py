"""
Rows and rules compiled to what a call needs: one lookup, then a dot product.

A plan is all that is known of one model in one mode (tier, batch, speed, place) over one stretch of time.
"""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from tracked_inference.pricing.rows import ALWAYS, EVER, EXACT
from tracked_inference.pricing.terms import Plan, Unit
from tracked_inference.usage import TOKEN_UNITS

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from tracked_inference.pricing.discounts import Discount
    from tracked_inference.pricing.rows import Row
    from tracked_inference.pricing.terms import Offer

__all__ = ["compile_plans"]

_TOKENS = frozenset(TOKEN_UNITS)
_PLAIN_TIERS = frozenset({"default", "auto", "standard", "on_demand", "standard_only"})

_AT_ANOTHER_RATE: tuple[tuple[str, str, str | None], ...] = (
    # What a model without a rate for one unit bills it as: OpenAI sells uncached what it does not sell cached, and does not
    # charge extra for writes it does not price; pictures in a prompt are text tokens unless priced apart.
    ("cache_read", "input", "no_cached_rate"),
    ("cache_write_30m", "input", "no_cache_write_rate"),
    ("cache_write_12h", "input", "no_cache_write_rate"),
    ("input_image", "input", None),
    ("cache_read_image", "cache_read", None),
)
_OWN_AT_INPUT = ("cache_write_5m", "cache_write_1h")  # for models that the user prices


class _Draft:
    """A plan being made."""

    __slots__ = ("above", "flat", "reasons")

    def __init__(
        self,
        flat: dict[str, Unit],
        above: dict[int, dict[str, Unit]],
        reasons: list[tuple[str, str]],
    ) -> None:
        self.flat = flat
        self.above = above
        self.reasons = reasons

    def levels(self) -> list[dict[str, Unit]]:
        return [self.flat, *self.above.values()]

    def override(self, row: Row, rule: str) -> None:
        """Put a variant's rates over the base's; what it does not name stays (rules 17 and 18: `by its own row`)."""
        for limit in row.above:
            self.above.setdefault(limit, dict(self.flat))
        for unit, rate in row.rates.items():
            made = _unit(row, unit, rate, rule)
            self.flat[unit] = made
            for limit, level in self.above.items():
                higher = row.above.get(limit, {}).get(unit)
                level[unit] = made if higher is None else _unit(row, unit, higher, rule)

    def scale(
        self, factor: Decimal, rule: str, assumed: str | None = None, *, but: Collection[str] = ()
    ) -> None:
        """Multiply the rates of tokens, `but` some; what is billed by the call never scales (rules 16 and 18)."""
        for level in self.levels():
            for unit, one in level.items():
                if unit in _TOKENS and unit not in but:
                    rate = int(EXACT.to_integral_value(EXACT.multiply(one.list_rate, factor)))
                    level[unit] = Unit(rate, rate, (*one.rules, rule), one.assumed or assumed, one.source)


def _unit(row: Row, unit: str, rate: int, *rules: str) -> Unit:
    return Unit(rate, rate, rules, row.assumed.get(unit) or row.assumed.get("*"), row.source)


def compile_plans(offer: Offer) -> tuple[Plan, ...]:
    """The plans of an offer, newest first, without gaps from the beginning of time to its end."""
    edges = {ALWAYS, EVER}
    for row in (*offer.rows, *offer.fees):
        edges.update((row.start, row.end))
    for discount in offer.discounts:
        edges.update((discount.start, discount.end))
    return tuple(_plan(offer, start, end) for end, start in pairwise(sorted(edges, reverse=True)))


def _in_force(rows: Sequence[Row], at: datetime, **when: Any) -> Row | None:
    """The row in force; of several the one that was listed last."""
    found = None
    for row in rows:
        if row.start <= at < row.end and row.when == when:
            found = row
    return found


def _plan(offer: Offer, start: datetime, end: datetime) -> Plan:
    label, rows, mode = offer.label, offer.rows, offer.mode
    base = _in_force(rows, start)
    reasons = [(reason, "estimated") for reason in offer.assumed if reason != "inference_profile"]
    if base is None and mode.place is not None:
        base = _in_force(rows, start, place=mode.place)
        if base is not None and "inference_profile" in offer.assumed:
            reasons.append(("inference_profile", "estimated"))
    if base is None:
        return Plan(start, end, label, priced=False)
    if base.free:
        return Plan(start, end, label, free="local" if base.provider == "local" else "free_model")
    draft = _Draft({}, {}, reasons)
    for row in offer.fees:
        if row.start <= start < row.end:
            draft.flat.update({unit: _unit(row, unit, rate) for unit, rate in row.rates.items()})
    draft.flat.update({unit: _unit(base, unit, rate) for unit, rate in base.rates.items()})
    for limit, rates in base.above.items():
        draft.above[limit] = {**draft.flat, **{unit: _unit(base, unit, rate) for unit, rate in rates.items()}}
    # A price of the user's own is not moved by rows made for the list price; the factors apply to it.
    _modes(draft, offer, [row for row in rows if row.own == base.own], start)
    _others(draft, own=base.own)
    _discount(draft, start, offer.discounts)
    above = tuple(
        (limit, {unit: _raised(one, draft.flat.get(unit)) for unit, one in level.items()})
        for limit, level in sorted(draft.above.items(), reverse=True)
    )
    return Plan(start, end, label, draft.flat, above, tuple(dict.fromkeys(draft.reasons)))


def _raised(one: Unit, flat: Unit | None) -> Unit:
    if flat is not None and one.list_rate == flat.list_rate:
        return one
    return Unit(one.list_rate, one.net_rate, (*one.rules, "long_context"), one.assumed, one.source)


def _modes(draft: _Draft, offer: Offer, rows: Sequence[Row], at: datetime) -> None:
    """Speed, tier, batch and place, in that order; they stack."""
    mode = offer.mode
    if mode.speed not in (None, "standard"):
        row = _in_force(rows, at, speed=mode.speed)
        if row is not None:
            draft.override(row, mode.speed or "")  # rule 18
        else:
            draft.reasons.append(("speed", "partial"))
    tier = "priority" if mode.service_tier == "fast" else mode.service_tier  # rule 17: served as `priority`
    if mode.batch or tier == "batch":
        _tier(draft, offer, rows, "batch", {"batch": True}, at)  # rule 16
    elif tier is not None and tier not in _PLAIN_TIERS:
        _tier(draft, offer, rows, tier, {"service_tier": tier}, at)
    geo = offer.rules.get("inference_geo")
    if geo is not None and mode.inference_geo is not None and "inference_geo" not in offer.exempt:
        factor = geo["places"].get(mode.inference_geo)
        if factor is None:
            draft.reasons.append(("inference_geo", "partial"))
        elif Decimal(factor) != 1:
            draft.scale(Decimal(factor), f"inference_geo:{mode.inference_geo}")  # rule 18
    _region(draft, offer)


def _tier(
    draft: _Draft, offer: Offer, rows: Sequence[Row], name: str, when: Mapping[str, Any], at: datetime
) -> None:
    """
    One tier: by its own row, else by the documented factor, else it is a contract and no list price (rules 16 and 17).

    A factor on a model whose maker lists a row for the tier at another time is a fact; on one without, and on a kind of
    tokens that the row leaves out (cached ones of older models), it is an assumption, but for Anthropic, which documents it
    for all.
    """
    row = _in_force(rows, at, **when)
    rule = offer.rules.get(name)
    if row is not None:
        draft.override(row, name)
        if row.rates and rule is not None and rule.get("tier"):
            draft.scale(Decimal(rule["factor"]), name, f"{name}_factor", but=row.rates)
        return
    if rule is None or not rule.get("tier"):
        draft.reasons.append(("service_tier", "partial"))
        return
    listed = any(one.when == when or one.model.startswith("claude-") for one in offer.rows)
    draft.scale(Decimal(rule["factor"]), name, None if listed else f"{name}_factor")


def _region(draft: _Draft, offer: Offer) -> None:
    """Where the seller has regional hosts, endpoints or deployments that cost more (rules 19 and 33)."""
    region = offer.mode.region
    for name in ("regional_host", "regional_endpoint", "data_zone"):
        rule = offer.rules.get(name)
        if rule is None or name in offer.exempt:
            continue
        if region is None:
            if name == "regional_endpoint":
                draft.reasons.append(("endpoint_region", "estimated"))
        elif region != "global":
            draft.scale(Decimal(rule["factor"]), name)
    if offer.seller_assumed is not None and region is None:
        draft.reasons.append((offer.seller_assumed, "estimated"))


def _others(draft: _Draft, *, own: bool) -> None:
    """Give each unit that the model does not price the rate it is billed at instead, where that is known."""
    pairs = (
        *_AT_ANOTHER_RATE,
        *((unit, "input", "no_cache_write_rate") for unit in (_OWN_AT_INPUT if own else ())),
    )
    for level in draft.levels():
        for unit, other, reason in pairs:
            if unit not in level and other in level:
                one = level[other]
                level[unit] = Unit(
                    one.list_rate,
                    one.net_rate,
                    (*one.rules, f"at_{other}_rate"),
                    one.assumed or reason,
                    one.source,
                )


def _discount(draft: _Draft, at: datetime, discounts: Sequence[Discount]) -> None:
    """Apply the most specific discount in force to each unit; discounts do not stack."""
    for level in draft.levels():
        for unit, one in level.items():
            best = max(
                (d for d in discounts if d.start <= at < d.end and d.covers(unit)),
                key=lambda d: d.rank,
                default=None,
            )
            if best is not None:
                net = int(EXACT.to_integral_value(EXACT.multiply(one.list_rate, best.factor)))
                level[unit] = Unit(
                    one.list_rate, net, (*one.rules, f"discount:{best.name}"), one.assumed, one.source
                )
