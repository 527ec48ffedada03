"""What the reference page of the cloud parts says is what the code does."""

from __future__ import annotations

import json
import re
from pathlib import Path

from tests.cloud.orphans.estate import NOW
from tracked_inference.cloud import OrphanedResource, PriceBook, ScanReport, TagStandard
from tracked_inference.cloud.check import check_resources, read_resources
from tracked_inference.cloud.check.cloudformation import taggable_types
from tracked_inference.cloud.orphans.detectors import DETECTORS
from tracked_inference.cloud.orphans.engine import ENGINE_ACTIONS
from tracked_inference.cloud.orphans.iam import declared_actions, iam_policy
from tracked_inference.cloud.orphans.textfile import write_textfile
from tracked_inference.cloud.policies import POLICY_FORMATS

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "reference" / "cloud.md").read_text()
HOWTO = (DOCS / "howto" / "tags.md").read_text()
SCANNING = (DOCS / "howto" / "orphans.md").read_text()


def section(title):
    return PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def rows(text):
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in text.splitlines()
        if line.startswith("| `")
    ]


def test_the_words_are_the_standard():
    """Every key stands on the page, in order, required or not."""
    standard = TagStandard()

    assert [(row[0].strip("`"), row[1] == "yes") for row in rows(section("The words"))] == [
        (key, key in standard.required) for key in standard.keys
    ]


def test_every_detector_stands_with_its_actions():
    """Names and actions are those the detectors declare."""
    told = {row[0].strip("`"): set(re.findall(r"`([^`]+)`", row[2])) for row in rows(section("Detectors"))}

    assert told == {each.name: set(each.actions) for each in DETECTORS}
    assert all(f"`{action}`" in section("Detectors") for action in ENGINE_ACTIONS)


def test_every_metric_stands_on_the_page(tmp_path):
    """The metrics of a report are those of the page, with their labels."""
    resources = (
        OrphanedResource("a", "ebs_volume", "r", 1.0, 1, "x"),
        OrphanedResource("b", "ebs_volume", "r", None, 1, "x"),
    )
    write_textfile(ScanReport(resources, (), NOW), tmp_path / "x.prom")
    written = {
        line.partition(" ")[0].partition("{")[0]: set(re.findall(r"(\w+)=", line))
        for line in (tmp_path / "x.prom").read_text().splitlines()
        if not line.startswith("#")
    }

    assert written == {
        row[0].strip("`"): set(re.findall(r"`(\w+)`", row[1])) for row in rows(section("Metrics"))
    }


def test_the_price_file_of_the_page_can_be_used(tmp_path):
    """The example is a price file, with every rate there is."""
    example = re.search(r"```json\n(.*?)```", section("Prices"), re.DOTALL)[1]
    (tmp_path / "prices.json").write_text(example)

    book = PriceBook.bundled().with_file(tmp_path / "prices.json")

    given = json.loads(example)["regions"]["eu-west-1"]
    assert {**book.as_document(["eu-west-1"])["regions"]["eu-west-1"]}.keys() == given.keys()
    assert str(book.rate("eu-west-1", "ebs_gib_month", "gp3")) == "0.07"


def test_figures_of_the_page_are_those_of_the_data():
    """Counts and dates on the page are counted from the files."""
    from tracked_inference.cloud.orphans.prices import _bundled_instances

    book = PriceBook.bundled()
    agreed = sum(
        name in {"ebs_gib_month", "ebs_iops_month", "gp3_throughput_mibps_month"}
        or (name, kind) in {("snapshot_gib_month", "standard"), ("load_balancer_hour", "application")}
        for region, name, kind in book._rates
    )

    assert f"{len(taggable_types()):,} types" in PAGE
    assert f"{agreed + len(_bundled_instances()):,} figures" in PAGE
    assert book.version in PAGE


def test_the_lambda_may_do_what_the_scan_needs(tmp_path):
    """The policy of the template is the generated one, and the template keeps our own standard."""
    import yaml

    text = next(
        block for block in re.findall(r"```yaml\n(.*?)```", SCANNING, re.DOTALL) if "Handler" in block
    )
    (tmp_path / "template.yaml").write_text(text)
    properties = yaml.safe_load(text)["Resources"]["Scan"]["Properties"]

    (statement,) = properties["Policies"][0]["Statement"]
    (generated,) = json.loads(iam_policy(declared_actions()))["Statement"]
    assert {**statement, "Sid": generated["Sid"]} == generated
    assert check_resources(read_resources(tmp_path / "template.yaml"), today=NOW.date()).findings == ()


def test_every_policy_format_stands_in_the_howto():
    """The table of formats is the list of formats."""
    assert [row[0].strip("`") for row in rows(HOWTO)] == list(POLICY_FORMATS)
