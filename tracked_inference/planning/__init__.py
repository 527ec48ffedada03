"""
Before the spending: what a feature will cost, and what it may.

`FeatureCostEstimate` is the four-number estimate; `Scenario` is the one with shares, ranges and several models.
`BudgetGuard` refuses or warns when a feature's budget is spent.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tracked_inference.planning.budget import BudgetGuard
    from tracked_inference.planning.estimate import FeatureCostEstimate
    from tracked_inference.planning.projection import Estimate, Sensitivity, compare
    from tracked_inference.planning.ranges import Range
    from tracked_inference.planning.scenario import Scenario

__all__ = ["BudgetGuard", "Estimate", "FeatureCostEstimate", "Range", "Scenario", "Sensitivity", "compare"]

_HOMES = {
    "BudgetGuard": "budget",
    "Estimate": "projection",
    "FeatureCostEstimate": "estimate",
    "Range": "ranges",
    "Scenario": "scenario",
    "Sensitivity": "projection",
    "compare": "projection",
}


def __getattr__(name: str) -> Any:
    """A client needs none of this unless it has a budget, so it is imported when it is first named."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
