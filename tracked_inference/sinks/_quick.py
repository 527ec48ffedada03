"""
Adding to prometheus_client's children, without what is asked again at each call.

`inc` and `observe` are three calls deep and check what was known when the child was made; a dozen of them are most of what a
record costs. Here the innermost step is bound once.
A release of prometheus_client that keeps its values otherwise is met through its public methods, which do the same.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["adder", "observer"]


def adder(child: Any) -> Callable[[float], Any]:
    """What adds a number, finite and for a counter not negative, to a counter or gauge."""
    add = getattr(getattr(child, "_value", None), "inc", None)
    return add if callable(add) else child.inc  # type: ignore[no-any-return]


def observer(child: Any) -> Callable[[float], Any]:
    """What counts a finite number in a histogram."""
    try:
        add, bounds = child._sum.inc, list(child._upper_bounds)
        buckets = [bucket.inc for bucket in child._buckets]
    except (AttributeError, TypeError):
        return child.observe  # type: ignore[no-any-return]
    if not bounds or len(bounds) != len(buckets) or bounds[-1] != float("inf"):
        return child.observe  # type: ignore[no-any-return]

    def observe(amount: float) -> None:
        add(amount)
        buckets[bisect_left(bounds, amount)](1)

    return observe
