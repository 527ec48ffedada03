"""Reports from ledgers are exact, however the calls are grouped and in whatever files they are."""

from __future__ import annotations

import dataclasses
import gzip
import json
import os
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

pytest.importorskip("duckdb", reason="the extra `report` is not installed")


import structlog

from tests.reporting.month import DAYS, START, Truth, month
from tests.sinks.test_ledger_line import a_record
from tracked_inference.errors import ConfigurationError
from tracked_inference.pricing.cost import Cost, CostLine
from tracked_inference.reporting import database, rollup
from tracked_inference.reporting.figures import FIGURES, Figures, money
from tracked_inference.reporting.ledger_report import ledger_report
from tracked_inference.reporting.periods import Period, period_of
from tracked_inference.reporting.query import SUMS, dimensions_of
from tracked_inference.sinks.ledger import LedgerSink
from tracked_inference.sinks.log import LogSink, fields_of
from tracked_inference.usage import Pass, Usage

CALLS = 50_000
OCTOBER = Period(START, START + timedelta(days=DAYS))
DAY = Period(datetime(2026, 11, 22, tzinfo=UTC), datetime(2026, 11, 23, tzinfo=UTC))


@pytest.fixture(scope="module")
def generated(tmp_path_factory):
    """A month of 50,000 calls, written through the real sink, and what its generator knows of it."""
    directory, truth = tmp_path_factory.mktemp("month"), Truth()
    sink = LedgerSink(directory)
    for record in month(CALLS):
        truth.add(record)
        sink(record)
    sink.close()
    return directory, truth


@pytest.mark.parametrize("dimension", ["feature", "team", "model", "user", "day", "provider", "outcome"])
def test_a_month_sums_to_the_last_digit_by_every_dimension(generated, dimension):
    """Every row and the total are the generator's own truth, calls and dollars, with no digit lost."""
    directory, truth = generated

    report = ledger_report([directory], OCTOBER, (dimension,), compare=False)

    found = {row.key[0] or "": row.now for row in report.rows}
    assert {key: one.cost_usd for key, one in found.items() if one.cost_usd} == {
        value: cost for (name, value), cost in truth.cost.items() if name == dimension and cost
    }
    assert {key: one.calls for key, one in found.items()} == {
        key.partition("=")[2]: count for key, count in truth.calls.items() if key.startswith(f"{dimension}=")
    }
    assert (
        report.total.now.cost_usd == sum((one.cost_usd for one in found.values()), Decimal(0)) == truth.total
    )


def test_a_month_says_what_is_missing_and_what_was_saved_and_wasted(generated):
    """Calls without price or usage, tokens, users, retries, cut calls and cache savings are the generator's own."""
    directory, truth = generated

    total = ledger_report([directory], OCTOBER, (), compare=False).total.now

    assert (total.calls, total.unpriced_calls, total.unmeasured_calls) == (
        CALLS,
        truth.unpriced,
        truth.unmeasured,
    )
    assert total.priced_calls == CALLS - truth.unpriced - truth.unmeasured
    assert (total.cut_calls, total.retries, total.users) == (truth.cut, truth.retries, len(truth.users))
    assert total.output_tokens == truth.tokens["output"]
    assert total.input_tokens == sum(truth.tokens.values()) - truth.tokens["output"]
    assert total.cache_read_tokens == truth.tokens["cache_read"]
    assert total.cache_savings_usd == truth.cache_savings


