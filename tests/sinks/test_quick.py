"""The short ways into prometheus_client write what its public methods write."""

import sys
import threading

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, metrics, values

from tracked_inference.sinks import _quick
from tracked_inference.sinks._quick import Tally, adder

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
    tally = Tally()
    count, level, observe = tally.value(counter), tally.value(gauge), tally.histogram(histogram)
    for amount in AMOUNTS:
        tally.add([(count, amount), (level, amount), *observe(amount, None)])
    adder(gauge)(-2)


def test_the_values_are_the_same():
    """Counters, gauges and every bucket, on its bound and between two."""
    assert exposed(by_ours) == exposed(by_the_public_methods)


def test_the_values_of_a_tally_share_its_lock():
    """One lock a record is what makes it quick; it is prometheus_client's own way in as well, and a scrape's."""
    tally = Tally()
    children = Counter("c", "c", registry=None), Gauge("g", "g", registry=None)
    histogram = Histogram("h", "h", registry=None)
    values = [tally.value(one) for one in children] + [
        due[0] for due in tally.histogram(histogram)(1.0, None)
    ]

    assert {id(value._lock) for value in values} == {id(tally._lock)}
    assert len(values) == 4


def test_threads_lose_nothing():
    """What many threads add at once, some of them by prometheus_client's own methods, is all there."""
    tally, counter = Tally(), Counter("c", "c", registry=None)
    value = tally.value(counter)

    def add():
        for _ in range(2000):
            tally.add([(value, 1), (value, 1)])
            counter.inc()

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=add) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)

    assert next(iter(counter.collect())).samples[0].value == 4 * 2000 * 3


def test_an_exemplar_is_counted_at_once():
    """Nothing is left to add of what an exemplar goes with."""
    histogram = Histogram("h", "h", registry=None, buckets=(1.0,))

    assert Tally().histogram(histogram)(0.5, {"trace_id": "ab"}) == ()
    assert histogram._sum.get() == 0.5
    assert histogram._buckets[0].get_exemplar().labels == {"trace_id": "ab"}


# Other releases.


class Hidden:
    """A child of a release that keeps its values somewhere else."""

    def __init__(self, child):
        self._wrapped = child
        self.inc, self.observe = getattr(child, "inc", None), getattr(child, "observe", None)


class Renamed(Hidden):
    _value = object()
    _sum, _upper_bounds, _buckets = Counter("s", "s", registry=None)._value, [1.0], []


@pytest.mark.parametrize("kind", [Hidden, Renamed])
def test_other_children_are_met_by_their_public_methods(kind):
    """What is not where it was is not looked for."""
    assert exposed(lambda *children: by_ours(*map(kind, children[:2]), kind(children[2]))) == exposed(
        by_the_public_methods
    )


class Elsewhere:
    """A release whose values are of the same name, and are kept by something else."""

    def __init__(self, *_arguments, **_more):
        self._kept, self._lock = [0.0], threading.Lock()
        self._value = 0.0

    def inc(self, amount):
        self._kept[0] += amount

    def set(self, value):
        self._kept[0] = value

    def get(self):
        return self._kept[0]

    def get_exemplar(self):
        return None


@pytest.mark.parametrize("broken", ["kept elsewhere", "gone", "shared by processes"])
def test_other_releases_are_met_by_their_public_methods(broken, monkeypatch):
    """Whether the values are kept where they were is tried out; where they are not, nothing is written past the methods."""
    if broken == "kept elsewhere":
        monkeypatch.setattr(values, "MutexValue", Elsewhere)
        monkeypatch.setattr(values, "ValueClass", Elsewhere)
        monkeypatch.setattr(metrics.values, "ValueClass", Elsewhere)
    elif broken == "gone":
        monkeypatch.delattr(values, "MutexValue")
    else:
        monkeypatch.setattr(values, "ValueClass", object)
    known = _quick._kept_as_known.__wrapped__()
    monkeypatch.undo() if broken != "kept elsewhere" else None
    monkeypatch.setattr(_quick, "_kept_as_known", lambda: known)

    assert known is False
    assert exposed(by_ours) == exposed(by_the_public_methods)


def test_this_release_keeps_its_values_as_known():
    """Without this the quick way would be tested nowhere."""
    assert _quick._kept_as_known() is True
