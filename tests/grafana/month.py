"""
A simulated month of eight features of five teams, as OpenMetrics text for `promtool tsdb create-blocks-from openmetrics`.

It is drawn once from a seeded generator, so that pictures and tests see the same month; it is no measurement of anybody.
What a reader should find in it: weekdays and nights, a nightly batch, a feature launched on the 12th, a runaway on the
19th, a change of prices, a deploy that dropped a cache, a model without a price, a budget that does not last and a guard
that then refuses calls, a store that did not answer for a while, orphaned resources that grow.
"""

from __future__ import annotations

import math
import random
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import IO

from tracked_inference.sinks.catalogue import METRICS

STEP_SECONDS = 120
_HISTOGRAM_DAYS = 9
_SCANNER = 'instance="jobs-1:9100",job="node"'
_BUCKETS = {metric.name: metric.buckets for metric in METRICS if metric.buckets}

# USD per million tokens: input, cache read, cache write, output. Round figures near list prices; only the shapes matter.
PRICES = {
    "claude-sonnet-4-5": (3.0, 0.3, 3.75, 15.0),
    "claude-haiku-4-5": (1.0, 0.1, 1.25, 5.0),
    "claude-opus-4-5": (5.0, 0.5, 6.25, 25.0),
    "gpt-5-mini": (0.25, 0.025, 0.0, 2.0),
    "gpt-5": (1.25, 0.125, 0.0, 10.0),
    "house-model-2": (0.0, 0.0, 0.0, 0.0),  # no price at all
}


@dataclass(frozen=True, slots=True)
class Feature:
    """What one feature does in an hour at its peak, and with what."""

    name: str
    team: str
    models: tuple[tuple[str, float], ...]  # model, share of calls
    calls_an_hour: float
    shape: str
    input_tokens: int
    output_tokens: int
    cached: float
    seconds: float
    budget: float | None = None  # of a month
    streams: bool = True
    reasoning: float = 0.0
    refuses: bool = False  # its budget guard, once the month's budget is spent
    day_budget: float | None = None


FEATURES = (
    Feature(
        "document_summarisation",
        "documents",
        (("claude-sonnet-4-5", 0.7), ("claude-haiku-4-5", 0.3)),
        900,
        "office",
        9000,
        700,
        0.35,
        9,
        4000,
    ),
    Feature(
        "contract_review",
        "documents",
        (("claude-opus-4-5", 1.0),),
        60,
        "office",
        40000,
        1800,
        0.1,
        28,
        3000,
        True,
        0.3,
    ),
    Feature(
        "support_chat",
        "support",
        (("claude-haiku-4-5", 0.85), ("claude-sonnet-4-5", 0.15)),
        2400,
        "consumer",
        3500,
        250,
        0.6,
        3,
        5500,
    ),
    Feature(
        "ticket_triage", "support", (("gpt-5-mini", 1.0),), 800, "consumer", 1200, 60, 0.0, 1.2, 120, False
    ),
    Feature(
        "product_search",
        "discovery",
        (("gpt-5-mini", 0.9), ("house-model-2", 0.1)),
        5000,
        "consumer",
        600,
        40,
        0.0,
        0.8,
        700,
        False,
    ),
    Feature(
        "code_review",
        "platform",
        (("claude-sonnet-4-5", 1.0),),
        150,
        "office",
        18000,
        1500,
        0.5,
        20,
        1500,
        True,
        0.2,
        refuses=True,
    ),
    Feature(
        "nightly_enrichment", "data", (("gpt-5", 1.0),), 1500, "nightly", 2500, 400, 0.0, 6, 700, False, 0.4
    ),
    Feature(
        "meeting_notes",
        "documents",
        (("claude-sonnet-4-5", 1.0),),
        120,
        "launched",
        12000,
        900,
        0.0,
        14,
        day_budget=60,
    ),
)


