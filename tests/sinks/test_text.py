"""The quick way to write a scrape gives, to the byte, what prometheus_client gives."""

import math

import pytest
from prometheus_client import CollectorRegistry, Counter, Enum, Gauge, Histogram, Info, Summary, exposition
from prometheus_client.core import GaugeHistogramMetricFamily, GaugeMetricFamily, UntypedMetricFamily
from prometheus_client.exposition import choose_encoder

from tests.sinks.records import record
from tracked_inference.sinks import _text
from tracked_inference.sinks._text import quicker
from tracked_inference.sinks.metrics import MetricsSink

OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
UTF8 = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,text/plain;version=0.0.4;q=0.2"
"""What Prometheus 3 accepts."""
ACCEPTS = [
    "",
    "text/plain; version=0.0.4",
    "text/plain; version=1.0.0",
    "application/openmetrics-text",
    OPENMETRICS,
    UTF8,
]


class Family:
    """A collector of one metric family."""

    def __init__(self, family):
        self._family = family

    def collect(self):
        yield self._family


def full():
    """A registry with a metric of each kind, and every value and letter that is written in a way of its own."""
    registry = CollectorRegistry()
    counter = Counter("dollars", 'Dollars, "net" \\ of\ntax.', ["b", "a"], registry=registry)
    counter.labels('quo"te', "new\nline").inc(0.1)
    counter.labels("back\\slash", "ümläut").inc(123456789012.5, {"trace_id": 'ab"c'})
    counter.labels("", "x").inc(1e-9)
    gauge = Gauge("level", "Level.", ["a"], registry=registry)
    for name, value in {
        "nan": math.nan,
        "up": math.inf,
        "down": -math.inf,
        "minus": -0.0,
        "big": 1e22,
    }.items():
        gauge.labels(name).set(value)
    Histogram("took", "Took.", ["a"], registry=registry, buckets=(0.1, 1)).labels("x").observe(
        0.5, {"trace_id": "ab"}
    )
    Histogram("plain_seconds", "Plain.", registry=registry, unit="seconds").observe(3)
    Summary("size", "Size.", registry=registry).observe(2)
    Info("build", "Build.", registry=registry).info({"version": "1"})
    Enum("state", "State.", states=["up", "down"], registry=registry).state("down")
    aged = GaugeMetricFamily("aged", "With a time.", labels=["a"])
    aged.add_metric(["x"], 1, timestamp=1_790_000_000.123)
    registry.register(Family(aged))
    registry.register(Family(UntypedMetricFamily("odd", "Untyped.", value=2)))
    registry.register(
        Family(GaugeHistogramMetricFamily("gh", "Gauges.", buckets=[("1", 1), ("+Inf", 2)], gsum_value=3))
    )
    return registry


@pytest.mark.parametrize("accept", ACCEPTS)
def test_the_bytes_are_the_same(accept):
    """Every kind of metric, in both formats, without falling back on prometheus_client."""
    registry, (encoder, _) = full(), choose_encoder(accept)
    expected = encoder(registry)
    quick = quicker(encoder)
    written = "".join((_text._openmetrics if b"# EOF" in expected else _text._plain)(registry)).encode()

    assert quick is not encoder
    assert quick(registry) == written == expected


@pytest.mark.parametrize("accept", ACCEPTS)
def test_our_own_metrics(accept):
    """What a sink counts is written the same, with exemplars too."""
    registry, (encoder, _) = CollectorRegistry(), choose_encoder(accept)
    sink = MetricsSink(registry)
    sink(record())
    sink(record(trace_id="0" * 32, model="claude-sonnet-4-6"))

    assert quicker(encoder)(registry) == encoder(registry)


def test_names_with_other_letters_are_left_to_prometheus_client():
    """A recording rule's colon, and names of the newer specification."""
    registry = CollectorRegistry()
    registry.register(Family(GaugeMetricFamily("job:level:sum", "A rule.", value=1)))
    registry.register(Family(GaugeMetricFamily("level", "Level.", value=1)))
    for accept in ACCEPTS:
        encoder = choose_encoder(accept)[0]

        assert quicker(encoder)(registry) == encoder(registry)


@pytest.mark.parametrize(
    "accept",
    [
        "application/openmetrics-text; version=2.0.0",
        "application/openmetrics-text; version=1.0.0; escaping=dots",
        "text/plain; version=1.0.0; escaping=values",
    ],
)
def test_other_formats_are_left_to_prometheus_client(accept):
    """An encoder that is not known is what answers."""
    encoder = choose_encoder(accept)[0]

    assert quicker(encoder) is encoder


def test_a_collector_that_fails_fails_as_ever():
    """The error is the collector's, as prometheus_client raises it."""

    class Broken:
        def describe(self):
            return []

        def collect(self):
            raise LookupError("no connection")

    registry = CollectorRegistry()
    registry.register(Broken())

    with pytest.raises(LookupError, match="no connection"):
        quicker(exposition.generate_latest)(registry)
