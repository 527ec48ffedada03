"""
Rows and rules compiled to what a call needs: one lookup, then a dot product.

A plan is all that is known of one model in one mode (tier, batch, speed, place) over one stretch of time.
Money is whole numbers of 1e-24 US dollars here, so that nothing rounds and no decimal context of the application matters.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Context, Decimal
from typing import TYPE_CHECKING, Any

from tracked_inference.usage import TOKEN_UNITS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tracked_inference.pricing.discounts import Discount

__all__ = ["EXACT", "SCALE", "Mode", "Plan", "Row", "Unit", "compile_plans", "instant", "row_of", "to_usd"]

SCALE = 24
EXACT = Context(prec=200)
"""Decimal arithmetic that never rounds what can occur here, whatever the application has set."""

_TOKENS = frozenset(TOKEN_UNITS)
_START = datetime.min.replace(tzinfo=UTC)
_END = datetime.max.replace(tzinfo=UTC)
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


@dataclass(frozen=True, slots=True)
class Unit:
    """
    The price of one unit in one plan, in 1e-24 USD.

    Attributes:
        list_rate: Before the user's discounts.
        net_rate: After them.
        rules: What moved the rate from its row: `batch`, `fast`, `long_context`, ….
        assumed: Why the rate is an estimate, if it is one.
        source: Where the row comes from.
    """

    list_rate: int
    net_rate: int
    rules: tuple[str, ...]
    assumed: str | None
    source: str


@dataclass(frozen=True, slots=True)
class Mode:
    """How a call was served, as far as prices depend on it."""

    service_tier: str | None = None
    batch: bool = False
    speed: str | None = None
    inference_geo: str | None = None
    region: str | None = None
    place: str | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """
    What one model in one mode costs from `start` until `end`.

    Attributes:
        model: The label of the model.
        units: Price by unit.
        above: Long-context thresholds, highest first, each with the prices of requests above it (rule 20).
        reasons: Reasons that hold for every call of the plan, each with the status it brings.
        free: Why the model costs nothing, if it does.
        priced: False where the model has no row at that time.
    """

    start: datetime
    end: datetime
    model: str
    units: dict[str, Unit] = field(default_factory=dict)
    above: tuple[tuple[int, dict[str, Unit]], ...] = ()
    reasons: tuple[tuple[str, str], ...] = ()
    free: str | None = None
    priced: bool = True


@dataclass(frozen=True, slots=True)
class Row:
    """One dated row of the table, its rates in 1e-24 USD for one unit."""

    provider: str
    model: str
    start: datetime
    end: datetime
    when: Mapping[str, Any]
    rates: Mapping[str, int]
    above: Mapping[int, Mapping[str, int]]
    assumed: Mapping[str, str]
    source: str
    recorded_at: str
    free: bool
    own: bool


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
    plain = EXACT.normalize(EXACT.scaleb(Decimal(amount), -SCALE))
    return plain if plain.as_tuple().exponent <= 0 else EXACT.quantize(plain, Decimal(1))  # type: ignore[operator]


def _scaled(rate: str, unit: str, per: Mapping[str, int]) -> int:
    each = EXACT.divide(EXACT.scaleb(Decimal(rate), SCALE), Decimal(per[unit.partition("@")[0]]))
    return int(EXACT.to_integral_value(each))


def row_of(raw: Mapping[str, Any], per: Mapping[str, int], *, own: bool = False) -> Row:
    """A row as the file has it, made ready."""
    return Row(
        provider=raw["provider"],
        model=raw["model"],
        start=instant(raw.get("effective_from"), _START),
        end=instant(raw.get("effective_to"), _END),
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


@dataclass(slots=True)
class _Draft:
    """A plan being made."""

    flat: dict[str, Unit]
    above: dict[int, dict[str, Unit]]
    reasons: list[tuple[str, str]]

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

    def scale(self, factor: Decimal, rule: str, assumed: str | None = None) -> None:
        """Multiply the rates of tokens; what is billed by the call never scales (rules 16 and 18)."""
        for level in self.levels():
            for unit, one in level.items():
                if unit in _TOKENS:
                    rate = int(EXACT.to_integral_value(EXACT.multiply(one.list_rate, factor)))
                    level[unit] = Unit(rate, rate, (*one.rules, rule), one.assumed or assumed, one.source)


def _unit(row: Row, unit: str, rate: int, *rules: str) -> Unit:
    return Unit(rate, rate, rules, row.assumed.get(unit) or row.assumed.get("*"), row.source)


def compile_plans(
    label: str,
    rows: Sequence[Row],
    fees: Sequence[Row],
    rules: Mapping[str, Mapping[str, Any]],
    exempt: frozenset[str],
    mode: Mode,
    discounts: Sequence[Discount],
    assumed: Sequence[str],
    seller_assumed: str | None,
) -> tuple[Plan, ...]:
    """The plans of one model in one mode, oldest first, without gaps from the beginning of time to its end."""
    edges = {_START, _END}
    for row in (*rows, *fees):
        edges.update((row.start, row.end))
    for discount in discounts:
        edges.update((discount.start, discount.end))
    times = sorted(edges)
    return tuple(
        _plan(label, start, end, rows, fees, rules, exempt, mode, discounts, assumed, seller_assumed)
        for start, end in zip(times, times[1:], strict=False)
    )


def _in_force(rows: Sequence[Row], at: datetime, **when: Any) -> Row | None:
    """The row in force; of several the one that was listed last."""
    found = None
    for row in rows:
        if row.start <= at < row.end and row.when == when:
            found = row
    return found


def _plan(
    label: str,
    start: datetime,
    end: datetime,
    rows: Sequence[Row],
    fees: Sequence[Row],
    rules: Mapping[str, Mapping[str, Any]],
    exempt: frozenset[str],
    mode: Mode,
    discounts: Sequence[Discount],
    assumed: Sequence[str],
    seller_assumed: str | None,
) -> Plan:
    base = _in_force(rows, start)
    reasons = [(reason, "estimated") for reason in assumed if reason != "inference_profile"]
    if base is None and mode.place is not None:
        base = _in_force(rows, start, place=mode.place)
        if base is not None and "inference_profile" in assumed:
            reasons.append(("inference_profile", "estimated"))
    if base is None:
        return Plan(start, end, label, priced=False)
    if base.free:
        return Plan(start, end, label, free="local" if base.provider == "local" else "free_model")
    draft = _Draft({}, {}, reasons)
    for row in fees:
        if row.start <= start < row.end:
            draft.flat.update({unit: _unit(row, unit, rate) for unit, rate in row.rates.items()})
    draft.flat.update({unit: _unit(base, unit, rate) for unit, rate in base.rates.items()})
    for limit, rates in base.above.items():
        draft.above[limit] = {**draft.flat, **{unit: _unit(base, unit, rate) for unit, rate in rates.items()}}
    if not base.own:
        _modes(draft, rows, rules, exempt, mode, start, seller_assumed)
    _others(draft, own=base.own)
    _discount(draft, label, start, discounts)
    above = tuple(
        (limit, {unit: _raised(one, draft.flat.get(unit)) for unit, one in level.items()})
        for limit, level in sorted(draft.above.items(), reverse=True)
    )
    return Plan(start, end, label, draft.flat, above, tuple(dict.fromkeys(draft.reasons)))


def _raised(one: Unit, flat: Unit | None) -> Unit:
    if flat is not None and one.list_rate == flat.list_rate:
        return one
    return Unit(one.list_rate, one.net_rate, (*one.rules, "long_context"), one.assumed, one.source)


def _modes(
    draft: _Draft,
    rows: Sequence[Row],
    rules: Mapping[str, Mapping[str, Any]],
    exempt: frozenset[str],
    mode: Mode,
    at: datetime,
    seller_assumed: str | None,
) -> None:
    """Speed, tier, batch and place, in that order; they stack."""
    if mode.speed not in (None, "standard"):
        row = _in_force(rows, at, speed=mode.speed)
        if row is not None:
            draft.override(row, mode.speed or "")  # rule 18
        else:
            draft.reasons.append(("speed", "partial"))
    tier = (
        "priority" if mode.service_tier == "fast" else mode.service_tier
    )  # rule 17: `fast` is served as `priority`
    if mode.batch or tier == "batch":
        _tier(draft, rows, rules, "batch", {"batch": True}, at)  # rule 16
    elif tier is not None and tier not in _PLAIN_TIERS:
        _tier(draft, rows, rules, tier, {"service_tier": tier}, at)
    geo = rules.get("inference_geo")
    if geo is not None and mode.inference_geo is not None and "inference_geo" not in exempt:
        factor = geo["places"].get(mode.inference_geo)
        if factor is None:
            draft.reasons.append(("inference_geo", "partial"))
        elif Decimal(factor) != 1:
            draft.scale(Decimal(factor), f"inference_geo:{mode.inference_geo}")  # rule 18
    _region(draft, rules, exempt, mode.region, seller_assumed)


def _tier(
    draft: _Draft,
    rows: Sequence[Row],
    rules: Mapping[str, Mapping[str, Any]],
    name: str,
    when: Mapping[str, Any],
    at: datetime,
) -> None:
    """
    One tier: by its own row, else by the documented factor, else it is a contract and no list price (rules 16 and 17).

    A factor on a model whose maker lists a row for the tier at another time is a fact; on one without it is an assumption,
    but for Anthropic, which documents it for all.
    """
    row = _in_force(rows, at, **when)
    if row is not None:
        draft.override(row, name)
        return
    rule = rules.get(name)
    if rule is None:
        draft.reasons.append(("service_tier", "partial"))
        return
    listed = any(one.when == when for one in rows) or any("claude" in one.model for one in rows)
    draft.scale(Decimal(rule["factor"]), name, None if listed else f"{name}_factor")


def _region(
    draft: _Draft,
    rules: Mapping[str, Mapping[str, Any]],
    exempt: frozenset[str],
    region: str | None,
    assumed: str | None,
) -> None:
    """Where the seller has regional hosts, endpoints or deployments that cost more (rules 19 and 33)."""
    for name in ("regional_host", "regional_endpoint", "data_zone"):
        rule = rules.get(name)
        if rule is None or name in exempt:
            continue
        if region is None:
            if name == "regional_endpoint":
                draft.reasons.append(("endpoint_region", "estimated"))
        elif region != "global":
            draft.scale(Decimal(rule["factor"]), name)
    if assumed is not None and region is None:
        draft.reasons.append((assumed, "estimated"))


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


def _discount(draft: _Draft, label: str, at: datetime, discounts: Sequence[Discount]) -> None:
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
    del label
