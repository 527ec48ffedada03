"""`tracked-inference report`: one command answers what something cost, in every form, and wrong input is one line."""

from __future__ import annotations

import calendar
import csv
import io
import json
import os
import pty
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

pytest.importorskip("duckdb", reason="the extra `report` is not installed")
pytest.importorskip("click", reason="the extra `cli` is not installed")

from click.testing import CliRunner

from tests.sinks.test_ledger_line import a_record
from tracked_inference.cli._common import LEDGER_VARIABLE
from tracked_inference.cli.report import command
from tracked_inference.pricing.cost import Cost
from tracked_inference.sinks.ledger import LedgerSink

ROOT = Path(__file__).parents[2]


@pytest.fixture
def ledger(tmp_path):
    """Yesterday: two calls of a search and one of a summary, 0.0105 each, and one that nobody can price."""
    noon = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=1)
    sink = LedgerSink(tmp_path / "ledger")
    sink(a_record(started_at=noon, feature="document_summarisation"))
    sink(a_record(started_at=noon, user="u_2"))
    sink(a_record(started_at=noon, user=None, team="platform"))
    sink(a_record(started_at=noon, model="house", cost=Cost("unpriced", None, None, "house")))
    sink(a_record(started_at=noon - timedelta(days=1), feature="document_summarisation"))
    return tmp_path / "ledger"


def run(*arguments, **more):
    return CliRunner().invoke(command, [str(one) for one in arguments], **more)


def test_what_did_document_summarisation_cost_yesterday(ledger):
    """One command and no other words than the question's; the day before is compared."""
    result = run(ledger, "--since", "yesterday", "--feature", "document_summarisation")

    assert result.exit_code == 0
    assert "0.0105" in result.stdout
    assert "+0.0%" in result.stdout
    assert "feature=document_summarisation" in result.stdout


def test_yesterday_by_feature_is_what_is_asked_without_words(ledger):
    """Without options: yesterday, by feature, from the ledger that the variable names."""
    result = run(env={LEDGER_VARIABLE: str(ledger)})

    assert result.exit_code == 0
    assert "document_summarisation" in result.stdout
    assert "search" in result.stdout


def test_json_has_exact_amounts_and_everything(ledger):
    """Amounts are text without a digit lost; what has no price is null and not zero."""
    found = json.loads(run(ledger, "--by", "model,user", "--json").stdout)

    assert found["by"] == ["model", "user"]
    assert found["total"]["cost_usd"] == "0.0315"
    assert found["total"]["unpriced_calls"] == 1
    house = next(row for row in found["rows"] if row["model"] == "house")
    assert house["cost_usd"] is None
    assert next(row for row in found["rows"] if row["user"] is None)["cost_usd"] == "0.0105"


def test_csv_sums_to_its_last_row(ledger):
    """A reader of the CSV adds up the rows and gets the total."""
    rows = list(csv.DictReader(io.StringIO(run(ledger, "--by", "team,user", "--format", "csv").stdout)))

    assert (
        sum(Decimal(row["cost_usd"] or 0) for row in rows[:-1])
        == Decimal(rows[-1]["cost_usd"])
        == Decimal("0.0315")
    )
    assert rows[-1]["team"] == "total"


@pytest.mark.parametrize("user", ["=1+1", "+49 30", "-2", "@SUM(A1)", "\t=1"])
def test_csv_runs_nothing_in_a_spreadsheet(tmp_path, user):
    """A user id comes from outside."""
    LedgerSink(tmp_path)(a_record(user=user))
    period = ("--since", "2026-11-22", "--until", "2026-11-22", "--by", "user")

    (row, _) = csv.DictReader(io.StringIO(run(tmp_path, *period, "--format", "csv").stdout))
    found = json.loads(run(tmp_path, *period, "--json").stdout)

    assert row["user"] == f"'{user}"
    assert found["rows"][0]["user"] == user


def test_markdown_is_a_table(ledger):
    """Markdown for a pull request: a heading, a table, the notes."""
    text = run(ledger, "--format", "markdown").stdout

    assert "| feature | cost USD | change | calls | no price | no usage |" in text
    assert "- The true cost is higher than the total: 1 call of models without a price." in text


