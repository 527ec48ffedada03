"""
The alerts.

One rule serves all features: both sides of a comparison are brought to the same labels, which promtool cases prove.
Every annotation names its numbers; every alert has a page in docs/runbooks that says what to look at and what to do.
"""

from __future__ import annotations

from typing import Any

from .alerts_cloud import cloud
from .alerts_service import service
from .alerts_spend import budgets, spend
from .alerts_trust import trust
from .settings import Settings

__all__ = ["alert_groups"]


def alert_groups(settings: Settings | None = None) -> list[dict[str, Any]]:
    """The groups of `rules/alerts.yaml`."""
    chosen = settings or Settings()
    groups = {
        "spend-alerts": spend(chosen),
        "budget-alerts": budgets(chosen),
        "trust-alerts": trust(chosen),
        "service-alerts": service(chosen),
        "cloud-alerts": cloud(chosen),
    }
    return [
        {"name": f"tracked-inference.{name}", "interval": "1m", "rules": rules}
        for name, rules in groups.items()
    ]
