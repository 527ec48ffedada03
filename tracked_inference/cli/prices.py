"""`tracked-inference prices`: what models cost, why a call costs what it costs, and keeping the table."""

from __future__ import annotations

import difflib
import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.table import Table

from tracked_inference.errors import PriceTableError
from tracked_inference.pricing import PriceTable
from tracked_inference.pricing.explain import OPERATIONS, explanation, price_saved, recognise
from tracked_inference.pricing.reasons import meaning
from tracked_inference.pricing.units import UNITS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracked_inference.pricing.revise import Change

__all__ = ["command"]


class BadInput(click.ClickException):
    """What was given cannot be used: exit code 2."""

    exit_code = 2


class _Instant(click.ParamType[datetime]):
    """A day or an instant."""

    name = "date"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if isinstance(value, datetime):
            return value
        try:
            at = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is no date; write 2026-11-23 or 2026-11-23T08:00:00+01:00", param, ctx)
        return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


_at = click.option(
    "--at", type=_Instant(), help="Price as of this day or instant (UTC unless it says); default now."
)
_json = click.option(
    "--json", "as_json", is_flag=True, help="Print JSON; docs/reference/prices-json.md describes it."
)
_prices = click.option(
    "--prices",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A price file to lay over the bundled table; default the one that TRACKED_INFERENCE_PRICES names.",
)
_existing = click.Path(path_type=Path, exists=True, dir_okay=False)


def _table(prices: Path | None) -> PriceTable:
    try:
        return PriceTable.default() if prices is None else PriceTable.bundled().with_overlay(prices)
    except PriceTableError as error:
        raise BadInput(str(error)) from error


def _console() -> Console:
    console = Console()
    return console if console.is_terminal else Console(width=140, no_color=True, highlight=False)


def _dump(content: object) -> None:
    click.echo(json.dumps(content, indent=2, ensure_ascii=False))


@click.group()
def command() -> None:
    """What models cost, and why a call costs what it costs."""


@command.command("list")
@click.option("--provider", help="Only this seller: anthropic, openai, bedrock, vertex, azure, ….")
@_at
@_prices
@_json
def list_models(provider: str | None, at: datetime | None, prices: Path | None, as_json: bool) -> None:
    """List the models and what a million tokens cost."""
    table, when = _table(prices), at or datetime.now(UTC)
    entries = []
    for seller, model in table.models(provider):
        rates = table.rates(seller, model, when, region="global")
        entries.append(
            {
                "provider": seller,
                "model": model,
                "usd": {unit: format(rate, "f") for unit, rate in rates.items()},
            }
        )
    if not entries:
        sellers = ", ".join(sorted({pair[0] for pair in table.models()}))
        raise BadInput(
            f"no model of {provider!r} is in table {table.version}; sellers with rows of their own: {sellers}"
        )
    if as_json:
        _dump(
            {
                "table_version": table.version,
                "table_sha256": table.sha256,
                "at": when.isoformat(),
                "models": entries,
            }
        )
        return
    shown = Table("seller", "model", title=f"US dollars per million tokens, table {table.version}")
    units = ("input", "cache_read", "cache_write_5m", "cache_write_1h", "output")
    for unit in units:
        shown.add_column(unit, justify="right")
    for entry in entries:
        usd: Mapping[str, str] = entry["usd"]  # type: ignore[assignment]
        shown.add_row(
            str(entry["provider"]), str(entry["model"]), *(_million(usd.get(unit)) for unit in units)
        )
    _console().print(shown)


def _million(rate: str | None) -> str:
    return "" if rate is None else _short(Decimal(rate) * 1_000_000)


def _short(amount: Decimal) -> str:
    return format(amount.normalize(), "f")


@command.command(short_help="Show every rate of a model that is in force.")
@click.argument("model")
@click.option("--provider", help="Who sells it; default the maker, or what stands before a slash in MODEL.")
@_at
@_prices
@_json
def show(model: str, provider: str | None, at: datetime | None, prices: Path | None, as_json: bool) -> None:
    """Show every rate of MODEL that is in force, and where it comes from."""
    table, when = _table(prices), at or datetime.now(UTC)
    seller, name = _seller(table, model, provider, when)
    rows = table.rows(seller, name, when)
    if not rows:
        known = sorted({one for _, one in table.models()})
        close = difflib.get_close_matches(name, known, 3)
        hint = f"; did you mean {' or '.join(close)}?" if close else ""
        raise BadInput(
            f"no price for {name!r} of {seller} on {when:%Y-%m-%d}{hint}"
            " To add it to your overlay file: see docs/howto/prices.md"
        )
    canonical, rules = table.canonical(seller, name, when), table.rules(seller, name, when)
    if as_json:
        _dump(
            {
                "model": canonical,
                "provider": seller,
                "at": when.isoformat(),
                "rows": [dict(row) for row in rows],
                "rules": list(rules),
                "table_version": table.version,
                "table_sha256": table.sha256,
            }
        )
        return
    shown = Table("for", "unit", title=f"{canonical} on {when:%Y-%m-%d}, table {table.version}")
    for column in ("USD", "in long requests", "per"):
        shown.add_column(column, justify="right")
    shown.add_column("since")
    shown.add_column("source", overflow="fold")
    for row in sorted(
        rows, key=lambda row: (row["model"] == "*" and not row.get("free"), bool(row.get("when")))
    ):
        _add_row(shown, row)
    console = _console()
    console.print(shown)
    if rules:
        console.print(f"Rules that can move these rates: {', '.join(rules)}")


