"""
The words that say whose a thing is and who pays for it, and which values they may take.

One vocabulary for LLM calls, cloud resources and the registry file of features, so that cost joins.
Pure functions over plain mappings; nothing here imports boto3 or PyYAML.

A value is a slug that three grammars accept at once:
- AWS tag values: letters, digits, spaces and `+ - = . _ : / @`, at most 256 characters;
- Kubernetes label values: letters, digits, `-`, `_`, `.`, a letter or digit at both ends, at most 63;
- GCP label values: lower-case letters, digits, `_` and `-`, at most 63 characters.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from tracked_inference.registry import ENVIRONMENTS
from tracked_inference.slugs import is_slug, nearest_slug

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "DEFAULT_STANDARD",
    "OPTIONAL_KEYS",
    "REQUIRED_KEYS",
    "SLUG_PATTERN",
    "TAG_KEYS",
    "TagProblem",
    "TagStandard",
    "check_tags",
    "is_email",
    "prefixed",
]

REQUIRED_KEYS = ("team", "service", "environment", "component", "cost_center", "created_by")
OPTIONAL_KEYS = ("feature",)
TAG_KEYS = REQUIRED_KEYS + OPTIONAL_KEYS

# The rule of `slugs.is_slug`, for policies that others enforce; a test holds the two together.
SLUG_PATTERN = "[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?"
EMAIL_PATTERN = "[a-z0-9][a-z0-9._+-]*@[a-z0-9]([a-z0-9.-]*[a-z0-9])?[.][a-z]{2,}"
_EMAIL = re.compile(EMAIL_PATTERN)
_MAX_EMAIL = 254  # RFC 5321; AWS would take 256

# What people write for an environment, where the letters alone are too far off for difflib.
_ENVIRONMENT_SHORTHANDS = {
    "prod": "production",
    "prd": "production",
    "live": "production",
    "stage": "staging",
    "stg": "staging",
    "preprod": "staging",
    "dev": "development",
    "develop": "development",
}

ProblemKind = Literal["missing", "illegal"]


@dataclass(frozen=True, slots=True)
class TagProblem:
    """
    One fault of a set of tags.

    Attributes:
        key: The key of the vocabulary that is at fault.
        kind: `missing` (absent or empty) or `illegal` (a value the standard does not take).
        message: What is wrong and how to mend it, one sentence; it may quote the value.
        discreet: The same without the value or anything made of it, for values that must not be printed.
        suggestion: The nearest legal value, where one is near.

    """

    key: str
    kind: ProblemKind
    message: str
    discreet: str
    suggestion: str | None = None


@dataclass(frozen=True, slots=True)
class TagStandard:
    """
    Which keys are required and which values they take.

    Attributes:
        environments: The legal values of `environment`.
        required: Keys without which nothing is created.
        allowed: For further keys, the only legal values: `{"team": ("documents", "search")}`.
        label_prefix: Stands before every key in Kubernetes, such as `cost.example.com/`.

    """

    environments: tuple[str, ...] = ENVIRONMENTS
    required: tuple[str, ...] = REQUIRED_KEYS
    allowed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    label_prefix: str = ""

    @property
    def keys(self) -> tuple[str, ...]:
        """Every key that is looked at, in the order of the vocabulary."""
        known = [
            key for key in TAG_KEYS if key in self.required or key in OPTIONAL_KEYS or key in self.allowed
        ]
        return tuple(known) + tuple(key for key in self.required if key not in known)

    def values_of(self, key: str) -> tuple[str, ...] | None:
        """Return the only legal values of a key, or None where any slug will do."""
        return self.environments if key == "environment" else self.allowed.get(key)


DEFAULT_STANDARD = TagStandard()


def is_email(value: str) -> bool:
    """Whether a value is a lower-case e-mail address: legal on AWS, in Kubernetes only as an annotation."""
    return len(value) <= _MAX_EMAIL and _EMAIL.fullmatch(value) is not None


def prefixed(prefix: str, key: str) -> str:
    """Return a key as it stands in Kubernetes: behind `prefix` and a slash, or alone without a prefix."""
    return f"{prefix.rstrip('/')}/{key}" if prefix else key


def check_tags(tags: Mapping[str, object], standard: TagStandard = DEFAULT_STANDARD) -> list[TagProblem]:
    """
    Return what is wrong with a set of tags, in the order of the vocabulary; empty when nothing is.

    Keys outside the vocabulary are left alone, but one that is nearly a missing key is named.
    """
    problems = []
    for key in standard.keys:
        value = tags.get(key)
        blank = value is None or (isinstance(value, str) and not value.strip())
        if blank and key in standard.required:
            problems.append(_missing(key, tags, standard))
        elif value not in (None, "") and (problem := _check_value(key, value, standard)):
            problems.append(problem)
    return problems


def _missing(key: str, tags: Mapping[str, object], standard: TagStandard) -> TagProblem:
    message = _requirement(key, standard)
    near = next((other for other in tags if other != key and _fold(str(other)) == _fold(key)), None)
    if near is not None:
        message += f"; {near!r} is not it, rename it to {key!r}"
    return TagProblem(key, "missing", message, message)


def _requirement(key: str, standard: TagStandard) -> str:
    if key == "environment":
        return f"environment must be {_either(standard.environments)}"
    if key == "cost_center":
        return "cost_center tag is required for financial attribution"
    return f"{key} tag is required"


def _check_value(key: str, value: object, standard: TagStandard) -> TagProblem | None:
    if not isinstance(value, str):
        message = f"{key} must be text, not {type(value).__name__}: put it in quotes"
        return TagProblem(key, "illegal", message, message)
    allowed = standard.values_of(key)
    if allowed is not None:
        return None if value in allowed else _not_allowed(key, value, allowed)
    if is_slug(value) or (key == "created_by" and is_email(value)):
        return None
    if key == "created_by" and is_email(value.lower()):
        suggestion: str | None = value.lower()
    else:
        suggestion = nearest_slug(value) or None
    rule = "lower-case letters, digits, - and _, beginning and ending with a letter or digit, at most 63"
    if key == "created_by":
        rule += ", or an e-mail address"
    discreet = f"{key} must be a slug ({rule})"
    return TagProblem(
        key, "illegal", f"{discreet}: {value!r} is not{_hint(suggestion)}", discreet, suggestion
    )


def _not_allowed(key: str, value: str, allowed: tuple[str, ...]) -> TagProblem:
    folded = value.strip().casefold()
    suggestion = _ENVIRONMENT_SHORTHANDS.get(folded) if key == "environment" else None
    if suggestion not in allowed:
        suggestion = next(iter(difflib.get_close_matches(folded, allowed, n=1, cutoff=0.6)), None)
    discreet = f"{key} must be {_either(allowed)}"
    return TagProblem(
        key, "illegal", f"{discreet}: {value!r} is not{_hint(suggestion)}", discreet, suggestion
    )


def _hint(suggestion: str | None) -> str:
    return f", did you mean {suggestion!r}?" if suggestion else ""


def _either(values: tuple[str, ...]) -> str:
    if len(values) <= 2:
        return " or ".join(values)
    return ", ".join(values[:-1]) + f", or {values[-1]}"


def _fold(key: str) -> str:
    return re.sub(r"[^a-z0-9]", "", key.rpartition("/")[2].lower())
