"""`tracked-inference estimate`: what it prints, and with which status it ends."""

import json

import pytest

pytest.importorskip("click", reason="click is not installed: pip install 'tracked-inference[cli]'")
pytest.importorskip("rich", reason="rich is not installed: pip install 'tracked-inference[cli]'")

from click.testing import CliRunner

from tracked_inference.cli.estimate import command

SEED = ["--feature", "document_summarisation", "--users", "10_000", "--requests", "3", "--input-tokens", "8000",
        "--output-tokens", "500", "--model", "claude-sonnet-4-5"]  # fmt: skip
FILE = """
[feature]
name = "document_summarisation"
[traffic]
monthly_users = 10_000
requests_per_user_per_day = 3
[shape]
models = "claude-sonnet-4-5"
input_tokens = 8_000
output_tokens = 500
[compare]
models = ["claude-haiku-4-5"]
"""


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TRACKED_INFERENCE_CONFIG", raising=False)
    monkeypatch.delenv("TRACKED_INFERENCE_PRICES", raising=False)

    def invoke(*arguments):
        return CliRunner().invoke(command, [*map(str, arguments)])

    return invoke


def test_flags_are_enough(run):
    """The month of the article, its year, and ten times its users."""
    found = run(*SEED)

    assert found.exit_code == 0
    for words in (
        "a month            $28,350.00",
        "$340,200.00",
        "10x the users  $283,500.00",
        "+$2,700.00",
        "price table",
    ):
        assert words in found.output


def test_over_budget_is_status_1_and_says_by_how_much(run):
    """$28,350 against $5,000."""
    found = run(*SEED, "--budget", 5000)

    assert found.exit_code == 1
    assert (
        "OVER BUDGET: $28,350.00 expected is $23,350.00 over the budget of $5,000.00 a month (--budget)"
        in found.output
    )


def test_within_budget_is_status_0(run):
    """To the cent is within."""
    found = run(*SEED, "--budget", 28350)

    assert (found.exit_code, "within budget" in found.output) == (0, True)


def test_the_high_end_may_be_what_the_budget_must_hold(run):
    """The same estimate passes as expected and fails at its high end."""
    arguments = [*SEED, "--input-tokens", "4000:8000:20000", "--budget", 30_000]

    assert run(*arguments).exit_code == 0
    assert run(*arguments, "--budget-against", "high").exit_code == 1


def test_json_is_exact_and_whole(run):
    """Amounts are text, ranges have their ends, the table is named."""
    found = json.loads(run(*SEED, "--json", "--budget", 30_000, "--compare", "claude-haiku-4-5").output)

    assert found["per_month_usd"] == {"low": "28350", "expected": "28350", "high": "28350"}
    assert found["per_call_usd"]["expected"] == "0.0315"
    assert found["compared"][0]["per_month_usd"]["expected"] == "9450"
    assert found["sensitivity"][3] == {"change": "+1,000 input tokens", "per_month_usd": "2700"}
    assert found["budget"] == {
        "usd": "30000",
        "against": "expected",
        "source": "--budget",
        "over": False,
        "over_usd": "0",
    }
    assert len(found["price_table_sha256"]) == 64


def test_markdown_is_tables(run):
    """For a comment on a change."""
    found = run(*SEED, "--format", "markdown", "--budget", 5000).output

    assert "## What document_summarisation costs" in found
    assert "| a month | $28,350.00 |" in found
    assert "**OVER BUDGET" in found


def test_a_plan_is_toml_that_names_the_month(run):
    """To be kept, and set beside what came of it."""
    import tomllib

    found = tomllib.loads(run(*SEED, "--format", "plan").output)

    assert found == {"plan": {"document_summarisation": {"month_usd": "28350.00"}}}


def test_a_file_is_enough_and_flags_win(run, tmp_path):
    """The file's model is compared with another; a flag asks what if."""
    (tmp_path / "estimate.toml").write_text(FILE)

    plain = run("estimate.toml")
    fewer = json.loads(run("estimate.toml", "--daily-share", "0.2", "--json").output)

    assert "claude-haiku-4-5" in plain.output
    assert fewer["per_month_usd"]["expected"] == "5670"


def test_a_declared_feature_brings_its_file_and_its_budget(run, tmp_path):
    """The budget that was set when the feature was born is the one that CI holds it to."""
    (tmp_path / "estimate.toml").write_text(FILE)
    (tmp_path / "tracked-inference.toml").write_text(
        '[features.document_summarisation]\nteam = "documents"\nbudget_usd = { month = 4000 }\nestimate = "estimate.toml"\n'
    )

    found = run("--feature", "document_summarisation")

    assert found.exit_code == 1
    assert "What document_summarisation (documents) costs" in found.output
    assert "over the budget of $4,000.00 a month (the registry file)" in found.output


