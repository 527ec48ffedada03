"""The committed dashboards and rules: made by the code, of known metrics only, fit for import."""

from __future__ import annotations

import itertools
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from grafana import generate
from grafana.alerting import alert_groups
from grafana.assets import assets, rule_groups
from grafana.names import labels_of, raw
from grafana.pages import dashboards
from grafana.recording import recorded_labels
from tests.grafana.promtool import needs_promtool

ROOT = Path(__file__).parents[2]
SCRAPED = {"job", "instance"}  # labels that scraping adds
FOREIGN = {"up", "process_start_time_seconds", "ALERTS"}  # metrics of Prometheus and of its client
GRAFANA = {"__rate_interval": "10m", "__range": "7d", "__interval": "5m"}
PAGES = sorted(dashboards().items())
by_page = pytest.mark.parametrize(("name", "model"), PAGES, ids=[name for name, _ in PAGES])


def panels(model: dict) -> list[dict]:
    """Every panel that shows something, those of collapsed rows included."""
    flat = [inner for panel in model["panels"] for inner in (panel, *panel.get("panels", []))]
    return [panel for panel in flat if panel["type"] != "row"]


def expressions(model: dict) -> list[str]:
    """Every query of a dashboard: panels, annotations and variables."""
    targets = [target["expr"] for panel in panels(model) for target in panel.get("targets", [])]
    notes = [note["expr"] for note in model["annotations"]["list"] if "expr" in note]
    variables = [one["query"]["query"] for one in model["templating"]["list"] if one["type"] == "query"]
    lists = [re.fullmatch(r"label_values\((.+), \w+\)", text)[1] for text in variables]
    return targets + notes + lists


def plain(expr: str) -> str:
    """The query with Grafana's variables filled in."""
    filled = re.sub(r"\$(__\w+)", lambda found: GRAFANA[found[1]], expr)
    return re.sub(r"\$(\w+)", ".+", filled)


def selectors(expr: str) -> list[tuple[str, set[str]]]:
    """Metrics in a query with the labels that their selectors match on."""
    code = re.sub(r"\[[^\]]*\]", "", expr)
    code = re.sub(r'"(?:[^"\\]|\\.)*"', '""', code)
    found = re.findall(r"([A-Za-z_][\w:]*)\s*(?:\{([^}]*)\})?", code)
    metrics = recorded_labels().keys() | FOREIGN
    return [
        (name, set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers)))
        for name, matchers in found
        if name in metrics or name.startswith(("ai_inference", "cloud_")) or ":" in name
    ]


def known(name: str) -> set[str]:
    """The labels of a metric of the catalogue, of the rules or of Prometheus."""
    if name in FOREIGN:
        return SCRAPED | {"alertname", "alertstate", "severity"}
    recorded = recorded_labels()
    return (set(recorded[name]) if name in recorded else set(labels_of(name))) | SCRAPED


def test_committed_files_are_what_the_code_makes(capsys) -> None:
    """`--check` finds nothing: no file differs, none is missing, none is left over."""
    code = generate.main(["--check"])

    assert (0, "") == (code, capsys.readouterr().out)


def test_check_tells_a_file_that_differs(monkeypatch, capsys) -> None:
    """`--check` names what is stale and what is left over."""
    made = assets()
    made.pop("rules/otel-bridge.yaml")
    made["dashboards/spend.json"] += " "
    monkeypatch.setattr(generate, "assets", lambda: made)

    assert 1 == generate.main(["--check"])
    said = capsys.readouterr().out
    assert "grafana/dashboards/spend.json is not what the code makes" in said
    assert "grafana/rules/otel-bridge.yaml is made by nothing" in said


def test_unknown_metrics_and_labels_break_generation() -> None:
    """A name that the catalogue does not have, or a label that the metric does not have, is a LookupError."""
    assert 'ai_inference_calls_total{outcome="error"}' == str(
        raw("ai_inference_calls_total", outcome='="error"')
    )
    for name, label in (
        ("ai_inference_cals_total", "model"),
        ("ai_inference_calls_total", "user"),
        ("ai_inference_duration_seconds", "model"),
    ):
        with pytest.raises(LookupError):
            raw(name, **{label: '="x"'})


