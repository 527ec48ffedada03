"""
Parquet made once of large ledger files, so that a million lines are a question of a fraction of a second.

A ledger only grows, so what was read once stays true: each roll-up covers a range of bytes and is never rewritten;
what has been added since is read as it is, or rolled up when there is much of it.
Roll-ups live in the user's cache directory, readable for their owner alone, and may be deleted at any time.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from tracked_inference.reporting.calls import ledger_calls, quoted

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracked_inference.reporting.sources import SourceFile

__all__ = ["Rollup", "cache_directory", "roll_up"]

VERSION = 1
"""Changes whenever the columns of a roll-up do."""

CHUNK_BYTES = 256 << 20
TAIL_BYTES = 32 << 20
"""A shorter rest of a file is read as JSON; a longer one becomes a roll-up too."""

_FORGET_AFTER_SECONDS = 90 * 86_400
_SEGMENT = re.compile(r"(\d+)-(\d+)-([0-9a-f]{16})\.parquet")


@dataclass(slots=True)
class Rollup:
    """
    What a file has become.

    Attributes:
        segments: Parquet files that cover it from the start, in order.
        tail: A copy of the rest, JSON lines; None where there is none. Its maker removes it.
    """

    segments: list[Path] = field(default_factory=list)
    tail: Path | None = None


def cache_directory() -> Path:
    """Where roll-ups live: `TRACKED_INFERENCE_CACHE`, or the user's cache directory."""
    named = os.environ.get("TRACKED_INFERENCE_CACHE")
    if named:
        return Path(named)
    home = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA")
    return (Path(home) if home else Path.home() / ".cache") / "tracked-inference"


def roll_up(
    source: SourceFile,
    convert: Callable[[str], object],
    advance: Callable[[int], object],
    *,
    cache: Path,
    scratch: Path,
) -> Rollup:
    """
    The roll-up of a ledger file, completed where it is behind.

    Args:
        source: The file.
        convert: Runs one SQL statement.
        advance: Told of bytes that are done with.
        cache: Where roll-ups are kept.
        scratch: A directory for the copy of the rest.

    Raises:
        OSError: The cache or the file cannot be used.
    """
    now = source.path.stat()
    identity = f"{source.path}|{now.st_dev}|{now.st_ino}".encode()
    home = cache / f"ledger-{VERSION}" / hashlib.sha256(identity).hexdigest()[:32]
    cache.mkdir(mode=0o700, parents=True, exist_ok=True)
    home.parent.mkdir(mode=0o700, exist_ok=True)
    home.mkdir(mode=0o700, exist_ok=True)
    os.utime(home)
    _forget(home.parent)
    found = Rollup()
    with source.path.open("rb") as file:
        covered = _kept(file, home, now.st_size, found)
        advance(covered)
        end = _line_end(file, now.st_size)
        while end - covered > TAIL_BYTES:
            stop = _line_end(file, min(covered + CHUNK_BYTES, end))
            if stop <= covered:  # a single line longer than a chunk is no line of ours
                stop = end
            copy = _copied(file, covered, stop, scratch)
            target = home / f"{covered}-{stop}-{_fingerprint(file, stop)}.parquet"
            descriptor, name = tempfile.mkstemp(dir=home, suffix=".part")
            os.close(descriptor)  # DuckDB opens it by its name
            part = Path(name)
            try:
                convert(
                    f"COPY ({ledger_calls([copy], lines=True)} ORDER BY started_at) TO {quoted(part)}"
                    " (FORMAT parquet, COMPRESSION zstd)"
                )
                part.chmod(0o600)
                part.replace(target)
            finally:
                part.unlink(missing_ok=True)
                copy.unlink(missing_ok=True)
            found.segments.append(target)
            advance(stop - covered)
            covered = stop
        if now.st_size > covered:
            found.tail = _copied(file, covered, now.st_size, scratch)
            advance(now.st_size - covered)
    return found


def _kept(file: BinaryIO, home: Path, size: int, found: Rollup) -> int:
    """Take the segments that still are what the file says, and return how far they reach."""
    ranges: dict[int, tuple[int, Path]] = {}
    for path in home.iterdir():
        named = _SEGMENT.fullmatch(path.name)
        if named is None:
            continue
        start, stop = int(named[1]), int(named[2])
        if stop <= size and _fingerprint(file, stop) == named[3] and stop > ranges.get(start, (0, path))[0]:
            ranges[start] = (stop, path)
    covered = 0
    while covered in ranges:
        covered, path = ranges[covered]
        found.segments.append(path)
    return covered


def _line_end(file: BinaryIO, limit: int) -> int:
    """The end of the last whole line before a position."""
    position = limit
    while position > 0:
        start = max(0, position - 65_536)
        block = _read(file, start, position - start)
        newline = block.rfind(b"\n")
        if newline >= 0:
            return start + newline + 1
        position = start
    return 0


def _fingerprint(file: BinaryIO, stop: int) -> str:
    """What stands before a position: a file that was replaced or rewritten does not have it."""
    start = max(0, stop - 4096)
    return hashlib.sha256(_read(file, start, stop - start)).hexdigest()[:16]


def _read(file: BinaryIO, start: int, length: int) -> bytes:
    file.seek(start)
    return bytes(file.read(length))


def _copied(file: BinaryIO, start: int, stop: int, scratch: Path) -> Path:
    """A range of the file as a file of its own: DuckDB reads files from their beginning, and this one may be growing."""
    descriptor, name = tempfile.mkstemp(dir=scratch, suffix=".jsonl")
    with os.fdopen(descriptor, "wb") as target:
        position = start
        while position < stop:
            block = _read(file, position, min(8 << 20, stop - position))
            if not block:
                break
            target.write(block)
            position += len(block)
    return Path(name)


def _forget(cache: Path) -> None:
    """Remove the roll-ups of files that nobody has asked about for a quarter of a year."""
    limit = time.time() - _FORGET_AFTER_SECONDS
    for home in cache.iterdir():
        if home.is_dir() and home.stat().st_mtime < limit:
            shutil.rmtree(home, ignore_errors=True)