def test_a_feature_that_the_registry_does_not_declare_is_said(run, tmp_path):
    """A typing error would else be an estimate without the budget that CI holds it to."""
    (tmp_path / "tracked-inference.toml").write_text(
        '[features.document_summarisation]\nteam = "documents"\nbudget_usd = { month = 4000 }\n'
    )

    found = run("--feature", "document_sumarisation", *SEED[2:])

    assert found.exit_code == 0
    assert "is not declared in" in found.stderr
    assert "did you mean 'document_summarisation'" in found.stderr


def test_measured_tokens_replace_the_assumed_ones(run, tmp_path):
    """The ledger's yesterday: 10 calls of 1,000 and 100 tokens a day are $1.35 a month."""
    from datetime import UTC, datetime, timedelta

    from tests.planning.test_measured_ledger import line

    yesterday = (datetime.now(UTC) - timedelta(days=1)).strftime("%Y-%m-%dT10:00:00.000000Z")
    (tmp_path / "calls.jsonl").write_text(line(1, started_at=yesterday) * 10)

    found = run("--from-ledger", "calls.jsonl", "--feature", "document_summarisation")

    assert found.exit_code == 0
    assert "$1.35" in found.output
    assert "input tokens: p50 1,000, mean 1,000, p95 1,000 (of calls)" in found.output


def test_a_measured_model_without_a_price_says_how_to_go_on(run, tmp_path):
    """It is in the ledger and not on the command line, where the reader would look for it."""
    from datetime import UTC, datetime, timedelta

    from tests.planning.test_measured_ledger import line

    yesterday = (datetime.now(UTC) - timedelta(days=1)).strftime("%Y-%m-%dT10:00:00.000000Z")
    (tmp_path / "calls.jsonl").write_text(line(1, started_at=yesterday, model="house-1"))
    arguments = ("--from-ledger", "calls.jsonl", "--feature", "document_summarisation")

    found = run(*arguments)

    assert found.exit_code == 2
    assert "no price for model 'house-1'" in found.output
    assert "answered some of the measured calls: give its price, or say --model or --mix" in found.output
    assert run(*arguments, "--model", "gpt-5").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "needs a model ([shape] models, --model)"),
        ([*SEED, "--users", "10,000"], "must be a number like 8000 or 8_000"),
        ([*SEED, "--users", "many"], "is not a number"),
        ([*SEED, "--model", "claude-sonet-4-5"], "did you mean claude-sonnet-4-5"),
        ([*SEED, "--mix", "gpt-5=0.2"], "give one of them"),
        (["--mix", "gpt-5"], "write MODEL=SHARE"),
        (["--mix", "gpt-5=much"], "is not a number"),
        ([*SEED, "--daily-share", "20"], "20 per cent is 0.2"),
        ([*SEED, "--budget", "1:2:3"], "take one number"),
        ([*SEED, "--users", "1e16"], "monthly_users=1E+16 is more than 10^15"),
        ([*SEED, "--growth", "1e99999"], "is more than 10^15"),
        ([*SEED, "--scale", "1e99999"], "is more than 10^15"),
        ([*SEED, "--users", "nan"], "monthly_users=NaN must be a finite number"),
        ([*SEED, "--users", "3:2:1"], "monthly_users=3:2:1 must rise"),
        ([*SEED, "--from-ledger", "nowhere"], "no ledger there"),
        ([*SEED, "--from-ledger", "a", "--from-prometheus", "b"], "give one of them"),
        ([*SEED, "--from-prometheus", "prometheus:9090"], "must be like http://prometheus:9090"),
        (["none.toml"], "cannot be read"),
    ],
)
def test_bad_input_is_status_2_and_says_how_to_mend_it(run, arguments, words):
    """Never a traceback."""
    found = run(*arguments)

    assert found.exit_code == 2
    assert words in " ".join(found.output.split())


def test_the_largest_numbers_that_are_taken_are_printed_whole(run):
    """10^15 users with 10^15 requests of 10^15 tokens, growing by 10^15: no digit and no traceback; JSON and text."""
    largest = ["--model", "claude-sonnet-4-5", "--retry-rate", "1e15", "--growth", "1e15"]
    for option in ("--users", "--requests", "--input-tokens", "--output-tokens"):
        largest += [option, "1e15"]

    found = run(*largest, "--json")

    assert found.exit_code == 0
    # 10^15 users x 10^15 requests x 30 days x (1 + 10^15) x (10^15 x $0.000006 + 10^15 x $0.0000225), both long-context rates
    assert json.loads(found.output)["calls_per_month"]["expected"] == "30000000000000030" + "0" * 30
    assert run(*largest).exit_code == run(*largest, "--format", "plan").exit_code == 0


def test_a_store_that_does_not_answer_is_status_3(run):
    """Nothing was estimated, and nothing is wrong with the input: CI may try again."""
    found = run(*SEED, "--from-prometheus", "http://127.0.0.1:9")

    assert (found.exit_code, "cannot be reached" in found.output) == (3, True)
