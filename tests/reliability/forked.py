"""
Workers of every kind that forks, each proving in itself what `faults.exercise` proves: `python -m tests.reliability.forked KIND`.

The parent makes a station and calls, from threads too while it forks, as an application that is preloaded does.
What is wrong is printed as JSON, one list a worker; the exit code says nothing.
"""

import contextlib
import json
import multiprocessing
import os
import sys
import tempfile
import threading
from pathlib import Path

import structlog

from tests.reliability.faults import FAULTS, exercise
from tests.reliability.station import Station
from tracked_inference.sinks.queued import QueuedSink

WORKERS = 4
PATIENCE_SECONDS = 120


def work_through(station):
    """Every fault in turn, in this process, in plain calls and in asynchronous ones; then a queued sink that was forked."""
    wrong = []
    folder = Path(tempfile.mkdtemp()) / "ledger"  # a ledger of its own, so that lines can be counted
    folder.mkdir()
    station.ledger_path = station.ledger.path = folder / "ledger.jsonl"
    station.ledger.close()
    for fault in FAULTS:
        for how, calls in (("call", 1), ("call_async", 3)):
            found = exercise(fault, station, getattr(station, how), calls)
            wrong.extend(f"{fault.name}, {how}: {one}" for one in found)
    seen = []
    queued = QueuedSink(seen.append, registry=station.registry)
    queued("a record")
    if not queued.flush(PATIENCE_SECONDS) or seen != ["a record"]:
        wrong.append("a queued sink of the worker's did not hand on")
    inherited = station.queued
    before = len(station.queued_seen)
    inherited("a record")
    if not inherited.flush(PATIENCE_SECONDS) or len(station.queued_seen) != before + 1:
        wrong.append("the queued sink that was forked did not hand on")
    return wrong


@contextlib.contextmanager
def preloaded():
    """A station that was used, and goes on being used by four threads."""
    with tempfile.TemporaryDirectory() as folder:
        yield prepared(folder)


def prepared(folder):
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    station = Station(folder)
    station.queued_seen = []
    station.queued = QueuedSink(station.queued_seen.append, registry=station.registry)
    station.queued("a record")
    station.call()
    station.call_async()
    return station


@contextlib.contextmanager
def busy(station):
    """Threads that call while the process forks: any of them may hold any lock."""
    stop = threading.Event()

    def calling():
        while not stop.is_set():
            station.call()

    threads = [threading.Thread(target=calling, daemon=True) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def by_os_fork(station):
    """os.fork() and a pipe."""
    answers = []
    for _ in range(WORKERS):
        read, write = os.pipe()
        with busy(station):
            pid = os.fork()
            if pid == 0:
                os.write(write, json.dumps(work_through(station)).encode())
                os._exit(0)
        os.close(write)
        with os.fdopen(read) as answer:
            answers.append(json.loads(answer.read() or '["the worker died"]'))
        os.waitpid(pid, 0)
    return answers


def by_multiprocessing(station):
    """A process of multiprocessing, forked."""
    context = multiprocessing.get_context("fork")
    answers = []
    for _ in range(WORKERS):
        queue = context.SimpleQueue()
        with busy(station):
            worker = context.Process(target=lambda queue=queue: queue.put(work_through(station)))
            worker.start()
        answers.append(queue.get())
        worker.join()
    return answers


def main():
    kind = {"os.fork": by_os_fork, "multiprocessing": by_multiprocessing}[sys.argv[1]]
    with preloaded() as station:
        print(json.dumps(kind(station)))


if __name__ == "__main__":
    main()
