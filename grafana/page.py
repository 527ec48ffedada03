"""What all dashboards have in common: identity, variables, links to each other, annotations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import recording as r
from .names import raw
from .panels import DATASOURCE, lay_out

if TYPE_CHECKING:
    from .panels import Row

__all__ = ["TAG", "UID", "link_to", "page", "variable"]

TAG = "tracked-inference"
UID = {
    "spend": "tracked-inference-spend",
    "feature": "tracked-inference-feature",
    "trust": "tracked-inference-trust",
    "orphans": "tracked-inference-orphans",
}


def link_to(name: str, title: str, variables: str = "") -> dict[str, object]:
    """A data link to another dashboard that keeps the time range and the data source."""
    url = f"/d/{UID[name]}?${{__url_time_range}}&${{datasource:queryparam}}{variables}"
    return {"title": title, "url": url, "targetBlank": False}


def variable(
    name: str, label: str, query: str, *, many: bool = True, all_value: str | None = None
) -> dict[str, object]:
    """
    A variable filled with a label's values in the time range.

    All can be chosen where only one can too: links bring it along, and Grafana 10 takes what it does not find for a name.
    Without an `all_value`, All means the values that are listed: a feature list narrowed by team narrows every panel.
    """
    model: dict[str, object] = {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": DATASOURCE,
        "definition": query,
        "query": {"query": query, "refId": f"{name}-values"},
        "refresh": 2,
        "sort": 1,
        "regex": "",
        "hide": 0,
        "skipUrlSync": False,
        "multi": many,
        "includeAll": True,
        "options": [],
        "current": {
            "selected": True,
            "text": ["All"] if many else "All",
            "value": ["$__all"] if many else "$__all",
        },
    }
    if all_value is not None:
        model["allValue"] = all_value
    return model


def page(
    name: str,
    title: str,
    description: str,
    variables: list[dict[str, object]],
    rows: list[Row],
    *,
    since: str = "now-7d",
) -> dict[str, object]:
    """A dashboard in Grafana's classic model, as import, provisioning, sidecars and the operator all take it."""
    source = {
        "name": "datasource",
        "label": "Data source",
        "type": "datasource",
        "query": "prometheus",
        "regex": "",
        "refresh": 1,
        "hide": 0,
        "skipUrlSync": False,
        "multi": False,
        "includeAll": False,
        "options": [],
        "current": {},
    }
    return {
        "id": None,
        "uid": UID[name],
        "title": title,
        "description": description,
        "tags": [TAG],
        "schemaVersion": 39,
        "version": 1,
        "editable": False,
        "graphTooltip": 1,
        "fiscalYearStartMonth": 0,
        "liveNow": False,
        "refresh": "1m",
        "time": {"from": since, "to": "now"},
        "timepicker": {},
        "timezone": "utc",
        "weekStart": "monday",
        "links": [
            {
                "title": "AI inference",
                "type": "dashboards",
                "tags": [TAG],
                "asDropdown": False,
                "includeVars": True,
                "keepTime": True,
                "targetBlank": False,
                "icon": "external link",
                "tooltip": "",
                "url": "",
            },
        ],
        "annotations": {"list": [_built_in(), *_annotations()]},
        "templating": {"list": [source, *variables]},
        "panels": lay_out(rows),
    }


def _built_in() -> dict[str, object]:
    return {
        "builtIn": 1,
        "datasource": {"type": "grafana", "uid": "-- Grafana --"},
        "enable": True,
        "hide": True,
        "iconColor": "rgba(0, 211, 255, 1)",
        "name": "Annotations & Alerts",
        "type": "dashboard",
    }


def _annotations() -> list[dict[str, object]]:
    # By name: what a page is called where is the deployment's choice.
    names = ("SpendRunaway", "BudgetBurnHigh", "BudgetExceeded", "BudgetRefusing")
    pages = "|".join(f"AIInference{name}" for name in names)
    alerts = f'ALERTS{{alertname=~"{pages}", alertstate="firing"}}'
    # A version counts as new when nothing carried it for three days: neither a gap in scraping nor the next run of a
    # nightly job, over a weekend too, is a change of prices.
    new_table = f"{r.TABLES} unless max_over_time({r.TABLES}[3d] offset $__interval)"
    return [
        _annotation("Price table", new_table, "purple", "prices {{version}}"),
        _annotation("Deploys", f"{r.STARTS} > 0", "blue", "started: {{job}}", step="5m"),
        _annotation("Pages", alerts, "red", "{{alertname}} {{feature}}"),
    ]


def _annotation(name: str, expr: str, colour: str, title: str, step: str = "60s") -> dict[str, object]:
    return {
        "datasource": DATASOURCE,
        "enable": True,
        "hide": False,
        "expr": expr,
        "iconColor": colour,
        "name": name,
        "step": step,
        "titleFormat": title,
        "textFormat": "",
        "tagKeys": "",
        "useValueForTime": False,
    }


def team_variable() -> dict[str, object]:
    """The teams that made calls in the time range."""
    return variable("team", "Team", f"label_values({raw('ai_inference_calls_total')}, team)", all_value=".*")


def feature_variable(*, many: bool = True) -> dict[str, object]:
    """The features of the chosen teams."""
    query = "label_values(ai_inference_calls_total{}, feature)".format('{team=~"$team"}' if many else "")
    return variable("feature", "Feature", query, many=many)


def model_variable() -> dict[str, object]:
    """The models that the chosen features called."""
    return variable(
        "model", "Model", 'label_values(ai_inference_calls_total{feature=~"$feature"}, model)', all_value=".*"
    )
