"""A report from ledgers, logs and Parquet: exact, and the only one that knows users."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tracked_inference.errors import ConfigurationError
from tracked_inference.reporting.database import Calls
from tracked_inference.reporting.figures import FIGURES, Figures, Report, Row, counted
from tracked_inference.reporting.query import TIMES, grouped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from tracked_inference.reporting.periods import Period

__all__ = ["assembled", "ledger_report"]


def ledger_report(
    places: Iterable[str | Path],
    period: Period,
    by: Sequence[str] = ("feature",),
    *,
    only: Mapping[str, Sequence[str]] | None = None,
    compare: bool = True,
    limit: int | None = None,
    cache: bool = True,
    progress: Callable[[int, int], object] | None = None,
) -> Report:
    """
    What calls cost during a period, by dimension.

    Args:
        places: Files, directories and globs: ledgers, logs of ours, Parquet.
        period: The period.
        by: Dimensions of `query.DIMENSIONS`, or `tag:NAME`.
        only: Values that calls must have, by dimension.
        compare: Whether to read the period before, too.
        limit: How many rows to keep; the total stays that of all.
        cache: Whether to keep roll-ups of large files.
        progress: Called with the bytes that are done with and how many there are.

    Raises:
        ConfigurationError: DuckDB is missing, a source cannot be used, or a dimension is none.
    """
    previous = period.previous if compare else None
    periods = [period] if previous is None else [period, previous]
    query = grouped(by, period, previous=previous, only=only)
    with Calls(places, periods, cache=cache, progress=progress) as calls:
        found = calls.ask(query)
        doubtful = "count(*) FILTER (finer), count(*) FILTER (feature IS NULL OR outcome IS NULL)"
        finer, odd = calls.ask(f"SELECT {doubtful} FROM calls")[0]
        damaged, files, logs = calls.damaged, len(calls.files), calls.logs
        kinds = sorted({one.kind for one in calls.files})
    now = {key: figures for earlier, key, figures in map(_read(len(by)), found) if not earlier}
    before = {key: figures for earlier, key, figures in map(_read(len(by)), found) if earlier}
    notes = []
    if damaged:
        notes.append(
            f"{counted(damaged, 'damaged line was', 'damaged lines were')} left out:"
            " a process died, or a disk was full, while it was written."
        )
    if logs:
        notes.append("Amounts from log lines are rounded to six places a call; a ledger is exact.")
    if len(kinds) > 1:
        notes.append(f"Read from {' and '.join(kinds)} files: a call that is in both is counted twice.")
    if finer:
        notes.append(
            f"{counted(finer, 'amount has', 'amounts have')} more than 18 digits after the point, rounded there."
        )
    if odd:
        notes.append(f"{counted(odd, 'line lacks', 'lines lack')} a feature or an outcome.")
    return assembled(
        period,
        by,
        now,
        before if compare else None,
        source=f"{files} file{'s' * (files != 1)}",
        notes=notes,
        only=only,
        limit=limit,
    )


def assembled(
    period: Period,
    by: Sequence[str],
    now: Mapping[tuple[str | None, ...] | None, Figures],
    before: Mapping[tuple[str | None, ...] | None, Figures] | None,
    *,
    source: str,
    notes: Sequence[str],
    only: Mapping[str, Sequence[str]] | None,
    limit: int | None,
) -> Report:
    """A report of figures by key; the key None is the total."""
    if limit is not None and limit < 1:
        raise ConfigurationError(f"--limit {limit} shows nothing")
    timed = [index for index, word in enumerate(by) if word in TIMES]
    # A row of a day has no row of the period before that it could be compared with; the total has.
    comparable = {} if before is None else before
    rows = [
        Row(key, figures, None if timed or before is None else comparable.get(key, Figures()))
        for key, figures in now.items()
        if key is not None
    ]
    rows.sort(
        key=lambda row: (
            [row.key[index] or "" for index in timed],
            -row.now.cost_usd,
            [str(one) for one in row.key],
        )
    )
    total = Row((), now.get(None, Figures()), None if before is None else before.get(None, Figures()))
    notes = [*_missing(total.now), *notes]
    filters = [f"{word}={value}" for word, values in (only or {}).items() for value in values]
    return Report(period, tuple(by), tuple(rows), total, source, tuple(notes), tuple(filters), limit)


def _missing(total: Figures) -> list[str]:
    """Why the total is a floor, where it is one."""
    told = [
        (total.unpriced_calls, "of models without a price"),
        (total.unmeasured_calls, "whose usage the vendor did not report"),
        (total.floor_calls, "priced or reported only in part"),
    ]
    why = [f"{counted(count, 'call', 'calls')} {words}" for count, words in told if count]
    return [f"The true cost is higher than the total: {', '.join(why)}."] if why else []


def _read(width: int) -> Callable[[tuple[Any, ...]], tuple[bool, tuple[str | None, ...] | None, Figures]]:
    def read(row: tuple[Any, ...]) -> tuple[bool, tuple[str | None, ...] | None, Figures]:
        sums = {
            name: value if name.endswith("_usd") else int(value)
            for name, value in zip(FIGURES, row[2 + width :], strict=True)
        }
        return row[0], None if row[1] else row[2 : 2 + width], Figures(**sums)  # type: ignore[arg-type]  # DuckDB's types

    return read
