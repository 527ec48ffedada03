"""The alerts on spend, by promtool: fire, stay silent, survive resets, births, gaps and empty nights."""

from __future__ import annotations

from tests.grafana.promtool import DAY, HOUR, RESET, World, gap, needs_promtool, run, values

pytestmark = needs_promtool
RUNAWAY = ("spend", "spend-alerts")
SPEND = ("spend", "accounting", "budgets", "spend-alerts")
EVEN = 1 / HOUR  # one dollar an hour, per minute


def who(feature: str, severity: str = "critical", **more: str) -> dict[str, str]:
    """The labels that a spend alert carries."""
    return {"feature": feature, "team": "core", "severity": severity, **more}


def test_runaway_pages_and_says_how_much(tmp_path) -> None:
    """Ten times the normal hour pages within 15 minutes, in words with numbers; three times does not."""
    world = World(groups=RUNAWAY, every="1m")
    start = DAY + 3 * HOUR
    world.spend("tenfold", run(start, EVEN), run(3 * HOUR, 10 * EVEN))
    world.spend("threefold", run(start, EVEN), run(3 * HOUR, 3 * EVEN))
    world.spend("steady", run(start + 3 * HOUR, EVEN))

    world.firing("AIInferenceSpendRunaway", start)
    world.firing("AIInferenceSpendRunaway", start + 15, who("tenfold"))
    world.firing("AIInferenceSpendRunaway", start + 2 * HOUR, who("tenfold"))
    world.says(
        "AIInferenceSpendRunaway",
        start + 20,
        {"feature": "tenfold", "team": "core", "severity": "critical"},
        "tenfold (team core) spends 10.00 USD an hour, far above normal for this hour.",
        "For 15 minutes tenfold (team core) has spent at 10.00 USD an hour; the most it normally spends in an hour at"
        " this time is 1.00 USD. It made 150 calls in those 15 minutes.",
    )
    world.check(tmp_path)


def test_runaway_needs_money_calls_and_a_past(tmp_path) -> None:
    """Below the dollar floor, with few calls, in a launch, born late, absent or without traffic nothing pages."""
    world = World(groups=RUNAWAY)
    start = 2 * DAY
    world.spend("pennies", run(start, EVEN / 100), run(2 * HOUR, EVEN / 2))
    world.spend("few_calls", run(start, EVEN), run(2 * HOUR, 20 * EVEN), calls_per_usd=1)
    world.spend("launch", run(start), run(2 * HOUR, 50 * EVEN))
    world.spend("born_late", gap(start), run(2 * HOUR, 50 * EVEN))
    world.spend("idle", run(start + 2 * HOUR))
    world.spend("gone", run(start, EVEN))
    # The first scrape of a new process finds what it spent since its start; a reset is no spend.
    world.spend("restarted", run(start, EVEN), RESET, run(2 * HOUR, EVEN))
    world.spend("unscraped", run(start, EVEN), gap(20), run(2 * HOUR - 20, EVEN))
    for minute in range(5, 2 * HOUR, 10):
        world.firing("AIInferenceSpendRunaway", start + minute)
    world.check(tmp_path)


def test_runaway_through_restarts(tmp_path) -> None:
    """A runaway in a process that restarts every ten minutes still pages."""
    world = World(groups=RUNAWAY)
    start = 2 * DAY
    hot = [part for _ in range(6) for part in (RESET, run(10, 12 * EVEN))]
    world.spend("crashing", run(start, EVEN), *hot)

    world.firing("AIInferenceSpendRunaway", start + 20, who("crashing"))
    world.check(tmp_path)


def test_spend_threshold(tmp_path) -> None:
    """More than 25 dollars in an hour is reported whatever is normal; 20 are not, nor a reset at 20."""
    world = World(groups=SPEND)
    world.spend("dear", run(4 * HOUR, 30 * EVEN))
    world.spend("cheap", run(2 * HOUR, 20 * EVEN), RESET, run(2 * HOUR, 20 * EVEN))
    world.spend("born_late", gap(3 * HOUR), run(HOUR, 30 * EVEN))
    world.spend("idle", run(4 * HOUR))
    world.spend("gone", run(HOUR, 30 * EVEN))

    world.firing("AIInferenceSpendHigh", 30)
    world.firing("AIInferenceSpendHigh", 3 * HOUR, who("dear", "warning"))
    world.says(
        "AIInferenceSpendHigh",
        3 * HOUR,
        {"feature": "dear", "team": "core", "severity": "warning"},
        "dear (team core) spent 30.00 USD in the last hour.",
        "dear (team core) spent 30.00 USD in the last hour; the threshold for any feature is 25 USD. It is a fixed line:"
        " raise it if this is what you want to spend.",
    )
    world.check(tmp_path)


