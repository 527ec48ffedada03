"""A report in a terminal: a table with small bars, and what is below it. No number is ever broken into two lines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from tracked_inference.reporting.render import columns_of, summary_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    from rich.console import Console

    from tracked_inference.reporting.figures import Report

__all__ = ["PIPE_WIDTH", "Cells", "print_report", "print_table"]

_BAR = ""
"""The title of the bars."""

_WIDE, _BAR_WIDTH, _SMALL_BAR_WIDTH = 100, 16, 8
_EIGHTHS = " ▏▎▍▌▋▊▉█"
PIPE_WIDTH = 200
"""A pipe gets tables this wide: nobody would see what is cut off there."""

_GAP = 2
_MOST_FOR_TEXT = 30
"""So much room a column of text may claim where room is short; it can be folded."""

_FIRST_TO_GO = ("in part", "per 1k out", "per user", _BAR, "per call", "of plan", "change")
"""The columns that a narrow terminal does without, in this order; what is only in part priced is said below the table too."""


@dataclass(frozen=True, slots=True)
class Cells:
    """
    One column as text; its last cell is the total.

    Attributes:
        title: Its heading.
        cells: What it says, line by line.
        number: Whether it stands to the right, and is never broken.
        room: The columns of the terminal that it always takes; None for what its cells need.
    """

    title: str
    cells: Sequence[str]
    number: bool = True
    room: int | None = None

    def width(self, *, tall: bool) -> int:
        """The room it needs, its heading in one line or in as many as it has words."""
        if self.room is not None:
            return self.room
        heading = self.title.split() if tall else [self.title]
        width = max(map(cell_len, [*heading, *self.cells]))
        return width if self.number else min(width, _MOST_FOR_TEXT)


def print_report(report: Report, console: Console) -> None:
    """Write the report; a pipe gets it wide, so that nothing is cut off where no eye would miss it."""
    if not console.is_terminal:
        console.width = PIPE_WIDTH
    what = f"{', '.join(report.filters)}: " if report.filters else ""
    console.print(Text(f"{what}{report.period}, from {report.source}", style="bold"), soft_wrap=True)
    rows = [*(report.shown if report.by else ()), report.total]
    columns = [Cells(one.title, [one.text(row) for row in rows], one.number) for one in columns_of(report)]
    if report.by and len(report.shown) > 1:
        largest = max((row.now.cost_usd for row in report.rows), default=report.total.now.cost_usd)
        blocks = (console.encoding or "").lower().startswith("utf")
        width = _BAR_WIDTH if console.width >= _WIDE else _SMALL_BAR_WIDTH
        bars = [bar(row.now.cost_usd, largest, width, blocks=blocks) for row in report.shown]
        columns.insert(len(report.by), Cells(_BAR, [*bars, ""], number=False, room=width))
    more = f"{report.left_out:,} more" if report.left_out else ""
    print_table(columns, console, _FIRST_TO_GO, more=more)
    for title, text in summary_of(report):
        console.print(Text.assemble((f"{title}: ", "bold"), text), soft_wrap=True)
    for note in report.notes:
        console.print(Text(note, style="yellow"), soft_wrap=True)


def print_table(
    columns: Sequence[Cells], console: Console, first_to_go: Sequence[str], *, more: str = ""
) -> None:
    """
    Write a table with a total.

    Args:
        columns: Its columns.
        console: Where.
        first_to_go: The titles of columns that a narrow terminal does without, in this order; those are named below it.
        more: What stands between the rows and the total.
    """
    kept, missing = list(columns), []
    tall = _needed(kept, tall=False) > console.width
    for title in first_to_go:
        if _needed(kept, tall=tall) <= console.width:
            break
        missing += [one.title for one in kept if one.title == title != _BAR]
        kept = [one for one in kept if one.title != title]
    table = Table(box=None, pad_edge=False)
    for one in kept:
        heading = "\n".join(one.title.split()) if tall else one.title
        table.add_column(
            heading,
            justify="right" if one.number else "left",
            overflow="fold",
            no_wrap=one.number or one.room is not None,
            min_width=one.width(tall=tall) if one.number or one.room is not None else None,
        )
    *rows, total = zip(*(one.cells for one in kept), strict=True)
    for row in rows:
        cells = zip(row, kept, strict=True)
        table.add_row(*(Text(cell, style="cyan" if one.title == _BAR else "") for cell, one in cells))
    if more:
        table.add_row(Text(more, style="dim"))
    if rows:
        table.add_section()
    table.add_row(*(Text(cell, style="bold") for cell in total))
    console.print(table)
    if missing:
        console.print(Text(f"No room for: {', '.join(missing)}.", style="dim"), soft_wrap=True)


def _needed(columns: Sequence[Cells], *, tall: bool) -> int:
    return sum(one.width(tall=tall) for one in columns) + _GAP * (len(columns) - 1)


def bar(amount: Decimal, largest: Decimal, width: int = _BAR_WIDTH, *, blocks: bool = True) -> str:
    """A bar as long as an amount is beside the largest one; something that cost anything shows something."""
    if largest <= 0 or amount <= 0:
        return ""
    eighths = max(1, round(amount / largest * width * 8))
    if not blocks:
        return "#" * max(1, eighths // 8)
    return "█" * (eighths // 8) + (_EIGHTHS[eighths % 8] if eighths % 8 else "")
