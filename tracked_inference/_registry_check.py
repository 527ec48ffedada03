"""What a registry file may say: every problem is noted with its line and how to mend it."""

from __future__ import annotations

import difflib
import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tracked_inference.registry import (
    ENVIRONMENTS,
    PERIODS,
    Feature,
    FeatureRegistry,
    Problem,
    PrometheusSettings,
)
from tracked_inference.slugs import is_slug, nearest_slug

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["RegistryCheck"]

_WORDS = ("service", "environment", "component", "cost_center")
_TEXTS = ("owner", "description", "estimate")
_FEATURE_KEYS = frozenset({"team", "budget_usd", "on_budget", "models", *_TEXTS, *_WORDS})
_DEFAULT_KEYS = frozenset({"team", "owner", "on_budget", *_WORDS})
_PROMETHEUS_KEYS = frozenset({"url", "refresh_seconds", "when_unreachable", "matchers"})
_TOP_KEYS = frozenset({"defaults", "features", "strict", "environments", "teams", "prometheus"})
_ON_BUDGET = ("none", "warn", "refuse")
_WHEN_UNREACHABLE = ("allow", "refuse")
_SHORTEST_REFRESH_SECONDS = 1
_LONGEST_REFRESH_SECONDS = 86_400


class RegistryCheck:
    """Turns a parsed document into a registry, noting every problem with its line."""

    def __init__(self, path: str, text: str, prefix: str) -> None:
        self.path = path
        self.lines = text.splitlines()
        self.prefix = prefix
        self.problems: list[Problem] = []

    def registry(self, document: Mapping[str, Any]) -> tuple[FeatureRegistry | None, list[Problem]]:
        """The registry, and what is wrong with it; None where anything is."""
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
        self._unknown_keys(defaults, _DEFAULT_KEYS, "defaults")
        self._check_words(defaults, "defaults", environments)
        prometheus = self._prometheus(document.get("prometheus", {}))
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
        return FeatureRegistry(features, strict, self.path, prometheus), []

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
            self._wrong(
                where, None, f"the feature name {name!r} is not a slug; did you mean {nearest_slug(name)!r}?"
            )
        team = table.get("team", defaults.get("team"))
        if not is_slug(team):
            mend = f"did you mean {nearest_slug(team)!r}?" if team else f'add team = "…" to [{where}]'
            self._wrong(where, "team", f"team={team!r} of feature {name!r} is missing or not a slug; {mend}")
        elif teams and team not in teams:
            near = difflib.get_close_matches(str(team), list(teams), n=1)
            self._wrong(
                where,
                "team",
                f"team={team!r} is not in `teams`; " + (f"did you mean {near[0]!r}?" if near else "add it"),
            )
        self._check_words(table, where, environments)
        words = {word: table.get(word, defaults.get(word, "")) for word in _WORDS}
        on_budget = table.get("on_budget", defaults.get("on_budget", "none"))
        if on_budget not in _ON_BUDGET:
            self._wrong(where, "on_budget", f"on_budget={on_budget!r} must be {_or(_ON_BUDGET)}")
        elif table.get("on_budget", "none") != "none" and table.get("budget_usd", {}) == {}:
            self._wrong(
                where,
                "on_budget",
                f"on_budget={on_budget!r} without a budget; add budget_usd = {{ month = … }}",
            )
        for text in _TEXTS:
            if not isinstance(table.get(text, defaults.get(text, "")), str):
                self._wrong(where, text, f"{text} must be text, not {table.get(text, defaults.get(text))!r}")
        feature = Feature(
            name=name,
            team=str(team),
            owner=str(table.get("owner", defaults.get("owner", ""))),
            description=str(table.get("description", "")),
            budget_usd=self._budget(where, table.get("budget_usd", {})),
            on_budget=str(on_budget),
            models=tuple(self._words(table, "models", where, slugs=False)),
            estimate=table.get("estimate"),
            **words,
        )
        return feature if len(self.problems) == before else None

    def _prometheus(self, table: Any) -> PrometheusSettings:
        if not isinstance(table, dict):
            self._wrong("", "prometheus", "[prometheus] must be a table")
            return PrometheusSettings()
        before = len(self.problems)
        self._unknown_keys(table, _PROMETHEUS_KEYS, "prometheus")
        default = PrometheusSettings()
        url = table.get("url")
        if url is not None and not _is_http(url):
            self._wrong("prometheus", "url", f"url={url!r} must be like http://prometheus:9090")
        elif url is not None and "@" in urlsplit(url).netloc:
            what = "url holds a password; put it into TRACKED_INFERENCE_PROMETHEUS_URL of the environment"
            self._wrong("prometheus", "url", what)
        refresh = table.get("refresh_seconds", default.refresh_seconds)
        number = isinstance(refresh, (int, float, Decimal)) and not isinstance(refresh, bool)
        if (
            not number
            or not Decimal(refresh).is_finite()
            or not _SHORTEST_REFRESH_SECONDS <= refresh <= _LONGEST_REFRESH_SECONDS
        ):
            what = (
                f"refresh_seconds={refresh} must be a number of seconds from {_SHORTEST_REFRESH_SECONDS}"
                f" to {_LONGEST_REFRESH_SECONDS}"
            )
            self._wrong("prometheus", "refresh_seconds", what)
        unreachable = table.get("when_unreachable", default.when_unreachable)
        if unreachable not in _WHEN_UNREACHABLE:
            what = f"when_unreachable={unreachable!r} must be {_or(_WHEN_UNREACHABLE)}"
            self._wrong("prometheus", "when_unreachable", what)
        matchers = table.get("matchers", "")
        if not isinstance(matchers, str) or not _MATCHERS.fullmatch(matchers):
            what = f"matchers={matchers!r} must be label matchers, 'environment=\"production\"' for instance"
            self._wrong("prometheus", "matchers", what)
        if len(self.problems) != before:
            return default
        return PrometheusSettings(url, float(refresh), unreachable, matchers)

    def _check_words(self, table: Mapping[str, Any], where: str, environments: Iterable[str]) -> None:
        for word in _WORDS:
            value = table.get(word, "")
            if value != "" and not is_slug(value):
                self._wrong(
                    where, word, f"{word}={value!r} is not a slug; did you mean {nearest_slug(value)!r}?"
                )
            elif word == "environment" and value not in ("", *environments):
                near = difflib.get_close_matches(value, list(environments), n=1, cutoff=0.4)
                mend = f"did you mean {near[0]!r}?" if near else f"use one of {', '.join(environments)}"
                self._wrong(where, word, f"environment={value!r} is not known; {mend}")

    def _budget(self, where: str, value: Any) -> Mapping[str, Decimal]:
        if not isinstance(value, dict):
            self._wrong(
                where,
                "budget_usd",
                f"budget_usd={value!r} must name its period: budget_usd = {{ month = {value} }}",
            )
            return {}
        budget = {}
        for period, dollars in value.items():
            if period not in PERIODS:
                self._wrong(
                    where,
                    "budget_usd",
                    f"budget_usd: the period {period!r} is not known; use {' or '.join(PERIODS)}",
                )
            elif (
                isinstance(dollars, bool)
                or not isinstance(dollars, (int, Decimal))
                or not _above_zero(dollars)
            ):
                self._wrong(
                    where,
                    "budget_usd",
                    f"budget_usd.{period}={dollars} must be a finite number of dollars above 0",
                )
            else:
                budget[period] = Decimal(dollars)
        return budget

    def _words(
        self, table: Mapping[str, Any], key: str, where: str, *, slugs: bool = True
    ) -> tuple[str, ...]:
        value = table.get(key, [])
        if not isinstance(value, list) or not all(
            isinstance(one, str) and (is_slug(one) or not slugs) for one in value
        ):
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
        """The line of a key in a table, of the key's own table, of the table; 0 if none of them is found."""
        header = self._header(where, r"\]")
        inside = not where and not self.prefix
        at = 0
        for number, line in enumerate(self.lines, 1):
            if line.lstrip().startswith("["):
                inside = header.match(line) is not None
                at = number if inside else at
            elif (
                inside
                and key is not None
                and re.match(r"\s*[\"']?" + re.escape(key) + r"[\"']?\s*[.=]", line)
            ):
                return number
        if key is None:
            return at
        own = self._header(f"{where}.{key}".lstrip("."), r"[.\]]")
        return next((number for number, line in enumerate(self.lines, 1) if own.match(line)), at)

    def _header(self, where: str, end: str) -> re.Pattern[str]:
        """What the head of a table looks like, each part of its name with or without quotes."""
        dotted = re.escape((self.prefix + where).rstrip(".")).replace(r"\.", r"[\"']?\s*\.\s*[\"']?")
        return re.compile(r"\s*\[\s*[\"']?" + dotted + r"[\"']?\s*" + end)


def _above_zero(dollars: int | Decimal) -> bool:
    exact = Decimal(dollars)
    return exact.is_finite() and exact > 0


_MATCHER = r'\s*[a-zA-Z_]\w*\s*(?:=~|!~|!=|=)\s*"(?:[^"\\\n]|\\.)*"\s*'
_MATCHERS = re.compile(rf"(?:{_MATCHER}(?:,{_MATCHER})*)?")


def _is_http(url: Any) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except (ValueError, AttributeError, TypeError):
        return False


def _or(words: Iterable[str]) -> str:
    *first, last = [repr(word) for word in words]
    return f"{', '.join(first)} or {last}"
