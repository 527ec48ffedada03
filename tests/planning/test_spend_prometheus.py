"""The PromQL of budgets and measured estimates, asked of a real Prometheus that holds made-up history."""

import http.server
import json
import socket
import threading
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from tests.planning.prometheus import backfill, needs_prometheus, prometheus
from tracked_inference.errors import ConfigurationError
from tracked_inference.planning.measured_prometheus import from_prometheus
from tracked_inference.planning.spend import PrometheusSpend
from tracked_inference.prometheus.store import Prometheus, PrometheusError

MONTH = datetime(2026, 11, 1, tzinfo=UTC)
NOON = MONTH + timedelta(hours=12)
COST = "ai_inference_estimated_cost_usd_total"
RECORDED = "feature_team:ai_inference_estimated_cost_usd:month_to_date"


def every(minutes, start, end):
    at = start
    while at <= end:
        yield at
        at += timedelta(minutes=minutes)


def hours(at, since):
    return (at - since).total_seconds() / 3600


def history():
    """Twelve hours of November, and six of October before them."""
    evening = MONTH - timedelta(hours=6)
    for at in every(5, evening, NOON):
        stamp = int(at.timestamp())

        def sample(feature, instance, value, stamp=stamp, **more):
            labels = {"feature": feature, "team": "t", "model": "m", "instance": instance, **more}
            return COST, labels, round(value, 9), stamp

        # There since long, a dollar an hour: 12 in November.
        yield sample("long", "a", 100 + hours(at, evening))
        # A pod that was born at 06:00 with 4 dollars on its counter and has 9 now: 9.
        if at >= MONTH + timedelta(hours=6):
            yield sample("born", "b", 4 + 5 * hours(at, MONTH + timedelta(hours=6)) / 6)
        # A process that was at 50 and was started anew at 03:00: 5 since then.
        if at < MONTH + timedelta(hours=3):
            yield sample("fell", "c", 50)
        else:
            yield sample("fell", "c", 5 * hours(at, MONTH + timedelta(hours=3)) / 9)
        # Two environments in one store.
        yield sample("split", "d", 10 + hours(at, evening), environment="production")
        yield sample("split", "e", 10 + 3 * hours(at, evening), environment="staging")
        # A feature whose spend the shipped rules record.
        yield sample("ruled", "f", 1000 + hours(at, evening))
    for at in every(1, MONTH - timedelta(minutes=10, seconds=30), NOON):
        if at < MONTH or at > MONTH + timedelta(seconds=60):
            value = 744 if at < MONTH else hours(at, MONTH)
            yield RECORDED, {"feature": "ruled", "team": "t"}, round(value, 9), at.timestamp()


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("prometheus")
    backfill(folder, history())
    with prometheus(folder) as url:
        yield Prometheus(url)


def spent(store, feature, at, period="month", start=MONTH, matchers=""):
    answer = PrometheusSpend(store, matchers)(period, [feature], start, at)
    return float(answer.spent_usd.get(feature, 0))


@needs_prometheus
@pytest.mark.parametrize(("feature", "dollars"), [("long", 12), ("born", 9), ("fell", 5)])
def test_spend_since_the_month_began(store, feature, dollars):
    """Of a process that ran through, one that was born in the month, and one that was started anew."""
    assert spent(store, feature, NOON) == pytest.approx(dollars, rel=0.02)


@needs_prometheus
def test_features_are_answered_together_and_each_for_itself(store):
    """One question for all; a feature that nobody knows has spent nothing."""
    answer = PrometheusSpend(store)("month", ["long", "born", "nobody"], MONTH, NOON)

    assert {feature: round(float(value), 1) for feature, value in answer.spent_usd.items()} == {
        "long": 12.0,
        "born": 9.0,
    }


@needs_prometheus
@pytest.mark.parametrize("seconds", [0, 1, 5, 59])
def test_a_new_month_begins_at_nothing(store, seconds):
    """Six dollars were spent in the evening before; in the first minute of November they are October's."""
    assert spent(store, "long", MONTH + timedelta(seconds=seconds)) == pytest.approx(0, abs=0.001)


@needs_prometheus
def test_ten_minutes_into_the_month_ten_minutes_are_spent(store):
    """A sixth of a dollar."""
    assert spent(store, "long", MONTH + timedelta(minutes=10)) == pytest.approx(1 / 6, rel=0.02)


@needs_prometheus
def test_a_day_begins_at_midnight_utc(store):
    """On the evening of October 31 the day has had three of its dollars, of the six hours that were seen."""
    at, start = MONTH - timedelta(hours=3), MONTH - timedelta(days=1)

    # What the counter had at its first scrape is counted as born on that day: 100 + 3.
    assert spent(store, "long", at, "day", start) == pytest.approx(103, rel=0.02)