def test_large_files_are_rolled_up_once_and_stay_exact(generated, tmp_path, monkeypatch):
    """Roll-ups change no digit, also when the file has grown since; nothing of them is readable for others."""
    directory, truth = generated
    ledger = tmp_path / "calls.jsonl"
    whole = b"".join(path.read_bytes() for path in sorted(directory.iterdir()))
    half = whole.index(b"\n", len(whole) // 2) + 1
    monkeypatch.setattr(database, "DIRECT_BYTES", 1)
    monkeypatch.setattr(database, "_LARGE_FILE_BYTES", 1)
    monkeypatch.setattr(rollup, "CHUNK_BYTES", 9_000_000)
    monkeypatch.setattr(rollup, "TAIL_BYTES", 5_000_000)
    ledger.write_bytes(whole[:half])
    first = ledger_report([ledger], OCTOBER, (), compare=False).total.now
    made = set(rollup.cache_directory().rglob("*.parquet"))
    with ledger.open("ab") as file:
        file.write(whole[half:])

    again = ledger_report([ledger], OCTOBER, (), compare=False).total.now

    assert 0 < first.calls < CALLS
    assert (again.calls, again.cost_usd, again.cache_savings_usd) == (CALLS, truth.total, truth.cache_savings)
    assert made
    assert made < set(rollup.cache_directory().rglob("*.parquet"))
    assert all(path.stat().st_mode & 0o077 == 0 for path in rollup.cache_directory().rglob("*"))


def test_a_rewritten_file_is_not_taken_for_its_roll_up(tmp_path, monkeypatch):
    """A roll-up counts only while the bytes before its end are the ones it was made of."""
    monkeypatch.setattr(database, "DIRECT_BYTES", 1)
    monkeypatch.setattr(database, "_LARGE_FILE_BYTES", 1)
    monkeypatch.setattr(rollup, "TAIL_BYTES", 1)
    ledger = tmp_path / "calls.jsonl"
    LedgerSink(ledger)(a_record(user="u_1"))
    assert ledger_report([ledger], DAY, ("user",), compare=False).rows[0].key == ("u_1",)
    text = ledger.read_text().replace("u_1", "u_2")
    ledger.write_text(text)

    report = ledger_report([ledger], DAY, ("user",), compare=False)

    assert [row.key for row in report.rows] == [("u_2",)]


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="no list of open files here")
def test_a_roll_up_leaves_no_file_open(tmp_path, monkeypatch):
    """A large ledger has hundreds of segments, and a process may hold about a thousand files open."""
    monkeypatch.setattr(database, "DIRECT_BYTES", 1)
    monkeypatch.setattr(database, "_LARGE_FILE_BYTES", 1)
    monkeypatch.setattr(rollup, "TAIL_BYTES", 1)
    LedgerSink(tmp_path / "calls.jsonl")(a_record())
    before = set(Path("/proc/self/fd").iterdir())

    ledger_report([tmp_path / "calls.jsonl"], DAY, compare=False)

    assert list(rollup.cache_directory().rglob("*.parquet"))
    assert set(Path("/proc/self/fd").iterdir()) == before


def test_only_the_files_of_the_days_are_opened(tmp_path):
    """Yesterday's report reads yesterday's file: another day's may be anything."""
    LedgerSink(tmp_path)(a_record())
    (tmp_path / "ledger-2026-11-01.jsonl").write_text("no ledger at all\n")

    report = ledger_report([tmp_path], DAY, compare=False)

    assert report.source == "1 file"
    assert report.total.now.calls == 1


def test_damaged_lines_are_counted_and_said(tmp_path):
    """A line that was cut costs itself and nothing else, and the report says so."""
    sink = LedgerSink(tmp_path / "calls.jsonl")
    sink(a_record())
    with (tmp_path / "calls.jsonl").open("ab") as file:
        file.write(b'{"schema":1,"started_at":"2026-11-22T0')
    sink(a_record())

    report = ledger_report([tmp_path], DAY, compare=False)

    assert report.total.now.calls == 2
    assert "1 damaged line was left out" in report.notes[0]


def test_rotated_files_come_along_with_the_first(tmp_path):
    """Naming `calls.jsonl` reads what followed it."""
    sink = LedgerSink(tmp_path / "calls.jsonl", max_bytes=1)
    for _ in range(3):
        sink(a_record())

    report = ledger_report([tmp_path / "calls.jsonl"], DAY, compare=False)

    assert report.total.now.calls == 3


def test_a_directory_that_may_not_be_looked_into_is_said(tmp_path, monkeypatch):
    """Its calls would be missing from the total without a word; a volume's `lost+found` has none."""
    LedgerSink(tmp_path / "mine")(a_record())
    for name in ("theirs", "lost+found"):
        (tmp_path / name).mkdir()
    scandir = os.scandir

    def guarded(place):
        if str(place).endswith(("theirs", "lost+found")):
            raise PermissionError(13, "Permission denied", str(place))
        return scandir(place)

    monkeypatch.setattr(os, "scandir", guarded)

    with pytest.raises(ConfigurationError, match="theirs: cannot be read: Permission denied"):
        ledger_report([tmp_path], DAY)
    (tmp_path / "theirs").rmdir()
    assert ledger_report([tmp_path], DAY).total.now.calls == 1


