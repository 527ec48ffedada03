"""
A feature as a ledger has it: JSON lines, one a call, in files of one directory, one file, or what a pattern names.

Fields read: `started_at`, `feature`, `user`, `model`, `operation`, `tokens` (by kind), `usage.batch`, `cost.status` and
`cost.reasons`, as docs/howto/estimates.md says. A line that is no whole record is counted and left out.
"""

from __future__ import annotations

import glob
import json
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tracked_inference.errors import ConfigurationError
from tracked_inference.planning.measured import Measured, days_between, part, shares, spread

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["from_ledger"]

_SUFFIXES = ("*.jsonl", "*.ndjson")
_AT_ZERO = frozenset({"local", "free_model", "zero_rate"})
"""Why a call that did take place cost nothing: on another model it would."""


def from_ledger(where: str, feature: str, *, days: int = 30, now: datetime | None = None) -> Measured:
    """
    What a feature did on the last whole UTC days.

    Args:
        where: A directory of `.jsonl` files, a file, or a pattern such as `ledger/*.jsonl`.
        feature: Which feature.
        days: How many whole days to look back; fewer where the feature is younger.
        now: Default the clock's.

    Raises:
        ConfigurationError: There is no such file, or no paid call of the feature on those days.
    """
    today = (now or datetime.now(UTC)).astimezone(UTC).date()
    first, last = today - timedelta(days=days), today - timedelta(days=1)
    found = _Tally()
    for line in _lines(where):
        if feature in line:  # cheaper than reading what is somebody else's
            found.add(line, feature, first, last)
    if not found.calls:
        raise ConfigurationError(
            f"{where}: no paid call of feature {feature!r} from {first} to {last} (whole UTC days)"
            + (f"; features seen there: {', '.join(sorted(found.others)[:10])}" if found.others else "")
            + (f"; {found.broken} lines could not be read" if found.broken else "")
        )
    return found.measured(feature, where, last)


def _lines(where: str) -> Iterator[str]:
    path = Path(where)
    files = [path]
    if path.is_dir():
        files = sorted(file for suffix in _SUFFIXES for file in path.glob(suffix))
    elif not path.is_file():
        files = sorted(Path(name) for name in glob.glob(where, recursive=True))  # noqa: PTH207  # it may be absolute
    if not files:
        raise ConfigurationError(
            f"{where}: there is no ledger; give its directory, a file of it, or a pattern"
        )
    for file in files:
        try:
            with file.open(encoding="utf-8", errors="replace") as lines:
                yield from lines
        except OSError as error:
            raise ConfigurationError(f"{file}: the ledger cannot be read ({type(error).__name__})") from error


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

    def add(self, line: str, feature: str, first: date, last: date) -> None:
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
            tokens, usage = record["tokens"], record["usage"] or {}
            model, user, operation = record["model"], record["user"], record["operation"]
        except (ValueError, KeyError, TypeError, AttributeError):
            self.broken += 1
            return
        self.calls += 1
        self.by_day[day] += 1
        self.models[model] += 1
        if user is not None:
            self.users.add(user)
        if usage.get("batch") or operation.endswith(".batch"):
            self.batched += 1
        if (
            tokens is not None
        ):  # without it the call was paid and not measured: it counts, its tokens are not known
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
