"""The legal values of a key as a regular expression that Python, Go (RE2) and CEL read alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracked_inference.cloud.vocabulary import EMAIL_PATTERN, SLUG_PATTERN

if TYPE_CHECKING:
    from tracked_inference.cloud.vocabulary import TagStandard

__all__ = ["value_pattern"]


def value_pattern(key: str, standard: TagStandard) -> str:
    """Return an anchored expression for the values a key may have."""
    if values := standard.values_of(key):
        return f"^({'|'.join(values)})$"  # slugs: nothing in them to escape
    return f"^({SLUG_PATTERN}|{EMAIL_PATTERN})$" if key == "created_by" else f"^{SLUG_PATTERN}$"