def test_a_file_that_is_named_twice_is_read_once(tmp_path):
    """A directory and a glob over it do not double the cost."""
    LedgerSink(tmp_path)(a_record())

    report = ledger_report(
        [tmp_path, str(tmp_path / "*.jsonl"), tmp_path / "ledger-2026-11-22.jsonl"], DAY, compare=False
    )

    assert report.total.now.cost_usd == Decimal("0.0105")


def test_compressed_ledgers_are_read(tmp_path):
    """Days that were gzipped still count."""
    LedgerSink(tmp_path)(a_record())
    plain = tmp_path / "ledger-2026-11-22.jsonl"
    with gzip.open(f"{plain}.gz", "wb") as packed:
        packed.write(plain.read_bytes())
    plain.unlink()

    report = ledger_report([tmp_path / "ledger-2026-11-22.jsonl.gz"], DAY, compare=False)

    assert report.total.now.cost_usd == Decimal("0.0105")


@pytest.mark.parametrize("keep", [20, -20])
def test_a_file_that_was_not_packed_to_its_end_is_said(tmp_path, keep):
    """Whether it breaks off at once or beyond what is looked at, a torn file is neither a traceback nor half a report."""
    packed = gzip.compress(os.urandom(3 << 20).hex().encode() + b"\n")
    (tmp_path / "ledger-2026-11-22.jsonl.gz").write_bytes(packed[:keep])

    with pytest.raises(ConfigurationError, match="cannot be read: "):
        ledger_report([tmp_path], DAY)


def test_ctrl_c_in_the_middle_of_a_query_is_ctrl_c():
    """DuckDB raises a RuntimeError of its own for it."""
    with pytest.raises(KeyboardInterrupt), database._plainly():
        raise RuntimeError("Query interrupted")


def test_a_ledger_and_a_log_beside_it_are_said_to_count_twice(tmp_path):
    """Every call is in both where both sinks are used."""
    LedgerSink(tmp_path / "calls.jsonl")(a_record())
    line = fields_of(a_record()) | {"event": "ai.inference.completed", "timestamp": "2026-11-22T12:00:01Z"}
    (tmp_path / "app.log").write_text(json.dumps(line) + "\n")

    both, one = ledger_report([tmp_path], DAY), ledger_report([tmp_path / "calls.jsonl"], DAY)

    assert "Read from ledger and log files: a call that is in both is counted twice." in both.notes
    assert not any("counted twice" in note for note in one.notes)


def test_parquet_made_of_a_ledger_is_read_exactly(tmp_path):
    """A ledger that was copied to Parquet with whatever types says the same."""
    duckdb = pytest.importorskip("duckdb")
    sink = LedgerSink(tmp_path / "calls.jsonl")
    for number in range(3):
        sink(a_record(user=f"u_{number}", tags={"tenant": "a"}))
    made = tmp_path / "calls.parquet"
    duckdb.sql(f"COPY (FROM read_json('{tmp_path}/calls.jsonl')) TO '{made}' (FORMAT parquet)")

    report = ledger_report([made], DAY, ("user",), compare=False)

    assert report.total.now.cost_usd == Decimal("0.0315")
    assert report.total.now.input_tokens == 3000
    assert len(report.rows) == 3


def test_log_lines_are_read_by_the_day_on_which_the_call_started(tmp_path):
    """A structlog JSON log does, to six places; other events are left out, and a call belongs to the day it started on."""
    lines = [
        {"event": "something.else", "timestamp": "2026-11-22T10:00:00Z", "estimated_cost_usd": 5},
        fields_of(a_record(duration_seconds=2.0))
        | {"event": "ai.inference.completed", "timestamp": "2026-11-23T00:00:01.000000Z"},
        fields_of(a_record()) | {"event": "ai.inference.failed", "timestamp": 1795348800.5},
        fields_of(a_record()) | {"event": "ai.inference.completed", "timestamp": "2026-11-24T00:00:00Z"},
    ]
    (tmp_path / "app.log").write_text(
        "".join(json.dumps(line) + "\n" for line in lines) + "Traceback: not JSON\n"
    )

    report = ledger_report([tmp_path / "app.log"], DAY, compare=False)

    assert datetime.fromtimestamp(1795348800.5, UTC).date().isoformat() == "2026-11-22"
    assert report.total.now.calls == 2
    assert report.total.now.cost_usd == Decimal("0.021")
    assert report.total.now.input_tokens == 2000
    assert any("six places" in note for note in report.notes)


