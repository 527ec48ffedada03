"""
How long an event loop stands still because of a sink: `python -m tests.reliability.stalls`.

A task wakes every millisecond and notes by how much it is late, while calls are recorded; a disk is flooded beside it where the
row says so.  A ledger is measured as it is and behind a queue, and so is a sink that takes 20 ms.
"""

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from prometheus_client import CollectorRegistry

from tests.reliability import page
from tests.sinks.records import record
from tracked_inference.sinks.ledger import LedgerSink
from tracked_inference.sinks.queued import QueuedSink

FLOOD = """
import os, sys
while True:
    with open(sys.argv[1], "wb") as file:
        for _ in range(64):
            file.write(os.urandom(1 << 20))
            file.flush()
            os.fsync(file.fileno())
"""


def slow(_record):
    time.sleep(0.02)


async def late(sink, records, pause):
    """The lateness of each wake-up, and the time that each record took of the loop; seconds, sorted."""
    lateness, taken, done = [], [], False

    async def watch():
        while not done:
            asked = time.perf_counter()
            await asyncio.sleep(0.001)
            lateness.append(time.perf_counter() - asked - 0.001)

    watching = asyncio.create_task(watch())
    for _ in range(records):
        one = record()
        began = time.perf_counter()
        sink(one)
        taken.append(time.perf_counter() - began)
        await asyncio.sleep(pause)
    done = True
    await watching
    return sorted(lateness), sorted(taken)


def at(values, share):
    return f"{values[min(int(len(values) * share), len(values) - 1)] * 1000:.2f}"


def main():
    parser = argparse.ArgumentParser(
        prog="python -m tests.reliability.stalls", description=__doc__.split("\n\n")[0]
    )
    parser.add_argument("--records", type=int, default=5000)
    parser.add_argument("--write", action="store_true", help="write the figures to docs/reliability.md")
    words = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:  # a disk, where /tmp may be memory
        registry = CollectorRegistry()
        ledger = LedgerSink(Path(folder) / "ledger")
        queued = QueuedSink(ledger, registry=registry)
        for flooded in (False, True):
            flood = (
                subprocess.Popen([sys.executable, "-c", FLOOD, str(Path(folder) / "flood")])
                if flooded
                else None
            )
            disk = "a disk that is flooded" if flooded else "a quiet disk"
            try:
                for name, sink, records in (
                    ("no sink", lambda _: None, words.records),
                    (f"the ledger, {disk}", ledger, words.records),
                    (f"the ledger behind a queue, {disk}", queued, words.records),
                ):
                    lateness, taken = asyncio.run(late(sink, records, 0.0005))
                    rows.append(
                        [
                            name if "no sink" not in name else f"none, {disk}",
                            at(taken, 0.5),
                            at(taken, 0.999),
                            at(taken, 1),
                            at(lateness, 0.999),
                        ]
                    )
                    queued.flush(60)
            finally:
                if flood is not None:
                    flood.kill()
                    flood.wait()
        for name, sink in (
            ("a sink that takes 20 ms", slow),
            ("the same behind a queue", QueuedSink(slow, registry=registry, exit_seconds=0)),
        ):
            lateness, taken = asyncio.run(late(sink, 200, 0.0005))
            rows.append([name, at(taken, 0.5), at(taken, 0.999), at(taken, 1), at(lateness, 0.999)])
    for row in rows:
        print(*row, sep=" | ")
    if words.write:
        head = [
            "sink",
            "a record, median (ms)",
            "99.9 % (ms)",
            "slowest (ms)",
            "the loop is late, 99.9 % (ms)",
        ]
        page.write(
            "stalls",
            f"`python -m tests.reliability.stalls --write`: {page.stamp()}\n\n{page.table(head, rows)}\n",
        )
    os._exit(0)  # what waits behind the slow sink is of no interest


if __name__ == "__main__":
    main()
