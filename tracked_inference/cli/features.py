"""`tracked-inference features`: check and list the registry file."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.table import Table

from tracked_inference.errors import ConfigurationError
from tracked_inference.registry import FILE, VARIABLE, FeatureRegistry, locate, read

if TYPE_CHECKING:
    from tracked_inference.registry import Feature

__all__ = ["command"]

_path = click.argument("path", type=click.Path(path_type=Path), required=False)
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group(name="features")
def command() -> None:
    """Check and list the features that the registry file declares."""


@command.command(short_help="Check the registry file.")
@_path
@_json
def check(path: Path | None, *, as_json: bool) -> None:
    """
    Check the registry file at PATH, or the one that a client here would find.

    Exits 0 when it is right, 1 when it has problems, 2 when there is none or it cannot be read.
    """
    found = _find(path)
    try:
        found.read_bytes().decode()
    except OSError as error:
        raise click.UsageError(f"{found} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise click.UsageError(f"{found} is not UTF-8 text; name a TOML file") from error
    registry, problems = read(found)
    if as_json:
        rows = [{"path": one.path, "line": one.line, "problem": one.what} for one in problems]
        click.echo(
            json.dumps(
                {"path": str(found), "features": len(registry.features) if registry else 0, "problems": rows}
            )
        )
    elif registry is not None:
        click.echo(f"{found}: {len(registry.features)} features, no problems")
    else:
        for one in problems:
            click.echo(str(one), err=True)
    raise SystemExit(0 if registry is not None else 1)


@command.command(name="list")
@_path
@_json
def list_features(path: Path | None, *, as_json: bool) -> None:
    """List the declared features: team, budget, models."""
    try:
        registry = FeatureRegistry.load(_find(path))
    except ConfigurationError as error:
        raise click.UsageError(str(error)) from error
    if as_json:
        click.echo(
            json.dumps({"path": registry.path, "features": [_row(one) for one in registry.features.values()]})
        )
        return
    table = Table("feature", "team", "service", "environment", "budget", "when spent", "models", box=None)
    for one in sorted(registry.features.values(), key=lambda feature: (feature.team, feature.name)):
        budget = ", ".join(f"${dollars:,} a {period}" for period, dollars in one.budget_usd.items()) or "none"
        table.add_row(
            one.name, one.team, one.service, one.environment, budget, one.on_budget, ", ".join(one.models)
        )
    console = Console()
    (console if console.is_terminal else Console(width=160)).print(table)  # a pipe has no width to fit in


def _find(path: Path | None) -> Path:
    named = path or (Path(os.environ[VARIABLE]) if os.environ.get(VARIABLE) else None)
    found = named or locate(Path.cwd())
    if found is None or not found.is_file():
        where = f"{found} is no file" if found else f"no {FILE} and no [tool.tracked-inference] here or above"
        raise click.UsageError(f"{where}; name the file, or set {VARIABLE}")
    return found


def _row(feature: Feature) -> dict[str, Any]:
    return {
        "name": feature.name,
        "team": feature.team,
        "owner": feature.owner,
        "service": feature.service,
        "environment": feature.environment,
        "component": feature.component,
        "cost_center": feature.cost_center,
        "budget_usd": {period: str(dollars) for period, dollars in feature.budget_usd.items()},
        "on_budget": feature.on_budget,
        "models": list(feature.models),
        "estimate": feature.estimate,
    }
