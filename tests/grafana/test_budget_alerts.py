"""The alerts on budgets, by promtool, over a month's end too: promtool's clock starts on 1 January 1970, UTC."""

from __future__ import annotations

from tests.grafana.promtool import DAY, HOUR, RESET, World, gap, needs_promtool, run, values

pytestmark = needs_promtool
BUDGETS = ("spend", "accounting", "budgets", "budget-alerts")
EVEN = 1 / HOUR


def who(feature: str, severity: str, **more: str) -> dict[str, str]:
    """The labels that a budget alert carries."""
    return {"feature": feature, "team": "core", "severity": severity, **more}


def test_burn_pages_for_a_new_feature(tmp_path) -> None:
    """A feature of an hour that would spend its month in a day pages within 15 minutes; one at its pace does not."""
    world = World(groups=BUDGETS, every="1m")
    length = 3 * HOUR
    # 744 hours in January: a budget of 744 is one dollar an hour.
    world.spend("tenfold", run(length, 60 * EVEN))
    world.spend("even", run(length, EVEN))
    world.spend("restarted", run(HOUR, EVEN), RESET, run(2 * HOUR, EVEN))
    world.spend("idle", run(length))
    world.spend("born_late", gap(length - 1), run(1, 60 * EVEN))
    world.spend("unbudgeted", run(length, 60 * EVEN))
    for feature in ("tenfold", "even", "restarted", "idle", "born_late", "absent"):
        world.budget(feature, 744, length)

    world.firing("AIInferenceBudgetBurnHigh", 1)
    world.value(
        'count by (feature, team, window) (ALERTS{alertname="AIInferenceBudgetBurnHigh", alertstate="firing"})',
        15,
        ({"feature": "tenfold", "team": "core", "window": "1h"}, 1),
    )
    world.check(tmp_path)


def test_burn_says_how_long_the_budget_lasts(tmp_path) -> None:
    """The page names the budget and the last hour's spend; a batch that always burns like this is not news."""
    world = World(groups=BUDGETS)
    length, night = 3 * DAY, 2 * HOUR
    batch = [part for _ in range(3) for part in (run(night), run(HOUR, 20 * EVEN), run(DAY - night - HOUR))]
    world.spend("batch", *batch)
    world.spend("new", run(length - 3 * HOUR), run(3 * HOUR, 20 * EVEN))
    world.budget("batch", 744, length)
    world.budget("new", 744, length)

    world.firing("AIInferenceBudgetBurnHigh", 2 * DAY + night + 50)
    world.says(
        "AIInferenceBudgetBurnHigh",
        length - 1,
        {"feature": "new", "team": "core", "severity": "critical", "window": "1h"},
        "new (team core) spends its monthly budget 20 times too fast.",
        "At the rate of the last 1h the whole monthly budget of new (team core), 744.00 USD, lasts less than 51 hours."
        " In the last hour it spent 20.00 USD.",
    )
    # Three hours of twenty are ten on average over six: the slower pair fires too.
    world.texts[-1]["exp_alerts"].append(
        {
            "exp_labels": {"feature": "new", "team": "core", "severity": "critical", "window": "6h"},
            "exp_annotations": {
                "summary": "new (team core) spends its monthly budget 10 times too fast.",
                "description": "At the rate of the last 6h the whole monthly budget of new (team core), 744.00 USD, lasts"
                " less than 5 days. In the last hour it spent 20.00 USD.",
                "runbook_url": "docs/runbooks/AIInferenceBudgetBurnHigh.md",
            },
        }
    )
    world.check(tmp_path)


