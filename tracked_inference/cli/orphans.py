"""`tracked-inference orphans`: what is paid for and used by nothing. It never deletes."""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tracked_inference.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator, MutableMapping

    from tracked_inference.cloud.orphans import OrphanedResourceScanner, PriceBook, ScanReport

__all__ = ["command"]

_FILE = click.Path(dir_okay=False, path_type=Path)
_ONLY = click.option(
    "--only", multiple=True, metavar="DETECTOR", help="Run this detector alone. Repeat for more."
)
_REGIONS = click.option("--region", "regions", multiple=True, metavar="REGION",
                        help="Look here alone; default: every region the account has enabled.")  # fmt: skip
_ROLES = click.option("--role-arn", "role_arns", multiple=True, metavar="ARN",
                      help="Take this role, one for each account to look at. Repeat for more.")  # fmt: skip


class _Usd(click.ParamType):  # type: ignore[type-arg]  # generic only since click 8.4
    name = "USD"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Decimal:
        if isinstance(value, Decimal):
            return value
        try:
            figure = Decimal(str(value).removeprefix("$"))
        except InvalidOperation:
            self.fail(f"{value!r} is no sum of US dollars", param, ctx)
        if not figure.is_finite() or figure < 0:
            self.fail(f"{value!r} is no sum of US dollars", param, ctx)
        return figure


@click.group(name="orphans")
def command() -> None:
    """Find cloud resources that are paid for and used by nothing. Nothing is ever changed."""


@command.command()
@_REGIONS
@_ROLES
@click.option("--external-id", help="Given when taking the roles.")
@click.option("--format", "output", type=click.Choice(["table", "json", "csv", "markdown"]), default="table",
              show_default=True)  # fmt: skip
@click.option("--fail-over", type=_Usd(), help="Exit 1 when the known monthly cost is above this.")
@click.option("--prices", "price_file", type=_FILE, help="Your own rates, over the list prices.")
@click.option("--live-prices", is_flag=True, help="Ask AWS for the list prices of today.")
@click.option("--textfile", type=_FILE, help="Write the outcome as metrics to this .prom file, too.")
@_ONLY
@click.option(
    "--volume-days", type=click.IntRange(0), default=7, show_default=True, help="Age of unattached volumes."
)
@click.option(
    "--snapshot-days", type=click.IntRange(0), default=90, show_default=True, help="Age of snapshots."
)
@click.option("--idle-days", type=click.IntRange(1, 455), default=14, show_default=True,
              help="Days without traffic.")  # fmt: skip
@click.option("--idle-requests", type=click.IntRange(0), default=0, show_default=True,
              help="Requests in that time that still count as none.")  # fmt: skip
@click.option("--running-days", type=click.IntRange(0), default=30, show_default=True,
              help="How long a development instance may run.")  # fmt: skip
@click.option("--stopped-days", type=click.IntRange(0), default=14, show_default=True,
              help="How long one may be stopped.")  # fmt: skip
@click.option("--include-kubernetes-volumes", is_flag=True, help="Look at volumes of Kubernetes claims, too.")
@click.option("--workers", type=click.IntRange(1, 64), default=8, show_default=True, help="Threads.")
def scan(
    regions: tuple[str, ...],
    role_arns: tuple[str, ...],
    external_id: str | None,
    output: str,
    *,
    fail_over: Decimal | None,
    price_file: Path | None,
    live_prices: bool,
    textfile: Path | None,
    only: tuple[str, ...],
    workers: int,
    **thresholds: Any,
) -> None:
    """
    Scan AWS and report, the dearest first.

    Exit 0: done. 1: dearer than --fail-over. 2: bad input. 3: something could not be seen, whatever the cost.
    """
    from tracked_inference.cloud.orphans import OrphanedResourceScanner, PriceBook, Thresholds
    from tracked_inference.cloud.orphans.output import cents
    from tracked_inference.cloud.orphans.textfile import write_textfile

    if textfile is not None and textfile.suffix != ".prom":
        raise click.UsageError(f"--textfile {textfile}: the collector reads only files ending in .prom")
    try:
        prices = PriceBook.bundled()
        gaps: list[Any] = []
        if live_prices:
            prices, gaps = _live(prices, regions)
        if price_file is not None:
            prices = prices.with_file(price_file)
        scanner = OrphanedResourceScanner(
            regions or None,
            role_arns=role_arns,
            external_id=external_id,
            prices=prices,
            thresholds=Thresholds(**thresholds),
            only=only,
            workers=workers,
            extra_gaps=gaps,
        )
        with _logs_on_stderr():
            report = _with_progress(scanner)
    except ConfigurationError as error:
        raise click.UsageError(str(error)) from error
    _print(report, output)
    if textfile is not None:
        try:
            write_textfile(report, textfile)
        except OSError as error:
            raise click.UsageError(f"--textfile {textfile}: cannot be written: {error.strerror}") from error
    if report.gaps:
        click.echo(f"incomplete: {len(report.gaps)} gaps; what is there is unknown, not absent", err=True)
        sys.exit(3)
    if fail_over is not None and report.total_monthly_usd > fail_over:
        click.echo(f"over the limit: {cents(report.total_monthly_usd)} > {fail_over} USD a month", err=True)
        sys.exit(1)


