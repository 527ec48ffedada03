"""`tracked-inference estimate`: what a feature will cost, from flags or the file beside it, for people and for CI."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from tracked_inference.cli._common import INCOMPLETE, progress_of
from tracked_inference.errors import (
    ConfigurationError,
    TrackedInferenceError,
    UnavailableError,
    UnpricedModelError,
)
from tracked_inference.planning.estimate_file import EstimateFile, scenario_of
from tracked_inference.planning.projection import compare, project
from tracked_inference.planning.render import Ceiling, Sheet, as_json, as_markdown, as_plan, as_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracked_inference.planning.measured import Measured
    from tracked_inference.planning.projection import Estimate
    from tracked_inference.planning.scenario import Scenario
    from tracked_inference.registry import Feature

__all__ = ["command"]

OVER_BUDGET = 1
_PARTS = 3


class _Quantity(click.ParamType):  # type: ignore[type-arg]  # generic in the newest click alone
    """A number, or `low:expected:high`."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not isinstance(value, str):
            return value
        parts = value.split(":")
        if len(parts) not in (1, _PARTS) or "," in value:
            self.fail(
                f"{value!r} must be a number like 8000 or 8_000, or low:expected:high like 4000:8000:20000",
                param,
                ctx,
            )
        try:
            numbers = [Decimal(part) for part in parts]
        except InvalidOperation:
            self.fail(f"{value!r} is not a number", param, ctx)
        return numbers[0] if len(numbers) == 1 else tuple(numbers)


_QUANTITY = _Quantity()
_F = TypeVar("_F", bound="Callable[..., Any]")


def _number(option: str, name: str, text: str) -> Callable[[_F], _F]:
    return click.option(option, name, type=_QUANTITY, metavar="N|LOW:EXPECTED:HIGH", help=text)


@click.command(name="estimate")
@click.argument("file", required=False, type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--feature", metavar="NAME", help="The feature; a declared one brings its team, estimate file and budget."
)
@click.option("--model", metavar="NAME", help="The model that answers.")
@click.option(
    "--mix", multiple=True, metavar="MODEL=SHARE", help="Instead of --model: a share of the calls. Repeat."
)
@click.option(
    "--compare", "compared", multiple=True, metavar="MODEL", help="Another model to compare with. Repeat."
)
@_number("--users", "monthly_users", "Monthly users.")
@_number("--daily-share", "daily_share", "The part of them that comes on a day, 0 to 1.")
@_number("--requests", "requests_per_user_per_day", "Requests of such a user on such a day.")
@_number(
    "--requests-per-day", "requests_per_day", "All requests of a day, instead of users and their habits."
)
@_number("--growth", "growth_per_month", "Growth from month to month: 0.1 is ten per cent.")
@_number("--input-tokens", "input_tokens", "Tokens into a call, cached ones included.")
@_number("--output-tokens", "output_tokens", "Tokens out of a call, reasoning included.")
@_number("--cached-share", "cached_share", "The part of the input read from a cache, 0 to 1.")
@_number("--cache-write-share", "cache_write_share", "The part of the input written to a cache, 0 to 1.")
@click.option(
    "--cache-lifetime", type=click.Choice(["5m", "30m", "1h", "12h"]), help="The cache that is written to."
)
@_number("--batch-share", "batch_share", "The part of the calls in batches, 0 to 1.")
@_number("--retry-rate", "retry_rate", "Calls made and paid again for each request: 0.05 is one in twenty.")
@click.option(
    "--from-ledger", metavar="PATH", help="Take tokens and traffic from a ledger: directory, file or pattern."
)
@click.option("--from-prometheus", metavar="URL", help="Take tokens and traffic from Prometheus.")
@click.option("--measured-days", type=click.IntRange(1, 365), default=30, show_default=True,
              help="How many whole UTC days of measurements to take.")  # fmt: skip
@click.option(
    "--budget", type=_QUANTITY, metavar="USD", help="Dollars a month; exit 1 when the estimate is over."
)
@click.option("--budget-against", type=click.Choice(["low", "expected", "high"]), default="expected", show_default=True,
              help="Which end of the estimate is held against the budget.")  # fmt: skip
@click.option("--scale", "scales", multiple=True, type=_QUANTITY, metavar="FACTOR", default=(Decimal(10),),
              help="What if there were so many times the users? Repeat.  [default: 10]")  # fmt: skip
