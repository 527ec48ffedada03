"""The dashboards by file name."""

from __future__ import annotations

from . import feature, orphans, spend, trust

__all__ = ["dashboards"]


def dashboards() -> dict[str, dict[str, object]]:
    """The classic models, by the name of their file."""
    return {
        "spend": spend.dashboard(),
        "feature": feature.dashboard(),
        "trust": trust.dashboard(),
        "orphans": orphans.dashboard(),
    }
