"""Periods of time in the words of a command line: `yesterday`, `7d`, `month`, `2026-11-22`. All UTC."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from tracked_inference.errors import ConfigurationError

__all__ = ["WORDS", "Period", "period_of"]

WORDS = "today, yesterday, 7d, 24h, month, last-month, 2026-11-22, 2026-W47, 2026-11, 2026-11-22T10:00"
"""Examples of what `--since` and `--until` take, for help texts and error messages."""


@dataclass(frozen=True, slots=True)
class Period:
    """
    A half-open span of time.

    Attributes:
        since: Its first instant, aware UTC.
        until: The first instant after it.
        calendar_month: The period is a month, or a month so far; the one before it is then the month before.
    """

    since: datetime
    until: datetime
    calendar_month: bool = False

    def __str__(self) -> str:
        return f"{_written(self.since)} to {_written(self.until)} UTC"

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return (self.until - self.since).total_seconds()

    @property
    def previous(self) -> Period:
        """The period just before: as long, or for months the month before, as far into it."""
        if not self.calendar_month:
            length = self.until - self.since
            if length < timedelta(days=1) and self.since == _midnight(self.since):
                length = timedelta(days=1)  # today so far is compared with yesterday as far
            return Period(self.since - length, self.until - length)
        before = _month_start(self.since - timedelta(days=1))
        return Period(before, min(before + (self.until - self.since), self.since), calendar_month=True)

    def days(self) -> list[Period]:
        """The period cut at each midnight."""
        found, start = [], self.since
        while start < self.until:
            end = min(_midnight(start) + timedelta(days=1), self.until)
            found.append(Period(start, end))
            start = end
        return found


def period_of(since: str, until: str | None = None, *, now: datetime | None = None) -> Period:
    """
    The period that `--since` and `--until` name.

    `yesterday`, `last-month`, a month (`2026-11`) and an ISO week (`2026-W47`) name their whole span where no `until` is given;
    `today`, `month`, `7d` (from the midnight seven days back), `24h` and a date reach to now.

    Raises:
        ConfigurationError: A word that is none of these, or a period that ends before it begins.
    """
    now = (now or datetime.now(UTC)).astimezone(UTC)
    start, end, monthly = _span(since, now, "since")
    if until is not None:
        # `--until yesterday` and `--until 2026-11-22` include that day, as people mean it; an instant is that instant.
        end, monthly = _span(until, now, "until")[1], False
    end = min(end, now) if until is None else end
    if end <= start:
        raise ConfigurationError(
            f"--since {since} --until {until or 'now'}: the period ends before it begins"
        )
    return Period(start, end, monthly)


def _span(word: str, now: datetime, option: str) -> tuple[datetime, datetime, bool]:
    """The first instant of a word, the first one after it, and whether it is a month."""
    today = _midnight(now)
    if word == "now":
        return now, now, False
    if word == "today":
        return today, now, False
    if word == "yesterday":
        return today - timedelta(days=1), today, False
    if word == "month":
        return _month_start(now), now, True
    if word == "last-month":
        return _month_start(_month_start(now) - timedelta(days=1)), _month_start(now), True
    if found := re.fullmatch(r"(\d{1,4})([dhw])", word):
        count, unit = int(found[1]), found[2]
        if unit == "h":
            return now - timedelta(hours=count), now, False
        return today - timedelta(days=count * (7 if unit == "w" else 1)), now, False
    try:
        if re.fullmatch(r"\d{4}-\d\d", word):
            start = _dated(f"{word}-01")
            return start, _month_start(start + timedelta(days=31)), True
        if re.fullmatch(r"\d{4}-?W\d\d", word):
            start = _dated(word)
            return start, start + timedelta(days=7), False
        if "T" not in word and " " not in word:
            start = _dated(word)
            return start, now if option == "since" else start + timedelta(days=1), False
        at = _within(datetime.fromisoformat(word))
    except ValueError:
        raise ConfigurationError(f"--{option} {word!r} is no time: say one of {WORDS}") from None
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    return (at, now, False) if option == "since" else (at, at, False)


def _dated(word: str) -> datetime:
    """The first instant of a date, however ISO 8601 writes it."""
    return _within(datetime.combine(date.fromisoformat(word), datetime.min.time(), UTC))


def _within(at: datetime) -> datetime:
    """An instant that can be reckoned from: the calendar of Python ends at 9999."""
    if not _FIRST_YEAR <= at.year <= _LAST_YEAR:
        raise ValueError(f"no calls in {at.year}")
    return at


_FIRST_YEAR, _LAST_YEAR = 1970, 2999


def _midnight(at: datetime) -> datetime:
    return at.replace(hour=0, minute=0, second=0, microsecond=0)


def _month_start(at: datetime) -> datetime:
    return _midnight(at).replace(day=1)


def _written(at: datetime) -> str:
    return f"{at:%Y-%m-%d}" if at == _midnight(at) else f"{at:%Y-%m-%d %H:%M}"
