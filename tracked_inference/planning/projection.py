"""
From a scenario to dollars: low, expected and high, what moves them, and how models compare.

Exact decimals throughout; who prints an estimate rounds it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal, localcontext
from itertools import product
from typing import TYPE_CHECKING, Any

from tracked_inference.planning._costing import Costing, Shape
from tracked_inference.planning.ranges import Range
from tracked_inference.planning.scenario import EXACT
from tracked_inference.pricing import PriceTable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tracked_inference.planning.ranges import Number
    from tracked_inference.planning.scenario import Scenario

__all__ = ["Estimate", "ModelPart", "Sensitivity", "compare", "project"]

MONTHS = 12


@dataclass(frozen=True, slots=True)
class ModelPart:
    """
    What one model of a scenario does of it, as expected.

    Attributes:
        model: As the metrics name it.
        share: Of the calls.
        per_call_usd: What one of its calls costs.
        per_month_usd: What its calls of a month cost.
    """

    model: str
    share: Decimal
    per_call_usd: Decimal
    per_month_usd: Decimal


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """
    What a change of one assumption does to the expected month.

    Attributes:
        change: In words: `+1,000 input tokens`.
        per_month_usd: What it adds; negative where it saves.
    """

    change: str
    per_month_usd: Decimal


@dataclass(frozen=True, slots=True)
class Estimate:
    """
    What a scenario costs; a range of results is what comes out with every input at its cheapest, as expected, and dearest.

    Attributes:
        scenario: What was assumed.
        calls_per_month: Paid calls of the first month, those made again included.
        per_call_usd: One paid call, the mean over models and batches.
        per_user_month_usd: One monthly user for a month; None where users are not known.
        per_day_usd: A day of the first month.
        per_month_usd: The first month.
        per_year_usd: Twelve months, with the growth.
        models: The models of the scenario, dearest share first.
        remarks: What the price engine said of its prices: estimates, long contexts.
        at: The instant whose prices were taken.
        price_table: The version of the price table.
        price_table_sha256: Its content hash.
    """

    scenario: Scenario
    calls_per_month: Range
    per_call_usd: Range
    per_user_month_usd: Range | None
    per_day_usd: Range
    per_month_usd: Range
    per_year_usd: Range
    models: tuple[ModelPart, ...]
    remarks: tuple[str, ...]
    at: datetime
    price_table: str
    price_table_sha256: str
    _prices: PriceTable

    @property
    def assumptions(self) -> tuple[str, ...]:
        """What the scenario did not say, and what the prices leave open."""
        return (*self.scenario.unsaid(), *self.remarks)

    def times(self, factor: Number) -> Estimate:
        """The same feature at so many times the users."""
        return project(self.scenario.times(factor), self._prices, self.at)

    def sensitivity(self) -> tuple[Sensitivity, ...]:
        """What changes of one assumption at a time do to the expected month, the largest first."""
        with localcontext(EXACT):
            base = self.per_month_usd.expected
            found = [
                Sensitivity(change, _expected_month(other, self._prices, self.at) - base)
                for change, other in _changes(_pinned(self.scenario))
            ]
        return tuple(
            sorted((one for one in found if one.per_month_usd), key=lambda one: -abs(one.per_month_usd))
        )


def project(scenario: Scenario, prices: PriceTable | None = None, at: datetime | None = None) -> Estimate:
    """
    What a scenario costs by a price table (default `PriceTable.default()`) at the prices of an instant (default now).

    Raises:
        UnpricedModelError: A model, or a kind of token, has no price.
    """
    prices = PriceTable.default() if prices is None else prices
    at = datetime.now(UTC) if at is None else at
    with localcontext(EXACT):
        costing = Costing(prices, at)
        per_call = _per_call(scenario, costing)
        again = Range(*(1 + rate for rate in scenario.at_least_zero("retry_rate")))
        calls_per_day = scenario.requests_each_day.times(again)
        per_day = calls_per_day.times(per_call)
        per_month = per_day.times(scenario.days)
        growth = Range(*(_year_in_months(rate) for rate in scenario.at_least_zero("growth_per_month")))
        calls = calls_per_day.times(scenario.days)
        return Estimate(
            scenario=scenario,
            calls_per_month=calls,
            per_call_usd=per_call,
            per_user_month_usd=_per_user(scenario, per_month, again, per_call),
            per_day_usd=per_day,
            per_month_usd=per_month,
            per_year_usd=per_month.times(growth),
            models=_parts(scenario, costing, calls.expected),
            remarks=tuple(costing.remarks),
            at=at,
            price_table=prices.version,
            price_table_sha256=prices.sha256,
            _prices=prices,
        )


def compare(
    scenario: Scenario, models: Iterable[str], prices: PriceTable | None = None, at: datetime | None = None
) -> tuple[Estimate, ...]:
    """
    The same scenario with all calls on each of some models, the cheapest month first.

    Raises:
        UnpricedModelError: One of them has no price.
    """
    at = datetime.now(UTC) if at is None else at
    estimates = [project(scenario.on(model), prices, at) for model in dict.fromkeys(models)]
    return tuple(sorted(estimates, key=lambda one: one.per_month_usd.expected))


def _per_call(scenario: Scenario, costing: Costing) -> Range:
    """
    The mean call, at its cheapest, as expected and at its dearest.

    More tokens never cost less, so their ends are known; whether a cached or batched share saves depends on the model, and
    cost is linear in each, so the ends are found at the corners.
    """
    cached, written = scenario.at_least_zero("cached_share"), scenario.at_least_zero("cache_write_share")
    batched = scenario.at_least_zero("batch_share")
    lifetime = scenario.cache_lifetime

    def costs(read_in: Decimal, put_out: Decimal, *shares: Decimal) -> dict[str, Decimal]:
        cached_share, written_share, batch_share = shares
        shape = Shape(read_in, put_out, cached_share, written_share, batch_share, lifetime)
        return {model: costing.call_usd(model, shape) for model in scenario.models}

    corners = set(product(*({share.low, share.high} for share in (cached, written, batched))))
    lows = [costs(scenario.input_tokens.low, scenario.output_tokens.low, *corner) for corner in corners]
    highs = [costs(scenario.input_tokens.high, scenario.output_tokens.high, *corner) for corner in corners]
    expected = costs(
        scenario.input_tokens.expected,
        scenario.output_tokens.expected,
        *(share.expected for share in (cached, written, batched)),
    )
    return Range(
        min(_mixed(scenario.models, one, dearest=False) for one in lows),
        sum((share.expected * expected[model] for model, share in scenario.models.items()), Decimal(0)),
        max(_mixed(scenario.models, one, dearest=True) for one in highs),
    )


def _mixed(models: Mapping[str, Range], costs: Mapping[str, Decimal], *, dearest: bool) -> Decimal:
    """The mean call when the shares lean, inside their ranges, towards the cheap models or the dear ones."""
    left = 1 - sum(share.low for share in models.values())
    total = sum((share.low * costs[model] for model, share in models.items()), Decimal(0))
    for model in sorted(models, key=lambda name: costs[name], reverse=dearest):
        more = min(left, models[model].high - models[model].low)
        total += more * costs[model]
        left -= more
    return total


def _parts(scenario: Scenario, costing: Costing, calls: Decimal) -> tuple[ModelPart, ...]:
    shape = Shape(
        scenario.input_tokens.expected,
        scenario.output_tokens.expected,
        scenario.at_least_zero("cached_share").expected,
        scenario.at_least_zero("cache_write_share").expected,
        scenario.at_least_zero("batch_share").expected,
        scenario.cache_lifetime,
    )
    parts = []
    for model, share in scenario.models.items():
        each = costing.call_usd(model, shape)
        parts.append(ModelPart(costing.label(model), share.expected, each, share.expected * calls * each))
    return tuple(sorted(parts, key=lambda part: -part.per_month_usd))


def _per_user(scenario: Scenario, per_month: Range, again: Range, per_call: Range) -> Range | None:
    users = scenario.monthly_users
    if users is None or not users.expected:
        return None
    habit = scenario.requests_per_user_per_day
    if habit is None:
        return per_month.times(1 / users.expected)
    daily = scenario.daily_share or Range(Decimal(1), Decimal(1), Decimal(1))
    return habit.times(daily).times(scenario.days).times(again).times(per_call)


def _year_in_months(growth: Decimal) -> Decimal:
    """How many first months a year of growing months is: 12 where nothing grows."""
    return sum(((1 + growth) ** month for month in range(MONTHS)), Decimal(0))


def _pinned(scenario: Scenario) -> Scenario:
    """The scenario with everything as expected."""
    pinned: dict[str, Any] = {
        name: Range(value.expected, value.expected, value.expected)
        for name in scenario.__dataclass_fields__
        if isinstance(value := getattr(scenario, name), Range)
    }
    pinned["models"] = {model: share.expected for model, share in scenario.models.items()}
    return replace(scenario, **pinned)


def _expected_month(scenario: Scenario, prices: PriceTable, at: datetime) -> Decimal:
    return project(scenario, prices, at).per_month_usd.expected


_STEP = Decimal("0.1")


def _changes(scenario: Scenario) -> Iterable[tuple[str, Scenario]]:
    """One change at a time, of those that are possible from here."""

    def more(name: str, by: Decimal | int) -> Scenario:
        value = scenario.at_least_zero(name).expected + by
        changed: dict[str, Any] = {name: Range(value, value, value)}
        return replace(scenario, **changed)

    yield "+1,000 input tokens", more("input_tokens", 1000)
    yield "+100 output tokens", more("output_tokens", 100)
    if scenario.requests_per_user_per_day is not None:
        yield "+1 request per user and day", more("requests_per_user_per_day", 1)
        yield "+1,000 monthly users", more("monthly_users", 1000)
        daily = Decimal(1) if scenario.daily_share is None else scenario.daily_share.expected
        if daily >= _STEP:
            fewer: dict[str, Any] = {"daily_share": daily - _STEP}
            yield "10 points fewer of the monthly users on a day", replace(scenario, **fewer)
    else:
        yield "+1,000 requests per day", more("requests_per_day", 1000)
    cached, written = (
        scenario.at_least_zero("cached_share").expected,
        scenario.at_least_zero("cache_write_share").expected,
    )
    if cached + written + _STEP <= 1:
        yield "10 points more of the input read from a cache", more("cached_share", _STEP)
    if scenario.at_least_zero("batch_share").expected + _STEP <= 1:
        yield "10 points more of the calls in batches", more("batch_share", _STEP)
    yield "1 point more of the calls made twice", more("retry_rate", Decimal("0.01"))
