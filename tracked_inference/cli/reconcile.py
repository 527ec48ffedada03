"""`tracked-inference reconcile`: the vendor's bill beside the ledger."""

from __future__ import annotations

import json
import os
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tracked_inference.cli._common import errors_as_exits, ledger_argument, ledgers_or_usage, progress_of

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["command"]


@click.command(name="reconcile")
@ledger_argument
@click.option("--vendor", required=True, type=click.Choice(["anthropic", "openai"]), help="Whose bill.")
@click.option("--since", default="7d", show_default=True, help="The first day; UTC.")
@click.option("--until", default="yesterday", show_default=True, help="The last day, included; UTC.")
@click.option(
    "--tolerance", default="2%", show_default=True, help="Exit 1 where more than this is missed or mispriced."
)
@click.option(
    "--mapping", type=click.Path(path_type=Path), help="A TOML file: team by workspace, project or key."
)
@click.option(
    "--textfile",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write gauges for node_exporter's textfile collector.",
)
@click.option(
    "--route",
    type=click.Choice(["admin", "analytics"]),
    default="admin",
    show_default=True,
    help="Which of Anthropic's two reports.",
)
@click.option("--base-url", help="Where the vendor's API is, for a proxy in between.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--cache/--no-cache", default=True, help="Whether to keep roll-ups of large ledgers.")
@errors_as_exits
def command(
    ledger: tuple[str, ...],
    vendor: str,
    since: str,
    until: str,
    tolerance: str,
    mapping: Path | None,
    textfile: Path | None,
    route: Any,
    base_url: str | None,
    *,
    as_json: bool,
    cache: bool,
) -> None:
    """
    Compare the vendor's own usage and cost reports with the ledger at LEDGER: tokens first, then dollars.

    The admin key is read from ANTHROPIC_ADMIN_KEY or OPENAI_ADMIN_KEY and is neither shown nor logged.
    Exits 0 where the bill is confirmed within the tolerance, 1 where it is not, 2 for wrong input, 3 where the vendor does
    not answer.
    """
    from tracked_inference.pricing import PriceTable
    from tracked_inference.reporting.bill import Bill, days_of, late, windows
    from tracked_inference.reporting.bill_anthropic import AnthropicBill
    from tracked_inference.reporting.bill_metrics import to_textfile, write_textfile
    from tracked_inference.reporting.bill_openai import OpenAIBill
    from tracked_inference.reporting.periods import period_of
    from tracked_inference.reporting.reconcile import names_keys, read_mapping, reconcile, recorded

    limit = _tolerance(tolerance)
    period = period_of(since, until)
    start, end = days_of(period)
    places = ledgers_or_usage(ledger)
    accounts = read_mapping(mapping) if mapping is not None else None
    by_key = names_keys(accounts)
    reader = AnthropicBill(route, by_key=by_key) if vendor == "anthropic" else OpenAIBill(by_key=by_key)
    key = _key(reader.key_variable)
    with progress_of("reading the ledger") as progress:
        ours = recorded(places, vendor, period, cache=cache, progress=progress)
    bill = Bill()
    spans = list(windows(start, end))
    with progress_of(f"reading {vendor}'s reports") as progress:
        for number, (first, last) in enumerate(spans, 1):
            part = reader.read(first, last, key, base_url)
            bill.used += part.used
            bill.charges += part.charges
            if progress is not None:
                progress(number, len(spans))
    if late(end):
        bill.notes.append("The last day ended less than a day ago: the vendor may still be adding to it.")
    table = PriceTable.default()
    names: dict[str, str] = {}

    def canonical(model: str, _: Any) -> str:
        if model not in names:
            names[model] = table.canonical(vendor, model)
        return names[model]

    found = reconcile(bill, ours, vendor, period, canonical, accounts)
    outside = found.outside(limit)
    if textfile is not None:
        write_textfile(textfile, to_textfile(found))
    if as_json:
        click.echo(json.dumps(_as_json(found, outside), indent=2))
    else:
        _print(found, outside, tolerance)
    raise SystemExit(1 if outside else 0)