@click.option(
    "--format",
    "output",
    type=click.Choice(["text", "markdown", "json", "plan"]),
    default="text",
    show_default=True,
)
@click.option("--json", "as_json_", is_flag=True, help="The same as --format json.")
@click.option(
    "--config",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The registry file, if not found by itself.",
)
def command(
    *,
    file: Path | None,
    feature: str | None,
    model: str | None,
    mix: tuple[str, ...],
    compared: tuple[str, ...],
    from_ledger: str | None,
    from_prometheus: str | None,
    measured_days: int,
    budget: Any,
    budget_against: str,
    scales: tuple[Any, ...],
    output: str,
    config: Path | None,
    as_json_: bool,
    **numbers: Any,
) -> None:
    """
    Estimate what a feature costs a month, from flags or from a TOML FILE kept beside it; flags win.

    A number that is not known is given as low:expected:high.

    Exit 0: estimated, and within the budget if there is one. 1: over the budget. 2: a file, an argument or a model
    cannot be used. 3: the Prometheus of --from-prometheus does not answer.
    """
    try:
        declared = _declared(feature, config)
        found = _file(file, declared, config)
        given: dict[str, Any] = dict(found.given) if found is not None else {}
        given.update({name: value for name, value in numbers.items() if value is not None})
        _one_kind_of_traffic(given, numbers)
        if declared is not None:
            given["team"] = given.get("team") or declared.team
        if feature is not None:
            given["feature"] = feature
        if model is not None or mix:
            given["models"] = _models(model, mix)
        source = found.path if found is not None else "flags"
        measured = _measured(given, from_ledger, from_prometheus, measured_days)
        if measured is not None:
            given = measured.over(given, keep_models=model is not None or bool(mix))
        given.setdefault("feature", "this feature")
        estimate = _projected(scenario_of(given, source), measured)
        others = compared or (found.compare if found is not None else ())
        sheet = Sheet(
            estimate,
            compared=compare(estimate.scenario, others, at=estimate.at),
            scales=tuple((factor, estimate.times(factor)) for factor in map(_single, scales)),
            budget=_budget(budget, budget_against, declared),
            measured=measured.sentences() if measured is not None else (),
        )
    except UnavailableError as error:
        click.echo(f"Error: {error}", err=True)
        raise SystemExit(INCOMPLETE) from None
    except TrackedInferenceError as error:
        raise click.UsageError(str(error)) from error
    show = {"text": as_text, "markdown": as_markdown, "json": as_json, "plan": as_plan}[
        "json" if as_json_ else output
    ]
    click.echo(show(sheet))
    if sheet.budget is not None and sheet.budget.over_usd(estimate) > 0:
        raise SystemExit(OVER_BUDGET)


def _projected(scenario: Scenario, measured: Measured | None) -> Estimate:
    try:
        return project(scenario)
    except UnpricedModelError as error:
        if measured is None:
            raise
        raise ConfigurationError(
            f"{error}; it answered some of the measured calls: give its price, or say --model or --mix"
        ) from error


def _declared(feature: str | None, config: Path | None) -> Feature | None:
    """The feature as the registry declares it, where there is a registry and it does."""
    if feature is None:
        return None
    from tracked_inference.registry import FeatureRegistry

    registry = FeatureRegistry.find(config)
    if registry is None:
        return None
    declared = registry.get(feature)
    if declared is None:  # it may not be born yet, or be misspelt and miss its budget
        click.echo(f"Note: {registry.undeclared(feature)}", err=True)
    return declared


def _file(file: Path | None, declared: Feature | None, config: Path | None) -> EstimateFile | None:
    if file is not None:
        return EstimateFile.load(file)
    if declared is None or declared.estimate is None:
        return None
    from tracked_inference.registry import FeatureRegistry

    registry = FeatureRegistry.find(config)
    assert registry is not None  # it declared the feature
    return EstimateFile.load(Path(registry.path).parent / declared.estimate)


def _one_kind_of_traffic(given: dict[str, Any], flags: dict[str, Any]) -> None:
    """A flag that says the traffic in one way takes back what the file says in the other."""
    if flags.get("requests_per_day") is not None:
        given.pop("requests_per_user_per_day", None)
        given.pop("daily_share", None)
    elif flags.get("requests_per_user_per_day") is not None:
        given.pop("requests_per_day", None)


def _models(model: str | None, mix: tuple[str, ...]) -> Any:
    if model is not None and mix:
        raise ConfigurationError(
            "--model names the one model and --mix the shares of several; give one of them"
        )
    if model is not None:
        return model
    shares = {}
    for entry in mix:
        name, found, share = entry.rpartition("=")
        try:
            shares[name] = _QUANTITY.convert(share, None, None) if found else None
        except click.BadParameter as error:
            raise ConfigurationError(f"--mix {entry}: {error.message}") from error
        if not found or not name:
            raise ConfigurationError(f"--mix {entry}: write MODEL=SHARE, claude-haiku-5-5=0.8 for instance")
    return shares


def _measured(
    given: dict[str, Any], ledger: str | None, prometheus: str | None, days: int
) -> Measured | None:
    if ledger is None and prometheus is None:
        return None
    if ledger is not None and prometheus is not None:
        raise ConfigurationError(
            "--from-ledger and --from-prometheus both say what was measured; give one of them"
        )
    feature = given.get("feature")
    if not feature:
        raise ConfigurationError(
            "say which feature was measured: --feature NAME, or [feature] name in the file"
        )
    if ledger is not None:
        from tracked_inference.planning.measured_ledger import from_ledger

        with progress_of("reading the ledger") as progress:
            return from_ledger(ledger, feature, days=days, progress=progress)
    from tracked_inference.planning.measured_prometheus import from_prometheus

    with progress_of("asking Prometheus") as progress:
        return from_prometheus(str(prometheus), feature, days=days, progress=progress)


def _budget(said: Any, against: str, declared: Feature | None) -> Ceiling | None:
    if said is not None:
        return Ceiling(_single(said), against)
    if declared is not None and "month" in declared.budget_usd:
        return Ceiling(declared.budget_usd["month"], against, "the registry file")
    return None


def _single(value: Any) -> Decimal:
    if isinstance(value, tuple) or not value.is_finite() or value < 0:
        raise ConfigurationError("--budget and --scale take one number, 0 or more")
    return Decimal(value)
