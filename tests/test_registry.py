"""The registry file: what it declares, what it refuses, and how it says so."""

from decimal import Decimal

import pytest

from tracked_inference.errors import AttributionError, ConfigurationError
from tracked_inference.registry import (
    Feature,
    FeatureRegistry,
    PrometheusSettings,
    locate,
    read,
    registry_in_force,
    team_of,
)

GOOD = """
[defaults]
service = "documents-api"
environment = "production"
cost_center = "cc-1042"

[features.document_summarisation]
team = "documents"
owner = "documents on call"
component = "summariser"
budget_usd = { month = 4000, day = 250.5 }
on_budget = "warn"
models = ["claude-sonnet-5-5"]

[features.search]
team = "discovery"
environment = "staging"
"""


@pytest.fixture
def written(tmp_path):
    def write(text, name="tracked-inference.toml"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


def problems_of(path):
    registry, problems = read(path)
    assert registry is None
    return [(one.line, one.what) for one in problems]


def test_a_feature_has_what_its_table_says_and_the_defaults_for_the_rest(written):
    """A table's own words win over the defaults; money is exact."""
    registry = FeatureRegistry.load(written(GOOD))

    assert registry.features["document_summarisation"] == Feature(
        name="document_summarisation",
        team="documents",
        owner="documents on call",
        service="documents-api",
        environment="production",
        component="summariser",
        cost_center="cc-1042",
        budget_usd={"month": Decimal(4000), "day": Decimal("250.5")},
        on_budget="warn",
        models=("claude-sonnet-5-5",),
    )
    assert registry.features["search"].environment == "staging"


def test_pyproject_may_hold_the_registry(written):
    """The same tables live under [tool.tracked-inference]."""
    path = written('[tool.tracked-inference.features.search]\nteam = "discovery"\n', "pyproject.toml")

    assert FeatureRegistry.load(path).features["search"].team == "discovery"


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ('[features.search]\nteam = "Discovery Team"\n', 2, "did you mean 'discovery_team'"),
        ("[features.search]\n", 1, 'add team = "…" to [features.search]'),
        ('[features.Search]\nteam = "discovery"\n', 1, "did you mean 'search'"),
        ('[features.search]\nteam = "discovery"\nbudget_usd = 4000\n', 3, "budget_usd = { month = 4000 }"),
        ('[features.search]\nteam = "discovery"\nbudget_usd = { year = 4000 }\n', 3, "use month or day"),
        ('[features.search]\nteam = "discovery"\nbudget_usd = { month = -1 }\n', 3, "above 0"),
        ('[features.search]\nteam = "discovery"\nbudget_usd = { month = nan }\n', 3, "above 0"),
        ('[features.search]\nteam = "discovery"\nbudget_usd = { month = inf }\n', 3, "above 0"),
        ('[features.search]\nteam = "discovery"\non_budget = "stop"\n', 3, "'none', 'warn' or 'refuse'"),
        ('[features.search]\nteam = "discovery"\nenvironment = "prod"\n', 3, "did you mean 'production'"),
        (
            '[defaults]\nenvironment = "prod"\n[features.search]\nteam = "discovery"\n',
            2,
            "did you mean 'production'",
        ),
        ('teams = ["discovery"]\n[features.search]\nteam = "discvery"\n', 3, "did you mean 'discovery'"),
        ('strict = true\n[feature.search]\nteam = "discovery"\n', 2, "did you mean 'features'"),
        (
            '[features.search]\nteam = "discovery"\n[features.search.budgets]\nmonth = 5\n',
            3,
            "'budgets' is not known",
        ),
        ('[features."sea.rch"]\nteam = "discovery"\n', 1, "did you mean 'sea_rch'"),
        ("[features.search\n", 1, "is not TOML"),
        ("features = 3\n", 1, "must be a table of tables"),
        ("strict = 1\n", 1, "true or false"),
    ],
)
def test_a_problem_has_its_line_and_its_mend(written, text, line, words):
    """What is wrong is said with the line and with how to mend it."""
    found = problems_of(written(text))

    assert len(found) == 1
    assert found[0][0] == line
    assert words in found[0][1]


def test_all_problems_are_told_at_once(written):
    """A file with three faults is read once, not three times."""
    found = problems_of(written('[features.search]\ntaem = "x"\n[features.chat]\nteam = "Chat"\n'))

    assert [line for line, _ in found] == [2, 1, 4]


def test_an_undeclared_feature_is_refused_with_the_nearest_names(written):
    """A typing error in a feature is found where the client is made."""
    registry = FeatureRegistry.load(written(GOOD))

    with pytest.raises(AttributionError, match="did you mean 'document_summarisation'"):
        team_of("document_sumarisation", None, registry)
    with pytest.raises(AttributionError, match=r"declare it: \[features.zzz\]"):
        team_of("zzz", None, registry)


def test_a_team_that_contradicts_the_registry_is_refused(written):
    """Two truths about who pays are an error, not a choice."""
    registry = FeatureRegistry.load(written(GOOD))

    with pytest.raises(AttributionError, match="declares feature 'search' for team 'discovery'"):
        team_of("search", "documents", registry)


