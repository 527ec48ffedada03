"""prometheus_client's multiprocess mode: several processes, one exposition."""

import json
import os
import subprocess
import sys
import textwrap

import pytest

WORKER = textwrap.dedent(
    """
    import json, os, sys
    from decimal import Decimal
    from prometheus_client import CollectorRegistry, multiprocess
    from tests.sinks.records import record, cost
    from tracked_inference.sinks import _collectors
    from tracked_inference.sinks.metrics import MetricsSink

    def scrape(name, **labels):
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)
        return registry.get_sample_value(name, labels)

    sink = MetricsSink()
    {body}
    """
)


def run(tmp_path, body):
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    script = WORKER.replace("{body}", textwrap.dedent(body))
    done = subprocess.run(
        [sys.executable, "-c", script], env=env, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_processes_add_up(tmp_path):
    """Counters of a process that is gone stay; gauges of live processes add up, without a label for the process."""
    body = """
    sink(record(cost=cost("exact", Decimal(4)), trace_id="0af7651916cd43dd8448eb211c80319c"))
    labels = dict(model="gpt-4o", feature="search")
    print(json.dumps([
        scrape("ai_inference_estimated_cost_usd_total", **labels, team="discovery"),
        scrape("ai_inference_calls_total", **labels, team="discovery", outcome="ok"),
        scrape("ai_inference_duration_seconds_count", **labels),
        scrape("ai_inference_cost_per_hour_usd", feature="search"),
        scrape("ai_inference_calls_in_progress", feature="search"),
    ]))
    """
    first = run(tmp_path, body)
    second = run(tmp_path, body)

    assert first == [4, 1, 1, 4, 0]
    assert second[:3] == [8, 2, 2]
    assert second[3] == pytest.approx(8)  # until the app's child_exit hook calls mark_process_dead


def test_the_rolling_hour_decays_without_calls(tmp_path):
    """A thread writes the gauge while nothing is called; a day later it is 0."""
    body = """
    _collectors._REFRESH_SECONDS = 0.02
    sink(record(cost=cost("exact", Decimal(4))))
    before = scrape("ai_inference_cost_per_hour_usd", feature="search")
    hour = sink._all.rolling_hour("search")
    at = hour._clock()
    hour._clock = lambda: at + 86400
    import time
    for _ in range(500):
        after = scrape("ai_inference_cost_per_hour_usd", feature="search")
        if after == 0:
            break
        time.sleep(0.01)
    print(json.dumps([before, after, scrape("ai_inference_price_table_age_seconds", version="v", sha256="s")]))
    """

    assert run(tmp_path, body) == [4, 0, None]


def test_a_forked_worker_counts_its_own(tmp_path):
    """A preforking server: the parent's money is not counted again in the child, and the child's is."""
    body = """
    sink(record(cost=cost("exact", Decimal(4))))
    pid = os.fork()
    if pid == 0:
        sink(record(cost=cost("exact", Decimal(1))))
        os._exit(0)
    os.waitpid(pid, 0)
    print(json.dumps([
        scrape("ai_inference_estimated_cost_usd_total", model="gpt-4o", feature="search", team="discovery"),
        scrape("ai_inference_cost_per_hour_usd", feature="search"),
    ]))
    """
    if not hasattr(os, "fork"):
        pytest.skip("no fork here")

    assert run(tmp_path, body) == [5, 5]


def test_the_table_and_the_feature_are_shown_once(tmp_path):
    """Info gauges carry no label for the process."""
    body = """
    from datetime import datetime, UTC
    sink.show_table("v", "s", datetime(2020, 1, 1, tzinfo=UTC))
    sink.show_prices("gpt-4o", {"input": Decimal("0.0000025")})
    print(json.dumps([
        scrape("ai_inference_price_table_info", version="v", sha256="s"),
        scrape("ai_inference_price_table_age_seconds", version="v", sha256="s") > 86400,
        scrape("ai_inference_price_usd_per_token", model="gpt-4o", token_type="input"),
    ]))
    """

    assert run(tmp_path, body) == [1, True, 0.0000025]


def test_metrics_are_asked_for_by_name(tmp_path):
    """`name[]` narrows what all processes have written, and does not find nothing."""
    body = """
    from tracked_inference.sinks.exposition import metrics_app
    sink(record())
    answer = metrics_app().wsgi(
        {"REQUEST_METHOD": "GET", "QUERY_STRING": "name[]=ai_inference_retries_total"}, lambda *_: None
    )
    print(json.dumps(b"".join(answer).decode().splitlines()[2:]))
    """

    assert run(tmp_path, body) == ['ai_inference_retries_total{feature="search",model="gpt-4o"} 2.0']
