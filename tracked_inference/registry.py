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
    models = ["claude-sonnet-5-5"]

The file is named by an argument, by `TRACKED_INFERENCE_CONFIG`, or found in the working directory or above it.
"""

from __future__ import annotations

import difflib
import logging
import os
import re
import tomllib
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tracked_inference.errors import AttributionError, ConfigurationError
from tracked_inference.slugs import is_slug, nearest_slug

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["ENVIRONMENTS", "PERIODS", "Feature", "FeatureRegistry", "Problem", "registry_in_force", "team_of"]

_log = logging.getLogger("tracked_inference")

VARIABLE = "TRACKED_INFERENCE_CONFIG"
FILE = "tracked-inference.toml"
ENVIRONMENTS = ("production", "staging", "development")
"""The environments a registry may name, unless it has a list of its own (`environments = [...]`)."""

PERIODS = ("month", "day")
"""The periods a budget may be for: calendar months and days, UTC."""

_WORDS = ("service", "environment", "component", "cost_center")
_FEATURE_KEYS = frozenset({"team", "owner", "description", "budget_usd", "on_budget", "models", "estimate", *_WORDS})
_TOP_KEYS = frozenset({"defaults", "features", "strict", "environments", "teams"})


@dataclass(frozen=True, slots=True)
class Feature:
    """
    One declared feature.

    Attributes:
        name: A slug.
        team: Who pays.
        owner: Whom to ask; free text.
        service: The service it is part of, a slug; empty if not said.
        environment: Where it runs; empty if not said.
        component: The part of the service, a slug; empty if not said.
        cost_center: Where it is booked; empty if not said.
        budget_usd: Dollars by period (`month`, `day`), exact.
        on_budget: What happens when the budget is spent: nothing, `warn` or `refuse`.
        models: The models it is expected to call; their series exist at 0 from the start.
        estimate: A path to its cost estimate, as written.
    """

    name: str
    team: str
    owner: str = ""
    service: str = ""
    environment: str = ""
    component: str = ""
    cost_center: str = ""
    budget_usd: Mapping[str, Decimal] = field(default_factory=dict)
    on_budget: str = "none"
    models: tuple[str, ...] = ()
    estimate: str | None = None


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
    """

    features: Mapping[str, Feature]
    strict: bool = True
    path: str = ""

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> FeatureRegistry:
        """
        Read a registry file.

        Raises:
            ConfigurationError: The file cannot be read or has problems; the message lists them with file and line.
        """
        registry, problems = read(path)
        if registry is None or problems:
            raise ConfigurationError("the feature registry cannot be used:\n" + "\n".join(f"  {one}" for one in problems))
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
        found = locate(Path.cwd())
        return None if found is None else cls.load(found)

    def get(self, feature: str) -> Feature | None:
        """A declared feature; None for one that is not."""
        return self.features.get(feature)

    def undeclared(self, feature: str) -> AttributionError:
        """The error for a feature that is not declared, with the nearest names."""
        near = difflib.get_close_matches(feature, self.features, n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(repr(name) for name in near)}?" if near else f"declare it: [features.{feature}]"
        return AttributionError(f"feature={feature!r} is not declared in {self.path}; {hint}")


_loaded: dict[tuple[str, int, int], FeatureRegistry] = {}


def registry_in_force(path: str | os.PathLike[str] | None = None) -> FeatureRegistry | None:
    """`FeatureRegistry.find`, reading a file again only when it has changed."""
    named = path if path is not None else os.environ.get(VARIABLE) or locate(Path.cwd())
    if named is None:
        return None
    try:
        status = os.stat(named)
    except OSError:
        return FeatureRegistry.load(named)  # says what is wrong with it
    key = (os.path.abspath(named), status.st_mtime_ns, status.st_size)
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
        _log.warning("ai.inference.undeclared_feature: %s", error)
        return team
    if team is not None and team != declared.team:
        text = f"team={team!r}, but {registry.path} declares feature {feature!r} for team {declared.team!r}; leave team out"
        if registry.strict:
            raise AttributionError(text)
        _log.warning("ai.inference.undeclared_feature: %s", text)
        return team
    return declared.team


