"""The page of a report: self-contained, and right in a real browser."""

from __future__ import annotations

import re
import shutil
import subprocess
from html.parser import HTMLParser

import pytest

pytest.importorskip("duckdb", reason="the extra `report` is not installed")
pytest.importorskip("click", reason="the extra `cli` is not installed")


from tests.reporting.month import START, month
from tests.sinks.test_ledger_line import a_record
from tracked_inference.reporting.html import to_html
from tracked_inference.reporting.ledger_report import ledger_report
from tracked_inference.reporting.periods import Period, period_of
from tracked_inference.sinks.ledger import LedgerSink

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
WEEK = Period(START, START.replace(day=8))


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    directory = tmp_path_factory.mktemp("ledger")
    sink = LedgerSink(directory)
    for record in month(3000):
        sink(record)
    return to_html(ledger_report([directory], WEEK, ("day", "feature"), compare=False, limit=5))


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.found, self.open = [], []

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def parsed(text):
    tags = Tags()
    tags.feed(text)
    assert tags.open == []
    return tags.found


def test_the_page_needs_nothing_else(page):
    """No script, no address, no request: one file that may be mailed."""
    found = parsed(page)

    assert {tag for tag, _ in found}.isdisjoint({"script", "link", "img", "iframe", "object", "embed"})
    assert "http" not in re.sub(r"http-equiv", "", page)
    assert not any({"src", "href", "onload", "onclick"} & set(attributes) for _, attributes in found)


def test_the_charts_show_all_rows_although_the_table_shows_few(page):
    """Twelve features are twelve bars and seven days seven columns, whatever the table was limited to."""
    found = parsed(page)
    columns = {
        attributes["x"] for tag, attributes in found if tag == "rect" and attributes.get("class") == "column"
    }

    assert sum(tag == "rect" and attributes.get("class") == "bar" for tag, attributes in found) == 12
    assert len(columns) == 7
    assert "rows more" in page


def test_what_users_and_tags_say_is_text_and_no_markup(tmp_path):
    """A user id with markup is shown and not obeyed."""
    LedgerSink(tmp_path)(a_record(user='<script>alert("x")</script>'))

    text = to_html(ledger_report([tmp_path], period_of("2026-11-22", "2026-11-22"), ("user",)))

    assert "<script" not in text
    assert "&lt;script&gt;" in text


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here: apt-get install chromium")
def test_a_real_browser_draws_it(page, tmp_path):
    """Headless Chromium loads the page without a complaint, keeps every bar, and paints in more than two colours."""
    (tmp_path / "report.html").write_text(page)
    base = [
        CHROMIUM,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--no-first-run",
        "--enable-logging=stderr",
        "--v=0",
        f"--user-data-dir={tmp_path / 'profile'}",
    ]
    target = (tmp_path / "report.html").as_uri()

    dumped = subprocess.run(
        [*base, "--dump-dom", target], capture_output=True, text=True, timeout=120, check=True
    )
    subprocess.run(
        [*base, f"--screenshot={tmp_path / 'page.png'}", "--window-size=1000,1400", target],
        capture_output=True,
        timeout=120,
        check=True,
    )

    assert "CONSOLE" not in dumped.stderr
    assert dumped.stdout.count('class="bar"') == 12
    assert "What AI inference cost" in dumped.stdout
    assert (tmp_path / "page.png").stat().st_size > 20_000
