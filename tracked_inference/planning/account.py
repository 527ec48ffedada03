"""
One feature's budget in this process: what is known to be spent, from whom, and whether that is too much.

Pure arithmetic and no lock: the guard holds one around it.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Context, Decimal
from typing import TYPE_CHECKING

from tracked_inference.planning.periods import bounds

if TYPE_CHECKING:
    from tracked_inference.registry import Feature

__all__ = ["Account", "Crossing", "PeriodBook"]

_EXACT = Context(prec=60)
_SLOT_SECONDS = 1.0
_MOST_SLOTS = 1200


@dataclass(frozen=True, slots=True)
class Crossing:
    """
    A budget that is spent.

    Attributes:
        feature: Whose.
        period: `month` or `day`.
        budget_usd: What it may spend.
        spent_usd: What it has spent.
        start: When the period began.
        until: When it ends.
        shared: Whether the spend is that of all processes, and not of this one alone.
    """

    feature: Feature
    period: str
    budget_usd: Decimal
    spent_usd: Decimal
    start: datetime
    until: datetime
    shared: bool


class _Slot:
    """What this process spent in about a second, so that what others have not seen yet can be told from what they have."""

    __slots__ = ("dollars", "first", "last")

    def __init__(self, now: float, dollars: Decimal) -> None:
        self.first = self.last = now
        self.dollars = dollars

    def take(self, other: _Slot) -> None:
        """Be both."""
        self.first, self.last = min(self.first, other.first), max(self.last, other.last)
        self.dollars = _EXACT.add(self.dollars, other.dollars)


class PeriodBook:
    """
    The books of one feature for one kind of period.

    What all processes spent is known until some instant; what this process spent after it is added.
    This process's own total is a floor, for a process that is never scraped.
    """

    __slots__ = (
        "answered",
        "budget_usd",
        "end",
        "own",
        "period",
        "recent",
        "seen_until",
        "start",
        "unseen",
        "warned",
    )

    def __init__(self, period: str, budget_usd: Decimal, now: float) -> None:
        self.period = period
        self.budget_usd = budget_usd
        self._begin(now)

    def _begin(self, now: float) -> None:
        start, end = bounds(self.period, datetime.fromtimestamp(now, UTC))
        self.start, self.end = start.timestamp(), end.timestamp()
        self.own = Decimal(0)
        self.recent: deque[_Slot] = deque()
        self.unseen = Decimal(0)
        self.answered: Decimal | None = None
        self.seen_until = float("-inf")
        self.warned = False

    def roll(self, now: float) -> None:
        """Begin anew if the period is over."""
        if not self.start <= now < self.end:
            self._begin(now)

    def add(self, dollars: Decimal, now: float) -> None:
        """Note what this process spent."""
        self.own = _EXACT.add(self.own, dollars)
        self.unseen = _EXACT.add(self.unseen, dollars)
        recent = self.recent
        if recent and now - recent[-1].first < _SLOT_SECONDS:
            recent[-1].take(_Slot(now, dollars))
            return
        recent.append(_Slot(now, dollars))
        if len(recent) > _MOST_SLOTS:  # nobody has answered for long
            oldest = recent.popleft()
            recent[0].take(oldest)

    def answer(self, spent: Decimal, seen_until: float, start: float) -> None:
        """All processes spent this much in the period that began at `start`; an answer about another one is dropped."""
        if start != self.start:
            return
        self.answered = spent
        self.seen_until = seen_until
        while self.recent and self.recent[0].last <= seen_until:
            self.unseen = _EXACT.subtract(self.unseen, self.recent.popleft().dollars)

    def spent(self) -> Decimal:
        """What is known to be spent in the period."""
        if self.answered is None:
            return self.own
        return max(_EXACT.add(self.answered, self.unseen), self.own)

    @property
    def is_spent(self) -> bool:
        """Whether nothing is left of the budget."""
        return self.spent() >= self.budget_usd

    def carry_over(self, before: PeriodBook) -> None:
        """Go on where the book of another budget for the same period left off."""
        if before.start == self.start:
            self.own, self.recent, self.unseen = before.own, before.recent, before.unseen
            self.answered, self.seen_until = before.answered, before.seen_until

    def forget_own(self) -> None:
        """In a forked child: what the parent spent is the parent's."""
        self.own = self.unseen = Decimal(0)
        self.recent.clear()


class Account:
    """
    A feature and the books of its periods.

    Attributes:
        feature: As declared.
        path: The registry file that declares it; empty where the code does.
        open: Whether a call may pass without a closer look; the only thing that a call of a feature in order reads.
        told: Whether it was said that calls pass while the spend is not known yet.
    """

    __slots__ = ("books", "feature", "open", "path", "told")

    def __init__(self, feature: Feature, path: str, now: float) -> None:
        self.feature = feature
        self.path = path
        self.open = False
        self.told = False
        self.books = [PeriodBook(period, budget, now) for period, budget in feature.budget_usd.items()]

    @property
    def refuses(self) -> bool:
        """Whether calls are refused when the budget is spent."""
        return self.feature.on_budget == "refuse"

    def crossings(self, now: float) -> list[Crossing]:
        """The budgets that are spent at an instant."""
        found = []
        for book in self.books:
            book.roll(now)
            if book.is_spent:
                found.append(self._crossing(book))
        return found

    def news(self, now: float) -> list[Crossing]:
        """The crossings that were not told before; each is told once a period."""
        crossings = self.crossings(now)
        fresh = [
            crossing
            for crossing in crossings
            if any(book.period == crossing.period and not book.warned for book in self.books)
        ]
        for book in self.books:
            book.warned = book.warned or any(book.period == crossing.period for crossing in crossings)
        return fresh

    def _crossing(self, book: PeriodBook) -> Crossing:
        return Crossing(
            self.feature,
            book.period,
            book.budget_usd,
            book.spent(),
            datetime.fromtimestamp(book.start, UTC),
            datetime.fromtimestamp(book.end, UTC),
            shared=book.answered is not None,
        )
