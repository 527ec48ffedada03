"""How far the dollars can be trusted: what is not priced, not measured, not seen."""

from __future__ import annotations

from .names import raw
from .page import feature_variable, link_to, page, team_variable
from .panels import RED_TO_GREEN, Column, Row, query, stat, table, timeseries
from .queries import ALL, pick, share

__all__ = ["dashboard"]

_MINE = {label: matcher for label, matcher in ALL.items() if label != "model"}
_CALLS = pick("ai_inference_calls_total", _MINE)
_UNPRICED = pick("ai_inference_unpriced_calls_total", _MINE)
_UNMEASURED = pick("ai_inference_unmeasured_calls_total", _MINE)
_BY_STATUS = pick("ai_inference_cost_by_status_usd_total", _MINE)
_SURE = pick("ai_inference_cost_by_status_usd_total", _MINE, status='=~"exact|free"')
_COVERAGE = raw("ai_inference_bill_coverage_ratio")
_PRICE_ERROR = raw("ai_inference_bill_price_error_ratio")
_BILLED = raw("ai_inference_bill_usd")
_CHECKED = raw("ai_inference_bill_reconciled_timestamp_seconds")
_UNANSWERED = raw("ai_inference_budget_source_errors_total")
_AGE = raw("ai_inference_price_table_age_seconds")
_TABLE = raw("ai_inference_price_table_info")
_FAULTS = raw("ai_inference_tracking_errors_total")
_DROPPED = raw("ai_inference_dropped_records_total")
_OVERFLOW = raw("ai_inference_label_overflow_total")
_EITHER_WAY = ("red", "green", "red")
_TO_FEATURE = [link_to("feature", "Open this feature", "&var-feature=${__value.raw}")]


def dashboard() -> dict[str, object]:
    """The Trust dashboard."""
    return page(
        "trust",
        "AI inference / Trust",
        "How far the dollars can be trusted: unpriced and unmeasured calls, price tables, tracking faults, scraping, the bill.",
        [team_variable(), feature_variable()],
        [
            Row("At a glance", _glance()),
            Row("Not in the dollars", _missing()),
            Row("Prices and the bill", _prices()),
            Row("Tracking and scraping", _tracking()),
        ],
    )


def _gained(selector: object, by: str = "", window: str = "$__range") -> str:
    """What a rare counter gained, first values of series born in the window included: not seen in six hours before it."""
    born = f"min_over_time({selector}[{window}]) unless last_over_time({selector}[6h] offset {window})"
    return f"""sum{f" by ({by})" if by else ""} (
      label_replace(increase({selector}[{window}]), "part", "increase", "", "")
      or
      label_replace({born}, "part", "born", "", "")
    )"""


def _glance() -> tuple[dict[str, object], ...]:
    calls = f"sum(increase({_CALLS}[$__range]))"
    dollars = f"sum(increase({_BY_STATUS}[$__range]))"
    return (
        stat(
            "Unpriced",
            "Calls of which at least one unit has no price, of all calls in the time range. Their dollars are missing.",
            share(_gained(_UNPRICED), calls),
            "percentunit",
            decimals=2,
            limits=(0.001, 0.01),
            none="no calls",
        ),
        stat(
            "Unmeasured",
            "Calls whose usage the vendor did not report, or only in part, of all calls in the time range.",
            share(_gained(_UNMEASURED), calls),
            "percentunit",
            decimals=2,
            limits=(0.01, 0.05),
            none="no calls",
        ),
        stat(
            "Not exact",
            "Dollars that rest on a named assumption, a bound or a partial price, of all dollars in the time range.",
            f"1 - {share(f'sum(increase({_SURE}[$__range]))', dollars)}",
            "percentunit",
            decimals=2,
            limits=(0.05, 0.2),
            none="no spend",
        ),
        stat(
            "Price table's age",
            "The oldest table in use by any process.",
            f"max({_AGE})",
            "s",
            decimals=0,
            limits=(30 * 86400, 45 * 86400),
            none="no process seen",
        ),
        stat(
            "Bill explained",
            "The share of the vendor's bill that tracked calls explain, from the last reconciliation; the worst vendor.",
            f"min({_COVERAGE})",
            "percentunit",
            decimals=1,
            limits=(0.95, 0.99),
            colours=RED_TO_GREEN,
            none="not reconciled",
        ),
        stat(
            "Tracking faults",
            "Faults of the tracking itself in the time range; the calls were not affected.",
            f"sum({_gained(_FAULTS)}) or count({_TABLE}) * 0",
            "locale",
            decimals=0,
            limits=(1, 100),
            none="no process seen",
        ),
    )