def test_the_page_is_written(ledger, tmp_path):
    """`--html` writes the page and prints the table as ever."""
    result = run(ledger, "--by", "day,feature", "--html", tmp_path / "page.html")

    assert result.exit_code == 0
    assert (tmp_path / "page.html").read_text().startswith("<!doctype html>")
    assert "document_summarisation" in result.stdout


def test_planned_stands_beside_actual(ledger, tmp_path):
    """A plan of 1 dollar a month for a day is a thirtieth or so; above it --fail-over-plan exits 1."""
    plan = tmp_path / "plan.toml"
    plan.write_text(
        '[plan]\ndocument_summarisation = { month_usd = "0.000001" }\nsearch = { month_usd = "100" }\nunborn = { month_usd = 5 }\n'
    )

    result = run(ledger, "--against", plan, "--json")
    strict = run(ledger, "--against", plan, "--fail-over-plan")

    found = json.loads(result.stdout)
    summary = next(row for row in found["rows"] if row["feature"] == "document_summarisation")
    assert Decimal("0.00000003") < Decimal(summary["planned_usd"]) < Decimal("0.00000004")
    assert "Planned and not called: unborn." in found["notes"]
    assert result.exit_code == 0
    assert strict.exit_code == 1
    assert "document_summarisation: above its plan" in strict.stderr


def test_the_registry_file_is_a_plan(ledger, tmp_path):
    """Budgets that were written down when a feature was born are what it is held against."""
    plan = tmp_path / "tracked-inference.toml"
    plan.write_text('[features.search]\nteam = "documents"\nbudget_usd = { month = 4000 }\n')

    found = json.loads(run(ledger, "--against", plan, "--json").stdout)

    assert next(row for row in found["rows"] if row["feature"] == "search")["planned_usd"].startswith("1")
    assert "Called and not planned: document_summarisation." in found["notes"]


def test_the_estimate_beside_the_feature_is_a_plan(ledger, tmp_path):
    """10,000 users, 3 requests a day, 8,000 in and 500 out at 3 and 15 dollars: 28,350 a month, and a day's share of it."""
    plan = tmp_path / "estimate.toml"
    plan.write_text(
        '[feature]\nname = "document_summarisation"\nteam = "documents"\n'
        "[traffic]\nmonthly_users = 10_000\ndaily_share = 1\nrequests_per_user_per_day = 3\n"
        '[shape]\nmodels = "claude-sonnet-4-5"\ninput_tokens = 8_000\noutput_tokens = 500\n'
    )
    yesterday = datetime.now(UTC) - timedelta(days=1)
    days = calendar.monthrange(yesterday.year, yesterday.month)[1]

    found = json.loads(run(ledger, "--against", plan, "--json").stdout)

    row = next(row for row in found["rows"] if row["feature"] == "document_summarisation")
    assert float(row["planned_usd"]) == pytest.approx(28_350 / days)


def test_a_team_is_held_against_its_own_features(ledger, tmp_path):
    """Of a plan of 31 dollars a feature and month, the platform team's one feature is planned, and no other one named."""
    plan = tmp_path / "plan.toml"
    plan.write_text("[plan]\nsearch = 31\ndocument_summarisation = 31\nunborn = 31\n")

    found = json.loads(run(ledger, "--against", plan, "--team", "platform", "--json").stdout)

    assert [row["feature"] for row in found["rows"]] == ["search"]
    assert found["total"]["planned_usd"] == found["rows"][0]["planned_usd"]
    assert not any("not called" in note for note in found["notes"])


@pytest.mark.parametrize("narrow", [("--model", "house"), ("--user", "u_2"), ("--where", "outcome=ok")])
def test_a_plan_is_no_measure_of_a_part_of_a_feature(ledger, tmp_path, narrow):
    """The calls of one model are less than the feature was planned with."""
    plan = tmp_path / "plan.toml"
    plan.write_text("[plan]\nsearch = 31\n")

    result = run(ledger, "--against", plan, *narrow)

    assert (result.exit_code, "a plan is of whole features" in result.stderr) == (2, True)


