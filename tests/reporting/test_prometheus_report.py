"""Reports from Prometheus: the query is right on a real server, and what it cannot know it does not say."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
import urllib.request
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from tests.reporting.admin_apis import serving
from tracked_inference.errors import ConfigurationError, UnavailableError
from tracked_inference.prometheus.queries import grown, selector
from tracked_inference.reporting.periods import Period
from tracked_inference.reporting.prometheus_report import prometheus_report

PROMETHEUS, PROMTOOL = shutil.which("prometheus"), shutil.which("promtool")
DAY = Period(datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 2, tzinfo=UTC))
TWO_DAYS = Period(DAY.since, DAY.until + timedelta(days=1))
COST = "ai_inference_estimated_cost_usd_total"


def samples():
    """
    Three series, sampled each 5 minutes from 2 hours before the day until its end and through the next day.

    - `old` grows by 0.01 a sample all along: 288 x 0.01 = 2.88 a day, and starts far above 0.
    - `young` is born at noon of the day at 4 dollars and stays there: 4 on the first day, 0 on the second.
    - `reset` grows by 0.02 a sample and begins anew at 0 at 18:00.
    """
    start, lines = int(DAY.since.timestamp()) - 7200, [f"# TYPE {COST.removesuffix('_total')} counter"]
    calls = ["# TYPE ai_inference_calls counter"]
    step, count = 300, (7200 + 2 * 86_400) // 300 + 1
    for feature, value in (
        ("old", lambda n, t: 100 + n * 0.01),
        ("young", lambda n, t: 4 if t >= 43_200 else None),
        ("reset", None),
    ):
        for number in range(count):
            at = start + number * step
            into = at - int(DAY.since.timestamp())
            if feature == "reset":
                found = number * 0.02 if into < 64_800 else (into - 64_800) / step * 0.02
            else:
                found = value(number, into)
            if found is not None:
                labels = f'model="m",feature="{feature}",team="t",instance="a"'
                lines.append(f"{COST}{{{labels}}} {found} {at}")
                calls.append(f'ai_inference_calls_total{{{labels},outcome="ok"}} {number} {at}')
    return "\n".join([*lines, *calls, "# EOF"]) + "\n"


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory):
    """A real Prometheus with these samples."""
    if PROMETHEUS is None or PROMTOOL is None:
        pytest.skip("no prometheus and promtool here: apt-get install prometheus")
    home = tmp_path_factory.mktemp("prometheus")
    (home / "samples").write_text(samples())
    (home / "config.yml").write_text("global: {scrape_interval: 1m}\n")
    subprocess.run(
        [PROMTOOL, "tsdb", "create-blocks-from", "openmetrics", str(home / "samples"), str(home / "data")],
        check=True,
        capture_output=True,
        timeout=60,
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [
            PROMETHEUS,
            f"--config.file={home / 'config.yml'}",
            f"--storage.tsdb.path={home / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--storage.tsdb.retention.time=20y",
            "--log.level=error",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(300):
            try:
                with urllib.request.urlopen(f"{url}/-/ready", timeout=1) as answer:
                    if answer.status == 200:
                        break
            except OSError:
                time.sleep(0.1)
        yield url
    finally:
        server.terminate()
        server.wait(10)


def test_births_count_and_long_lived_series_are_exact(prometheus):
    """A series born at 4 dollars cost 4 dollars, one that was there all along its growth; a reset is within `increase`'s error."""
    report = prometheus_report(prometheus, DAY, compare=False)

    found = {row.key[0]: row.now.cost_usd for row in report.rows}
    assert found["young"] == pytest.approx(4, abs=1e-9)
    assert float(found["old"]) == pytest.approx(2.88, rel=0.005)
    assert float(found["reset"]) == pytest.approx(5.76, rel=0.01)
    assert float(report.total.now.cost_usd) == pytest.approx(4 + 2.88 + 5.76, rel=0.01)


def test_days_are_asked_one_by_one(prometheus):
    """By day, what was born on the first day is not on the second."""
    report = prometheus_report(
        prometheus, TWO_DAYS, ("day", "feature"), only={"feature": ["young", "old"]}, compare=False
    )

    found = {row.key: round(float(row.now.cost_usd), 2) for row in report.rows}
    assert found["2026-11-01", "young"] == 4
    assert found["2026-11-01", "old"] == pytest.approx(2.88, abs=0.02)
    assert found["2026-11-02", "old"] == pytest.approx(2.88, abs=0.02)
    assert found.get(("2026-11-02", "young"), 0) == 0
    assert float(report.total.now.cost_usd) == pytest.approx(9.76, abs=0.05)


def test_a_filter_is_a_literal(prometheus):
    """A feature with the letters of a pattern matches itself alone."""
    report = prometheus_report(prometheus, DAY, only={"feature": ["o.d", 'x"y\\']}, compare=False)

    assert report.rows == ()


def test_what_prometheus_does_not_know_is_refused():
    """Users are nowhere in Prometheus: the message names the ledger."""
    with pytest.raises(ConfigurationError, match="does not know the user of a call: ask a ledger"):
        prometheus_report("http://127.0.0.1:1", DAY, ("user",))


def test_what_a_grouping_cannot_say_is_none_and_not_zero(monkeypatch):
    """Tokens have no team: by team they are unknown; users and savings are unknown always."""
    monkeypatch.setenv("TRACKED_INFERENCE_PROMETHEUS_TOKEN", "canary-token")
    result = {
        "status": "success",
        "data": {
            "resultType": "vector",
            "result": [{"metric": {"team": "t", "outcome": "ok"}, "value": [0, "3.5"]}],
        },
    }

    with serving(lambda path, asked: (200, result, {})) as server:
        report = prometheus_report(server.url, DAY, ("team",), compare=False)

    now = report.rows[0].now
    assert (now.cost_usd, now.calls) == (Decimal("3.5"), 4)
    assert (now.input_tokens, now.unpriced_calls, now.users, now.cache_savings_usd) == (
        None,
        None,
        None,
        None,
    )
    assert server.requests[0][2]["authorization"] == "Bearer canary-token"
    assert "A ledger is exact." in " ".join(report.notes)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ((400, {"status": "error", "error": "parse error"}, {}), "HTTP 400: parse error"),
        ((401, {}, {}), "401.*: set TRACKED_INFERENCE_PROMETHEUS_TOKEN"),
        ((404, b"nothing", {}), "is this the address of a Prometheus"),
        ((200, b"<html>", {}), "did not answer as Prometheus does"),
        ((200, {"hello": 1}, {}), "did not answer as Prometheus does"),
    ],
)
def test_a_server_that_does_not_answer_is_an_error(answer, message):
    """What is no answer is never taken for no spending."""
    with serving(lambda path, asked: answer) as server, pytest.raises(UnavailableError, match=message):
        prometheus_report(server.url, DAY)


def test_the_query_is_valid_promql(tmp_path):
    """promtool parses it, filters and all."""
    if PROMTOOL is None:
        pytest.skip("no promtool here: apt-get install prometheus")
    query = grown(COST + selector({"feature": ["a.b", 'c"d'], "team": ["x"]}), ["feature", "team"], 86_400)
    rules = {"groups": [{"name": "g", "rules": [{"record": "a:b", "expr": query}]}]}
    (tmp_path / "rules.yml").write_text(json.dumps(rules))

    done = subprocess.run(
        [PROMTOOL, "check", "rules", str(tmp_path / "rules.yml")], capture_output=True, text=True, timeout=30
    )

    assert done.returncode == 0, done.stderr
