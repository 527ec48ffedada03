"""Where records go: metrics, log, ledger. Each is a callable that takes a `CallRecord`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from tracked_inference.record import Sink

__all__ = ["default_sinks"]


def default_sinks(registry: CollectorRegistry | None = None) -> tuple[Sink, ...]:
    """Metrics in `registry` (default prometheus_client's own) and one log line a call."""
    from tracked_inference.sinks.log import LogSink
    from tracked_inference.sinks.metrics import MetricsSink

    return (MetricsSink(registry), LogSink())
