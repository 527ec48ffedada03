"""An estimate as text, Markdown, JSON or a plan; here, and nowhere before, money is rounded."""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tracked_inference.planning.projection import Estimate
    from tracked_inference.planning.ranges import Range

__all__ = ["Ceiling", "Sheet", "as_json", "as_markdown", "as_plan", "as_text", "usd"]

_ARTICLE = "low, expected and high are every input at its cheapest, as expected, and at its dearest"


@dataclass(frozen=True, slots=True)
class Ceiling:
    """
    What a month may cost.

    Attributes:
        usd: Dollars.
        end: Which end of the estimate is held against it: `low`, `expected` or `high`.
        source: Who says so: `--budget`, or the registry file.
    """

    usd: Decimal
    end: str = "expected"
    source: str = "--budget"

    def over_usd(self, estimate: Estimate) -> Decimal:
        """By how much the estimate is over it; 0 or less where it is not."""
        month: Decimal = getattr(estimate.per_month_usd, self.end)
        return month - self.usd


@dataclass(frozen=True, slots=True)
class Sheet:
    """
    All that is printed of an estimate.

    Attributes:
        estimate: The estimate.
        compared: The same scenario on other models.
        scales: The same scenario at multiples of its users, by factor.
        budget: What it may cost, if that was said.
        measured: Where measured numbers came from, and what they were, a sentence each.
    """

    estimate: Estimate
    compared: tuple[Estimate, ...] = ()
    scales: tuple[tuple[Decimal, Estimate], ...] = ()
    budget: Ceiling | None = None
    measured: tuple[str, ...] = ()


def usd(amount: Decimal) -> str:
    """Dollars as people read them: cents from a dollar up, four significant digits below."""
    sign, size = ("-" if amount < 0 else ""), abs(amount)
    if size >= 1 or not size:
        return f"{sign}${size:,.2f}"
    digits = min(max(3 - size.adjusted(), 2), 12)
    return f"{sign}${round(size, digits).normalize():f}"


def _title(sheet: Sheet) -> str:
    scenario = sheet.estimate.scenario
    return f"{scenario.feature} ({scenario.team})" if scenario.team else scenario.feature


def _rows(sheet: Sheet) -> list[tuple[str, Range | None, bool]]:
    """Name, range, and whether it is dollars."""
    one = sheet.estimate
    return [
        ("calls a month", one.calls_per_month, False),
        ("a call", one.per_call_usd, True),
        ("a user and month", one.per_user_month_usd, True),
        ("a day", one.per_day_usd, True),
        ("a month", one.per_month_usd, True),
        ("a year", one.per_year_usd, True),
    ]


def _cells(values: Range, *, dollars: bool) -> list[str]:
    def cell(value: Decimal) -> str:
        return usd(value) if dollars else f"{value:,.0f}"

    return [cell(values.expected)] if values.is_point else [cell(value) for value in values]


def _tables(sheet: Sheet) -> list[tuple[str, list[list[str]]]]:
    """Every table of the sheet: a heading, and rows of which the first has the names of the columns."""
    one = sheet.estimate
    rows = [(name, values, dollars) for name, values, dollars in _rows(sheet) if values is not None]
    spread = any(not values.is_point for _, values, _ in rows)
    head = ["", "low", "expected", "high"] if spread else ["", "expected"]
    body = []
    for name, values, dollars in rows:
        cells = _cells(values, dollars=dollars)
        body.append([name, *(cells * 3 if spread and len(cells) == 1 else cells)])
    tables = [("", [head, *body])]
    if len(one.models) > 1:
        parts = [[p.model, f"{p.share:.1%}", usd(p.per_call_usd), usd(p.per_month_usd)] for p in one.models]
        tables.append(("Models", [["model", "of the calls", "a call", "a month"], *parts]))
    if sheet.compared:
        tables.append(
            ("On other models", [["model", "a call", "a month", "against this"], *_comparison(sheet)])
        )
    changes = [[item.change, _signed(item.per_month_usd)] for item in one.sensitivity()]
    if changes:
        tables.append(("What moves it", [["change", "a month"], *changes]))
    if sheet.scales:
        scaled = [[f"{factor:f}x the users", usd(at.per_month_usd.expected)] for factor, at in sheet.scales]
        tables.append(("What if", [["scale", "a month"], *scaled]))
    return tables


def _comparison(sheet: Sheet) -> list[list[str]]:
    mine = sheet.estimate.per_month_usd.expected
    rows = []
    for other in sheet.compared:
        month = other.per_month_usd.expected
        ratio = f"{month / mine - 1:+.0%}" if mine else ""
        rows.append([other.models[0].model, usd(other.per_call_usd.expected), usd(month), ratio])
    return rows


def _signed(amount: Decimal) -> str:
    return usd(amount) if amount < 0 else f"+{usd(amount)}"


def _verdict(sheet: Sheet) -> str | None:
    budget = sheet.budget
    if budget is None:
        return None
    over = budget.over_usd(sheet.estimate)
    month = usd(getattr(sheet.estimate.per_month_usd, budget.end))
    said = f"the budget of {usd(budget.usd)} a month ({budget.source})"
    if over > 0:
        return f"OVER BUDGET: {month} {budget.end} is {usd(over)} over {said}"
    return f"within budget: {month} {budget.end} leaves {usd(-over)} of {said}"


