"""Faults of the tracking itself: counted, logged once a place, and never the caller's."""

from __future__ import annotations

import contextlib
import logging
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Faults"]

_log = logging.getLogger("tracked_inference")
_logged: set[tuple[str, str, str]] = set()


class Faults:
    """
    Catches what goes wrong in a step of the tracking.

    Args:
        count: Called with the stage of each fault.
    """

    __slots__ = ("_count",)

    def __init__(self, count: Callable[[str], None]) -> None:
        self._count = count

    def guarded(self, stage: str, work: Callable[..., Any], /, *args: Any, **kwargs: Any) -> None:
        """Run a step of the tracking; a fault is counted and logged once."""
        try:
            work(*args, **kwargs)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            self.note(stage, error)

    def look(self, see: Any, event: Any) -> bool:
        """Show a stream event to a reader; a fault shows it to the caller."""
        try:
            return bool(see(event))
        except Exception as error:
            self.note("usage", error)
            return False

    def note(self, stage: str, error: BaseException) -> None:
        """Count a fault of the tracking, and log each place once: the type and where, never a text that may carry content."""
        with contextlib.suppress(Exception):  # nothing is left to tell it to
            self._count(stage)
        with contextlib.suppress(Exception):
            trace = error.__traceback__
            while trace is not None and trace.tb_next is not None:
                trace = trace.tb_next
            where = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace is not None else "?"
            key = (stage, type(error).__name__, where)
            if key not in _logged:
                _logged.add(key)
                _log.error(
                    "ai.inference.tracking_error: %s failed with %s at %s; the call was not affected,"
                    " further faults of this place are only counted in ai_inference_tracking_errors_total",
                    *key,
                )
