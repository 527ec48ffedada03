"""A report as JSON, CSV, Markdown and metrics."""

from __future__ import annotations

import csv
import io
import json
from decimal import Decimal

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.cloud.orphans.estate import NOW
from tracked_inference.cloud import OrphanedResource, ScanReport
from tracked_inference.cloud.orphans.model import Gap
from tracked_inference.cloud.orphans.output import as_csv, as_json, as_markdown, dollars
from tracked_inference.cloud.orphans.textfile import write_textfile

REPORT = ScanReport(
    resources=(
        OrphanedResource(
            "lb", "application_load_balancer", "eu-west-1", 18.396, 60, "idle", tags={"team": "search"}
        ),
        OrphanedResource("vol-1", "ebs_volume", "us-east-1", 8.0, 30, "a | b", tags={"team": "search"}),
        OrphanedResource("vol-2", "ebs_volume", "us-east-1", 0.4, 9, "loose", tags={"team": "search"}),
        OrphanedResource("vol-3", "ebs_volume", "xx-north-9", None, 9, "loose", tags={"team": "=1+1"}),
    ),
    gaps=(Gap("123456789012", "ap-southeast-2", "old-snapshots", "AccessDenied", "no"),),
    started_at=NOW,
    accounts=("123456789012",),
    regions=("eu-west-1", "us-east-1"),
    prices_version="2026-10-15",
)


def test_json_has_exact_sums_and_the_gaps():
    """18.396 + 8 + 0.4 = 26.796 a month, 321.552 a year; a report with gaps is not complete."""
    document = json.loads(as_json(REPORT))

    assert document["estimated_monthly_waste_usd"] == "26.796"
    assert document["estimated_annual_waste_usd"] == "321.552"
    assert (document["complete"], document["unknown_cost_count"]) == (False, 1)
    assert document["by_team"]["search"] == {"estimated_monthly_cost_usd": "26.796", "count": 3}
    assert document["resources"][3]["estimated_monthly_cost_usd"] is None
    assert document["gaps"][0]["error"] == "AccessDenied"


def test_csv_leaves_unknown_costs_empty_and_formulas_harmless():
    """A spreadsheet must not take an unknown cost for 0, nor run what stands in a tag."""
    rows = list(csv.DictReader(io.StringIO(as_csv(REPORT))))

    assert [row["estimated_monthly_cost_usd"] for row in rows] == ["18.396", "8.0", "0.4", ""]
    assert rows[3]["team"] == "'=1+1"


def test_markdown_begins_with_what_is_missing():
    """Sums, gaps, a row for each, subtotals by team; a bar inside a cell does not break the table."""
    text = as_markdown(REPORT)

    assert "4, $26.80 a month, $321.55 a year, 1 of unknown cost" in text
    assert text.index("Incomplete: 1 gaps") < text.index("| per month |")
    assert "a \\| b" in text
    assert "| unknown | `vol-3` |" in text
    assert "| search | $26.80 | 3 |" in text


def test_metrics_add_up_by_kind_team_and_region(tmp_path):
    """Costs of one kind, team and region are added; an unknown cost has no sample and is counted beside."""
    path = tmp_path / "orphans.prom"

    write_textfile(REPORT, path)

    samples = {
        (
            sample.name,
            *(sample.labels[name] for name in ("kind", "team", "region") if sample.labels),
        ): sample.value
        for family in text_string_to_metric_families(path.read_text())
        for sample in family.samples
    }
    cost = "cloud_orphaned_resource_monthly_cost_usd"
    assert samples[cost, "ebs_volume", "search", "us-east-1"] == 8.4
    assert samples[cost, "application_load_balancer", "search", "eu-west-1"] == 18.396
    assert (cost, "ebs_volume", "=1+1", "xx-north-9") not in samples
    assert samples["cloud_orphaned_resources_unpriced", "ebs_volume", "=1+1", "xx-north-9"] == 1
    assert samples["cloud_orphaned_resources", "ebs_volume", "search", "us-east-1"] == 2
    assert samples["cloud_orphan_scan_gaps",] == 1
    assert samples["cloud_orphan_scan_timestamp_seconds",] == NOW.timestamp()
    assert [entry.name for entry in tmp_path.iterdir()] == ["orphans.prom"]


@pytest.mark.parametrize(
    ("usd", "text"),
    [("16.425", "$16.43"), ("23.725", "$23.73"), ("0.004999", "$0.00"), ("12345.6", "$12,345.60")],
)
def test_half_a_cent_is_rounded_up(usd, text):
    """A load balancer at 0.0225 x 730 is the 16.43 dollars that everyone else shows."""
    assert dollars(Decimal(usd)) == text
