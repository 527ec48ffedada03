"""
The alerts.

One rule serves all features: both sides of a comparison are brought to the same labels, which promtool cases prove.
Every annotation names its numbers; every alert has a page in docs/runbooks that says what to look at and what to do.
"""

from __future__ import annotations

from textwrap import dedent
from typing import Any

from . import recording as r
from .names import raw
from .settings import Settings

__all__ = ["alert_groups"]


def alert_groups(settings: Settings | None = None) -> list[dict[str, Any]]:
    """The groups of `rules/alerts.yaml`."""
    chosen = settings or Settings()
    groups = {
        "spend-alerts": _spend(chosen),
        "budget-alerts": _budgets(chosen),
        "trust-alerts": _trust(chosen),
        "service-alerts": _service(chosen),
    }
    return [
        {"name": f"tracked-inference.{name}", "interval": "1m", "rules": rules}
        for name, rules in groups.items()
    ]


def _alert(  # an alert has this many parts
    settings: Settings,
    name: str,
    *,
    expr: str,
    page: bool = False,
    hold: str = "0m",
    summary: str,
    description: str,
    labels: dict[str, str] | None = None,
) -> dict[str, Any]:
    """One alert; the runbook's address is made here so that none can be forgotten."""
    rule: dict[str, Any] = {"alert": name, "expr": dedent(expr).strip()}
    if hold != "0m":
        rule["for"] = hold
    severity = settings.severity_page if page else settings.severity_ticket
    rule["labels"] = {"severity": severity, **(labels or {})}
    rule["annotations"] = {
        "summary": summary,
        "description": " ".join(description.split()),
        "runbook_url": f"{settings.runbook_base}{name}.md",
    }
    return rule


def _look_up(query: str, verb: str, *labels: str) -> str:
    """A template that runs a query for the alert's own labels and prints its one value."""
    arguments = " ".join(f"$labels.{label}" for label in labels)
    found = f"{{{{ with printf `{query}` {arguments} | query }}}}{{{{ . | first | value | {verb} }}}}"
    return found + "{{ else }}an unknown number of{{ end }}"


def _number(value: float) -> str:
    return f"{value:g}"


_USD = 'printf "%.2f"'
_THE = "{{ $labels.feature }} (team {{ $labels.team }})"
_OWNED = f"* on (feature) group_left (team) {r.OWNER}"


def _spend(s: Settings) -> list[dict[str, Any]]:
    floor, factor = _number(s.runaway_floor_usd_per_hour), _number(s.runaway_factor)
    normal = f"{factor} * clamp_min({r.BASELINE} * 3600, {floor})"
    calls, dear = f"{r.CALLS}:increase1h", f"{r.COST_PER_CALL}"
    was = f"""max by (feature, team) (
                label_replace(max_over_time({dear}[3h] offset 23h), "of", "yesterday", "", "")
                or
                label_replace(max_over_time({dear}[3h] offset 167h), "of", "last week", "", "")
              )"""
    return [
        _alert(
            s,
            "AIInferenceSpendRunaway",
            page=True,
            hold="2m",
            expr=f"""
            {r.COST}:rate15m * 3600 > {normal}
            and
            {r.COST}:rate5m * 3600 > {normal}
            and
            {r.CALLS}:increase15m >= {s.min_calls}
            """,
            summary=f'{_THE} spends {{{{ $value | printf "%.2f" }}}} USD an hour, far above normal for this hour.',
            description=f"""For 15 minutes {_THE} has spent at {{{{ $value | printf "%.2f" }}}} USD an hour;
            the most it normally spends in an hour at this time is
            {_look_up(r.BASELINE + "{feature=%q,team=%q} * 3600", _USD, "feature", "team")} USD.
            It made {_look_up(r.CALLS + ":increase15m{feature=%q,team=%q}", 'printf "%.0f"', "feature", "team")}
            calls in those 15 minutes.""",
        ),
        _alert(
            s,
            "AIInferenceSpendHigh",
            hold="5m",
            expr=f"{r.COST}:rate1h * 3600 > {_number(s.spend_usd_per_hour)}",
            summary=f'{_THE} spent {{{{ $value | printf "%.2f" }}}} USD in the last hour.',
            description=f"""{_THE} spent {{{{ $value | printf "%.2f" }}}} USD in the last hour; the threshold for any
            feature is {_number(s.spend_usd_per_hour)} USD. It is a fixed line: raise it if this is what you want to spend.""",
        ),
        _alert(
            s,
            "AIInferenceSpendWithoutBudget",
            hold="1h",
            expr=f"""
            {r.COST}:increase1d > {_number(s.unbudgeted_usd_per_day)}
            unless on (feature) {r.BUDGET}
            """,
            summary=f'{_THE} spent {{{{ $value | printf "%.2f" }}}} USD in 24 hours and has no budget.',
            description=f"""{_THE} spent {{{{ $value | printf "%.2f" }}}} USD in the last 24 hours and no process exports
            a budget for it, so nothing can say whether that is too much. Declare one in the registry file.""",
        ),
        _alert(
            s,
            "AIInferenceCostPerCallJump",
            hold="10m",
            expr=f"""
            {dear} > {_number(s.cost_per_call_factor)} * {was}
            and
            {calls} >= {s.min_calls}
            and
            ({dear} - {was}) * {calls} > 1
            """,
            summary=f'One call of {_THE} costs {{{{ $value | printf "%.4f" }}}} USD, far above normal.',
            description=f"""Over the last hour a call of {_THE} cost {{{{ $value | printf "%.4f" }}}} USD on average, more than
            {_number(s.cost_per_call_factor)} times the most it cost around this hour yesterday or a week ago.
            It made {_look_up(calls + "{feature=%q,team=%q}", 'printf "%.0f"', "feature", "team")} calls in that hour.""",
        ),
    ]


