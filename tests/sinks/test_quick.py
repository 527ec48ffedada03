"""The short ways into prometheus_client write what its public methods write."""

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from tracked_inference.sinks._quick import adder, observer

AMOUNTS = (0.0, 0.05, 0.1, 0.2, 1.0, 99.0)


def exposed(write):
    registry = CollectorRegistry()
    children = (
        Counter("c", "c", ["l"], registry=registry).labels("x"),
        Gauge("g", "g", ["l"], registry=registry).labels("x"),
        Histogram("h", "h", ["l"], registry=registry, buckets=(0.1, 1.0)).labels("x"),
    )
    write(*children)
    return [line for line in generate_latest(registry).decode().splitlines() if "_created" not in line]


def by_the_public_methods(counter, gauge, histogram):
    for amount in AMOUNTS:
        counter.inc(amount)
        gauge.inc(amount)
        histogram.observe(amount)
    gauge.dec(2)


def by_ours(counter, gauge, histogram):
    add, set_off, observe = adder(counter), adder(gauge), observer(histogram)
    for amount in AMOUNTS:
        add(amount)
        set_off(amount)
        observe(amount)
    set_off(-2)


def test_the_values_are_the_same():
    """Counters, gauges and every bucket, on its bound and between two."""
    assert exposed(by_ours) == exposed(by_the_public_methods)


class Hidden:
    """A child of a release that keeps its values somewhere else."""

    def __init__(self, child):
        self._wrapped = child
        self.inc, self.observe = getattr(child, "inc", None), getattr(child, "observe", None)


class Renamed(Hidden):
    _value = object()
    _sum, _upper_bounds, _buckets = Counter("s", "s", registry=None)._value, [1.0], []


@pytest.mark.parametrize("kind", [Hidden, Renamed])
def test_other_releases_are_met_by_their_public_methods(kind):
    """What is not where it was is not looked for."""
    assert exposed(lambda *children: by_ours(*map(kind, children[:2]), kind(children[2]))) == exposed(
        by_the_public_methods
    )
