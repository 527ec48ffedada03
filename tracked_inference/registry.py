"""
The registry file: which features there are, who owns them, and what they may cost, written down when they are born.

It is `tracked-inference.toml`, or the table `[tool.tracked-inference]` of a `pyproject.toml`:

    [defaults]
    service = "documents-api"
    environment = "production"
    cost_center = "cc-1042"

    [features.document_summarisation]
    team = "documents"
    owner = "documents-oncall"
    component = "summariser"
    budget_usd = { month = 4000 }
    on_budget = "refuse"
    models = ["claude-sonnet-5-5"]

    [prometheus]
    url = "http://prometheus:9090"

The file is named by an argument, by `TRACKED_INFERENCE_CONFIG`, or found in the working directory or above it.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from tracked_inference.errors import AttributionError, ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "ENVIRONMENTS",
    "PERIODS",
    "Feature",
    "FeatureRegistry",
    "Problem",
    "PrometheusSettings",
    "locate",
    "read",
    "registry_in_force",
    "team_of",
    "warn_undeclared",
]

_log = logging.getLogger("tracked_inference")

VARIABLE = "TRACKED_INFERENCE_CONFIG"
FILE = "tracked-inference.toml"
ENVIRONMENTS = ("production", "staging", "development")
"""The environments that a registry and tags may name, unless they have a list of their own (`environments = [...]`)."""

PERIODS = ("month", "day")
"""The periods a budget may be for: calendar months and days, UTC."""


@dataclass(frozen=True, slots=True)
class Feature:
    """
    One declared feature.

    Attributes:
        name: A slug.
        team: Who pays.
        owner: Whom to ask; free text.
        description: What it does; free text.
        service: The service it is part of, a slug; empty if not said.
        environment: Where it runs; empty if not said.
        component: The part of the service, a slug; empty if not said.
        cost_center: Where it is booked; empty if not said.
        budget_usd: Dollars by period (`month`, `day`), exact.
        on_budget: What happens when the budget is spent: `none`, `warn` or `refuse`.
        models: The models it is expected to call; their series exist at 0 from the start.
        estimate: A path to its cost estimate, as written.
    """

    name: str
    team: str
    owner: str = ""
    description: str = ""
    service: str = ""
    environment: str = ""
    component: str = ""
    cost_center: str = ""
    budget_usd: Mapping[str, Decimal] = field(default_factory=dict)
    on_budget: str = "none"
    models: tuple[str, ...] = ()
    estimate: str | None = None

    @property
    def guarded(self) -> bool:
        """Whether something happens when its budget is spent."""
        return self.on_budget != "none" and bool(self.budget_usd)


@dataclass(frozen=True, slots=True)
class PrometheusSettings:
    """
    Where the spend to date is read from, for budgets that hold across processes.

    Attributes:
        url: A Prometheus-compatible store; None where there is none.
            The environment variable `TRACKED_INFERENCE_PROMETHEUS_URL` wins over it.
        refresh_seconds: How often it is asked.
        when_unreachable: What happens to calls of `refuse` features while it gives no answer: `allow` or `refuse`.
        matchers: Further label matchers, `environment="production"` for instance, where several environments share a store.
    """

    url: str | None = None
    refresh_seconds: float = 30.0
    when_unreachable: str = "allow"
    matchers: str = ""


@dataclass(frozen=True, slots=True)
class Problem:
    """
    Something wrong in a registry file.

    Attributes:
        path: The file.
        line: Its line, from 1; 0 where it cannot be told.
        what: What is wrong and how to mend it.
    """

    path: str
    line: int
    what: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.what}" if self.line else f"{self.path}: {self.what}"


@dataclass(frozen=True, slots=True)
class FeatureRegistry:
    """
    The declared features of a code base.

    Attributes:
        features: By name.
        strict: Whether a client for an undeclared feature is refused (the default) or only warned about.
        path: The file it came from.
        prometheus: Where the spend to date is read from.
    """

    features: Mapping[str, Feature]
    strict: bool = True
    path: str = ""
    prometheus: PrometheusSettings = field(default_factory=PrometheusSettings)

    @property
    def guarded(self) -> tuple[Feature, ...]:
        """The features whose budgets are guarded."""
        return tuple(feature for feature in self.features.values() if feature.guarded)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> FeatureRegistry:
        """
        Read a registry file.

        Raises:
            ConfigurationError: The file cannot be read or has problems; the message lists them with file and line.
        """
        registry, problems = read(path)
        if registry is None or problems:
            raise ConfigurationError(
                "the feature registry cannot be used:\n" + "\n".join(f"  {one}" for one in problems)
            )
        return registry

    @classmethod
    def find(cls, path: str | os.PathLike[str] | None = None) -> FeatureRegistry | None:
        """
        The registry named by the argument, by `TRACKED_INFERENCE_CONFIG`, or found from the working directory upwards.

        Returns None where there is none.

        Raises:
            ConfigurationError: A named file is missing, or the file has problems.
        """
        named = path if path is not None else os.environ.get(VARIABLE) or None
        if named is not None:
            return cls.load(named)
        found = _found_from_here()
        return None if found is None else cls.load(found)

    def get(self, feature: str) -> Feature | None:
        """A declared feature; None for one that is not."""
        return self.features.get(feature)

    def undeclared(self, feature: str) -> AttributionError:
        """The error for a feature that is not declared, with the nearest names."""
        import difflib

        near = difflib.get_close_matches(feature, self.features, n=3, cutoff=0.5)
        hint = (
            f"did you mean {' or '.join(repr(name) for name in near)}?"
            if near
            else f"declare it: [features.{feature}]"
        )
        return AttributionError(f"feature={feature!r} is not declared in {self.path}; {hint}")


_loaded: dict[tuple[str, int, int], FeatureRegistry] = {}


def registry_in_force(path: str | os.PathLike[str] | None = None) -> FeatureRegistry | None:
    """
    `FeatureRegistry.find`, reading a file again only when it has changed.

    Raises:
        ConfigurationError: As `find`, and where `path` is no path.
    """
    if not isinstance(path, str | os.PathLike | None):
        raise ConfigurationError(
            f"config must be a FeatureRegistry or the path of its file, not {type(path).__qualname__!r}"
        )
    named = path if path is not None else os.environ.get(VARIABLE) or _found_from_here()
    if named is None:
        return None
    try:
        status = Path(named).stat()
    except OSError:
        return FeatureRegistry.load(named)  # says what is wrong with it
    key = (str(Path(named).absolute()), status.st_mtime_ns, status.st_size)
    if key not in _loaded:
        if len(_loaded) > _MAX_LOADED:
            _loaded.clear()
        _loaded[key] = FeatureRegistry.load(named)
    return _loaded[key]


_MAX_LOADED = 100


def team_of(feature: str, team: str | None, registry: FeatureRegistry | None) -> str | None:
    """
    The team of a feature: as declared, or as given where it is not declared.

    Raises:
        AttributionError: The registry is strict, and does not know the feature or says another team.
    """
    if registry is None:
        return team
    declared = registry.get(feature)
    if declared is None:
        error = registry.undeclared(feature)
        if registry.strict:
            raise error
        warn_undeclared(feature, registry)
        return team
    if team is not None and team != declared.team:
        text = f"team={team!r}, but {registry.path} declares feature {feature!r} for team {declared.team!r}; leave team out"
        if registry.strict:
            raise AttributionError(text)
        _log.warning("ai.inference.undeclared_feature: %s", text)
        return team
    return declared.team


_told: set[tuple[str, str]] = set()
_MAX_TOLD = 1000


def warn_undeclared(feature: str, registry: FeatureRegistry) -> None:
    """Say that calls are made for a feature that a registry does not declare; once for each, and no call fails for it."""
    key = (registry.path, feature)
    if key not in _told and len(_told) < _MAX_TOLD:
        _told.add(key)
        _log.warning("ai.inference.undeclared_feature: %s", registry.undeclared(feature))


def _found_from_here() -> Path | None:
    try:
        here = Path.cwd()
    except OSError:  # somebody removed it
        return None
    return locate(here)


_TABLE = re.compile(rb"^\s*\[\s*tool\s*\.\s*[\"']?tracked-inference[\"']?\s*[.\]]", re.MULTILINE)
"""Not parsed as TOML: every client that is made looks, and a pyproject file may be somebody else's and broken."""


