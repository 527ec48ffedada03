"""The alerts on what cannot be trusted, by promtool."""

from __future__ import annotations

import json

from tests.grafana.promtool import DAY, HOUR, RESET, World, gap, needs_promtool, run, values

pytestmark = needs_promtool
TRUST = ("spend", "quality", "trust-alerts")


def who(feature: str, **more: str) -> dict[str, str]:
    """The labels that a ticket about a feature carries."""
    return {"feature": feature, "team": "core", "severity": "warning", **more}


def test_unpriced_model(tmp_path) -> None:
    """One call without a price is reported, though its series was born with it; old ones and restarts are not news."""
    world = World(groups=TRUST, every="1m")
    length = 2 * HOUR

    def unpriced(
        feature: str, *parts: tuple[str, int, float], start: float = 0.0, model: str = "new-model"
    ) -> None:
        labels = {"model": model, "feature": feature, "reason": "unknown_model"}
        world.add("ai_inference_unpriced_calls_total", labels, values(*parts, start=start))
        world.calls(feature, run(length, 1))

    unpriced("born_with_it", gap(HOUR), run(HOUR), start=1)
    # A job of two minutes: what it did stays true when it is gone.
    unpriced("short_job", gap(HOUR + 1), run(2), start=1)
    unpriced("again", run(HOUR), run(1, 1), run(HOUR - 1), start=5)
    unpriced("long_ago", run(length), start=7)
    unpriced("restarted", run(HOUR), RESET, run(HOUR), start=7)
    # Scraped again after 90 minutes: what was counted before is not new, what a new process counts is.
    unpriced("not_scraped", run(10), gap(90), run(20), start=7)
    unpriced("new_process", run(10), gap(90), run(20, 1), start=300)
    world.calls("priced", run(length, 1))
    world.calls("idle", run(length))

    found = {"model": "new-model", "reason": "unknown_model"}
    world.firing("AIInferenceUnpricedModel", HOUR - 1)
    expected = [who(feature, **found) for feature in ("again", "born_with_it", "short_job")]
    world.firing("AIInferenceUnpricedModel", HOUR + 5, *expected)
    world.firing("AIInferenceUnpricedModel", HOUR + 20, *expected)
    # Half an hour after the last one it is over.
    world.firing("AIInferenceUnpricedModel", HOUR + 38)
    world.firing("AIInferenceUnpricedModel", HOUR + 45, who("new_process", **found))
    world.says(
        "AIInferenceUnpricedModel",
        HOUR,
        {"feature": "born_with_it", "team": "core", "severity": "warning", **found},
        "born_with_it (team core) calls new-model, of which something has no price (unknown_model).",
        "Calls of born_with_it (team core) to new-model without a full price in the last 30 minutes: 1, reason unknown_model."
        " Their dollars are missing from every panel and budget until the price table or your overlay has the model.",
    )
    world.check(tmp_path)


def test_unmeasured_calls(tmp_path) -> None:
    """A tenth of the calls without usage is reported after a quarter of an hour; one in a hundred is not."""
    world = World(groups=TRUST)
    length = 2 * HOUR
    for feature, unmeasured, calls in (
        ("tenth", 0.2, 2),
        ("hundredth", 0.02, 2),
        ("few_calls", 0.1, 0.1),
        ("idle", 0, 0),
    ):
        labels = {"model": "m", "feature": feature, "reason": "stream_cut"}
        world.add(
            "ai_inference_unmeasured_calls_total",
            labels,
            values(run(HOUR, unmeasured), RESET, run(HOUR, unmeasured)),
        )
        world.calls(feature, run(HOUR, calls), RESET, run(HOUR, calls))
    world.calls("absent", run(length, 2))
    late = {"model": "m", "feature": "born_late", "reason": "stream_cut"}
    world.add("ai_inference_unmeasured_calls_total", late, values(gap(length - 10), run(10, 0.2)))
    world.calls("born_late", run(length, 2))
    # A burst between two scrapes: the series is born with all of it, and never grows.
    burst = {"model": "m", "feature": "burst", "reason": "stream_cut"}
    world.add("ai_inference_unmeasured_calls_total", burst, values(gap(length - 30), run(30), start=30))
    world.calls("burst", run(length, 2))

    world.firing("AIInferenceUnmeasuredCalls", 10)
    world.firing("AIInferenceUnmeasuredCalls", length - 1, who("tenth"), who("burst"))
    world.check(tmp_path)


def test_tracking_errors_dropped_records_and_label_overflow(tmp_path) -> None:
    """The first fault of a stage, drop of a sink and overflow of a label are reported; zeros and old ones are not."""
    world = World(groups=TRUST)
    for alert, metric, label in (
        ("AIInferenceTrackingErrors", "ai_inference_tracking_errors_total", "stage"),
        ("AIInferenceRecordsDropped", "ai_inference_dropped_records_total", "reason"),
        ("AIInferenceLabelOverflow", "ai_inference_label_overflow_total", "label"),
    ):
        for value, parts, start in (
            ("new", (gap(HOUR), run(HOUR)), 1.0),
            ("zero", (run(2 * HOUR),), 0.0),
            ("old", (run(HOUR), RESET, run(HOUR)), 9.0),
        ):
            world.add(metric, {label: value}, values(*parts, start=start))
        world.firing(alert, HOUR - 5)
        world.firing(alert, HOUR + 10, {label: "new", "severity": "warning"})
        world.firing(alert, 2 * HOUR - 1)
    world.says(
        "AIInferenceTrackingErrors",
        HOUR + 10,
        {"stage": "new", "severity": "warning"},
        "The tracking itself failed at stage new.",
        "Faults of the tracking at stage new in the last 30 minutes: 1. The calls were not affected; what they cost may be"
        " missing.",
    )
    world.check(tmp_path)


