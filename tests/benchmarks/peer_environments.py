"""
An environment for each library that is compared with: made with uv under `.venv-peers/`, with the newest releases there are.

No version is pinned.  A library is installed alone first, so that it is its newest release that is measured, and then beside the
newest SDKs that it allows; otherwise a resolver answers an upper bound by silently taking an old release of the library.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
HOME = REPOSITORY / ".venv-peers"
OWN = ("prometheus-client", "structlog", "orjson")
"""What ours needs, and one way of writing its line: it is compared in the same environment where that has other SDKs than the newest."""

ASK = """
import importlib.metadata, json, sys
found = {}
for name in sys.argv[1:]:
    try:
        found[name] = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        pass
print(json.dumps(found))
"""


@dataclass(frozen=True, slots=True)
class Environment:
    """Where a library is installed, with which versions; or why it could not be."""

    name: str
    python: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    problem: str | None = None

    def shown(self, packages: tuple[str, ...]) -> str:
        """The versions of these packages."""
        return ", ".join(f"{name} {self.versions[name]}" for name in packages if name in self.versions)

    @property
    def sdks(self) -> tuple[str | None, ...]:
        """The versions of the SDKs."""
        return self.versions.get("anthropic"), self.versions.get("openai")


def environment(name: str, packages: tuple[str, ...], *, fresh: bool = False) -> Environment:
    """Make the environment, or use the one that is there."""
    folder = HOME / name
    executable, ready = folder / "bin" / "python", folder / "ready"
    asked = (*packages, "anthropic", "openai", *OWN)
    try:
        if fresh or not ready.exists():
            print(f"installing {name} ...", file=sys.stderr, flush=True)
            _run("uv", "venv", "-q", "--clear", "--python", sys.executable, str(folder))
            if packages:
                _install(executable, *packages)
            newest = [f"{one}=={version}" for one, version in _versions(executable, packages).items()]
            _install(executable, *newest, "anthropic", "openai", *OWN)
            ready.touch()
        return Environment(name, str(executable), _versions(executable, asked))
    except (OSError, subprocess.CalledProcessError) as error:
        said = getattr(error, "stderr", None) or str(error)
        return Environment(name, problem=f"cannot be installed: {_last_line(said)}")


def _install(python: Path, *packages: str) -> None:
    _run("uv", "pip", "install", "-q", "--upgrade", "--python", str(python), *packages)


def _versions(python: Path, packages: tuple[str, ...]) -> dict[str, str]:
    return json.loads(_run(str(python), "-c", ASK, *packages)) if packages else {}


def _run(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:120] if lines else "no reason was given"
