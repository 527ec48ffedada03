"""docs/benchmarks.md has the tables that the command writes, and what the tables are made of works without other libraries."""

import asyncio
import json
import re
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.benchmarks import (
    callgrind,
    event_loop,
    peer_checks,
    peer_environments,
    peer_tables,
    retained,
)
from tests.benchmarks.peer_checks import DOLLARS, verdict
from tests.benchmarks.peer_tables import SECTIONS, Line
from tests.benchmarks.peers import PEERS, Recorded, calls_of, of_attributes, ours
from tests.benchmarks.vendor_calls import SDKS, plain_client, work
from tests.reliability import page
from tracked_inference.loopback import LoopbackVendor

PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.md"
RIGHT = Recorded(1200, 500)


def written(section):
    found = re.search(rf"<!-- {section} -->\n(.*?)<!-- /{section} -->", PAGE.read_text(), re.DOTALL)
    assert found is not None, f"{PAGE.name} has no place for {section}"
    return found[1]


def cells_of(line):
    return [cell.strip() for cell in line.strip("|").split("|")]


@pytest.mark.parametrize("section", SECTIONS)
def test_each_table_of_the_page_is_one_that_the_command_writes(section):
    """A section has its date and command, its tables have the columns of the code, and every row has them all."""
    text = written(section)
    tables = re.findall(r"(?:^\|.*\|\n)+", text, re.MULTILINE)
    several = section in {"instructions", "times", "records"}
    heads = [list(peer_tables.head_of(section, sdk)) for sdk in (SDKS if several else ("",))]

    assert re.match(
        rf"`python -m tests.benchmarks.bench_peers --only {section}[^`]*`: \d{{4}}-\d\d-\d\d", text
    )
    assert [cells_of(table.splitlines()[0]) for table in tables] == heads
    for table, head in zip(tables, heads, strict=True):
        rows = [cells_of(line) for line in table.splitlines()]
        assert {len(row) for row in rows} == {len(head)}
        assert len(rows) > 3


@pytest.mark.parametrize("section", ["instructions", "times", "records"])
def test_each_peer_has_its_row(section):
    """A library that could not be measured is told of, not left out."""
    text = written(section)

    for name in PEERS.keys() - {"ours", "anthropic-tracing"}:
        assert len(re.findall(rf"^\| {name}\b", text, re.MULTILINE)) == len(SDKS)
    assert text.count("**tracked-inference") >= len(SDKS)


def test_a_section_is_written_and_the_others_stay(tmp_path):
    """A partial run keeps what the page says elsewhere, and says so where a page has no place for it."""
    file = tmp_path / "page.md"
    file.write_text("# Page\n<!-- one -->\nold\n<!-- /one -->\nbetween\n<!-- two -->\nkept\n<!-- /two -->\n")

    page.write("one", "new", file)

    assert file.read_text() == (
        "# Page\n<!-- one -->\nnew\n<!-- /one -->\nbetween\n<!-- two -->\nkept\n<!-- /two -->\n"
    )
    with pytest.raises(ValueError, match="no place for 'three'"):
        page.write("three", "new", file)


@pytest.mark.parametrize("sdk", SDKS)
def test_ours_records_every_case_rightly(sdk):
    """The cases that other libraries are put before are right with ours, in tokens and in dollars."""
    with LoopbackVendor() as vendor:
        vendor.always(peer_checks.answer)
        met = peer_checks.met(sdk, vendor.port, ours(sdk, True))

    told = {case: peer_checks.cell(sdk, case, by_kind) for case, by_kind in met.items()}
    assert set(told) == set(peer_checks.CASES[sdk])
    assert set(told.values()) <= {"right", "right, $ right"}
    assert told["call"] == "right, $ right"


