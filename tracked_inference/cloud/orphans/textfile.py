"""
The outcome of a scan as metrics, defined once, and the file that node_exporter's textfile collector reads them from.

https://github.com/prometheus/node_exporter#textfile-collector
They are written by a job and not by the sinks, so they stand apart from `sinks.catalogue`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from decimal import Decimal
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Gauge, write_to_textfile

from tracked_inference.sinks.catalogue import Metric

if TYPE_CHECKING:
    from pathlib import Path

    from tracked_inference.cloud.orphans.model import ScanReport

__all__ = ["ORPHAN_METRICS", "write_textfile"]

_LABELS = ("kind", "team", "region")

ORPHAN_METRICS = (
    Metric(
        "cloud_orphaned_resource_monthly_cost_usd",
        "gauge",
        _LABELS,
        "Estimated monthly cost of likely orphaned resources in US dollars; unknown costs are left out.",
    ),
    Metric("cloud_orphaned_resources", "gauge", _LABELS, "Resources that are likely orphaned."),
    Metric(
        "cloud_orphaned_resources_unpriced",
        "gauge",
        _LABELS,
        "Likely orphaned resources whose cost is not known.",
    ),
    Metric("cloud_orphan_scan_gaps", "gauge", (), "What the last scan could not see."),
    Metric("cloud_orphan_scan_timestamp_seconds", "gauge", (), "When the last scan began, in Unix time."),
)
"""What `orphans scan --textfile` writes."""


def write_textfile(report: ScanReport, path: Path) -> None:
    """
    Write the report to a file ending in .prom, all at once.

    A scan with gaps is written too: `cloud_orphan_scan_gaps` says that its figures are a floor.
    """
    registry = CollectorRegistry()
    cost, count, unknown, gaps, finished = (
        Gauge(one.name, one.help, one.labels, registry=registry) for one in ORPHAN_METRICS
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
