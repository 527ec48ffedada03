"""Periods in the words of a command line."""

from datetime import UTC, datetime

import pytest

from tracked_inference.errors import ConfigurationError
from tracked_inference.reporting.periods import Period, period_of

NOW = datetime(2026, 11, 23, 15, 30, tzinfo=UTC)


def at(*parts):
    return datetime(*parts, tzinfo=UTC)


@pytest.mark.parametrize(
    ("since", "until", "start", "end"),
    [
        ("yesterday", None, at(2026, 11, 22), at(2026, 11, 23)),
        ("today", None, at(2026, 11, 23), NOW),
        ("7d", None, at(2026, 11, 16), NOW),
        ("2w", None, at(2026, 11, 9), NOW),
        ("24h", None, at(2026, 11, 22, 15, 30), NOW),
        ("month", None, at(2026, 11, 1), NOW),
        ("last-month", None, at(2026, 10, 1), at(2026, 11, 1)),
        ("2026-10", None, at(2026, 10, 1), at(2026, 11, 1)),
        ("2026-11", None, at(2026, 11, 1), NOW),
        ("2026-12", "2027-01", at(2026, 12, 1), at(2027, 2, 1)),
        ("2026-11-20", None, at(2026, 11, 20), NOW),
        ("2026-11-20", "2026-11-20", at(2026, 11, 20), at(2026, 11, 21)),
        ("20261120", "20261120", at(2026, 11, 20), at(2026, 11, 21)),
        ("2026-W46", None, at(2026, 11, 9), at(2026, 11, 16)),
        ("2026-W48", None, at(2026, 11, 23), NOW),
        ("2026-W46", "2026-W47", at(2026, 11, 9), at(2026, 11, 23)),
        ("1970-01-01", "2999-12-31", at(1970, 1, 1), at(3000, 1, 1)),
        ("7d", "yesterday", at(2026, 11, 16), at(2026, 11, 23)),
        ("2026-11-22T10:00", "2026-11-22T11:00", at(2026, 11, 22, 10), at(2026, 11, 22, 11)),
        ("2026-11-22T10:00+02:00", "2026-11-22T11:00+02:00", at(2026, 11, 22, 8), at(2026, 11, 22, 9)),
    ],
)
def test_words_name_periods(since, until, start, end):
    """Each word names the span that people mean by it, in UTC."""
    found = period_of(since, until, now=NOW)

    assert (found.since, found.until) == (start, end)


@pytest.mark.parametrize("word", ["tomorow", "7x", "2026-13", "2026-11-31", "", "d", "-7d", "99999d", "0001-01",
                                  "0001-01-01", "9999-12", "9999-12-31", "9999-12-31T10:00", "2026-W60"])  # fmt: skip
def test_what_is_no_time_is_said(word):
    """A word that is none of these is wrong input, and the message says what there is."""
    with pytest.raises(ConfigurationError, match="yesterday, 7d"):
        period_of(word, now=NOW)
    with pytest.raises(ConfigurationError, match="yesterday, 7d"):
        period_of("2026-11-01", word, now=NOW)


def test_a_period_must_not_end_before_it_begins():
    """`--since today --until yesterday` is wrong input."""
    with pytest.raises(ConfigurationError, match="ends before it begins"):
        period_of("today", "yesterday", now=NOW)


@pytest.mark.parametrize(
    ("since", "start", "end"),
    [
        ("yesterday", at(2026, 11, 21), at(2026, 11, 22)),
        ("today", at(2026, 11, 22), at(2026, 11, 22, 15, 30)),
        ("month", at(2026, 10, 1), at(2026, 10, 23, 15, 30)),
        ("last-month", at(2026, 9, 1), at(2026, 10, 1)),
    ],
)
def test_the_period_before_is_comparable(since, start, end):
    """Today is compared with yesterday as far, a month so far with the month before as far."""
    before = period_of(since, now=NOW).previous

    assert (before.since, before.until) == (start, end)


def test_the_end_of_march_is_compared_with_the_whole_of_february():
    """A month before that is shorter is taken whole and no further."""
    before = Period(at(2026, 3, 1), at(2026, 3, 31), calendar_month=True).previous

    assert (before.since, before.until) == (at(2026, 2, 1), at(2026, 3, 1))


def test_a_period_is_cut_at_midnights():
    """Days are UTC days; the first and the last may be parts."""
    days = Period(at(2026, 11, 21, 22), at(2026, 11, 23, 1)).days()

    assert [(one.since, one.until) for one in days] == [
        (at(2026, 11, 21, 22), at(2026, 11, 22)),
        (at(2026, 11, 22), at(2026, 11, 23)),
        (at(2026, 11, 23), at(2026, 11, 23, 1)),
    ]
