"""A report's question as SQL: which dimensions, which calls, which sums. Pure text."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tracked_inference.errors import ConfigurationError
from tracked_inference.reporting.calls import MONEY, during, quoted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tracked_inference.reporting.periods import Period

__all__ = ["DIMENSIONS", "dimensions_of", "grouped"]

DIMENSIONS = {
    "feature": "feature",
    "team": "team",
    "user": "caller",
    "model": "model",
    "requested_model": "requested_model",
    "provider": "provider",
    "operation": "operation",
    "outcome": "outcome",
    "status": "status",
    "service_tier": "service_tier",
    "hour": "strftime(started_at, '%Y-%m-%dT%H:00Z')",
    "day": "strftime(started_at, '%Y-%m-%d')",
    "week": "strftime(started_at, '%G-W%V')",
    "month": "strftime(started_at, '%Y-%m')",
}
"""What calls can be grouped by, and narrowed down to; also `tag:NAME`. Times are UTC, weeks are ISO weeks."""

TIMES = frozenset({"hour", "day", "week", "month"})

_CUT = "outcome IN ('cancelled', 'abandoned')"
_REFUSED = f"refused AND outcome <> 'error' AND NOT {_CUT}"  # so that waste counts no call twice

SUMS = {
    "calls": "count(*)",
    "cost_usd": f"coalesce(sum(cost_usd), 0::{MONEY})",
    "priced_calls": "count(cost_usd)",
    "unpriced_calls": "count(*) FILTER (status = 'unpriced')",
    "unmeasured_calls": "count(*) FILTER (cost_usd IS NULL AND status IS DISTINCT FROM 'unpriced')",
    "floor_calls": "count(*) FILTER (status IN ('partial', 'lower_bound'))",
    **{
        name: f"coalesce(sum({name}), 0)"
        for name in (
            "input_tokens",
            "cache_read_tokens",
            "cache_write_tokens",
            "output_tokens",
            "reasoning_tokens",
        )
    },
    "priced_output_tokens": "coalesce(sum(output_tokens) FILTER (cost_usd IS NOT NULL), 0)",
    "users": "count(DISTINCT caller)",
    "user_cost_usd": f"coalesce(sum(cost_usd) FILTER (caller IS NOT NULL), 0::{MONEY})",
    "retries": "coalesce(sum(greatest(attempts - 1, 0)), 0)",
    "failed_calls": "count(*) FILTER (outcome = 'error')",
    "failed_cost_usd": f"coalesce(sum(cost_usd) FILTER (outcome = 'error'), 0::{MONEY})",
    "cut_calls": f"count(*) FILTER ({_CUT})",
    "cut_cost_usd": f"coalesce(sum(cost_usd) FILTER ({_CUT}), 0::{MONEY})",
    "refused_calls": f"count(*) FILTER ({_REFUSED})",
    "refused_cost_usd": f"coalesce(sum(cost_usd) FILTER ({_REFUSED}), 0::{MONEY})",
    "cache_savings_usd": f"coalesce(sum(cache_savings_usd), 0::{MONEY})",
    "cache_unknown_calls": "count(*) FILTER (cache_unknown)",
}
"""The sums, by the names that `Figures` has for them. Money is added as decimals and nowhere as floats."""


def dimensions_of(text: str) -> tuple[str, ...]:
    """
    The dimensions of `--by feature,day`.

    Raises:
        ConfigurationError: One that there is not; the message lists those that there are.
    """
    found = tuple(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))
    for word in found:
        _expression(word)
    return found


def grouped(
    by: Sequence[str],
    period: Period,
    *,
    previous: Period | None = None,
    only: Mapping[str, Sequence[str]] | None = None,
) -> str:
    """
    The sums by dimension and by period, and those over all.

    Columns: `earlier` (the row is of the previous period), `overall` (the row is a total), the dimensions, the sums.
    """
    keys = [f"{_expression(word)} AS k{index}" for index, word in enumerate(by)]
    earlier = "false" if previous is None else f"started_at < {_instant(period)}"
    where = [during([period] if previous is None else [period, previous])]
    for word, values in (only or {}).items():
        where.append(f"{_expression(word)} IN ({', '.join(quoted(value) for value in values)})")
    names = [f"k{index}" for index in range(len(by))]
    sets = (
        f"GROUPING SETS ((earlier, {', '.join(names)}), (earlier))" if names else "GROUPING SETS ((earlier))"
    )
    overall = f"grouping({', '.join(names)}) > 0" if names else "true"
    sums = ", ".join(f"{text} AS {name}" for name, text in SUMS.items())
    inner = ", ".join([f"{earlier} AS earlier", *keys, "*"])
    return (
        f"SELECT earlier, {overall} AS overall, {', '.join([*names, sums])}"
        f" FROM (SELECT {inner} FROM calls WHERE {' AND '.join(where)}) GROUP BY {sets}"
    )


def _instant(period: Period) -> str:
    return f"TIMESTAMP '{period.since:%Y-%m-%d %H:%M:%S.%f}'"


def _expression(word: str) -> str:
    if word in DIMENSIONS:
        return DIMENSIONS[word]
    if found := re.fullmatch(r"tag:(.+)", word):
        return f"element_at(tags, {quoted(found[1])})[1]"
    raise ConfigurationError(
        f"calls cannot be grouped by {word!r}: say one of {', '.join(DIMENSIONS)}, or tag:NAME"
    )
