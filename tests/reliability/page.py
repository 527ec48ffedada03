"""Writes figures into docs/reliability.md, each command into a section of its own."""

import importlib.metadata
import os
import platform
from datetime import UTC, datetime
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
PACKAGES = ("anthropic", "openai", "prometheus-client", "structlog", "uvicorn", "atheris")


def write(section, text):
    """Replace what stands between the section's two markers."""
    page = PAGE.read_text(encoding="utf-8")
    begin, end = f"<!-- {section} -->\n", f"<!-- /{section} -->"
    head, _, rest = page.partition(begin)
    _, _, tail = rest.partition(end)
    PAGE.write_text(f"{head}{begin}{text.rstrip()}\n{end}{tail}", encoding="utf-8")


def stamp():
    """When, on what and with what."""
    versions = []
    for name in PACKAGES:
        try:
            versions.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    load = os.getloadavg()[0]
    return (
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, CPython {platform.python_version()}, {os.cpu_count()} processors, load {load:.1f}"
        f" at the end; {', '.join(versions)}."
    )


def table(head, rows):
    """A Markdown table."""
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    return "\n".join([*lines, *("| " + " | ".join(str(cell) for cell in row) + " |" for row in rows)])
