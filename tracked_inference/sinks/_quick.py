"""
Adding to prometheus_client's children, without what is asked again at each call.

`inc` and `observe` are three calls deep, check what was known when the child was made, and take a lock for each value; a dozen of
them would be most of what a record costs.  Here the values of a registry share one lock, which is taken once a record.
A release of prometheus_client that keeps its values otherwise is met through its public methods, which do the same.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from functools import cache
from threading import Lock
from typing import TYPE_CHECKING, Any

from prometheus_client import Counter, values

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Due", "Observe", "Tally", "adder"]

Due = tuple[Any, float]
"""What is to be added to (`Tally.value`), and how much: finite, and for a counter not negative."""

Observe = Callable[[float, dict[str, str] | None], tuple[Due, ...]]
_INFINITY = float("inf")


def adder(child: Any) -> Callable[[float], Any]:
    """What adds a number, finite and for a counter not negative, to a counter or gauge."""
    add = getattr(getattr(child, "_value", None), "inc", None)
    return add if callable(add) else child.inc  # type: ignore[no-any-return]


class Tally:
    """Adds to many values of one registry at once."""

    __slots__ = ("_known", "_lock")

    def __init__(self) -> None:
        self._lock = Lock()
        self._known = _kept_as_known()

    def value(self, child: Any) -> Any:
        """What `add` adds to, of a counter or gauge."""
        return self._added_to(getattr(child, "_value", None)) or _ByMethod(child.inc)

    def histogram(self, child: Any) -> Observe:
        """What a finite number adds to a histogram; with an exemplar it is counted at once, and nothing is left to add."""
        try:
            bounds = list(child._upper_bounds)
            total, *counts = (self._added_to(one) for one in (child._sum, *child._buckets))
        except (AttributeError, TypeError):
            bounds, total, counts = [], None, []
        known = None not in (total, *counts) and len(bounds) == len(counts) and bounds[-1:] == [_INFINITY]

        def observe(amount: float, exemplar: dict[str, str] | None) -> tuple[Due, ...]:
            if exemplar is not None or not known:
                child.observe(amount, exemplar)
                return ()
            return (total, amount), (counts[bisect_left(bounds, amount)], 1)

        return observe

    def add(self, due: Iterable[Due]) -> None:
        """Add them all."""
        if not self._known:
            for value, amount in due:
                value.add(amount)
            return
        # Made outside of the lock: making things is when garbage is collected, and what that ends may be recorded.
        each = iter(due)
        with self._lock:
            for value, amount in each:
                value._value += amount

    def _added_to(self, value: Any) -> Any:
        """A value as it is, its lock being ours from now on, or one of another kind by its method; None for no value."""
        if self._known and type(value) is values.MutexValue:
            value._lock = self._lock
            return value
        add = getattr(value, "inc", None)
        return _ByMethod(add) if callable(add) else None


class _ByMethod:
    """A value of another kind, shared by processes for instance: what is added to it goes through its method."""

    __slots__ = ("add",)

    def __init__(self, add: Callable[[float], Any]) -> None:
        self.add = add

    _value = property(lambda _: 0.0, lambda self, amount: self.add(amount))


@cache
def _kept_as_known() -> bool:
    """Whether this release of prometheus_client keeps its values as those we know: tried out on a counter that nobody sees."""
    try:
        if values.ValueClass is not values.MutexValue:
            return False  # files shared by processes, where nothing is to be tried out
        probe = Counter("probe", "probe", registry=None)
        value: Any = probe._value
        value._lock = Lock()
        with value._lock:
            value._value += 1.5
        probe.inc()
        return [sample.value for metric in probe.collect() for sample in metric.samples][0] == 2.5  # noqa: RUF015
    except Exception:
        return False
