"""`tracked-inference report`: what calls cost, from the ledger or from Prometheus."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tracked_inference.cli._common import errors_as_exits, ledger_argument, ledgers_or_usage, progress_of

__all__ = ["command"]

_FORMATS = ("table", "markdown", "csv", "json")


@click.command(name="report")
@ledger_argument
@click.option(
    "--since",
    default="yesterday",
    show_default=True,
    help="today, yesterday, 7d, 24h, month, last-month or a date; UTC.",
)
@click.option(
    "--until",
    help="Its end: the same words; a day is included. Default: the end of --since's own span, or now.",
)
@click.option(
    "--by",
    default="feature",
    show_default=True,
    help="Dimensions, comma-separated; tag:NAME for tags; none for the total.",
)
@click.option("--feature", multiple=True, help="Only this feature; may be repeated.")
@click.option("--team", multiple=True, help="Only this team; may be repeated.")
@click.option("--model", multiple=True, help="Only this model; may be repeated.")
@click.option("--user", multiple=True, help="Only this user; may be repeated.")
@click.option(
    "--where",
    multiple=True,
    metavar="DIMENSION=VALUE",
    help="Only calls of this, `provider=azure` for instance.",
)
@click.option("--limit", type=int, help="Show this many rows; the total stays that of all.")
@click.option("--prometheus", metavar="URL", help="Ask a Prometheus instead of a ledger.")
@click.option(
    "--against",
    multiple=True,
    type=click.Path(path_type=Path),
    help="An estimate, plan or registry file: planned against actual; may be repeated.",
)
@click.option("--fail-over-plan", is_flag=True, help="With --against: exit 1 where a row is above its plan.")
@click.option(
    "--html",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write one self-contained page with charts.",
)
@click.option(
    "--format",
    "written",
    type=click.Choice(_FORMATS),
    default="table",
    show_default=True,
    help="How to print.",
)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@click.option("--compare/--no-compare", default=True, help="Whether to compare with the period before.")
@click.option("--cache/--no-cache", default=True, help="Whether to keep roll-ups of large ledgers.")
@errors_as_exits
def command(
    ledger: tuple[str, ...],
    since: str,
    until: str | None,
    by: str,
    limit: int | None,
    prometheus: str | None,
    against: tuple[Path, ...],
    html: Path | None,
    written: str,
    where: tuple[str, ...],
    *,
    fail_over_plan: bool,
    as_json: bool,
    compare: bool,
    cache: bool,
    **chosen: tuple[str, ...],
) -> None:
    """
    Show what calls cost during a period: from the ledger at LEDGER (directories, files, globs), or from Prometheus.

    Without LEDGER the variable TRACKED_INFERENCE_LEDGER names it.
    Exits 0; 1 with --fail-over-plan where a row is above its plan; 2 for wrong input; 3 where a Prometheus does not answer.
    """
    from tracked_inference.reporting.against import read_plan, with_plan
    from tracked_inference.reporting.periods import period_of
    from tracked_inference.reporting.query import dimensions_of

    period = period_of(since, until)
    dimensions = () if by.strip() == "none" else dimensions_of(by)
    only = _only(chosen, where)
    plan = {name: dollars for path in against for name, dollars in read_plan(path).items()} or None
    if fail_over_plan and plan is None:
        raise click.UsageError("--fail-over-plan needs --against")
    if prometheus is not None:
        if (
            ledger
            and click.get_current_context().get_parameter_source("ledger")
            is click.core.ParameterSource.COMMANDLINE
        ):
            raise click.UsageError("name a ledger or a --prometheus, not both")
        from tracked_inference.reporting.prometheus_report import prometheus_report

        with progress_of("asking Prometheus") as progress:
            report = prometheus_report(
                prometheus, period, dimensions, only=only, compare=compare, limit=limit, progress=progress
            )
    else:
        from tracked_inference.reporting.ledger_report import ledger_report

        places = ledgers_or_usage(ledger)
        with progress_of("reading") as progress:
            report = ledger_report(
                places,
                period,
                dimensions,
                only=only,
                compare=compare,
                limit=limit,
                cache=cache,
                progress=progress,
            )
    if plan is not None:
        report = with_plan(report, plan, only)
    if html is not None:
        from tracked_inference.reporting.html import to_html

        _write(html, to_html(report))
    _print(report, "json" if as_json else written)
    over = [row for row in report.rows if row.planned_usd is not None and row.now.cost_usd > row.planned_usd]
    if fail_over_plan and over:
        for row in over:
            click.echo(f"{row.key[0]}: above its plan", err=True)
        raise SystemExit(1)


def _only(chosen: dict[str, tuple[str, ...]], where: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    only = {word: values for word, values in chosen.items() if values}
    for one in where:
        word, equals, value = one.partition("=")
        if not equals:
            raise click.UsageError(f"--where {one}: say DIMENSION=VALUE, provider=azure for instance")
        only[word] = (*only.get(word, ()), value)
    return only


def _print(report: Any, written: str) -> None:
    from tracked_inference.reporting import render

    if written == "table":
        from rich.console import Console

        from tracked_inference.reporting.terminal import print_report

        print_report(report, Console())
    else:
        text = {"markdown": render.to_markdown, "csv": render.to_csv, "json": render.to_json}[written](report)
        click.echo(text, nl=not text.endswith("\n"))


def _write(path: Path, text: str) -> None:
    from tracked_inference.errors import ConfigurationError

    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be written: {error.strerror or error}") from error
