"""
A way out of finalizers: work that must not run where the garbage collector happens to be.

A dropped stream is noticed by a finalizer, and a finalizer may run at any allocation, also while this very thread holds a
lock of prometheus_client or of a logging handler; writing the record there could wait for that lock for ever.
So the work goes to a thread of its own through a `SimpleQueue`, whose `put` is made for finalizers, and the finalizer
waits a moment for it, so that in all ordinary cases the record is there when the statement that dropped the stream is done.
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
import weakref
from queue import SimpleQueue
from typing import TYPE_CHECKING

from tracked_inference._children import at_end_of_child

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["hand_over", "later", "prepare", "when_dropped"]

_PATIENCE_SECONDS = 0.05
"""How long a finalizer waits; it runs out only where the work needs a lock that the interrupted code holds."""

_LAST_PATIENCE_SECONDS = 30.0
"""How long the end of the program waits for work that was left for later."""

_Item = tuple["Callable[[], None]", threading.Event]
_queue: SimpleQueue[_Item] = SimpleQueue()
_thread: threading.Thread | None = None
_starting = threading.Lock()
_open: dict[int, Callable[[], None]] = {}
"""What is to be done when something is dropped that is still in use, in this process."""
forks = 0
"""How many forks are between this process and the one that was started: what was begun before the last one is the parent's."""


def prepare() -> None:
    """Start the thread, from a place where starting a thread is safe; costs one comparison when it runs."""
    global _thread  # noqa: PLW0603  # one a process
    if _thread is None and _starting.acquire(blocking=False):
        try:
            thread = threading.Thread(target=_work, args=(_queue,), name="tracked-inference", daemon=True)
            thread.start()
            _thread = thread
            at_end_of_child(_end_of_child, priority=200)  # before queues of sinks are emptied
        except RuntimeError:
            pass  # no more threads, or the interpreter is on its way out: hand_over then works inline
        finally:
            _starting.release()


def hand_over(work: Callable[[], None]) -> None:
    """Run `work`, which must not raise, in the thread; wait for it a moment."""
    thread = _thread
    if thread is None or not thread.is_alive() or threading.current_thread() is thread or sys.is_finalizing():
        work()
        return
    done = threading.Event()
    _queue.put((work, done))
    done.wait(_PATIENCE_SECONDS)


def later(work: Callable[[], None]) -> None:
    """Run `work`, which must not raise, in the thread, without waiting for it."""
    prepare()
    if _thread is None:
        work()
        return
    _queue.put((work, threading.Event()))


def when_dropped(thing: object, work: Callable[[], None]) -> None:
    """
    Run `work`, which must not raise, when `thing` goes out of use or this process ends.

    A child that is forked meanwhile has a copy of `thing`, and its end is none of the original.
    """
    key = id(work)
    _open[key] = work
    weakref.finalize(thing, _dropped, key)


def _dropped(key: int) -> None:
    """Something went out of use; runs in a finalizer."""
    work = _open.pop(key, None)
    if work is not None:
        work()


def _end_of_child() -> None:
    for key in list(_open):
        _dropped(key)
    _drain()


def _drain() -> None:
    """At the end of the program: let what was left for later be done, a batch's output file say."""
    thread = _thread
    if thread is not None and thread.is_alive():
        done = threading.Event()
        _queue.put((_nothing, done))
        done.wait(_LAST_PATIENCE_SECONDS)


def _nothing() -> None:
    """No work: what came before it is done."""


atexit.register(_drain)


def _work(queue: SimpleQueue[_Item]) -> None:
    while True:
        work, done = queue.get()
        try:
            work()
        finally:
            done.set()
        del work, done


def _forget() -> None:
    """A child process has no such thread; what the parent had queued or open is the parent's."""
    global _queue, _thread, _starting, forks  # noqa: PLW0603
    forks += 1
    _queue = SimpleQueue()
    _thread = None
    _starting = threading.Lock()
    _open.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
