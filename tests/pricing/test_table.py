"""What the table says of itself, of sellers and of models."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal as D

import pytest

from tests.pricing.calls import NOON, chat, gpt
from tracked_inference.pricing import PriceTable, lookup

TABLE = PriceTable.bundled()


@pytest.mark.parametrize(
    ("base_url", "provider", "region"),
    [
        ("https://api.openai.com/v1/", "openai", None),
        ("https://us.api.openai.com/v1", "openai", "us"),
        ("https://eu.api.openai.com/v1", "openai", "eu"),
        ("https://api.anthropic.com", "anthropic", None),
        ("https://mine.openai.azure.com/openai/", "azure", None),
        ("https://mine.services.ai.azure.com/anthropic", "foundry", None),
        ("https://bedrock-runtime.eu-west-1.amazonaws.com", "bedrock", None),
        ("https://us-east5-aiplatform.googleapis.com/v1", "vertex", "us-east5"),
        ("https://aiplatform.googleapis.com/v1", "vertex", "global"),
        ("https://openrouter.ai/api/v1", "openrouter", None),
        ("https://api.x.ai/v1", "xai", None),
        ("HTTPS://API.OPENAI.COM:443/v1", "openai", None),
        ("http://localhost:11434/v1", None, None),
        ("https://api.openai.com.evil.example/v1", None, None),
        ("https://evil.example/api.openai.com", None, None),
        ("https://xapi.openai.com/v1", None, None),
        ("", None, None),
        (None, None, None),
    ],
)
def test_a_host_has_a_seller_or_none(base_url, provider, region):
    """Known hosts are matched whole; what looks like one is unknown."""
    assert (TABLE.provider_for(base_url), TABLE.region_for(base_url)) == (provider, region)


@pytest.mark.parametrize(
    ("provider", "model", "label"),
    [
        ("anthropic", "claude-sonnet-4-5-20250929", "claude-sonnet-4-5"),
        ("openai", "gpt-4o-2024-08-06", "gpt-4o"),
        ("openai", "gpt-5-codex", "gpt-5-codex"),
        ("openai", "gpt-next", "gpt-next"),
        ("azure", "gpt-35-turbo", "azure/gpt-3.5-turbo"),
        ("bedrock", "us.anthropic.claude-opus-4-8", "bedrock/claude-opus-4-8"),
        ("vertex", "claude-sonnet-4-5@20250929", "vertex/claude-sonnet-4-5"),
        ("local", "llama", "local/llama"),
        ("openai", "ft:gpt-4o-2024-08-06:acme::1", "ft:gpt-4o"),
        ("openai", "x" * 1000, "x" * 200),
        ("openai", None, "unknown"),
    ],
)
def test_a_label_is_the_tables_name(provider, model, label):
    """The canonical id, the seller before it where that is not the maker, and no organisation."""
    assert TABLE.canonical(provider, model) == label


def test_rates_are_dollars_for_one():
    """What the gauge and the estimator read: net dollars by unit, and nothing for what has no price."""
    rates = TABLE.rates("openai", "gpt-6-sol", NOON)

    assert (rates["input"], rates["output"]) == (D("0.000002"), D("0.00001"))
    assert rates["web_search"] == D("0.01")
    assert TABLE.rates("openai", "gpt-next", NOON) == {}
    assert TABLE.rates("local", "llama", NOON) == {}
    assert TABLE.knows("local", "llama", NOON)


def test_the_day_is_that_of_the_instant():
    """A price change is at midnight UTC, wherever the caller's clock is."""
    tokyo = timezone(timedelta(hours=9))
    before = datetime(2025, 6, 10, 8, 59, tzinfo=tokyo)
    after = datetime(2025, 6, 10, 9, 0, tzinfo=tokyo)

    assert gpt("o3", chat(1000, 0), at=before).total_usd == D("0.01")
    assert gpt("o3", chat(1000, 0), at=after).total_usd == D("0.002")


def test_unknown_names_do_not_fill_the_memory(monkeypatch):
    """A flood of made-up names and tiers leaves a bounded number of plans."""
    monkeypatch.setattr(lookup, "_MOST_PLANS", 50)
    table = PriceTable.bundled().with_overlay({})

    for number in range(120):
        gpt(f"gpt-{number}", chat(1, 1), table=table)
        gpt("gpt-4o", chat(1, 1), service_tier=f"tier-{number}", table=table)

    assert len(table._lookup._plans) <= 50


def test_importing_opens_no_table_and_no_sdk():
    """The table is read at its first use, and neither the SDKs nor the source are ever imported."""
    code = (
        "import sys, builtins, io\n"
        "from tracked_inference.pricing import PriceTable\n"
        "import tracked_inference.vendors.anthropic_usage, tracked_inference.vendors.openai_usage\n"
        "from tracked_inference.pricing.table import _bundled\n"
        "assert _bundled.cache_info().currsize == 0\n"
        "PriceTable.bundled()\n"
        "bad = {'anthropic', 'openai', 'genai_prices', 'pydantic', 'click', 'rich'} & set(sys.modules)\n"
        "assert not bad, bad\n"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr


def test_the_clock_is_an_argument():
    """Nothing here asks what time it is: the same call has the same price today and in a year."""
    usage = chat(1000, 1000)

    assert gpt("gpt-4o", usage, at=NOON) == gpt("gpt-4o", usage, at=datetime(2027, 11, 23, tzinfo=UTC))
