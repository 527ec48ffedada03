"""Which files a report reads, of which kind, and which days they can hold."""

from __future__ import annotations

import glob
import json
import os
import re
import zlib
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tracked_inference.errors import ConfigurationError
from tracked_inference.sinks._ledger_line import SCHEMA

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tracked_inference.reporting.periods import Period

__all__ = ["Kind", "SourceFile", "find_sources"]

Kind = Literal["ledger", "log", "parquet"]

_IN_DIRECTORIES = frozenset({".jsonl", ".ndjson", ".log", ".parquet"})
"""What is read of a directory; a `.json` there is more often a setting than a ledger, and can be named."""

_COMPRESSED = frozenset({".gz", ".zst"})
_DAY = re.compile(r"ledger-(\d{4}-\d\d-\d\d)(?:\.\d{4,})?\.")
_NUMBERED = re.compile(r"(.+)\.\d{4,}$")
_PEEK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class SourceFile:
    """
    One file to read.

    Attributes:
        path: Where it is.
        kind: A ledger, a log of ours, or Parquet made of a ledger.
        day: The one UTC day on which its calls started, where its name says so.
        size: In bytes.
    """

    path: Path
    kind: Kind
    day: date | None
    size: int

    @property
    def compressed(self) -> bool:
        """Read as a whole by DuckDB, which unpacks it."""
        return self.path.suffix in _COMPRESSED

    def may_hold(self, periods: Iterable[Period]) -> bool:
        """Whether calls of one of these periods can be in it."""
        if self.day is None:
            return True
        start = datetime.combine(self.day, datetime.min.time(), UTC)
        return any(period.since < start + timedelta(days=1) and start < period.until for period in periods)


def find_sources(places: Iterable[str | Path]) -> list[SourceFile]:
    """
    The files that places name: files, directories (with all below them) and globs.

    A ledger that was rotated is found by its first name: `calls.jsonl` brings `calls.0001.jsonl` along.

    Raises:
        ConfigurationError: A place names nothing, or a file that is neither a ledger, nor a log of ours, nor Parquet.
    """
    found: dict[Path, None] = {}
    for place in places:
        paths = list(_expand(str(place)))
        if not paths:
            raise ConfigurationError(
                f"{place}: no ledger there; name the directory or file that LedgerSink writes to, or a glob of such files"
            )
        found.update(dict.fromkeys(path.resolve() for path in paths))
    return [source for path in sorted(found) if (source := _source(path)) is not None]


def _expand(place: str) -> Iterable[Path]:
    path = Path(place).expanduser()
    if path.is_dir():
        return [one for one in _below(path) if _stem_suffix(one)[1] in _IN_DIRECTORIES and one.is_file()]
    if path.is_file():
        later = [
            one for one in path.parent.glob(f"{glob.escape(path.stem)}.*{path.suffix}") if _follows(path, one)
        ]
        return [path, *later]
    if glob.has_magic(place):
        return [Path(one) for one in glob.glob(str(path), recursive=True) if Path(one).is_file()]  # noqa: PTH207  # absolute patterns
    return []


def _below(directory: Path) -> Iterator[Path]:
    """All that is below a directory; a part that may not be looked into is an error, as its calls would be missing."""

    def refuse(error: OSError) -> None:
        raise ConfigurationError(f"{error.filename}: cannot be read: {error.strerror}") from error

    for folder, folders, names in os.walk(directory, onerror=refuse):
        if "lost+found" in folders:  # every volume has one, and its owner is root
            folders.remove("lost+found")
        yield from (Path(folder, name) for name in names)


def _follows(first: Path, other: Path) -> bool:
    numbered = _NUMBERED.fullmatch(other.stem)
    return numbered is not None and numbered[1] == first.stem


def _stem_suffix(path: Path) -> tuple[str, str]:
    whole = path.with_suffix("") if path.suffix in _COMPRESSED else path
    return whole.stem, whole.suffix


def _source(path: Path) -> SourceFile | None:
    try:
        size = path.stat().st_size
        if size == 0:
            return None
        kind = _kind(path)
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (EOFError, zlib.error) as error:
        raise ConfigurationError(f"{path}: cannot be read: it was not packed to its end ({error})") from error
    named = _DAY.match(path.name)
    day = None
    if named and kind != "log":
        try:
            day = date.fromisoformat(named[1])
        except ValueError:
            day = None
    return SourceFile(path, kind, day, size)


def _kind(path: Path) -> Kind:
    """What a file is, by its first lines and not by its name: application logs hold other lines too."""
    if path.suffix == ".parquet":
        return "parquet"
    if path.suffix == ".zst":
        if path.name.startswith("ledger-"):
            return "ledger"
        raise ConfigurationError(
            f"{path}: unpack it first, or name it as the ledger does (ledger-2026-11-22.jsonl.zst)"
        )
    if path.suffix == ".gz":
        import gzip

        with gzip.open(path, "rb") as packed:
            head = packed.read(_PEEK_BYTES)
    else:
        with path.open("rb") as file:
            head = file.read(_PEEK_BYTES)
    objects = 0
    for line in head.split(b"\n"):
        try:
            found = json.loads(line)
        except ValueError:
            continue
        if not isinstance(found, dict):
            continue
        objects += 1
        if "schema" in found and "started_at" in found and "cost" in found:
            if not isinstance(found["schema"], int) or found["schema"] > SCHEMA:
                raise ConfigurationError(
                    f"{path}: a ledger of schema {found['schema']}, and this version knows {SCHEMA}: upgrade tracked-inference"
                )
            return "ledger"
        if str(found.get("event", "")).startswith("ai.inference."):
            return "log"
    if path.name.startswith("ledger-"):
        return "ledger"  # nothing whole in it yet
    if objects:
        return "log"  # JSON lines without one of ours near the beginning: ours may come later, and the rest is left out
    raise ConfigurationError(
        f"{path}: neither a ledger nor a log of JSON lines: {len(head)} bytes were looked at"
    )