@pytest.mark.parametrize("timestamp", [1e36, "NaN", "noon", None, {"at": 1}])
def test_a_log_line_without_a_time_is_damaged_and_spoils_no_other(tmp_path, timestamp):
    """One odd line of a log is no reason to report nothing; an odd latency takes nothing off the time."""
    good = fields_of(a_record()) | {"event": "ai.inference.completed", "timestamp": "2026-11-22T12:00:00Z"}
    lines = [good | {"timestamp": timestamp}, good | {"latency_seconds": 1e300}, good]
    (tmp_path / "app.log").write_text("".join(json.dumps(line) + "\n" for line in lines))

    report = ledger_report([tmp_path], DAY, compare=False)

    assert report.total.now.calls == 2
    assert "1 damaged line was left out" in report.notes[0]


def test_the_log_sink_through_structlog_is_a_source(tmp_path):
    """What our log sink writes through structlog's JSON renderer is read as it is, keys of the application's own and all."""
    with (tmp_path / "app.log").open("w") as file:
        logger = structlog.wrap_logger(
            structlog.PrintLogger(file),
            processors=[
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                structlog.processors.JSONRenderer(),
            ],
        ).bind(deployment="blue")
        LogSink(logger)(a_record(tags={"tenant": "a"}))
        LogSink(logger)(a_record(outcome="error", error_type="APIError"))

    report = ledger_report([tmp_path], period_of("24h"), ("tag:tenant",), compare=False)

    assert {row.key[0]: row.now.cost_usd for row in report.rows} == {
        "a": Decimal("0.0105"),
        None: Decimal("0.0105"),
    }
    assert report.total.now.failed_calls == 1
    assert report.total.now.output_tokens == 1000


def test_what_has_no_price_has_no_cost_and_is_said(tmp_path):
    """A group without any price is unknown and never zero; the total says that it is a floor."""
    sink = LedgerSink(tmp_path)
    sink(a_record())
    sink(a_record(model="house", cost=Cost("unpriced", None, None, "house", reasons=("unknown_model",))))
    sink(a_record(usage=None, cost=Cost("unmeasured", None, None, "claude-sonnet-4-5")))

    report = ledger_report([tmp_path], DAY, ("model",), compare=False)

    house = next(row.now for row in report.rows if row.key == ("house",))
    assert house.known_cost_usd is None
    assert house.cost_per_call_usd is None
    assert report.total.now.cost_usd == Decimal("0.0105")
    assert report.total.now.cost_per_call_usd == Decimal("0.0105")
    assert "1 call of models without a price, 1 call whose usage the vendor did not report" in report.notes[0]


def test_the_period_before_is_compared(tmp_path):
    """Twice the day before is +100 %; a row of a day has nothing to be compared with."""
    sink = LedgerSink(tmp_path)
    sink(a_record(started_at=datetime(2026, 11, 21, 12, tzinfo=UTC)))
    sink(a_record())
    sink(a_record())

    by_feature = ledger_report([tmp_path], DAY)
    by_day = ledger_report([tmp_path], DAY, ("day",))

    assert by_feature.rows[0].change == 1
    assert by_day.rows[0].change is None
    assert by_day.total.change == 1


def test_waste_counts_each_call_once(tmp_path):
    """Failed, cut and refused calls are counted apart; a refused call that was cut is cut."""
    sink = LedgerSink(tmp_path)
    refused = Usage((Pass({"input": 1000, "output": 500}, refusal="bio"),))
    sink(a_record(outcome="error", error_type="APIError", attempts=3))
    sink(a_record(outcome="cancelled"))
    sink(a_record(outcome="abandoned", usage=refused))
    sink(a_record(usage=refused))

    total = ledger_report([tmp_path], DAY, compare=False).total.now

    assert (total.failed_calls, total.cut_calls, total.refused_calls, total.retries) == (1, 2, 1, 2)
    assert total.waste_usd == 4 * Decimal("0.0105")


