"""Every fault again in workers that were forked from a process that had used its clients, by whatever forks them."""

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time

import pytest

pytest.importorskip("anthropic", reason="the Anthropic SDK is not installed")

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
PATIENCE_SECONDS = 300
WORKERS = 2


def environment(**more):
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **more}


@pytest.mark.parametrize("kind", ["os.fork", "multiprocessing"])
def test_forked_processes(kind):
    """Four workers, forked while four threads of the parent call: nothing is wrong in any."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.reliability.forked", kind],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )

    assert json.loads(done.stdout or "null") == [[]] * 4, done.stderr


def answers_of(command, folder):
    """What the workers of a server wrote; the server is told to stop when all have."""
    log = folder / "log"
    with log.open("wb") as told:
        server = subprocess.Popen(
            command, env=environment(STATION_ANSWERS=str(folder)), stdout=told, stderr=told
        )
    try:
        end = time.monotonic() + PATIENCE_SECONDS
        while len(found := list(folder.glob("*.json"))) < WORKERS:
            assert server.poll() is None, log.read_text()[-3000:]
            assert time.monotonic() < end, log.read_text()[-3000:]
            time.sleep(0.05)
    finally:
        server.send_signal(signal.SIGTERM)
        try:
            server.wait(30)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
    return [json.loads(one.read_text()) for one in found][:WORKERS]


def test_gunicorn_that_preloads(tmp_path):
    """Workers of an application that was loaded and used before the fork."""
    pytest.importorskip("gunicorn", reason="gunicorn is not installed")
    command = [
        *(sys.executable, "-m", "gunicorn", "tests.reliability.preloaded:application"),
        *("--config", "python:tests.reliability.preloaded", "--bind", f"unix:{tmp_path}/socket"),
    ]

    assert answers_of(command, tmp_path) == [[]] * WORKERS


@pytest.mark.skipif(importlib.util.find_spec("celery") is None, reason="celery is not installed")
def test_celery_that_forks_its_pool(tmp_path):
    """Workers of Celery's prefork pool."""
    command = [
        *(sys.executable, "-m", "celery", "-A", "tests.reliability.celery_app", "worker"),
        *("--pool", "prefork", "--concurrency", str(WORKERS), "--without-gossip", "--without-mingle", "-E"),
    ]

    assert answers_of(command, tmp_path) == [[]] * WORKERS


HELD = """
import os, signal, threading
from decimal import Decimal
from prometheus_client import CollectorRegistry, values
from tests.sinks.records import record
from tracked_inference.sinks.metrics import MetricsSink

registry = CollectorRegistry()
sink = MetricsSink(registry)
sink(record())
children = next(iter(sink._children.values()))
locks = [registry._lock, sink._all.calls._lock, children.retries._value._lock] if not shared() else [
    cell.cell_contents for cell in values.ValueClass.inc.__closure__ if hasattr(cell.cell_contents, "acquire")]
assert locks
for lock in locks:
    threading.Thread(target=lock.acquire).start()
while not all(lock.locked() for lock in locks):
    pass
pid = os.fork()
if pid == 0:
    signal.alarm(30)  # a child that waits for a lock ends here
    sink(record())
    sink(record(feature="other", model="gpt-4o-mini"))
    os._exit(7)
assert os.waitpid(pid, 0)[1] == 7 << 8
os._exit(0)
"""


@pytest.mark.parametrize("shared", [False, True], ids=["one process", "multiprocess mode"])
def test_a_lock_that_was_held_at_the_fork_is_free_in_the_child(shared, tmp_path):
    """A thread may be counting when the process forks; the child, which has no such thread, does not wait for it."""
    more = {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)} if shared else {}
    done = subprocess.run(
        [sys.executable, "-c", f"shared = lambda: {shared}\n{HELD}"],
        env=environment(**more),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stderr


PRINTED = """
import os, signal, threading, structlog
from tests.sinks.records import record
from tracked_inference.sinks.log import LogSink

printer = structlog.PrintLogger(open(os.devnull, "w"))
sink = LogSink(structlog.wrap_logger(printer, processors=[structlog.processors.JSONRenderer()]))
threading.Thread(target=printer._lock.acquire).start()
while not printer._lock.locked():
    pass
pid = os.fork()
if pid == 0:
    signal.alarm(30)  # a child that waits for a lock ends here
    sink(record())
    os._exit(7)
assert os.waitpid(pid, 0)[1] == 7 << 8
os._exit(0)
"""


def test_a_line_that_was_printed_at_the_fork_does_not_stop_the_child():
    """structlog prints under a lock, which a thread may hold when the process forks: the child's first line does not wait for it."""
    done = subprocess.run(
        [sys.executable, "-c", PRINTED],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("kind", ["os.fork", "fork", "spawn", "forkserver"])
def test_streams_that_are_open_when_a_process_ends(kind, tmp_path):
    """Each has one record, of the process that opened it: a child's end is none of its parent's streams."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.reliability.open_streams", kind, str(tmp_path)],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    outcomes = {
        path.stem: [json.loads(line)["outcome"] for line in path.read_text().splitlines()]
        for path in tmp_path.glob("*.jsonl")
    }

    assert outcomes == {"parent": ["abandoned"] * 2, "child": ["abandoned"] * 2}, done.stderr
