"""
Runs a vendor's own test suite twice, with its clients as they are and with every one of them tracked, and compares.

    python tests/vendor_suites/run.py PATH ...                        unpacked source distributions of anthropic or openai
    python tests/vendor_suites/run.py --download anthropic==2.12.0    fetched from the package index first

The source distributions hold the vendors' tests. Everything but `tests/api_resources` runs offline as it is (`offline`);
that folder wants a mock server, which `typed_mock.py` stands in for (`api`).

Exit codes: 0 the same outcomes, but for the known differences; 1 a test fails only when tracked; 2 a suite could not be run.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent

_SPAN = "the span that is current is read for exemplars and the record's trace id, whatever the SDK's own option says"
_NOTHING = (
    "tests/test_open_telemetry.py::TestTracingFailures::test_disabled_spans_call_nothing_of_opentelemetry"
)
KNOWN = {f"{_NOTHING}[{kind}-{how}]": _SPAN for kind in ("sync", "async") for how in ("option", "variable")}
"""Tests that fail only when tracked, and why that is right."""

LEFT_OUT = {
    # Repository checks whose subject is not in the source distribution.
    "tests/test_detect_breaking_changes.py",
    "tests/test_uv_workflows.py",
}
WANTS_SERVER = ("tests/api_resources", "tests/lib/test_fine_tuning_positional_arguments.py")
MODES = ("plain", "tracked")


@dataclass
class Run:
    """One run of a suite: what became of each test, and what was tracked in it."""

    outcomes: dict[str, str] = field(default_factory=dict)
    seen: Counter[str] = field(default_factory=Counter)

    @property
    def failed(self) -> set[str]:
        return {test for test, outcome in self.outcomes.items() if outcome == "failed"}

    def summary(self) -> str:
        counts = Counter(self.outcomes.values())
        return ", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items()))


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("paths", nargs="*", type=Path, help="unpacked source distributions")
    parser.add_argument("--download", action="append", default=[], metavar="NAME==VERSION")
    parser.add_argument(
        "--into", type=Path, default=Path(".vendor-suites"), help="where downloads are unpacked"
    )
    parser.add_argument("--part", choices=("offline", "api", "all"), default="all")
    parser.add_argument("--select", action="append", default=[], help="run only these test files or folders")
    parser.add_argument("--workers", default="2", help="processes of pytest-xdist")
    parser.add_argument("--json", type=Path, help="write the comparison to this file")
    arguments = parser.parse_args()
    try:
        paths = [path.resolve(strict=True) for path in arguments.paths]
        paths += [download(wanted, arguments.into) for wanted in arguments.download]
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"cannot get the suites: {error}", file=sys.stderr)
        return 2
    if not paths:
        parser.error("give the path of an unpacked source distribution, or --download NAME==VERSION")
    parts = ("offline", "api") if arguments.part == "all" else (arguments.part,)
    reports = []
    for path in paths:
        try:
            python = environment(path)
        except (OSError, subprocess.CalledProcessError) as error:
            print(f"{path.name}: no environment: {error}", file=sys.stderr)
            return 2
        for part in parts:
            report = compare(path, python, part, arguments.select, arguments.workers)
            if not report["tests"]:
                print(f"{path.name} {part}: no test ran", file=sys.stderr)
                return 2
            reports.append(report)
    if arguments.json:
        arguments.json.write_text(json.dumps(reports, indent=2) + "\n")
    return 1 if any(report["new_failures"] or report["tracking_errors"] for report in reports) else 0


def download(wanted: str, into: Path) -> Path:
    """The unpacked source distribution of a release."""
    into.mkdir(parents=True, exist_ok=True)
    path = into / wanted.replace("==", "-")
    if not path.is_dir():
        pip = ["uv", "run", "--no-project", "--with", "pip", "python", "-m", "pip", "download", "-q"]
        subprocess.run([*pip, "--no-binary", ":all:", "--no-deps", "-d", str(into), wanted], check=True)
        with tarfile.open(into / f"{path.name}.tar.gz") as archive:
            archive.extractall(into, filter="data")
    return path.resolve()


def environment(path: Path) -> Path:
    """The interpreter of a suite's own environment, with the versions that its vendor locked."""
    python = path / ".venv" / "bin" / "python"
    if not (path / ".venv" / "ready-for-tracking").exists():
        subprocess.run(["uv", "sync", "-q", "--frozen", "--all-extras", "-p", "3.11"], cwd=path, check=False)
        if not python.exists():
            subprocess.run(["uv", "venv", "-q", "-p", "3.11"], cwd=path, check=True)
        install = ["uv", "pip", "install", "-q", "-p", str(python)]
        project = tomllib.loads((path / "pyproject.toml").read_text())
        if "dependency-groups" not in project:  # older suites are locked by another tool
            locked = (path / "requirements-dev.lock").read_text().splitlines()
            pins = [line for line in locked if "==" in line and not line.startswith((" ", "#", "-"))]
            extras = ",".join(project["project"].get("optional-dependencies", {}))
            subprocess.run([*install, *pins, "-e", f".[{extras}]"], cwd=path, check=True)
        own = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["dependencies"]
        subprocess.run([*install, *own, "pytest-xdist"], cwd=path, check=True)
        (path / ".venv" / "ready-for-tracking").touch()
    return python