def test_month_to_date_forecast_and_budget_over_the_months_end(tmp_path) -> None:
    """A dollar an hour from the 23rd: 216 dollars in January, then 0 again; nearly spent, exceeded, forecast follow."""
    # The part of an hour is another test's: here only full hours are asked for, every quarter of one.
    unread = (
        "rate1h_baseline",
        "rate15m",
        "increase15m",
        "rate6h",
        "rate30m",
        "hour_to_date",
        "increase5m",
        "day_to_date",
    )
    world = World(groups=BUDGETS, every="15m", leave_out=unread)
    before, length, january = 22 * DAY, 33 * DAY, 31 * DAY
    world.spend("flat", gap(before), run(length - before, EVEN))
    for team in ("core", "other"):
        world.spend("two_teams", gap(before), run(length - before, EVEN / 2), team=team)
    world.budget("flat", 260, length)
    world.budget("two_teams", 180, length)
    world.spend("no_traffic", gap(before), run(length - before))
    world.budget("no_traffic", 1, length)
    world.budget("absent", 1, length)

    def flat(series: str, minute: int, value: float) -> None:
        expr = f'round(feature_team:ai_inference_estimated_cost_usd:{series}{{feature="flat"}}, 0.25)'
        world.value(expr, minute, ({"feature": "flat", "team": "core"}, value))

    flat("month_to_date", before + 5 * DAY, 120)
    flat("month_to_date", january - HOUR, 215)
    flat("month_to_date", january, 0)
    flat("month_to_date", january + HOUR, 1)
    flat("month_to_date", january + DAY, 24)
    # At half past, the half hour that is not in month to date is missing from the forecast too.
    flat("month_forecast", before + 8 * DAY + 30, 215.5)
    # February 1970 has 28 days of 24 dollars.
    flat("month_forecast", january + 30, 671.5)
    both = (who("flat", "warning", period="month"), who("two_teams", "warning", period="month"))
    for minute, nearly, exceeded in (
        (before + 5 * DAY, (), ()),
        (before + 7 * DAY, both[1:], ()),
        (january - HOUR, both[:1], (who("two_teams", "critical", period="month"),)),
        (january + HOUR, (), ()),
    ):
        world.firing("AIInferenceBudgetNearlySpent", minute, *nearly)
        world.firing("AIInferenceBudgetExceeded", minute, *exceeded)
    world.firing("AIInferenceBudgetForecastExceeded", before + 3 * HOUR)
    world.firing(
        "AIInferenceBudgetForecastExceeded", before + 6 * DAY, who("two_teams", "warning", period="month")
    )
    # Exceeded says it from there on; the forecast of February has to hold for six hours first.
    world.firing("AIInferenceBudgetForecastExceeded", january - HOUR)
    world.firing("AIInferenceBudgetForecastExceeded", january + 3 * HOUR)
    world.says(
        "AIInferenceBudgetNearlySpent",
        january - 2 * HOUR,
        {"feature": "flat", "team": "core", "severity": "warning", "period": "month"},
        "flat (team core) has spent 82.31% of its monthly budget.",
        "flat (team core) has spent 214.00 USD of the 260.00 USD budgeted for this calendar month (UTC).",
    )
    world.says(
        "AIInferenceBudgetForecastExceeded",
        before + 5 * DAY + 30,
        {"feature": "two_teams", "team": "core", "severity": "warning", "period": "month"},
        "two_teams (team core) is heading for 119.7% of its monthly budget.",
        "With 120.00 USD spent this month and the daily average of the last week, 24.00 USD, two_teams (team core) ends the"
        " month at 119.7% of its budget of 180.00 USD.",
    )
    world.check(tmp_path)


def test_forecast_is_told_on_days_that_are_overspent_too(tmp_path) -> None:
    """A spent day says nothing about the month: only a spent month makes its forecast old news."""
    world = World(groups=BUDGETS)
    length = 2 * DAY
    world.spend("both", run(length, EVEN))
    world.budget("both", 400, length)
    world.budget("both", 0.5, length, period="day")

    world.firing("AIInferenceBudgetExceeded", DAY + 12 * HOUR, who("both", "critical", period="day"))
    world.firing("AIInferenceBudgetForecastExceeded", DAY + 12 * HOUR, who("both", "warning", period="month"))
    world.check(tmp_path)


