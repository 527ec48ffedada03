"""`tracked-inference grafana`: the dashboards and rules of the installed package, ready to load."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import click

from tracked_inference.grafana.manifests import FORMATS, Export, written
from tracked_inference.grafana.settings import Settings

__all__ = ["command"]

_DEFAULTS = Settings()
_MATCHER = re.compile(r'\s*[A-Za-z_]\w*\s*(?:=~|!~|!=|=)\s*"(?:[^"\\]|\\.)*"\s*')


@click.group(name="grafana")
def command() -> None:
    """Dashboards, recording rules and alerts."""


@command.command()
@click.option(
    "--format", "form", type=click.Choice(FORMATS), default="files", show_default=True, help="For whom."
)
@click.option(
    "--to", "folder", type=click.Path(path_type=Path, file_okay=False), required=True, help="Target folder."
)
@click.option("--force", is_flag=True, help="Overwrite files that were changed.")
@click.option(
    "--selector",
    multiple=True,
    metavar="MATCHER",
    help="""Only these series, 'job="api"' for instance; repeatable.""",
)
@click.option(
    "--job",
    default="app",
    show_default=True,
    help="Name of the scrape job; in Kubernetes the service's label app.",
)
@click.option(
    "--target",
    "targets",
    multiple=True,
    default=["host.docker.internal:8000"],
    show_default=True,
    help="Where to scrape; repeatable.",
)
@click.option(
    "--team", "teams", multiple=True, help="A team with an Alertmanager route of its own; repeatable."
)
@click.option("--namespace", default="", help="Kubernetes namespace.")
@click.option("--otel", is_flag=True, help="Also the names of OpenTelemetry's GenAI conventions.")
@click.option(
    "--runbook-base",
    default=_DEFAULTS.runbook_base,
    show_default=True,
    help="What stands before <AlertName>.md in runbook_url.",
)
@click.option(
    "--page",
    default=_DEFAULTS.severity_page,
    show_default=True,
    help="Severity of what should wake somebody.",
)
@click.option(
    "--ticket", default=_DEFAULTS.severity_ticket, show_default=True, help="Severity of what can wait."
)
@click.option(
    "--runaway-floor-usd-per-hour",
    type=click.FloatRange(min=0, min_open=True),
    default=_DEFAULTS.runaway_floor_usd_per_hour,
    show_default=True,
    help="Four times this is the smallest spend that pages.",
)
@click.option(
    "--spend-usd-per-hour",
    type=click.FloatRange(min=0, min_open=True),
    default=_DEFAULTS.spend_usd_per_hour,
    show_default=True,
    help="Report any feature above this.",
)
@click.option(
    "--min-calls",
    type=click.IntRange(min=1),
    default=_DEFAULTS.min_calls,
    show_default=True,
    help="Fewer calls in a window are noise.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the written files as JSON.")
def export(
    *,
    form: str,
    folder: Path,
    force: bool,
    selector: tuple[str, ...],
    job: str,
    targets: tuple[str, ...],
    teams: tuple[str, ...],
    namespace: str,
    otel: bool,
    runbook_base: str,
    page: str,
    ticket: str,
    runaway_floor_usd_per_hour: float,
    spend_usd_per_hour: float,
    min_calls: int,
    as_json: bool,
) -> None:
    """
    Write dashboards, rules and what loads them into a folder.

    files: Grafana and Prometheus folders, provisioning, Alertmanager routes, a compose.yaml.
    kubernetes: PrometheusRule, ServiceMonitor, a ConfigMap for each dashboard, a kustomization.
    terraform: the grafana provider's folder and dashboards.

    Exits 0 when all is written, 2 when a file is in the way or an option is wrong.
    """
    for one in selector:
        if not _MATCHER.fullmatch(one):
            raise click.BadParameter(
                f"""{one!r} is no matcher; write it like 'job="api"'""", param_hint="--selector"
            )
    settings = dataclasses.replace(
        _DEFAULTS,
        matchers=tuple(one.strip() for one in selector),
        runbook_base=runbook_base,
        severity_page=page,
        severity_ticket=ticket,
        runaway_floor_usd_per_hour=runaway_floor_usd_per_hour,
        spend_usd_per_hour=spend_usd_per_hour,
        min_calls=min_calls,
    )
    files = written(form, Export(settings, job, targets, tuple(dict.fromkeys(teams)), namespace, otel))
    changed = [
        name
        for name, text in files.items()
        if (folder / name).exists() and (folder / name).read_bytes() != text.encode()
    ]
    if changed and not force:
        raise click.UsageError(
            f"{folder} holds other versions of {', '.join(changed)}; --force overwrites them"
        )
    try:
        for name, text in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(text.encode())
    except OSError as error:
        raise click.UsageError(f"cannot write to {folder}: {error}") from error
    if as_json:
        click.echo(json.dumps({"folder": str(folder), "files": sorted(files)}))
    else:
        for name in sorted(files):
            click.echo(f"{folder / name}")
