"""
Every metric of this package, defined once.

The Prometheus sink builds its collectors from this table; dashboards, rules and the reference page are tested against it.
Nothing here imports prometheus_client.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["METRICS", "Metric"]

_DURATION_BUCKETS = (0.1, 0.25, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600)
_FIRST_TOKEN_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 20, 30, 60)
_COST_BUCKETS = (1e-6, 1e-5, 1e-4, 1e-3, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 100)


@dataclass(frozen=True, slots=True)
class Metric:
    """
    One metric.

    Attributes:
        name: As queried in PromQL, with its unit and, for counters, `_total`.
        kind: The Prometheus type.
        labels: Its labels, in order.
        help: What it counts, one sentence.
        buckets: Upper bounds, for histograms.
        multiprocess_mode: How prometheus_client joins the values of several processes, for gauges.
    """

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    labels: tuple[str, ...]
    help: str
    buckets: tuple[float, ...] = ()
    multiprocess_mode: str = ""


METRICS: tuple[Metric, ...] = (
    Metric(
        "ai_inference_estimated_cost_usd_total",
        "counter",
        ("model", "feature", "team"),
        "Estimated cost of AI inference in US dollars; a call without a price adds nothing here and one to"
        " ai_inference_unpriced_calls_total.",
    ),
    Metric(
        "ai_inference_tokens_total",
        "counter",
        ("model", "feature", "token_type"),
        "Tokens by kind; the kinds are disjoint, so their sum is all tokens of a call.",
    ),
    Metric(
        "ai_inference_reasoning_tokens_total",
        "counter",
        ("model", "feature"),
        "Reasoning tokens; they are part of the output tokens and are not to be added to them.",
    ),
    Metric(
        "ai_inference_duration_seconds",
        "histogram",
        ("model", "feature"),
        "Time from the call to its end, retries and the whole stream included.",
        buckets=_DURATION_BUCKETS,
    ),
    Metric(
        "ai_inference_time_to_first_token_seconds",
        "histogram",
        ("model", "feature"),
        "Time from the call to the first content of its stream.",
        buckets=_FIRST_TOKEN_BUCKETS,
    ),
    Metric(
        "ai_inference_cost_per_call_usd",
        "histogram",
        ("feature",),
        "Estimated cost of one call in US dollars; calls without a price are left out.",
        buckets=_COST_BUCKETS,
    ),
    Metric(
        "ai_inference_cost_per_hour_usd",
        "gauge",
        ("feature",),
        "Estimated cost of the last 60 minutes in US dollars; decays to 0 when calls stop.",
        multiprocess_mode="livesum",
    ),
    Metric(
        "ai_inference_cost_by_status_usd_total",
        "counter",
        ("feature", "status"),
        "The dollars of ai_inference_estimated_cost_usd_total by how sure they are: exact, estimated, lower_bound, ….",
    ),
    Metric(
        "ai_inference_calls_total",
        "counter",
        ("model", "feature", "team", "outcome"),
        "Calls by how they ended: ok, error, cancelled or abandoned.",
    ),
    Metric(
        "ai_inference_unpriced_calls_total",
        "counter",
        ("model", "feature", "reason"),
        "Calls of which at least one unit has no price; what they cost beyond the counted part is unknown.",
    ),
    Metric(
        "ai_inference_unmeasured_calls_total",
        "counter",
        ("model", "feature", "reason"),
        "Calls whose usage the vendor did not report, or reported only in part.",
    ),
    Metric(
        "ai_inference_retries_total",
        "counter",
        ("model", "feature"),
        "Requests that the SDK sent again by itself; a call of three requests counts two here.",
    ),
    Metric(
        "ai_inference_calls_in_progress",
        "gauge",
        ("feature",),
        "Calls that have started and not ended, open streams included.",
        multiprocess_mode="livesum",
    ),
    Metric(
        "ai_inference_price_usd_per_token",
        "gauge",
        ("model", "token_type"),
        "List price of one token in US dollars, for the models seen.",
        multiprocess_mode="mostrecent",
    ),
    Metric(
        "ai_inference_price_table_info",
        "gauge",
        ("version", "sha256"),
        "Always 1; names the price table in use.",
        multiprocess_mode="mostrecent",
    ),
    Metric(
        "ai_inference_price_table_age_seconds",
        "gauge",
        ("version", "sha256"),
        "Age of the price table in use.",
        multiprocess_mode="max",
    ),
    Metric(
        "ai_inference_feature_info",
        "gauge",
        ("feature", "team", "service", "environment", "component", "cost_center"),
        "Always 1; joins a feature to who owns it.",
        multiprocess_mode="mostrecent",
    ),
    Metric(
        "ai_inference_budget_usd",
        "gauge",
        ("feature", "team", "period"),
        "The budget of a feature in US dollars for a period; every process exports the same, so take the max.",
        multiprocess_mode="max",
    ),
    Metric(
        "ai_inference_budget_refused_calls_total",
        "counter",
        ("feature", "team", "period"),
        "Calls that were not made because the feature's budget for the period is spent.",
    ),
    Metric(
        "ai_inference_budget_source_errors_total",
        "counter",
        ("reason",),
        "Times that a budget guard asked for the spend to date and got no answer.",
    ),
    Metric(
        "ai_inference_label_overflow_total",
        "counter",
        ("label",),
        "Calls whose feature or unknown model was written as other because too many were seen.",
    ),
    Metric(
        "ai_inference_dropped_records_total",
        "counter",
        ("sink", "reason"),
        "Records that a queued sink did not take; the calls were not affected and the other sinks have them.",
    ),
    Metric(
        "ai_inference_tracking_errors_total",
        "counter",
        ("stage",),
        "Faults of the tracking itself; the calls were not affected.",
    ),
)