def _seller(table: PriceTable, model: str, provider: str | None, at: datetime) -> tuple[str, str]:
    """Whose price is asked for: as given, as the label says, or the maker's."""
    if provider is not None:
        return provider, model
    before, slash, after = model.partition("/")
    if slash and table.rows(before, after, at):
        return before, after
    for maker in ("anthropic", "openai"):
        if table.rows(maker, model, at):
            return maker, model
    others = [seller for seller, name in table.models() if name == model]
    return (others[0] if others else "anthropic" if model.startswith("claude") else "openai"), model


def _add_row(shown: Table, row: Mapping[str, Any]) -> None:
    mode = ", ".join(key if value is True else f"{key}={value}" for key, value in row.get("when", {}).items())
    mode = mode or ("any model" if row["model"] == "*" else "standard")
    since, source = str(row.get("effective_from") or "always"), str(row["source"])
    for unit, rate in sorted(row["rates"].items()):
        longer = [
            f"{rates[unit]} above {int(limit):,}"
            for limit, rates in row.get("above", {}).items()
            if unit in rates
        ]
        shown.add_row(mode, unit, str(rate), ", ".join(longer), _per(unit), since, source)
    if row.get("free"):
        shown.add_row(mode, "everything", "0", "", "", since, source)


def _per(unit: str) -> str:
    return f"{UNITS[unit.partition('@')[0]]:,}"


def _rate(unit: str, rate: Decimal) -> str:
    """A rate in the numbers that price lists use: per million tokens, per thousand searches."""
    if unit not in UNITS or UNITS[unit] in (1, 3600):
        return format(rate, "f")
    return f"{_short(rate * UNITS[unit])} per {UNITS[unit]:,}"


@command.command(short_help="Explain what a saved response costs, line by line.")
@click.argument("response", type=_existing)
@click.option("--provider", help="Who sold the call; default the vendor whose format it is.")
@click.option(
    "--operation", type=click.Choice(OPERATIONS), help="What was called, where the file does not show it."
)
@click.option(
    "--model", help="The model that was asked for; needed where the response names none (images, audio)."
)
@click.option(
    "--region", help="us or eu for OpenAI's regional hosts, a Vertex location, data_zone for Azure."
)
@_at
@_prices
@_json
def explain(
    response: Path,
    provider: str | None,
    operation: str | None,
    model: str | None,
    region: str | None,
    at: datetime | None,
    prices: Path | None,
    as_json: bool,
) -> None:
    """Explain what the call of a saved RESPONSE (JSON) costs, line by line."""
    table = _table(prices)
    try:
        content = json.loads(response.read_bytes())
    except ValueError as error:
        raise BadInput(
            f"{response} is not JSON: {error}; save the response with .to_json() or model_dump_json()"
        ) from error
    if not isinstance(content, dict):
        raise BadInput(
            f"{response} holds JSON that is not one response; save one response to a file of its own"
        )
    saved = recognise(content, operation)
    if saved is None:
        raise BadInput(f"{response} is no response that is known here; name what was called with --operation")
    seller, when = provider or saved.vendor, at or saved.at or datetime.now(UTC)
    usage, cost = price_saved(saved, table, provider=seller, at=when, requested_model=model, region=region)
    content = explanation(saved, usage, cost, provider=seller, at=when)
    if as_json:
        _dump(content)
        return
    title = f"{cost.model}: {saved.operation} at {seller}, {when.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    shown = Table("unit", title=title)
    for column in ("quantity", "rate USD", "amount USD"):
        shown.add_column(column, justify="right")
    shown.add_column("model")
    shown.add_column("rules")
    amounts = _aligned([line.amount_usd for line in cost.lines])
    for line, amount in zip(cost.lines, amounts, strict=True):
        rules = ", ".join(line.rules)
        shown.add_row(
            line.unit, f"{line.quantity:,}", _rate(line.unit, line.rate_usd), amount, line.model, rules
        )
    console = _console()
    console.print(shown if cost.lines else title)
    total = "unknown" if cost.total_usd is None else f"{content['total_usd']} USD"
    if cost.list_usd != cost.total_usd:
        total += f" (list price {content['list_usd']} USD)"
    console.print(f"Total {total}, {cost.status}; table {cost.table_version}")
    for reason in cost.reasons:
        console.print(f"  {reason}: {meaning(reason)}", soft_wrap=True)
    if cost.status == "unpriced":
        console.print(
            "To give it a price, add it to your overlay file: see docs/howto/prices.md", soft_wrap=True
        )


