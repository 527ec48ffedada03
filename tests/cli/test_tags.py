"""The command `tags`."""

from __future__ import annotations

import json
import os

import pytest

pytest.importorskip("click", reason="click is not installed: pip install 'tracked-inference[cli]'")
pytest.importorskip("yaml", reason="PyYAML is not installed: pip install 'tracked-inference[aws]'")

from click.testing import CliRunner

from tracked_inference.cli.tags import command

POD = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: {name}\n  labels: {labels}\n"
GOOD = "{team: documents, service: s, environment: production, component: api, cost_center: c, created_by: d}"


@pytest.fixture
def pod(tmp_path):
    def pod(labels, name="web"):
        path = tmp_path / f"{name}.yaml"
        path.write_text(POD.format(name=name, labels=labels))
        return str(path)

    return pod


def run(*arguments):
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


def test_clean_files_exit_0(pod):
    """Nothing wrong: exit 0, and the count of what was looked at."""
    result = run("check", pod(GOOD), pod(GOOD, "other"))

    assert result.exit_code == 0
    assert "2 places checked: 0 violations" in result.output


def test_violations_exit_1_and_say_what_to_add(pod):
    """A violation: exit 1, the fault and the remedy in the table."""
    result = run("check", pod("{team: documents}"))

    assert result.exit_code == 1
    assert "service tag is required" in result.output
    assert "metadata.labels: {service: <service>}" in result.output


def test_nothing_is_cut_off(pod):
    """Address and remedy are folded: what is cut off could be neither found nor added."""
    result = run("check", pod("{}", "a" * 200))

    assert "\N{HORIZONTAL ELLIPSIS}" not in result.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["none.yaml"], "none.yaml: cannot be read"),
        (["{pod}", "--allow", "owner=x"], "--allow owner=x"),
        (["{pod}", "--allow", "team=No Slug"], "no slug"),
        (["{pod}", "--stack-tag", "team"], "--stack-tag team"),
        (["{pod}", "--label-prefix", "No Domain"], "--label-prefix No Domain"),
        (["{pod}", "--exemptions", "none.yaml"], "none.yaml: cannot be read"),
        (["{pod}", "--baseline", "none.json"], "none.json: cannot be read"),
        (["{pod}", "--format", "xml"], "xml"),
        ([], "FILES"),
    ],
)
def test_bad_input_exits_2_without_a_traceback(pod, arguments, said):
    """What cannot be used is named: exit 2."""
    result = run("check", *(argument.format(pod=pod(GOOD)) for argument in arguments))

    assert result.exit_code == 2
    assert said in result.output
    assert "Traceback" not in result.output


def test_environments_and_lists_come_from_options(pod):
    """--environment replaces the list, --allow adds one."""
    live = GOOD.replace("production", "live")

    assert run("check", pod(live)).exit_code == 1
    assert run("check", pod(live), "--environment", "live", "--allow", "team=documents,search").exit_code == 0
    assert run("check", pod(live), "--environment", "live", "--allow", "team=search").exit_code == 1


def test_json_holds_everything(pod):
    """JSON output has counts and every finding."""
    result = run("check", pod(GOOD.replace("production", "prod")), "--format", "json")

    document = json.loads(result.output)
    assert (document["resources_checked"], document["failures"]) == (1, 1)
    (finding,) = document["findings"]
    assert (finding["address"], finding["key"], finding["line"]) == ("Pod/web", "environment", 1)
    assert finding["add"] == "metadata.labels: {environment: production}"


def test_sarif_is_sarif(pod, tmp_path):
    """SARIF output has the rule, the place and a stable fingerprint; exempt findings are suppressed."""
    exemptions = tmp_path / "e.yaml"
    exemptions.write_text("exemptions: [{address: Pod/web, keys: [team], reason: new, expires: 2999-01-01}]")

    result = run("check", pod("{service: s}"), "--format", "sarif", "--exemptions", exemptions)

    (sarif_run,) = json.loads(result.output)["runs"]
    rules = [rule["id"] for rule in sarif_run["tool"]["driver"]["rules"]]
    team, environment, *_ = sarif_run["results"]
    assert rules[team["ruleIndex"]] == team["ruleId"] == "missing-tag"
    assert team["suppressions"] == [{"kind": "external", "justification": "new"}]
    assert environment["level"] == "error"
    assert environment["locations"][0]["physicalLocation"]["region"]["startLine"] == 1
    again = run("check", pod("{service: s}"), "--format", "sarif", "--exemptions", exemptions)
    assert again.output == result.output


