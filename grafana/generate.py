"""
Writes the committed dashboards and rules; `--check` tells instead what would change and exits 1.

Run it from the top of the repository: `python -m grafana.generate`.
"""

from __future__ import annotations

import sys
from pathlib import Path

from .assets import assets

__all__ = ["main"]


def main(arguments: list[str]) -> int:
    """Exit code 0, or 1 when `--check` finds a file that is not what the code makes."""
    here = Path(__file__).parent
    made = assets()
    stale = [
        name
        for name, text in made.items()
        if not (here / name).is_file() or (here / name).read_text() != text
    ]
    stray = [
        path.relative_to(here).as_posix()
        for folder in ("dashboards", "rules")
        for path in sorted((here / folder).rglob("*.*"))
        if path.relative_to(here).as_posix() not in made
    ]
    if arguments == ["--check"]:
        for name in stale:
            print(f"grafana/{name} is not what the code makes; run python -m grafana.generate")
        for name in stray:
            print(f"grafana/{name} is made by nothing; delete it")
        return 1 if stale or stray else 0
    for name in stale:
        (here / name).parent.mkdir(parents=True, exist_ok=True)
        (here / name).write_text(made[name])
        print(f"wrote grafana/{name}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