def _aligned(amounts: list[Decimal]) -> list[str]:
    """Amounts in full, each with as many places as the longest, so that they stand under one another."""
    places = max((len(format(amount, "f").partition(".")[2]) for amount in amounts), default=0)
    return [f"{amount:.{places}f}" for amount in amounts]


@command.command()
@click.argument("old", type=_existing)
@click.argument("new", type=_existing)
@_at
@_json
def diff(old: Path, new: Path, at: datetime | None, as_json: bool) -> None:
    """Show what differs between two table files, in the rates in force."""
    from tracked_inference.pricing.revise import differences, read_table

    day = f"{at or datetime.now(UTC):%Y-%m-%d}"
    try:
        changes = differences(read_table(old), read_table(new), day)
    except PriceTableError as error:
        raise BadInput(str(error)) from error
    _print_changes(changes, as_json=as_json)


def _print_changes(changes: list[Change], *, as_json: bool = False) -> None:
    if as_json:
        _dump(
            [
                {
                    "kind": one.kind,
                    "provider": one.provider,
                    "model": one.model,
                    "unit": one.unit,
                    "mode": one.mode,
                    "old": None if one.old is None else format(one.old, "f"),
                    "new": None if one.new is None else format(one.new, "f"),
                    "effective_from": one.effective_from,
                }
                for one in changes
            ]
        )
        return
    if not changes:
        click.echo("No difference in the rates in force.")
        return
    shown = Table("", "seller", "model", "unit", "for", title=f"{len(changes)} differences")
    shown.add_column("old", justify="right")
    shown.add_column("new", justify="right")
    for one in changes:
        old, new = ("" if rate is None else format(rate, "f") for rate in (one.old, one.new))
        shown.add_row(one.kind, one.provider, one.model, one.unit or "", one.mode, old, new)
    _console().print(shown)


@command.command()
@click.argument("file", type=_existing)
def check(file: Path) -> None:
    """Check a price FILE: an overlay (TOML or JSON) or a whole table."""
    try:
        table = PriceTable.bundled().with_overlay(file)
    except PriceTableError as error:
        raise click.ClickException(str(error)) from error
    own = len(table.models()) - len(PriceTable.bundled().models())
    click.echo(f"{file}: good; {len(table.models())} models in all, {own:+} against the bundled table")
    click.echo(f"version {table.version}, sha256 {table.sha256}")


@command.command()
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("prices.json"),
    show_default=True,
)
@click.option("--from", "previous", type=_existing, help="The table to follow; default the bundled one.")
@click.option("--allow-shrink", is_flag=True, help="Accept a table that has lost models or rates.")
@click.option("--allow-jumps", is_flag=True, help="Accept rates that moved more than five-fold.")
@click.option("--dry-run", is_flag=True, help="Only show what would change.")
def refresh(
    output: Path, previous: Path | None, allow_shrink: bool, allow_jumps: bool, dry_run: bool
) -> None:
    """
    Write a new table file from the genai-prices that is installed.

    Nothing is fetched: install the version of genai-prices that you want first.
    Use the file by naming it in TRACKED_INFERENCE_PRICES, or as `table` in your overlay.
    """
    from tracked_inference.pricing._canonical import canonical_bytes, sha256_of
    from tracked_inference.pricing.build import DATA, build_table
    from tracked_inference.pricing.revise import differences, objections, read_table, succeed

    today = f"{datetime.now(UTC):%Y-%m-%d}"
    try:
        made = build_table()
    except ImportError as error:
        raise BadInput("genai-prices is not installed; run: pip install genai-prices") from error
    try:
        old = read_table(previous or DATA)
    except PriceTableError as error:
        raise BadInput(str(error)) from error
    new = succeed(old, made, today)
    _print_changes(differences(old, new, today))
    against = objections(old, made, today, allow_shrink=allow_shrink, allow_jumps=allow_jumps)
    if against:
        raise click.ClickException("not written:\n" + "\n".join(f"  {one}" for one in against))
    if dry_run:
        return
    content = canonical_bytes(new)
    output.write_bytes(content)
    click.echo(f"wrote {output}: version {new['version']}, sha256 {sha256_of(content)}")
