"""
The ledger sink: every call as one line of JSON, appended to files that any number of processes may share.

Nothing is ever renamed, truncated or rewritten, so there is nothing to lock between processes:
a file that is full or whose day is over is simply no longer appended to.

- One line is one `write` to a descriptor opened for appending, which the kernel puts whole at the end of the file.
- A process that dies leaves at most its last line unfinished; whoever writes next starts a line of its own.
  A line that is being written looks unfinished too, for microseconds: it is looked at again before its writer is taken for dead.
- Lines are handed to the operating system at once, so a killed process loses nothing that was written;
  they are not synced to the disk, so a power cut may lose the last seconds.
- A network file system that does not append atomically (NFS) may mix the lines of several machines:
  give each machine a directory of its own there, and read them together.
"""

from __future__ import annotations

import os
import re
import time
from datetime import UTC
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING
from weakref import WeakSet

from tracked_inference.errors import ConfigurationError
from tracked_inference.sinks._ledger_line import line_of

if TYPE_CHECKING:
    from datetime import datetime

    from tracked_inference.record import CallRecord

__all__ = ["LedgerSink"]

DEFAULT_MAX_BYTES = 1 << 30
"""A file takes no more lines beyond this size: 1 GiB, somewhat over a million calls."""

_MAX_OPEN = 4
"""Files held open at once: around midnight two days are written, and batches bring lines of days before."""

_PATIENCE_SECONDS = 0.05
"""So long is an unfinished last line looked at before its writer is taken for dead; a living one needs microseconds."""

_pause, _clock = time.sleep, time.monotonic
_FLAGS = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_SUFFIXES = frozenset({".jsonl", ".ndjson", ".json", ".log"})


class LedgerSink:
    """
    Appends each record to a ledger, a file of JSON lines for each UTC day on which calls started.

    Args:
        path: A directory, made if missing, in which each UTC day has its own `ledger-2026-11-22.jsonl`;
            or a file that ends in `.jsonl`, `.ndjson`, `.json` or `.log`, to which all days go.
        max_bytes: A file that has reached this size is followed by another: `ledger-2026-11-22.0001.jsonl`.
            Each process may overshoot by the line that it is writing.

    Files are made readable for their owner alone (0600, directories 0700): they hold user ids.
    A line that cannot be written raises `OSError`; a client counts that in `ai_inference_tracking_errors_total{stage="ledger"}`,
    the call is not affected, and writing goes on with the next record.

    Raises:
        ConfigurationError: The place cannot be written to, or `max_bytes` is not positive.
    """

    stage = "ledger"

    def __init__(self, path: str | os.PathLike[str], *, max_bytes: int = DEFAULT_MAX_BYTES) -> None:
        if max_bytes <= 0:
            raise ConfigurationError(
                f"max_bytes={max_bytes} is not a size: give the bytes after which a new file begins"
            )
        self.path = Path(path).expanduser().absolute()
        self.max_bytes = max_bytes
        self._single = self.path.suffix in _SUFFIXES and not self.path.is_dir()
        self._lock = Lock()
        self._open: dict[str, _File] = {}
        directory = self.path.parent if self._single else self.path
        try:
            _make(directory)
        except OSError as error:
            raise ConfigurationError(
                f"the ledger cannot be written to {directory}: {error.strerror or error}"
            ) from error
        if not os.access(directory, os.W_OK | os.X_OK):
            raise ConfigurationError(
                f"the ledger cannot be written to {directory}: no permission to write there"
            )
        _all.add(self)

    def __call__(self, record: CallRecord, /) -> None:
        line = line_of(record)
        stem = self.path.stem if self._single else f"ledger-{_day(record.started_at)}"
        with self._lock:
            self._append(stem, line)

    def close(self) -> None:
        """Close the files; a later record opens them again."""
        with self._lock:
            for file in self._open.values():
                file.close()
            self._open.clear()

    def _append(self, stem: str, line: bytes) -> None:
        file = self._open.get(stem)
        size = None if file is None else file.size()
        if file is None or size is None or size >= self.max_bytes:
            if file is not None:
                del self._open[stem]
                file.close()
            while len(self._open) >= _MAX_OPEN:
                self._open.pop(next(iter(self._open))).close()
            file, size = self._newest(stem)
            self._open[stem] = file
        file.append(line, size)

    def _newest(self, stem: str) -> tuple[_File, int]:
        """The last file of a stem, or the one after it where that is full."""
        directory = self.path.parent if self._single else self.path
        suffix = self.path.suffix if self._single else ".jsonl"
        pattern = re.compile(re.escape(stem) + r"(?:\.(\d{4,}))?" + re.escape(suffix))
        try:
            names = [path.name for path in directory.iterdir()]
        except FileNotFoundError:  # somebody removed the whole directory while we ran
            _make(directory)
            names = []
        number = max((int(found[1] or 0) for found in map(pattern.fullmatch, names) if found), default=0)
        while True:
            name = f"{stem}{suffix}" if number == 0 else f"{stem}.{number:04d}{suffix}"
            file = _File(directory / name)
            size = file.size()
            if size is None:  # removed between opening and looking
                file.close()
                continue
            if size < self.max_bytes:
                return file, size
            file.close()
            number += 1

    def _after_fork(self) -> None:
        # Another thread may have held the lock when the process forked. The descriptors are shared with the parent, which
        # appending allows.
        self._lock = Lock()


