"""
The gauges of a reconciliation, defined once, and the file that node_exporter's textfile collector reads them from.

They are written by a job and not by the sinks, so they stand apart from `sinks.catalogue`.
"""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from tracked_inference.errors import ConfigurationError
from tracked_inference.sinks.catalogue import Metric

if TYPE_CHECKING:
    from tracked_inference.reporting.reconcile import Reconciliation

__all__ = ["BILL_METRICS", "to_textfile", "write_textfile"]

BILL_METRICS = (
    Metric(
        "ai_inference_bill_coverage_ratio",
        "gauge",
        ("vendor",),
        "Part of the vendor's charges for tokens that was recorded; 1 is all of it.",
    ),
    Metric(
        "ai_inference_bill_price_error_ratio",
        "gauge",
        ("vendor",),
        "Estimated cost of what was recorded against the vendor's charge for it, less 1.",
    ),
    Metric(
        "ai_inference_bill_usd",
        "gauge",
        ("vendor",),
        "What the vendor charged for the days that were reconciled.",
    ),
    Metric(
        "ai_inference_bill_recorded_usd",
        "gauge",
        ("vendor",),
        "What was recorded for the days that were reconciled.",
    ),
    Metric(
        "ai_inference_bill_end_timestamp_seconds",
        "gauge",
        ("vendor",),
        "Unix time at which the last day that was reconciled ended.",
    ),
    Metric(
        "ai_inference_bill_reconciled_timestamp_seconds",
        "gauge",
        ("vendor",),
        "Unix time of the last reconciliation.",
    ),
)
"""What `reconcile --textfile` writes."""


def to_textfile(found: Reconciliation, now: datetime | None = None) -> str:
    """The gauges in the text format of Prometheus; one that has no value is left out."""
    total = found.total
    values = {
        "ai_inference_bill_coverage_ratio": total.coverage,
        "ai_inference_bill_price_error_ratio": total.price_error,
        "ai_inference_bill_usd": total.billed_usd,
        "ai_inference_bill_recorded_usd": total.recorded_usd,
        "ai_inference_bill_end_timestamp_seconds": int(found.period.until.timestamp()),
        "ai_inference_bill_reconciled_timestamp_seconds": int((now or datetime.now(UTC)).timestamp()),
    }
    lines = []
    for one in BILL_METRICS:
        value = values[one.name]
        if value is not None:
            lines += [f"# HELP {one.name} {one.help}", f"# TYPE {one.name} {one.kind}"]
            lines.append(f'{one.name}{{vendor="{found.vendor}"}} {float(value)!r}')
    return "\n".join(lines) + "\n"


def _mode_of(path: Path) -> int:
    """What the file had, so that an operator's choice stays; else what the umask leaves of readable for all."""
    try:
        return stat.S_IMODE(path.stat().st_mode)
    except FileNotFoundError:
        mask = os.umask(0o077)
        os.umask(mask)
        return 0o644 & ~mask


def write_textfile(path: Path, text: str) -> None:
    """
    Replace the file whole, as readable as it was or as the umask says, so that nobody reads half of it.

    Raises:
        ConfigurationError: It cannot be written.
    """
    try:
        descriptor, name = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
            Path(name).chmod(_mode_of(path))
            Path(name).replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                Path(name).unlink()
            raise
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be written: {error.strerror or error}") from error