def level(shape: str, when: datetime) -> float:
    """The share of its peak that a shape of traffic has at an instant."""
    hour, weekend = when.hour + when.minute / 60, when.weekday() >= 5
    if shape == "nightly":
        return 1.0 if 2 <= hour < 4 else 0.0
    day = max(0.0, math.sin((hour - 5) / 16 * math.pi)) if 5 <= hour <= 21 else 0.0
    if shape == "consumer":
        return 0.12 + 0.88 * day * (0.8 if weekend else 1.0)
    office = max(0.02, min(1.0, math.sin((hour - 7) / 11 * math.pi) * 1.3)) if 7 <= hour <= 18 else 0.02
    if shape == "launched" and when < datetime(when.year, when.month, 12, tzinfo=UTC) and when.month == 11:
        return 0.0
    return office * (0.06 if weekend else 1.0)


class Series:
    """One counter or gauge and the samples that it has so far."""

    def __init__(self) -> None:
        self.value = 0.0
        self.samples: list[tuple[int, float]] = []


def draw(until: datetime, days: int) -> dict[str, dict[str, list[tuple[int, float]]]]:
    """Samples by metric and label text, of the `days` before `until`."""
    chance = random.Random(20261101)
    out: dict[str, dict[str, Series]] = {}

    def series(metric: str, labels: str) -> Series:
        return out.setdefault(metric, {}).setdefault(labels, Series())

    start = until - timedelta(days=days)
    steps = int((until - start).total_seconds()) // STEP_SECONDS
    scraped = 'instance="api-1:8000",job="api"'
    spent: dict[tuple[str, int], float] = {}
    counters: set[Series] = set()  # scraped for ever, once they exist
    for step in range(steps + 1):
        when = start + timedelta(seconds=step * STEP_SECONDS)
        touched: set[Series] = set()
        with_histograms = when >= until - timedelta(days=_HISTOGRAM_DAYS)

        def add(metric: str, labels: str, amount: float) -> None:
            one = series(metric, f"{labels},{scraped}")
            one.value += amount
            counters.add(one)

        def put(
            metric: str, labels: str, value: float, touched: set[Series] = touched, by: str = scraped
        ) -> None:
            one = series(metric, f"{labels},{by}" if labels else by)
            one.value = value
            touched.add(one)

        for feature in FEATURES:
            now = level(feature.shape, when)
            if feature.shape == "launched" and now == 0.0 and when < datetime(2026, 11, 12, tzinfo=UTC):
                continue
            runaway = (
                feature.name == "code_review" and when.day == 19 and when.month == 11 and 13 <= when.hour < 16
            )
            uncached = feature.name == "support_chat" and when >= until - timedelta(hours=30)
            cached = 0.05 if uncached else feature.cached
            for model, part in feature.models:
                mean = feature.calls_an_hour * part * now * STEP_SECONDS / 3600 * (25 if runaway else 1)
                calls = max(0, round(chance.gauss(mean, math.sqrt(mean) if mean else 0)))
                month = (feature.name, when.month)
                if feature.refuses:
                    over = spent.get(month, 0.0) >= (feature.budget or math.inf)
                    labels = f'feature="{feature.name}",team="{feature.team}",period="month"'
                    add("ai_inference_budget_refused_calls_total", labels, calls if over else 0)
                    calls = 0 if over else calls
                cost = _one_step(add, feature, model, calls, cached, chance, with_histograms)
                spent[month] = spent.get(month, 0.0) + cost
            for period, dollars in (("month", feature.budget), ("day", feature.day_budget)):
                if dollars:
                    labels = f'feature="{feature.name}",team="{feature.team}",period="{period}"'
                    put("ai_inference_budget_usd", labels, dollars)
            info = f'feature="{feature.name}",team="{feature.team}",service="app",environment="production",component="",cost_center=""'
            put("ai_inference_feature_info", info, 1)
            put(
                "ai_inference_calls_in_progress",
                f'feature="{feature.name}"',
                round(feature.calls_an_hour * now * feature.seconds / 3600),
            )
        newer = when >= until - timedelta(days=4)
        table = (
            f'version="{"2026.11.18" if newer else "2026.10.30"}",sha256="{"9c41d7" if newer else "5be2f0"}"'
        )
        published = datetime(2026, 11, 18, tzinfo=UTC) if newer else datetime(2026, 10, 30, tzinfo=UTC)
        put("ai_inference_price_table_info", table, 1)
        put("ai_inference_price_table_age_seconds", table, (when - published).total_seconds())
        for model, rates in PRICES.items():
            for kind, rate in zip(("input", "cache_read", "cache_write_5m", "output"), rates, strict=True):
                if rate:
                    put(
                        "ai_inference_price_usd_per_token", f'model="{model}",token_type="{kind}"', rate / 1e6
                    )
        if when >= until - timedelta(days=5):
            put("ai_inference_bill_coverage_ratio", 'vendor="anthropic"', 0.991)
            put("ai_inference_bill_coverage_ratio", 'vendor="openai"', 0.978)
            put("ai_inference_bill_price_error_ratio", 'vendor="anthropic"', -0.002)
            put("ai_inference_bill_price_error_ratio", 'vendor="openai"', 0.013)
            for vendor, billed in (("anthropic", 3207.44), ("openai", 251.87)):
                put("ai_inference_bill_usd", f'vendor="{vendor}"', billed)
                reconciled = when.replace(hour=6, minute=0, second=0) - timedelta(days=when.hour < 6)
                put(
                    "ai_inference_bill_reconciled_timestamp_seconds",
                    f'vendor="{vendor}"',
                    reconciled.timestamp(),
                )
        _orphans(put, when, until)
        silent = until - timedelta(hours=50) <= when < until - timedelta(hours=49)
        add("ai_inference_budget_source_errors_total", 'reason="timeout"', 4 if silent else 0)
        add("ai_inference_tracking_errors_total", 'stage="log"', 1 if step % 4001 == 4000 else 0)
        add("ai_inference_dropped_records_total", 'sink="sink",reason="full"', 0)
        add("ai_inference_label_overflow_total", 'label="model"', 0)
        put("up", "", 1)
        restarts = timedelta(days=5)
        started = until - restarts * math.ceil((until - when) / restarts)
        put("process_start_time_seconds", "", started.timestamp())
        second = int(when.timestamp())
        for one in counters | touched:
            one.samples.append((second, one.value))
    return {metric: {labels: one.samples for labels, one in by.items()} for metric, by in out.items()}


