"""The end of a child process: those of multiprocessing and of Celery's billiard end without `atexit`, but not without this."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["at_end_of_child"]


def at_end_of_child(work: Callable[[], None], *, priority: int) -> None:
    """
    Run `work` when this process ends, if it is such a child; what has the higher priority runs first.

    A process that `atexit` serves may run it too, and forgets this when it forks.
    """
    for name in ("multiprocessing.util", "billiard.util"):
        module = sys.modules.get(name)
        if module is not None:
            module.Finalize(None, work, exitpriority=priority)