def _notes(sheet: Sheet) -> list[tuple[str, list[str]]]:
    one = sheet.estimate
    notes = [("Assumes", list(one.assumptions)), ("Measured", list(sheet.measured))]
    if any(not values.is_point for _, values, _ in _rows(sheet) if values is not None):
        notes.append(("Reads as", [_ARTICLE]))
    return [(name, lines) for name, lines in notes if lines]


def _prices(sheet: Sheet) -> str:
    one = sheet.estimate
    return f"List prices of {one.at:%Y-%m-%d} by price table {one.price_table}; a month has {one.scenario.days:f} days."


def as_text(sheet: Sheet) -> str:
    """For a terminal or a log."""
    lines = [f"What {_title(sheet)} costs, {' + '.join(part.model for part in sheet.estimate.models)}", ""]
    for heading, rows in _tables(sheet):
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        if heading:
            lines.append(heading)
        for row in rows:
            first, *others = (
                cell.rjust(width) if column else cell.ljust(width)
                for column, (cell, width) in enumerate(zip(row, widths, strict=True))
            )
            lines.append("  " + "  ".join([first, *others]).rstrip())
        lines.append("")
    for name, items in _notes(sheet):
        lines += [name, *(f"  - {item}" for item in items), ""]
    lines.append(_prices(sheet))
    verdict = _verdict(sheet)
    return "\n".join([*lines, verdict] if verdict is not None else lines)


def as_markdown(sheet: Sheet) -> str:
    """For a design document or a comment on a change."""
    lines = [f"## What {_title(sheet)} costs", ""]
    verdict = _verdict(sheet)
    if verdict is not None:
        lines += [f"**{verdict}**", ""]
    for heading, rows in _tables(sheet):
        if heading:
            lines += [f"### {heading}", ""]
        head, *body = rows
        lines += [_line(head), _line(["---", *["---:"] * (len(head) - 1)]), *map(_line, body), ""]
    for name, items in _notes(sheet):
        lines += [f"### {name}", "", *(f"- {item}" for item in items), ""]
    lines.append(_prices(sheet))
    return "\n".join(lines)


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def as_json(sheet: Sheet) -> str:
    """For a program: amounts are text, so that no reader rounds them; to a millionth of a dollar."""
    one, budget = sheet.estimate, sheet.budget
    document: dict[str, Any] = {
        "feature": one.scenario.feature,
        "team": one.scenario.team,
        "price_table": one.price_table,
        "price_table_sha256": one.price_table_sha256,
        "priced_at": one.at.isoformat(),
        "days_per_month": f"{one.scenario.days:f}",
        **_amounts(one),
        "models": [
            {
                "model": part.model,
                "share": f"{part.share:f}",
                "per_call_usd": _exact(part.per_call_usd),
                "per_month_usd": _exact(part.per_month_usd),
            }
            for part in one.models
        ],
        "compared": [{"model": other.models[0].model, **_amounts(other)} for other in sheet.compared],
        "sensitivity": [
            {"change": item.change, "per_month_usd": _exact(item.per_month_usd)} for item in one.sensitivity()
        ],
        "scales": [{"factor": f"{factor:f}", **_amounts(at)} for factor, at in sheet.scales],
        "assumptions": list(one.assumptions),
        "measured": list(sheet.measured),
        "budget": None
        if budget is None
        else {
            "usd": _exact(budget.usd),
            "against": budget.end,
            "source": budget.source,
            "over": budget.over_usd(one) > 0,
            "over_usd": _exact(max(budget.over_usd(one), Decimal(0))),
        },
    }
    return json.dumps(document, indent=2, ensure_ascii=False)


def as_plan(sheet: Sheet) -> str:
    """For `tracked-inference report --against`, which sets what was planned beside what came of it."""
    one = sheet.estimate
    month = f"{one.per_month_usd.expected:.2f}"
    return (
        f"# Estimated on {one.at:%Y-%m-%d} by price table {one.price_table}.\n"
        f'[plan]\n{json.dumps(one.scenario.feature)} = {{ month_usd = "{month}" }}'
    )


def _amounts(one: Estimate) -> dict[str, Any]:
    values = {
        "calls_per_month": one.calls_per_month,
        "per_call_usd": one.per_call_usd,
        "per_user_month_usd": one.per_user_month_usd,
        "per_day_usd": one.per_day_usd,
        "per_month_usd": one.per_month_usd,
        "per_year_usd": one.per_year_usd,
    }
    return {name: None if value is None else _range(value) for name, value in values.items()}


def _range(value: Range) -> dict[str, str]:
    return {"low": _exact(value.low), "expected": _exact(value.expected), "high": _exact(value.high)}


def _exact(amount: Decimal) -> str:
    """To a millionth, and further for amounts so small that a millionth would hide them."""
    digits = 6 if not amount or abs(amount) >= Decimal("0.001") else 12
    text = f"{amount:.{digits}f}"
    return text.rstrip("0").rstrip(".")
