"""
Frees the locks of prometheus_client and structlog in a forked child.

A thread of the parent may be counting or printing at the very moment of the fork; the lock it holds stays locked in the child, which
has no such thread, and the first call there would wait for ever.  Neither library looks after that itself; logging does.
"""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["free_locks", "free_log_locks"]


def free_locks(metrics: Iterable[Any], registry: Any) -> None:
    """Make every lock of these metrics and their registry, and the one of multiprocess mode, free again; never raises."""
    for lock in _locks(metrics, registry):
        # Another interpreter's locks may lack it; the child is then as it was.
        with contextlib.suppress(Exception):
            lock._at_fork_reinit()


def free_log_locks() -> None:
    """Make the locks under which structlog's loggers print free again; never raises."""
    with contextlib.suppress(Exception):
        for lock in list(sys.modules["structlog._output"].WRITE_LOCKS.values()):
            lock._at_fork_reinit()


def _locks(metrics: Iterable[Any], registry: Any) -> Iterator[Any]:
    from prometheus_client import values

    yield getattr(registry, "_lock", None)
    # In multiprocess mode one lock in a closure guards all values.
    for cell in getattr(getattr(values.ValueClass, "inc", None), "__closure__", None) or ():
        yield cell.cell_contents
    for metric in metrics:
        yield getattr(metric, "_lock", None)
        for child in list(getattr(metric, "_metrics", {}).values()):
            yield getattr(child, "_lock", None)
            for value in list(vars(child).values()):
                for one in value if isinstance(value, list) else (value,):
                    yield getattr(one, "_lock", None)
