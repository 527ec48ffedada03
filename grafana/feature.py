"""One feature in depth, against its own last week."""

from __future__ import annotations

from . import recording as r
from .page import feature_variable, model_variable, page
from .panels import NEEDS_RULES, Row, heatmap, query, stat, timeseries
from .queries import ONE, pick, share, yesterday

__all__ = ["dashboard"]

_COST = pick("ai_inference_estimated_cost_usd_total", ONE)
_CALLS = pick("ai_inference_calls_total", ONE)
_TOKENS = pick("ai_inference_tokens_total", ONE)
_INPUT = pick("ai_inference_tokens_total", ONE, token_type='!~"output.*"')
_CACHED = pick("ai_inference_tokens_total", ONE, token_type='=~"cache_read.*"')
_RETRIES = pick("ai_inference_retries_total", ONE)
_PER_CALL = pick("ai_inference_cost_per_call_usd_bucket", ONE)
_DURATION = pick("ai_inference_duration_seconds_bucket", ONE)
_FIRST_TOKEN = pick("ai_inference_time_to_first_token_seconds_bucket", ONE)
_OPEN = pick("ai_inference_calls_in_progress", ONE)
_WEEK = "a week before"
_MINE = '{feature=~"$feature"}'
_MONTH = '{feature=~"$feature", period="month"}'


def dashboard() -> dict[str, object]:
    """The Feature dashboard."""
    return page(
        "feature",
        "AI inference / Feature",
        "One feature, or all together: what it costs, how its calls are made, how fast and how sound they are, against its own last week.",
        [feature_variable(many=False), model_variable()],
        [
            Row("Feature: $feature", _head()),
            Row("Money", _money()),
            Row("Tokens", _tokens()),
            Row("Time", _time()),
            Row("Soundness", _soundness()),
        ],
        since="now-2d",
    )


def _rate(selector: str, by: str = "") -> str:
    return f"sum{f' by ({by})' if by else ''} (rate({selector}[$__rate_interval]))"


def _and_week(expr: str, legend: str = "now") -> list[dict[str, object]]:
    before = expr.replace("[$__rate_interval]", "[$__rate_interval] offset 1w")
    return [query(expr, legend), query(before, _WEEK)]


def _quantiles(selector: str) -> list[dict[str, object]]:
    summed = f"sum by (le) (rate({selector}[$__rate_interval]))"
    worst = f"histogram_quantile(0.95, {summed})".replace(
        "[$__rate_interval]", "[$__rate_interval] offset 1w"
    )
    return [
        query(f"histogram_quantile(0.5, {summed})", "median"),
        query(f"histogram_quantile(0.95, {summed})", "95 %", exemplar=True),
        query(f"histogram_quantile(0.99, {summed})", "99 %"),
        query(worst, f"95 %, {_WEEK}"),
    ]


def _head() -> tuple[dict[str, object], ...]:
    cost, calls = f"sum(increase({_COST}[$__range]))", f"sum(increase({_CALLS}[$__range]))"
    failed = pick("ai_inference_calls_total", ONE, outcome='="error"')
    return (
        stat(
            "Yesterday",
            "The last full calendar day in UTC, from the counters themselves.",
            f"sum({yesterday(_COST, 'feature')})",
            "currencyUSD",
            decimals=2,
        ),
        stat(
            "Month to date",
            "The calendar month in UTC, up to six minutes behind. The model filter does not apply.",
            f"sum({r.MONTH_TO_DATE}{_MINE})",
            "currencyUSD",
            decimals=2,
            none=NEEDS_RULES,
        ),
        stat(
            "Of budget",
            "Month to date of the features that have a monthly budget, against the sum of those budgets.",
            f"""
            sum(
              sum by (feature) ({r.MONTH_TO_DATE})
              * on (feature) group_right () ({r.BUDGET}{_MONTH} > bool 0)
            )
            / sum({r.BUDGET}{_MONTH})""",
            "percentunit",
            decimals=0,
            limits=(0.8, 1.0),
            none="no budget",
        ),
        stat(
            "Cost per call",
            "Average over the time range.",
            f"{cost} / ({calls} > 0)",
            "currencyUSD",
            decimals=4,
        ),
        stat("Calls", "In the time range.", calls, "locale", decimals=0),
        stat(
            "Failed calls",
            "Calls that ended in an error after the SDK's own retries, of all calls in the time range.",
            share(f"sum(increase({failed}[$__range]))", calls),
            "percentunit",
            decimals=2,
            limits=(0.01, 0.1),
        ),
    )