class _File:
    """One open file of the ledger."""

    __slots__ = ("_descriptor", "_identity", "_path", "_torn")

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = os.open(path, _FLAGS, 0o600)
        now = os.fstat(self._descriptor)
        self._identity = (now.st_dev, now.st_ino)
        self._torn = 0

    def size(self) -> int | None:
        """The size in bytes; None when the file was moved or removed, so that nothing is written where nobody reads."""
        try:
            now = self._path.stat()
        except FileNotFoundError:
            return None
        return now.st_size if (now.st_dev, now.st_ino) == self._identity else None

    def append(self, line: bytes, size: int) -> None:
        """Write a line in one piece, and before it a newline where somebody died in the middle of the last one."""
        if size and not self._ends_with_newline(size) and self._is_torn():
            line = b"\n" + line
        written = os.write(self._descriptor, line)
        if written != len(line):
            raise OSError(
                f"{self._path}: {written} of {len(line)} bytes of a line were written: the disk may be full"
            )

    def _is_torn(self) -> bool:
        """Whether the last line stays unfinished: one that another process is writing this very moment is seen in parts."""
        deadline = _clock() + _PATIENCE_SECONDS
        while True:
            size = os.fstat(self._descriptor).st_size
            if not size or self._ends_with_newline(size):
                return False
            if size == self._torn or _clock() > deadline:
                self._torn = size  # a disk that is full is not waited for with every line
                return True
            _pause(_PATIENCE_SECONDS / 50)

    def _ends_with_newline(self, size: int) -> bool:
        if hasattr(os, "pread"):
            return os.pread(self._descriptor, 1, size - 1) == b"\n"
        os.lseek(self._descriptor, size - 1, os.SEEK_SET)
        return os.read(self._descriptor, 1) == b"\n"

    def close(self) -> None:
        os.close(self._descriptor)


def _make(directory: Path) -> None:
    """Make a directory and what is missing above it, each for the owner alone: in one that is open to all it could be replaced."""
    for one in reversed((directory, *directory.parents)):
        if not one.is_dir():
            one.mkdir(mode=0o700, exist_ok=True)


def _day(at: datetime) -> str:
    return at.astimezone(UTC).date().isoformat()


_all: WeakSet[LedgerSink] = WeakSet()


def _reset_locks() -> None:
    for sink in _all:
        sink._after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_reset_locks)