def _key(variable: str) -> str:
    key = os.environ.get(variable, "").strip()
    if not key:
        raise click.UsageError(
            f"set {variable} to an admin key of the organisation; it is not the key of an application"
        )
    if not key.isascii() or not key.isprintable() or " " in key:
        raise click.UsageError(
            f"{variable} holds a character that no key has: was it pasted whole, and alone?"
        )
    return key


def _tolerance(text: str) -> Decimal:
    try:
        value = Decimal(text.rstrip("%")) / (100 if text.endswith("%") else 1)
    except InvalidOperation:
        value = Decimal(-1)
    if not value.is_finite() or not 0 <= value < 1:
        raise click.UsageError(f"--tolerance {text}: say 2% or 0.02")
    return value


def _as_json(found: Any, outside: list[str]) -> dict[str, Any]:
    return {
        "vendor": found.vendor,
        "since": found.period.since.isoformat(),
        "until": found.period.until.isoformat(),
        "confirmed": not outside,
        "outside_tolerance": outside,
        "total": _row(found.total),
        "by_model": {name: _row(one) for name, one in found.by_model.items()},
        "by_day": {name: _row(one) for name, one in found.by_day.items()},
        "by_team": {name: _row(one) for name, one in found.by_team.items()},
        "notes": list(found.notes),
    }


def _row(one: Any) -> dict[str, Any]:
    from dataclasses import asdict

    from tracked_inference.reporting.render import exact

    told = {
        name: exact(value) if isinstance(value, Decimal) else value for name, value in asdict(one).items()
    }
    told["coverage"] = None if one.coverage is None else float(round(one.coverage, 6))
    told["price_error"] = None if one.price_error is None else float(round(one.price_error, 6))
    return told


def _print(found: Any, outside: list[str], tolerance: str) -> None:
    from rich.console import Console
    from rich.text import Text

    from tracked_inference.reporting.terminal import PIPE_WIDTH, Cells, print_table

    console = Console()
    if not console.is_terminal:
        console.width = PIPE_WIDTH
    console.print(Text(f"{found.vendor}: {found.period}", style="bold"))
    groups: list[tuple[str, Mapping[str, Any]]] = [("model", found.by_model), ("day", found.by_day)]
    if found.by_team:
        groups.append(("team", found.by_team))
    for title, rows in groups:
        names = Cells(title, [*(name or "(none)" for name in rows), "total"], number=False)
        figures = zip(*map(_cells, (*rows.values(), found.total)), strict=True)
        columns = [names, *map(Cells, _HEADINGS, figures)]
        print_table(columns, console, _FIRST_TO_GO)
        console.print()
    for note in found.notes:
        console.print(Text(note, style="yellow"), soft_wrap=True)
    verdict = f"outside {tolerance}: {'; '.join(outside)}" if outside else f"confirmed within {tolerance}"
    console.print(Text(verdict, style="bold red" if outside else "bold green"), soft_wrap=True)


_HEADINGS = (
    "billed tokens",
    "recorded tokens",
    "billed USD",
    "recorded USD",
    "coverage",
    "price error",
    "not seen",
    "mispriced",
    "without tokens",
)
_FIRST_TO_GO = ("billed tokens", "recorded tokens", "mispriced", "not seen")


def _cells(one: Any) -> list[str]:
    from tracked_inference.reporting.figures import money

    return [
        f"{one.billed_tokens:,}",
        f"{one.recorded_tokens:,}",
        money(one.billed_usd),
        money(one.recorded_usd),
        "-" if one.coverage is None else f"{one.coverage:.2%}",
        "-" if one.price_error is None else f"{one.price_error:+.2%}",
        money(one.missed_usd),
        money(one.price_usd),
        money(one.other_usd),
    ]