def test_exceeded_day_and_restarts(tmp_path) -> None:
    """A daily budget is exceeded in the evening and whole again at midnight; restarts add nothing; births count on."""
    world = World(groups=BUDGETS)
    length = 2 * DAY
    restarts = [part for _ in range(48) for part in (RESET, run(HOUR, EVEN))]
    world.spend("over", run(length, EVEN))
    world.spend("restarting", *restarts)
    world.spend("born_late", gap(40 * HOUR), run(8 * HOUR, EVEN))
    world.spend("gone", run(6 * HOUR, EVEN))
    for feature, usd in (("over", 20), ("restarting", 30), ("born_late", 20), ("gone", 5)):
        world.budget(feature, usd, length, period="day")

    def day(feature: str, minute: int, value: float) -> None:
        expr = f'round(feature_team:ai_inference_estimated_cost_usd:day_to_date{{feature="{feature}"}}, 0.5)'
        world.value(expr, minute, ({"feature": feature, "team": "core"}, value))

    day("over", 22 * HOUR + 30, 22.5)
    day("over", DAY + 10 * HOUR, 10)
    # A process that is gone keeps what it spent that day.
    day("gone", 20 * HOUR, 6)
    # A reset each hour, and the minute before it is not seen: 59/60 of 20.
    day("restarting", 20 * HOUR, 19.5)
    world.firing("AIInferenceBudgetExceeded", 12 * HOUR, who("gone", "critical", period="day"))
    expected = (who("over", "critical", period="day"), who("gone", "critical", period="day"))
    world.firing("AIInferenceBudgetExceeded", 22 * HOUR, *expected)
    world.firing("AIInferenceBudgetExceeded", DAY + 2 * HOUR)
    world.says(
        "AIInferenceBudgetExceeded",
        DAY + 22 * HOUR,
        {"feature": "over", "team": "core", "severity": "critical", "period": "day"},
        "over (team core) has spent 110% of its budget for the day.",
        "The budget of over (team core) for this day (UTC) is 20.00 USD and 110% of it is spent.",
    )
    world.check(tmp_path)


def test_refused_calls_page(tmp_path) -> None:
    """One refused call pages at once, in a series that stood at 0 or was born with it, and until a quarter of an hour later."""
    world = World(groups=BUDGETS, every="1m")
    length = 2 * HOUR

    def refused(
        feature: str, *parts: tuple[str, int, float], start: float = 0.0, period: str = "month"
    ) -> None:
        labels = {"feature": feature, "team": "core", "period": period}
        world.add("ai_inference_budget_refused_calls_total", labels, values(*parts, start=start))

    refused("refusing", run(HOUR), run(1, 1), run(HOUR - 1))
    refused("born_with_it", gap(HOUR), run(HOUR), start=3, period="day")
    refused("never", run(length))
    refused("long_ago", run(length), start=9)
    refused("restarted", run(HOUR), RESET, run(HOUR), start=9)
    refused("not_scraped", run(30), gap(30), run(HOUR), start=9)
    world.budget("refusing", 744, length)

    world.firing("AIInferenceBudgetRefusing", HOUR - 1)
    both = (
        who("refusing", "critical", period="month"),
        who("born_with_it", "critical", period="day"),
    )
    world.firing("AIInferenceBudgetRefusing", HOUR + 2, *both)
    world.firing("AIInferenceBudgetRefusing", HOUR + 20)
    world.says(
        "AIInferenceBudgetRefusing",
        HOUR,
        {"feature": "born_with_it", "team": "core", "severity": "critical", "period": "day"},
        "Calls of born_with_it (team core) are refused: its budget for the day is spent.",
        "Calls of born_with_it (team core) that the budget guard refused in the last 15 minutes: 3. Its budget for this day (UTC) is"
        " an unknown number of USD. Whoever made those calls got a BudgetExceededError.",
    )
    world.check(tmp_path)


def test_budget_source_errors(tmp_path) -> None:
    """No answer for twenty minutes is reported; a store that restarts, one missed answer and old faults are not."""
    world = World(groups=BUDGETS, every="1m")

    def unanswered(job: str, *parts: tuple[str, int, float], start: float = 0.0) -> None:
        labels = {"job": job, "reason": "timeout"}
        world.add("ai_inference_budget_source_errors_total", labels, values(*parts, start=start))

    unanswered("cut_off", run(10), run(50, 2))
    unanswered("born_with_it", gap(10), run(50, 2), start=1)
    unanswered("restarting", run(10), run(25, 2), RESET, run(25, 2))
    unanswered("store_restarts", run(10), run(3, 2), run(47))
    unanswered("one_of_many", *(part for _ in range(6) for part in (run(9), run(1, 1))))
    unanswered("long_ago", run(60), start=9)

    def firing(minute: int, *jobs: str) -> None:
        expr = 'count by (job, reason, severity) (ALERTS{alertname="AIInferenceBudgetSourceErrors", alertstate="firing"})'
        labels = {"reason": "timeout", "severity": "warning"}
        world.value(expr, minute, *(({"job": job, **labels}, 1.0) for job in jobs))

    firing(9)
    firing(16)
    firing(30, "cut_off", "born_with_it", "restarting")
    firing(55, "cut_off", "born_with_it", "restarting")
    world.check(tmp_path)