def _live(prices: PriceBook, regions: tuple[str, ...]) -> tuple[PriceBook, list[Any]]:
    from tracked_inference.cloud.extras import load_boto3
    from tracked_inference.cloud.orphans.engine import gap_of
    from tracked_inference.cloud.orphans.live_prices import fetch_rates

    if not regions:
        raise click.UsageError("--live-prices needs --region: each region is a few dozen requests")
    try:
        rates = fetch_rates(load_boto3().Session(), regions)
    except ConfigurationError:
        raise
    except Exception as error:
        # The snapshot still prices the scan; that the prices are not of today is a gap.
        return prices, [gap_of(error, account=None, region="*", scan="prices")]
    return prices.with_rates(rates, "AWS Price List Query API, today"), []


@contextmanager
def _logs_on_stderr() -> Iterator[None]:
    """Keep structlog, which prints where the report goes unless told otherwise, off standard output."""
    import structlog

    before, was_configured = structlog.get_config().copy(), structlog.is_configured()

    def drop_gaps(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        if event["event"] == "orphan.scan.gap":  # said in words, below the report
            raise structlog.DropEvent
        return event

    structlog.configure(
        processors=[drop_gaps, *before["processors"]],
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
    )
    try:
        yield
    finally:
        structlog.configure(**before) if was_configured else structlog.reset_defaults()


def _with_progress(scanner: OrphanedResourceScanner) -> ScanReport:
    if not sys.stderr.isatty():
        return scanner.scan()
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("scanning"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("scanning", total=None)
        return scanner.scan(lambda done, total: progress.update(task, completed=done, total=total))


def _print(report: ScanReport, output: str) -> None:
    from tracked_inference.cloud.orphans.output import as_csv, as_json, as_markdown, gap_line

    if output == "json":
        click.echo(as_json(report))
    elif output == "markdown":
        click.echo(as_markdown(report), nl=False)
    elif output == "csv":
        click.echo(as_csv(report), nl=False)
    else:
        _print_table(report)
    for gap in report.gaps:
        click.echo(f"gap: {gap_line(gap)}", err=True)


def _print_table(report: ScanReport) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from tracked_inference.cloud.orphans.output import dollars

    console = Console(width=None if sys.stdout.isatty() else 180)
    if report.resources:
        table = Table("per month", "resource", "team", "days", "why")
        table.columns[0].justify = table.columns[3].justify = "right"
        for column in table.columns:
            column.overflow = "fold"  # a name that is cut off could not be looked up
        for each in report.resources:
            age = "" if each.age_days is None else str(each.age_days)
            name = each.resource_id.partition("loadbalancer/")[2] or each.resource_id
            place = f"{name}\n{each.resource_type}, {each.region}"
            cells = (dollars(each.monthly_cost_usd), place, each.team, age)
            table.add_row(*(Text(cell) for cell in cells), Text(each.reason))
        console.print(table)
        teams = Table("team", "per month", "resources")
        teams.columns[0].overflow = "fold"
        teams.columns[1].justify = teams.columns[2].justify = "right"
        for team, (usd, count) in report.by_team().items():
            teams.add_row(Text(team), dollars(usd), str(count))
        console.print(teams)
    monthly = report.total_monthly_usd
    unknown = f", {report.unknown_cost_count} of unknown cost" if report.unknown_cost_count else ""
    console.print(
        f"{len(report.resources)} resources, {dollars(monthly)} a month, {dollars(monthly * 12)} a year{unknown}"
        f" (list prices of {report.prices_version}, {len(report.regions)} regions)",
        highlight=False,
    )


@command.command()
@_ONLY
@_ROLES
@click.option("--live-prices", is_flag=True, help="Allow asking AWS for prices, too.")
def policy(only: tuple[str, ...], role_arns: tuple[str, ...], *, live_prices: bool) -> None:
    """Print the least IAM policy that a scan needs."""
    from tracked_inference.cloud.orphans.detectors import DETECTORS
    from tracked_inference.cloud.orphans.engine import check_names
    from tracked_inference.cloud.orphans.iam import declared_actions, iam_policy

    known = [detector.name for detector in DETECTORS]
    if unknown := [name for name in only if name not in known]:
        raise click.UsageError(f"no detector {unknown[0]!r}; there are {', '.join(known)}")
    try:
        check_names((), role_arns)
    except ConfigurationError as error:
        raise click.UsageError(str(error)) from error
    click.echo(iam_policy(declared_actions(only, live_prices=live_prices), role_arns), nl=False)


@command.command(short_help="Print the rates in use, in the shape of a --prices file.")
@_REGIONS
@click.option("--prices", "price_file", type=_FILE, help="Your own rates, over the list prices.")
@click.option("--live-prices", is_flag=True, help="Ask AWS for the list prices of today.")
def prices(regions: tuple[str, ...], price_file: Path | None, *, live_prices: bool) -> None:
    """Print the rates in use, in the shape of a --prices file; bundled instance rates are left out."""
    from tracked_inference.cloud.orphans import PriceBook

    try:
        book = PriceBook.bundled()
        if live_prices:
            book, gaps = _live(book, regions)
            if gaps:
                raise click.ClickException(f"no live prices: {gaps[0].message}")
        if price_file is not None:
            book = book.with_file(price_file)
    except ConfigurationError as error:
        raise click.UsageError(str(error)) from error
    if unknown := [region for region in regions if region not in book.regions()]:
        raise click.UsageError(f"no rates for {unknown[0]!r}; there are {', '.join(book.regions())}")
    click.echo(json.dumps(book.as_document(regions or book.regions()), indent=2))