def _missing() -> tuple[dict[str, object], ...]:

    def rate(selector: str) -> str:
        return f"sum(rate({selector}[$__rate_interval]))"

    status = f"sum by (status) (rate({_BY_STATUS}[$__rate_interval])) * 3600"
    return (
        table(
            "Unpriced calls",
            "By model, feature and reason, in the time range. An overlay file gives the price.",
            [f"({_gained(_UNPRICED, 'model, feature, reason')}) > 0"],
            [
                Column("model", "Model", width=150),
                Column("feature", "Feature", links=_TO_FEATURE),
                Column("reason", "Reason", width=140),
                Column("A", "Calls", "locale", 0, 80),
            ],
            size=(12, 8),
            sort="Calls",
            none="every call had its price",
        ),
        table(
            "Unmeasured calls",
            "By model, feature and reason, in the time range.",
            [f"({_gained(_UNMEASURED, 'model, feature, reason')}) > 0"],
            [
                Column("model", "Model", width=150),
                Column("feature", "Feature", links=_TO_FEATURE),
                Column("reason", "Reason", width=140),
                Column("A", "Calls", "locale", 0, 80),
            ],
            size=(12, 8),
            sort="Calls",
            none="every call was measured",
        ),
        timeseries(
            "Dollars per hour by how sure they are",
            "exact: every unit has its row in the price table; all others rest on something that is named in the log line.",
            [query(status, "{{status}}")],
            "currencyUSD",
            size=(12, 8),
            decimals=2,
            stack=True,
            painted={"exact": "green", "estimated": "yellow"},
            interval="5m",
        ),
        timeseries(
            "Shares of calls",
            "Unpriced and unmeasured calls, of all calls.",
            [
                query(share(rate(_UNPRICED), rate(_CALLS)), "unpriced"),
                query(share(rate(_UNMEASURED), rate(_CALLS)), "unmeasured"),
            ],
            "percentunit",
            size=(12, 8),
            painted={"unpriced": "red", "unmeasured": "orange"},
            interval="15m",
        ),
    )


def _prices() -> tuple[dict[str, object], ...]:
    return (
        table(
            "Price tables in use",
            "More than one line: processes disagree about prices, as during a deploy.",
            [f"count by (version, sha256) ({_TABLE})", f"max by (version, sha256) ({_AGE})"],
            [
                Column("version", "Version", width=110),
                Column("sha256", "Content"),
                Column("A", "Processes", "locale", 0, 90),
                Column("B", "Age", "s", 0, 80, limits=(30 * 86400, 45 * 86400)),
            ],
            size=(10, 7),
            none="no process seen",
        ),
        table(
            "The bill, by vendor",
            "The last reconciliation: what was billed, the share of it that was recorded, how far our prices of that are off.",
            [
                f"max by (vendor) ({_BILLED})",
                f"min by (vendor) ({_COVERAGE})",
                f"max by (vendor) ({_PRICE_ERROR})",
                f"time() - max by (vendor) ({_CHECKED})",
            ],
            [
                Column("vendor", "Vendor"),
                Column("A", "Billed", "prefix:$", 2, 110),
                Column("B", "Recorded", "percentunit", 1, 105, limits=(0.95, 0.99), colours=RED_TO_GREEN),
                Column("C", "Price error", "percentunit", 1, 105, limits=(-0.05, 0.05), colours=_EITHER_WAY),
                Column("D", "Reconciled before", "s", 0, 140, limits=(7 * 86400, 8 * 86400)),
            ],
            size=(14, 7),
            none="not reconciled: see tracked-inference reconcile",
        ),
    )


def _tracking() -> tuple[dict[str, object], ...]:
    ours = f"count by (job) (last_over_time({_TABLE}[1d]))"
    return (
        timeseries(
            "Tracking faults",
            "Per hour, by stage. The calls were not affected.",
            [query(f"sum by (stage) (rate({_FAULTS}[$__rate_interval])) * 3600", "{{stage}}")],
            "short",
            size=(6, 7),
            interval="5m",
            none="none",
        ),
        timeseries(
            "Dropped records",
            "Records per hour that a queued sink did not take: it was full, or the program ended before it was done.",
            [
                query(
                    f"sum by (sink, reason) (rate({_DROPPED}[$__rate_interval])) * 3600",
                    "{{sink}}: {{reason}}",
                )
            ],
            "short",
            size=(6, 7),
            interval="5m",
            none="none",
        ),
        timeseries(
            "Label overflow",
            'Calls per hour that were counted as "other" because too many values of a label were seen.',
            [query(f"sum by (label) (rate({_OVERFLOW}[$__rate_interval])) * 3600", "{{label}}")],
            "short",
            size=(6, 7),
            interval="5m",
            none="none",
        ),
        timeseries(
            "Guards without an answer",
            "Times per hour that a budget guard asked for the spend to date and got no answer, by reason.",
            [query(f"sum by (reason) (rate({_UNANSWERED}[$__rate_interval])) * 3600", "{{reason}}")],
            "short",
            size=(6, 7),
            interval="5m",
            none="none",
        ),
        timeseries(
            "Scraped processes",
            "Scrape targets that export these metrics, and the share of their scrapes that failed: gaps lose money from view.",
            [
                query(f"count by (job) ({_TABLE})", "{{job}}"),
                query(
                    f"1 - avg by (job) (avg_over_time(up[$__rate_interval]) and on (job) {ours}) > 0",
                    "{{job}}: missed share",
                ),
            ],
            "short",
            size=(12, 7),
        ),
        timeseries(
            "Workers that answer in turn",
            "Scrapes that went back to an older process: workers share a port without multiprocess mode, counters are wrong.",
            [
                query(
                    f"sum by (job, instance) (resets(process_start_time_seconds[15m]) and on (job, instance) {_TABLE}) > 0",
                    "{{instance}}",
                )
            ],
            "short",
            size=(12, 7),
            decimals=0,
            none="none",
        ),
    )
