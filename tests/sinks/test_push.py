"""Pushing for jobs that end before a scrape, to loopback receivers that keep what they are sent."""

from __future__ import annotations

import contextlib
import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from prometheus_client import CollectorRegistry

from tracked_inference.sinks._collectors import collectors_of
from tracked_inference.sinks.push import Pusher, push_metrics


@pytest.fixture
def receiver():
    """A receiver: its address and the requests it got; `refuse` makes it answer 503."""

    class Handler(BaseHTTPRequestHandler):
        def _take(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            if self.server.refuse:
                self.send_response(503)
            else:
                self.server.got.append((self.command, self.path, body))
                self.send_response(204)
            self.end_headers()

        do_POST = do_PUT = _take

        def log_message(self, *arguments: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        server.got, server.refuse = [], False
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def registry() -> CollectorRegistry:
    """A registry in which a feature spent 2 dollars."""
    made = CollectorRegistry()
    collectors_of(made).cost.labels("m", "f", "t").inc(2)
    return made


def url(server: HTTPServer) -> str:
    """Where a receiver listens."""
    return f"http://127.0.0.1:{server.server_port}"


def cost_lines(body: str) -> list[str]:
    """The lines of the dollars."""
    return [line for line in body.splitlines() if line.startswith("ai_inference_estimated_cost_usd_total{")]


def test_import_sends_the_zero_before_the_value(receiver, registry) -> None:
    """Each counter is sent as 0 at the process's start and as it is now; the next push sends the value alone."""
    with Pusher(url(receiver), job="nightly", instance="run-1", registry=registry) as pusher:
        pusher.push()

    first, second = (cost_lines(body) for _, _, body in receiver.got)
    assert ["/api/v1/import/prometheus"] * 2 == [path for _, path, _ in receiver.got]
    labels = (
        'ai_inference_estimated_cost_usd_total{model="m",feature="f",team="t",job="nightly",instance="run-1"}'
    )
    assert [f"{labels} 0.0", f"{labels} 2.0"] == [line.rsplit(" ", 1)[0] for line in first]
    born, now = (int(line.rsplit(" ", 1)[1]) for line in first)
    assert born < now
    assert [f"{labels} 2.0"] == [line.rsplit(" ", 1)[0] for line in second]


def test_aggregating_sends_each_dollar_once(receiver, registry) -> None:
    """A gateway that adds gets what was gained since the last push."""
    pusher = Pusher(url(receiver), job="nightly", way="aggregating", registry=registry)

    pusher.push()
    collectors_of(registry).cost.labels("m", "f", "t").inc(3)
    pusher.push()

    assert ["/metrics/job/nightly"] * 2 == [path for _, path, _ in receiver.got]
    assert [2.0, 3.0] == [float(cost_lines(body)[0].rsplit(" ", 1)[1]) for _, _, body in receiver.got]


def test_what_was_refused_is_sent_again(receiver, registry) -> None:
    """A push that fails raises and loses nothing: the next one carries it."""
    pusher = Pusher(url(receiver), job="nightly", way="aggregating", registry=registry)
    receiver.refuse = True
    with pytest.raises(ConnectionError, match="503"):
        pusher.push()
    receiver.refuse = False

    pusher.push()

    assert "2.0" == cost_lines(receiver.got[0][2])[0].rsplit(" ", 1)[1]


def test_pushgateway_puts_under_job_and_instance(receiver, registry) -> None:
    """A Pushgateway gets values as they are, under a key of this run."""
    push_metrics(url(receiver), job="night/ly", way="pushgateway", registry=registry)

    method, path, body = receiver.got[0]
    assert "PUT" == method
    assert path.startswith("/metrics/job/night%2Fly/instance/")
    assert "# TYPE ai_inference_estimated_cost_usd_total counter" in body


def test_label_values_cannot_break_a_line(receiver) -> None:
    """Quotes, backslashes and line ends in a label are escaped."""
    registry = CollectorRegistry()
    collectors_of(registry).cost.labels('m"\n\\', "f", "t").inc(1)

    push_metrics(url(receiver), job="j", registry=registry)

    assert 2 == len(cost_lines(receiver.got[0][2]))
    assert r'model="m\"\n\\"' in receiver.got[0][2]


def test_a_failing_job_still_pushes(receiver, registry) -> None:
    """What a job spent before it failed is pushed."""
    with contextlib.suppress(RuntimeError), Pusher(url(receiver), job="j", registry=registry):
        raise RuntimeError

    assert 1 == len(receiver.got)


def test_a_gateway_that_adds_is_sent_nothing_that_it_must_not_add(receiver, registry) -> None:
    """Such a gateway adds gauges up too: a budget that is pushed by thirty runs would be thirty budgets."""
    collectors_of(registry).budget.labels("f", "t", "month").set(100)

    push_metrics(url(receiver), job="nightly", way="aggregating", registry=registry)

    body = receiver.got[0][2]
    assert " gauge" not in body
    assert "ai_inference_budget_usd" not in body
    assert 1 == len(cost_lines(body))


@pytest.mark.parametrize("failed", [False, True], ids=["job_done", "job_failed"])
def test_the_block_ends_as_the_job_does(registry, caplog, failed) -> None:
    """Nobody listens: the log says so, a job that was done is done, and one that failed raises what it raised."""
    outcome = pytest.raises(KeyError, match="the job's own") if failed else contextlib.nullcontext()
    with outcome, Pusher("http://127.0.0.1:1", job="j", registry=registry):
        if failed:
            raise KeyError("the job's own")

    (said,) = (record.getMessage() for record in caplog.records if record.levelname == "ERROR")
    assert said.startswith("ai.inference.push_failed: http://127.0.0.1:1 could not be reached")


def test_a_receiver_that_speaks_no_http(registry) -> None:
    """What is no answer is no success, and no other error than the documented one."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(1 << 20)
                connection.sendall(b"hello\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(ConnectionError, match="could not be reached"):
            push_metrics(f"http://127.0.0.1:{server.getsockname()[1]}", job="j", registry=registry)
        thread.join()


def test_bad_arguments_and_nobody_listening(registry) -> None:
    """An address without http, an unknown way and a closed port each say what is wrong."""
    with pytest.raises(ValueError, match="no http address"):
        push_metrics("localhost:8428", job="j", registry=registry)
    with pytest.raises(ValueError, match="must be 'import'"):
        push_metrics("http://localhost", job="j", way="carrier pigeon", registry=registry)
    with pytest.raises(ConnectionError, match="could not be reached"):
        push_metrics("http://127.0.0.1:1", job="j", registry=registry)