def _budgets(s: Settings) -> list[dict[str, Any]]:
    def burn(window: str, short: str, times: float, lasts: str) -> dict[str, Any]:
        def pace(rate: str) -> str:
            return f"sum by (feature) ({r.COST}:{rate}) / on (feature) group_right () {r.BUDGET_PACE}"

        smallest = _number(s.runaway_factor * s.runaway_floor_usd_per_hour)
        return _alert(
            s,
            "AIInferenceBudgetBurnHigh",
            page=True,
            labels={"window": window},
            # Spending that is normal for this feature at this hour (a nightly batch) burns fast and is no news.
            expr=f"""
            {pace("rate" + window)} > {_number(times)}
            and
            {pace("rate" + short)} > {_number(times)}
            and on (feature)
            sum by (feature) ({r.COST}:rate1h) * 3600 > {smallest}
            unless on (feature)
            sum by (feature) ({r.COST}:rate1h) <= 2 * sum by (feature) ({r.BASELINE})
            """,
            summary=f'{_THE} spends its monthly budget {{{{ $value | printf "%.0f" }}}} times too fast.',
            description=f"""At the rate of the last {window} the whole monthly budget of {_THE},
            {_look_up(r.BUDGET + '{feature=%q,team=%q,period="month"}', _USD, "feature", "team")} USD, lasts less than {lasts}.
            In the last hour it spent
            {_look_up("sum(" + r.COST + ":rate1h{feature=%q}) * 3600", _USD, "feature")} USD.""",
        )

    month = f'{r.SPENT_RATIO}{{period="month"}}'
    spent = _look_up(f"sum({r.MONTH_TO_DATE}{{feature=%q}})", _USD, "feature")
    of_month = _look_up(f'{r.BUDGET}{{feature=%q,team=%q,period="month"}}', _USD, "feature", "team")
    of_period = _look_up(f"{r.BUDGET}{{feature=%q,team=%q,period=%q}}", _USD, "feature", "team", "period")
    return [
        burn("1h", "5m", 14.4, "51 hours"),
        burn("6h", "30m", 6, "5 days"),
        _alert(
            s,
            "AIInferenceBudgetNearlySpent",
            hold="5m",
            # Once it is exceeded that alert says so; this one would only repeat it.
            expr=f"{month} > {_number(s.nearly_spent)} <= 1",
            summary=f"{_THE} has spent {{{{ $value | humanizePercentage }}}} of its monthly budget.",
            description=f"""{_THE} has spent {spent} USD of the {of_month} USD budgeted for this calendar month (UTC).""",
        ),
        _alert(
            s,
            "AIInferenceBudgetExceeded",
            page=True,
            hold="5m",
            expr=f"{r.SPENT_RATIO} > 1",
            summary=f"{_THE} has spent {{{{ $value | humanizePercentage }}}} of its budget for the {{{{ $labels.period }}}}.",
            description=f"""The budget of {_THE} for this {{{{ $labels.period }}}} (UTC) is {of_period} USD and
            {{{{ $value | humanizePercentage }}}} of it is spent.""",
        ),
        _alert(
            s,
            "AIInferenceBudgetForecastExceeded",
            hold="6h",
            expr=f"""
            {r.FORECAST_RATIO} > 1
            unless
            {r.SPENT_RATIO} > 1
            """.replace("unless\n", "unless on (feature, team)\n"),
            summary=f"{_THE} is heading for {{{{ $value | humanizePercentage }}}} of its monthly budget.",
            description=f"""With {spent} USD spent this month and the daily average of the last week,
            {_look_up("sum(" + r.COST + ":rate7d{feature=%q}) * 86400", _USD, "feature")} USD, {_THE} ends the month at
            {{{{ $value | humanizePercentage }}}} of its budget of {of_month} USD.""",
        ),
    ]


