"""Alerts on orphaned cloud resources, from the file that the scanner writes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .alert_parts import alert, number
from .names import raw

if TYPE_CHECKING:
    from .settings import Settings

__all__ = ["cloud"]


def cloud(s: Settings) -> list[dict[str, Any]]:
    """Growth, and scans that are old or saw not everything; a selector for the application does not fit the scanner's job."""
    cost = f"sum by (team) ({raw('cloud_orphaned_resource_monthly_cost_usd')})"
    gaps, scanned = raw("cloud_orphan_scan_gaps"), raw("cloud_orphan_scan_timestamp_seconds")
    # The seventh day back; a team that had nothing then had 0, which the scanner does not write.
    was = f"(max_over_time({cost}[1d:1h] offset 6d) or {cost} * 0)"
    growth = number(1 + s.orphan_growth)
    return [
        alert(
            s,
            "CloudOrphanCostGrowth",
            hold="1h",
            # Not from a week without a scan, or with one that saw not everything.
            expr=f"""
            (
              {cost} - {was} > {number(s.orphan_growth_usd_per_month)}
              and
              {cost} > {growth} * {was}
            )
            and on () max(max_over_time({scanned}[1d:1h] offset 6d))
            unless on () max(max_over_time({gaps}[1d:1h] offset 6d)) > 0
            """,
            summary='Orphaned cloud resources of team {{ $labels.team }} cost {{ $value | printf "%.0f" }} USD a month more than a week ago.',
            description=f"""Resources of team {{{{ $labels.team }}}} that nothing seems to use cost {{{{ $value | printf "%.2f" }}}} USD a
            month more than a week ago, by the scanner's prices: more than {s.orphan_growth:.0%} and
            {number(s.orphan_growth_usd_per_month)} USD.""",
        ),
        # A scanner whose file is old, or no file at all where there was one.
        alert(
            s,
            "CloudOrphanScanStale",
            hold="1h",
            expr=f"""
            time() - max by (job, instance) ({scanned}) > {s.orphan_scan_age_days} * 86400
            or
            (
              time() - max(max_over_time({scanned}[30d:1h])) > {s.orphan_scan_age_days} * 86400
              unless on () {scanned}
            )
            """,
            summary="The last scan for orphaned cloud resources is {{ $value | humanizeDuration }} old.",
            description=f"""No scan for orphaned cloud resources for {{{{ $value | humanizeDuration }}}}; the limit is
            {s.orphan_scan_age_days} days. Panels show what was found then.""",
        ),
        alert(
            s,
            "CloudOrphanScanIncomplete",
            hold="1h",
            expr=f"max by (job, instance) ({gaps}) > 0",
            summary="The last scan for orphaned cloud resources did not see everything.",
            description="""Regions, accounts or kinds of resource that the last scan for orphaned cloud resources was not allowed
            to read, or that gave no answer: {{ $value | printf "%.0f" }}. Its figures are a floor.""",
        ),
    ]
