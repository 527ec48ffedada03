"""The pages on prices say what the code does."""

from __future__ import annotations

import ast
import json
import re
import tomllib
from pathlib import Path

import pytest

from tracked_inference.pricing import PriceTable
from tracked_inference.pricing.engine import _NOTE_STATUS
from tracked_inference.pricing.overlay import read_overlay
from tracked_inference.pricing.reasons import REASONS, meaning
from tracked_inference.usage import NOTES

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PACKAGE = ROOT / "tracked_inference"
ROOMS = ("", "tracking/", "pricing/", "vendors/")


def test_every_reason_is_in_the_reference():
    """The table of reasons has each reason that the code can give, and no other."""
    page = (DOCS / "explanation" / "pricing-accuracy.md").read_text()
    section = page.partition("## Reasons")[2].partition("\n## ")[0]

    assert set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)) == set(REASONS)


def test_every_reason_of_the_code_has_a_meaning():
    """Each reason that stands in the code as text is explained."""
    given = {
        word
        for room in ROOMS
        for file in PACKAGE.glob(f"{room}*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        for word in reasons_given(node)
    }

    assert {"service_tier", "naive_time", "assumed_ttl", "code_execution", "unknown_field"} <= given
    assert {"stream_cut", "cancelled", "timeout", "attempt_timed_out", "price_error"} <= given
    assert {"not_billed", "failed_video", "moderations", "local", "no_usage", "unpriced_unit"} <= given
    assert given - {"response_"} <= set(REASONS)  # `response_failed`, written as an f-string
    assert all(meaning(reason) for reason in REASONS)


def test_every_reason_of_the_table_has_a_meaning():
    """What the table assumes of its rates and sellers is explained too."""
    table = json.loads((PACKAGE / "pricing" / "data" / "prices.json").read_bytes())
    given = {reason for row in table["rows"] for reason in row.get("assumed", {}).values()}
    for seller in table["sellers"].values():
        given |= {seller.get("assumed"), seller.get("fallback_assumed")} - {None}
        given |= set(seller.get("assumed_for", {}).values())

    assert {"tier_history", "unverified_rate", "deployment_type", "seller_rates"} <= given
    assert given <= set(REASONS)


def reasons_given(node: ast.AST) -> set[str]:
    """The reasons that stand in one place of the code, without what follows a colon."""
    if isinstance(node, ast.Tuple) and len(node.elts) == 2:
        first, second = node.elts
        if isinstance(second, ast.Constant) and second.value in STATUSES:
            return words(first) - STATUSES
    if isinstance(node, ast.keyword) and node.arg in ("free", "assumed", "reason", "reasons"):
        return words(node.value)
    if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") in ("reason", "why"):
        return words(node.value)
    if isinstance(node, ast.FunctionDef) and node.name == "_lost":
        returned = [one.value for one in ast.walk(node) if isinstance(one, ast.Return) and one.value]
        return {word for one in returned for word in words(one)}
    if isinstance(node, ast.Call):
        name = getattr(node.func, "id", getattr(node.func, "attr", ""))
        if name in ("append", "_once") and any(getattr(one, "id", "") == "notes" for one in ast.walk(node)):
            return words(node.args[0])
        if name in ("no_price", "free_of_charge"):
            return words(node.args[0 if name == "free_of_charge" else 2])
    return set()


def words(node: ast.AST) -> set[str]:
    """What a text, the beginning of an f-string, a tuple or either side of a choice says."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        word = node.value.partition(":")[0]
        return {word} if word.isidentifier() else set()
    parts: list[ast.expr] = []
    if isinstance(node, ast.JoinedStr):
        parts = node.values[:1]
    elif isinstance(node, ast.IfExp):
        parts = [node.body, node.orelse]
    elif isinstance(node, ast.Tuple):
        parts = node.elts
    elif isinstance(node, ast.BoolOp):
        parts = node.values
    return {word for part in parts for word in words(part)}


STATUSES = {"exact", "estimated", "partial", "lower_bound", "upper_bound", "inconsistent"}


def test_every_note_of_a_reading_has_a_status():
    """No note is read without an effect."""
    assert set(_NOTE_STATUS) | {"summed_passes"} == set(NOTES)


def test_every_rule_stands_in_the_rules_page_and_in_a_test():
    """Rules 1 to 43 are written down; those that pricing decides have a test by their number."""
    page = (DOCS / "explanation" / "pricing-rules.md").read_text()
    tests = (Path(__file__).with_name("test_rules.py")).read_text()
    elsewhere = {10, 11, 12, 15, 35, 40}  # streams, attempts and the corpus: tested where they are

    assert [int(number) for number in re.findall(r"^(\d+)\. ", page, re.MULTILINE)] == list(range(1, 44))
    assert {int(number) for number in re.findall(r"def test_(\d\d)_", tests)} == set(range(1, 44)) - elsewhere


@pytest.mark.parametrize("at", range(2))
def test_the_overlays_of_the_guide_are_good(at, tmp_path):
    """Every TOML block of the guide can be used as it stands."""
    blocks = re.findall(r"```toml\n(.*?)```", (DOCS / "howto" / "prices.md").read_text(), re.DOTALL)
    file = tmp_path / "prices.toml"
    file.write_text(blocks[at])

    assert tomllib.loads(blocks[at])
    assert read_overlay(file).rows
    assert PriceTable.bundled().with_overlay(file).layers
    assert len(blocks) == 2


def test_the_python_of_the_guide_runs():
    """The example in code gives a table that knows the model."""
    (block,) = re.findall(r"```python\n(.*?)```", (DOCS / "howto" / "prices.md").read_text(), re.DOTALL)
    names: dict = {}
    exec(compile(block, "prices.md", "exec"), names)

    assert names["prices"].knows("openai", "gpt-7", names["prices"].recorded_at)
