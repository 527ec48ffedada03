"""A report in a terminal: a table with small bars, and what is below it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from tracked_inference.reporting.render import columns_of, summary_of

if TYPE_CHECKING:
    from decimal import Decimal

    from rich.console import Console

    from tracked_inference.reporting.figures import Report

__all__ = ["print_report"]

_BAR_WIDTH = 16
_EIGHTHS = " ▏▎▍▌▋▊▉█"
_PIPE_WIDTH = 200


def print_report(report: Report, console: Console) -> None:
    """Write the report; a pipe gets it wide, so that nothing is cut off where no eye would miss it."""
    if not console.is_terminal:
        console.width = _PIPE_WIDTH
    what = f"{', '.join(report.filters)}: " if report.filters else ""
    console.print(Text(f"{what}{report.period}, from {report.source}", style="bold"), soft_wrap=True)
    columns = columns_of(report)
    bars = bool(report.by) and len(report.shown) > 1
    table = Table(box=None, pad_edge=False, show_footer=False)
    for index, one in enumerate(columns):
        table.add_column(one.title, justify="right" if one.number else "left", overflow="fold")
        if bars and index == len(report.by) - 1:
            table.add_column("", no_wrap=True, min_width=_BAR_WIDTH)
    largest = max((row.now.cost_usd for row in report.rows), default=report.total.now.cost_usd)
    utf = (console.encoding or "").lower().startswith("utf")
    for row in report.shown if report.by else ():
        cells = [Text(one.text(row)) for one in columns]
        if bars:
            cells.insert(len(report.by), Text(bar(row.now.cost_usd, largest, blocks=utf), style="cyan"))
        table.add_row(*cells)
    if report.left_out:
        table.add_row(Text(f"{report.left_out:,} more", style="dim"))
    if report.by:
        table.add_section()
    cells = [Text(one.text(report.total), style="bold") for one in columns]
    if bars:
        cells.insert(len(report.by), Text(""))
    table.add_row(*cells)
    console.print(table)
    for title, text in summary_of(report):
        console.print(Text.assemble((f"{title}: ", "bold"), text), soft_wrap=True)
    for note in report.notes:
        console.print(Text(note, style="yellow"), soft_wrap=True)


def bar(amount: Decimal, largest: Decimal, *, blocks: bool = True) -> str:
    """A bar as long as an amount is beside the largest one; something that cost anything shows something."""
    if largest <= 0 or amount <= 0:
        return ""
    eighths = max(1, round(amount / largest * _BAR_WIDTH * 8))
    if not blocks:
        return "#" * max(1, eighths // 8)
    return "█" * (eighths // 8) + (_EIGHTHS[eighths % 8] if eighths % 8 else "")
