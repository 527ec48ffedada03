"""
genai-prices as an oracle, where it is right.

Its model is matched by name and its rates multiplied by its own code; each case where we differ is listed with its reason.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

from tracked_inference.pricing import PriceTable, build
from tracked_inference.usage import Pass, Usage

genai = pytest.importorskip(
    "genai_prices", reason="genai-prices (dependency group `prices`) is not installed"
)
genai_data = pytest.importorskip("genai_prices.data")

TABLE = PriceTable.bundled()
NAMES = json.loads((Path(build.__file__).parent / "data" / "prices.json").read_bytes())["models"]
DAYS = (
    datetime(2025, 6, 1, tzinfo=UTC),
    datetime(2026, 3, 1, tzinfo=UTC),
    datetime(2026, 11, 23, tzinfo=UTC),
)
SHAPES: tuple[dict[str, int], ...] = (
    {"input": 1000, "output": 500},
    {"input": 400, "cache_read": 600, "output": 500},
    {"input": 150_000, "cache_read": 130_000, "output": 2000},
    {"input": 100, "cache_write": 900, "cache_read": 50, "output": 10},
)
ON_PURPOSE = {
    # (model, kind of tokens): why
    ("o3", "cache_read"): "before 2025-06-10 cached input cost 2.50, and it has the later 0.50 (rule 36)",
    ("ft:gpt-4o", "cache_read"): "it has no cached rate and bills it as input; OpenAI's list has 1.875",
    ("ft:gpt-4o-mini", "cache_read"): "likewise; OpenAI's list has 0.15",
    ("gpt-4o-mini-tts", "output"): "its output is audio, and so is ours: text of it has no price",
    ("gpt-image-1", "output"): "its output is pictures, likewise",
    ("gpt-image-1-mini", "output"): "likewise",
    ("gpt-image-2", "output"): "likewise",
    ("gpt-image-2.5-flare", "output"): "likewise",
    ("gpt-image-2.5-sunburst", "output"): "likewise",
}


def theirs(provider: str, model: str, counts: dict[str, int], at: datetime) -> Decimal | None:
    """What genai-prices makes of the same counts: its input includes the cached and the written."""
    usage = genai.Usage(
        input_tokens=sum(quantity for unit, quantity in counts.items() if unit != "output"),
        cache_read_tokens=counts.get("cache_read", 0),
        cache_write_tokens=counts.get("cache_write", 0),
        output_tokens=counts.get("output", 0),
    )
    try:
        return genai.calc_price(usage, model, provider_id=provider, genai_request_timestamp=at).total_price
    except LookupError:
        return None


def ours(provider: str, model: str, counts: dict[str, int], at: datetime) -> tuple[Decimal | None, str]:
    written = "cache_write_5m" if provider == "anthropic" else "cache_write_30m"
    named = {written if unit == "cache_write" else unit: quantity for unit, quantity in counts.items()}
    cost = TABLE.price(Usage((Pass(named),)), provider=provider, model=model, at=at)
    return cost.total_usd, cost.status


def cases() -> list[Any]:
    return [
        pytest.param(provider.id, info.id, id=f"{provider.id}-{info.id}")
        for provider in genai_data.providers
        if provider.id in ("anthropic", "openai")
        for info in provider.models
    ]


@pytest.mark.parametrize(("provider", "source_id"), cases())
def test_token_prices_agree_with_genai_prices(provider, source_id):
    """Every model, plain, cached, written and long, on three days: the same dollars, or a listed reason."""
    compared = 0
    for model in names_of(provider, source_id):
        for at in DAYS:
            for counts in SHAPES:
                expected = theirs(provider, model, counts, at)
                total, status = ours(provider, model, counts, at)
                canonical = TABLE.canonical(provider, model)
                if any((canonical, unit) in ON_PURPOSE for unit in counts) or expected is None:
                    continue
                if status in ("partial", "unpriced", "free"):
                    # Units that the source prices as nothing: silent zeros there, named here.
                    assert total is None or total <= expected
                    continue
                assert total == expected, (model, at, counts)
                compared += 1

    assert compared or source_id in NOT_SOLD_BY_THE_TOKEN


NOT_SOLD_BY_THE_TOKEN = {
    "gpt-live-1",
    "gpt-live-transcribe",
    "gpt-realtime-translate",
    "gpt-realtime-whisper",
    "gpt-transcribe",
    "moderation",
    "tts-1",
    "tts-1-hd",
    "whisper-1",
    "gpt-4o-mini-tts",
    "gpt-image-1",
    "gpt-image-1-mini",
    "gpt-image-2",
    "gpt-image-2.5-flare",
    "gpt-image-2.5-sunburst",
    "text-embedding-3-large",
    "text-embedding-3-small",
    "text-embedding-ada-002",
}


MODES: tuple[tuple[dict[str, str], dict[str, Any]], ...] = (
    ({"service_tier": "flex"}, {"service_tier": "flex"}),
    ({"service_tier": "priority"}, {"service_tier": "priority"}),
    ({"service_tier": "fast"}, {"service_tier": "fast"}),
    ({"processing": "batch"}, {"batch": True}),
    ({"speed": "fast"}, {"speed": "fast"}),
)


@pytest.mark.parametrize(("context", "mode"), MODES, ids=[str(context) for context, _ in MODES])
def test_tiers_agree_with_genai_prices(context, mode):
    """Every model that it has a rate of a tier, speed or batch for: the same dollars."""
    compared = 0
    for provider in genai_data.providers:
        if provider.id not in ("anthropic", "openai"):
            continue
        for info in provider.models:
            if not any(variant.when == context for variant in info.price_variants or ()):
                continue
            for model in names_of(provider.id, info.id):
                if any((TABLE.canonical(provider.id, model), unit) in ON_PURPOSE for unit in ("output",)):
                    continue
                for counts in SHAPES[:3]:
                    usage = genai.Usage(
                        input_tokens=counts["input"] + counts.get("cache_read", 0),
                        cache_read_tokens=counts.get("cache_read", 0),
                        output_tokens=counts["output"],
                    )
                    expected = genai.calc_price(
                        usage,
                        model,
                        provider_id=provider.id,
                        genai_request_timestamp=DAYS[-1],
                        price_context=context,
                    ).total_price
                    mine = TABLE.price(
                        Usage((Pass(counts),), **mode), provider=provider.id, model=model, at=DAYS[-1]
                    )
                    if mine.status == "partial":
                        continue
                    if "batch_factor" in mine.reasons:
                        # Cached input of models whose batch rates name none: there at the standard rate, here at half (rule 16).
                        assert counts.get("cache_read") and mine.total_usd < expected, (model, counts)
                        continue
                    assert mine.total_usd == expected, (model, counts)
                    compared += 1

    assert compared > 10


@lru_cache
def known_names(provider: str) -> dict[str, list[str]]:
    """Our names by the id of the model that the source takes them for."""
    maker = next(one for one in genai_data.providers if one.id == provider)
    listed = [
        name for one in NAMES if one["provider"] == provider for name in (one["model"], *one["aliases"])
    ]
    found: dict[str, list[str]] = {}
    for name in (*listed, "gpt-4o-mini-2024-07-18.ft-0123456789abcdef0123456789abcdef"):
        info = maker.find_model(name)
        if info is not None:
            found.setdefault(info.id, []).append(name)
    return found


def names_of(provider: str, source_id: str) -> list[str]:
    return known_names(provider).get(source_id, [])[:3]


@pytest.mark.parametrize(
    ("what", "genai_usd", "our_usd", "why"),
    [
        (
            "search fees",
            "0.0005",
            "0.0105",
            "it lists the fee of a search and leaves counting it to the caller (rule 27)",
        ),
        (
            "unknown tier",
            "0.002",
            None,
            "it takes an unknown tier at the standard price without a word (rule 17)",
        ),
        (
            "unknown model",
            None,
            None,
            "an unlisted snapshot of a family it matches by prefix is priced there (names)",
        ),
        ("audio of a preview model", "0.0025", "0.04", "it bills the audio of *-audio-preview as text"),
        (
            "audio of a transcription",
            "0.006",
            "0.0025",
            "it has the audio rate that OpenAI's page of the model named until 2026-05",
        ),
        (
            "summed passes",
            "5.7",
            "2.85",
            "it tests the sum of a server-tool loop against the threshold (rule 38)",
        ),
    ],
)
def test_where_we_differ_on_purpose(what, genai_usd, our_usd, why):
    """Each difference is one that can be shown."""
    at = DAYS[-1]
    if what == "search fees":
        body = genai.calc_price(genai.Usage(input_tokens=250), "gpt-6-sol", provider_id="openai").total_price
        mine = TABLE.price(
            Usage((Pass({"input": 250, "web_search": 1}),)), provider="openai", model="gpt-6-sol", at=at
        ).total_usd
    elif what == "unknown tier":
        body = genai.calc_price(
            genai.Usage(input_tokens=1000),
            "gpt-6-sol",
            provider_id="openai",
            price_context={"service_tier": "scale"},
        ).total_price
        cost = TABLE.price(
            Usage((Pass({"input": 1000}),), service_tier="scale"), provider="openai", model="gpt-6-sol", at=at
        )
        assert (cost.total_usd, cost.status) == (Decimal("0.002"), "partial")
        assert body == Decimal(genai_usd)
        return
    elif what == "unknown model":
        assert theirs("anthropic", "claude-opus-4-55", {"input": 1000}, at) is not None
        assert ours("anthropic", "claude-opus-4-55", {"input": 1000}, at) == (None, "unpriced")
        return
    elif what.startswith("audio of a "):
        model = "gpt-4o-transcribe" if what.endswith("transcription") else "gpt-4o-audio-preview"
        body = genai.calc_price(
            genai.Usage(input_tokens=1000, input_audio_tokens=1000), model, provider_id="openai"
        ).total_price
        mine = TABLE.price(
            Usage((Pass({"input_audio": 1000}),)), provider="openai", model=model, at=at
        ).total_usd
    else:
        counts = {"input": 950_000}
        body = theirs("anthropic", "claude-sonnet-4-5", counts, at)
        mine = TABLE.price(
            Usage((Pass(counts),), notes=("summed_passes",)),
            provider="anthropic",
            model="claude-sonnet-4-5",
            at=at,
        ).total_usd

    assert (body, mine) == (Decimal(genai_usd), Decimal(our_usd)), why
