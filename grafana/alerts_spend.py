"""Alerts on money: how fast it goes, and how it stands against the budgets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import recording as r
from .alert_parts import THE, USD, alert, born, look_up, number
from .names import raw

if TYPE_CHECKING:
    from .settings import Settings

__all__ = ["budgets", "spend"]


def spend(s: Settings) -> list[dict[str, Any]]:
    floor, factor = number(s.runaway_floor_usd_per_hour), number(s.runaway_factor)
    normal = f"{factor} * clamp_min({r.BASELINE} * 3600, {floor})"
    calls, dear = f"{r.CALLS}:increase1h", f"{r.COST_PER_CALL}"
    was = f"""max by (feature, team) (
                label_replace(max_over_time({dear}[3h] offset 23h), "of", "yesterday", "", "")
                or
                label_replace(max_over_time({dear}[3h] offset 167h), "of", "last week", "", "")
              )"""
    return [
        alert(
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
            summary=f'{THE} spends {{{{ $value | printf "%.2f" }}}} USD an hour, far above normal for this hour.',
            description=f"""For 15 minutes {THE} has spent at {{{{ $value | printf "%.2f" }}}} USD an hour;
            the most it normally spends in an hour at this time is
            {look_up(r.BASELINE + "{feature=%q,team=%q} * 3600", USD, "feature", "team")} USD.
            It made {look_up(r.CALLS + ":increase15m{feature=%q,team=%q}", 'printf "%.0f"', "feature", "team")}
            calls in those 15 minutes.""",
        ),
        alert(
            s,
            "AIInferenceSpendHigh",
            hold="5m",
            expr=f"{r.COST}:rate1h * 3600 > {number(s.spend_usd_per_hour)}",
            summary=f'{THE} spent {{{{ $value | printf "%.2f" }}}} USD in the last hour.',
            description=f"""{THE} spent {{{{ $value | printf "%.2f" }}}} USD in the last hour; the threshold for any
            feature is {number(s.spend_usd_per_hour)} USD. It is a fixed line: raise it if this is what you want to spend.""",
        ),
        alert(
            s,
            "AIInferenceSpendWithoutBudget",
            hold="1h",
            expr=f"""
            {r.COST}:increase1d > {number(s.unbudgeted_usd_per_day)}
            unless on (feature) {r.BUDGET}
            """,
            summary=f'{THE} spent {{{{ $value | printf "%.2f" }}}} USD in 24 hours and has no budget.',
            description=f"""{THE} spent {{{{ $value | printf "%.2f" }}}} USD in the last 24 hours and no process exports
            a budget for it, so nothing can say whether that is too much. Declare one in the registry file.""",
        ),
        alert(
            s,
            "AIInferenceCostPerCallJump",
            hold="10m",
            expr=f"""
            {dear} > {number(s.cost_per_call_factor)} * {was}
            and
            {calls} >= {s.min_calls}
            and
            ({dear} - {was}) * {calls} > 1
            """,
            summary=f'One call of {THE} costs {{{{ $value | printf "%.4f" }}}} USD, far above normal.',
            description=f"""Over the last hour a call of {THE} cost {{{{ $value | printf "%.4f" }}}} USD on average, more than
            {number(s.cost_per_call_factor)} times the most it cost around this hour yesterday or a week ago.
            It made {look_up(calls + "{feature=%q,team=%q}", 'printf "%.0f"', "feature", "team")} calls in that hour.""",
        ),
    ]


def budgets(s: Settings) -> list[dict[str, Any]]:
    def burn(window: str, short: str, times: float, lasts: str) -> dict[str, Any]:
        def pace(rate: str) -> str:
            return f"sum by (feature) ({r.COST}:{rate}) / on (feature) group_right () {r.BUDGET_PACE}"

        smallest = number(s.runaway_factor * s.runaway_floor_usd_per_hour)
        return alert(
            s,
            "AIInferenceBudgetBurnHigh",
            page=True,
            labels={"window": window},
            # Spending that is normal for this feature at this hour (a nightly batch) burns fast and is no news.
            expr=f"""
            {pace("rate" + window)} > {number(times)}
            and
            {pace("rate" + short)} > {number(times)}
            and on (feature)
            sum by (feature) ({r.COST}:rate1h) * 3600 > {smallest}
            unless on (feature)
            sum by (feature) ({r.COST}:rate1h) <= 2 * sum by (feature) ({r.BASELINE})
            """,
            summary=f'{THE} spends its monthly budget {{{{ $value | printf "%.0f" }}}} times too fast.',
            description=f"""At the rate of the last {window} the whole monthly budget of {THE},
            {look_up(r.BUDGET + '{feature=%q,team=%q,period="month"}', USD, "feature", "team")} USD, lasts less than {lasts}.
            In the last hour it spent
            {look_up("sum(" + r.COST + ":rate1h{feature=%q}) * 3600", USD, "feature")} USD.""",
        )

    refused = str(raw("ai_inference_budget_refused_calls_total", *s.matchers))
    unanswered = raw("ai_inference_budget_source_errors_total", *s.matchers)
    month = f'{r.SPENT_RATIO}{{period="month"}}'
    spent = look_up(f"sum({r.MONTH_TO_DATE}{{feature=%q}})", USD, "feature")
    of_month = look_up(f'{r.BUDGET}{{feature=%q,team=%q,period="month"}}', USD, "feature", "team")
    of_period = look_up(f"{r.BUDGET}{{feature=%q,team=%q,period=%q}}", USD, "feature", "team", "period")
    return [
        burn("1h", "5m", 14.4, "51 hours"),
        burn("6h", "30m", 6, "5 days"),
        alert(
            s,
            "AIInferenceBudgetNearlySpent",
            hold="5m",
            # Once it is exceeded that alert says so; this one would only repeat it.
            expr=f"{month} > {number(s.nearly_spent)} <= 1",
            summary=f"{THE} has spent {{{{ $value | humanizePercentage }}}} of its monthly budget.",
            description=f"""{THE} has spent {spent} USD of the {of_month} USD budgeted for this calendar month (UTC).""",
        ),
        alert(
            s,
            "AIInferenceBudgetExceeded",
            page=True,
            hold="5m",
            expr=f"{r.SPENT_RATIO} > 1",
            summary=f"{THE} has spent {{{{ $value | humanizePercentage }}}} of its budget for the {{{{ $labels.period }}}}.",
            description=f"""The budget of {THE} for this {{{{ $labels.period }}}} (UTC) is {of_period} USD and
            {{{{ $value | humanizePercentage }}}} of it is spent.""",
        ),
        alert(
            s,
            "AIInferenceBudgetForecastExceeded",
            hold="6h",
            expr=f"""
            {r.FORECAST_RATIO} > 1
            unless
            {r.SPENT_RATIO} > 1
            """,
            summary=f"{THE} is heading for {{{{ $value | humanizePercentage }}}} of its monthly budget.",
            description=f"""With {spent} USD spent this month and the daily average of the last week,
            {look_up("sum(" + r.COST + ":rate7d{feature=%q}) * 86400", USD, "feature")} USD, {THE} ends the month at
            {{{{ $value | humanizePercentage }}}} of its budget of {of_month} USD.""",
        ),
        # Users get an error in place of an answer: a page, whatever the budget rules say.
        alert(
            s,
            "AIInferenceBudgetRefusing",
            page=True,
            expr=born(refused, "feature, team, period", "15m"),
            summary=f"Calls of {THE} are refused: its budget for the {{{{ $labels.period }}}} is spent.",
            description=f"""Calls of {THE} that the budget guard refused in the last 15 minutes: {{{{ $value | printf "%.0f" }}}}. Its
            budget for this {{{{ $labels.period }}}} (UTC) is {of_period} USD. Whoever made those calls got a BudgetExceededError.""",
        ),
        # A guard asks every 30 seconds; one answer missed is nothing, none for twenty minutes is.
        alert(
            s,
            "AIInferenceBudgetSourceErrors",
            hold="10m",
            expr=f"max by (job, reason) (increase({unanswered}[10m])) >= 2",
            summary="Budget guards of {{ $labels.job }} get no answer ({{ $labels.reason }}).",
            description="""A budget guard of {{ $labels.job }} asked for the spend to date {{ $value | printf "%.0f" }} times in the last
            10 minutes and got no answer, reason {{ $labels.reason }}. Its budgets go by the last answer and by what its own
            process spends, or refuse all calls where the registry file asks for that.""",
        ),
    ]
