"""Every generated file, by its path under `grafana/`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from .alerting import alert_groups
from .otel_bridge import bridge_groups
from .pages import dashboards
from .recording import recording_groups
from .yamltext import dump

if TYPE_CHECKING:
    from .settings import Settings

__all__ = ["assets", "dashboard_texts", "rule_groups", "rule_texts"]

_HEADER = "# Made by `python -m grafana.generate`; changes made here are lost.\n"


def assets() -> dict[str, str]:
    """What is committed: dashboards and rules with their default settings."""
    return {**dashboard_texts(), **rule_texts()}


def dashboard_texts() -> dict[str, str]:
    """The dashboards, as JSON text by path."""
    return {
        f"dashboards/{name}.json": json.dumps(model, indent=2, ensure_ascii=False) + "\n"
        for name, model in dashboards().items()
    }


def rule_groups(settings: Settings | None = None, *, otel: bool = True) -> dict[str, list[dict[str, Any]]]:
    """The rule groups by the name of their file."""
    groups = {"recording": recording_groups(settings), "alerts": alert_groups(settings)}
    return {**groups, "otel-bridge": bridge_groups(settings)} if otel else groups


def rule_texts(settings: Settings | None = None, *, otel: bool = True) -> dict[str, str]:
    """The rule files, as YAML text by path."""
    return {
        f"rules/{name}.yaml": _HEADER + dump({"groups": groups})
        for name, groups in rule_groups(settings, otel=otel).items()
    }
