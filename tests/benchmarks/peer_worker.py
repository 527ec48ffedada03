"""
One process in one environment: the bare SDK or a library over it, timed, counted, checked or started.

`bench_peers` runs it; what it finds is printed as JSON, a line for each answer.  What libraries print goes to stderr.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from time import process_time
from typing import Any

from tests.benchmarks import callgrind, peer_checks
from tests.benchmarks.peers import PEERS, Watching, keep_quiet
from tests.benchmarks.vendor_calls import KINDS, SDKS, plain_client, work

COUNTED = {"call": 30, "stream": 1}
WARM_UP = {"call": 30, "stream": 1}  # a stream of 500 chunks warms itself
Say = Callable[[Any], None]


def set_up(way: str, sdk: str, *, keep: bool) -> Watching:
    """The library of a way over an SDK, or nothing."""
    if way == "bare":
        return Watching(lambda client: client, list)
    return PEERS[way].set_up(sdk, keep)


def why_not(run: Callable[[int], None], times: int = 2) -> str | None:
    """What breaks when it is tried, if anything does."""
    try:
        run(times)
    except Exception as error:
        return f"breaks: {type(error).__name__}"
    return None


def timed(say: Say, way: str, sdk: str) -> None:
    """Reads lines `{"scenario", "at_once", "times"}` and answers each with the CPU time of one call in microseconds."""
    watching = set_up(way, sdk, keep=False)
    clients = {kind: watching.wrap(plain_client(sdk, kind)) for kind in KINDS}
    made: dict[tuple[str, int], Callable[[int], None]] = {}
    broken: dict[str, str] = {}
    for line in sys.stdin:
        wanted = json.loads(line)
        scenario, at_once, times = wanted["scenario"], wanted["at_once"], wanted["times"]
        if (scenario, at_once) not in made:
            run = made[scenario, at_once] = work(scenario, clients[scenario.split("-")[1]], at_once)
            if (why := why_not(work(scenario, clients[scenario.split("-")[1]]))) is not None:
                broken[scenario] = why
        if scenario in broken:
            say({"broken": broken[scenario]})
            continue
        run = made[scenario, at_once]
        gc.collect()
        start = process_time()
        run(times)
        say({"us": (process_time() - start) / times * 1e6})


def counted(say: Say, way: str, sdk: str) -> None:
    """Counts the scenarios of an SDK bare, and again with the library, in the one process; says what was counted, in order."""
    gc.disable()
    order: list[Any] = [["", "nothing", 0, None]]
    callgrind.count(lambda: None)  # the first count starts from nothing, the others after the end of another
    for name in ("bare", way):
        watching = set_up(name, sdk, keep=False)
        callgrind.count(lambda: None)
        order.append([name, "nothing", 0, None])
        for kind in KINDS:
            client = watching.wrap(plain_client(sdk, kind))
            for shape, times in COUNTED.items():
                run = work(f"{sdk}-{kind}-{shape}", client)
                broken = why_not(run, WARM_UP[shape])
                if broken is None:
                    callgrind.count(lambda run=run, times=times: run(times))
                order.append([name, f"{sdk}-{kind}-{shape}", times, broken])
    say(order)


def checked(say: Say, way: str, sdk: str, port: str) -> None:
    """Meets the cases and says what was recorded."""
    say(peer_checks.met(sdk, int(port), set_up(way, sdk, keep=True)))


def started(say: Say, way: str, *sdks: str) -> None:
    """What a process takes with both SDKs and a library over these of them, until a client is watched."""
    modules, memory, start = len(sys.modules), resident(), process_time()
    for sdk in SDKS:
        importlib.import_module(sdk)
    for sdk in sdks:
        set_up(way, sdk, keep=False).wrap(plain_client(sdk, "sync"))
    spent = process_time() - start
    gc.collect()
    say({"ms": spent * 1e3, "mib": (resident() - memory) / 2**20, "modules": len(sys.modules) - modules})


def resident() -> int:
    """Bytes of memory that the process has of the machine (Linux)."""
    with Path("/proc/self/statm").open() as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def main() -> None:
    keep_quiet()
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    task, *words = sys.argv[1:]
    tasks: dict[str, Any] = {"time": timed, "count": counted, "check": checked, "start": started}
    tasks[task](lambda found: print(json.dumps(found), file=answers, flush=True), *words)
    answers.flush()
    os._exit(0)  # exporters and queues that want to say goodbye to a server


if __name__ == "__main__":
    main()
