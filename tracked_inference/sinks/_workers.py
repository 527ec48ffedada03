"""Finds out that other processes answer on this one's port without sharing their values."""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tracked_inference.sinks._collectors import collectors_of
from tracked_inference.sinks._collectors import multiprocess as shared_by_files

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

__all__ = ["WorkerWatch", "siblings_on_my_port"]

_log = logging.getLogger("tracked_inference")
_LISTENING = "0A"
_PAUSE_SECONDS = 60.0


class WorkerWatch:
    """
    Looks for other workers, now and then until it finds some.

    Args:
        registry: Where the fault is counted, as stage `workers` of `ai_inference_tracking_errors_total`.
        proc: Where the kernel tells of processes; what is not Linux has none, and `WEB_CONCURRENCY` must do.
    """

    def __init__(self, registry: CollectorRegistry, proc: Path = Path("/proc")) -> None:
        self._registry = registry
        self._proc = proc
        self._next = 0.0
        self._said_by: int | None = None

    def look(self) -> None:
        """Say it once in each process, and count it, when the workers of one port do not share their values."""
        now = time.monotonic()
        if shared_by_files() or self._said_by == os.getpid() or now < self._next:
            return
        self._next = now + _PAUSE_SECONDS
        others = siblings_on_my_port(self._proc)
        if others is None:
            others = max(_number(os.environ.get("WEB_CONCURRENCY")) - 1, 0)
        if others == 0:
            return
        self._said_by = os.getpid()
        collectors_of(self._registry).tracking_errors.labels("workers").inc()
        _log.error(
            "ai.inference.workers_not_merged: %d other processes answer on this port and each counts alone, so every scrape"
            " meets another one and costs are read many times too high; set PROMETHEUS_MULTIPROC_DIR to an empty folder"
            " before the server starts (docs/howto/workers.md)",
            others,
        )


def siblings_on_my_port(proc: Path = Path("/proc")) -> int | None:
    """
    How many processes with this one's parent listen where this one listens; None where the kernel does not tell.

    Workers inherit one socket or bind the same address each (SO_REUSEPORT); both are found, and nothing else is:
    two services started by one shell listen on different ports.
    """
    mine = proc / "self"
    try:
        addresses = _listening(mine)
        parent = _parent(mine)
        sockets = {inode for inode, _ in _sockets(mine, addresses)}
        places = {addresses[inode] for inode in sockets}
    except OSError:
        return None
    if not sockets:
        return 0
    found = 0
    for other in proc.iterdir():
        if not other.name.isdigit() or int(other.name) == os.getpid():
            continue
        try:
            if _parent(other) != parent:
                continue
            theirs = _sockets(other, addresses)
        except OSError:  # gone, or another user's
            continue
        found += any(inode in sockets or place in places for inode, place in theirs)
    return found


def _listening(process: Path) -> dict[str, str]:
    """The address of each listening TCP socket, by its inode."""
    found = {}
    for table in ("tcp", "tcp6"):
        path = process / "net" / table
        if path.exists():
            for line in path.read_text().splitlines()[1:]:
                columns = line.split()
                if columns[3] == _LISTENING:
                    found[columns[9]] = columns[1]
    return found


def _sockets(process: Path, addresses: dict[str, str]) -> list[tuple[str, str]]:
    """The listening sockets that a process holds: inode and address."""
    found = []
    for handle in (process / "fd").iterdir():
        try:
            target = str(handle.readlink())
        except OSError:  # closed meanwhile
            continue
        inode = target.removeprefix("socket:[").removesuffix("]")
        if target.startswith("socket:[") and inode in addresses:
            found.append((inode, addresses[inode]))
    return found


def _parent(process: Path) -> str:
    """The parent's id; the name before it in the line may hold spaces and brackets."""
    return (process / "stat").read_text().rpartition(")")[2].split()[1]


def _number(text: str | None) -> int:
    return int(text) if text is not None and text.isdigit() else 1
