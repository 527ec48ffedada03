"""The dollars of the last sixty minutes, which go away by themselves."""

from __future__ import annotations

from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["RollingHour"]

_SLOT_SECONDS = 60
_SLOTS = 60


class RollingHour:
    """
    A sum over the last 60 minutes, in slots of one minute: a dollar counts for 59 to 60 minutes.

    The clock is monotonic, so that a step of the wall clock neither loses nor repeats money.
    """

    __slots__ = ("_clock", "_lock", "_newest", "_slots", "_until")

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._lock = Lock()
        self._slots = [0.0] * _SLOTS
        self._newest = int(clock() // _SLOT_SECONDS)
        self._until = (self._newest + 1) * _SLOT_SECONDS

    def add(self, dollars: float) -> None:
        """Add to the current minute."""
        now = self._clock()
        with self._lock:
            if now >= self._until:
                self._forget(now)
            self._slots[self._newest % _SLOTS] += dollars

    def total(self) -> float:
        """The dollars of the last hour; 0 when there were none."""
        now = self._clock()
        with self._lock:
            if now >= self._until:
                self._forget(now)
            return sum(self._slots)

    def clear(self) -> None:
        """Start from nothing, with a lock of this process."""
        self._lock = Lock()
        self._slots = [0.0] * _SLOTS

    def _forget(self, now: float) -> None:
        minute = int(now // _SLOT_SECONDS)
        for slot in range(self._newest + 1, min(minute, self._newest + _SLOTS) + 1):
            self._slots[slot % _SLOTS] = 0.0
        self._newest = minute
        self._until = (minute + 1) * _SLOT_SECONDS
