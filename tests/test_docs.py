"""What the reference pages say is what the code does."""

import re
from pathlib import Path

import pytest

from tracked_inference.record import CallRecord, InferenceResult
from tracked_inference.sinks.catalogue import METRICS

DOCS = Path(__file__).parent.parent / "docs"


def rows(page):
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in (DOCS / page).read_text().splitlines()
        if line.startswith("| `")
    ]


def test_the_metrics_page_is_the_catalogue():
    """Name, type, labels and help of every metric stand on the page, and no other metric does."""
    told = [row for row in rows("reference/metrics.md") if row[0].startswith("`ai_inference_")]

    assert told == [
        [f"`{one.name}`", one.kind, ", ".join(f"`{label}`" for label in one.labels), one.help]
        for one in METRICS
    ]


def test_the_record_page_names_every_attribute():
    """Every attribute of a record and of what `complete()` answers has its row."""
    told = [name for row in rows("reference/record.md") for name in re.findall(r"`(\w+)`", row[0])]
    record, result = set(CallRecord.__dataclass_fields__), set(InferenceResult.__dataclass_fields__)

    assert (set(told[: len(record)]), set(told[len(record) :])) == (record, result)


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")), ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    """A relative link of a page names a file that is there."""
    text = page.read_text()
    targets = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", text)

    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_the_index_lists_every_page():
    """A page that nothing links to is not read."""
    index = (DOCS / "README.md").read_text()
    pages = [page for room in ("howto", "reference", "explanation") for page in (DOCS / room).glob("*.md")]

    assert [page.name for page in pages if f"({page.relative_to(DOCS).as_posix()})" not in index] == []
