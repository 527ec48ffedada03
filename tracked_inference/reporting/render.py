"""A report as a table, Markdown, CSV and JSON: one list of columns, written four ways."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tracked_inference.reporting.figures import DERIVED, FIGURES, Figures, Report, Row, counted, money

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Column", "columns_of", "plain", "summary_of", "to_csv", "to_json", "to_markdown"]

NOT_SAID = "(not said)"
"""Stands for a dimension of which a call says nothing."""


@dataclass(frozen=True, slots=True)
class Column:
    """
    One column for people.

    Attributes:
        title: Its heading.
        text: What it says of a row.
        number: Whether it stands to the right.
    """

    title: str
    text: Callable[[Row], str]
    number: bool = True


def columns_of(report: Report) -> list[Column]:
    """The columns of a report for people: what has no price or no usage always has a column, so that no total hides it."""
    keys = [
        Column(word, lambda row, index=index: _key(row, index), number=False)  # type: ignore[misc]  # bound for each column
        for index, word in enumerate(report.by)
    ]
    figures = [
        Column("cost USD", lambda row: money(row.now.known_cost_usd)),
        Column("calls", lambda row: _count(row.now.calls)),
        Column("no price", lambda row: _count(row.now.unpriced_calls)),
        Column("no usage", lambda row: _count(row.now.unmeasured_calls)),
        Column("in part", lambda row: _count(row.now.floor_calls)),
        Column("per call", lambda row: money(row.now.cost_per_call_usd)),
        Column("per user", lambda row: money(row.now.cost_per_user_usd)),
        Column("per 1k out", lambda row: money(row.now.cost_per_1k_output_tokens_usd)),
    ]
    if report.total.before is not None:
        figures.insert(1, Column("change", lambda row: percent(row.change, sign=True)))
    if report.total.planned_usd is not None:
        figures[1:1] = [
            Column("planned", lambda row: money(row.planned_usd)),
            Column("of plan", lambda row: percent(row.of_plan)),
        ]
    shown = [report.total, *report.shown]
    return [
        *keys,
        *(one for one in figures if one.title in _ALWAYS or any(one.text(row) != "-" for row in shown)),
    ]


_ALWAYS = frozenset({"cost USD", "calls", "no price", "no usage"})


def summary_of(report: Report) -> list[tuple[str, str]]:
    """What stands below the table: tokens, cache, waste."""
    total = report.total.now
    told = [
        (
            "tokens",
            (
                f"{_count(total.input_tokens)} in ({_count(total.cache_read_tokens)} read from and"
                f" {_count(total.cache_write_tokens)} written to a cache), {_count(total.output_tokens)} out"
            ),
        )
    ]
    if total.cache_savings_usd is not None and (total.cache_savings_usd or total.cache_unknown_calls):
        unknown = (
            f"; not known for {counted(total.cache_unknown_calls, 'call', 'calls')}"
            if total.cache_unknown_calls
            else ""
        )
        told.append(("cache savings", f"{money(total.cache_savings_usd)} USD at list price{unknown}"))
    waste = [
        ("" if cost is None else f"{money(cost)} USD in ") + counted(calls, f"{word} call", f"{word} calls")
        for cost, calls, word in (
            (total.failed_cost_usd, total.failed_calls, "failed"),
            (total.cut_cost_usd, total.cut_calls, "cut"),
            (total.refused_cost_usd, total.refused_calls, "refused"),
        )
        if calls
    ]
    if total.retries:
        waste.append(f"{counted(total.retries, 'request', 'requests')} sent again")
    if waste:
        told.append(("waste", ", ".join(waste)))
    return told


def to_markdown(report: Report) -> str:
    """A table for a design document or a pull request."""
    columns = columns_of(report)
    lines = [f"**{_heading(report)}**", ""]
    lines.append("| " + " | ".join(one.title for one in columns) + " |")
    lines.append("| " + " | ".join("---:" if one.number else "---" for one in columns) + " |")
    rows = [*report.shown, report.total] if report.by else [report.total]
    lines += ["| " + " | ".join(_escaped(one.text(row)) for one in columns) + " |" for row in rows]
    lines += [
        "",
        *(f"- {title}: {text}" for title, text in summary_of(report)),
        *(f"- {_escaped(note)}" for note in report.notes),
    ]
    return "\n".join(lines) + "\n"


def to_csv(report: Report) -> str:
    """
    Every figure of every row, exact; empty is not known. The last row, whose dimensions say `total`, is of all calls.

    A value that a spreadsheet would run as a formula has an apostrophe before it.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    before = report.total.before is not None
    extra = ["previous_cost_usd"] * before + ["planned_usd"] * (report.total.planned_usd is not None)
    writer.writerow([*report.by, *FIGURES, *DERIVED, *extra])
    for row in [*report.shown, report.total]:
        keys = list(row.key) if row is not report.total else ["total"] * len(report.by)
        cells = [_figure(row.now, name) for name in (*FIGURES, *DERIVED)]
        if before:
            cells.append(row.before.cost_usd if row.before is not None else None)
        if report.total.planned_usd is not None:
            cells.append(row.planned_usd)
        writer.writerow([*map(_harmless, keys), *map(_cell, cells)])
    return buffer.getvalue()


