"""`tracked-inference features`: the registry file in CI."""

import json

import pytest

pytest.importorskip("click", reason="click is not installed: pip install 'tracked-inference[cli]'")
pytest.importorskip("rich", reason="rich is not installed: pip install 'tracked-inference[cli]'")

from click.testing import CliRunner

from tracked_inference.cli.features import command

GOOD = """
[features.document_summarisation]
team = "documents"
owner = "documents on call"
budget_usd = { month = 4000.50 }
on_budget = "refuse"
models = ["claude-sonnet-5-5"]

[features.search]
team = "discovery"
"""
BAD = '[features.search]\nteam = "Discovery Team"\nbugdet_usd = { month = 5 }\n'


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TRACKED_INFERENCE_CONFIG", raising=False)

    def invoke(*arguments):
        return CliRunner().invoke(command, [*map(str, arguments)])

    return invoke


@pytest.fixture
def registry(tmp_path):
    def write(text, name="tracked-inference.toml"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


def test_a_right_file_is_found_from_here_and_is_status_0(run, registry):
    """CI needs no argument."""
    registry(GOOD)

    found = run("check")

    assert (found.exit_code, "2 features, no problems" in found.output) == (0, True)


def test_every_problem_is_said_with_file_line_and_mend_and_is_status_1(run, registry):
    """All of them at once, so that one run is enough."""
    path = registry(BAD)

    found = run("check", path)

    assert found.exit_code == 1
    assert f"{path}:2: team='Discovery Team'" in found.output
    assert "did you mean 'discovery_team'?" in found.output
    assert f"{path}:3: the key 'bugdet_usd' is not known here; did you mean 'budget_usd'?" in found.output


def test_problems_as_json(run, registry):
    """For an annotation on a change."""
    path = registry(BAD)

    found = run("check", path, "--json")

    assert found.exit_code == 1
    assert [(one["path"], one["line"]) for one in json.loads(found.output)["problems"]] == [
        (str(path), 3),
        (str(path), 2),
    ]


def test_what_may_be_a_typing_error_is_noted_and_is_status_0(run, registry, tmp_path):
    """A model without a price and an estimate that is not there; a model that has one, and a file that is, are no notes."""
    (tmp_path / "estimate.toml").touch()
    registry(
        '[features.search]\nteam = "discovery"\nmodels = ["claude-sonet-4-5", "local/llama"]\nestimate = "nowhere.toml"\n'
        '[features.chat]\nteam = "support"\nmodels = ["gpt-5"]\nestimate = "estimate.toml"\n'
    )

    text, found = run("check"), run("check", "--json")

    first, second = json.loads(found.output)["notes"]
    assert (text.exit_code, found.exit_code) == (0, 0)
    assert first.startswith("features.search: no price for model 'claude-sonet-4-5'")
    assert "did you mean claude-sonnet-4-5" in first
    assert second == "features.search: the estimate nowhere.toml is not there"
    assert text.stderr == f"Note: {first}\nNote: {second}\n"


def test_no_file_is_status_2(run):
    """The message names what was looked for."""
    found = run("check")

    assert (found.exit_code, "no tracked-inference.toml" in found.output) == (2, True)


def test_what_cannot_be_read_is_status_2(run, tmp_path):
    """It was not checked, so it neither passed nor failed."""
    path = tmp_path / "registry.toml"
    path.write_bytes(b"\xff\xfe\x00[")

    found = run("check", path)

    assert (found.exit_code, "is not UTF-8 text" in found.output) == (2, True)


def test_the_variable_names_the_file(run, registry, monkeypatch):
    """As it does for clients."""
    monkeypatch.setenv("TRACKED_INFERENCE_CONFIG", str(registry(GOOD, "elsewhere.toml")))

    assert "elsewhere.toml: 2 features" in run("check").output


def test_the_list_has_teams_budgets_and_what_happens_when_they_are_spent(run, registry):
    """By team, then feature."""
    registry(GOOD)

    found = run("list").output

    assert found.index("search") < found.index("document_summarisation")
    assert "$4,000.50 a month" in found
    assert "refuse" in found


def test_brackets_in_a_name_are_shown_and_not_obeyed(run, registry):
    """Rich would take them for markup, and a closing one for a fault."""
    registry('[features.search]\nteam = "discovery"\nmodels = ["[/]", "[red]house"]\n')

    found = run("list")

    assert (found.exit_code, "[/], [red]house" in found.output) == (0, True)


def test_the_list_as_json_is_exact(run, registry):
    """Budgets are text, so that no reader rounds them."""
    registry(GOOD)

    first = json.loads(run("list", "--json").output)["features"][0]

    assert first["budget_usd"] == {"month": "4000.50"}
    assert (first["name"], first["team"], first["on_budget"]) == (
        "document_summarisation",
        "documents",
        "refuse",
    )


def test_a_wrong_file_cannot_be_listed_and_is_no_traceback(run, registry):
    """It is bad input: status 2, with the same words as `check`."""
    registry(BAD)

    found = run("list")

    assert (found.exit_code, "did you mean 'discovery_team'?" in found.output) == (2, True)
