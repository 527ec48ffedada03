"""`tracked-inference export`: the ledger in the forms that other tools read."""

from __future__ import annotations

import contextlib
import json
import sys
import tempfile
from pathlib import Path

import click

from tracked_inference.cli._common import (
    INCOMPLETE,
    errors_as_exits,
    ledger_argument,
    ledgers_or_usage,
    progress_of,
)

__all__ = ["command"]


@click.group(name="export")
def command() -> None:
    """Write the ledger in the forms that other tools read."""


@command.command(short_help="Write FOCUS rows, as CSV or Parquet.")
@ledger_argument
@click.option("--since", default="last-month", show_default=True, help="The first day; UTC.")
@click.option("--until", help="The last day, included; UTC. Default: the end of --since's own span.")
@click.option(
    "--focus-version",
    type=click.Choice(["1.4", "1.2"]),
    default="1.4",
    show_default=True,
    help="Of the specification.",
)
@click.option(
    "--granularity",
    type=click.Choice(["day", "hour"]),
    default="day",
    show_default=True,
    help="The charge period.",
)
@click.option(
    "--tag",
    multiple=True,
    default=("environment",),
    show_default=True,
    help="A tag of the calls that goes into Tags.",
)
@click.option(
    "--billing-account",
    multiple=True,
    metavar="PROVIDER=ID",
    help="Your account at a provider; may be repeated.",
)
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A .csv or .parquet file; default: CSV to standard output.",
)
@click.option("--strict", is_flag=True, help="Exit 3 where calls without a cost had to be left out.")
@click.option("--json", "as_json", is_flag=True, help="Say as JSON what was written; needs --output.")
@click.option("--cache/--no-cache", default=True, help="Whether to keep roll-ups of large ledgers.")
@errors_as_exits
def focus(
    ledger: tuple[str, ...],
    since: str,
    until: str | None,
    focus_version: str,
    granularity: str,
    tag: tuple[str, ...],
    billing_account: tuple[str, ...],
    output: Path | None,
    *,
    strict: bool,
    as_json: bool,
    cache: bool,
) -> None:
    """
    Write FOCUS rows (FinOps Open Cost and Usage Specification) of the ledger at LEDGER, as CSV or Parquet.

    The rows are the consumer's estimate and not a bill; every one says so in x_Estimated.
    Exits 0; 2 for wrong input; 3 with --strict where calls without a cost had to be left out.
    """
    from tracked_inference.errors import ConfigurationError
    from tracked_inference.reporting.database import Calls
    from tracked_inference.reporting.focus import focus_rows, left_out, write_csv, write_parquet
    from tracked_inference.reporting.periods import period_of

    if as_json and output is None:
        raise click.UsageError("--json says what was written to a file: give --output")
    if output is not None and output.suffix not in {".csv", ".parquet"}:
        raise click.UsageError(f"{output}: say .csv or .parquet")
    accounts = dict(_account(one) for one in billing_account)
    period = period_of(since, until)
    places = ledgers_or_usage(ledger)
    with contextlib.ExitStack() as stack:
        scratch = stack.enter_context(tempfile.TemporaryDirectory())
        with progress_of("reading the ledger") as progress:
            calls = stack.enter_context(Calls(places, [period], lines=True, cache=cache, progress=progress))
            if calls.logs:
                raise ConfigurationError(
                    "FOCUS needs a ledger: log lines do not say what a call was charged for"
                )
            rows = focus_rows(
                calls, version=focus_version, hourly=granularity == "hour", tags=tag, accounts=accounts
            )
            missing = left_out(calls)
        if output is None:
            count = write_csv(rows, focus_version, sys.stdout)
        elif output.suffix == ".parquet":
            count = write_parquet(rows, focus_version, output, calls, Path(scratch) / "rows.csv")
        else:
            try:
                with output.open("w", encoding="utf-8", newline="") as file:
                    count = write_csv(rows, focus_version, file)
            except OSError as error:
                raise ConfigurationError(f"{output}: cannot be written: {error.strerror or error}") from error
        damaged = calls.damaged
    if as_json:
        told = {
            "output": str(output),
            "version": focus_version,
            "rows": count,
            "calls_left_out": missing,
            "damaged_lines": damaged,
        }
        click.echo(json.dumps(told))
    elif output is not None:
        click.echo(f"{output}: {count:,} rows of FOCUS {focus_version}, {period}", err=True)
    if missing:
        click.echo(
            f"{missing:,} calls have no price or no usage and are left out: the true cost is higher.",
            err=True,
        )
    if damaged:
        click.echo(f"{damaged:,} damaged lines were left out.", err=True)
    if strict and (missing or damaged):
        raise SystemExit(INCOMPLETE)


def _account(text: str) -> tuple[str, str]:
    provider, equals, account = text.partition("=")
    if not equals or not account:
        raise click.UsageError(f"--billing-account {text}: say PROVIDER=ID, anthropic=org-1 for instance")
    return provider, account
