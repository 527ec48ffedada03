"""
The recorded series: short ones, a few for each feature, that dashboards and alerts read instead of every process's own.

Names say level:metric:operation; the level lists the labels that are left.
A group reads what other groups recorded up to a minute ago and never relies on their order; inside a group order counts.
All calendar arithmetic is in UTC, as `month()` and `hour()` are.
"""

from __future__ import annotations

from textwrap import dedent
from typing import TYPE_CHECKING, Any

from .names import raw

if TYPE_CHECKING:
    from .settings import Settings

__all__ = [
    "BASELINE",
    "BUDGET",
    "BUDGET_PACE",
    "CACHE_SHARE",
    "CALLS",
    "COST",
    "COST_PER_CALL",
    "DAY_TO_DATE",
    "FIRST_TOKEN_P95",
    "FORECAST",
    "FORECAST_RATIO",
    "LATENCY_P95",
    "MONTH_TO_DATE",
    "OWNER",
    "SPENT_RATIO",
    "STARTS",
    "TABLES",
    "recorded_labels",
    "recording_groups",
]

# The level `feature_team` is the one of money and calls: those metrics carry the team themselves.
COST = "feature_team:ai_inference_estimated_cost_usd"
CALLS = "feature_team:ai_inference_calls"
BASELINE = f"{COST}:rate1h_baseline"
COST_PER_CALL = "feature_team:ai_inference_cost_per_call_usd:ratio1h"
DAY_TO_DATE = f"{COST}:day_to_date"
MONTH_TO_DATE = f"{COST}:month_to_date"
FORECAST = f"{COST}:month_forecast"
_MONTH_HOURS = "feature_team_month:ai_inference_estimated_cost_usd:increase1h"
_DAY_HOURS = "feature_team_day:ai_inference_estimated_cost_usd:increase1h"
_FIVE_MINUTES = "feature_team_hour:ai_inference_estimated_cost_usd:increase5m"
# A budget belongs to a feature; its team label says who is told.
_EXPORTED_BUDGET = "feature_team_period:ai_inference_budget_usd:max"
BUDGET = "feature_team_period:ai_inference_budget_usd:last"
BUDGET_PACE = "feature_team:ai_inference_budget_usd:month_pace"
SPENT_RATIO = "feature_team_period:ai_inference_budget:spent_ratio"
FORECAST_RATIO = "feature_team_period:ai_inference_budget:forecast_ratio"
# Metrics without a team get it from here: one team for each feature, always.
OWNER = "feature_team:ai_inference_owner:info"
LATENCY_P95 = "feature:ai_inference_duration_seconds:p95_30m"
FIRST_TOKEN_P95 = "feature:ai_inference_time_to_first_token_seconds:p95_30m"  # noqa: S105  # no password, a metric
CACHE_SHARE = "feature:ai_inference_cache_read:ratio1h"
TABLES = "version_sha256:ai_inference_price_table:count"
STARTS = "job:ai_inference_instances:started5m"


def recorded_labels() -> dict[str, tuple[str, ...]]:
    """The labels of each recorded series, read from the level of its name; `started5m` has those of scraping."""
    known = ("feature", "team", "month", "day", "hour", "period", "version", "sha256", "job")
    names = [rule["record"] for group in recording_groups() for rule in group["rules"]]
    return {
        str(name): tuple(label for label in known if label in str(name).split(":")[0].split("_"))
        for name in names
    }


def recording_groups(settings: Settings | None = None) -> list[dict[str, Any]]:
    """The groups of `rules/recording.yaml`."""
    extra = settings.matchers if settings is not None else ()
    return [
        {"name": "tracked-inference.spend", "interval": "1m", "rules": _spend(extra)},
        {"name": "tracked-inference.accounting", "interval": "1m", "rules": _accounting()},
        {"name": "tracked-inference.budgets", "interval": "1m", "rules": _budgets(extra)},
        {"name": "tracked-inference.quality", "interval": "1m", "rules": _quality(extra)},
        {"name": "tracked-inference.processes", "interval": "1m", "rules": _processes(extra)},
    ]


def _rule(record: str, expr: str) -> dict[str, str]:
    return {"record": record, "expr": dedent(expr).strip()}