def compare(path: Path, python: Path, part: str, select: list[str], workers: str) -> dict[str, Any]:
    """Run one part both ways; what differs is run again, alone, so that a busy machine is not taken for a difference."""
    plain, tracked = (run(path, python, part, mode=mode, select=select, workers=workers) for mode in MODES)
    differs = sorted(tracked.failed - plain.failed)
    if differs:
        again = [test.removeprefix("collecting ") for test in differs]
        alone = {mode: run(path, python, part, mode=mode, select=again, workers="0") for mode in MODES}
        differs = sorted(test for test in differs if test in alone["tracked"].failed - alone["plain"].failed)
    new = [test for test in differs if test not in KNOWN]
    errors = {
        name: count
        for name, count in tracked.seen.items()
        # A known test makes OpenTelemetry raise, which is counted as what it is: a fault of ours that no caller sees.
        if name.startswith(("tracking error", "unobserved")) and not name.endswith(tuple(KNOWN))
    }
    print(f"{path.name} {part}")
    print(f"  plain    {plain.summary()}")
    print(f"  tracked  {tracked.summary()}")
    print(f"  {tracked.seen['clients']} clients tracked, {tracked.seen['records']} records")
    for name, count in errors.items():
        print(f"  {name}: {count}")
    for test in differs:
        print(f"  {'known' if test in KNOWN else 'NEW FAILURE'}: {test}  {KNOWN.get(test, '')}")
    print(flush=True)
    return {
        "suite": path.name,
        "part": part,
        "tests": len(plain.outcomes),
        "plain": dict(Counter(plain.outcomes.values())),
        "tracked": dict(Counter(tracked.outcomes.values())),
        "failed_both_ways": sorted(plain.failed & tracked.failed),
        "new_failures": new,
        "known_failures": [test for test in differs if test in KNOWN],
        "tracking_errors": errors,
        "seen": dict(tracked.seen),
    }


def run(path: Path, python: Path, part: str, *, mode: str, select: list[str], workers: str) -> Run:
    """One run of one part of a suite."""
    command = [str(python), "-m", "pytest", "-q", "-n", workers, "-p", "vendor_suites.plugin"]
    command += ["-p", "no:cacheprovider"]
    if part == "api":
        command += ["-p", "vendor_suites.typed_mock"]
        command += select or [one for one in WANTS_SERVER if (path / one).exists()]
    else:
        command += select
        command += [f"--ignore={one}" for one in (*WANTS_SERVER, *LEFT_OUT) if one not in select]
    with tempfile.TemporaryDirectory() as folder:
        # The suite has a package `tests` of its own: ours must not be importable under that name.
        results, importable = Path(folder, "results"), Path(folder, "importable")
        results.mkdir()
        importable.mkdir()
        (importable / "tracked_inference").symlink_to(REPOSITORY / "tracked_inference")
        (importable / "vendor_suites").symlink_to(HERE)
        settings = {
            "VENDOR_SUITE_MODE": mode,
            "VENDOR_SUITE_RESULTS": str(results),
            "PYTHONPATH": str(importable),
        }
        with Path(path, f".{part}-{mode}.log").open("w") as log:
            subprocess.run(
                command, cwd=path, env={**os.environ, **settings}, stdout=log, stderr=log, check=False
            )
        made = Run()
        if (results / "outcomes.json").exists():
            made.outcomes = json.loads((results / "outcomes.json").read_text())
        for seen in results.glob("seen-*.json"):
            made.seen.update(json.loads(seen.read_text()))
        return made


if __name__ == "__main__":
    sys.exit(main())
