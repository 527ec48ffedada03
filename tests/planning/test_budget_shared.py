"""One budget, two processes, a real Prometheus between them."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.planning.prometheus import free_port, needs_prometheus, prometheus, wait_for_targets

pytest.importorskip("anthropic", reason="the Anthropic SDK is not installed")

ROOT = Path(__file__).parents[2]
BUDGET = 40


@needs_prometheus
def test_two_processes_share_a_budget_and_both_are_refused(tmp_path):
    """
    Each spends ten dollars a second of forty; neither reaches forty alone, and both are refused.

    Prometheus scrapes every second and is asked every second, so that together they may be late by what they spend in
    about two; as each counts what Prometheus may not have seen of its own, they may be early by as much.
    """
    ports = [free_port(), free_port()]
    targets = ", ".join(f"'127.0.0.1:{port}'" for port in ports)
    scraping = (
        "global: {scrape_interval: 1s, scrape_timeout: 1s}\n"
        f"scrape_configs: [{{job_name: app, static_configs: [{{targets: [{targets}]}}]}}]\n"
    )
    with prometheus(tmp_path, scraping) as url:
        config = tmp_path / "tracked-inference.toml"
        config.write_text(
            f'[features.search]\nteam = "discovery"\nbudget_usd = {{ month = {BUDGET} }}\non_budget = "refuse"\n'
            f'[prometheus]\nurl = "{url}"\nrefresh_seconds = 1\n'
        )
        started = [
            subprocess.Popen(
                [sys.executable, "-m", "tests.planning.shared_budget_process", config, str(port), "0.1"],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
            for port in ports
        ]
        try:
            ready = [process.stdout.readline() for process in started]
            wait_for_targets(url, len(ports))
            for process in started:
                process.stdin.write("go\n")
                process.stdin.flush()
            said = [process.stdout.readline() for process in started]
        finally:
            for process in started:
                process.kill()
                process.communicate()

    calls = [int(line.split()[1]) for line in said]
    assert ready == ["ready\n", "ready\n"]
    assert all(line.startswith("refused") and "by Prometheus at 127.0.0.1" in line for line in said), said
    assert max(calls) < BUDGET
    assert BUDGET * 0.5 <= sum(calls) <= BUDGET * 1.75, calls