def test_cache_savings_need_the_input_rate_of_the_same_model_and_rules(tmp_path):
    """1,000 tokens read at a tenth of 3 USD a million save 0.0027; without an input line nobody knows, and it is counted."""
    read = CostLine("cache_read", 1000, Decimal("0.0000003"), Decimal("0.0003"), "m")
    fresh = CostLine("input", 10, Decimal("0.000003"), Decimal("0.00003"), "m")
    other = dataclasses.replace(fresh, rules=("long_context",), rate_usd=Decimal("0.000006"))
    usage = Usage((Pass({"cache_read": 1000}),))
    sink = LedgerSink(tmp_path)
    sink(a_record(usage=usage, cost=Cost("exact", Decimal("0.00033"), None, "m", (other, fresh, read))))
    sink(a_record(usage=usage, cost=Cost("exact", Decimal("0.0003"), None, "m", (read,))))

    total = ledger_report([tmp_path], DAY, compare=False).total.now

    assert total.cache_savings_usd == Decimal("0.0027")
    assert total.cache_unknown_calls == 1


def test_amounts_too_fine_for_the_sum_are_said(tmp_path):
    """An amount of more than 18 digits after the point is rounded there and not in silence."""
    LedgerSink(tmp_path)(a_record(cost=Cost("exact", Decimal("0.0000000000000000001"), None, "m")))

    report = ledger_report([tmp_path], DAY, compare=False)

    assert any("1 amount has more than 18 digits" in note for note in report.notes)


def test_calls_are_narrowed_down_by_dimension_and_tag(tmp_path):
    """Values are taken literally, quotes and all."""
    sink = LedgerSink(tmp_path)
    sink(a_record(user="o'brien", tags={"tenant": "a"}))
    sink(a_record(user="other", tags={"tenant": "b"}))

    by_user = ledger_report([tmp_path], DAY, only={"user": ["o'brien"]}, compare=False)
    by_tag = ledger_report([tmp_path], DAY, ("tag:tenant",), only={"tag:tenant": ["b"]}, compare=False)

    assert by_user.total.now.calls == 1
    assert [(row.key, row.now.calls) for row in by_tag.rows] == [(("b",), 1)]


def test_an_empty_period_is_zero_and_no_error(tmp_path):
    """Nothing happened: no rows, nothing in the total."""
    LedgerSink(tmp_path)(a_record())

    report = ledger_report([tmp_path], period_of("2026-01-01", "2026-01-01"))

    assert report.rows == ()
    assert report.total.now == Figures()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "no ledger there"),
        (lambda path: (path / "x.jsonl").write_text("words\n"), "neither a ledger nor a log"),
        (lambda path: (path / "x.jsonl").write_text('{"schema":9,"started_at":"","cost":{}}\n'), "schema 9"),
        (lambda path: (path / "x.parquet").write_text("words"), "cannot be read as Parquet"),
    ],
)
def test_wrong_sources_are_said_by_name(tmp_path, make, message):
    """What is no source is named, with what to do about it."""
    make(tmp_path)
    place = next(tmp_path.iterdir(), tmp_path / "nowhere")

    with pytest.raises(ConfigurationError, match=message) as caught:
        ledger_report([place], DAY)

    assert str(place) in str(caught.value)


def test_a_dimension_that_there_is_not_is_said():
    """The message lists those that there are."""
    with pytest.raises(ConfigurationError, match="'customer': say one of feature, team, user"):
        dimensions_of("feature,customer")


def test_the_sums_of_the_query_are_the_figures():
    """SQL and figures have the same names in the same order."""
    assert tuple(SUMS) == FIGURES


def test_without_duckdb_the_extra_is_named(tmp_path, monkeypatch):
    """A missing DuckDB is said with the command that installs it."""
    import sys

    monkeypatch.setitem(sys.modules, "duckdb", None)

    with pytest.raises(ConfigurationError, match=r"pip install 'tracked-inference\[report\]'"):
        ledger_report([tmp_path], DAY)


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("1234.5", "1,234.50"),
        ("0", "0.00"),
        ("0.0421", "0.0421"),
        ("0.00000375", "0.00000375"),
        ("-0.5", "-0.500"),
        ("0.999", "0.999"),
    ],
)
def test_money_shows_the_digits_that_say_something(amount, text):
    """Cents for dollars, three digits for parts of a cent."""
    assert money(Decimal(amount)) == text
