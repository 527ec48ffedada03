"""The metrics application: ASGI and WSGI, one process and many, and the watch for workers that do not share."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import subprocess
import sys
import textwrap
import time
import urllib.request
from pathlib import Path
from wsgiref.util import setup_testing_defaults

import pytest
from prometheus_client import CollectorRegistry, Counter

from tracked_inference.sinks import _workers
from tracked_inference.sinks._workers import WorkerWatch, siblings_on_my_port
from tracked_inference.sinks.exposition import child_exit, metrics_app


@pytest.fixture
def registry() -> CollectorRegistry:
    """A registry with one counter at 3."""
    made = CollectorRegistry()
    Counter("dollars", "Dollars.", registry=made).inc(3)
    return made


def ask_asgi(
    app, method: str = "GET", accept: bytes = b"", query: bytes = b"", **more: str
) -> tuple[int, dict, bytes]:
    """One request through the ASGI side."""
    sent = []

    async def receive():
        return {"type": "http.request"}

    async def send(message):
        sent.append(message)

    scope = {
        "type": "http",
        "method": method,
        "headers": [(b"accept", accept)],
        "query_string": query,
        **more,
    }
    asyncio.run(app(scope, receive, send))
    return sent[0]["status"], dict(sent[0]["headers"]), sent[1]["body"]


def test_asgi_and_wsgi_give_the_same_text(registry) -> None:
    """One application serves both, told apart by how it is called."""
    app = metrics_app(registry)
    environ: dict = {}
    setup_testing_defaults(environ)
    started: list = []

    status, headers, body = ask_asgi(app)
    chunks = app(environ, lambda *arguments: started.append(arguments))

    assert 200 == status
    assert b"dollars_total 3.0" in body
    assert b"text/plain" in headers[b"content-type"]
    assert "200 OK" == started[0][0]
    assert body == b"".join(chunks)


def test_openmetrics_when_asked(registry) -> None:
    """A scraper that accepts OpenMetrics gets it, exemplars included."""
    _, headers, body = ask_asgi(metrics_app(registry), accept=b"application/openmetrics-text; version=1.0.0")

    assert b"openmetrics" in headers[b"content-type"]
    assert body.endswith(b"# EOF\n")


@pytest.mark.parametrize(
    "accept",
    [b"application/openmetrics-text;version=abc", b"text/plain;version=1.x;q=", b"\xff\xfe;;=,"],
    ids=repr,
)
def test_an_accept_that_nobody_can_read(accept, registry) -> None:
    """Whoever asks for something odd gets the text, not the words of an exception."""
    status, headers, body = ask_asgi(metrics_app(registry), accept=accept)

    assert status == 200
    assert headers[b"content-type"].startswith(b"text/plain")
    assert b"dollars_total 3.0" in body


def test_only_metrics_and_only_reading(registry) -> None:
    """Other methods are refused, HEAD has no body, and `name[]` narrows the answer."""
    app = metrics_app(registry)

    assert 405 == ask_asgi(app, "POST")[0]
    assert (200, b"") == ask_asgi(app, "HEAD")[::2]
    assert b"" == ask_asgi(app, query=b"name[]=other")[2].strip()


@pytest.mark.parametrize(
    "words",
    [
        {"path": "/metrics"},
        {"path": "/prom", "root_path": "/prom"},  # mounted, as Starlette says it now
        {"path": "/", "root_path": "/prom"},  # and as it did
        {"path": "/prom/", "root_path": "/api/prom"},  # behind a proxy that cuts the prefix off
    ],
    ids=str,
)
def test_it_answers_wherever_it_is_routed_to(words, registry) -> None:
    """Which address leads here is the framework's to say: an answer that guessed it wrong would be a service without metrics."""
    status, _, body = ask_asgi(metrics_app(registry), **words)

    assert status == 200
    assert b"dollars_total" in body


def test_a_collector_that_raises_tells_the_log_and_not_the_scraper(registry, caplog) -> None:
    """The answer is a 500 without a traceback or the error's words; the log has them."""

    class Broken:
        def collect(self):
            raise RuntimeError("postgres://user:secret@db")

    app = metrics_app(registry)
    registry.register(type("Quiet", (), {"collect": lambda self: []})())
    registry._collector_to_names[Broken()] = []
    with caplog.at_level(logging.ERROR, logger="tracked_inference"):
        status, _, body = ask_asgi(app, path="/metrics")

    assert status == 500
    assert body == b"the metrics could not be collected; see the log\n"
    assert "RuntimeError" in caplog.text


def test_lifespan_is_answered(registry) -> None:
    """Served directly, the application completes the server's start and stop."""
    inbox, sent = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}], []

    async def receive():
        return inbox.pop(0)

    async def send(message):
        sent.append(message["type"])

    asyncio.run(metrics_app(registry).asgi({"type": "lifespan"}, receive, send))

    assert ["lifespan.startup.complete", "lifespan.shutdown.complete"] == sent


WORKER = """
import sys
from tracked_inference.sinks._collectors import collectors_of
collectors = collectors_of(None)
collectors.cost.labels("m", "f", "t").inc(2)
collectors.in_progress.labels("f").inc()
"""

SCRAPE = """
from tracked_inference.sinks.exposition import metrics_app
print(b"".join(metrics_app()({"REQUEST_METHOD": "GET"}, lambda *a: None)).decode())
"""


