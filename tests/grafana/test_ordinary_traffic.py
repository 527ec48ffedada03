"""Four weeks of ordinary traffic of five shapes page nobody; a tenfold runaway in any of them pages."""

from __future__ import annotations

import math
import random

from tests.grafana.promtool import DAY, HOUR, World, needs_promtool

pytestmark = needs_promtool
PAGES = ("spend", "accounting", "budgets", "spend-alerts", "budget-alerts")
# What no page reads; evaluating it five weeks long would double the test's time.
NO_PAGE = (
    *("increase1d", "calls:increase1h", "ratio1h", "hour_to_date", "increase5m", "rate7d", "month_forecast"),
    *(
        "day_full_hours",
        "day_to_date",
        "feature_team_day:ai_inference_estimated_cost_usd:increase1h",
        "forecast_ratio",
    ),
)
STRETCH = 10  # minutes of one rate
WEEKS = 5  # the first is the past that the rules look back at


def _office(hour: float, weekday: int) -> float:
    return max(0.02, math.sin((hour - 7) / 11 * math.pi)) if 7 <= hour <= 18 and weekday < 5 else 0.02


def _consumer(hour: float, weekday: int) -> float:
    return (0.15 + 0.85 * max(0.0, math.sin((hour - 6) / 17 * math.pi))) * (1.0 if weekday < 5 else 0.7)


SHAPES = {
    "flat": lambda hour, weekday: 1.0,
    "office": _office,
    "consumer": _consumer,
    "nightly": lambda hour, weekday: 6.0 if 2 <= hour < 3 else 0.0,
    "weekly": lambda hour, weekday: 12.0 if weekday == 0 and 4 <= hour < 7 else 0.0,
}
DOLLARS_AN_HOUR = 8.0  # at the peak of a shape


def _course(
    shape: str, seed: int, minutes: int, runaway_from: int | None = None
) -> tuple[list[float], float]:
    """Dollars of each stretch, jittered by a third either way, and the dollars of the dearest 31 days."""
    chance, rates = random.Random(seed), []
    for start in range(0, minutes, STRETCH):
        hour, weekday = start / HOUR % 24, (start // DAY + 3) % 7  # the clock starts on a Thursday
        usual = DOLLARS_AN_HOUR * SHAPES[shape](hour, weekday) / HOUR * chance.uniform(0.67, 1.33)
        rates.append(usual * (10 if runaway_from is not None and start >= runaway_from else 1))
    return rates, sum(rates) * STRETCH / minutes * 31 * DAY


def _add(world: World, feature: str, rates: list[float], budget: float, minutes: int) -> None:
    parts = [("run", STRETCH, rate) for rate in rates]
    world.spend(feature, *parts)
    world.budget(feature, budget, minutes)


def test_ordinary_weeks_page_nobody(tmp_path) -> None:
    """With budgets that are used to 90 %, no page in four weeks, Mondays, nights, batches and a month's end included."""
    minutes = WEEKS * 7 * DAY
    world = World(groups=PAGES, every="15m", leave_out=NO_PAGE)
    for seed, shape in enumerate(SHAPES):
        rates, month = _course(shape, seed, minutes)
        _add(world, shape, rates, month / 0.9, minutes)
    for day in range(7, WEEKS * 7 + 1):
        # Not even pending.
        world.value('max_over_time(ALERTS{severity="critical"}[1d])', day * DAY)
    # The test can fail: rules did run, and the month is counted.
    world.value("count(feature_team:ai_inference_estimated_cost_usd:month_to_date > 10)", 20 * DAY, ({}, 5))
    world.check(tmp_path)


def test_tenfold_pages_within_a_quarter_of_an_hour(tmp_path) -> None:
    """Ten times the usual on the second Monday at two in the afternoon pages by a quarter past, whatever the shape."""
    start = (4 + 7) * DAY + 14 * HOUR  # day 0 is a Thursday
    minutes = start + HOUR
    world = World(
        groups=("spend", "spend-alerts"), leave_out=("calls:increase1h", "ratio1h", "rate30m", "rate6h")
    )
    shapes = ("consumer", "flat", "office")
    for shape in shapes:
        rates, month = _course(shape, 1, minutes, start)
        _add(world, shape, rates, month, minutes)

    pages = [{"feature": shape, "team": "core", "severity": "critical"} for shape in shapes]
    world.firing("AIInferenceSpendRunaway", start)
    world.firing("AIInferenceSpendRunaway", start + 15, *pages)
    world.check(tmp_path)


def test_tenfold_batches_page_within_a_quarter_of_an_hour(tmp_path) -> None:
    """A nightly and a weekly batch that cost ten times the usual page a quarter of an hour after they began."""
    monday = (4 + 7) * DAY
    starts = {"nightly": monday + 2 * HOUR, "weekly": monday + 4 * HOUR}
    minutes = monday + 5 * HOUR
    world = World(
        groups=("spend", "spend-alerts"), leave_out=("calls:increase1h", "ratio1h", "rate30m", "rate6h")
    )
    for shape, start in starts.items():
        rates, month = _course(shape, 1, minutes, start)
        _add(world, shape, rates, month, minutes)
        world.firing("AIInferenceSpendRunaway", start)
        page = {"feature": shape, "team": "core", "severity": "critical"}
        world.firing("AIInferenceSpendRunaway", start + 15, page)
    world.check(tmp_path)
