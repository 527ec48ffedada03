"""The live case of the accuracy table: eight gunicorn workers that are recycled, under a real Prometheus."""

from __future__ import annotations

import os
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

from grafana.queries import yesterday
from tests.grafana.backfill import ask
from tests.grafana.servers import free_port, prometheus, running, victoria_metrics

COST = "ai_inference_estimated_cost_usd_total"
SECONDS = 75
DOLLARS = 0.25  # exact in binary, so that the truth is too
SERVED = """
from datetime import UTC, datetime
from decimal import Decimal
from tests.benchmarks.accuracy import Process
from tracked_inference.sinks.exposition import metrics_app
from prometheus_client import REGISTRY

process = Process("feature", "unused", 0, 0, True, REGISTRY)
metrics = metrics_app()

def app(environ, start_response):
    if environ["PATH_INFO"] == "/metrics":
        return metrics(environ, start_response)
    process.call(0.25, "claude-sonnet-4-5")
    start_response("200 OK", [("Content-Length", "0")])
    return [b""]
"""
CONFIG = "from tracked_inference.sinks.exposition import child_exit\n"


def live() -> list[list[str]]:
    """The rows: with multiprocess mode and without."""
    return [_row(shared=True), _row(shared=False)]


def _row(*, shared: bool) -> list[str]:
    port = free_port()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "served.py").write_text(SERVED)
        (folder / "conf.py").write_text(CONFIG)
        (folder / "values").mkdir()
        environ = {key: value for key, value in os.environ.items() if key != "PROMETHEUS_MULTIPROC_DIR"}
        environ["PYTHONPATH"] = os.pathsep.join([name, str(Path.cwd())])
        if shared:
            environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder / "values")
        config = (
            "global: {scrape_interval: 1s}\n"
            "scrape_configs:\n"
            f"- {{job_name: bench, static_configs: [{{targets: ['127.0.0.1:{port}']}}]}}\n"
        )
        command = [
            sys.executable,
            "-m",
            "gunicorn",
            "-c",
            str(folder / "conf.py"),
            "-w",
            "8",
            "--max-requests",
            "60",
        ]
        command += [
            "--max-requests-jitter",
            "30",
            "-b",
            f"127.0.0.1:{port}",
            "--log-level",
            "critical",
            "served:app",
        ]
        with running(
            ["env", *(f"{key}={value}" for key, value in environ.items()), *command],
            f"http://127.0.0.1:{port}/metrics",
        ):
            with (
                prometheus(None, config) as one,
                victoria_metrics(config, "-search.latencyOffset=0s") as other,
            ):
                time.sleep(4)
                truth = _traffic(f"http://127.0.0.1:{port}/")
                time.sleep(4)
                errors = [
                    float(ask(url, "query", query=f"sum({query})")[0]["value"][1]) / truth - 1
                    for url in (one, other)
                    for query in _queries(f"{SECONDS + 30}s")
                ]
    case = f"live: 8 gunicorn workers, recycled, {'multiprocess mode' if shared else 'NO multiprocess mode'}, {SECONDS} s"
    return [case, f"{truth:.2f}", *(f"{error:+.2%}" for error in errors)]


def _queries(window: str) -> list[str]:
    """The two queries of the table over these seconds instead of a day."""
    panel = yesterday(COST, "feature").removeprefix("last_over_time((\n").removesuffix("\n)[1d:1d])")
    panel = panel.replace("[1d]", f"[{window}]").replace("[6h] offset 1d", f"[1m] offset {window}")
    return [f"increase({COST}[{window}])", panel]


def _traffic(url: str) -> float:
    """Calls until the time is up, from four threads; the dollars of those that were answered."""
    until, answered = time.monotonic() + SECONDS, []

    def work() -> None:
        mine = 0
        while time.monotonic() < until:
            try:
                with urllib.request.urlopen(url, timeout=10) as answer:
                    mine += answer.status == 200
            except (OSError, urllib.error.URLError):
                pass  # a worker that was being recycled: counted neither here nor there, mostly
            time.sleep(0.02)
        answered.append(mine)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(answered) * DOLLARS
