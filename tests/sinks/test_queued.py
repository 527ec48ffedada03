"""The queue before a slow sink: calls do not wait, what does not fit is counted, and the end of the program waits for the rest."""

import os
import subprocess
import sys
import textwrap
import threading

import pytest
from prometheus_client import CollectorRegistry

from tests.conftest import value_of
from tests.sinks.records import record
from tracked_inference.errors import ConfigurationError
from tracked_inference.sinks.metrics import MetricsSink
from tracked_inference.sinks.queued import QueuedSink

PATIENCE_SECONDS = 60


class Gate:
    """A sink that lets nothing through until it is opened."""

    stage = "gate"

    def __init__(self):
        self.records = []
        self.open = threading.Event()
        self.entered = threading.Event()

    def __call__(self, record):
        self.entered.set()
        assert self.open.wait(PATIENCE_SECONDS)
        self.records.append(record)


def dropped(registry, reason):
    return value_of(registry, "ai_inference_dropped_records_total", sink="gate", reason=reason)


def test_records_are_handed_on_in_order(registry):
    """What went in comes out, first in first out."""
    seen = []
    sink = QueuedSink(seen.append, registry=registry)
    records = [record(request_id=str(number)) for number in range(100)]
    for one in records:
        sink(one)

    assert sink.flush(PATIENCE_SECONDS)
    assert seen == records


def test_a_sink_that_hangs_costs_what_does_not_fit(registry):
    """One record is in the sink, two wait, the other seven are dropped and counted; when it goes on so does the queue."""
    gate = Gate()
    sink = QueuedSink(gate, max_records=2, registry=registry)
    sink(record(request_id="0"))
    assert gate.entered.wait(PATIENCE_SECONDS)
    for number in range(1, 10):
        sink(record(request_id=str(number)))
    lost, waiting = dropped(registry, "full"), sink.waiting
    gate.open.set()
    assert sink.flush(PATIENCE_SECONDS)
    sink(record(request_id="after"))
    assert sink.flush(PATIENCE_SECONDS)

    assert (lost, waiting) == (7, 2)
    assert [one.request_id for one in gate.records] == ["0", "1", "2", "after"]


def test_drops_are_there_at_zero(registry):
    """increase() cannot see a counter that is born with its first drop."""
    QueuedSink(Gate(), registry=registry)

    assert dropped(registry, "full") == 0


def test_a_full_queue_is_said_once(registry, caplog):
    """The log tells of the first drop; the counter of all."""
    gate = Gate()
    sink = QueuedSink(gate, max_records=1, registry=registry)
    sink(record())
    assert gate.entered.wait(PATIENCE_SECONDS)
    for _ in range(5):
        sink(record())
    gate.open.set()
    sink.flush(PATIENCE_SECONDS)

    assert dropped(registry, "full") == 4
    assert [line.getMessage().partition(":")[0] for line in caplog.records] == [
        "ai.inference.records_dropped"
    ]


def test_what_the_sink_raises_is_counted_under_its_stage(registry, caplog):
    """The text of the error may hold what must not be told, and is not; the next record is tried again."""
    seen = []

    class Broken:
        stage = "ledger"

        def __call__(self, one):
            if one.request_id == "bad":
                raise OSError("a secret")
            seen.append(one.request_id)

    sink = QueuedSink(Broken(), registry=registry)
    for name in ("bad", "bad", "good"):
        sink(record(request_id=name))
    sink.flush(PATIENCE_SECONDS)

    assert value_of(registry, "ai_inference_tracking_errors_total", stage="ledger") == 2
    assert seen == ["good"]
    assert len(caplog.records) == 1
    assert "OSError" in caplog.text
    assert "secret" not in caplog.text


