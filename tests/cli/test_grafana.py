"""`tracked-inference grafana export`: what it writes is what Prometheus, Alertmanager, Grafana and Kubernetes take."""

from __future__ import annotations

import json
import re
import shutil
import subprocess

import pytest
from click.testing import CliRunner

from grafana.assets import assets
from grafana.yamltext import dump
from tracked_inference.cli.grafana import command


def export(folder, *arguments: str):
    """Runs the command."""
    return CliRunner().invoke(command, ["export", "--to", str(folder), *arguments])


def tool(*arguments: str) -> str:
    """Runs a checker; skips where it is not installed."""
    if shutil.which(arguments[0]) is None:
        pytest.skip(f"{arguments[0]} is not installed")
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert 0 == done.returncode, done.stdout + done.stderr
    return done.stdout


def test_files_are_the_committed_ones(tmp_path) -> None:
    """Without options dashboards and rules are, byte for byte, those of the repository."""
    result = export(tmp_path)

    assert 0 == result.exit_code, result.output
    for name, text in assets().items():
        if "otel" not in name:
            assert text == (tmp_path / name).read_text()
    assert not (tmp_path / "rules/otel-bridge.yaml").exists()


def test_prometheus_and_alertmanager_take_it(tmp_path) -> None:
    """promtool and amtool accept configuration, rules and routes, with every option used."""
    options = [
        "--team",
        "documents",
        "--team",
        'we "quote"',
        "--otel",
        "--selector",
        'job="api"',
        "--target",
        "api:8000",
    ]
    assert 0 == export(tmp_path, *options).exit_code

    assert "SUCCESS" in tool("promtool", "check", "config", str(tmp_path / "prometheus.yml"))
    rules = [str(path) for path in sorted((tmp_path / "rules").glob("*.yaml"))]
    assert "SUCCESS" in tool("promtool", "check", "rules", "--lint=all", "--lint-fatal", *rules)
    assert "4 receivers" in tool("amtool", "check-config", str(tmp_path / "alertmanager.yml"))


def test_team_named_twice_has_one_route(tmp_path) -> None:
    """Alertmanager takes no receiver twice."""
    assert 0 == export(tmp_path, "--team", "search", "--team", "search").exit_code

    assert "3 receivers" in tool("amtool", "check-config", str(tmp_path / "alertmanager.yml"))


def test_selector_thresholds_and_runbooks_are_rendered(tmp_path) -> None:
    """A selector is in every selector of an exported metric; thresholds, severities and addresses are where they belong."""
    options = [
        *(
            "--selector",
            'job="api"',
            "--runbook-base",
            "https://wiki.example/",
            "--page",
            "page",
            "--ticket",
            "info",
        ),
        *("--spend-usd-per-hour", "7.5", "--runaway-floor-usd-per-hour", "2", "--min-calls", "3"),
    ]
    assert 0 == export(tmp_path, *options).exit_code
    alerts, recording = ((tmp_path / f"rules/{name}.yaml").read_text() for name in ("alerts", "recording"))

    # The bill's gauges come from a job of their own, which no selector of the application fits.
    bare = [
        found
        for found in re.findall(r"(?<![\w:])ai_inference_(?!bill_)\w+(?!:)(.?)", recording + alerts)
        if found not in "{:"
    ]
    assert [] == [found for found in bare if found == "["]
    assert 'ai_inference_estimated_cost_usd_total{job=\\"api\\"}' in recording
    assert "https://wiki.example/AIInferenceSpendRunaway.md" in alerts
    assert "severity: page" in alerts
    assert "severity: critical" not in alerts
    assert "> 7.5" in alerts
    assert "* 3600, 2)" in alerts
    assert ">= 3\n" in alerts