def _born(selector: str, by: str, window: str) -> str:
    """
    What a rare counter gained, a new series' first value included.

    `increase()` alone counts the first value of a series as nothing, and these series are born with their first fault.
    """
    return f"""sum by ({by}) (
              increase({selector}[{window}]) > 0
              or
              ({selector} unless {selector} offset {window}) > 0
            )"""


def _trust(s: Settings) -> list[dict[str, Any]]:
    unpriced = str(raw("ai_inference_unpriced_calls_total", *s.matchers))
    unmeasured = raw("ai_inference_unmeasured_calls_total", *s.matchers)
    faults = str(raw("ai_inference_tracking_errors_total", *s.matchers))
    overflow = str(raw("ai_inference_label_overflow_total", *s.matchers))
    age = raw("ai_inference_price_table_age_seconds", *s.matchers)
    info = raw("ai_inference_price_table_info", *s.matchers)
    # Written by the reconciliation job: a selector for the application does not fit them.
    coverage = raw("ai_inference_bill_coverage_ratio")
    calls = f"sum by (feature) ({r.CALLS}:increase1h)"
    return [
        _alert(
            s,
            "AIInferenceUnpricedModel",
            expr=f"{_born(unpriced, 'model, feature, reason', '30m')}\n            {_OWNED}",
            summary=f"{_THE} calls {{{{ $labels.model }}}}, of which something has no price ({{{{ $labels.reason }}}}).",
            description=f"""{{{{ $value | printf "%.0f" }}}} calls of {_THE} to {{{{ $labels.model }}}} in the last 30 minutes have no
            full price, reason {{{{ $labels.reason }}}}. Their dollars are missing from every panel and budget until the price table
            or your overlay has the model.""",
        ),
        _alert(
            s,
            "AIInferenceUnmeasuredCalls",
            hold="15m",
            expr=f"""
            (
              sum by (feature) (increase({unmeasured}[1h])) / {calls} > {_number(s.unmeasured_share)}
              and {calls} >= {s.min_calls}
            )
            {_OWNED}
            """,
            summary=f"{{{{ $value | humanizePercentage }}}} of the calls of {_THE} are unmeasured.",
            description=f"""The vendor reported no usage, or only a part, for {{{{ $value | humanizePercentage }}}} of
            {_look_up("sum(" + r.CALLS + ":increase1h{feature=%q})", 'printf "%.0f"', "feature")} calls of {_THE} in the last
            hour. Those tokens and dollars are not in any panel.""",
        ),
        _alert(
            s,
            "AIInferenceTrackingErrors",
            expr=_born(faults, "stage", "30m"),
            summary="The tracking itself failed at stage {{ $labels.stage }}.",
            description="""{{ $value | printf "%.0f" }} faults of the tracking at stage {{ $labels.stage }} in the last 30 minutes.
            The calls were not affected; what they cost may be missing.""",
        ),
        _alert(
            s,
            "AIInferenceLabelOverflow",
            expr=_born(overflow, "label", "30m"),
            summary='Too many values of {{ $labels.label }}: new ones are counted as "other".',
            description="""{{ $value | printf "%.0f" }} calls in the last 30 minutes had a {{ $labels.label }} beyond the cap of
            distinct values and were counted as "other": their dollars are in the totals, not under their own name.""",
        ),
        _alert(
            s,
            "AIInferencePriceTableStale",
            hold="1h",
            expr=f"max by (version) ({age}) > {s.price_table_age_days} * 86400",
            summary="The price table {{ $labels.version }} is {{ $value | humanizeDuration }} old.",
            description=f"""At least one process prices calls with table {{{{ $labels.version }}}}, which is
            {{{{ $value | humanizeDuration }}}} old; the limit is {s.price_table_age_days} days. Vendors change prices without notice:
            upgrade the package or add an overlay.""",
        ),
        _alert(
            s,
            "AIInferenceBillCoverageLow",
            hold="1h",
            expr=f"min by (vendor) ({coverage}) < {_number(s.bill_coverage)}",
            summary="Tracked calls explain {{ $value | humanizePercentage }} of the bill of {{ $labels.vendor }}.",
            description=f"""The last reconciliation explains {{{{ $value | humanizePercentage }}}} of the bill of
            {{{{ $labels.vendor }}}}, less than {s.bill_coverage:.0%}: calls are made that this package does not see, or its
            prices differ from yours.""",
        ),
        # A process that restarts has a later start time; an earlier one means that another process answered the scrape.
        _alert(
            s,
            "AIInferenceWorkersNotMerged",
            expr=f"""
            resets(process_start_time_seconds[15m]) > 0
            and on (job, instance)
            {info}
            """,
            summary="Several processes answer the scrapes of {{ $labels.instance }} in turn.",
            description="""Scrapes of {{ $labels.instance }} (job {{ $labels.job }}) went back to an older process
            {{ $value | printf "%.0f" }} times in 15 minutes: workers share a port without multiprocess mode, and every counter of
            theirs is wrong, by a factor of 250 in a day as measured.""",
        ),
    ]