def _spend(extra: tuple[str, ...]) -> list[dict[str, str]]:
    cost = raw("ai_inference_estimated_cost_usd_total", *extra)
    calls = raw("ai_inference_calls_total", *extra)
    rate = f"{COST}:rate1h"
    return [
        *(
            _rule(f"{COST}:rate{window}", f"sum by (feature, team) (rate({cost}[{window}]))")
            for window in ("5m", "15m", "30m", "1h", "6h")
        ),
        *(
            _rule(f"{CALLS}:increase{window}", f"sum by (feature, team) (increase({calls}[{window}]))")
            for window in ("15m", "1h")
        ),
        _rule(COST_PER_CALL, f"{rate} * 3600 / ({CALLS}:increase1h > 0)"),
        # What is normal for this hour: the dearest hour within an hour of now, one day ago or one week ago.
        # A feature that did not spend a week ago is judged by its dearest hour ever, once it has spent for over a day:
        # the first Monday of an office tool is not a runaway, and a launch is the budget rules' business.
        _rule(
            BASELINE,
            f"""
            max by (feature, team) (
                label_replace(max_over_time({rate}[3h] offset 23h), "of", "yesterday", "", "")
              or
                label_replace(max_over_time({rate}[3h] offset 167h), "of", "last week", "", "")
              or
                label_replace(
                  max_over_time({rate}[6d:30m] offset 23h) unless (max_over_time({rate}[1d:30m] offset 7d) > 0),
                  "of", "ever", "", ""
                )
            )
            and (
                max_over_time({rate}[6d:30m] offset 25h) > 0
              or
                max_over_time({rate}[1d:30m] offset 7d) > 0
            )
            """,
        ),
    ]


def _accounting() -> list[dict[str, str]]:
    rate = f"{COST}:rate1h"
    full_hours = f"{COST}:month_full_hours"
    day_full_hours = f"{COST}:day_full_hours"
    this_hour = f"{COST}:hour_to_date"
    return [
        # Month and day are labels on samples, so that "this month" is a label match and not date arithmetic.
        # The middle of the window decides: the sample of 00:00 on the 1st belongs to the month before.
        # Two series rather than one with both labels: a month's sum then looks at one series, not at thirty.
        *(
            _rule(
                name,
                f"""
                {rate} * 3600
                * on () group_left ({label}) count_values("{label}", {function}(vector(time() - 1800)))
                """,
            )
            for name, label, function in (
                (_MONTH_HOURS, "month", "month"),
                (_DAY_HOURS, "day", "day_of_month"),
            )
        ),
        _rule(
            _FIVE_MINUTES,
            f"""
            {COST}:rate5m * 300
            * on () group_left (hour) count_values("hour", hour(vector(time() - 150)))
            """,
        ),
        # A subquery takes its samples at full hours (and full five minutes) of the clock.
        # Where a new hour, day or month has nothing yet it is a 0: an absent series may be read for five minutes more.
        *(
            _rule(
                name,
                f"""
                sum by (feature, team) (
                  sum_over_time({series}[{window}]) and on ({label}) count_values("{label}", {function}())
                )
                or
                {rate} * 0
                """,
            )
            for name, series, window, label, function in (
                (this_hour, _FIVE_MINUTES, "1h:5m", "hour", "hour"),
                (full_hours, _MONTH_HOURS, "32d:1h", "month", "month"),
                (day_full_hours, _DAY_HOURS, "25h:1h", "day", "day_of_month"),
            )
        ),
        # No hole when the processes of a job are gone.
        *(
            _rule(name, f"({hours} + {this_hour}) or {hours} or {this_hour}")
            for name, hours in ((MONTH_TO_DATE, full_hours), (DAY_TO_DATE, day_full_hours))
        ),
        _rule(f"{COST}:increase1d", f"sum_over_time({rate}[1d:1h]) * 3600"),
        # The run rate of the last week; a younger feature's is that of its own days, at least one.
        # n hourly samples stand for n hours, and their first is n - 1 to n hours old: half an hour is added.
        _rule(
            f"{COST}:rate7d",
            f"""
            sum_over_time({rate}[7d:1h]) * 3600
            / clamp(time() - min_over_time(timestamp({rate})[7d:1h]) + 1800, 86400, 604800)
            """,
        ),
        # Month to date + run rate x the rest of the month; predict_linear is wrong by up to 500 % at month starts.
        _rule(
            FORECAST,
            f"""
            ({MONTH_TO_DATE} + {COST}:rate7d * scalar(
              days_in_month() * 86400 - ((day_of_month() - 1) * 86400 + hour() * 3600 + minute() * 60)
            ))
            or {MONTH_TO_DATE}
            """,
        ),
    ]


