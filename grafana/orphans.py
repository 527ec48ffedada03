"""Cloud resources that are paid for and used by nothing, from the file that the scanner writes."""

from __future__ import annotations

from .names import raw
from .page import page, variable
from .panels import Column, Row, query, stat, table, timeseries
from .queries import pick

__all__ = ["dashboard"]

_MINE = {"team": '=~"$team"', "region": '=~"$region"', "kind": '=~"$kind"'}
_COST = pick("cloud_orphaned_resource_monthly_cost_usd", _MINE)
_COUNT = pick("cloud_orphaned_resources", _MINE)
_UNKNOWN = pick("cloud_orphaned_resources_unpriced", _MINE)
_GAPS = raw("cloud_orphan_scan_gaps")
_SCANNED = raw("cloud_orphan_scan_timestamp_seconds")
# The scanner writes no zeros: where it ran and says nothing, nothing was found.
_NOTHING = f"max({_SCANNED}) * 0"
_NOTHING_THEN = f"max({_SCANNED} offset 1w) * 0"
_NO_SCAN = "no scan seen"


def dashboard() -> dict[str, object]:
    """The Orphans dashboard."""
    labels = (("team", "Team"), ("region", "Region"), ("kind", "Kind"))
    return page(
        "orphans",
        "AI inference / Orphaned resources",
        "Cloud resources that are paid for and, by all signs, used by nothing; written by tracked-inference orphans scan.",
        [
            variable(name, title, f"label_values({raw('cloud_orphaned_resources')}, {name})", all_value=".*")
            for name, title in labels
        ],
        [Row("Now", _now()), Row("Where", _where()), Row("Over time", _over_time())],
        since="now-30d",
    )


def _now() -> tuple[dict[str, object], ...]:
    return (
        stat(
            "Cost of a month",
            "What was found by the last scan costs this in a month, by the scanner's prices; unknown costs are left out.",
            f"sum({_COST}) or {_NOTHING}",
            "currencyUSD",
            decimals=2,
            none=_NO_SCAN,
        ),
        stat(
            "In a week",
            "The cost of a month, less what it was seven days before.",
            f"(sum({_COST}) or {_NOTHING}) - (sum({_COST} offset 1w) or {_NOTHING_THEN})",
            "currencyUSD",
            decimals=2,
            limits=(0.01, 50),
            none="no scan then",
        ),
        stat(
            "Resources",
            "Likely orphaned, by the last scan.",
            f"sum({_COUNT}) or {_NOTHING}",
            "locale",
            decimals=0,
            none=_NO_SCAN,
        ),
        stat(
            "Cost unknown",
            "Resources for which the scanner has no rate: they are not in the cost.",
            f"sum({_UNKNOWN}) or {_NOTHING}",
            "locale",
            decimals=0,
            limits=(1, 100),
            none=_NO_SCAN,
        ),
        stat(
            "Not seen",
            "Regions, accounts or kinds that the last scan could not read. Above 0 every figure here is a floor.",
            f"max({_GAPS})",
            "locale",
            decimals=0,
            limits=(1, 100),
            none=_NO_SCAN,
        ),
        stat(
            "Scan's age",
            "Since the start of the last scan, at the end of the time range; the oldest of several scanners.",
            f"max(time() - {_SCANNED})",
            "s",
            decimals=0,
            limits=(86400 * 1.5, 86400 * 2),
            none=_NO_SCAN,
        ),
    )


def _where() -> tuple[dict[str, object], ...]:
    by = "team, region, kind"
    cost, count = f"sum by ({by}) ({_COST})", f"sum by ({by}) ({_COUNT})"
    before = f"sum by ({by}) ({_COST} offset 1w)"
    return (
        table(
            "Team, region, kind",
            "By the last scan; the change is against seven days before. Which resources these are, the scan's own report says.",
            [
                f"{cost} and {count} > 0",
                f"({cost} - ({before} or {cost} * 0)) and on () max({_SCANNED} offset 1w)",
                f"{count} > 0",
                f"sum by ({by}) ({_UNKNOWN})",
            ],
            [
                Column("team", "Team", width=150),
                Column("region", "Region", width=150),
                Column("kind", "Kind"),
                Column("A", "Per month", "prefix:$", 2, 110, none="not known"),
                Column("B", "Change", "prefix:$", 2, 100, limits=(0.01, 50)),
                Column("C", "Resources", "locale", 0, 95),
                Column("D", "Cost unknown", "locale", 0, 115),
            ],
            size=(24, 10),
            sort="Per month",
            none="nothing found, or no scan seen",
        ),
    )


def _over_time() -> tuple[dict[str, object], ...]:
    return tuple(
        timeseries(
            f"Dollars a month by {label}",
            "What each scan found, by the prices of its day; a step is a scan.",
            [query(f"sum by ({label}) ({_COST})", f"{{{{{label}}}}}")],
            "currencyUSD",
            size=(12, 8),
            decimals=0,
            stack=True,
            none="nothing found, or no scan seen",
        )
        for label in ("team", "kind")
    )
