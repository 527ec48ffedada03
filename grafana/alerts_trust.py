"""Alerts on what cannot be trusted: prices, usage, the tracking, the bill."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import recording as r
from .alert_parts import OWNED, THE, alert, born, look_up, number
from .names import raw

if TYPE_CHECKING:
    from .settings import Settings

__all__ = ["trust"]


def trust(s: Settings) -> list[dict[str, Any]]:
    unpriced = str(raw("ai_inference_unpriced_calls_total", *s.matchers))
    unmeasured = str(raw("ai_inference_unmeasured_calls_total", *s.matchers))
    faults = str(raw("ai_inference_tracking_errors_total", *s.matchers))
    dropped = str(raw("ai_inference_dropped_records_total", *s.matchers))
    overflow = str(raw("ai_inference_label_overflow_total", *s.matchers))
    age = raw("ai_inference_price_table_age_seconds", *s.matchers)
    info = raw("ai_inference_price_table_info", *s.matchers)
    # Written by the reconciliation job: a selector for the application does not fit them.
    coverage = raw("ai_inference_bill_coverage_ratio")
    mispriced = raw("ai_inference_bill_price_error_ratio")
    checked = raw("ai_inference_bill_reconciled_timestamp_seconds")
    off = number(s.bill_price_error)
    calls = f"sum by (feature) ({r.CALLS}:increase1h)"
    return [
        alert(
            s,
            "AIInferenceUnpricedModel",
            expr=f"{born(unpriced, 'model, feature, reason', '30m')}\n            {OWNED}",
            summary=f"{THE} calls {{{{ $labels.model }}}}, of which something has no price ({{{{ $labels.reason }}}}).",
            description=f"""Calls of {THE} to {{{{ $labels.model }}}} without a full price in the last 30 minutes:
            {{{{ $value | printf "%.0f" }}}}, reason {{{{ $labels.reason }}}}. Their dollars are missing from every panel and budget until the price table
            or your overlay has the model.""",
        ),
        alert(
            s,
            "AIInferenceUnmeasuredCalls",
            hold="15m",
            expr=f"""
            (
              {born(unmeasured, "feature", "1h")}
              / {calls} > {number(s.unmeasured_share)}
              and {calls} >= {s.min_calls}
            )
            {OWNED}
            """,
            summary=f"{{{{ $value | humanizePercentage }}}} of the calls of {THE} are unmeasured.",
            description=f"""The vendor reported no usage, or only a part, for {{{{ $value | humanizePercentage }}}} of
            {look_up("sum(" + r.CALLS + ":increase1h{feature=%q})", 'printf "%.0f"', "feature")} calls of {THE} in the last
            hour. Those tokens and dollars are not in any panel.""",
        ),
        alert(
            s,
            "AIInferenceTrackingErrors",
            expr=born(faults, "stage", "30m"),
            summary="The tracking itself failed at stage {{ $labels.stage }}.",
            description="""Faults of the tracking at stage {{ $labels.stage }} in the last 30 minutes: {{ $value | printf "%.0f" }}.
            The calls were not affected; what they cost may be missing.""",
        ),
        alert(
            s,
            "AIInferenceRecordsDropped",
            expr=born(dropped, "sink, reason", "30m"),
            summary="The queue before the sink {{ $labels.sink }} drops records ({{ $labels.reason }}).",
            description="""Records that did not reach the sink {{ $labels.sink }} in the last 30 minutes:
            {{ $value | printf "%.0f" }}, reason {{ $labels.reason }}. The calls were not affected and the other sinks have the records; this one does not keep up.""",
        ),
        alert(
            s,
            "AIInferenceLabelOverflow",
            expr=born(overflow, "label", "30m"),
            summary='Too many values of {{ $labels.label }}: new ones are counted as "other".',
            description="""Calls of the last 30 minutes with a {{ $labels.label }} beyond the cap of distinct values:
            {{ $value | printf "%.0f" }}. They were counted as "other": their dollars are in the totals, not under their own name.""",
        ),
        alert(
            s,
            "AIInferencePriceTableStale",
            hold="1h",
            # Jobs that have ended, by what they last said: one that runs for an hour a night would never hold for one.
            expr=f"""
            max by (version) ({age} or (last_over_time({age}[1d]) unless on (job) {age}))
            > {s.price_table_age_days} * 86400
            """,
            summary="The price table {{ $labels.version }} is {{ $value | humanizeDuration }} old.",
            description=f"""At least one process prices calls with table {{{{ $labels.version }}}}, which is
            {{{{ $value | humanizeDuration }}}} old; the limit is {s.price_table_age_days} days. Vendors change prices without notice:
            upgrade the package or add an overlay.""",
        ),
        alert(
            s,
            "AIInferenceBillCoverageLow",
            hold="1h",
            expr=f"min by (vendor) ({coverage}) < {number(s.bill_coverage)}",
            summary="Tracked calls explain {{ $value | humanizePercentage }} of the bill of {{ $labels.vendor }}.",
            description=f"""The last reconciliation explains {{{{ $value | humanizePercentage }}}} of the bill of
            {{{{ $labels.vendor }}}}, less than {s.bill_coverage:.0%}: calls are made that this package does not see, or its
            prices differ from yours.""",
        ),
        alert(
            s,
            "AIInferenceBillPriceError",
            hold="1h",
            expr=f"""
            max by (vendor) ({mispriced}) > {off}
            or
            min by (vendor) ({mispriced}) < -{off}
            """,
            summary="Our prices of {{ $labels.vendor }} are {{ $value | humanizePercentage }} off its bill.",
            description=f"""The last reconciliation prices the recorded calls {{{{ $value | humanizePercentage }}}} off what
            {{{{ $labels.vendor }}}} charged for them, more than {s.bill_price_error:.0%} either way; above 0 we say more than the
            vendor. Every dollar of this vendor in panels and budgets is off by as much.""",
        ),
        # A file that is gone is as stale as one that is old.
        alert(
            s,
            "AIInferenceBillStale",
            hold="1h",
            expr=f"""
            time() - (
              max by (vendor) ({checked})
              or
              max by (vendor) (max_over_time({checked}[30d:1h]))
            ) > {s.bill_age_days} * 86400
            """,
            summary="The bill of {{ $labels.vendor }} was last reconciled {{ $value | humanizeDuration }} ago.",
            description=f"""No reconciliation with the bill of {{{{ $labels.vendor }}}} for {{{{ $value | humanizeDuration }}}};
            the limit is {s.bill_age_days} days. Coverage and price error are those of that day, and their alerts are blind to what
            came since.""",
        ),
        # A process that restarts has a later start time; an earlier one means that another process answered the scrape.
        alert(
            s,
            "AIInferenceWorkersNotMerged",
            expr=f"""
            resets(process_start_time_seconds[15m]) > 0
            and on (job, instance)
            {info}
            """,
            summary="Several processes answer the scrapes of {{ $labels.instance }} in turn.",
            description="""Scrapes of {{ $labels.instance }} (job {{ $labels.job }}) that went back to an older process in
            15 minutes: {{ $value | printf "%.0f" }}. Workers share a port without multiprocess mode, and every counter of theirs is
            wrong, by a factor of 250 in a day as measured.""",
        ),
    ]