def test_every_sarif_result_has_a_place_and_suppressions(pod, tmp_path):
    """GitHub refuses the whole file for a result without a place; SARIF wants suppressions of all or of none."""
    exemptions = tmp_path / "e.yaml"
    exemptions.write_text("exemptions:\n- {address: Pod/web, keys: [team], reason: new, expires: 2999-01-01}\n"
                          "- {address: Pod/old, reason: new, expires: 2020-01-01}\n")  # fmt: skip

    result = run("check", pod("{service: s}"), "--format", "sarif", "--exemptions", exemptions)

    (sarif_run,) = json.loads(result.output)["runs"]
    *_, expired = sarif_run["results"]
    place = expired["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"].endswith("e.yaml")
    assert place["region"] == {"startLine": 3}
    assert [len(each["suppressions"]) for each in sarif_run["results"]] == [1, 0, 0, 0, 0, 0]


def test_a_name_that_is_no_text_can_be_reported(tmp_path):
    """File names are bytes: one that is no UTF-8 is written as its bytes."""
    path = tmp_path / os.fsdecode(b"p\xff.yaml")
    try:
        path.write_text(POD.format(name="web", labels="{}"))
    except OSError:
        pytest.skip("this file system takes only names that are text")

    for output in ("table", "json", "sarif", "github"):
        result = run("check", path, "--format", output)
        assert (result.exit_code, type(result.exception)) == (1, SystemExit)


def test_places_are_relative_to_where_the_check_runs(pod, tmp_path, monkeypatch):
    """Code hosts find a file only by its path in the repository."""
    monkeypatch.chdir(tmp_path)
    file = pod("{}", "a b")

    sarif = json.loads(run("check", file, "--format", "sarif").output)
    annotations = run("check", file, "--format", "github").output

    place = sarif["runs"][0]["results"][0]["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "a%20b.yaml"
    assert annotations.startswith("::error file=a b.yaml,line=1,")


def test_github_annotations_are_escaped(pod):
    """One command a finding, its line breaks and percent signs escaped."""
    result = run("check", pod('{team: "100%\\n,::x"}'), "--format", "github")

    first = result.output.splitlines()[0]
    assert first.startswith("::error file=")
    assert "title=tag team::Pod/web: team must be a slug" in first
    assert "100%25" in first
    assert len(result.output.splitlines()) == 6


def test_unknowns_fail_only_when_strict(tmp_path):
    """A tag decided at deployment warns; with --strict it fails."""
    path = tmp_path / "stack.yaml"
    path.write_text("Resources:\n  Web: {Type: 'AWS::EC2::Instance', Properties: {Tags: !Ref Tags}}\n")

    assert run("check", path).exit_code == 0
    assert "6 unknown until applied" in run("check", path).output
    assert run("check", path, "--format", "github").output.startswith("::warning ")
    assert run("check", path, "--strict").exit_code == 1


def test_a_baseline_is_written_and_used(pod, tmp_path):
    """Written once, it lets the old estate pass and fails what is new."""
    baseline = tmp_path / "baseline.json"

    assert run("check", pod("{}"), "--write-baseline", baseline).exit_code == 0
    assert run("check", pod("{}"), "--baseline", baseline).exit_code == 0
    assert run("check", pod("{}"), pod("{}", "new"), "--baseline", baseline).exit_code == 1


def test_an_expired_exemption_fails(pod, tmp_path):
    """Leave that has ended fails the check, and says when it ended."""
    exemptions = tmp_path / "e.yaml"
    exemptions.write_text("exemptions: [{address: Pod/web, reason: new, expires: 2020-01-01}]")

    result = run("check", pod(GOOD), "--exemptions", exemptions)

    assert result.exit_code == 1
    assert "ended on 2020-01-01" in result.output


def test_policy_writes_each_format():
    """Every format is written; types are refused where they mean nothing."""
    for name in ("aws-tag-policy", "scp", "c7n-left", "tflint", "kyverno", "terraform-default-tags"):
        result = run("policy", "--format", name)
        assert result.exit_code == 0
        assert "cost_center" in result.output
    refused = run("policy", "--format", "tflint", "--resource-type", "ec2:instance")
    assert refused.exit_code == 2
    assert "takes no resource types" in refused.output
    refused = run("policy", "--format", "aws-tag-policy", "--resource-type", "instance")
    assert refused.exit_code == 2
    assert "'instance' is no resource type" in refused.output
    assert run("policy", "--format", "scp", "--environment", "live").output.count('"live"') == 1
