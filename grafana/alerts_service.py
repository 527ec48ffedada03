"""Alerts on how the calls go: retries, errors, latency, caches, silence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import recording as r
from .alert_parts import OWNED, THE, alert, look_up, number
from .names import raw

if TYPE_CHECKING:
    from .settings import Settings

__all__ = ["service"]


def service(s: Settings) -> list[dict[str, Any]]:
    retries = raw("ai_inference_retries_total", *s.matchers)
    failed = raw("ai_inference_calls_total", *s.matchers, outcome='="error"')
    made = raw("ai_inference_calls_total", *s.matchers)
    calls15m = f"sum by (feature) ({r.CALLS}:increase15m)"
    calls1h = f"sum by (feature) ({r.CALLS}:increase1h)"

    def slow(name: str, series: str, floor: float, what: str) -> dict[str, Any]:
        return alert(
            s,
            name,
            hold="10m",
            expr=f"""
            (
              {series} > {number(s.slower_factor)} * max by (feature) (
                label_replace(max_over_time({series}[3h] offset 23h), "of", "yesterday", "", "")
                or
                label_replace(max_over_time({series}[3h] offset 167h), "of", "last week", "", "")
              )
              and {series} > {number(floor)}
              and {calls1h} >= {s.min_calls}
            )
            {OWNED}
            """,
            summary=f"{what} of {THE} is {{{{ $value | humanizeDuration }}}} at the 95th percentile.",
            description=f"""Over 30 minutes the 95th percentile of {what[0].lower() + what[1:]} of {THE} is
            {{{{ $value | humanizeDuration }}}}, more than {number(s.slower_factor)} times the worst around this hour yesterday or a
            week ago.""",
        )

    share = r.CACHE_SHARE
    before = f"""min by (feature) (
                label_replace(avg_over_time({share}[3h] offset 23h), "of", "yesterday", "", "")
                or
                label_replace(avg_over_time({share}[3h] offset 167h), "of", "last week", "", "")
              )"""
    return [
        alert(
            s,
            "AIInferenceRetryStorm",
            hold="5m",
            expr=f"""
            (
              sum by (feature) (increase({retries}[15m])) / {calls15m} > {number(s.retries_per_call)}
              and {calls15m} >= {s.min_calls}
            )
            {OWNED}
            """,
            summary=f'{THE} retries: {{{{ $value | printf "%.1f" }}}} extra requests for each call.',
            description=f"""Over 15 minutes the SDK sent {{{{ $value | printf "%.1f" }}}} extra requests for each of
            {look_up("sum(" + r.CALLS + ":increase15m{feature=%q})", 'printf "%.0f"', "feature")} calls of {THE}.
            Requests that failed are usually not billed, those that timed out on your side may be.""",
        ),
        alert(
            s,
            "AIInferenceErrorRatio",
            hold="5m",
            expr=f"""
            sum by (feature, team) (increase({failed}[15m]))
            / (sum by (feature, team) (increase({made}[15m])) >= {s.min_calls})
            > {number(s.error_share)}
            """,
            summary=f"{{{{ $value | humanizePercentage }}}} of the calls of {THE} fail.",
            description=f"""{{{{ $value | humanizePercentage }}}} of
            {look_up(r.CALLS + ":increase15m{feature=%q,team=%q}", 'printf "%.0f"', "feature", "team")} calls of {THE} in the last
            15 minutes ended in an error after the SDK's own retries.""",
        ),
        slow("AIInferenceLatencyHigh", r.LATENCY_P95, s.latency_floor_seconds, "Call duration"),
        slow(
            "AIInferenceFirstTokenSlow", r.FIRST_TOKEN_P95, s.first_token_floor_seconds, "Time to first token"
        ),
        alert(
            s,
            "AIInferenceCacheShareDrop",
            hold="15m",
            expr=f"""
            (
              {share} < {number(s.cache_drop)} * (
              {before} > 0.2
              )
              and {calls1h} >= {s.min_calls}
            )
            {OWNED}
            """,
            summary=f"Only {{{{ $value | humanizePercentage }}}} of the input of {THE} comes from the cache.",
            description=f"""Over the last hour {{{{ $value | humanizePercentage }}}} of the input tokens of {THE} were read from the
            prompt cache, less than {number(s.cache_drop)} times the share around this hour yesterday and a week ago.
            Uncached input costs about ten times as much.""",
        ),
        # Traffic is expected where there was some through these hours a week ago, or through every hour of the last day;
        # not from a team whose feature another one has taken over since.
        alert(
            s,
            "AIInferenceNoData",
            hold="10m",
            expr=f"""
            (
              min_over_time({r.CALLS}:increase1h[2h] offset 167h) >= {s.min_calls}
              or
              (
                min_over_time({r.CALLS}:increase1h[1d:10m] offset 45m) >= {s.min_calls}
                and count_over_time({r.CALLS}:increase1h[1d:10m] offset 45m) >= 140
              )
            )
            unless
            {r.CALLS}:increase15m > 0
            unless on (feature)
            ({r.CALLS}:increase15m > 0 unless max_over_time({r.CALLS}:increase1h[1d:1h] offset 7d))
            """,
            summary=f"{THE} reports no calls, where traffic is expected.",
            description=f"""No call of {THE} has been seen for 15 minutes;
            {{{{ $value | printf "%.0f" }}}} or more an hour are usual at this time. Either the traffic stopped, or the metrics did:
            scraping, the exporter, the tracking.""",
        ),
    ]
