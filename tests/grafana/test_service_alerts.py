"""The alerts on how calls go, by promtool."""

from __future__ import annotations

from tests.grafana.promtool import DAY, HOUR, RESET, World, gap, needs_promtool, run, scaled, values

pytestmark = needs_promtool
SERVICE = ("spend", "quality", "service-alerts")
FEW = ("rate1h_baseline", "rate6h", "rate30m")


def who(feature: str, **more: str) -> dict[str, str]:
    """The labels that a ticket about a feature carries."""
    return {"feature": feature, "team": "core", "severity": "warning", **more}


def test_retry_storm(tmp_path) -> None:
    """Two extra requests for each call are a storm, through a restart too; one in ten calls is not."""
    world = World(groups=SERVICE, leave_out=FEW, every="1m")
    for feature, retries, calls in (("storm", 4, 2), ("calm", 0.2, 2), ("few_calls", 2, 0.5), ("idle", 0, 0)):
        parts = (run(30, 1), RESET, run(30, 1))
        world.add(
            "ai_inference_retries_total", {"model": "m", "feature": feature}, values(*scaled(parts, retries))
        )
        world.calls(feature, *scaled(parts, calls))
    world.add(
        "ai_inference_retries_total", {"model": "m", "feature": "born_late"}, values(gap(58), run(2, 4))
    )
    world.calls("born_late", run(60, 2))
    world.calls("absent", run(60, 2))

    world.firing("AIInferenceRetryStorm", 3)
    world.firing("AIInferenceRetryStorm", 59, who("storm"))
    world.says(
        "AIInferenceRetryStorm",
        29,
        {"feature": "storm", "team": "core", "severity": "warning"},
        "storm (team core) retries: 2.0 extra requests for each call.",
        "Over 15 minutes the SDK sent 2.0 extra requests for each of 30 calls of storm (team core). Requests that failed are"
        " usually not billed, those that timed out on your side may be.",
    )
    world.check(tmp_path)


def test_error_ratio(tmp_path) -> None:
    """A fifth of the calls failing is reported with the team that makes them; a twentieth is not."""
    world = World(groups=SERVICE, leave_out=FEW, every="1m")
    for feature, failed in (("broken", 0.5), ("sound", 0.1)):
        world.calls(feature, run(30, 2 - failed), RESET, run(30, 2 - failed))
        world.calls(feature, run(30, failed), RESET, run(30, failed), outcome="error")
    world.calls("few_calls", run(60, 0.5), outcome="error")
    world.calls("born_late", gap(58), run(2, 5), outcome="error")
    world.calls("idle", run(60), outcome="error")

    world.firing("AIInferenceErrorRatio", 3)
    world.firing("AIInferenceErrorRatio", 59, who("broken"))
    world.says(
        "AIInferenceErrorRatio",
        29,
        {"feature": "broken", "team": "core", "severity": "warning"},
        "25% of the calls of broken (team core) fail.",
        "25% of 30 calls of broken (team core) in the last 15 minutes ended in an error after the SDK's own retries.",
    )
    world.check(tmp_path)


def _durations(world: World, metric: str, feature: str, *parts: tuple[float, tuple[str, int, float]]) -> None:
    """All calls of a stretch take as long as said; buckets as the library has them, coarsened."""
    for bound in ("1.0", "5.0", "10.0", "30.0", "60.0", "+Inf"):
        course = tuple(
            (kind, minutes, rate if float(bound.replace("+Inf", "inf")) >= seconds else 0.0)
            for seconds, (kind, minutes, rate) in parts
        )
        world.add(f"{metric}_bucket", {"model": "m", "feature": feature, "le": bound}, values(*course))


def test_latency_and_first_token(tmp_path) -> None:
    """Three times slower than yesterday is reported; slow as ever, fast, few calls and new features are not."""
    for number, (alert, metric) in enumerate(
        (
            ("AIInferenceLatencyHigh", "ai_inference_duration_seconds"),
            ("AIInferenceFirstTokenSlow", "ai_inference_time_to_first_token_seconds"),
        )
    ):
        world = World(groups=SERVICE, leave_out=FEW)
        before, after = 26 * HOUR, 2 * HOUR
        for feature, was, now, calls in (
            ("slower", 10, 60, 2),
            ("slow_as_ever", 60, 60, 2),
            ("fast", 0.5, 1, 2),
            ("few_calls", 10, 60, 0.1),
            ("idle", 10, 60, 0),
        ):
            _durations(world, metric, feature, (was, run(before, calls)), (now, run(after, calls)))
            world.calls(feature, run(before + after, calls))
        _durations(world, metric, "restarted", (10, run(before, 2)), (10, RESET), (10, run(after, 2)))
        world.calls("restarted", run(before, 2), RESET, run(after, 2))
        _durations(world, metric, "born_late", (60, gap(before)), (60, run(after, 2)))
        world.calls("born_late", gap(before), run(after, 2))
        # As slow as now at this hour yesterday, and fast between.
        night, day = run(5 * HOUR, 2), run(before - 5 * HOUR, 2)
        _durations(world, metric, "diurnal", (60, night), (10, day), (60, run(after, 2)))
        world.calls("diurnal", run(before + after, 2))

        world.firing(alert, before)
        world.firing(alert, before + after - 1, who("slower"))
        folder = tmp_path / str(number)
        folder.mkdir()
        world.check(folder)