def _budgets(extra: tuple[str, ...]) -> list[dict[str, str]]:
    budget, info = (raw(f"ai_inference_{name}", *extra) for name in ("budget_usd", "feature_info"))
    of_period = {period: f'{BUDGET}{{period="{period}"}}' for period in ("month", "day")}
    return [
        # Every process exports the same budget: the largest, never the sum.
        _rule(_EXPORTED_BUDGET, f"max by (feature, team, period) ({budget})"),
        # A nightly or weekly job takes its budget along when it ends; it holds until the next run.
        # Where a process still declares the feature and no budget for it, the budget was withdrawn.
        _rule(
            BUDGET,
            f"""
            {_EXPORTED_BUDGET}
            or
            (last_over_time({_EXPORTED_BUDGET}[8d]) unless on (feature) {info})
            """,
        ),
        # The even pace that spends the budget by the end of this month, USD per second.
        _rule(
            BUDGET_PACE,
            f"max by (feature, team) ({of_period['month']}) / scalar(days_in_month() * 86400)",
        ),
        # All teams' spend on the feature counts against it.
        _rule(
            SPENT_RATIO,
            f"""
            (sum by (feature) ({MONTH_TO_DATE}) / on (feature) group_right () {of_period["month"]})
            or
            (sum by (feature) ({DAY_TO_DATE}) / on (feature) group_right () {of_period["day"]})
            """,
        ),
        _rule(
            FORECAST_RATIO,
            f"sum by (feature) ({FORECAST}) / on (feature) group_right () {of_period['month']}",
        ),
    ]


def _quality(extra: tuple[str, ...]) -> list[dict[str, str]]:
    cache_read = raw("ai_inference_tokens_total", *extra, token_type='=~"cache_read.*"')
    read_in = raw("ai_inference_tokens_total", *extra, token_type='!~"output.*"')
    info = raw("ai_inference_feature_info", *extra)
    calls = raw("ai_inference_calls_total", *extra)
    return [
        # The declared team; without a declaration the one with most calls. topk keeps exactly one for each feature.
        _rule(
            OWNER,
            f"""
            count by (feature, team) (
              topk by (feature) (
                1,
                max by (feature, team) (last_over_time({info}[1h])) * 1e15
                or
                sum by (feature, team) (last_over_time({calls}[1h]))
              )
            )
            """,
        ),
        *(
            _rule(
                name,
                f"histogram_quantile(0.95, sum by (feature, le) (rate({raw(metric + '_bucket', *extra)}[30m])))",
            )
            for name, metric in (
                (LATENCY_P95, "ai_inference_duration_seconds"),
                (FIRST_TOKEN_P95, "ai_inference_time_to_first_token_seconds"),
            )
        ),
        # Zero, not absent, when nothing is read from a cache any more: an alert must see it.
        _rule(
            CACHE_SHARE,
            f"""
            (
              sum by (feature) (rate({cache_read}[1h]))
              or
              sum by (feature) (rate({read_in}[1h])) * 0
            )
            / (sum by (feature) (rate({read_in}[1h])) > 0)
            """,
        ),
    ]


def _processes(extra: tuple[str, ...]) -> list[dict[str, str]]:
    info = raw("ai_inference_price_table_info", *extra)
    return [
        _rule(TABLES, f"count by (version, sha256) ({info})"),
        # Deploys: instances that were not there, and processes that started anew where one was.
        _rule(
            STARTS,
            f"""
            count by (job) (
                ({info} unless on (job, instance) {info} offset 5m)
              or
                ({info} and on (job, instance) changes(process_start_time_seconds[5m]) > 0)
            )
            """,
        ),
    ]
