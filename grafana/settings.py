"""The thresholds of the alerts and what a deployment may change, in one place."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Settings"]


@dataclass(frozen=True, slots=True)
class Settings:
    """
    What the rules are made with; the defaults are those of the committed files.

    Attributes:
        matchers: Added to every selector of an exported metric, `('job="api"',)` for instance.
        runbook_base: What stands before `<AlertName>.md`; the default is the path inside this repository.
        severity_page: The severity of what should wake somebody.
        severity_ticket: The severity of what can wait for the morning.
        runaway_factor: A feature that spends this many times what it normally does at this hour is a runaway.
        runaway_floor_usd_per_hour: What counts as normal at least; times the factor it is the smallest spend that pages.
        min_calls: Ratios of fewer calls than this in their window are noise.
        spend_usd_per_hour: A feature that spends more than this in an hour is reported whatever is normal for it.
        unbudgeted_usd_per_day: A feature without a budget is reported above this.
        nearly_spent: The share of a month's budget that counts as nearly spent.
        unmeasured_share: The share of calls without usage that is reported.
        retries_per_call: Retries for each call that count as a storm.
        error_share: The share of calls that fail which is reported.
        slower_factor: How many times slower than yesterday and a week ago is reported.
        latency_floor_seconds: A 95th percentile below this is never reported.
        first_token_floor_seconds: The same for the time to the first token.
        cache_drop: The cache share of input fell below this part of what it was.
        cost_per_call_factor: How many times the normal cost of one call is reported.
        price_table_age_days: An older price table is reported.
        bill_coverage: The share of the vendor's bill that tracked calls should explain.
        bill_price_error: How far our price of what was recorded may be from the vendor's charge for it, either way.
        bill_age_days: The last reconciliation should not be older; the default is that of a weekly job.
        orphan_growth: The part by which a team's orphaned resources may grow in a week.
        orphan_growth_usd_per_month: Growth by less than this is never reported.
        orphan_scan_age_days: The last scan for orphaned resources should not be older; the default is that of a daily job.

    """

    matchers: tuple[str, ...] = ()
    runbook_base: str = "docs/runbooks/"
    severity_page: str = "critical"
    severity_ticket: str = "warning"
    runaway_factor: float = 4
    runaway_floor_usd_per_hour: float = 0.25
    min_calls: int = 20
    spend_usd_per_hour: float = 25
    unbudgeted_usd_per_day: float = 5
    nearly_spent: float = 0.8
    unmeasured_share: float = 0.05
    retries_per_call: float = 0.5
    error_share: float = 0.1
    slower_factor: float = 2
    latency_floor_seconds: float = 10
    first_token_floor_seconds: float = 3
    cache_drop: float = 0.5
    cost_per_call_factor: float = 2
    price_table_age_days: int = 45
    bill_coverage: float = 0.95
    bill_price_error: float = 0.05
    bill_age_days: int = 8
    orphan_growth: float = 0.2
    orphan_growth_usd_per_month: float = 50
    orphan_scan_age_days: int = 2
