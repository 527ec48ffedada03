"""The examples of the how-to pages give what the pages say."""

import doctest
import re
from pathlib import Path

import pytest

from tests.planning.tables import AT, bundled
from tracked_inference.planning.estimate_file import EstimateFile
from tracked_inference.registry import FeatureRegistry

DOCS = Path(__file__).parents[2] / "docs"


def blocks(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```", (DOCS / page).read_text(), re.MULTILINE | re.DOTALL)


def test_the_sessions_of_the_estimates_page(monkeypatch):
    """Every line, in order, as one session."""
    monkeypatch.delenv("TRACKED_INFERENCE_PRICES", raising=False)
    text = "\n".join(blocks("howto/estimates.md", "python"))
    session = doctest.DocTestParser().get_doctest(text, {}, "estimates.md", "estimates.md", 0)

    failed, tried = doctest.DocTestRunner().run(session)

    assert (failed, tried > 8) == (0, True)


def test_the_estimate_file_of_the_page(tmp_path):
    """It is whole, and has a price."""
    path = tmp_path / "estimate.toml"
    path.write_text(blocks("howto/estimates.md", "toml")[0])

    assert EstimateFile.load(path).scenario().estimate(bundled(), AT).per_month_usd.expected > 0


@pytest.mark.parametrize("page", ["reference/registry.md", "howto/budgets.md"])
def test_the_registry_files_of_the_pages(tmp_path, page):
    """They have no problems, and say what their pages say."""
    path = tmp_path / "tracked-inference.toml"
    path.write_text(blocks(page, "toml")[0])

    registry = FeatureRegistry.load(path)

    assert registry.features["document_summarisation"].guarded
    assert registry.prometheus.url == "http://prometheus:9090"