@needs_prometheus
def test_environments_of_one_store_can_be_told_apart(store):
    """Twelve dollars of production; 48 with staging."""
    assert spent(store, "split", NOON) == pytest.approx(48, rel=0.02)
    assert spent(store, "split", NOON, matchers='environment="production"') == pytest.approx(12, rel=0.02)


@needs_prometheus
@pytest.mark.parametrize(
    ("at", "dollars"),
    [
        (MONTH - timedelta(seconds=20), 744),  # October's, in October
        (
            MONTH + timedelta(seconds=20),
            0,
        ),  # the last recorded value is October's: not taken; the counters say nothing yet
        (MONTH + timedelta(minutes=30), 0.5),
        (NOON, 12),
    ],
)
def test_the_recorded_series_is_read_where_it_is_of_this_month(store, at, dollars):
    """An instant query would find October's 744 dollars until 00:04."""
    start = MONTH if at >= MONTH else datetime(2026, 10, 1, tzinfo=UTC)

    assert spent(store, "ruled", at, start=start) == pytest.approx(dollars, rel=0.05, abs=0.001)


@needs_prometheus
def test_the_answer_says_until_when_processes_were_seen(store):
    """At 12:02 the last scrape was at noon; a recorded series may lag by six minutes. Each feature has the better source."""
    at = NOON + timedelta(minutes=2)

    answer = PrometheusSpend(store)("month", ["long", "ruled", "nobody"], MONTH, at)

    assert answer.seen_until == {"long": NOON.timestamp(), "ruled": at.timestamp() - 360}
    assert {name: round(float(value), 1) for name, value in answer.spent_usd.items()} == {
        "long": 12.0,
        "ruled": 12.0,
    }


# Stores that do not answer.


@pytest.fixture
def answering():
    """A server that answers every POST with a status, a body and, if told so, not at all."""
    made = []

    def make(status=200, body=b"{}", drip_seconds=0.0):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                self.rfile.read(int(self.headers["Content-Length"]))
                seen.append((self.path, dict(self.headers)))
                self.send_response(status)
                if 300 <= status < 400:
                    self.send_header("Location", "http://127.0.0.1:9/")
                self.end_headers()
                for byte in body:
                    self.wfile.write(bytes([byte]))
                    time.sleep(drip_seconds)

            def log_message(self, *_):
                pass

        seen = []
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        server.handle_error = lambda *_: None
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        made.append(server)
        return server.server_port, seen

    yield make
    for server in made:
        server.shutdown()
        server.server_close()


def reason(url, timeout=2.0):
    with pytest.raises(PrometheusError) as caught:
        Prometheus(url, timeout).query("up", NOON)
    return caught.value.reason


def test_a_port_where_nobody_listens_is_unreachable():
    """At once."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

        assert reason(f"http://127.0.0.1:{port}") == "unreachable"


def test_a_server_that_hangs_is_given_up():
    """It takes the connection and says nothing."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()

        assert reason(f"http://127.0.0.1:{server.getsockname()[1]}", 0.2) == "timeout"


def test_a_server_that_drips_is_given_up(answering):
    """A byte now and then keeps a socket alive for ever, but not the question."""
    port, _ = answering(body=b" " * 1000, drip_seconds=0.02)
    started = time.monotonic()

    assert reason(f"http://127.0.0.1:{port}", 0.3) == "timeout"
    assert time.monotonic() - started < 3


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (500, b"oops", "refused"),
        (401, b"who are you", "refused"),
        (302, b"", "refused"),
        (200, b"<html>", "bad_answer"),
        (200, b"[]", "bad_answer"),
        (200, b'{"status":"error","error":"no"}', "bad_answer"),
        (200, b'{"status":"success","data":{"resultType":"vector","result":[{"metric":{}}]}}', "bad_answer"),
    ],
)
def test_an_answer_that_is_none(answering, status, body, expected):
    """Each kind has its reason; a redirect is not followed, as it would take the key along."""
    port, _ = answering(status, body)

    assert reason(f"http://127.0.0.1:{port}") == expected


def test_what_is_not_finite_is_left_out(answering):
    """NaN and infinity are no amounts."""
    result = [
        {"metric": {"feature": name}, "value": [1, value]}
        for name, value in [("a", "NaN"), ("b", "+Inf"), ("c", "1.5")]
    ]
    port, _ = answering(
        body=json.dumps({"status": "success", "data": {"resultType": "vector", "result": result}}).encode()
    )

    found = Prometheus(f"http://127.0.0.1:{port}").query("up", NOON)

    assert [(one.labels["feature"], one.value) for one in found] == [("c", Decimal("1.5"))]