def test_price_table_stale(tmp_path) -> None:
    """A table of 46 days is reported after an hour, whatever newer ones other processes use; one of 44 days is not."""
    world = World(groups=TRUST)
    for version, days, parts in (("old", 46, ()), ("fresh", 44, ()), ("born_late", 90, (gap(90),))):
        aging = values(*parts, run(2 * HOUR - sum(part[1] for part in parts), 60), start=days * 86400)
        world.add("ai_inference_price_table_age_seconds", {"version": version, "sha256": "s"}, aging)

    # A nightly job is there for half an hour, and has the old table all day; an upgrade has another one at once.
    for version, job, minutes in (("of_a_job", "nightly", 30), ("replaced", "api", 10)):
        labels = {"version": version, "sha256": "s", "job": job}
        world.add("ai_inference_price_table_age_seconds", labels, values(run(minutes, 60), start=60 * 86400))

    world.firing("AIInferencePriceTableStale", 30)
    stale = [{"version": version, "severity": "warning"} for version in ("old", "of_a_job")]
    world.firing("AIInferencePriceTableStale", 2 * HOUR - 1, *stale)
    world.check(tmp_path)


def test_bill_coverage(tmp_path) -> None:
    """A bill that is explained to 90 % is reported; 97 % is not, nor a bill that was never looked at."""
    world = World(groups=TRUST)
    for provider, share in (("anthropic", 0.9), ("openai", 0.97)):
        world.add("ai_inference_bill_coverage_ratio", {"vendor": provider}, f"{share}x180")
    world.add("ai_inference_bill_coverage_ratio", {"vendor": "born_late"}, "_x110 0.5x70")
    world.add("ai_inference_bill_coverage_ratio", {"vendor": "gone"}, "0.5x60")

    world.firing("AIInferenceBillCoverageLow", 30)
    world.firing("AIInferenceBillCoverageLow", 2 * HOUR, {"vendor": "anthropic", "severity": "warning"})
    world.check(tmp_path)


def test_bill_price_error(tmp_path) -> None:
    """Prices that are 6 % off either way are reported, with their sign; 4 % are not, nor a bill that was never looked at."""
    world = World(groups=TRUST)
    for vendor, error in (("above", 0.06), ("below", -0.06), ("near", 0.04), ("nearly", -0.04)):
        world.add("ai_inference_bill_price_error_ratio", {"vendor": vendor}, f"{error}x180")
    world.add("ai_inference_bill_price_error_ratio", {"vendor": "born_late"}, "_x110 0.5x70")

    world.firing("AIInferenceBillPriceError", 30)
    fires = ({"vendor": vendor, "severity": "warning"} for vendor in ("above", "below"))
    world.firing("AIInferenceBillPriceError", 2 * HOUR, *fires)
    found = {"vendor": "below", "severity": "warning"}
    world.says(
        "AIInferenceBillPriceError",
        2 * HOUR,
        found,
        "Our prices of below are -6% off its bill.",
        "The last reconciliation prices the recorded calls -6% off what below charged for them, more than 5% either way; above"
        " 0 we say more than the vendor. Every dollar of this vendor in panels and budgets is off by as much.",
    )
    above = json.loads(
        json.dumps(world.texts[0]["exp_alerts"][0]).replace("below", "above").replace("-6%", "6%")
    )
    # "above" is a word of the text too.
    world.texts[0]["exp_alerts"].append(above)
    world.check(tmp_path)


def test_bill_stale(tmp_path) -> None:
    """A reconciliation of nine days ago is reported, and so is one whose file is gone; a weekly job is not."""
    world = World(groups=("trust-alerts",), every="1h")
    length, step = 20 * DAY, 7 * DAY
    started = "ai_inference_bill_reconciled_timestamp_seconds"
    world.add(started, {"vendor": "stopped"}, f"0x{length}")
    weekly = " ".join(f"{week * step * 60}x{step - 1}" for week in range(3))
    world.add(started, {"vendor": "weekly"}, weekly)
    world.add(started, {"vendor": "gone"}, f"0x{DAY} _x{length - DAY}")
    world.add(started, {"vendor": "born_late"}, f"_x{15 * DAY} {15 * DAY * 60}x{5 * DAY}")

    stopped, gone = ({"vendor": vendor, "severity": "warning"} for vendor in ("stopped", "gone"))
    world.firing("AIInferenceBillStale", 7 * DAY)
    world.firing("AIInferenceBillStale", 10 * DAY, stopped, gone)
    world.firing("AIInferenceBillStale", 19 * DAY, stopped, gone)
    world.check(tmp_path)


def test_workers_not_merged(tmp_path) -> None:
    """Start times that go back are workers in turn; a process that restarts only goes forward, and others are not ours."""
    world = World(groups=TRUST, every="1m")
    turns = " ".join(["100", "160"] * 30)
    for job, starts, ours in (
        ("turns", turns, True),
        ("crashing", "100+60x59", True),
        ("other", turns, False),
    ):
        world.add("process_start_time_seconds", {"job": job}, starts)
        if ours:
            world.add("ai_inference_price_table_info", {"job": job, "version": "v", "sha256": "s"}, "1x60")

    world.value(
        'count by (job) (ALERTS{alertname="AIInferenceWorkersNotMerged", alertstate="firing"})',
        30,
        ({"job": "turns"}, 1),
    )
    world.value('count(ALERTS{alertname="AIInferenceWorkersNotMerged"})', 0)
    world.check(tmp_path)


def test_silence_without_any_metric(tmp_path) -> None:
    """Where nothing of this package is scraped, no alert of it fires."""
    world = World()
    world.add("up", {}, f"1x{DAY}")

    world.value("ALERTS", DAY)
    world.check(tmp_path)
