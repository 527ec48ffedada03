"""Estimates from what a ledger recorded."""

import gzip
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from tests.planning.tables import AT, bundled
from tracked_inference.errors import ConfigurationError
from tracked_inference.planning.estimate_file import scenario_of
from tracked_inference.planning.measured import Distribution, spread
from tracked_inference.planning.measured_ledger import from_ledger
from tracked_inference.record import CallRecord
from tracked_inference.sinks.ledger import LedgerSink
from tracked_inference.usage import Pass, Usage

NOW = datetime(2026, 11, 23, 15, tzinfo=UTC)
NOON_BEFORE = datetime(2026, 11, 22, 12, tzinfo=UTC)


def line(day, tokens_in=1000, tokens_out=100, **changes):
    """A line of the ledger, with the fields that are read here and some that are not."""
    record = {
        "schema": 1,
        "started_at": f"2026-11-{day:02}T10:00:00.000000Z",
        "feature": "document_summarisation",
        "team": "documents",
        "user": None,
        "operation": "messages",
        "model": "claude-sonnet-4-5",
        "outcome": "ok",
        "tokens": {"input": tokens_in, "output": tokens_out},
        "cost": {"status": "exact", "total_usd": "0.0045", "reasons": []},
        "usage": {"passes": []},
    }
    return json.dumps({**record, **changes}) + "\n"