@pytest.mark.parametrize(
    ("case", "raised", "recorded", "expected"),
    [
        ("call", None, [RIGHT], "right"),
        ("call", None, [Recorded(1500, 500)], "right"),  # with what came from the cache
        ("call", None, [Recorded(1200, 500, DOLLARS["anthropic"])], "right, $ right"),
        ("call", None, [Recorded(1200, 500, 0.0)], "right, $ wrong: 0.000000"),
        ("call", None, [Recorded(1200, 501)], "wrong tokens: 1200 + 501"),
        ("call", None, [Recorded()], "no tokens"),
        ("call", None, [], "missed"),
        ("call", None, [RIGHT, RIGHT], "twice"),
        ("call", None, [RIGHT] * 3, "3 times"),
        ("call", "TypeError", [RIGHT], "breaks: TypeError"),
        ("error", None, [Recorded(failed=True)], "right"),
        ("error", None, [Recorded()], "not as an error"),
        ("stream left early", None, [Recorded(1200, 1)], "right"),
        ("stream left early", None, [Recorded()], "no tokens"),
    ],
)
def test_a_verdict_says_what_is_wrong(case, raised, recorded, expected):
    """One record with the right figures is right, and everything else is named."""
    assert verdict("anthropic", case, raised, recorded) == expected


def test_the_hand_made_dollars_are_those_of_the_price_lists():
    """1,200 x 3 + 300 x 0.30 + 500 x 15 and 900 x 2.50 + 300 x 1.25 + 500 x 10 USD per million."""
    assert DOLLARS == {"anthropic": pytest.approx(0.01119), "openai": pytest.approx(0.007625)}


def test_blocking_and_async_are_told_apart_where_they_differ():
    """A cell has one verdict, or one for each kind of client."""
    right = {"raised": None, "recorded": [{"input_tokens": 1200, "output_tokens": 500}]}
    missed = {"raised": None, "recorded": []}

    assert peer_checks.cell("openai", "call", {"sync": right, "async": right}) == "right"
    assert (
        peer_checks.cell("openai", "call", {"sync": right, "async": missed}) == "sync: right; async: missed"
    )


def test_spans_are_read_in_the_words_of_each_library():
    """OpenTelemetry's names, their predecessors, langfuse's and braintrust's say the same."""
    said = [
        {"gen_ai.usage.input_tokens": 7, "gen_ai.usage.output_tokens": 3, "gen_ai.usage.cost": 0.5},
        {"gen_ai.usage.prompt_tokens": 7, "gen_ai.usage.completion_tokens": 3, "operation.cost": 0.5},
        {"prompt_tokens": 7.0, "completion_tokens": 3.0, "gen_ai.usage.cost": 0.5},
    ]
    details = '{"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}'
    failed = {"langfuse.observation.usage_details": details, "langfuse.observation.level": "ERROR"}

    assert {of_attributes(one, failed=False) for one in said} == {Recorded(7, 3, 0.5)}
    assert of_attributes(failed, failed=False) == Recorded(7, 3, None, failed=True)


def test_a_span_and_the_log_that_ends_it_are_one_call():
    """Logfire's stream is a span without tokens and a log with them; a second span with tokens is a second record."""
    model = {"gen_ai.request.model": "gpt-4o"}
    tokens = {"gen_ai.usage.input_tokens": 7, "gen_ai.usage.output_tokens": 3}
    span, log, other = (
        (model, False),
        ({**model, **tokens, "logfire.span_type": "log"}, False),
        ({**model, **tokens}, False),
    )

    assert calls_of([span, log]) == [Recorded(7, 3)]
    assert calls_of([span, other, log]) == [Recorded(7, 3), Recorded(7, 3)]
    assert calls_of([({"http.method": "POST"}, False)]) == []


