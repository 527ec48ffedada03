"""
Fuzzes, guided by coverage: `make fuzz`, or `python -m tests.fuzz [TARGET ...] --seconds 60` where atheris is installed.

A crash is written to `tests/fuzz/cases/TARGET-...`, where `test_fuzz.py` tries it again on every run of the tests.
Exit codes: 0 nothing was found, 1 something was.
"""

import argparse
import importlib
import pkgutil
import re
import subprocess
import sys
import tempfile
from pathlib import Path

CASES = Path(__file__).parent / "cases"
NAMES = ("usage", "sse", "prices", "registry", "terraform", "cli")


def fuzz(name, arguments):
    """One target, in this process, which libFuzzer ends."""
    import atheris

    with atheris.instrument_imports(include=["tracked_inference"]):
        import tracked_inference
        from tests.fuzz.targets import TARGETS, seeds

        # All of it now: what is imported later, as commands are, would not be seen.
        for module in pkgutil.walk_packages(tracked_inference.__path__, "tracked_inference."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)
    TARGETS[name](seeds(name)[0])  # the SDKs are imported here, and no input is blamed for the time
    atheris.Setup([sys.argv[0], *arguments], TARGETS[name])
    atheris.Fuzz()


def run(name, seconds):
    """One target, in a process of its own: how many inputs were tried, and what was found."""
    from tests.fuzz.targets import seeds

    with tempfile.TemporaryDirectory() as folder:
        for number, seed in enumerate(seeds(name)):
            (Path(folder) / f"seed{number}").write_bytes(seed)
        command = [
            sys.executable,
            "-m",
            "tests.fuzz",
            "--inside",
            name,
            folder,
            "-print_final_stats=1",
            "-max_len=8192",
        ]
        command += [
            f"-max_total_time={seconds}",
            f"-artifact_prefix={CASES}/{name}-",
            "-timeout=60",
            "-rss_limit_mb=4096",
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False, errors="replace")
    told = done.stdout + done.stderr
    tried = re.search(r"stat::number_of_executed_units:\s*(\d+)", told)
    covered = re.findall(r"cov: (\d+)", told)
    if done.returncode:
        print(told[-3000:], file=sys.stderr)
    return (int(tried[1]) if tried else 0, int(covered[-1]) if covered else 0, done.returncode)


def main():
    if sys.argv[1:2] == ["--inside"]:
        fuzz(sys.argv[2], sys.argv[3:])
        return 0
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__.split("\n\n")[0])
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(NAMES)}; default all")
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("--write", action="store_true", help="write the figures to docs/reliability.md")
    words = parser.parse_args()
    rows = []
    for name in words.targets or NAMES:
        tried, covered, code = run(name, words.seconds)
        rows.append([name, f"{tried:,}", covered, "1" if code else "none"])
        print(
            f"{name}: {tried:,} inputs tried, {covered} branches covered, {'a crash' if code else 'nothing found'}",
            flush=True,
        )
    if words.write:
        from tests.reliability import page

        text = page.table(["target", "inputs tried", "branches covered", "crashes"], rows)
        page.write(
            "fuzz",
            f"`python -m tests.fuzz --seconds {words.seconds} --write` (`make fuzz`): {page.stamp()}\n\n{text}\n",
        )
    return 1 if any(row[-1] != "none" for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
