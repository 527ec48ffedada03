"""
What was planned, for a report to stand beside: a plan of dollars a month by feature.

    [plan]
    document_summarisation = { month_usd = "28350.00" }
    semantic_search = { month_usd = "900" }

The estimate that is kept beside a feature will do as well (`tracked-inference estimate`): the plan is then its expected month.
So will the registry file: the plan is then each feature's `budget_usd = { month = ... }`.
A period has its share of the calendar months that it covers, by seconds.
"""

from __future__ import annotations

import tomllib
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from tracked_inference.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from tracked_inference.reporting.figures import Report
    from tracked_inference.reporting.periods import Period

__all__ = ["months_of", "read_plan", "with_plan"]


def read_plan(path: Path) -> dict[str, Decimal]:
    """
    Dollars a month by feature.

    Raises:
        ConfigurationError: The file is not there, is no TOML, or plans nothing.
    """
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise ConfigurationError(f"{path}: is no TOML: {error}") from error
    if "traffic" in found and "feature" in found:
        return _estimated(path)
    if "tool" in found and "features" not in found:
        found = _table(path, _table(path, found, "tool"), "tracked-inference")
    plan: dict[str, Decimal] = {}
    for feature, told in _table(path, found, "plan").items():
        month = told.get("month_usd") if isinstance(told, dict) else told
        plan[feature] = _dollars(path, f"plan.{feature}.month_usd", month)
    features = _table(path, found, "features")
    for feature in features:
        month = _table(path, _table(path, features, feature), "budget_usd").get("month")
        if month is not None:
            plan.setdefault(feature, _dollars(path, f"features.{feature}.budget_usd.month", month))
    if not plan:
        raise ConfigurationError(
            f'{path}: plans nothing: write [plan] and under it FEATURE = {{ month_usd = "4000" }}'
        )
    return plan


def _estimated(path: Path) -> dict[str, Decimal]:
    """The expected month of an estimate file, at today's prices."""
    from tracked_inference.errors import UnpricedModelError
    from tracked_inference.planning.estimate_file import EstimateFile, scenario_of
    from tracked_inference.planning.projection import project

    file = EstimateFile.load(path)
    scenario = scenario_of(file.given, str(path))
    try:
        return {scenario.feature: project(scenario).per_month_usd.expected}
    except UnpricedModelError as error:
        raise ConfigurationError(f"{path}: {error}") from error


def with_plan(
    report: Report, plan: Mapping[str, Decimal], only: Mapping[str, Sequence[str]] | None = None
) -> Report:
    """
    The report with what was planned for its rows and its period.

    Features that are planned and were not called are named in a note.
    A plan names no teams: of a report of some teams alone, the planned features are those that were called.

    Raises:
        ConfigurationError: The report is not by feature alone, or is of a part of each feature's calls.
    """
    if report.by != ("feature",):
        raise ConfigurationError("a plan is by feature: say --by feature")
    parts = sorted(set(only or {}) - {"feature", "team"})
    if parts:
        raise ConfigurationError(
            f"a plan is of whole features, and these are the calls of one {parts[0]}: leave that out"
        )
    months = months_of(report.period)
    rows = tuple(
        replace(row, planned_usd=plan[str(row.key[0])] * months if row.key[0] in plan else None)
        for row in report.rows
    )
    called = {str(row.key[0]) for row in report.rows}
    wanted = called if "team" in (only or {}) else set((only or {}).get("feature", plan))
    notes = [*report.notes]
    silent = sorted(name for name in plan if name in wanted and name not in called)
    if silent:
        notes.append(f"Planned and not called: {', '.join(silent)}.")
    unplanned = sorted(name for name in called if name not in plan)
    if unplanned:
        notes.append(f"Called and not planned: {', '.join(unplanned)}.")
    planned = sum((plan[name] for name in plan if name in wanted), Decimal(0)) * months
    return replace(report, rows=rows, total=replace(report.total, planned_usd=planned), notes=tuple(notes))


def months_of(period: Period) -> Decimal:
    """How many calendar months a period is: 1 for every whole one, parts by seconds."""
    months, start = Decimal(0), period.since
    while start < period.until:
        first = start.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        following = (first + timedelta(days=32)).replace(day=1)
        end = min(following, period.until)
        months += Decimal(str((end - start).total_seconds())) / Decimal(
            str((following - first).total_seconds())
        )
        start = end
    return months


def _table(path: Path, document: dict[str, Any], key: str) -> dict[str, Any]:
    table = document.get(key, {})
    if not isinstance(table, dict):
        raise ConfigurationError(f"{path}: {key} must be a table, not {table!r}")
    return table


def _dollars(path: Path, key: str, value: object) -> Decimal:
    try:
        dollars = Decimal(str(value)) if not isinstance(value, bool) else Decimal("NaN")
    except InvalidOperation:
        dollars = Decimal("NaN")
    if not dollars.is_finite() or dollars < 0:
        raise ConfigurationError(
            f'{path}: {key} = {value!r} is no amount: write dollars, "4000" for instance'
        )
    return dollars