def _money() -> tuple[dict[str, object], ...]:
    return (
        timeseries(
            "Dollars per hour",
            "Against the same time a week before.",
            _and_week(f"{_rate(_COST)} * 3600"),
            "currencyUSD",
            decimals=2,
            dashed=_WEEK,
            interval="5m",
        ),
        timeseries(
            "Dollars per hour by model",
            "Which models the money goes to.",
            [query(f"{_rate(_COST, 'model')} * 3600", "{{model}}")],
            "currencyUSD",
            decimals=2,
            stack=True,
            interval="5m",
        ),
        timeseries(
            "Cost per call",
            "Average, against the same time a week before.",
            _and_week(f"{_rate(_COST)} / ({_rate(_CALLS)} > 0)"),
            "currencyUSD",
            decimals=4,
            dashed=_WEEK,
            interval="15m",
        ),
        heatmap(
            "Cost per call, distribution",
            "How many calls fell into each price bracket; brackets are upper bounds in dollars. All models.",
            f"sum by (le) (increase({_PER_CALL}[$__rate_interval]))",
            "currencyUSD",
        ),
        timeseries(
            "Cost per call, percentiles",
            "From the same brackets, so between their bounds it is an interpolation. All models.",
            _quantiles(_PER_CALL),
            "currencyUSD",
            size=(12, 8),
            decimals=4,
            dashed=_WEEK,
            interval="15m",
        ),
    )


def _tokens() -> tuple[dict[str, object], ...]:
    return (
        timeseries(
            "Tokens per hour by kind",
            "The kinds are disjoint: their sum is all tokens.",
            [query(f"{_rate(_TOKENS, 'token_type')} * 3600", "{{token_type}}")],
            "short",
            stack=True,
            interval="5m",
        ),
        timeseries(
            "Tokens per call",
            "All kinds, against the same time a week before.",
            _and_week(f"{_rate(_TOKENS)} / ({_rate(_CALLS)} > 0)"),
            "short",
            dashed=_WEEK,
            interval="15m",
        ),
        timeseries(
            "Cache share of input",
            "Input tokens read from the prompt cache, of all input tokens.",
            _and_week(share(_rate(_CACHED), _rate(_INPUT))),
            "percentunit",
            high=1,
            dashed=_WEEK,
            interval="15m",
        ),
    )


def _time() -> tuple[dict[str, object], ...]:
    return (
        timeseries(
            "Duration of a call",
            "From the call to its end, retries and the whole stream included. Points are exemplars, where they are exported.",
            _quantiles(_DURATION),
            "s",
            size=(12, 8),
            dashed=_WEEK,
            interval="15m",
        ),
        heatmap(
            "Duration, distribution",
            "How many calls fell into each bracket; brackets are upper bounds in seconds.",
            f"sum by (le) (increase({_DURATION}[$__rate_interval]))",
            "s",
        ),
        timeseries(
            "Time to first token",
            "From the call to the first content of its stream; calls that are no streams are not in it.",
            _quantiles(_FIRST_TOKEN),
            "s",
            size=(12, 8),
            dashed=_WEEK,
            interval="15m",
            none="no streams",
        ),
        timeseries(
            "Duration by model, 95 %",
            "The 95th percentile of each model.",
            [
                query(
                    f"histogram_quantile(0.95, sum by (model, le) (rate({_DURATION}[$__rate_interval])))",
                    "{{model}}",
                    exemplar=True,
                )
            ],
            "s",
            size=(12, 8),
            interval="15m",
        ),
    )


def _soundness() -> tuple[dict[str, object], ...]:
    return (
        timeseries(
            "Calls per hour by outcome",
            "ok, error (after the SDK's own retries), cancelled (the task was), abandoned (a stream left before its end).",
            [query(f"{_rate(_CALLS, 'outcome')} * 3600", "{{outcome}}")],
            "short",
            stack=True,
            painted={"ok": "green", "error": "red", "cancelled": "yellow", "abandoned": "orange"},
            interval="5m",
        ),
        timeseries(
            "Errors, cut streams, retries",
            "Shares of all calls; retries are extra requests for each call and can be above 100 %.",
            [
                query(
                    share(_rate(pick("ai_inference_calls_total", ONE, outcome='="error"')), _rate(_CALLS)),
                    "errors",
                ),
                query(
                    share(
                        _rate(pick("ai_inference_calls_total", ONE, outcome='=~"cancelled|abandoned"')),
                        _rate(_CALLS),
                    ),
                    "cut streams",
                ),
                query(share(_rate(_RETRIES), _rate(_CALLS)), "retries per call"),
            ],
            "percentunit",
            painted={"errors": "red", "cut streams": "orange", "retries per call": "blue"},
            interval="15m",
        ),
        timeseries(
            "Calls in progress",
            "Calls that have started and not ended, open streams included. All models.",
            [query(f"sum({_OPEN})", "in progress")],
            "short",
            decimals=0,
        ),
    )