def test_multiprocess_mode_adds_up_and_forgets_the_dead(tmp_path) -> None:
    """Counters of all processes are summed, those of dead ones too; gauges of dead ones are left out."""
    environ = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    for _ in range(3):
        subprocess.run([sys.executable, "-c", WORKER], env=environ, check=True)

    text = subprocess.run(
        [sys.executable, "-c", SCRAPE], env=environ, check=True, capture_output=True, text=True
    ).stdout

    assert 'ai_inference_estimated_cost_usd_total{feature="f",model="m",team="t"} 6.0' in text
    assert 'ai_inference_calls_in_progress{feature="f"}' not in text


def test_child_exit_outside_multiprocess_mode_does_nothing(monkeypatch) -> None:
    """The gunicorn hook may stay in the configuration file."""
    monkeypatch.delenv("PROMETHEUS_MULTIPROC_DIR", raising=False)

    child_exit(None, None)


SERVER = textwrap.dedent("""
    import os, socket, sys, time
    listener = socket.socket(); listener.bind(("127.0.0.1", 0)); listener.listen()
    if sys.argv[1] == "two":
        if os.fork() == 0:
            time.sleep(60)
    child = os.fork()
    if child == 0:
        from tracked_inference.sinks._workers import siblings_on_my_port
        print(siblings_on_my_port(), flush=True)
        os._exit(0)
    os.waitpid(child, 0)
    os.killpg(0, 9)
""")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the kernel of this system does not tell")
@pytest.mark.parametrize(("workers", "others"), [("one", "0"), ("two", "1")])
def test_siblings_on_one_port_are_found(workers, others) -> None:
    """A forked worker sees the other that holds the same listening socket, and not the parent."""
    done = subprocess.run(
        [sys.executable, "-c", SERVER, workers],
        capture_output=True,
        text=True,
        start_new_session=True,
        check=False,
    )

    assert others == done.stdout.strip(), done.stderr


def test_a_process_that_listens_nowhere_has_no_siblings() -> None:
    """A script that is scraped through a gateway is alone."""
    if siblings_on_my_port() is None:
        pytest.skip("the kernel of this system does not tell")
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from tracked_inference.sinks._workers import siblings_on_my_port as s; print(s())",
        ],
        capture_output=True,
        text=True,
        check=True,
    )

    assert "0" == done.stdout.strip()


def test_unmerged_workers_are_said_once_and_counted(monkeypatch, caplog) -> None:
    """The log says what is wrong and how to mend it; the fault is counted where an alert sees it."""
    registry = CollectorRegistry()
    monkeypatch.setattr(_workers, "siblings_on_my_port", lambda proc: 7)
    watch = WorkerWatch(registry)

    with caplog.at_level(logging.ERROR, "tracked_inference"):
        watch.look()
        watch.look()

    assert 1 == len(caplog.records)
    assert "7 other processes" in caplog.text
    assert "PROMETHEUS_MULTIPROC_DIR" in caplog.text
    assert 1.0 == registry.get_sample_value("ai_inference_tracking_errors_total", {"stage": "workers"})


def test_multiprocess_mode_is_no_fault(monkeypatch, caplog, tmp_path) -> None:
    """With shared values any number of workers is right."""
    monkeypatch.setattr(_workers, "siblings_on_my_port", lambda proc: 7)
    monkeypatch.setattr(_workers, "shared_by_files", lambda: True)

    WorkerWatch(CollectorRegistry()).look()

    assert "" == caplog.text


def test_without_proc_the_environment_tells(monkeypatch, caplog, tmp_path) -> None:
    """Where the kernel does not tell, WEB_CONCURRENCY does."""
    monkeypatch.setenv("WEB_CONCURRENCY", "4")

    WorkerWatch(CollectorRegistry(), tmp_path / "no-proc").look()

    assert "3 other processes" in caplog.text


GUNICORN = """
from wsgiref.simple_server import make_server
from prometheus_client import CollectorRegistry
from tracked_inference.sinks.exposition import metrics_app
app = metrics_app()
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the kernel of this system does not tell")
def test_real_gunicorn_workers_without_sharing_are_noticed(tmp_path) -> None:
    """Four gunicorn workers without multiprocess mode: a scrape is answered, the log says what is wrong."""
    pytest.importorskip("gunicorn")
    (tmp_path / "served.py").write_text(GUNICORN)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environ = {key: value for key, value in os.environ.items() if key != "PROMETHEUS_MULTIPROC_DIR"}
    environ["PYTHONPATH"] = os.pathsep.join([str(tmp_path), str(Path.cwd())])
    log = (tmp_path / "log").open("w")
    command = [sys.executable, "-m", "gunicorn", "-w", "4", "-b", f"127.0.0.1:{port}", "served:app"]
    server = subprocess.Popen(command, env=environ, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 30
        text = b""
        while not text and time.monotonic() < deadline:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
                    text = answer.read()
            except OSError:
                time.sleep(0.2)
        for _ in range(40):
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
                text += answer.read()
            if b'stage="workers"' in text:
                break
            time.sleep(0.1)
    finally:
        server.terminate()
        server.wait(20)
        log.close()

    assert b'ai_inference_tracking_errors_total{stage="workers"} 1.0' in text
    assert "ai.inference.workers_not_merged" in (tmp_path / "log").read_text()
