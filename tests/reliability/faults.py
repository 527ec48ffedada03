"""
What can break, and how to break and mend it: each fault is a context in which it is broken, of one station.

`exercise` is the whole proof of one fault: the calls give the SDK's objects, the fault is counted, and it is over when it is over.
"""

import contextlib
import errno
import os
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from prometheus_client import values

from tests.reliability.station import Station


class Surprise(BaseException):
    """Not even an Exception."""


@dataclass(frozen=True)
class Fault:
    """
    One thing that breaks.

    Attributes:
        stage: Where it is counted; None where it breaks the counting itself.
        loses: The sinks that do not have the calls made meanwhile; the others do.
        broken: The context in which it is broken.
    """

    name: str
    stage: str | None
    loses: tuple[str, ...]
    broken: Callable[[Station], AbstractContextManager[None]]


def _set(find, name, value):
    @contextlib.contextmanager
    def broken(station):
        holder = find(station)
        before = getattr(holder, name)
        setattr(holder, name, value)
        try:
            yield
        finally:
            setattr(holder, name, before)

    return broken


def _raises(error):
    def fail(*args, **kwargs):
        raise error

    return fail


@contextlib.contextmanager
def _log_breaks(station):
    """A processor of the application's structlog configuration raises."""
    station.processors.insert(0, _raises(RuntimeError("x")))
    try:
        yield
    finally:
        station.processors.pop(0)


@contextlib.contextmanager
def _prometheus_client_breaks(station):
    """Every value raises when it is added to, by whomever its method was bound before, or under its lock."""
    inc, tally = values.ValueClass.inc, station.metrics._all.tally
    broken = _raises_in_one_process if inc.__closure__ is None else _raises_in_many(inc.__closure__)
    kept, inc.__code__ = inc.__code__, broken.__code__
    lock, tally._lock = tally._lock, _BrokenLock()
    try:
        yield
    finally:
        inc.__code__, tally._lock = kept, lock


class _BrokenLock:
    def __enter__(self):
        raise OSError("x")

    def __exit__(self, *_):
        raise AssertionError("it was never entered")


def _raises_in_one_process(self, amount):
    raise OSError("x")


def _raises_in_many(lock):
    """A method's code can only be put in the place of one with as many variables from around it."""

    def inc(self, amount):
        raise OSError("x", lock)

    return inc


@contextlib.contextmanager
def _disk_full(station):
    """The kernel says ENOSPC to every write."""
    path = station.ledger_path
    kept = path.with_suffix(".kept")
    path.rename(kept)
    path.symlink_to("/dev/full")
    try:
        yield
    finally:
        path.unlink()
        kept.rename(path)


@contextlib.contextmanager
def _ledger_is_a_folder(station):
    """What should be the ledger's file is a folder."""
    path = station.ledger_path
    kept = path.with_suffix(".kept")
    path.rename(kept)
    path.mkdir()
    try:
        yield
    finally:
        path.rmdir()
        kept.rename(path)


@contextlib.contextmanager
def _no_folder(station):
    """The ledger's folder is gone and cannot be made: a file stands where its parent was."""
    folder = station.ledger_path.parent
    kept = folder.with_name(folder.name + ".kept")
    folder.rename(kept)
    folder.touch()
    try:
        yield
    finally:
        folder.unlink()
        kept.rename(folder)


@contextlib.contextmanager
def _folder_removed(station):
    """Somebody removes the ledger's folder; the sink makes another, so nothing but the old lines is lost."""
    shutil.rmtree(station.ledger_path.parent)
    yield


@contextlib.contextmanager
def _read_only(station):
    """The kernel says EROFS to opening and writing; the files that are open are moved away, as by a remount."""
    before_open, before_write = os.open, os.write
    error = OSError(errno.EROFS, os.strerror(errno.EROFS))
    ours = str(station.ledger_path)

    def open_(path, *args, **kwargs):
        if str(path) == ours:
            raise error
        return before_open(path, *args, **kwargs)

    def write(descriptor, data):
        if Path(f"/proc/self/fd/{descriptor}").readlink() == Path(ours):
            raise error
        return before_write(descriptor, data)

    os.open, os.write = open_, write
    try:
        yield
    finally:
        os.open, os.write = before_open, before_write


FAULTS = (
    Fault("a sink raises", "sink", ("sink",), _set(lambda s: s.mine, "broken", RuntimeError("x"))),
    Fault("a sink raises no Exception", "sink", ("sink",), _set(lambda s: s.mine, "broken", Surprise("x"))),
    Fault("a sink exits", "sink", ("sink",), _set(lambda s: s.mine, "broken", SystemExit(3))),
    Fault("the price table raises", "price", (), _set(lambda s: s.table, "broken", RuntimeError("x"))),
    Fault("structlog raises", "log", ("log",), _log_breaks),
    Fault(
        "a metric raises",
        "metrics",
        (),  # the calls are counted before the metric that raises
        _set(lambda s: next(iter(s.metrics._children.values())), "duration", _raises(ValueError("x"))),
    ),
    Fault(
        "prometheus_client raises",
        None,
        ("metrics",),
        _prometheus_client_breaks,
    ),
    Fault("the disk is full", "ledger", ("ledger",), _disk_full),
    Fault("the disk is read-only", "ledger", ("ledger",), _read_only),
    Fault("the ledger is a folder", "ledger", ("ledger",), _ledger_is_a_folder),
    Fault("the ledger's folder cannot be made", "ledger", ("ledger",), _no_folder),
    Fault("the ledger's folder is removed", None, (), _folder_removed),
)


def exercise(fault, station, call, calls):
    """
    Make calls before, in and after a fault.

    Args:
        call: Makes `calls` calls, and says whether each gave the SDK's own object.

    Returns what is wrong, as sentences; nothing when all is well.
    """
    wrong = []
    if not call():
        wrong.append("before the fault the result was not the SDK's own")
    counted = station.faults(fault.stage) if fault.stage else 0
    before = station.seen_by()
    with fault.broken(station):
        if fault.name == "the ledger's folder is removed":
            before["ledger"] = 0
        try:
            if not call():
                wrong.append("in the fault the result was not the SDK's own")
        except BaseException as error:
            wrong.append(f"in the fault the caller was given {error!r}")
    after = station.seen_by()
    if fault.stage and station.faults(fault.stage) - counted != calls:
        wrong.append(
            f"{station.faults(fault.stage) - counted} faults of {calls} were counted at {fault.stage}"
        )
    for sink in before:
        expected = 0 if sink in fault.loses else calls
        if after[sink] - before[sink] != expected:
            wrong.append(f"{sink} had {after[sink] - before[sink]} calls of {expected} in the fault")
    if not call():
        wrong.append("after the fault the result was not the SDK's own")
    again = station.seen_by()
    wrong.extend(
        f"{sink} had {again[sink] - after[sink]} calls of {calls} after the fault"
        for sink in again
        if again[sink] - after[sink] != calls
    )
    return wrong
