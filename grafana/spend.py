"""The dashboard that is opened first: what is spent now, by whom, why, and how it stands against the budgets."""

from __future__ import annotations

from . import recording as r
from .page import feature_variable, link_to, model_variable, page, team_variable
from .panels import NEEDS_RULES, RED_TO_GREEN, Column, Row, bar_gauge, query, stat, table, timeseries
from .queries import ALL, change, pick, saved_by_cache, share, yesterday

__all__ = ["dashboard"]

_COST = pick("ai_inference_estimated_cost_usd_total", ALL)
_CALLS = pick("ai_inference_calls_total", ALL)
_TOKENS = pick("ai_inference_tokens_total", ALL)
_INPUT = pick("ai_inference_tokens_total", ALL, token_type='!~"output.*"')
_CACHED = pick("ai_inference_tokens_total", ALL, token_type='=~"cache_read.*"')
_OUTPUT = pick("ai_inference_tokens_total", ALL, token_type='=~"output.*"')
_REASONING = pick("ai_inference_reasoning_tokens_total", ALL)
_REFUSED = pick("ai_inference_budget_refused_calls_total", ALL)
_MINE = '{team=~"$team", feature=~"$feature"}'
_MONTH = '{team=~"$team", feature=~"$feature", period="month"}'
_DAY = '{team=~"$team", feature=~"$feature", period="day"}'
_TO_FEATURE = [link_to("feature", "Open this feature", "&var-feature=${__value.raw}")]


def dashboard() -> dict[str, object]:
    """The Spend dashboard."""
    return page(
        "spend",
        "AI inference / Spend",
        "What LLM calls cost: now, by whom, why, and against the budgets. Estimates at list prices and your overlay; UTC.",
        [team_variable(), feature_variable(), model_variable()],
        [Row("Now", _now()), Row("Who", _who()), Row("Why", _why()), Row("Budgets", _budgets())],
    )


def _now() -> tuple[dict[str, object], ...]:
    top = f"topk(12, sum by (feature) (increase({_COST}[$__range] @ end())))"
    rate = f"sum by (feature) (rate({_COST}[$__rate_interval])) * 3600"
    day = "The calendar day in UTC at the end of the time range, up to six minutes behind. The model filter does not apply."
    return (
        stat(
            "Now, per hour",
            "Dollars per hour at the rate of the last 15 minutes of the time range.",
            f"sum(rate({_COST}[15m])) * 3600",
            "currencyUSD",
            decimals=2,
        ),
        stat(
            "Today so far",
            day,
            f"sum({r.DAY_TO_DATE}{_MINE})",
            "currencyUSD",
            decimals=2,
            none=NEEDS_RULES,
        ),
        stat(
            "Yesterday",
            "The last full calendar day in UTC, from the counters themselves, first values of new series included.",
            f"sum({yesterday(_COST, 'feature')})",
            "currencyUSD",
            decimals=2,
        ),
        stat(
            "Month to date",
            "The calendar month in UTC at the end of the time range, up to six minutes behind. The model filter does not apply.",
            f"sum({r.MONTH_TO_DATE}{_MINE})",
            "currencyUSD",
            decimals=2,
            none=NEEDS_RULES,
        ),
        stat(
            "Projected month",
            "Month to date, plus the daily average of the last week for each day that is left. The model filter does not apply.",
            f"sum({r.FORECAST}{_MINE})",
            "currencyUSD",
            decimals=2,
            none=NEEDS_RULES,
        ),
        stat(
            "Of budget",
            "The projected month of the features that have a budget, against the sum of those budgets.",
            f"""
            sum(
              sum by (feature) ({r.FORECAST})
              * on (feature) group_right () ({r.BUDGET}{_MONTH} > bool 0)
            )
            / sum({r.BUDGET}{_MONTH})""",
            "percentunit",
            decimals=0,
            limits=(0.9, 1.0),
            none="no budgets",
        ),
        timeseries(
            "Spend per hour by feature",
            "Dollars per hour. The twelve dearest features of the time range; all others are one area.",
            [
                query(f"{rate} and on (feature) {top}", "{{feature}}"),
                query(f"sum({rate} unless on (feature) {top})", "all others"),
            ],
            "currencyUSD",
            size=(16, 10),
            stack=True,
            decimals=2,
            calcs=("mean", "max"),
            right=True,
            interval="5m",
        ),
        table(
            "Yesterday by feature",
            "Dollars of the last full calendar day in UTC.",
            [f"{yesterday(_COST, 'feature')} > 0"],
            [
                Column("feature", "Feature", links=_TO_FEATURE),
                Column("A", "Yesterday", "prefix:$", 2, 100),
            ],
            size=(8, 10),
            sort="Yesterday",
        ),
    )


