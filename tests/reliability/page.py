"""Writes figures into docs/reliability.md and docs/benchmarks.md, each command into a section of its own."""

import importlib.metadata
import os
import platform
from datetime import UTC, datetime
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
PACKAGES = ("anthropic", "openai", "prometheus-client", "structlog", "uvicorn", "atheris")


def write(section, text, into=PAGE):
    """Replace what stands between the section's two markers."""
    page = into.read_text(encoding="utf-8")
    begin, end = f"<!-- {section} -->\n", f"<!-- /{section} -->"
    if begin not in page or end not in page:
        raise ValueError(f"{into} has no place for {section!r}: it wants the lines {begin.strip()} and {end}")
    head, _, rest = page.partition(begin)
    _, _, tail = rest.partition(end)
    into.write_text(f"{head}{begin}{text.rstrip()}\n{end}{tail}", encoding="utf-8")


def stamp(installed=None):
    """When, on what and with what: the versions given, or those of what this process has."""
    if installed is None:
        installed = {}
        for name in PACKAGES:
            try:
                installed[name] = importlib.metadata.version(name)
            except importlib.metadata.PackageNotFoundError:
                continue
    versions = [f"{name} {version}" for name, version in installed.items()]
    load = os.getloadavg()[0]
    return (
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, CPython {platform.python_version()}, {os.cpu_count()} processors, load {load:.1f}"
        f" at the end; {', '.join(versions)}."
    )


def table(head, rows):
    """A Markdown table."""
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    return "\n".join([*lines, *("| " + " | ".join(str(cell) for cell in row) + " |" for row in rows)])
