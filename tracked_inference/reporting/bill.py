"""A vendor's own account of its days: what was used and what it charged, in our words."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlencode

from tracked_inference.errors import ConfigurationError, UnavailableError
from tracked_inference.reporting._http import fetch_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from tracked_inference.reporting.periods import Period

__all__ = ["KINDS", "Bill", "Charge", "Used", "Vendor", "amount_of", "days_of", "pages", "windows"]

KINDS = ("input", "cache_read", "cache_write", "output", "other")
"""Kinds of tokens that both sides can say, and `other`: searches, sessions and whatever has no tokens."""

MAX_DAYS = 31
"""The longest span that both vendors answer in one query."""


@dataclass(frozen=True, slots=True)
class Used:
    """
    Tokens of one day, model and kind.

    `account` is the vendor's workspace or project, empty for the default one; `key` that of the calls, where it was asked for.
    """

    day: date
    model: str
    kind: str
    tokens: int
    account: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True)
class Charge:
    """Dollars of one day, model and kind, exact; the model is empty where a charge names none."""

    day: date
    model: str
    kind: str
    usd: Decimal
    account: str = ""
    key: str = ""


@dataclass(slots=True)
class Bill:
    """
    What a vendor says of some days.

    Attributes:
        used: Its usage report.
        charges: Its cost report.
        notes: What was left out or could not be told apart.
    """

    used: list[Used] = field(default_factory=list)
    charges: list[Charge] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


class Vendor(Protocol):
    """How one vendor's reports are read."""

    name: str
    key_variable: str

    def read(
        self,
        start: date,
        end: date,
        key: str,
        base_url: str | None,
        advance: Callable[[], object] | None = None,
    ) -> Bill:
        """The bill of the days from `start` until before `end`, at most `MAX_DAYS` of them."""
        ...


def days_of(period: Period, *, now: datetime | None = None) -> tuple[date, date]:
    """
    The first day of a period and the day after its last, whole UTC days that are over for a day.

    Raises:
        ConfigurationError: The period has parts of days, or days that the vendor may still be adding to.
    """
    now = now or datetime.now(UTC)
    for edge in (period.since, period.until):
        if (edge.hour, edge.minute, edge.second, edge.microsecond) != (0, 0, 0, 0):
            raise ConfigurationError(
                f"{period}: bills are by whole UTC days; say --until yesterday, or a date"
            )
    if period.until > now:
        raise ConfigurationError(f"{period}: not over yet")
    return period.since.date(), period.until.date()


def late(end: date, *, now: datetime | None = None) -> bool:
    """Whether the last day ended less than a day ago, so that usage may still arrive at the vendor's."""
    return end > (now or datetime.now(UTC)).date() - timedelta(days=1)


def windows(start: date, end: date) -> Iterator[tuple[date, date]]:
    """The days in spans that a vendor answers at once."""
    while start < end:
        stop = min(start + timedelta(days=MAX_DAYS), end)
        yield start, stop
        start = stop


def amount_of(value: object) -> Decimal:
    """
    An amount as a report writes it.

    Raises:
        ValueError: It is no finite number.
    """
    amount = Decimal(str(value))
    if not amount.is_finite():
        raise ValueError(f"an amount of {value}")
    return amount


def pages(
    url: str,
    query: Iterable[tuple[str, str]],
    headers: Mapping[str, str],
    hints: Mapping[int, str],
    advance: Callable[[], object] | None,
) -> Iterator[Any]:
    """
    The entries of `data` over all pages.

    Raises:
        UnavailableError: A page cannot be read, is of another shape, or leads back to one that was read.
    """
    query, seen, cursor = list(query), set(), None
    while True:
        told = [*query, ("page", cursor)] if cursor else query
        found = fetch_json(f"{url}?{urlencode(told)}", headers=headers, hints=hints)
        if not isinstance(found, dict) or not isinstance(found.get("data"), list):
            raise UnavailableError(f"{url} answered something else than a report")
        yield from found["data"]
        if advance is not None:
            advance()
        cursor = found.get("next_page")
        if not found.get("has_more") or not cursor:
            return
        if cursor in seen:
            raise UnavailableError(f"{url} names the page {cursor!r} as its own next one")
        seen.add(cursor)


FORBIDDEN = "an admin key is needed, which is not the key of an application"
