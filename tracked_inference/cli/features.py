"""`tracked-inference features`: check and list the registry file."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tracked_inference.errors import ConfigurationError, UnpricedModelError
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

    Models without a price and estimates that are not there are noted: both may still come, and a client runs without them.

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
    notes = _notes(registry) if registry is not None else []
    if as_json:
        rows = [{"path": one.path, "line": one.line, "problem": one.what} for one in problems]
        features = len(registry.features) if registry else 0
        click.echo(json.dumps({"path": str(found), "features": features, "problems": rows, "notes": notes}))
    elif registry is not None:
        many = len(registry.features)
        click.echo(f"{found}: {many} feature{'s' * (many != 1)}, no problems")
        for note in notes:
            click.echo(f"Note: {note}", err=True)
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
    table = Table(box=None)
    for heading in ("feature", "team", "service", "environment", "budget", "when spent", "models"):
        table.add_column(heading, overflow="fold", no_wrap=heading in ("feature", "team"))
    for one in sorted(registry.features.values(), key=lambda feature: (feature.team, feature.name)):
        budget = ", ".join(f"${dollars:,} a {period}" for period, dollars in one.budget_usd.items()) or "none"
        cells = (
            one.name,
            one.team,
            one.service,
            one.environment,
            budget,
            one.on_budget,
            ", ".join(one.models),
        )
        table.add_row(*map(Text, cells))  # brackets in a name are no markup
    console = Console()
    (console if console.is_terminal else Console(width=160)).print(table)  # a pipe has no width to fit in


def _notes(registry: FeatureRegistry) -> list[str]:
    """What may be meant, and may be a typing error."""
    from tracked_inference.planning._costing import seller_of_model
    from tracked_inference.pricing import PriceTable

    notes, prices, at = [], PriceTable.default(), datetime.now(UTC)
    for feature in registry.features.values():
        for model in feature.models:
            try:
                seller_of_model(prices, model, at)
            except UnpricedModelError as error:
                notes.append(f"features.{feature.name}: {error}")
        if feature.estimate is not None and not (Path(registry.path).parent / feature.estimate).is_file():
            notes.append(f"features.{feature.name}: the estimate {feature.estimate} is not there")
    return notes


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