def to_json(report: Report) -> str:
    """Everything, amounts as exact text."""
    whole = {
        "since": report.period.since.isoformat(),
        "until": report.period.until.isoformat(),
        "source": report.source,
        "by": list(report.by),
        "filters": list(report.filters),
        "rows": [dict(zip(report.by, row.key, strict=True)) | _row(row) for row in report.shown],
        "rows_left_out": report.left_out,
        "total": _row(report.total),
        "notes": list(report.notes),
    }
    return json.dumps(whole, ensure_ascii=False, indent=2)


def percent(part: Decimal | None, *, sign: bool = False) -> str:
    """A part as a percentage, without decimals where it is large."""
    if part is None:
        return "-"
    hundred = part * 100
    size = "{:+,.0f}%" if sign else "{:,.0f}%"
    return size.format(hundred) if abs(hundred) >= 10 else size.replace(".0f", ".1f").format(hundred)


def plain(text: str) -> str:
    """A text from outside without what a terminal would obey."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _heading(report: Report) -> str:
    what = f"{', '.join(report.filters)}: " if report.filters else ""
    return f"{what}{report.period}, from {report.source}"


def _key(row: Row, index: int) -> str:
    if not row.key:
        return "total" if index == 0 else ""
    value = row.key[index]
    return NOT_SAID if value is None else plain(value)


def _count(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")


def _harmless(key: str | None) -> str:
    """A user or a tag comes from outside: `=cmd()` is one."""
    return "" if key is None else f"'{key}" if key.startswith(("=", "+", "-", "@", "\t", "\r")) else key


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return exact(value) if isinstance(value, Decimal) else str(value)


def exact(amount: Decimal) -> str:
    """A decimal as text without an exponent and without zeros that say nothing."""
    text = format(amount, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _figure(figures: Figures, name: str) -> Any:
    return figures.known_cost_usd if name == "cost_usd" else getattr(figures, name)


def _figures(figures: Figures) -> dict[str, Any]:
    told = {name: _figure(figures, name) for name in (*FIGURES, *DERIVED)}
    return {name: exact(value) if isinstance(value, Decimal) else value for name, value in told.items()}


def _row(row: Row) -> dict[str, Any]:
    told = _figures(row.now)
    if row.before is not None:
        told["previous_cost_usd"] = exact(row.before.cost_usd)
        told["change"] = None if row.change is None else float(round(row.change, 6))
    if row.planned_usd is not None:
        told["planned_usd"] = exact(row.planned_usd)
        told["of_plan"] = None if row.of_plan is None else float(round(row.of_plan, 6))
    return told
