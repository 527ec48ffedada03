"""
The estimate kept beside the feature's code, so that it is reviewed, re-run and compared with what came of it.

    [feature]
    name = "document_summarisation"
    team = "documents"

    [traffic]
    monthly_users = 10_000
    daily_share = { low = 0.1, expected = 0.2, high = 0.4 }
    requests_per_user_per_day = 3

    [shape]
    models = "claude-sonnet-5-5"
    input_tokens = [4_000, 8_000, 20_000]
    output_tokens = 500

    [compare]
    models = ["claude-haiku-5-5", "gpt-5-mini"]
"""

from __future__ import annotations

import difflib
import re
import tomllib
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tracked_inference.errors import ConfigurationError
from tracked_inference.planning.scenario import Scenario

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

__all__ = ["EstimateFile", "scenario_of"]

_TABLES: Mapping[str, Mapping[str, str]] = {
    # key of the file -> argument of Scenario
    "feature": {"name": "feature", "description": "description", "team": "team"},
    "traffic": {
        "monthly_users": "monthly_users",
        "daily_share": "daily_share",
        "requests_per_user_per_day": "requests_per_user_per_day",
        "requests_per_day": "requests_per_day",
        "growth_per_month": "growth_per_month",
        "days": "days",
    },
    "shape": {
        "models": "models",
        "input_tokens": "input_tokens",
        "output_tokens": "output_tokens",
        "cached_share": "cached_share",
        "cache_write_share": "cache_write_share",
        "cache_lifetime": "cache_lifetime",
        "batch_share": "batch_share",
        "retry_rate": "retry_rate",
    },
    "compare": {"models": "compare"},
}
_TEXTS = frozenset({"feature", "description", "team", "cache_lifetime"})
_NEEDED = {
    "feature": "a name ([feature] name, --feature)",
    "models": "a model ([shape] models, --model)",
    "input_tokens": "[shape] input_tokens (--input-tokens)",
    "output_tokens": "[shape] output_tokens (--output-tokens)",
}


@dataclass(frozen=True, slots=True)
class EstimateFile:
    """
    An estimate as its file has it, not yet checked as a whole: measured numbers and flags may still replace parts of it.

    Attributes:
        path: The file.
        given: What it says, as arguments of `Scenario`.
        compare: Other models to compare with.
    """

    path: str
    given: Mapping[str, Any]
    compare: tuple[str, ...] = ()

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> EstimateFile:
        """
        Read the file.

        Raises:
            ConfigurationError: It cannot be read, or says something that is not known; the message says where.
        """
        try:
            text = Path(path).read_text(encoding="utf-8")
            document = tomllib.loads(text, parse_float=Decimal)
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(
                f"{path}: the estimate cannot be read ({type(error).__name__})"
            ) from error
        except tomllib.TOMLDecodeError as error:
            raise ConfigurationError(f"{path}: is not TOML: {error}") from error
        given: dict[str, Any] = {}
        for table, values in document.items():
            keys = _TABLES.get(table)
            if keys is None:
                raise ConfigurationError(
                    f"{_where(path, text, table)}: {_unknown(f'[{table}]', table, _TABLES)}"
                )
            if not isinstance(values, dict):
                raise ConfigurationError(f"{_where(path, text, table)}: {table} must be a table, [{table}]")
            for key, value in values.items():
                if key not in keys:
                    raise ConfigurationError(
                        f"{_where(path, text, key)}: {_unknown(f'[{table}] {key}', key, keys)}"
                    )
                name = keys[key]
                if name in _TEXTS and not isinstance(value, str):
                    raise ConfigurationError(
                        f"{_where(path, text, key)}: [{table}] {key} must be text, not {value!r}"
                    )
                given[name] = value
        compare = given.pop("compare", [])
        if not isinstance(compare, list) or not all(isinstance(model, str) for model in compare):
            raise ConfigurationError(
                f"{_where(path, text, 'compare')}: [compare] models must be a list of names"
            )
        if not isinstance(given.get("models", ""), (str, dict)):
            raise ConfigurationError(
                f'{_where(path, text, "models")}: [shape] models must be a name, or shares: {{ "claude-sonnet-5-5" = 0.8, … }}'
            )
        return cls(str(path), given, tuple(compare))

    def scenario(self) -> Scenario:
        """
        The scenario of the file alone.

        Raises:
            ConfigurationError: Something is missing or contradicts itself.
        """
        return scenario_of(self.given, self.path)


def scenario_of(given: Mapping[str, Any], source: str) -> Scenario:
    """
    The scenario of arguments from wherever they came.

    Raises:
        ConfigurationError: One is missing, or they contradict each other; the message names the source.
    """
    missing = [where for name, where in _NEEDED.items() if given.get(name) is None]
    if missing:
        raise ConfigurationError(f"{source}: the estimate needs {' and '.join(missing)}")
    try:
        return Scenario(**given)
    except ConfigurationError as error:
        raise ConfigurationError(f"{source}: {error}") from None


def _unknown(what: str, word: str, known: Mapping[str, Any]) -> str:
    near = difflib.get_close_matches(word, known, n=1)
    return f"{what} is not known; " + (
        f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}"
    )


def _where(path: object, text: str, word: str) -> str:
    """The file, and the first line that begins with the word."""
    pattern = re.compile(r"\s*\[?\s*[\"']?" + re.escape(word) + r"\b")
    for number, line in enumerate(text.splitlines(), 1):
        if pattern.match(line):
            return f"{path}:{number}"
    return str(path)