def test_keys_are_sent_and_never_shown(answering, monkeypatch):
    """From the address or from the variable; not in the name, the repr or an error."""
    port, seen = answering(500, b"")
    monkeypatch.setenv("TRACKED_INFERENCE_PROMETHEUS_HEADERS", "X-Scope-OrgID=team-a")
    store = Prometheus(f"http://user:s3cret@127.0.0.1:{port}/prometheus/")

    with pytest.raises(PrometheusError) as caught:
        store.query("up", NOON)

    path, headers = seen[0]
    assert path == "/prometheus/api/v1/query"
    assert headers["Authorization"] == "Basic dXNlcjpzM2NyZXQ="  # user:s3cret
    assert headers["X-Scope-Orgid"] == "team-a"
    assert "s3cret" not in f"{caught.value} {store!r} {store.name}"


@pytest.mark.parametrize(
    "url", ["prometheus:9090", "ftp://x", "http://", "file:///etc/passwd", "http://x:99999"]
)
def test_an_address_that_is_none_is_refused(url):
    """With the places it may have come from."""
    with pytest.raises(ConfigurationError, match="TRACKED_INFERENCE_PROMETHEUS_URL"):
        Prometheus(url)


def test_a_token_is_sent_as_a_bearer(answering, monkeypatch):
    """As `tracked-inference report` sends it."""
    port, seen = answering(body=b'{"status":"success","data":{"resultType":"vector","result":[]}}')
    monkeypatch.setenv("TRACKED_INFERENCE_PROMETHEUS_TOKEN", "s3cret")

    assert Prometheus(f"http://127.0.0.1:{port}").query("up", NOON) == []
    assert seen[0][1]["Authorization"] == "Bearer s3cret"


def test_headers_that_cannot_be_read_are_refused(monkeypatch):
    """And not shown."""
    monkeypatch.setenv("TRACKED_INFERENCE_PROMETHEUS_HEADERS", "s3cret")

    with pytest.raises(ConfigurationError, match="must be like") as caught:
        Prometheus("http://x")

    assert "s3cret" not in str(caught.value)


# Measured estimates.


def two_days():
    """November 1: 100 calls of 1,000 tokens in, half of them cached, and 100 out; November 2: 300 of 2,000 and 100."""
    totals = dict.fromkeys(("calls", "input", "cache_read", "output"), 0.0)
    for at in every(5, MONTH, MONTH + timedelta(days=2)):
        stamp = int(at.timestamp())
        yield (
            "ai_inference_calls_total",
            {"feature": "ask", "model": "gpt-5", "outcome": "ok"},
            round(totals["calls"], 6),
            stamp,
        )
        yield "ai_inference_calls_total", {"feature": "ask", "model": "gpt-5", "outcome": "error"}, 7, stamp
        for kind in ("input", "cache_read", "output"):
            yield (
                "ai_inference_tokens_total",
                {"feature": "ask", "model": "gpt-5", "token_type": kind},
                round(totals[kind], 6),
                stamp,
            )
        calls = (100 if at < MONTH + timedelta(days=1) else 300) / 288
        tokens = 1000 if at < MONTH + timedelta(days=1) else 2000
        totals["calls"] += calls
        totals["input"] += calls * tokens / 2
        totals["cache_read"] += calls * tokens / 2
        totals["output"] += calls * 100


@needs_prometheus
def test_an_estimate_can_take_its_numbers_from_prometheus(tmp_path):
    """Daily means of 1,000 and 2,000 tokens; the mean of the calls is (100 x 1,000 + 300 x 2,000) / 400 = 1,750."""
    backfill(tmp_path, two_days())
    with prometheus(tmp_path) as url:
        found = from_prometheus(url, "ask", days=10, now=MONTH + timedelta(days=2, hours=5))

        with pytest.raises(ConfigurationError, match="has no call of feature 'nobody'"):
            from_prometheus(url, "nobody", days=2, now=MONTH + timedelta(days=2, hours=5))

    assert (found.first_day, found.last_day) == (MONTH.date(), (MONTH + timedelta(days=1)).date())
    assert found.calls == pytest.approx(400, rel=0.01)
    assert float(found.input_tokens.mean) == pytest.approx(1750, rel=0.01)
    assert (float(found.input_tokens.p50), float(found.input_tokens.p95)) == pytest.approx(
        (1000, 2000), rel=0.01
    )
    assert float(found.requests_per_day.mean) == pytest.approx(200, rel=0.01)
    assert float(found.cached_share) == pytest.approx(0.5, rel=0.01)
    assert found.models == {"gpt-5": 1}