def test_spend_without_budget(tmp_path) -> None:
    """A feature that spends and has no budget is reported; one with a budget, for a month or a day, is not."""
    world = World(groups=SPEND)
    length = 26 * HOUR
    for feature in ("forgotten", "monthly", "daily"):
        world.spend(feature, run(length, EVEN))
    world.budget("monthly", 1000, length)
    world.budget("daily", 30, length, period="day")
    world.spend("small", run(12 * HOUR, EVEN / 10), RESET, run(14 * HOUR, EVEN / 10))
    world.spend("born_late", gap(24 * HOUR), run(2 * HOUR, EVEN))
    world.spend("idle", run(length))

    world.firing("AIInferenceSpendWithoutBudget", 2 * HOUR)
    world.firing("AIInferenceSpendWithoutBudget", 26 * HOUR - 1, who("forgotten", "warning"))
    world.check(tmp_path)


def test_budget_outlives_the_job_that_declares_it(tmp_path) -> None:
    """A nightly job takes its budget along when it ends, which is no want of one; a budget that was withdrawn is."""
    world = World(groups=SPEND)
    night, length = 2 * HOUR, 26 * HOUR
    one_hour = (gap(night), run(HOUR, 10 * EVEN))
    for feature in ("nightly", "undeclared"):
        world.spend(feature, *one_hour)
    world.spend("withdrawn", run(length, EVEN))
    for feature, until in (("nightly", night + HOUR), ("withdrawn", DAY)):
        labels = {"feature": feature, "team": "core"}
        world.add("ai_inference_budget_usd", {**labels, "period": "month"}, f"500x{until}")
        declared = until if feature == "nightly" else length
        world.add("ai_inference_feature_info", labels, f"1x{declared}")

    world.firing("AIInferenceSpendWithoutBudget", 12 * HOUR, who("undeclared", "warning"))
    world.firing("AIInferenceSpendWithoutBudget", DAY, who("undeclared", "warning"))
    world.firing(
        "AIInferenceSpendWithoutBudget",
        length - 15,
        who("undeclared", "warning"),
        who("withdrawn", "warning"),
    )
    world.value('feature_team_period:ai_inference_budget_usd:last{feature="withdrawn"}', DAY + 10)
    world.check(tmp_path)


def test_cost_per_call_jump(tmp_path) -> None:
    """A call that costs three times what it did yesterday is reported; more calls at the old price are not."""
    world = World(groups=SPEND)
    start, labels = 26 * HOUR, {"model": "m", "team": "core"}

    def feature(name: str, usd_per_call: float, calls: float, *, late: int = 0, reset: bool = False) -> None:
        before, after = run(start - late, 0.01 * 2), run(3 * HOUR, usd_per_call * calls)
        parts = [gap(late), before, *([RESET] if reset else []), after]
        world.add("ai_inference_estimated_cost_usd_total", {**labels, "feature": name}, _notation(parts))
        parts = [gap(late), run(start - late, 2), *([RESET] if reset else []), run(3 * HOUR, calls)]
        world.add("ai_inference_calls_total", {**labels, "feature": name, "outcome": "ok"}, _notation(parts))

    feature("dearer", 0.03, 2)
    feature("busier", 0.01, 20)
    feature("restarted", 0.01, 2, reset=True)
    feature("born_late", 0.03, 2, late=start - 30)
    feature("few_calls", 0.03, 0.1)
    feature("idle", 0.03, 0)
    # As dear at this hour yesterday, and cheap between.
    dear, calls = run(5 * HOUR, 0.06), run(start + 3 * HOUR, 2)
    hours = values(dear, run(start - 5 * HOUR, 0.02), run(3 * HOUR, 0.06))
    world.add("ai_inference_estimated_cost_usd_total", {**labels, "feature": "diurnal"}, hours)
    world.add("ai_inference_calls_total", {**labels, "feature": "diurnal", "outcome": "ok"}, values(calls))

    world.firing("AIInferenceCostPerCallJump", start)
    world.firing("AIInferenceCostPerCallJump", start + 2 * HOUR, who("dearer", "warning"))
    world.says(
        "AIInferenceCostPerCallJump",
        start + 2 * HOUR,
        {"feature": "dearer", "team": "core", "severity": "warning"},
        "One call of dearer (team core) costs 0.0300 USD, far above normal.",
        "Over the last hour a call of dearer (team core) cost 0.0300 USD on average, more than 2 times the most it cost"
        " around this hour yesterday or a week ago. It made 120 calls in that hour.",
    )
    world.check(tmp_path)


def _notation(parts: list[tuple[str, int, float]]) -> str:
    return values(*(part for part in parts if part[1] or part[0] == "reset"))