def _service(s: Settings) -> list[dict[str, Any]]:
    retries = raw("ai_inference_retries_total", *s.matchers)
    failed = raw("ai_inference_calls_total", *s.matchers, outcome='="error"')
    made = raw("ai_inference_calls_total", *s.matchers)
    calls15m = f"sum by (feature) ({r.CALLS}:increase15m)"
    calls1h = f"sum by (feature) ({r.CALLS}:increase1h)"

    def slow(name: str, series: str, floor: float, what: str) -> dict[str, Any]:
        return _alert(
            s,
            name,
            hold="10m",
            expr=f"""
            (
              {series} > {_number(s.slower_factor)} * max by (feature) (
                label_replace(max_over_time({series}[3h] offset 23h), "of", "yesterday", "", "")
                or
                label_replace(max_over_time({series}[3h] offset 167h), "of", "last week", "", "")
              )
              and {series} > {_number(floor)}
              and {calls1h} >= {s.min_calls}
            )
            {_OWNED}
            """,
            summary=f"{what} of {_THE} is {{{{ $value | humanizeDuration }}}} at the 95th percentile.",
            description=f"""Over 30 minutes the 95th percentile of {what[0].lower() + what[1:]} of {_THE} is
            {{{{ $value | humanizeDuration }}}}, more than {_number(s.slower_factor)} times the worst around this hour yesterday or a
            week ago.""",
        )

    share = r.CACHE_SHARE
    before = f"""min by (feature) (
                label_replace(avg_over_time({share}[3h] offset 23h), "of", "yesterday", "", "")
                or
                label_replace(avg_over_time({share}[3h] offset 167h), "of", "last week", "", "")
              )"""
    return [
        _alert(
            s,
            "AIInferenceRetryStorm",
            hold="5m",
            expr=f"""
            (
              sum by (feature) (increase({retries}[15m])) / {calls15m} > {_number(s.retries_per_call)}
              and {calls15m} >= {s.min_calls}
            )
            {_OWNED}
            """,
            summary=f'{_THE} retries: {{{{ $value | printf "%.1f" }}}} extra requests for each call.',
            description=f"""Over 15 minutes the SDK sent {{{{ $value | printf "%.1f" }}}} extra requests for each of
            {_look_up("sum(" + r.CALLS + ":increase15m{feature=%q})", 'printf "%.0f"', "feature")} calls of {_THE}.
            Requests that failed are usually not billed, those that timed out on your side may be.""",
        ),
        _alert(
            s,
            "AIInferenceErrorRatio",
            hold="5m",
            expr=f"""
            sum by (feature, team) (increase({failed}[15m]))
            / (sum by (feature, team) (increase({made}[15m])) >= {s.min_calls})
            > {_number(s.error_share)}
            """,
            summary=f"{{{{ $value | humanizePercentage }}}} of the calls of {_THE} fail.",
            description=f"""{{{{ $value | humanizePercentage }}}} of
            {_look_up(r.CALLS + ":increase15m{feature=%q,team=%q}", 'printf "%.0f"', "feature", "team")} calls of {_THE} in the last
            15 minutes ended in an error after the SDK's own retries.""",
        ),
        slow("AIInferenceLatencyHigh", r.LATENCY_P95, s.latency_floor_seconds, "Call duration"),
        slow(
            "AIInferenceFirstTokenSlow", r.FIRST_TOKEN_P95, s.first_token_floor_seconds, "Time to first token"
        ),
        _alert(
            s,
            "AIInferenceCacheShareDrop",
            hold="15m",
            expr=f"""
            (
              {share} < {_number(s.cache_drop)} * (
              {before} > 0.2
              )
              and {calls1h} >= {s.min_calls}
            )
            {_OWNED}
            """,
            summary=f"Only {{{{ $value | humanizePercentage }}}} of the input of {_THE} comes from the cache.",
            description=f"""Over the last hour {{{{ $value | humanizePercentage }}}} of the input tokens of {_THE} were read from the
            prompt cache, less than {_number(s.cache_drop)} times the share around this hour yesterday and a week ago.
            Uncached input costs about ten times as much.""",
        ),
        # Traffic is expected where there was some through these hours a week ago, or through every hour of the last day.
        _alert(
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
            """,
            summary=f"{_THE} reports no calls, where traffic is expected.",
            description=f"""No call of {_THE} has been seen for 15 minutes;
            {{{{ $value | printf "%.0f" }}}} or more an hour are usual at this time. Either the traffic stopped, or the metrics did:
            scraping, the exporter, the tracking.""",
        ),
    ]