@pytest.fixture
def ledger(tmp_path):
    def write(*lines, name="calls.jsonl"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("".join(lines))
        return str(tmp_path)

    return write


def test_tokens_and_traffic_are_p50_mean_and_p95(ledger):
    """18 calls of 1,000 tokens and 2 of 10,000, on the 21st and 22nd: mean 1,900; 10 calls a day."""
    where = ledger(*[line(21 + number % 2) for number in range(18)], line(21, 10_000), line(22, 10_000))

    found = from_ledger(where, "document_summarisation", now=NOW)

    assert found.input_tokens == Distribution(Decimal(1000), Decimal(1900), Decimal(10_000))
    assert found.requests_per_day == Distribution(Decimal(10), Decimal(10), Decimal(10))
    assert (found.calls, str(found.first_day), str(found.last_day)) == (20, "2026-11-21", "2026-11-22")


def test_only_whole_days_count_and_silent_days_between_them_do(ledger):
    """Today is not over, and a day without a call is a day of the month too."""
    where = ledger(line(19), line(19), line(22), line(23))

    found = from_ledger(where, "document_summarisation", now=NOW)

    # the 19th to the 22nd: 2, 0, 0, 1
    assert (found.calls, found.requests_per_day.mean) == (3, Decimal("0.75"))


def test_shares_models_and_users_are_measured(ledger):
    """Of 4,000 input tokens 2,000 were read from a cache and 1,000 written; one call in four came from a batch."""
    where = ledger(
        line(
            22, tokens={"input": 1000, "cache_read": 2000, "cache_write_5m": 1000, "output": 400}, user="u_1"
        ),
        line(22, 0, 0, user="u_2", model="claude-haiku-4-5"),
        line(22, 0, 0, user="u_1", operation="messages.batch"),
        line(22, 0, 0),
    )

    found = from_ledger(where, "document_summarisation", now=NOW)

    assert (found.cached_share, found.cache_write_share, found.batch_share) == (
        Decimal("0.5"),
        Decimal("0.25"),
        Decimal("0.25"),
    )
    assert found.models == {"claude-sonnet-4-5": Decimal("0.75"), "claude-haiku-4-5": Decimal("0.25")}
    assert found.users == 2


def test_calls_that_were_not_billed_do_not_count_and_unmeasured_ones_do(ledger):
    """An error of the vendor costs nothing; a cut stream was paid, though nobody knows its tokens."""
    where = ledger(
        line(22),
        line(22, tokens={}, cost={"status": "free", "reasons": ["not_billed"]}),
        line(22, tokens=None, usage=None, cost={"status": "unmeasured", "reasons": ["stream_cut"]}),
        line(22, model="local/llama", cost={"status": "free", "reasons": ["local"]}),
    )

    assert from_ledger(where, "document_summarisation", now=NOW).calls == 3


def test_a_torn_line_is_counted_and_left_out(ledger):
    """A process that was killed leaves half a line."""
    where = ledger(line(22), line(22)[:150] + "\n")

    found = from_ledger(where, "document_summarisation", now=NOW)

    assert (found.calls, "1 lines could not be read" in found.source) == (1, True)


@pytest.mark.parametrize(
    "odd",
    [
        {"tokens": {"input": "12"}},
        {"tokens": {"input": -1}},
        {"tokens": [1]},
        {"usage": 3},
        {"operation": None},
        {"model": ["a"]},
        {"user": {"id": 1}},
        {"cost": "0.01"},
        {"started_at": 1795348800},
        {"started_at": "0001-01-01T00:00:00+14:00"},
    ],
)
def test_a_line_of_another_shape_is_counted_and_left_out(ledger, odd):
    """Whatever stands in a field, it is no traceback; an empty line is nothing at all."""
    where = ledger(line(22), line(22, **odd), "\n")

    found = from_ledger(where, "document_summarisation", now=NOW)

    assert (found.calls, "1 lines could not be read" in found.source) == (1, True)


def test_measured_numbers_replace_assumed_ones(ledger):
    """Ten calls a day of 1,000 and 100 tokens on claude-sonnet-4-5: 300 x (0.003 + 0.0015) = $1.35 a month."""
    where = ledger(*[line(22) for _ in range(10)])
    assumed = {"feature": "?", "models": "gpt-5", "monthly_users": 500, "requests_per_user_per_day": 3, "daily_share": 0.5,
               "input_tokens": 8000, "output_tokens": 500}  # fmt: skip
    measured = from_ledger(where, "document_summarisation", now=NOW)

    as_it_was = scenario_of(measured.over(assumed, keep_models=False), "x").estimate(bundled(), AT)
    on_gpt = scenario_of(measured.over(assumed, keep_models=True), "x").estimate(bundled(), AT)

    assert as_it_was.per_month_usd.expected == Decimal("1.35")
    assert as_it_was.per_user_month_usd.expected == Decimal("1.35") / 500
    assert on_gpt.per_month_usd.expected == Decimal("0.675")  # 300 x (1,000 x 1.25e-6 + 100 x 10e-6)


def test_a_feature_that_is_not_there_is_named_with_those_that_are(ledger):
    """A typing error is seen at once."""
    where = ledger(line(22, feature="document_summarisation_2"))

    with pytest.raises(ConfigurationError, match="features seen there: document_summarisation_2"):
        from_ledger(where, "document_summarisation", now=NOW)


def test_a_rotated_ledger_is_read_whole(ledger, tmp_path):
    """One call in each of three files that `calls.jsonl` was rotated to; a file that is only called alike is not its."""
    for name in ("calls.jsonl", "calls.0001.jsonl", "calls.0002.jsonl", "calls.old.jsonl"):
        ledger(line(22), name=name)

    assert from_ledger(str(tmp_path / "calls.jsonl"), "document_summarisation", now=NOW).calls == 3


def test_a_ledger_of_several_machines_is_read_whole(ledger):
    """Each machine has a directory of its own."""
    ledger(line(21), name="one/ledger-2026-11-21.jsonl")
    where = ledger(line(21), line(21), name="two/ledger-2026-11-21.jsonl")

    assert from_ledger(where, "document_summarisation", now=NOW).calls == 3


def test_packed_files_are_read_and_torn_ones_refused(tmp_path):
    """A day that was compressed counts; half a file is no day."""
    place = tmp_path / "ledger-2026-11-22.jsonl.gz"
    packed = gzip.compress((line(22) * 50).encode())
    place.write_bytes(packed)

    assert from_ledger(str(tmp_path), "document_summarisation", now=NOW).calls == 50

    place.write_bytes(packed[:-10])
    with pytest.raises(ConfigurationError, match="cannot be read"):
        from_ledger(str(tmp_path), "document_summarisation", now=NOW)


def test_what_is_no_ledger_is_refused_and_not_left_out(ledger):
    """A log line does not say the tokens by kind."""
    ledger(line(22))
    where = ledger(
        '{"event": "ai.inference.completed", "feature": "document_summarisation"}\n', name="app.log"
    )

    with pytest.raises(ConfigurationError, match=r"app\.log: tokens are measured from a ledger"):
        from_ledger(where, "document_summarisation", now=NOW)


def test_progress_is_told_in_bytes(ledger):
    """Never more than there is."""
    told = []
    where = ledger(line(22), line(22))

    from_ledger(
        where, "document_summarisation", now=NOW, progress=lambda done, total: told.append((done, total))
    )

    assert told == [(len(line(22)), 2 * len(line(22)))]


def test_no_ledger_is_said(tmp_path):
    """A wrong path is no empty month."""
    with pytest.raises(ConfigurationError, match="no ledger there"):
        from_ledger(str(tmp_path / "*.jsonl"), "x", now=NOW)


def test_a_percentile_is_a_number_that_occurred():
    """Of 1 to 100 the p50 is 50 and the p95 95; of one number it is that number."""
    assert spread(dict.fromkeys(range(1, 101), 1)) == Distribution(Decimal(50), Decimal("50.5"), Decimal(95))
    assert spread({7: 3}).p95 == 7


def test_days_look_back_from_midnight(ledger):
    """With `days=1` only yesterday counts."""
    where = ledger(line(21), line(22))

    assert from_ledger(where, "document_summarisation", days=1, now=NOW).calls == 1
    assert from_ledger(where, "document_summarisation", days=1, now=NOW - timedelta(days=1)).calls == 1


def test_what_the_ledger_sink_writes_is_read(tmp_path):
    """The real line of a real record: 2,000 tokens in, of which half from a cache, 100 out, in a batch, for u_1."""
    usage = Usage(passes=(Pass({"input": 1000, "cache_read": 1000, "output": 100}),), batch=True)
    cost = bundled().price(usage, provider="anthropic", model="claude-sonnet-4-5", at=NOON_BEFORE)
    sink = LedgerSink(tmp_path)
    sink(
        CallRecord(
            started_at=NOON_BEFORE,
            duration_seconds=0.0,
            time_to_first_token_seconds=None,
            provider="anthropic",
            operation="messages.batch",
            requested_model=None,
            model=cost.model,
            stream=False,
            feature="ask",
            team="documents",
            user="u_1",
            usage=usage,
            cost=cost,
            outcome="ok",
            error_type=None,
            attempts=1,
            request_id=None,
        )
    )
    sink.close()

    found = from_ledger(str(tmp_path), "ask", now=NOW)

    assert (found.calls, found.users, found.batch_share, found.cached_share) == (1, 1, 1, Decimal("0.5"))
    assert (found.input_tokens.mean, found.output_tokens.mean) == (2000, 100)
    assert found.models == {"claude-sonnet-4-5": 1}
