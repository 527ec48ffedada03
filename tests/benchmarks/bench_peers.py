"""
Side by side with other libraries: `python -m tests.benchmarks.bench_peers [--only times] [--write docs/benchmarks.md]`.

Each library has an environment of its own under `.venv-peers/`, which is made with uv (on the PATH) when it is not there.
docs/benchmarks.md says what is measured; `--write` puts the tables there, a section at a time, with date and versions.

    --only SECTION    instructions, times, records, start, pricing, retained, loop; may be given several times
    --peer NAME       these libraries alone; then nothing is written
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import tracked_inference
from tests.benchmarks import callgrind, event_loop, peer_checks, peer_tables, price_engines
from tests.benchmarks.peer_environments import REPOSITORY, Environment, environment
from tests.benchmarks.peer_tables import COUNTED, SDK_NAMES, SECTIONS, TIMED, Line
from tests.benchmarks.peer_times import SETTINGS, WORKER, Worker, in_rounds
from tests.benchmarks.peers import PEERS, Peer
from tests.benchmarks.vendor_calls import SDKS
from tests.reliability import page
from tracked_inference.loopback import LoopbackVendor

HANGS_SECONDS = 1800  # far beyond what any of it takes; a library that hangs is a row that says so


class Bench:
    """What was asked for, and the environments."""

    def __init__(self, asked: argparse.Namespace) -> None:
        self.asked = asked
        self.peers = [peer for peer in PEERS.values() if not asked.peer or peer.name in {*asked.peer, "ours"}]
        self.homes: dict[str, Environment] = {}

    def home(self, name: str, packages: tuple[str, ...] = ()) -> Environment:
        """The environment of a library."""
        if name not in self.homes:
            self.homes[name] = environment(name, packages, fresh=self.asked.fresh)
        return self.homes[name]

    def ways(self, peer: Peer) -> list[str]:
        """What is measured in the environment of a library: itself, and ours again where the SDKs are others."""
        other = self.home(peer.name, peer.packages).sdks != self.home("ours").sdks
        return [peer.name, "ours"] if other else [peer.name]

    def label(self, way: str, home: Environment) -> str:
        """The name and version of a way."""
        if way == "bare":
            return "the bare SDK"
        if way == "ours":
            return f"**tracked-inference {tracked_inference.__version__}**"
        if way == "anthropic-tracing":
            return "Anthropic's own tracing"
        versions = {home.versions.get(name) for name in PEERS[way].packages if not name.endswith("-sdk")}
        return f"{way} {'/'.join(sorted(one for one in versions if one))}"

    def lines(self, sdk: str, measure: Any) -> list[Line]:
        """A line for each library: what `measure(peer, home, sdk)` found for each way, or why nothing was measured."""
        found: list[Line] = []
        told: set[tuple[str, str]] = set()
        for peer in self.peers:
            home = self.home(peer.name, peer.packages)
            version = home.versions.get(sdk, "")
            if home.problem is not None or sdk not in peer.sdks:
                found.append(
                    Line(self.label(peer.name, home), version, note=home.problem or f"none: {peer.note}")
                )
                continue
            try:
                measured = measure(peer, home, sdk)
            except (subprocess.SubprocessError, RuntimeError) as error:
                found.append(
                    Line(self.label(peer.name, home), version, note=f"could not be measured: {_why(error)}")
                )
                continue
            for way, cells in measured.items():
                if (way, version) in told and way in {"bare", "ours"}:
                    continue
                told.add((way, version))
                found.append(Line(self.label(way, home), version, cells))
        return found


def _why(error: Exception) -> str:
    said = (getattr(error, "stderr", None) or str(error)).strip().splitlines()
    return said[-1][:120] if said else type(error).__name__


def _ask(python: str, *words: str, module: str = WORKER) -> Any:
    made = subprocess.run(
        [python, "-m", module, *words],
        check=True,
        capture_output=True,
        text=True,
        env=SETTINGS,
        cwd=REPOSITORY,
        timeout=HANGS_SECONDS,
    )
    return json.loads(made.stdout.splitlines()[-1])


# The sections: each gives Markdown.


def instructions(bench: Bench) -> str:
    """Counted by callgrind, bare and watched in the same process."""
    if not callgrind.installed():
        return "valgrind is not installed here: nothing was counted.\n"

    def counted(python: str, way: str, sdk: str) -> dict[str, dict[str, float | str]]:
        with tempfile.TemporaryDirectory() as folder:
            command = callgrind.command(folder, [python, "-m", WORKER, "count", way, sdk])
            made = subprocess.run(
                command,
                check=True,
                capture_output=True,
                text=True,
                env=SETTINGS,
                cwd=REPOSITORY,
                timeout=HANGS_SECONDS,
            )
            return peer_tables.counts_of(json.loads(made.stdout.splitlines()[-1]), callgrind.totals(folder))

    with ThreadPoolExecutor(bench.asked.jobs) as pool:
        wanted = {
            (peer.name, way, sdk): pool.submit(counted, bench.homes[peer.name].python, way, sdk)
            for peer in bench.peers
            if bench.home(peer.name, peer.packages).problem is None
            for sdk in peer.sdks
            for way in bench.ways(peer)
        }

        def measure(peer: Peer, home: Environment, sdk: str) -> dict[str, dict[str, str]]:
            found: dict[str, dict[str, str]] = {}
            for way in bench.ways(peer):
                counts = wanted[peer.name, way, sdk].result()
                bare = counts["bare"]
                names = {column: f"{sdk}-{scenario}" for column, scenario in COUNTED.items()}
                found["bare"] = {column: f"{bare[name] / 1000:,.0f}k" for column, name in names.items()}
                found[way] = {
                    column: peer_tables.added(bare[name], counts[way][name]) for column, name in names.items()
                }
                _tell("instructions", sdk, way, found[way])
            return found

        return _tables(bench, "instructions", measure, peer_tables.against_aims)


def times(bench: Bench) -> str:
    """CPU time in processes of their own that take turns."""

    def measure(peer: Peer, home: Environment, sdk: str) -> dict[str, dict[str, str]]:
        ways = ["bare", *bench.ways(peer)]
        workers = {way: Worker(home.python, way, sdk) for way in ways}
        try:
            found: dict[str, dict[str, str]] = {way: {} for way in ways}
            for column, (scenario, at_once) in TIMED.items():
                rounds, broken = in_rounds(
                    workers, f"{sdk}-{scenario}", at_once, bench.asked.rounds, bench.asked.seconds
                )
                for way in ways:
                    if way == "bare":
                        found[way][column] = peer_tables.microseconds(rounds)
                    else:
                        found[way][column] = broken.get(way) or peer_tables.ratio(rounds, way)
            for way in ways:
                _tell("times", sdk, way, found[way])
            return found
        finally:
            for worker in workers.values():
                worker.close()

    return _tables(bench, "times", measure)


def records(bench: Bench) -> str:
    """What was recorded of each kind of call."""
    with LoopbackVendor() as vendor:
        vendor.always(peer_checks.answer)

        def measure(peer: Peer, home: Environment, sdk: str) -> dict[str, dict[str, str]]:
            met = _ask(home.python, "check", peer.name, sdk, str(vendor.port))
            cells = {case: peer_checks.cell(sdk, case, by_kind) for case, by_kind in met.items()}
            _tell("records", sdk, peer.name, cells)
            return {peer.name: cells}

        return _tables(bench, "records", measure)


def start(bench: Bench) -> str:
    """What a process takes until its first client is watched."""
    rows = []
    wanted = [("bare", bench.home("ours"), SDKS)]
    wanted += [(peer.name, bench.home(peer.name, peer.packages), peer.sdks) for peer in bench.peers]
    for way, home, sdks in wanted:
        label = bench.label(way, home) + "s" * (way == "bare")
        if home.problem is not None:
            rows.append([label, home.problem, "", ""])
            continue
        try:
            runs = [_ask(home.python, "start", way, *sdks) for _ in range(1 + bench.asked.runs)]
        except subprocess.SubprocessError as error:
            rows.append([label, f"could not be measured: {_why(error)}", "", ""])
            continue
        # The first run compiles the bytecode.
        ms, mib, modules = (peer_tables.median_of(runs[1:], name) for name in ("ms", "mib", "modules"))
        rows.append([label, f"{ms:,.0f}", f"{mib:.1f}", f"{modules:,.0f}"])
        _tell("start", *rows[-1])
    return page.table(peer_tables.START, rows) + "\n"


def pricing(bench: Bench) -> str:
    """Engines that price, side by side."""
    rows = []
    for engine in price_engines.ENGINES.values():
        home = bench.home(engine.name, engine.packages)
        version = home.versions.get(
            engine.name, tracked_inference.__version__ if engine.name == "ours" else ""
        )
        name = "**tracked-inference**" if engine.name == "ours" else engine.name
        if home.problem is not None:
            rows.append([name, home.problem, *[""] * 5])
            continue
        try:
            runs = [
                _ask(home.python, engine.name, module=price_engines.__name__) for _ in range(bench.asked.runs)
            ]
        except subprocess.SubprocessError as error:
            rows.append([name, f"could not be measured: {_why(error)}", *[""] * 5])
            continue
        best = min(runs, key=lambda run: run["first_ms"])
        rows.append(peer_tables.price_row(name, version, best))
        _tell("pricing", *rows[-1])
    return page.table(peer_tables.PRICING, rows) + "\n"


def retained(bench: Bench) -> str:
    """What is kept after many calls."""
    found = _ask(
        bench.home("ours").python, "--share", str(bench.asked.share), module="tests.benchmarks.retained"
    )
    rows = [
        [
            one["what"],
            f"{one['times']:,}",
            f"{one['rss_kib']:+,.0f}",
            f"{one['objects']:+,}",
            f"{one['traced_bytes']:+,} over {one['times'] // 10:,}",
        ]
        for one in found
    ]
    return page.table(peer_tables.RETAINED, rows) + "\n"


def loop(bench: Bench) -> str:
    """How long the event loop stands still, and how long a scrape takes."""
    python = bench.home("ours").python
    rows = []
    for step in event_loop.STEPS:
        runs = [_ask(python, step, module="tests.benchmarks.event_loop") for _ in range(bench.asked.runs)]
        rows.append([step, *(f"{peer_tables.median_of(runs, name):.2f}" for name in ("late_ms", "cpu_ms"))])
        _tell("loop", *rows[-1])
    runs = [_ask(python, "scrapes", module="tests.benchmarks.event_loop") for _ in range(bench.asked.runs)]
    took, cpu, bare = (peer_tables.median_of(runs, name) for name in ("took_ms", "cpu_ms", "bare_ms"))
    said = (
        f"A scrape of {runs[0]['series']:,} series through `metrics_app` took {took:.0f} ms, {cpu:.0f} ms of CPU time;"
        f" prometheus_client's own `generate_latest` of the same registry takes {bare:.0f} ms of CPU time."
    )
    return f"{page.table(peer_tables.LOOP, rows)}\n\n{said}\n"


def _tables(bench: Bench, section: str, measure: Any, said_of: Any = None) -> str:
    parts = []
    for sdk in SDKS:
        lines = bench.lines(sdk, measure)
        table = page.table(peer_tables.head_of(section, sdk), peer_tables.rows_of(section, sdk, lines))
        said = f"\n{said_of(sdk, lines)}\n" if said_of is not None else ""
        parts.append(f"{SDK_NAMES[sdk]}:\n\n{table}\n{said}")
    return "\n".join(parts)


def _tell(*words: Any) -> None:
    print(*words, sep=" | ", file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", action="append", choices=SECTIONS, metavar="SECTION")
    parser.add_argument("--peer", action="append", choices=PEERS, metavar="NAME")
    parser.add_argument("--write", type=Path, metavar="PAGE")
    parser.add_argument(
        "--fresh", action="store_true", help="make the environments anew, with what is newest now"
    )
    parser.add_argument("--rounds", type=int, default=9, help="of the times")
    parser.add_argument("--runs", type=int, default=5, help="fresh processes whose median is taken")
    parser.add_argument("--seconds", type=float, default=0.6, help="CPU time of the bare SDK for each figure")
    parser.add_argument(
        "--jobs", type=int, default=min(2, os.cpu_count() or 1), help="counts of instructions at once"
    )
    parser.add_argument(
        "--share", type=float, default=1.0, help="of the 100,000 calls whose memory is looked at"
    )
    asked = parser.parse_args()
    if asked.write and asked.peer:
        parser.error("--write wants whole tables: leave --peer out")
    bench = Bench(asked)
    sections = {one.__name__: one for one in (instructions, times, records, start, pricing, retained, loop)}
    told = ("rounds", "seconds", "runs", "share")
    fewer = "".join(
        f" --{name} {getattr(asked, name)}"
        for name in told
        if getattr(asked, name) != parser.get_default(name)
    )
    for name in asked.only or SECTIONS:
        words = f"`python -m tests.benchmarks.bench_peers --only {name}{fewer}`"
        text = sections[name](bench)
        text = f"{words}: {page.stamp(bench.home('ours').versions)}\n\n{text}"
        print(f"\n## {name}\n\n{text}", flush=True)
        if asked.write:
            page.write(name, text, asked.write)


if __name__ == "__main__":
    main()