@pytest.mark.parametrize(
    "text",
    ["plan = 3", "features = [1]", "[features.a]\nbudget_usd = 4000", "features.a = 3", "tool = 3", "[tool]\ntracked-inference = 3"],
)  # fmt: skip
def test_a_plan_of_another_shape_is_said(ledger, tmp_path, text):
    """Never a traceback."""
    plan = tmp_path / "plan.toml"
    plan.write_text(text)

    result = run(ledger, "--against", plan)

    assert (result.exit_code, f"{plan}: " in result.stderr, "must be a table" in result.stderr) == (
        2,
        True,
        True,
    )


def test_a_limit_shows_fewer_rows_and_the_same_total(ledger):
    """What is not shown is counted, and the total is that of all."""
    found = json.loads(run(ledger, "--limit", "1", "--json").stdout)

    assert len(found["rows"]) == 1
    assert found["rows_left_out"] == 1
    assert found["total"]["calls"] == 4


def test_calls_are_narrowed_down(ledger):
    """`--where` takes any dimension, `--team` and its like are shorter words for the same."""
    by_where = json.loads(run(ledger, "--where", "team=platform", "--json").stdout)
    by_team = json.loads(run(ledger, "--team", "platform", "--json").stdout)

    assert by_where["total"] == by_team["total"]
    assert by_team["total"]["calls"] == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nowhere",), "nowhere: no ledger there"),
        (("LEDGER", "--by", "customer"), "'customer'"),
        (("LEDGER", "--since", "soon"), "'soon' is no time"),
        (("LEDGER", "--since", "today", "--until", "yesterday"), "ends before it begins"),
        (("LEDGER", "--where", "team"), "DIMENSION=VALUE"),
        (("LEDGER", "--limit", "0"), "shows nothing"),
        (("LEDGER", "--against", "nowhere.toml"), "nowhere.toml"),
        (("LEDGER", "--fail-over-plan"), "needs --against"),
        (("LEDGER", "--html", "no/such/place.html"), "cannot be written"),
        (("LEDGER", "--prometheus", "http://127.0.0.1:1"), "not both"),
        (("--prometheus", "localhost:9090"), "must be like http://prometheus:9090"),
        (("--prometheus", "http://127.0.0.1:1", "--by", "user"), "ask a ledger"),
        ((), "no ledger is named"),
    ],
)
def test_wrong_input_is_one_line_and_exit_code_2(ledger, arguments, message):
    """What is wrong and how to mend it; never a traceback."""
    result = run(*(ledger if one == "LEDGER" else one for one in arguments), env={LEDGER_VARIABLE: None})

    assert result.exit_code == 2, result.output
    assert message in result.output
    assert "Traceback" not in result.output


def test_a_prometheus_that_is_not_there_exits_3():
    """Nobody answers: incomplete, and not a report of zeros."""
    result = run("--prometheus", "http://127.0.0.1:1")

    assert result.exit_code == 3
    assert "cannot be reached" in result.stderr


SCRIPT = """
import sys
from rich.progress import Progress
from tracked_inference.cli import _common
_common._SHOW_AFTER_SECONDS = 0
started = Progress.start
told = __import__("threading").Event()
Progress.start = lambda bar: (started(bar), told.set())
with _common.progress_of("reading") as progress:
    if progress is not None:
        assert told.wait(60)  # it shows although nothing has been told yet
        for done in range(1, 6):
            progress(done, 5)
    print("rows", flush=True)
"""


def test_progress_is_shown_on_a_terminal_and_not_in_a_pipe():
    """A pipe gets what was asked for and nothing else, also while the bar is on the terminal beside it."""
    piped = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, cwd=ROOT, check=True, timeout=60
    )
    ours, theirs = pty.openpty()
    beside = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        stdout=subprocess.PIPE,
        stderr=theirs,
        cwd=ROOT,
        env=os.environ | {"TERM": "xterm"},
        text=True,
        check=True,
        timeout=60,
    )
    os.close(theirs)
    shown = os.read(ours, 65_536)
    os.close(ours)

    assert (piped.stdout, piped.stderr) == ("rows\n", "")
    assert beside.stdout == "rows\n"
    assert b"reading" in shown