def locate(start: Path) -> Path | None:
    """The registry file in a folder or the nearest one above it."""
    for folder in (start, *start.parents):
        with contextlib.suppress(OSError):  # what may not be looked at is not ours
            own = folder / FILE
            if own.is_file():
                return own
            project = folder / "pyproject.toml"
            if project.is_file() and _TABLE.search(project.read_bytes()):
                return project
    return None


def read(path: str | os.PathLike[str]) -> tuple[FeatureRegistry | None, list[Problem]]:
    """Read and check a registry file; what is wrong is returned, all of it, and not raised."""
    import tomllib

    from tracked_inference._registry_check import RegistryCheck

    name = os.fspath(path)
    try:
        text = Path(name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        what = f"cannot be read ({type(error).__name__}); see {VARIABLE} and docs/reference/registry.md"
        return None, [Problem(name, 0, what)]
    try:
        document = tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        at = re.search(r"line (\d+)", str(error))
        return None, [Problem(name, int(at[1]) if at else 0, f"is not TOML: {error}")]
    prefix = ""
    if Path(name).name == "pyproject.toml":
        prefix = "tool.tracked-inference."
        for key in ("tool", "tracked-inference"):
            document = document.get(key) if isinstance(document, dict) else None  # type: ignore[assignment]
        if not isinstance(document, dict):
            what = f"has no table [tool.tracked-inference]; write it, or name the {FILE}"
            return None, [Problem(name, 0, what)]
    return RegistryCheck(name, text, prefix).registry(document)