def _who() -> tuple[dict[str, object], ...]:
    by = "team, feature, model"
    cost = f"sum by ({by}) (increase({_COST}[$__range]))"
    week_ago = f"sum by ({by}) (increase({_COST}[$__range] offset 1w))"
    calls = f"sum by ({by}) (increase({_CALLS}[$__range]))"
    return (
        table(
            "Team, feature, model",
            "Calls and dollars in the time range; the change is against the same range a week before. No price: those dollars are missing, see Trust.",
            [
                f"{cost} and {calls} > 0",
                f"{change(cost, week_ago)} and {cost} > 0",
                f"{calls} > 0",
                f"{cost} / ({calls} > 0)",
                f"({cost} > 0) / scalar(sum({cost}))",
            ],
            [
                Column("team", "Team", width=130),
                Column("feature", "Feature", links=_TO_FEATURE),
                Column("model", "Model"),
                Column("A", "Cost", "prefix:$", 2, 100, none="no price"),
                Column("E", "Share", "percentunit", 1, 80),
                Column("B", "Against last week", "percentunit", 0, 140, limits=(0.2, 1.0)),
                Column("C", "Calls", "locale", 0, 110),
                Column("D", "Cost per call", "currencyUSD", 4, 120),
            ],
            size=(24, 13),
            sort="Cost",
        ),
        bar_gauge(
            "By team",
            "Dollars in the time range.",
            f"sort_desc(sum by (team) (increase({_COST}[$__range])) > 0)",
            "currencyUSD",
            "{{team}}",
            size=(12, 7),
        ),
        bar_gauge(
            "By model",
            "Dollars in the time range. A model without a price has none: see Trust.",
            f"sort_desc(sum by (model) (increase({_COST}[$__range])) > 0)",
            "currencyUSD",
            "{{model}}",
            size=(12, 7),
        ),
    )


def _why() -> tuple[dict[str, object], ...]:
    def with_last_week(now: str, legend: str = "now") -> list[dict[str, object]]:
        return [
            query(now, legend),
            query(now.replace("[$__rate_interval]", "[$__rate_interval] offset 1w"), "a week before"),
        ]

    calls, tokens = f"sum(rate({_CALLS}[$__rate_interval]))", f"sum(rate({_TOKENS}[$__rate_interval]))"
    cost = f"sum(rate({_COST}[$__rate_interval]))"
    return (
        timeseries(
            "Volume: calls per hour",
            "Spend = calls x tokens per call x price per token. The first factor.",
            with_last_week(f"{calls} * 3600"),
            "short",
            dashed="a week before",
            interval="5m",
        ),
        timeseries(
            "Size: tokens per call",
            "The second factor: input and output tokens of all kinds, for each call.",
            with_last_week(f"{tokens} / ({calls} > 0)"),
            "short",
            dashed="a week before",
            interval="15m",
        ),
        timeseries(
            "Price: dollars per million tokens",
            "The third factor: what a token cost on average. Model choice, output share and cache share move it.",
            with_last_week(f"{cost} / ({tokens} > 0) * 1e6"),
            "currencyUSD",
            decimals=2,
            dashed="a week before",
            interval="15m",
        ),
        stat(
            "Cache share",
            "Input tokens that were read from a prompt cache, of all input tokens in the time range.",
            share(f"sum(increase({_CACHED}[$__range]))", f"sum(increase({_INPUT}[$__range]))"),
            "percentunit",
            size=(4, 8),
            decimals=1,
        ),
        stat(
            "Cache saved",
            "What cached input would have cost as plain input at list prices, less what writing the cache cost extra.",
            saved_by_cache(ALL, "$__range"),
            "currencyUSD",
            size=(4, 8),
            decimals=2,
        ),
        stat(
            "Reasoning share",
            "Output tokens spent on reasoning, of all output tokens in the time range.",
            share(f"sum(increase({_REASONING}[$__range]))", f"sum(increase({_OUTPUT}[$__range]))"),
            "percentunit",
            size=(4, 8),
            decimals=1,
        ),
        timeseries(
            "Tokens per hour by kind",
            "The kinds are disjoint: their sum is all tokens.",
            [query(f"sum by (token_type) (rate({_TOKENS}[$__rate_interval])) * 3600", "{{token_type}}")],
            "short",
            size=(12, 8),
            stack=True,
            interval="5m",
        ),
    )


