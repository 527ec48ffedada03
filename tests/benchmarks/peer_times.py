"""CPU time by turns: a process for each way, each asked in each round."""

from __future__ import annotations

import json
import os
import subprocess
from typing import Any

from tests.benchmarks.peer_environments import REPOSITORY

SETTINGS = {**os.environ, "PYTHONPATH": str(REPOSITORY), "PYTHONHASHSEED": "0", "PYTHONWARNINGS": "ignore"}
SETTINGS.pop("PYTHONDONTWRITEBYTECODE", None)  # what is compiled anew in each process has no honest start
WORKER = "tests.benchmarks.peer_worker"


class Worker:
    """A process that times what it is asked to."""

    def __init__(self, python: str, way: str, sdk: str) -> None:
        command = [python, "-m", WORKER, "time", way, sdk]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=SETTINGS,
            cwd=REPOSITORY,
        )

    def ask(self, scenario: str, at_once: int, times: int) -> Any:
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            print(
                json.dumps({"scenario": scenario, "at_once": at_once, "times": times}),
                file=self._process.stdin,
                flush=True,
            )
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise RuntimeError(f"the process ended with {self._process.wait()}")
        return json.loads(line)

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


def in_rounds(
    workers: dict[str, Worker], scenario: str, at_once: int, rounds: int, seconds: float
) -> tuple[list[dict[str, float]], dict[str, str]]:
    """So many rounds in which each way has its turn; and which ways break."""
    first = {
        way: worker.ask(scenario, at_once, at_once if at_once > 1 else 2) for way, worker in workers.items()
    }
    broken = {way: one["broken"] for way, one in first.items() if "broken" in one}
    ways = [way for way in workers if way not in broken]
    each = seconds / rounds * 1e6 / first["bare"]["us"]
    number = max(at_once, int(each) // at_once * at_once)
    found: list[dict[str, float]] = []
    if (
        each < at_once
    ):  # a hundred streams at once are long: the first ones, after the trial, are the first round
        found.append({way: first[way]["us"] for way in ways})
        rounds = min(rounds, 3)
    for turn in range(len(found), rounds):
        order = ways if turn % 2 == 0 else ways[::-1]
        found.append({way: workers[way].ask(scenario, at_once, number)["us"] for way in order})
    return found, broken