def test_what_a_sink_is_told_beside_records_reaches_it_at_once(registry):
    """A queued metrics sink still declares its series and counts calls in progress."""
    metrics = MetricsSink(registry)
    sink = QueuedSink(metrics, registry=registry)
    sink.declare("search", "discovery")

    assert sink.stage == "metrics"
    assert value_of(registry, "ai_inference_calls_in_progress", feature="search") == 0
    assert not hasattr(QueuedSink(lambda _: None, registry=registry), "declare")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"sink": 3}, "not callable"),
        ({"max_records": 0}, "holds nothing"),
        ({"exit_seconds": -1}, "not a time"),
    ],
    ids=["sink", "max_records", "exit_seconds"],
)
def test_arguments_that_cannot_be_used(words, message):
    """Each is refused with what is wrong with it."""
    with pytest.raises(ConfigurationError, match=message):
        QueuedSink(**{"sink": print, "registry": CollectorRegistry(), **words})


START = """
import atexit, os, sys, threading, time
from prometheus_client import CollectorRegistry
from tests.sinks.records import record
from tracked_inference.sinks.ledger import LedgerSink
from tracked_inference.sinks.queued import QueuedSink

def slow(one):
    time.sleep(0.01)
    ledger(one)

ledger = LedgerSink(sys.argv[1])
registry = CollectorRegistry()
"""


def run(body, *arguments):
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", START + textwrap.dedent(body), *map(str, arguments)],
        env=env,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def lines(path):
    return len(path.read_text().splitlines())


def test_the_end_of_the_program_waits_for_what_is_in_the_queue(tmp_path):
    """Twenty records that take a hundredth of a second each are all written; so is one that comes at the very end."""
    path = tmp_path / "ledger.jsonl"
    body = """
    sink = QueuedSink(slow, registry=registry)
    for _ in range(20):
        sink(record())
    import tracked_inference.sinks.queued as queued
    atexit.unregister(queued._end_all)
    atexit.register(lambda: sink(record()))  # after ours
    atexit.register(queued._end_all)
    """
    run(body, path)

    assert lines(path) == 21


def test_the_end_of_the_program_does_not_wait_for_ever(tmp_path):
    """A sink that hangs at exit costs `exit_seconds`; what is left is counted."""
    body = """
    sink = QueuedSink(lambda one: threading.Event().wait(), exit_seconds=0.1, registry=registry)
    def told():
        print(int(registry.get_sample_value("ai_inference_dropped_records_total", {"sink": "sink", "reason": "exit"})))
    import tracked_inference.sinks.queued as queued
    atexit.unregister(queued._end_all)
    atexit.register(told)
    atexit.register(queued._end_all)
    for _ in range(5):
        sink(record())
    while sink.waiting != 4:  # the first one is in the sink
        time.sleep(0.001)
    """

    assert run(body, tmp_path / "ledger.jsonl") == ["4"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_writes_its_own_and_only_that(tmp_path):
    """What waited in the parent is written once; the child's records by a thread of the child's."""
    path = tmp_path / "ledger.jsonl"
    body = """
    gate = threading.Event()
    def held(one):
        gate.wait()
        ledger(one)
    sink = QueuedSink(held, registry=registry)
    for _ in range(3):
        sink(record())
    pid = os.fork()
    if pid == 0:
        gate = threading.Event()
        gate.set()
        sink(record())
        sink(record())
        assert sink.flush(30)
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    gate.set()
    """
    run(body, path)

    assert lines(path) == 5


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_children_of_multiprocessing_write_what_they_queued(tmp_path):
    """multiprocessing ends its children without atexit; nothing is lost all the same."""
    path = tmp_path / "ledger.jsonl"
    body = """
    import multiprocessing
    sink = QueuedSink(slow, registry=registry)
    def work():
        for _ in range(10):
            sink(record())
    sink(record())
    children = [multiprocessing.get_context("fork").Process(target=work) for _ in range(2)]
    for child in children:
        child.start()
    for child in children:
        child.join()
    """
    run(body, path)

    assert lines(path) == 21