def test_kubernetes_objects(tmp_path) -> None:
    """A PrometheusRule with all groups, a ServiceMonitor, a labelled ConfigMap for each dashboard, and their list."""
    yaml = pytest.importorskip("yaml")
    assert 0 == export(tmp_path, "--format", "kubernetes", "--namespace", "ai", "--job", "api").exit_code

    objects = {path.name: yaml.safe_load(path.read_text()) for path in tmp_path.iterdir()}
    kustomization = objects.pop("kustomization.yaml")
    assert sorted(objects) == kustomization["resources"]
    assert {"ai"} == {one["metadata"]["namespace"] for one in objects.values()}
    assert "PrometheusRule" == objects["prometheusrule.yaml"]["kind"]
    assert {"app": "api"} == objects["servicemonitor.yaml"]["spec"]["selector"]["matchLabels"]
    spend = objects["dashboard-spend.yaml"]
    assert "1" == spend["metadata"]["labels"]["grafana_dashboard"]
    assert json.loads(assets()["dashboards/spend.json"]) == json.loads(
        spend["data"]["tracked-inference-spend.json"]
    )
    (tmp_path / "groups.yaml").write_text(dump(objects["prometheusrule.yaml"]["spec"]))
    tool("promtool", "check", "rules", str(tmp_path / "groups.yaml"))


def test_terraform_points_at_the_dashboards_beside_it(tmp_path) -> None:
    """The resources read the folder that is written with them."""
    assert 0 == export(tmp_path, "--format", "terraform").exit_code

    text = (tmp_path / "main.tf").read_text()
    assert 'resource "grafana_dashboard"' in text
    assert text.count("{") == text.count("}")
    assert 4 == len(list((tmp_path / "dashboards").glob("*.json")))


def test_changed_files_are_not_lost(tmp_path) -> None:
    """A file that somebody changed stops the export, says its name, and yields to --force."""
    export(tmp_path)
    (tmp_path / "rules/alerts.yaml").write_text("mine")

    refused = export(tmp_path)
    assert 2 == refused.exit_code
    assert "rules/alerts.yaml" in refused.output
    assert "mine" == (tmp_path / "rules/alerts.yaml").read_text()
    assert 0 == export(tmp_path, "--force").exit_code
    assert "mine" != (tmp_path / "rules/alerts.yaml").read_text()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--selector", "job=api"], "is no matcher"),
        (["--selector", '{job="api"}'], "is no matcher"),
        (["--format", "helm"], "helm"),
        (["--min-calls", "0"], "min-calls"),
    ],
)
def test_bad_options_are_explained(tmp_path, arguments, said) -> None:
    """Bad input ends with 2 and words, and writes nothing."""
    result = export(tmp_path / "out", *arguments)

    assert 2 == result.exit_code
    assert said in result.output
    assert not (tmp_path / "out").exists()


def test_a_file_in_the_way(tmp_path) -> None:
    """A target that is a file, or lies under one, is refused in words."""
    (tmp_path / "file").write_text("")

    assert 2 == export(tmp_path / "file").exit_code
    below = export(tmp_path / "file/below")
    assert 2 == below.exit_code
    assert "cannot write" in below.output or "not a directory" in below.output.lower()


def test_json_lists_what_was_written(tmp_path) -> None:
    """--json names the folder and the files."""
    told = json.loads(export(tmp_path, "--json").output)

    assert str(tmp_path) == told["folder"]
    assert "dashboards/spend.json" in told["files"]


@pytest.mark.parametrize(
    "value",
    [
        {"a": {"b": [1, 2.5, True, None, "x"]}, "c": []},
        {
            "text": "two\nlines",
            "end": "a\nb\n",
            "colon": "a: b",
            "hash": "a #b",
            "yes": "yes",
            "quote": '"\\',
        },
        [{"k": ["v", {"w": "x"}]}, [["nested"]], {}],
        {"on": "1m", "number": "12", "template": "{{ $value }}", "empty": "", "space": " a "},
    ],
)
def test_our_yaml_reads_back(value) -> None:
    """What the little writer makes is what a YAML reader sees."""
    yaml = pytest.importorskip("yaml")

    assert value == yaml.safe_load(dump(value))