def test_a_registry_that_is_not_strict_warns_and_lets_pass(written, caplog):
    """With strict = false an undeclared feature is tracked as itself."""
    registry = FeatureRegistry.load(written("strict = false\n" + GOOD))

    assert team_of("new_thing", "labs", registry) == "labs"
    assert "new_thing" in caplog.text


def test_the_file_is_found_upwards_and_by_variable(written, tmp_path, monkeypatch):
    """The nearest file above the working directory is used, unless the variable names another."""
    path = written(GOOD)
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    other = written('[features.other]\nteam = "others"\n', "elsewhere.toml")
    monkeypatch.delenv("TRACKED_INFERENCE_CONFIG", raising=False)

    assert locate(below) == path
    monkeypatch.chdir(below)
    assert "search" in registry_in_force().features
    monkeypatch.setenv("TRACKED_INFERENCE_CONFIG", str(other))
    assert list(registry_in_force().features) == ["other"]


@pytest.mark.parametrize(
    "text",
    [
        '[project]\nname = "search"\n',
        '[tool.tracked-inference-extras]\nteam = "discovery"\n',
        "# [tool.tracked-inference] is not used here\n",
    ],
)
def test_a_pyproject_of_something_else_is_not_the_registry(written, text):
    """A strict registry without features would refuse every client; named all the same, it is said to have no table."""
    path = written(text, "pyproject.toml")

    assert locate(path.parent) != path
    assert "has no table [tool.tracked-inference]" in problems_of(path)[0][1]


@pytest.mark.parametrize("text", ["tool = 3\n", "[tool]\ntracked-inference = 3\n"])
def test_a_pyproject_of_another_shape_is_said(written, text):
    """No table is no traceback."""
    assert "has no table" in problems_of(written(text, "pyproject.toml"))[0][1]


def test_the_table_of_pyproject_is_found_however_it_is_written(written):
    """Quotes and blanks are the writer's own; a problem still has its line."""
    path = written('[ tool . "tracked-inference" ]\nstrict = 1\n', "pyproject.toml")

    assert locate(path.parent) == path
    assert problems_of(path) == [(2, "strict must be true or false")]


def test_a_process_whose_directory_is_gone_has_no_registry(tmp_path, monkeypatch):
    """A client can still be made there."""
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()

    assert registry_in_force() is None
    assert FeatureRegistry.find() is None


def test_a_named_file_that_is_missing_is_an_error(tmp_path, monkeypatch):
    """A variable that points nowhere is a mistake to tell of, not a registry to do without."""
    monkeypatch.setenv("TRACKED_INFERENCE_CONFIG", str(tmp_path / "missing.toml"))

    with pytest.raises(ConfigurationError, match=r"missing\.toml: cannot be read"):
        registry_in_force()


def test_a_changed_file_is_read_again(written):
    """A registry edited while the process runs holds for the clients made after."""
    path = written(GOOD)
    before = registry_in_force(path)
    path.write_text(GOOD + '[features.chat]\nteam = "support"\n')

    assert "chat" not in before.features
    assert "chat" in registry_in_force(path).features


def test_prometheus_is_where_budgets_are_read(written):
    """Its table has defaults for all but the address."""
    registry = FeatureRegistry.load(
        written(
            GOOD
            + '[prometheus]\nurl = "https://mimir.example/prometheus"\nmatchers = \'env="p",job=~"a|b"\'\n'
        )
    )

    assert registry.prometheus == PrometheusSettings(
        "https://mimir.example/prometheus", 30.0, "allow", 'env="p",job=~"a|b"'
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[prometheus]\nurl = "prometheus:9090"\n', "must be like http://prometheus:9090"),
        ('[prometheus]\nurl = "http://user:s3cret@prometheus"\n', "TRACKED_INFERENCE_PROMETHEUS_URL"),
        ("[prometheus]\nrefresh_seconds = 0.5\n", "from 1 to 86400"),
        ("[prometheus]\nrefresh_seconds = true\n", "from 1 to 86400"),
        ("[prometheus]\nrefresh_seconds = nan\n", "from 1 to 86400"),
        ("[prometheus]\nrefresh_seconds = 1e400\n", "from 1 to 86400"),
        ('[prometheus]\nwhen_unreachable = "wait"\n', "'allow' or 'refuse'"),
        ("[prometheus]\nmatchers = 'production'\n", "must be label matchers"),
        ('[prometheus]\nmatchers = \'a="b"} or {c="d"\'\n', "must be label matchers"),
        ('[prometheus]\nurll = "http://x"\n', "did you mean 'url'"),
        ('[features.search]\nteam = "discovery"\non_budget = "refuse"\n', "without a budget"),
        ('[features.search]\nteam = "discovery"\non_budget = "warn"\nbudget_usd = {}\n', "without a budget"),
        ('[features.search]\nteam = "discovery"\nestimate = 5\n', "estimate must be text"),
        ('[features.search]\nteam = "discovery"\nowner = ["a"]\n', "owner must be text"),
    ],
)
def test_what_cannot_be_guarded_or_read_is_said(written, text, words):
    """With the line, and how to mend it; a password is not repeated."""
    found = problems_of(written(text))

    assert [number > 0 for number, _ in found] == [True]
    assert words in found[0][1]
    assert "s3cret" not in found[0][1]