def test_counts_are_matched_with_what_was_counted(tmp_path):
    """The cost of switching is taken off, and what broke was never counted."""
    for number, total in enumerate((5, 100, 3100, 120, 4120), 1):
        (tmp_path / f"out.{number}").write_text(f"# callgrind format\nsummary: 1\ntotals: {total}\n")
    order = [
        ["", "nothing", 0, None],
        ["bare", "nothing", 0, None],
        ["bare", "call", 30, None],
        ["peer", "nothing", 0, None],
        ["peer", "stream", 1, "breaks: TypeError"],
        ["peer", "call", 20, None],
    ]

    counts = peer_tables.counts_of(order, callgrind.totals(tmp_path))

    assert counts == {"bare": {"call": 100.0}, "peer": {"stream": "breaks: TypeError", "call": 200.0}}
    assert peer_tables.added(100_000.0, 200_000.0) == "2.000 (+100k)"
    assert peer_tables.added(100.0, "breaks: TypeError") == "breaks: TypeError"


def test_a_row_has_a_cell_for_each_column():
    """What was not measured is a dash, and a reason stands in the first cell."""
    lines = [Line("a", "1.0", {"call": "1.010"}), Line("b", "2.0", note="cannot be installed")]

    rows = peer_tables.rows_of("instructions", "openai", lines)

    assert rows == [["a", "1.0", "1.010", "-", "-", "-"], ["b", "2.0", "cannot be installed", "", "", ""]]


def test_the_page_says_where_ours_is_over_its_aims():
    """A figure over its aim is named, and one that is missing is too."""
    bare = Line("the bare SDK", "3.54.0", {})
    good = {
        "call": "1.020 (+9k)",
        "call, async": "1.010 (+9k)",
        "stream": "1.005 (+9k)",
        "stream, async": "1.001 (+9k)",
    }
    late = {**good, "call, async": "1.021 (+9k)", "stream": "breaks: TypeError"}

    within, over = (
        peer_tables.against_aims("openai", [bare, Line("**tracked-inference 1.0**", "3.54.0", cells)])
        for cells in (good, late)
    )

    assert within == "Ours is within its aims."
    assert (
        over
        == "**Ours is over its aim**: call, async 1.021 (at most 1.02); stream breaks: TypeError (at most 1.005)."
    )


def test_ratios_are_medians_of_the_rounds():
    """One disturbed round does not count."""
    rounds = [{"bare": 100.0, "ours": 102.0}, {"bare": 200.0, "ours": 206.0}, {"bare": 100.0, "ours": 900.0}]

    assert peer_tables.ratio(rounds, "ours") == "1.030"
    assert peer_tables.microseconds(rounds) == "100 us"


def test_a_library_that_cannot_be_installed_is_a_reason_and_no_crash(tmp_path, monkeypatch):
    """The reason is what the installer said last."""
    monkeypatch.setattr(peer_environments, "HOME", tmp_path)
    installer = tmp_path / "uv"
    installer.write_text("#!/bin/sh\necho 'no such library' >&2\nexit 1\n")
    installer.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")

    made = peer_environments.environment("absent", ("absent",))

    assert made.problem == "cannot be installed: no such library"


@pytest.mark.parametrize("sdk", SDKS)
def test_calls_are_made_at_once(sdk):
    """Twenty calls, ten at once, are twenty calls."""
    watching = ours(sdk, True)
    client = watching.wrap(plain_client(sdk, "async"))

    with closing(asyncio.new_event_loop()) as loop:
        work(f"{sdk}-async-call", client, at_once=10, loop=loop)(20)

    assert [one.output_tokens for one in watching.recorded()] == [500] * 20


def test_a_step_that_holds_up_the_loop_is_seen_to():
    """Ten calls whose sink sleeps for 20 ms make the loop late by one such time at least."""

    async def held():
        return await event_loop.stalled(await event_loop.slow_sink())

    assert asyncio.run(held())["late_ms"] > 10


def test_a_call_and_an_abandoned_stream_leave_no_object_behind():
    """A hundred times as many objects as there are now would be kept if each of them left one."""
    command = [sys.executable, "-m", retained.__name__, "--share", "0.01"]
    found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

    assert [one["times"] for one in found] == [1000, 100]
    for one in found:
        assert abs(one["objects"]) < one["times"] / 2
