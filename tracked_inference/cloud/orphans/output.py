"""A report as JSON, CSV and Markdown."""

from __future__ import annotations

import csv
import io
import json
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tracked_inference.cloud.orphans.model import Gap, OrphanedResource, ScanReport

__all__ = ["as_csv", "as_json", "as_markdown", "cents", "dollars", "gap_line"]

_COLUMNS: tuple[str, ...] = (
    "resource_id",
    "resource_type",
    "account",
    "region",
    "team",
    "estimated_monthly_cost_usd",
    "age_days",
    "reason",
    "last_activity",
    "cost_basis",
)


def cents(usd: Decimal) -> Decimal:
    """Return a sum in whole cents; half a cent is rounded up."""
    return usd.quantize(Decimal("0.01"), ROUND_HALF_UP)


def dollars(usd: Decimal | None) -> str:
    """Return a sum as a person reads it; an unknown one is called so."""
    return "unknown" if usd is None else f"${cents(usd):,}"


def gap_line(gap: Gap) -> str:
    """Return a gap as one line."""
    return f"{gap.account or 'account unknown'} {gap.region} {gap.scan}: {gap.error}: {gap.message}"


def as_json(report: ScanReport) -> str:
    """Return the whole report; sums are strings, because they are exact."""
    document = {
        "started_at": report.started_at.isoformat(),
        "complete": not report.gaps,
        "accounts": list(report.accounts),
        "regions": list(report.regions),
        "prices_version": report.prices_version,
        "orphaned_resource_count": len(report.resources),
        "estimated_monthly_waste_usd": str(report.total_monthly_usd),
        "estimated_annual_waste_usd": str(report.total_monthly_usd * 12),
        "unknown_cost_count": report.unknown_cost_count,
        "by_team": {
            team: {"estimated_monthly_cost_usd": str(usd), "count": count}
            for team, (usd, count) in report.by_team().items()
        },
        "resources": [{**_row(resource), "tags": dict(resource.tags or {})} for resource in report.resources],
        "gaps": [
            {
                "account": gap.account,
                "region": gap.region,
                "scan": gap.scan,
                "error": gap.error,
                "message": gap.message,
            }
            for gap in report.gaps
        ],
    }
    return json.dumps(document, indent=2, ensure_ascii=False)


def as_csv(report: ScanReport) -> str:
    """Return the resources as CSV; an unknown cost is an empty field, and gaps are not in it."""
    text = io.StringIO()
    writer = csv.DictWriter(text, _COLUMNS, lineterminator="\n")
    writer.writeheader()
    for resource in report.resources:
        writer.writerow({key: _harmless(value) for key, value in _row(resource).items()})
    return text.getvalue()


def as_markdown(report: ScanReport) -> str:
    """Return the report for an issue or a chat."""
    lines = [f"## Orphaned resources: {_headline(report)}", ""]
    if report.gaps:
        lines += [f"**Incomplete: {len(report.gaps)} gaps.** What is there is unknown, not absent.", ""]
        lines += [f"- {_cell(gap_line(gap))}" for gap in report.gaps] + [""]
    if report.resources:
        lines += [
            "| per month | resource | kind | region | team | why |",
            "| ---: | --- | --- | --- | --- | --- |",
        ]
        for each in report.resources:
            cells = (
                dollars(each.monthly_cost_usd),
                f"`{each.resource_id}`",
                each.resource_type,
                each.region,
                each.team,
                each.reason,
            )
            lines.append("| " + " | ".join(_cell(cell) for cell in cells) + " |")
        lines += ["", "| team | per month | resources |", "| --- | ---: | ---: |"]
        for team, (usd, count) in report.by_team().items():
            lines.append(f"| {_cell(team)} | {dollars(usd)} | {count} |")
    return "\n".join(lines) + "\n"


def _headline(report: ScanReport) -> str:
    unknown = f", {report.unknown_cost_count} of unknown cost" if report.unknown_cost_count else ""
    monthly = report.total_monthly_usd
    return f"{len(report.resources)}, {dollars(monthly)} a month, {dollars(monthly * 12)} a year{unknown}"


def _row(resource: OrphanedResource) -> dict[str, str | int | None]:
    cost = resource.monthly_cost_usd
    return {
        "resource_id": resource.resource_id,
        "resource_type": resource.resource_type,
        "account": resource.account,
        "region": resource.region,
        "team": resource.team,
        "estimated_monthly_cost_usd": None if cost is None else str(cost),
        "age_days": resource.age_days,
        "reason": resource.reason,
        "last_activity": resource.last_activity,
        "cost_basis": resource.cost_basis,
    }


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _harmless(value: str | int | None) -> str | int | None:
    # A tag may hold "=cmd()", which a spreadsheet would run.
    return f"'{value}" if isinstance(value, str) and value[:1] in {"=", "+", "@", "-"} else value
