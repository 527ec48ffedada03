"""Each sink is made to hang behind a queue: calls go on as if nothing were, drops are counted, and all is well when it goes on."""

import os
import threading

import pytest

pytest.importorskip("anthropic", reason="the Anthropic SDK is not installed")

from tests.reliability.station import Station
from tracked_inference.sinks.queued import QueuedSink

PATIENCE_SECONDS = 60
ROOM = 10


class Hung:
    """Something that waits until it is let go."""

    def __init__(self):
        self.entered = threading.Event()
        self.let_go = threading.Event()

    def __call__(self, *args, **kwargs):
        self.entered.set()
        assert self.let_go.wait(PATIENCE_SECONDS), "the test waited for its own hung sink"


def in_a_queue(sink, registry):
    return QueuedSink(sink, max_records=ROOM, registry=registry)


def hang_mine(station, hung):
    class Held(list):
        def append(self, one):
            hung()
            super().append(one)

    station.mine.records = Held()
    return lambda: None


def hang_log(station, hung):
    station.processors.insert(0, lambda logger, name, event: (hung(), event)[1])
    return lambda: station.processors.pop(0)


def hang_metrics(station, hung):
    lock = (
        next(iter(station.metrics._children.values())).calls["ok"]._lock
    )  # prometheus_client's own, and shared
    lock.acquire()
    hung.entered.set()

    def let_go():
        assert hung.let_go.wait(PATIENCE_SECONDS), "the test waited for its own hung lock"
        lock.release()

    holder = threading.Thread(target=let_go)
    holder.start()
    return holder.join


def hang_ledger(station, hung):
    """The ledger's file becomes a pipe that is full and that nobody reads, as a network file system that went away."""
    path = station.ledger_path
    kept = path.with_suffix(".kept")
    path.rename(kept)
    os.mkfifo(path)
    pipe = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    try:
        while os.write(pipe, b"x" * 4096):
            pass
    except BlockingIOError:
        pass
    hung.entered.set()

    def empty():
        hung.let_go.wait(PATIENCE_SECONDS)
        os.set_blocking(pipe, False)
        while not done.is_set():
            try:
                while os.read(pipe, 1 << 16):
                    pass
            except BlockingIOError:
                done.wait(0.001)

    done = threading.Event()
    reader = threading.Thread(target=empty)
    reader.start()

    def mend():
        done.set()
        reader.join()
        os.close(pipe)
        path.unlink()
        kept.rename(path)

    return mend


HANGS = {"sink": hang_mine, "log": hang_log, "metrics": hang_metrics, "ledger": hang_ledger}


@pytest.mark.parametrize("how", ["call", "call_async", "call_in_threads"])
@pytest.mark.parametrize("stage", HANGS)
def test_a_queued_sink_that_hangs_is_not_felt(stage, how, tmp_path):
    """More calls than the queue has room for: each gives the SDK's object at once, and what did not fit is counted."""
    station = Station(tmp_path, wrap=in_a_queue)
    queued = station.sinks[["metrics", "log", "ledger", "sink"].index(stage)]
    assert station.call()
    assert all(sink.flush(PATIENCE_SECONDS) for sink in station.sinks)
    hung = Hung()
    mend = HANGS[stage](station, hung)

    came = [getattr(station, how)() for _ in range(ROOM)]
    came.extend(station.call() for _ in range(ROOM + 5))
    others = [sink.flush(PATIENCE_SECONDS) for sink in station.sinks if sink is not queued]
    calls = ROOM * {"call": 1, "call_async": 3, "call_in_threads": 24}[how] + ROOM + 5
    # Not by a scrape, which waits for the lock that hangs.
    lost = station.metrics._all.dropped.labels(stage, "full")._value.get()
    hung.let_go.set()
    assert queued.flush(PATIENCE_SECONDS)
    mend()
    before = station.seen_by()[stage]
    assert station.call()
    assert queued.flush(PATIENCE_SECONDS)

    assert all(came)
    assert all(others)
    assert calls - ROOM - 1 <= lost <= calls - ROOM  # one is in the sink, or none has got there
    assert station.seen_by()[stage] == before + 1