def _one_step(
    add, feature: Feature, model: str, calls: int, cached: float, chance: random.Random, histograms: bool
) -> float:
    """Two minutes of calls of one feature to one model; what they cost."""
    pair = f'model="{model}",feature="{feature.name}"'
    plain, read, write, output = (rate / 1e6 for rate in PRICES[model])
    size = chance.uniform(0.9, 1.1)
    tokens_in, tokens_out = feature.input_tokens * size * calls, feature.output_tokens * size * calls
    failed = sum(chance.random() < 0.004 for _ in range(min(calls, 200)))
    cut = sum(chance.random() < 0.01 for _ in range(min(calls, 200))) if feature.streams else 0
    kinds = {
        "input": tokens_in * (1 - cached) * 0.9,
        "cache_read": tokens_in * cached,
        "cache_write_5m": tokens_in * (1 - cached) * 0.1 if write and feature.cached else 0,
        "output": tokens_out,
    }
    if not (write and feature.cached):
        kinds["input"] /= 0.9
    cost = (
        kinds["input"] * plain
        + kinds["cache_read"] * read
        + kinds["cache_write_5m"] * write
        + kinds["output"] * output
    )
    for kind, count in kinds.items():
        if count or kind in {"input", "output"}:
            add("ai_inference_tokens_total", f'{pair},token_type="{kind}"', round(count))
    if feature.reasoning:
        add("ai_inference_reasoning_tokens_total", pair, round(tokens_out * feature.reasoning))
    priced = any(PRICES[model])
    if priced:
        add("ai_inference_estimated_cost_usd_total", f'{pair},team="{feature.team}"', cost)
        status = "estimated" if model == "claude-opus-4-5" else "exact"
        add("ai_inference_cost_by_status_usd_total", f'feature="{feature.name}",status="{status}"', cost)
    for outcome, count in (("ok", calls - failed - cut), ("error", failed), ("abandoned", cut)):
        add("ai_inference_calls_total", f'{pair},team="{feature.team}",outcome="{outcome}"', max(0, count))
    add("ai_inference_retries_total", pair, sum(chance.random() < 0.02 for _ in range(min(calls, 200))))
    if not priced:
        add("ai_inference_unpriced_calls_total", f'{pair},reason="unknown_model"', calls)
    if feature.streams:
        add("ai_inference_unmeasured_calls_total", f'{pair},reason="stream_cut"', cut)
    if histograms:
        _spread(add, "ai_inference_duration_seconds", pair, calls, feature.seconds, 0.5)
        if feature.streams:
            _spread(
                add, "ai_inference_time_to_first_token_seconds", pair, calls, 0.6 + feature.seconds / 20, 0.4
            )
        if priced:
            _spread(
                add,
                "ai_inference_cost_per_call_usd",
                f'feature="{feature.name}"',
                calls,
                (cost / calls if calls else 0) or 1e-5,
                0.6,
            )
    return cost


