"""The reference page of the reporting commands says their options, all of them and no others."""

import re
from pathlib import Path

import pytest

pytest.importorskip("click", reason="the extra `cli` is not installed")


from tracked_inference.cli.export import focus
from tracked_inference.cli.reconcile import command as reconcile
from tracked_inference.cli.report import command as report
from tracked_inference.reporting.bill_metrics import BILL_METRICS
from tracked_inference.reporting.figures import DERIVED, FIGURES
from tracked_inference.reporting.query import DIMENSIONS

PAGE = (Path(__file__).parents[2] / "docs/reference/reports.md").read_text()


def section(title):
    return re.split(r"^## ", PAGE.split(f"\n## {title}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]


def first_cells(text):
    return re.findall(r"^\| `([^`]+)`", text, re.MULTILINE)


@pytest.mark.parametrize(
    ("title", "command"), [("report", report), ("reconcile", reconcile), ("export focus", focus)]
)
def test_the_page_lists_the_options(title, command):
    """Every option of a command has its row, in order."""
    options = [one.opts[0] for one in command.params if one.param_type_name == "option"]

    assert [cell for cell in first_cells(section(title)) if cell.startswith("-")] == options


def test_the_page_lists_dimensions_figures_and_gauges():
    """What can be grouped by, what is said of a group, and what reconcile writes for Prometheus."""
    assert first_cells(section("Dimensions")) == [*DIMENSIONS, "tag:NAME"]
    assert first_cells(section("Figures")) == [*FIGURES, *DERIVED]
    assert first_cells(section("Gauges")) == [one.name for one in BILL_METRICS]
