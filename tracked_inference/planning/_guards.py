"""One guard a process for each store, so that all clients of a process share their budgets, and one thread asks."""

from __future__ import annotations

import os
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tracked_inference.errors import ConfigurationError
from tracked_inference.planning.budget import BudgetGuard
from tracked_inference.planning.ranges import exact
from tracked_inference.planning.spend import PrometheusSpend
from tracked_inference.prometheus.store import URL_VARIABLE, Prometheus
from tracked_inference.registry import PERIODS, Feature, FeatureRegistry, PrometheusSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from decimal import Decimal

__all__ = ["guard_for"]

_MOST_TIMEOUT_SECONDS = 10.0

_guards: dict[tuple[Any, ...], BudgetGuard] = {}
_making = threading.Lock()


def guard_for(
    declared: FeatureRegistry | None,
    feature: str,
    team: str,
    *,
    budget_usd: Mapping[str, Any] | None,
    on_budget: str | None,
    count_failure: Callable[[str], None],
) -> BudgetGuard | None:
    """
    The guard of a client; None where nothing is to be guarded.

    Args:
        declared: The registry, if there is one.
        feature: The client's own feature.
        team: Its team.
        budget_usd: A budget given in code, for the client's own feature; wins over the registry's.
        on_budget: Likewise.
        count_failure: Counts a store that gives no answer.

    Raises:
        ConfigurationError: The budget, what to do about it, or the address of the store cannot be used.
    """
    path = declared.path if declared is not None else ""
    watched = {one.name: (one, path) for one in declared.guarded} if declared is not None else {}
    if budget_usd is not None or on_budget is not None:
        before = declared.get(feature) if declared is not None else None
        watched[feature] = (
            _in_code(before, feature, team, budget_usd, on_budget),
            "" if budget_usd else path,
        )
    chosen = [pair for pair in watched.values() if pair[0].guarded]
    if not chosen:
        return None
    guard = _shared(declared.prometheus if declared is not None else PrometheusSettings(), count_failure)
    for one, where in chosen:
        guard.watch(one, where)
    return guard


def _in_code(
    before: Feature | None,
    feature: str,
    team: str,
    budget_usd: Mapping[str, Any] | None,
    on_budget: str | None,
) -> Feature:
    """The client's own feature with the budget that the code gives it."""
    if on_budget not in (None, "none", "warn", "refuse"):
        raise ConfigurationError(f"on_budget={on_budget!r} is not known; use 'warn', 'refuse' or 'none'")
    limits: Mapping[str, Decimal] = before.budget_usd if before is not None else {}
    if budget_usd is not None:
        if not isinstance(budget_usd, dict) or not budget_usd or not set(budget_usd) <= set(PERIODS):
            raise ConfigurationError(
                f"budget_usd={budget_usd!r} must name its periods: {{'month': 4000}}, or 'day'"
            )
        limits = {period: exact(f"budget_usd[{period!r}]", value) for period, value in budget_usd.items()}
        if not all(limits.values()):
            raise ConfigurationError(f"budget_usd={budget_usd!r} must be above 0")
    if not limits and on_budget in ("warn", "refuse"):
        raise ConfigurationError(f"on_budget={on_budget!r} without a budget: give budget_usd={{'month': …}}")
    action = on_budget
    if action is None:
        action = before.on_budget if before is not None and before.on_budget != "none" else "warn"
    as_declared = before if before is not None else Feature(name=feature, team=team)
    return replace(as_declared, budget_usd=limits, on_budget=action)


def _shared(settings: PrometheusSettings, count_failure: Callable[[str], None]) -> BudgetGuard:
    url = os.environ.get(URL_VARIABLE) or settings.url
    key = (url, settings.refresh_seconds, settings.when_unreachable, settings.matchers)
    with _making:
        guard = _guards.get(key)
        if guard is None:
            source = None
            if url is not None:
                timeout = min(max(settings.refresh_seconds, 1.0), _MOST_TIMEOUT_SECONDS)
                source = PrometheusSpend(Prometheus(url, timeout), settings.matchers)
            guard = _guards[key] = BudgetGuard(
                source,
                refresh_seconds=settings.refresh_seconds,
                when_unreachable=settings.when_unreachable,
                count_failure=count_failure,
            )
        return guard


def _after_fork() -> None:
    global _making  # noqa: PLW0603  # the parent may have held it
    _making = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
