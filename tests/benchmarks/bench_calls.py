"""
What tracking costs: the SDKs as they come against tracked clients, per call and per stream of 500 chunks.

    python tests/benchmarks/bench_calls.py [--json] [--rounds 15] [--only anthropic-sync] [--callgrind openai-sync-call]

Nothing is sent: the SDKs' HTTP clients are given a transport that answers from memory, so what is compared with is the
SDK's own work, without any network or model.
Tracked clients write metrics and one structlog JSON line a call (to the null device; structlog's default renderer is made
for eyes and takes many times as long).
Plain and tracked take turns within each round; times are CPU times of the process, so that other work on the machine
disturbs less; a ratio is the median of the rounds' ratios.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from time import process_time
from typing import Any

REPOSITORY = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(REPOSITORY))

from tests.benchmarks import callgrind
from tests.benchmarks.vendor_calls import SCENARIOS, plain_client, tracked_client, work


def clients(sdk_name: str, kind: str) -> tuple[Any, Any]:
    """A plain client that is answered from memory, and the same one tracked."""
    plain = plain_client(sdk_name, kind)
    return plain, tracked_client(plain)


def measure(scenario: str, rounds: int, seconds: float) -> dict[str, Any]:
    """Microseconds for one call, plain and tracked, and their ratio."""
    sdk, kind, _ = scenario.split("-")
    ways = [work(scenario, client) for client in clients(sdk, kind)]
    for way in ways:
        way(3)
    start = process_time()
    ways[0](3)
    times = max(3, int(seconds / rounds / max((process_time() - start) / 3, 1e-6) / 2))
    taken: list[tuple[float, float]] = []
    for turn in range(rounds):
        gc.collect()
        one = {}
        for index in (0, 1) if turn % 2 == 0 else (1, 0):
            start = process_time()
            ways[index](times)
            one[index] = (process_time() - start) / times * 1e6
        taken.append((one[0], one[1]))
    return {
        "scenario": scenario,
        "plain_us": round(statistics.median(plain for plain, _ in taken), 1),
        "tracked_us": round(statistics.median(tracked for _, tracked in taken), 1),
        "ratio": round(statistics.median(tracked / plain for plain, tracked in taken), 4),
        "ratio_of_minima": round(min(tracked for _, tracked in taken) / min(plain for plain, _ in taken), 4),
        "rounds": rounds,
        "calls_a_round": times,
    }


def import_milliseconds(times: int = 9) -> float:
    """CPU time to import the package where prometheus_client and structlog are imported already."""
    code = (
        "import prometheus_client, structlog; from time import process_time; t = process_time();"
        " import tracked_inference; print((process_time() - t) * 1e3)"
    )
    with tempfile.TemporaryDirectory() as compiled:
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": compiled}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        command = [sys.executable, "-c", code]
        runs = [
            subprocess.run(
                command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=True
            )
            for _ in range(times + 1)
        ]
    return round(statistics.median(float(run.stdout) for run in runs[1:]), 1)  # the first one compiles


WARM_UP = 30
"""Calls before the count: the interpreter specialises its bytecode, caches fill, classes are made."""


def counted(way: str, times: int, scenario: str) -> None:
    """Do the scenario's calls with valgrind's count switched on; what comes before runs uncounted, and so much faster."""
    sdk, kind, _ = scenario.split("-")
    gc.disable()
    run = work(scenario, clients(sdk, kind)[way == "tracked"])
    run(WARM_UP if times > 20 else 3)
    for switch in ("on", "off"):
        callgrind.control("-i", switch)
        if switch == "on" and times:
            run(times)


def instructions(scenario: str, calls: int) -> dict[str, Any]:
    """Instructions for one call by valgrind's count, which no other work disturbs."""
    if not callgrind.installed():
        sys.exit("valgrind is not installed")
    counts: dict[tuple[str, int], int] = {}
    for way in ("plain", "tracked"):
        for times in (0, calls):
            with tempfile.TemporaryDirectory() as folder:
                words = [sys.executable, __file__, "--repeat", way, str(times), scenario]
                command = callgrind.command(folder, words)
                environment = {**os.environ, "PYTHONHASHSEED": "0"}
                made = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
            found = re.search(r"Collected : (\d+)", made.stderr)
            assert found is not None, made.stderr
            counts[way, times] = int(found[1])
    plain, tracked = ((counts[way, calls] - counts[way, 0]) / calls for way in ("plain", "tracked"))
    return {
        "scenario": scenario,
        "plain_instructions": round(plain),
        "tracked_instructions": round(tracked),
        "added_instructions": round(tracked - plain),
        "ratio": round(tracked / plain, 4),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=6.0, help="CPU time for each scenario")
    parser.add_argument("--only", default="", help="scenarios whose name has this")
    parser.add_argument(
        "--callgrind", metavar="SCENARIO", choices=SCENARIOS, help="count instructions instead"
    )
    parser.add_argument("--repeat", nargs=3, metavar=("WAY", "TIMES", "SCENARIO"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.repeat:
        way, times, scenario = arguments.repeat
        counted(way, int(times), scenario)
        return
    if arguments.callgrind:
        calls = 10 if arguments.callgrind.endswith("stream") else 100
        print(json.dumps(instructions(arguments.callgrind, calls), indent=2))
        return
    where = {name: version(name) for name in ("anthropic", "openai")}
    where |= {"python": platform.python_version(), "machine": platform.machine()}
    imported = import_milliseconds()
    results = []
    if not arguments.json:
        print(", ".join(f"{name} {value}" for name, value in where.items()))
        print(f"import beyond prometheus_client and structlog: {imported} ms")
        print(f"{'':24}{'plain µs':>12}{'tracked µs':>12}{'added µs':>12}{'ratio':>9}{'of minima':>11}")
    for scenario in SCENARIOS:
        if arguments.only in scenario:
            one = measure(scenario, arguments.rounds, arguments.seconds)
            results.append(one)
            if not arguments.json:
                added = one["tracked_us"] - one["plain_us"]
                figures = f"{one['plain_us']:12.1f}{one['tracked_us']:12.1f}{added:12.1f}"
                print(f"{scenario:24}{figures}{one['ratio']:9.3f}{one['ratio_of_minima']:11.3f}", flush=True)
    if arguments.json:
        print(json.dumps({"where": where, "import_ms": imported, "calls": results}, indent=2))


if __name__ == "__main__":
    main()