def test_cache_share_drop(tmp_path) -> None:
    """A cache share that fell from 60 % to 10 %, or to nothing at all, is reported; never cached and unchanged are not."""
    world = World(groups=SERVICE, leave_out=FEW)
    before, after = 26 * HOUR, 2 * HOUR

    def feature(name: str, was: float, now: float, calls: float = 2, *, gone: bool = False) -> None:
        labels = {"model": "m", "feature": name}
        read = values(run(before, 100 * was), *([gap(after)] if gone else [run(after, 100 * now)]))
        plain = values(run(before, 100 * (1 - was)), run(after, 100 * (1 - now)))
        world.add("ai_inference_tokens_total", {**labels, "token_type": "cache_read"}, read)
        world.add("ai_inference_tokens_total", {**labels, "token_type": "input"}, plain)
        world.add(
            "ai_inference_tokens_total", {**labels, "token_type": "output"}, values(run(before + after, 50))
        )
        world.calls(name, run(before + after, calls))

    feature("dropped", 0.6, 0.1)
    feature("vanished", 0.6, 0.0, gone=True)
    feature("unchanged", 0.6, 0.55)
    feature("never", 0.01, 0.0)
    feature("few_calls", 0.6, 0.1, calls=0.1)
    world.calls("idle", run(before + after))
    night, day = 5 * HOUR, before - 5 * HOUR
    for name, read, plain in (
        ("restarted", (run(before, 60), RESET, run(after, 60)), (run(before, 40), RESET, run(after, 40))),
        ("born_late", (gap(before), run(after, 10)), (gap(before), run(after, 90))),
        # As little from the cache at this hour yesterday.
        (
            "diurnal",
            (run(night, 30), run(day, 90), run(after, 30)),
            (run(night, 70), run(day, 10), run(after, 70)),
        ),
    ):
        for kind, parts in (("cache_read", read), ("input", plain)):
            labels = {"model": "m", "feature": name, "token_type": kind}
            world.add("ai_inference_tokens_total", labels, values(*parts))
        world.calls(name, run(before + after, 2))

    world.firing("AIInferenceCacheShareDrop", before)
    world.firing("AIInferenceCacheShareDrop", before + after - 1, who("dropped"), who("vanished"))
    world.says(
        "AIInferenceCacheShareDrop",
        before + after - 5,
        {"feature": "dropped", "team": "core", "severity": "warning"},
        "Only 10% of the input of dropped (team core) comes from the cache.",
        "Over the last hour 10% of the input tokens of dropped (team core) were read from the prompt cache, less than 0.5 times"
        " the share around this hour yesterday and a week ago. Uncached input costs about ten times as much.",
    )
    world.texts[-1]["exp_alerts"].append(
        {
            "exp_labels": {"feature": "vanished", "team": "core", "severity": "warning"},
            "exp_annotations": {
                "summary": "Only 0% of the input of vanished (team core) comes from the cache.",
                "description": "Over the last hour 0% of the input tokens of vanished (team core) were read from the prompt"
                " cache, less than 0.5 times the share around this hour yesterday and a week ago. Uncached input costs about"
                " ten times as much.",
                "runbook_url": "docs/runbooks/AIInferenceCacheShareDrop.md",
            },
        }
    )
    world.check(tmp_path)


def test_no_data(tmp_path) -> None:
    """Traffic that stops, or metrics that vanish, are reported where traffic is expected: not at night, not for a batch."""
    world = World(groups=SERVICE, leave_out=FEW)
    week = 7 * DAY
    office = [part for _ in range(8) for part in (run(8 * HOUR), run(10 * HOUR, 2), run(6 * HOUR))]
    stop = week + 12 * HOUR  # Thursday noon, as the day before and the week before

    def until(parts: list[tuple[str, int, float]], minutes: int) -> list[tuple[str, int, float]]:
        out, left = [], minutes
        for kind, length, rate in parts:
            out.append((kind, min(length, left), rate))
            left -= out[-1][1]
        return [part for part in out if part[1]]

    world.calls("stopped", *until(office, stop), run(12 * HOUR))
    world.calls("vanished", *until(office, stop))
    world.calls("working", *office)
    world.calls("batch", *[part for _ in range(8) for part in (run(12 * HOUR), run(HOUR, 2), run(11 * HOUR))])
    world.calls("young_and_busy", gap(stop - 2 * DAY), run(2 * DAY, 2))
    world.calls("restarted", *until(office, stop), RESET, run(6 * HOUR, 2), run(6 * HOUR))
    world.calls("idle", run(8 * DAY))
    # Another team took it over; the one that always shared it with the team that stopped did not.
    world.calls("moved", *until(office, stop))
    world.calls("moved", gap(stop), run(12 * HOUR, 2), team="other")
    world.calls("shared", *until(office, stop))
    world.calls("shared", *office, team="other")

    # Day 0 is a Thursday; the second Saturday is as quiet as the first.
    weekdays = [
        part for day in range(10) for part in (run(8 * HOUR), run(16 * HOUR, 2 * (day % 7 not in {2, 3})))
    ]
    world.calls("weekdays", *weekdays)
    for hour in (2, 9, 12, 18):
        world.value('ALERTS{alertname="AIInferenceNoData", feature="weekdays"}', 9 * DAY + hour * HOUR)

    expected = (who("stopped"), who("vanished"), who("young_and_busy"), who("shared"))
    world.firing("AIInferenceNoData", stop - 5)
    world.firing("AIInferenceNoData", stop + 45, *expected)
    world.firing("AIInferenceNoData", week + 23 * HOUR)
    world.check(tmp_path)
