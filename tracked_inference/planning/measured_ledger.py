"""
A feature as a ledger has it: JSON lines, one a call, in the files that a report of the same place would read.

Fields read: `started_at`, `feature`, `user`, `model`, `operation`, `tokens` (by kind), `usage.batch`, `cost.status` and
`cost.reasons`, as docs/howto/estimates.md says. A line that is no whole record is counted and left out.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from tracked_inference.errors import ConfigurationError
from tracked_inference.planning.measured import Measured, days_between, part, shares, spread
from tracked_inference.reporting.periods import Period
from tracked_inference.reporting.sources import find_sources

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tracked_inference.reporting.sources import SourceFile

__all__ = ["from_ledger"]

_LOOKED_AT = 1000
"""So many first lines are read whosever they are, to name the features that are there."""
_TOLD_EVERY = 10_000
_MOST_TOKENS = 10**12
_AT_ZERO = frozenset({"local", "free_model", "zero_rate"})
"""Why a call that did take place cost nothing: on another model it would."""


def from_ledger(
    where: str,
    feature: str,
    *,
    days: int = 30,
    now: datetime | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> Measured:
    """
    What a feature did on the last whole UTC days.

    Args:
        where: A directory (with all below it), a file (with those that it was rotated to), or a pattern such as `ledger/*.jsonl`.
        feature: Which feature.
        days: How many whole days to look back; fewer where the feature is younger.
        now: Default the clock's.
        progress: Called with the bytes that are done with and how many there are.

    Raises:
        ConfigurationError: There is no such ledger, or no paid call of the feature on those days.
    """
    until = (now or datetime.now(UTC)).astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    period = Period(until - timedelta(days=days), until)
    first, last = period.since.date(), (until - timedelta(days=1)).date()
    sources = [source for source in find_sources([where]) if source.may_hold([period])]
    found, wanted = _Tally(), feature.encode()
    for number, line in enumerate(_lines(sources, progress)):
        if wanted in line or (
            number < _LOOKED_AT and line.strip()
        ):  # cheaper than reading what is somebody else's
            found.add(line, feature, first, last)
    if not found.calls:
        raise ConfigurationError(
            f"{where}: no paid call of feature {feature!r} from {first} to {last} (whole UTC days)"
            + (f"; features seen there: {', '.join(sorted(found.others)[:10])}" if found.others else "")
            + (f"; {found.broken} lines could not be read" if found.broken else "")
        )
    return found.measured(feature, where, last)


def _lines(sources: list[SourceFile], progress: Callable[[int, int], object] | None) -> Iterator[bytes]:
    for source in sources:
        if source.kind != "ledger" or source.path.suffix == ".zst":
            raise ConfigurationError(
                f"{source.path}: tokens are measured from a ledger of JSON lines, plain or .gz; name its files alone"
            )
    total, before = sum(source.size for source in sources), 0
    for source in sources:
        done = before
        try:
            with gzip.open(source.path) if source.compressed else source.path.open("rb") as lines:
                for number, line in enumerate(lines):
                    yield line
                    done += len(line)
                    if progress is not None and number % _TOLD_EVERY == 0:
                        progress(min(done, total), total)
        except (OSError, EOFError, zlib.error) as error:
            raise ConfigurationError(f"{source.path}: cannot be read to its end: {error}") from error
        before += source.size


class _Tally:
    """Counts what the lines say."""

    def __init__(self) -> None:
        self.inputs: Counter[int] = Counter()
        self.outputs: Counter[int] = Counter()
        self.by_day: Counter[date] = Counter()
        self.models: Counter[str] = Counter()
        self.users: set[str] = set()
        self.others: set[str] = set()
        self.calls = self.batched = self.read = self.written = self.tokens = self.broken = 0

    def add(self, line: bytes, feature: str, first: date, last: date) -> None:
        try:
            record: Any = json.loads(line)
            if record["feature"] != feature:
                self.others.add(str(record["feature"]))
                return
            day = datetime.fromisoformat(record["started_at"]).astimezone(UTC).date()
            cost = record["cost"]
            if not first <= day <= last or (
                cost["status"] == "free" and not _AT_ZERO.intersection(cost["reasons"])
            ):
                return  # on another day, or the vendor did not bill it
            batched = bool((record["usage"] or {}).get("batch")) or record["operation"].endswith(".batch")
            model, user = _text(record["model"]), record["user"] and _text(record["user"])
            # Without tokens the call was paid and not measured: it counts, and its tokens are not known.
            tokens = None if record["tokens"] is None else _counts(record["tokens"])
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError):
            self.broken += 1
            return
        self.calls += 1
        self.by_day[day] += 1
        self.models[model] += 1
        self.batched += batched
        if user is not None:
            self.users.add(user)
        if tokens is not None:
            self._add_tokens(tokens)

    def _add_tokens(self, tokens: dict[str, int]) -> None:
        put_out = sum(count for unit, count in tokens.items() if unit.startswith("output"))
        read_in = sum(tokens.values()) - put_out
        self.inputs[read_in] += 1
        self.outputs[put_out] += 1
        self.tokens += read_in
        self.read += sum(count for unit, count in tokens.items() if unit.startswith("cache_read"))
        self.written += sum(count for unit, count in tokens.items() if unit.startswith("cache_write"))

    def measured(self, feature: str, where: str, last: date) -> Measured:
        if not self.inputs:
            raise ConfigurationError(f"{where}: no call of feature {feature!r} has token counts")
        first = min(self.by_day)
        traffic = Counter(self.by_day.get(day, 0) for day in days_between(first, last))
        return Measured(
            feature=feature,
            source=f"the ledger {where}"
            + (f" ({self.broken} lines could not be read)" if self.broken else ""),
            first_day=first,
            last_day=last,
            calls=self.calls,
            input_tokens=spread(self.inputs),
            output_tokens=spread(self.outputs),
            requests_per_day=spread(traffic),
            cached_share=part(self.read, self.tokens),
            cache_write_share=part(self.written, self.tokens),
            batch_share=part(self.batched, self.calls),
            models=shares(self.models),
            users=len(self.users) or None,
        )


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("not a text")
    return value


def _counts(value: Any) -> dict[str, int]:
    if not all(isinstance(count, int) and 0 <= count <= _MOST_TOKENS for count in value.values()):
        raise TypeError("not counts")
    return dict(value)