@by_page
def test_every_metric_and_label_of_a_dashboard_exists(name, model) -> None:
    """Dashboards ask for nothing but metrics of the catalogue, recorded series and Prometheus' own."""
    used = [one for expr in expressions(model) for one in selectors(plain(expr))]

    assert used
    for metric, labels in used:
        assert labels <= known(metric), (metric, labels)


def test_every_metric_and_label_of_the_rules_exists() -> None:
    """Rules read nothing but metrics of the catalogue, recorded series and Prometheus' own."""
    rules = [rule for groups in rule_groups().values() for group in groups for rule in group["rules"]]
    used = [one for rule in rules for one in selectors(rule["expr"])]

    assert len(used) > 50
    for metric, labels in used:
        assert labels <= known(metric), (metric, labels)


@by_page
def test_dashboards_import_everywhere(name, model) -> None:
    """Classic schema, no id, a fixed uid, no inputs, a data source variable that every panel uses, UTC."""
    assert None is model["id"]
    assert f"tracked-inference-{name}" == model["uid"]
    assert 39 <= model["schemaVersion"] <= 42
    assert "__inputs" not in model
    assert ("datasource", "datasource", "prometheus") == tuple(
        model["templating"]["list"][0][key] for key in ("name", "type", "query")
    )
    assert "utc" == model["timezone"]
    assert {"${datasource}"} == {panel["datasource"]["uid"] for panel in panels(model)}
    assert {"${datasource}"} == {
        target["datasource"]["uid"] for panel in panels(model) for target in panel["targets"]
    }
    assert model["links"][0]["keepTime"]
    assert model["links"][0]["includeVars"]


