"""The words of attribution: which values are legal everywhere they go, and the nearest legal form of those that are not."""

from __future__ import annotations

import re
import unicodedata

__all__ = ["MAX_LENGTH", "is_slug", "nearest_slug"]

MAX_LENGTH = 63
"""The longest value that AWS tags, Kubernetes labels and GCP labels all take."""

_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?")


def is_slug(value: object) -> bool:
    """Lower-case letters, digits, `_` and `-`, a letter or digit at both ends, at most 63 characters."""
    return isinstance(value, str) and _SLUG.fullmatch(value) is not None


def nearest_slug(value: object) -> str:
    """The legal form that is closest to a value: `Document Summarisation!` becomes `document_summarisation`."""
    text = unicodedata.normalize("NFKD", str(value)).encode("ascii", "ignore").decode()
    text = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", text)
    text = re.sub(r"[^a-z0-9_-]+", "_", text.lower())
    return text[:MAX_LENGTH].strip("_-")