def _budgets() -> tuple[dict[str, object], ...]:
    budget = f"{r.BUDGET}{_MONTH}"
    to_date, forecast, week = (
        f"sum by (feature) ({name})" for name in (r.MONTH_TO_DATE, r.FORECAST, f"{r.COST}:rate7d")
    )
    hour = f"sum by (feature) ({r.COST}:rate1h)"
    pace = f"{r.BUDGET_PACE}{_MINE}"

    def of(side: str, operator: str, other: str) -> str:
        return f"sum by (feature, team) ({side} {operator} on (feature) group_right () {other})"

    left = f"clamp_min(({budget} - on (feature) group_left () {to_date}), 0)"
    return (
        table(
            "Budgets of this month",
            "UTC. Pace of the last hour: 1.0 spends the budget exactly by the end of the month. Lasts: at the daily average of the last week.",
            [
                f"sum by (feature, team) ({budget})",
                of(to_date, "*", f"({budget} > bool -1)"),
                f"sum by (feature, team) ({r.SPENT_RATIO}{_MONTH})",
                of(forecast, "/", budget),
                of(hour, "/", pace),
                f"sum by (feature, team) ({left} / on (feature) group_left () ({week} > 0) / 86400)",
            ],
            [
                Column("feature", "Feature", links=_TO_FEATURE),
                Column("team", "Team", width=105),
                Column("A", "Budget", "prefix:$", 0, 85),
                Column("B", "Spent", "prefix:$", 2, 95),
                Column("C", "Of budget", "percentunit", 0, 130, limits=(0.8, 1.0), gauge=True),
                Column("D", "Projected", "percentunit", 0, 90, limits=(0.9, 1.0)),
                Column("E", "Pace now", "suffix: x", 1, 90, limits=(2, 6)),
                Column("F", "Lasts", "d", 1, 95, limits=(3, 7), colours=RED_TO_GREEN),
            ],
            size=(24, 10),
            sort="Of budget",
            none="no budgets; or the recording rules are not loaded",
        ),
        timeseries(
            "Share of budget spent",
            "Month to date of each feature against its monthly budget, today against a daily one, UTC. The line is the whole budget.",
            [
                query(f"{r.SPENT_RATIO}{_MONTH}", "{{feature}}"),
                query(f"{r.SPENT_RATIO}{_DAY}", "{{feature}}, of the day"),
            ],
            "percentunit",
            size=(16, 8),
            decimals=0,
            calcs=("lastNotNull",),
            right=True,
            line_at=1,
            none="no budgets",
        ),
        timeseries(
            "Month to date against budget",
            "What was spent since the first of the month, UTC, of features with a budget, and the sum of their budgets.",
            [
                query(
                    f"sum(sum by (feature) ({r.MONTH_TO_DATE}) * on (feature) group_right () ({r.BUDGET}{_MONTH} > bool 0))",
                    "spent",
                ),
                query(
                    f"sum(sum by (feature) ({r.FORECAST}) * on (feature) group_right () ({r.BUDGET}{_MONTH} > bool 0))",
                    "projected month",
                ),
                query(f"sum({r.BUDGET}{_MONTH})", "budget"),
            ],
            "currencyUSD",
            decimals=0,
            dashed="projected month",
            none=NEEDS_RULES,
        ),
        timeseries(
            "Calls refused per hour",
            "Calls that budget guards did not let through, by feature: whoever made them got an error.",
            [query(f"sum by (feature) (rate({_REFUSED}[$__rate_interval])) * 3600", "{{feature}}")],
            "short",
            size=(24, 6),
            interval="5m",
            none="no guard refuses",
        ),
    )