def _orphans(put, when: datetime, until: datetime) -> None:
    """What the scans found, one each morning: little for weeks, then the volumes of a cluster that was taken down."""
    found = when.replace(hour=6, minute=17, second=0) - timedelta(days=(when.hour, when.minute) < (6, 17))
    ago = (until - found).days
    for kind, team, region, number, each in (
        ("ebs_volume", "data", "us-east-1", 3 + 12 * (ago < 4), 16.0),
        ("ebs_volume", "documents", "eu-west-1", 2, 8.0),
        ("ebs_snapshot", "data", "us-east-1", 40 - ago, 1.15),
        ("elastic_ip", "support", "us-east-1", 2 if ago > 9 else 0, 3.65),
        ("application_load_balancer", "platform", "eu-west-1", 1, 18.4),
        ("ec2_instance", "untagged", "eu-west-1", 2, 0.0),
    ):
        labels = f'kind="{kind}",team="{team}",region="{region}"'
        if number:
            put("cloud_orphaned_resources", labels, number, by=_SCANNER)
        if number and each:
            put("cloud_orphaned_resource_monthly_cost_usd", labels, number * each, by=_SCANNER)
        elif number:
            put("cloud_orphaned_resources_unpriced", labels, number, by=_SCANNER)
    put("cloud_orphan_scan_gaps", "", 2 if ago == 15 else 0, by=_SCANNER)
    put("cloud_orphan_scan_timestamp_seconds", "", found.timestamp(), by=_SCANNER)


def _spread(add, metric: str, labels: str, calls: int, median: float, sigma: float) -> None:
    """`calls` observations of a log-normal quantity, as cumulative buckets."""
    for bound in _BUCKETS[metric]:
        below = 0.5 * (1 + math.erf(math.log(bound / median) / sigma / math.sqrt(2)))
        add(f"{metric}_bucket", f'{labels},le="{float(bound)}"', round(calls * below))
    add(f"{metric}_bucket", f'{labels},le="+Inf"', calls)
    add(f"{metric}_count", labels, calls)
    add(f"{metric}_sum", labels, calls * median * math.exp(sigma**2 / 2))


def write(until: datetime, days: int, to: IO[str]) -> None:
    """The month as OpenMetrics text."""
    for metric, by_labels in draw(until, days).items():
        # Untyped: the text is for one reader, promtool, which keeps no types.
        to.write(f"# TYPE {metric} unknown\n")
        for labels, samples in by_labels.items():
            to.writelines(f"{metric}{{{labels}}} {value:.10g} {second}\n" for second, value in samples)
    to.write("# EOF\n")


if __name__ == "__main__":
    write(datetime.fromisoformat(sys.argv[1]), int(sys.argv[2]), sys.stdout)
