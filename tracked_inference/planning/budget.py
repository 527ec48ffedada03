"""
The budget guard: warns or refuses when a feature has spent what it may.

A call reads one dictionary and one attribute; everything else happens when a call ends, or in a thread of the guard's own
that asks the store now and then. So the store can be slow, hang or be gone without a call noticing.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import structlog

from tracked_inference.errors import BudgetExceededError
from tracked_inference.planning.account import Account
from tracked_inference.planning.periods import period_name
from tracked_inference.planning.render import usd

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracked_inference.planning.account import Crossing
    from tracked_inference.planning.spend import SpendSource
    from tracked_inference.record import CallRecord
    from tracked_inference.registry import Feature

__all__ = ["BudgetGuard"]

_PATIENCE = 3
"""A store that has not answered for so many refreshes is unreachable; before that its last answer holds."""

_living: weakref.WeakSet[BudgetGuard] = weakref.WeakSet()


class BudgetGuard:
    """
    Watches the budgets of features, one guard a process for all clients.

    Args:
        source: Where the spend of all processes is known; None goes by what this process spent, and says so.
        refresh_seconds: How often the source is asked.
        when_unreachable: What happens to calls of `refuse` features while the source gives no answer: `allow` or `refuse`.
        count_failure: Called with a reason whenever the source gives no answer.
        clock: Unix seconds.
        logger: A structlog logger; default `structlog.get_logger("tracked_inference")`.

    Attributes:
        accounts: What is watched, by feature; a call looks here first, and asks for a `refusal` only if one is not open.
    """

    def __init__(
        self,
        source: SpendSource | None = None,
        *,
        refresh_seconds: float = 30.0,
        when_unreachable: str = "allow",
        count_failure: Callable[[str], None] | None = None,
        clock: Callable[[], float] = time.time,
        logger: Any = None,
    ) -> None:
        self._source = source
        self._refresh_seconds = refresh_seconds
        self._strict = when_unreachable == "refuse"
        self._count_failure = count_failure
        self._clock = clock
        self._log = structlog.get_logger("tracked_inference") if logger is None else logger
        self.accounts: dict[str, Account] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        self._answered_at: float | None = None
        self._failed: str | None = None
        _living.add(self)

    def watch(self, feature: Feature, path: str = "") -> None:
        """
        Guard the budget of a feature; a budget that differs from the one watched so far takes its place.

        Args:
            feature: The feature, with a budget and an `on_budget` of `warn` or `refuse`.
            path: The file that declares it, for messages.
        """
        with self._lock:
            known = self.accounts.get(feature.name)
            if known is not None and known.feature == feature:
                return
            account = Account(feature, path, self._clock())
            for before in known.books if known is not None else ():
                for book in account.books:
                    if book.period == before.period:
                        book.carry_over(before)
            self.accounts[feature.name] = account
        if self._source is None:
            self._log.warning(
                "ai.inference.budget_of_this_process",
                feature=feature.name,
                team=feature.team,
                hint="the budget holds for this process alone; give [prometheus] url in the registry file, or"
                " TRACKED_INFERENCE_PROMETHEUS_URL, to share it between processes",
            )
        self._run()

    def watched(self, feature: str) -> Feature | None:
        """A feature as it is watched; None for one that is not."""
        account = self.accounts.get(feature)
        return None if account is None else account.feature

    # What a call meets.

    def refusal(self, feature: str) -> BudgetExceededError | None:
        """Why a call of this feature may not be made now; None when it may. Never blocks on I/O."""
        account = self.accounts.get(feature)
        if account is None or account.open:
            return None
        return self._look(account)

    def note(self, record: CallRecord) -> None:
        """A call has ended: what it cost counts at once, in this process."""
        dollars = record.cost.total_usd
        account = self.accounts.get(record.feature)
        if account is None or not dollars:
            return
        self._run()
        now = self._clock()
        with self._lock:
            spent = False
            for book in account.books:
                book.roll(now)
                book.add(dollars, now)
                spent = spent or book.is_spent
            fresh = self._judge(account, now) if spent else []
        self._tell(account, fresh)

    def spent_usd(self, feature: str) -> dict[str, Decimal]:
        """What is known to be spent, by period, for a feature that is watched."""
        with self._lock:
            now = self._clock()
            account = self.accounts[feature]
            for book in account.books:
                book.roll(now)
            return {book.period: book.spent() for book in account.books}

    def _look(self, account: Account) -> BudgetExceededError | None:
        self._run()
        with self._lock:
            now = self._clock()
            fresh = self._judge(account, now)
            crossings = account.crossings(now) if account.refuses else []
            blind = account.refuses and self._is_blind(now)
            unknown = self._source is not None and self._answered_at is None and not account.told
            account.told = True
        self._tell(account, fresh)
        if crossings:
            return self._refusal(account, max(crossings, key=lambda crossing: crossing.until))
        if blind:
            return self._blind_refusal(account)
        if unknown and self._source is not None:
            self._log.info(
                "ai.inference.budget_not_known_yet",
                feature=account.feature.name,
                team=account.feature.team,
                source=self._source.name,
                meaning="calls are let through until the first answer",
            )
        return None

    def _judge(self, account: Account, now: float) -> list[Crossing]:
        """Open or close an account; what is news is returned, to be told when the lock is free."""
        fresh = account.news(now)
        spent = account.refuses and bool(account.crossings(now))
        account.open = not spent and not (account.refuses and self._is_blind(now))
        return fresh

    def _is_blind(self, now: float) -> bool:
        """Whether the store gives no answer, and calls are to be refused for that."""
        if not self._strict or self._failed is None:
            return False
        answered = self._answered_at
        return answered is None or now - answered > _PATIENCE * self._refresh_seconds

    # What is said.

    def _tell(self, account: Account, crossings: list[Crossing]) -> None:
        for crossing in crossings:
            self._log.warning(
                "ai.inference.budget_spent",
                feature=account.feature.name,
                team=account.feature.team,
                owner=account.feature.owner,
                period=crossing.period,
                budget_usd=float(crossing.budget_usd),
                spent_usd=round(float(crossing.spent_usd), 6),
                until=crossing.until.isoformat(),
                on_budget=account.feature.on_budget,
                source=self._said_by(crossing),
            )

    def _said_by(self, crossing: Crossing) -> str:
        if crossing.shared and self._source is not None:
            return self._source.name
        return "the records of this process alone"

    def _refusal(self, account: Account, crossing: Crossing) -> BudgetExceededError:
        feature = account.feature
        ask = f"ask {feature.owner}" if feature.owner else f"ask team {feature.team}"
        where = (
            f"budget_usd of [features.{feature.name}] in {account.path}"
            if account.path
            else "budget_usd of the client"
        )
        return BudgetExceededError(
            f"feature {feature.name!r} of team {feature.team!r} has spent {usd(crossing.spent_usd)} of its budget of"
            f" {usd(crossing.budget_usd)} for {period_name(crossing.period, crossing.start)} (by {self._said_by(crossing)});"
            f" its calls are refused until {crossing.until:%Y-%m-%d %H:%M} UTC: {ask}, or raise {where}",
            feature=feature.name,
            team=feature.team,
            owner=feature.owner,
            period=crossing.period,
            budget_usd=crossing.budget_usd,
            spent_usd=crossing.spent_usd,
            until=crossing.until,
        )

    def _blind_refusal(self, account: Account) -> BudgetExceededError:
        feature = account.feature
        period, budget = next(iter(feature.budget_usd.items()))
        source = self._source.name if self._source is not None else "nobody"
        return BudgetExceededError(
            f"nobody knows what feature {feature.name!r} of team {feature.team!r} has spent of its budget of {usd(budget)}"
            f' a {period}: {source} gives no answer ({self._failed}), and when_unreachable = "refuse" refuses its calls'
            " until it does",
            feature=feature.name,
            team=feature.team,
            owner=feature.owner,
            period=period,
            budget_usd=budget,
        )

    # Off the call path.

    def refresh(self) -> None:
        """Ask the source once, and go by its answer; never raises. The guard's own thread does this."""
        source = self._source
        if source is None:
            return
        with self._lock:
            now = self._clock()
            asked: dict[tuple[str, float], list[str]] = {}
            for name, account in self.accounts.items():
                for book in account.books:
                    book.roll(now)
                    asked.setdefault((book.period, book.start), []).append(name)
        at = datetime.fromtimestamp(now, UTC)
        try:
            answers = {
                key: source(key[0], names, datetime.fromtimestamp(key[1], UTC), at)
                for key, names in asked.items()
            }
        except Exception as error:
            self._no_answer(error)
            return
        with self._lock:
            was_failed, self._failed, self._answered_at = self._failed, None, self._clock()
            news = []
            for account in self.accounts.values():
                for book in account.books:
                    answer = answers.get((book.period, book.start))
                    if answer is not None and account.feature.name in asked[book.period, book.start]:
                        spent = answer.spent_usd.get(account.feature.name, Decimal(0))
                        seen = answer.seen_until.get(account.feature.name, float("-inf"))
                        book.answer(spent, seen, book.start)
                news.append((account, self._judge(account, self._clock())))
        for account, fresh in news:
            self._tell(account, fresh)
        if was_failed is not None:
            self._log.info("ai.inference.budget_source_back", source=source.name)

    def _no_answer(self, error: Exception) -> None:
        reason = str(getattr(error, "reason", "failed"))
        if self._count_failure is not None:
            self._count_failure(reason)
        with self._lock:
            first, self._failed = self._failed is None, reason
            now = self._clock()
            for account in self.accounts.values():
                self._judge(account, now)
        if first and self._source is not None:
            self._log.warning(
                "ai.inference.budget_source_unreachable",
                source=self._source.name,
                reason=reason,
                error=str(error) if hasattr(error, "reason") else type(error).__name__,
                meaning="calls are refused until it answers"
                if self._strict
                else "calls are let through; the budgets go by the last answer and by what this process spends",
            )

    def _run(self) -> None:
        """See to it that the thread runs; a forked child has none."""
        if self._source is None or self._thread is not None:
            return
        with self._lock:
            if self._thread is not None:
                return
            thread = threading.Thread(
                target=_refresh_for_ever,
                args=(weakref.ref(self), self._stop, self._refresh_seconds),
                name="tracked-inference-budgets",
                daemon=True,
            )
            try:
                thread.start()
            except RuntimeError:  # no more threads, or the interpreter is on its way out
                return
            self._thread = thread

    def close(self) -> None:
        """End the thread; the guard then goes by what it knows."""
        self._stop.set()

    def forget_parent(self) -> None:
        """In a forked child: the lock may have been held, the thread is gone, and the parent's dollars are the parent's."""
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = None
        for account in self.accounts.values():
            account.open = False  # the next call has a closer look, which starts the thread
            for book in account.books:
                book.forget_own()


def _refresh_for_ever(owner: weakref.ref[BudgetGuard], stop: threading.Event, seconds: float) -> None:
    while not stop.is_set():
        guard = owner()
        if guard is None:
            return
        guard.refresh()
        del guard
        stop.wait(seconds)


def _after_fork() -> None:
    for guard in list(_living):
        guard.forget_parent()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
