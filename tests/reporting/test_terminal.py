"""Tables in a terminal: what has no room is left out and named, and no number is broken in two."""

import io

import pytest

pytest.importorskip("rich", reason="the extra `cli` is not installed")

from rich.console import Console

from tracked_inference.reporting.terminal import Cells, print_table

SPEND = [
    Cells("feature", ["document_summarisation", "search", "total"], number=False),
    Cells("", ["████████", "█", ""], number=False, room=8),
    Cells("cost USD", ["1,234.50", "6.25", "1,240.75"]),
    Cells("calls", ["120,000", "7", "120,007"]),
    Cells("per call", ["0.0103", "0.893", "0.0103"]),
    Cells("per user", ["12.30", "-", "12.30"]),
]


def shown(columns, width, first_to_go=("per user", "", "per call"), **more):
    out = io.StringIO()
    console = Console(file=out, width=width, force_terminal=True, color_system=None, legacy_windows=False)
    print_table(columns, console, first_to_go, **more)
    return [line.rstrip() for line in out.getvalue().splitlines()]


def test_a_wide_terminal_shows_everything_in_one_line_each():
    """Nothing is folded, stacked or left out."""
    lines = shown(SPEND, 100)

    assert lines[0].split() == ["feature", "cost", "USD", "calls", "per", "call", "per", "user"]
    assert lines[1].split() == [
        "document_summarisation",
        "████████",
        "1,234.50",
        "120,000",
        "0.0103",
        "12.30",
    ]
    assert len(lines) == 4


def test_headings_are_stacked_before_anything_goes():
    """22 + 8 + 8 + 7 + 6 + 5 and five gaps of two are 66: `per call` and `per user` need two lines there."""
    lines = shown(SPEND, 66)

    assert [line.split() for line in lines[:2]] == [
        ["cost", "per", "per"],
        ["feature", "USD", "calls", "call", "user"],
    ]
    assert lines[2].endswith("12.30")
    assert max(map(len, lines)) == 66


@pytest.mark.parametrize(
    ("width", "row", "missing"),
    [
        (65, ["search", "█", "6.25", "7", "0.893"], "No room for: per user."),
        (58, ["search", "6.25", "7", "0.893"], "No room for: per user."),
        (45, ["search", "6.25", "7"], "No room for: per user, per call."),
    ],
)
def test_columns_go_in_their_order_and_are_named(width, row, missing):
    """Bars go without a word; what else goes is said."""
    lines = shown(SPEND, width)

    assert row in [line.split() for line in lines]
    assert lines[-1] == missing
    assert max(map(len, lines)) <= width


def test_a_number_is_never_broken():
    """However narrow the terminal, a number stands in one piece."""
    for width in range(26, 101):
        text = "\n".join(shown(SPEND, width))

        assert "1,234.50" in text
        assert "120,007" in text


def test_a_long_name_is_folded_and_ousts_no_figure():
    """A user id of 200 letters claims 30 columns and no more."""
    long = [Cells("user", ["x" * 200, "total"], number=False), Cells("calls", ["7", "7"])]

    lines = shown(long, 40)

    assert sum(line.count("x") for line in lines) == 200
    assert [line.split()[-1] for line in lines[:2]] == ["calls", "7"]


def test_rows_that_are_not_shown_are_counted_above_the_total():
    """The total is of all."""
    assert [line.split()[:2] for line in shown(SPEND, 100, more="12 more")][-2:] == [
        ["12", "more"],
        ["total", "1,240.75"],
    ]
