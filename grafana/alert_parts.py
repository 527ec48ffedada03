"""What alerts are made of: the rule itself, its words, and the growth of rare counters."""

from __future__ import annotations

from textwrap import dedent
from typing import TYPE_CHECKING, Any

from . import recording as r

if TYPE_CHECKING:
    from .settings import Settings

__all__ = ["OWNED", "THE", "USD", "alert", "born", "look_up", "number"]


def alert(  # an alert has this many parts
    settings: Settings,
    name: str,
    *,
    expr: str,
    page: bool = False,
    hold: str = "0m",
    summary: str,
    description: str,
    labels: dict[str, str] | None = None,
) -> dict[str, Any]:
    """One alert; the runbook's address is made here so that none can be forgotten."""
    rule: dict[str, Any] = {"alert": name, "expr": dedent(expr).strip()}
    if hold != "0m":
        rule["for"] = hold
    severity = settings.severity_page if page else settings.severity_ticket
    rule["labels"] = {"severity": severity, **(labels or {})}
    rule["annotations"] = {
        "summary": summary,
        "description": " ".join(description.split()),
        "runbook_url": f"{settings.runbook_base}{name}.md",
    }
    return rule


def look_up(query: str, verb: str, *labels: str) -> str:
    """A template that runs a query for the alert's own labels and prints its one value."""
    arguments = " ".join(f"$labels.{label}" for label in labels)
    found = f"{{{{ with printf `{query}` {arguments} | query }}}}{{{{ . | first | value | {verb} }}}}"
    return found + "{{ else }}an unknown number of{{ end }}"


def number(value: float) -> str:
    return f"{value:g}"


USD = 'printf "%.2f"'
THE = "{{ $labels.feature }} (team {{ $labels.team }})"
OWNED = f"* on (feature) group_left (team) {r.OWNER}"


def born(selector: str, by: str, window: str) -> str:
    """
    What a rare counter gained, a new series' first value included.

    `increase()` alone counts the first value of a series as nothing, and these series are born with their first fault.
    A series that was there in the six hours before is not new: a gap in scraping would make old faults news. Where it is
    lower than it was, the process restarted and all of it is new. A job that has ended counts as long as one that runs.
    """
    before = f"last_over_time({selector}[6h] offset {window})"
    return f"""sum by ({by}) (
              increase({selector}[{window}]) > 0
              or
              (last_over_time({selector}[{window}]) unless {before}) > 0
              or
              (({selector} unless {selector} offset {window}) < {before}) > 0
            )"""