@by_page
def test_panels_are_explained_and_do_not_overlap(name, model) -> None:
    """Each panel has a title, a description and a unit; ids are unique; no two boxes share a cell of the grid."""
    ids = [panel["id"] for panel in model["panels"]] + [
        inner["id"] for panel in model["panels"] for inner in panel.get("panels", [])
    ]
    assert len(ids) == len(set(ids))
    for panel in panels(model):
        assert panel["title"]
        assert len(panel["description"]) > 15, panel["title"]
        if panel["type"] in {"stat", "timeseries", "bargauge"}:
            assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        assert panel["fieldConfig"]["defaults"].get("noValue") or panel["type"] == "heatmap", panel["title"]
    cells = [
        (x, y)
        for panel in model["panels"]
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24


def test_yesterday_of_each_feature_is_on_the_first_screen() -> None:
    """What a feature cost yesterday is read without a click: in a table above the first 700 pixels."""
    (shown,) = (panel for panel in panels(dashboards()["spend"]) if panel["title"] == "Yesterday by feature")

    box = shown["gridPos"]
    assert (box["y"] + box["h"]) * 38 < 700
    assert "sum by (feature)" in shown["targets"][0]["expr"]
    assert shown["targets"][0]["expr"].endswith("[1d:1d]) > 0")


@by_page
def test_empty_cells_say_nothing_of_the_table(name, model) -> None:
    """Grafana writes a panel's `noValue` into every cell without a value, so each column has its own."""
    for panel in panels(model):
        if panel["type"] == "table":
            for override in panel["fieldConfig"]["overrides"]:
                said = [one["value"] for one in override["properties"] if one["id"] == "noValue"]
                assert 1 == len(said), (panel["title"], override["matcher"])
                assert said[0] in {" ", "no price", "not known"}


@by_page
def test_variables_are_defined_and_used(name, model) -> None:
    """Every `$name` in a query is a variable or Grafana's own, and every variable is in some query."""
    defined = {one["name"] for one in model["templating"]["list"]}
    text = json.dumps({"panels": model["panels"], "templating": model["templating"]})
    used = set(re.findall(r"\$\{?(\w+)", text)) - {"__all", "__url_time_range", "__value"} - GRAFANA.keys()

    assert defined == used


@by_page
def test_variables_take_what_links_bring_along(name, model) -> None:
    """All, or several values, come from dashboards where they were chosen: every variable has All, every matcher is `=~`."""
    lists = [one for one in model["templating"]["list"] if one["type"] == "query"]

    assert all(one["includeAll"] for one in lists)
    for one in lists:
        for expr in expressions(model):
            assert not re.search(rf'(?<!=~)"\${one["name"]}"', expr), expr


@by_page
def test_counters_are_read_through_their_growth(name, model) -> None:
    """A counter stands inside rate, increase, resets or the first-value correction, and rates follow the panel's width."""
    for panel in panels(model):
        for target in panel["targets"]:
            expr = target["expr"]
            for found in re.finditer(r"ai_inference_\w+(?:_total|_bucket|_count|_sum)\b(\{[^}]*\})?", expr):
                rest = expr[found.end() :]
                assert rest.startswith(("[", " offset")), (panel["title"], rest[:20])
            if not target["instant"] and "rate(ai_inference" in expr:
                assert "[$__rate_interval]" in expr or panel["type"] == "stat", panel["title"]


def test_links_go_to_dashboards_that_exist() -> None:
    """Data links name a dashboard of this set and keep the time range and the data source."""
    uids = {model["uid"] for _, model in PAGES}
    urls = set(re.findall(r'"url": "(/d/[^"]+)"', json.dumps(dict(PAGES))))

    assert urls
    for url in urls:
        assert re.match(r"/d/([\w-]+)", url)[1] in uids
        assert "${__url_time_range}" in url
        assert "${datasource:queryparam}" in url


def test_every_alert_has_its_words_and_its_runbook() -> None:
    """Severity, summary, description with a number, and a page in docs/runbooks that exists and has the right shape."""
    alerts = [rule for group in alert_groups() for rule in group["rules"]]
    for rule in alerts:
        assert rule["labels"]["severity"] in {"critical", "warning"}
        assert rule["annotations"]["summary"].endswith(".")
        assert "$value" in rule["annotations"]["summary"] + rule["annotations"]["description"]
        page = ROOT / rule["annotations"]["runbook_url"]
        assert page.is_file(), page
        text = page.read_text()
        assert text.startswith(f"# {rule['alert']}\n")
        assert all(f"\n## {heading}\n" in text for heading in ("Meaning", "Look at", "Do")), page
    pages = {path.stem for path in (ROOT / "docs/runbooks").glob("*.md")}
    assert {rule["alert"] for rule in alerts} == pages


def test_every_alert_and_dashboard_stands_in_the_howto() -> None:
    """Each alert has its row, with its severity; each dashboard is named."""
    page = (ROOT / "docs/howto/dashboards.md").read_text()
    rows = dict(re.findall(r"^\| \[(\w+)\]\(\.\./runbooks/\1\.md\) \| (\w+) \|", page, re.MULTILINE))

    assert {
        rule["alert"]: rule["labels"]["severity"] for group in alert_groups() for rule in group["rules"]
    } == rows
    for _, model in PAGES:
        assert f"**{model['title'].removeprefix('AI inference / ')}**" in page


def test_every_alert_is_tested() -> None:
    """Every alert's name stands in the promtool cases."""
    cases = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*_alerts.py"))

    untested = [
        rule["alert"]
        for group in alert_groups()
        for rule in group["rules"]
        if f'"{rule["alert"]}"' not in cases
    ]
    assert [] == [name for name in untested if name != "AIInferenceWorkersNotMerged"]
    assert "AIInferenceWorkersNotMerged" in cases


def test_rule_files_are_fit_for_mimir_and_thanos() -> None:
    """Intervals are given, names are unique over all files, and no group records a name twice."""
    groups = list(itertools.chain.from_iterable(rule_groups().values()))

    assert len({group["name"] for group in groups}) == len(groups)
    assert all(group["interval"] == "1m" for group in groups)
    recorded = [rule["record"] for group in groups for rule in group["rules"] if "record" in rule]
    assert len(recorded) == len(set(recorded))


@pytest.mark.skipif(
    shutil.which("vmalert") is None, reason="vmalert is not installed (Debian: victoria-metrics)"
)
def test_vmalert_takes_the_rules() -> None:
    """VictoriaMetrics' rule evaluator understands every expression and every template."""
    command = ["vmalert", "-dryRun", f"-rule={ROOT}/grafana/rules/*.yaml"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert 0 == done.returncode, done.stderr[-2000:]


@needs_promtool
def test_promtool_takes_the_rules_without_a_remark() -> None:
    """`promtool check rules --lint=all --lint-fatal` is silent."""
    files = sorted((ROOT / "grafana/rules").glob("*.yaml"))
    done = subprocess.run(
        ["promtool", "check", "rules", "--lint=all", "--lint-fatal", *files],
        capture_output=True,
        text=True,
        check=False,
    )

    assert 0 == done.returncode, done.stdout + done.stderr
