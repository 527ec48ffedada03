"""
A queue before a sink that may be slow: the call hands its record over in a microsecond, a thread does the rest.

The sinks of this package need none: they were measured (docs/reliability.md).
It is for a sink of yours that talks to a network, and for a ledger on a disk that may stall.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import threading
import time
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from tracked_inference._children import at_end_of_child
from tracked_inference.errors import ConfigurationError

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from tracked_inference.record import CallRecord, Sink

__all__ = ["QueuedSink"]

_log = logging.getLogger("tracked_inference")
_Item = "CallRecord | threading.Event"


class QueuedSink:
    """
    Hands records to another sink from a thread of its own, through a queue of bounded length.

    Args:
        sink: Takes the records, one at a time and in order.
        max_records: So many may wait; one more is dropped, which is counted in `ai_inference_dropped_records_total`.
        exit_seconds: So long the end of the program waits for what is in the queue; what is left then is dropped and counted.
        registry: Where drops and faults are counted; default prometheus_client's `REGISTRY`.

    What `sink` raises is counted in `ai_inference_tracking_errors_total` under its own stage and logged once; the next record is
    tried again.  A process that is killed loses what is in its queue.  A forked child starts with an empty queue and a thread of
    its own; what waited in the parent is the parent's to write.

    Raises:
        ConfigurationError: An argument cannot be used.
    """

    def __init__(
        self,
        sink: Sink,
        *,
        max_records: int = 10_000,
        exit_seconds: float = 5.0,
        registry: CollectorRegistry | None = None,
    ) -> None:
        if not callable(sink):
            raise ConfigurationError(
                f"{sink!r} is not callable; a sink is any callable that takes a CallRecord"
            )
        if max_records <= 0:
            raise ConfigurationError(
                f"max_records={max_records} holds nothing; give how many records may wait"
            )
        if exit_seconds < 0:
            raise ConfigurationError(f"exit_seconds={exit_seconds} is not a time; 0 does not wait")
        self.sink = sink
        self.max_records = max_records
        self.exit_seconds = exit_seconds
        self.stage: str = getattr(sink, "stage", "sink")
        self._registry = registry
        self._logged: set[str] = set()
        self._ending = False
        self._fresh()
        self._count_dropped("full", 0)  # there at 0: increase() misses births
        _all.add(self)

    def __call__(self, record: CallRecord, /) -> None:
        if self._ending:
            self._after_the_end(record)
            return
        queue = self._queue
        if queue.qsize() >= self.max_records:
            self._drop("full", 1)
            return
        queue.put(record)  # never waits, and may be called from a finalizer
        if self._thread is None:
            self._start()

    def __getattr__(self, name: str) -> Any:
        """What the sink wants to be told beside records (`declare`, `call_started`, ...) goes to it at once."""
        if name.startswith("_") or name == "sink":
            raise AttributeError(name)
        return getattr(self.sink, name)

    @property
    def waiting(self) -> int:
        """Records that are in the queue now."""
        return self._queue.qsize()

    def flush(self, timeout_seconds: float | None = None) -> bool:
        """Wait until the sink has had every record handed over so far; False when the time ran out first."""
        if self._thread is None:
            if not self._queue.qsize():
                return True
            self._start()
        done = threading.Event()
        self._queue.put(done)
        return done.wait(timeout_seconds)

    # The thread.

    def _fresh(self) -> None:
        self._queue: SimpleQueue[CallRecord | threading.Event] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()

    def _start(self) -> None:
        if not self._starting.acquire(blocking=False):
            return
        try:
            if self._thread is None:
                at_end_of_child(_end_all, priority=100)
                thread = threading.Thread(
                    target=self._work,
                    args=(self._queue,),
                    name=f"tracked-inference-{self.stage}",
                    daemon=True,
                )
                # Without more threads the record waits; the next one tries again.
                with contextlib.suppress(RuntimeError):
                    thread.start()
                    self._thread = thread
        finally:
            self._starting.release()

    def _work(self, queue: SimpleQueue[CallRecord | threading.Event]) -> None:
        while True:
            item = queue.get()
            if isinstance(item, threading.Event):
                item.set()
            else:
                self._hand_on(item)
            del item

    def _hand_on(self, record: CallRecord) -> None:
        try:
            self.sink(record)
        except BaseException as error:
            self._count(lambda: _collectors(self._registry).tracking_errors.labels(self.stage).inc())
            self._say(
                f"{self.stage}: {type(error).__name__}",
                "ai.inference.tracking_error: the queued sink %s failed with %s; the calls were not affected, further faults"
                " are only counted in ai_inference_tracking_errors_total",
                self.stage,
                type(error).__name__,  # never its text, which may hold what must not be told
            )

    # What is lost.

    def _drop(self, reason: str, records: int) -> None:
        self._count_dropped(reason, records)
        self._say(
            reason,
            "ai.inference.records_dropped: the sink %s does not keep up (%s, %d may wait); records are dropped and counted in"
            " ai_inference_dropped_records_total",
            self.stage,
            reason,
            self.max_records,
        )

    def _count_dropped(self, reason: str, records: int) -> None:
        self._count(lambda: _collectors(self._registry).dropped.labels(self.stage, reason).inc(records))

    def _count(self, work: Any) -> None:
        with contextlib.suppress(Exception):  # nothing is left to tell it to
            work()

    def _say(self, what: str, *message: object) -> None:
        if what not in self._logged:
            self._logged.add(what)
            with contextlib.suppress(Exception):
                _log.error(*message)

    # The end.

    def _end(self, until: float) -> None:
        """Write what waits, until a time of the monotonic clock; later records are written by whoever brings them."""
        if self._ending:
            return
        self._stuck = not self.flush(max(until - time.monotonic(), 0.0))
        self._ending = True
        if self._stuck and (left := sum(1 for _ in self._left())):
            self._drop("exit", left)

    def _left(self) -> Any:
        while not self._queue.empty():
            with contextlib.suppress(Exception):
                if not isinstance(self._queue.get_nowait(), threading.Event):
                    yield None

    def _after_the_end(self, record: CallRecord) -> None:
        if self._stuck:
            self._drop("exit", 1)
        else:
            self._hand_on(record)


def _collectors(registry: CollectorRegistry | None) -> Any:
    from tracked_inference.sinks._collectors import collectors_of

    return collectors_of(registry)


_all: WeakSet[QueuedSink] = WeakSet()


def _end_all() -> None:
    now = time.monotonic()
    for one in list(_all):
        one._end(now + one.exit_seconds)


def _in_child() -> None:
    for one in list(_all):
        one._fresh()
        one._ending = False


atexit.register(_end_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