def locate(start: Path) -> Path | None:
    """The registry file in a folder or the nearest one above it."""
    for folder in (start, *start.parents):
        own = folder / FILE
        if own.is_file():
            return own
        project = folder / "pyproject.toml"
        if project.is_file() and b"[tool.tracked-inference" in project.read_bytes():
            return project
    return None


def read(path: str | os.PathLike[str]) -> tuple[FeatureRegistry | None, list[Problem]]:
    """Read and check a registry file; what is wrong is returned, all of it, and not raised."""
    name = os.fspath(path)
    try:
        text = Path(name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        return None, [Problem(name, 0, f"cannot be read ({type(error).__name__}); see {VARIABLE} and docs/reference/registry.md")]
    try:
        document = tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        at = re.search(r"line (\d+)", str(error))
        return None, [Problem(name, int(at[1]) if at else 0, f"is not TOML: {error}")]
    prefix = ""
    if Path(name).name == "pyproject.toml":
        prefix = "tool.tracked-inference."
        document = document.get("tool", {}).get("tracked-inference", {})
    return _Check(name, text, prefix).registry(document)


class _Check:
    """Turns a parsed document into a registry, noting every problem with its line."""

    def __init__(self, path: str, text: str, prefix: str) -> None:
        self.path = path
        self.lines = text.splitlines()
        self.prefix = prefix
        self.problems: list[Problem] = []

    def registry(self, document: Mapping[str, Any]) -> tuple[FeatureRegistry | None, list[Problem]]:
        self._unknown_keys(document, _TOP_KEYS, "")
        strict = document.get("strict", True)
        if not isinstance(strict, bool):
            self._wrong("", "strict", "strict must be true or false")
            strict = True
        environments = self._words(document, "environments", "") or ENVIRONMENTS
        teams = self._words(document, "teams", "")
        defaults = document.get("defaults", {})
        if not isinstance(defaults, dict):
            self._wrong("", "defaults", "[defaults] must be a table")
            defaults = {}
        self._unknown_keys(defaults, frozenset({"team", "owner", "on_budget", *_WORDS}), "defaults")
        self._check_words(defaults, "defaults", environments)
        tables = document.get("features", {})
        if not isinstance(tables, dict):
            self._wrong("", "features", "[features] must be a table of tables, [features.NAME]")
            tables = {}
        features = {}
        for name, table in tables.items():
            if not isinstance(table, dict):
                self._wrong("features", name, f"features.{name} must be a table, [features.{name}]")
                continue
            feature = self._feature(name, table, defaults, environments, teams)
            if feature is not None:
                features[name] = feature
        if self.problems:
            return None, self.problems
        return FeatureRegistry(features, strict, self.path), []

    def _feature(
        self,
        name: str,
        table: Mapping[str, Any],
        defaults: Mapping[str, Any],
        environments: Iterable[str],
        teams: Iterable[str],
    ) -> Feature | None:
        where = f"features.{name}"
        before = len(self.problems)
        self._unknown_keys(table, _FEATURE_KEYS, where)
        if not is_slug(name):
            self._wrong(where, None, f"the feature name {name!r} is not a slug; did you mean {nearest_slug(name)!r}?")
        team = table.get("team", defaults.get("team"))
        if not is_slug(team):
            mend = f"did you mean {nearest_slug(team)!r}?" if team else f"add team = \"…\" to [{where}]"
            self._wrong(where, "team", f"team={team!r} of feature {name!r} is missing or not a slug; {mend}")
        elif teams and team not in teams:
            near = difflib.get_close_matches(str(team), list(teams), n=1)
            self._wrong(where, "team", f"team={team!r} is not in `teams`; " + (f"did you mean {near[0]!r}?" if near else "add it"))
        self._check_words(table, where, environments)
        words = {word: table.get(word, defaults.get(word, "")) for word in _WORDS}
        on_budget = table.get("on_budget", defaults.get("on_budget", "none"))
        if on_budget not in ("none", "warn", "refuse"):
            self._wrong(where, "on_budget", f"on_budget={on_budget!r} must be 'none', 'warn' or 'refuse'")
        feature = Feature(
            name=name,
            team=str(team),
            owner=str(table.get("owner", defaults.get("owner", ""))),
            budget_usd=self._budget(where, table.get("budget_usd", {})),
            on_budget=str(on_budget),
            models=tuple(self._words(table, "models", where, slugs=False)),
            estimate=table.get("estimate"),
            **words,
        )
        return feature if len(self.problems) == before else None

    def _check_words(self, table: Mapping[str, Any], where: str, environments: Iterable[str]) -> None:
        for word in _WORDS:
            value = table.get(word, "")
            if value != "" and not is_slug(value):
                self._wrong(where, word, f"{word}={value!r} is not a slug; did you mean {nearest_slug(value)!r}?")
            elif word == "environment" and value not in ("", *environments):
                near = difflib.get_close_matches(value, list(environments), n=1, cutoff=0.4)
                mend = f"did you mean {near[0]!r}?" if near else f"use one of {', '.join(environments)}"
                self._wrong(where, word, f"environment={value!r} is not known; {mend}")

    def _budget(self, where: str, value: Any) -> Mapping[str, Decimal]:
        if not isinstance(value, dict):
            self._wrong(where, "budget_usd", f"budget_usd={value!r} must name its period: budget_usd = {{ month = {value} }}")
            return {}
        budget = {}
        for period, dollars in value.items():
            if period not in PERIODS:
                self._wrong(where, "budget_usd", f"budget_usd: the period {period!r} is not known; use {' or '.join(PERIODS)}")
            elif isinstance(dollars, bool) or not isinstance(dollars, (int, Decimal)) or not _above_zero(dollars):
                self._wrong(where, "budget_usd", f"budget_usd.{period}={dollars} must be a finite number of dollars above 0")
            else:
                budget[period] = Decimal(dollars)
        return budget

    def _words(self, table: Mapping[str, Any], key: str, where: str, *, slugs: bool = True) -> tuple[str, ...]:
        value = table.get(key, [])
        if not isinstance(value, list) or not all(isinstance(one, str) and (is_slug(one) or not slugs) for one in value):
            self._wrong(where, key, f"{key} must be a list of {'slugs' if slugs else 'names'}, not {value!r}")
            return ()
        return tuple(value)

    def _unknown_keys(self, table: Mapping[str, Any], known: frozenset[str], where: str) -> None:
        for key in table:
            if key not in known:
                near = difflib.get_close_matches(key, known, n=1)
                mend = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(sorted(known))}"
                self._wrong(where, key, f"the key {key!r} is not known here; {mend}")

    def _wrong(self, where: str, key: str | None, what: str) -> None:
        self.problems.append(Problem(self.path, self._line(where, key), what))

    def _line(self, where: str, key: str | None) -> int:
        """The line of a key in a table, of the table if the key is not in it, 0 if neither is found."""
        header = re.compile(r"\s*\[\s*" + re.escape(self.prefix + where).replace(r"\.", r"\s*\.\s*[\"']?") + r"[\"']?\s*\]")
        inside = not where and not self.prefix
        at = 0
        for number, line in enumerate(self.lines, 1):
            if line.lstrip().startswith("["):
                inside = header.match(line) is not None if where else False
                at = number if inside else at
            elif inside and key is not None and re.match(r"\s*[\"']?" + re.escape(key) + r"[\"']?\s*[.=]", line):
                return number
        return at


def _above_zero(dollars: int | Decimal) -> bool:
    exact = Decimal(dollars)
    return exact.is_finite() and exact > 0
