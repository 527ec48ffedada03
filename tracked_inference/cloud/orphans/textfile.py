"""
The outcome of a scan as metrics, for the textfile collector of node_exporter.

https://github.com/prometheus/node_exporter#textfile-collector
"""

from __future__ import annotations

from collections import Counter, defaultdict
from decimal import Decimal
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Gauge, write_to_textfile

if TYPE_CHECKING:
    from pathlib import Path

    from tracked_inference.cloud.orphans.model import ScanReport

__all__ = ["write_textfile"]

_LABELS = ("kind", "team", "region")


def write_textfile(report: ScanReport, path: Path) -> None:
    """
    Write the report to a file ending in .prom, all at once.

    A scan with gaps is written too: `cloud_orphan_scan_gaps` says that its figures are a floor.
    """
    registry = CollectorRegistry()
    cost = Gauge(
        "cloud_orphaned_resource_monthly_cost_usd",
        "Estimated monthly cost of likely orphaned resources in US dollars; unknown costs are left out.",
        _LABELS,
        registry=registry,
    )
    count = Gauge(
        "cloud_orphaned_resources", "Resources that are likely orphaned.", _LABELS, registry=registry
    )
    unknown = Gauge(
        "cloud_orphaned_resources_unpriced",
        "Likely orphaned resources whose cost is not known.",
        _LABELS,
        registry=registry,
    )
    gaps = Gauge("cloud_orphan_scan_gaps", "What the last scan could not see.", registry=registry)
    finished = Gauge(
        "cloud_orphan_scan_timestamp_seconds", "When the last scan began, in Unix time.", registry=registry
    )
    costs: dict[tuple[str, str, str], Decimal] = defaultdict(Decimal)
    counts: Counter[tuple[str, str, str]] = Counter()
    unpriced: Counter[tuple[str, str, str]] = Counter()
    for resource in report.resources:
        key = (resource.resource_type, resource.team, resource.region)
        counts[key] += 1
        if resource.monthly_cost_usd is None:
            unpriced[key] += 1
        else:
            costs[key] += resource.monthly_cost_usd
    for key, usd in costs.items():
        cost.labels(*key).set(float(usd))
    for key, number in counts.items():
        count.labels(*key).set(number)
    for key, number in unpriced.items():
        unknown.labels(*key).set(number)
    gaps.set(len(report.gaps))
    finished.set(report.started_at.timestamp())
    write_to_textfile(str(path), registry)
