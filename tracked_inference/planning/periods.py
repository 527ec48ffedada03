"""Calendar periods in UTC: when a budget begins anew."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

__all__ = ["bounds", "period_name"]


def bounds(period: str, at: datetime) -> tuple[datetime, datetime]:
    """The start and end of the calendar `month` or `day` that an instant is in."""
    start = at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if period == "day":
        return start, start + timedelta(days=1)
    start = start.replace(day=1)
    return start, (start + timedelta(days=32)).replace(day=1)


def period_name(period: str, start: datetime) -> str:
    """The period as people say it: `November 2026`, `2026-11-23`."""
    if period == "day":
        return f"{start:%Y-%m-%d}"
    return f"{_MONTHS[start.month - 1]} {start.year}"  # %B would be in the language of the locale


_MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
           "November", "December")  # fmt: skip
