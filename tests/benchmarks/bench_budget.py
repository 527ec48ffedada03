"""
What a budget guard adds to a call: `python -m tests.benchmarks.bench_budget`.

Prints; asserts nothing about time.  Each figure is the best of many short runs of CPU time, less that of an empty loop.
"""

from __future__ import annotations

import json
import logging
import sys
import timeit
from decimal import Decimal
from time import process_time
from types import SimpleNamespace
from typing import TYPE_CHECKING

import structlog

from tracked_inference.planning.budget import BudgetGuard
from tracked_inference.registry import Feature

if TYPE_CHECKING:
    from collections.abc import Callable

FEATURES = 200


def guard_of(features: int) -> BudgetGuard:
    """A guard of so many features, all in order."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    guard = BudgetGuard()
    for number in range(features):
        guard.watch(
            Feature(
                f"feature_{number}", team="team", budget_usd={"month": Decimal(10**9)}, on_budget="refuse"
            )
        )
    return guard


def best(work: Callable[[], object], number: int = 2000, rounds: int = 200) -> float:
    """Microseconds of one run."""

    def of(what: Callable[[], object]) -> float:
        return min(timeit.repeat(what, timer=process_time, number=number, repeat=rounds)) / number * 1e6

    return max(of(work) - of(lambda: None), 0.0)


def main() -> None:
    guard = guard_of(FEATURES)
    call = SimpleNamespace(feature="feature_7")
    record = SimpleNamespace(feature="feature_7", cost=SimpleNamespace(total_usd=Decimal("0.0105")))

    def before() -> bool:  # as the meter does it
        account = guard.accounts.get(call.feature)
        return account is not None and not account.open

    if guard.refusal("feature_7") is not None or before():
        sys.exit("the feature is not in order: what would be timed is another path")
    print(
        json.dumps(
            {
                "features": FEATURES,
                "before_a_call_us": round(best(before), 3),
                "after_a_call_us": round(best(lambda: guard.note(record)), 2),  # type: ignore[arg-type]
            },
            indent=2,
        )
    )


if __name__ == "__main__":
    main()
