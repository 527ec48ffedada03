"""Reading genai-prices, the source that the bundled table is built from; a development-time concern."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

__all__ = [
    "Levels",
    "Rates",
    "carried_back",
    "exact_names",
    "filled",
    "levels_of",
    "older",
    "scaled",
    "seller_name",
    "windows_of",
]

_KEYS = {
    "input_mtok": "input",
    "output_mtok": "output",
    "cache_read_mtok": "cache_read",
    "cache_write_1h_mtok": "cache_write_1h",
    "input_audio_mtok": "input_audio",
    "cache_audio_read_mtok": "cache_read_audio",
    "output_audio_mtok": "output_audio",
    "input_image_mtok": "input_image",
    "cache_image_read_mtok": "cache_read_image",
    "output_image_mtok": "output_image",
    "audio_hours": "second",
    "input_audio_hours": "second",
    "input_mchars": "character",
}
_FEES = {"web_searches_kcount": "web_search", "storage_searches_kcount": "file_search"}
_TWELVE_HOURS = Decimal("2.5")
"""Rule 4: OpenAI's cache writes for 12 hours cost 2.5 times the input."""

Rates = dict[str, Decimal]
"""Rate by unit."""
Levels = tuple[Rates, dict[int, Rates]]
"""The rates, and those above each long-context threshold."""


def levels_of(prices: Any, maker: str) -> Levels:
    """The rates of one price object of genai-prices."""
    base: Rates = {}
    above: dict[int, Rates] = {}
    for key, value in vars(prices).items():
        if value is None or key in _FEES:
            continue
        unit = (
            ("cache_write_5m" if maker == "anthropic" else "cache_write_30m")
            if key == "cache_write_mtok"
            else _KEYS[key]
        )
        base[unit] = getattr(value, "base", value)
        for tier in getattr(value, "tiers", ()):
            above.setdefault(tier.start, {})[unit] = tier.price
    for rates in (base, *above.values()):
        if "cache_write_30m" in rates and "input" in rates:
            rates["cache_write_12h"] = rates["input"] * _TWELVE_HOURS
    return base, above


def exact_names(match: Any) -> tuple[list[str], list[str]]:
    """The names and anchored patterns of a match clause; prefixes and substrings are no names."""
    kind = type(match).__name__
    if kind == "ClauseOr":
        pairs = [exact_names(one) for one in match.or_]
        return [name for names, _ in pairs for name in names], [
            pattern for _, found in pairs for pattern in found
        ]
    if kind == "ClauseEquals":
        return [match.equals], []
    if kind == "ClauseRegex" and match.regex.startswith("^") and match.regex.endswith("$"):
        return [], [match.regex[1:-1]]
    return [], []


def windows_of(info: Any) -> list[tuple[str | None, str | None, Any]]:
    """The dated prices of a model, oldest first: from, to, price object."""
    if not isinstance(info.prices, list):
        return [(None, None, info.prices)]
    starts = [one.constraint.start_date.isoformat() if one.constraint else None for one in info.prices]
    return [
        (start, starts[at + 1] if at + 1 < len(starts) else None, one.prices)
        for at, (start, one) in enumerate(zip(starts, info.prices, strict=True))
    ]


def scaled(rates: Levels, factor: Decimal) -> Levels:
    base, above = rates
    return (
        {unit: rate * factor for unit, rate in base.items()},
        {limit: {unit: rate * factor for unit, rate in rates.items()} for limit, rates in above.items()},
    )


def filled(rates: Levels, base: Levels) -> Levels:
    """A variant's rates over the base's: what a variant does not name stays."""
    flat, above = rates
    limits = {
        limit: {**base[1].get(limit, {}), **flat, **above.get(limit, {})} for limit in {*base[1], *above}
    }
    return {**base[0], **flat}, limits


def carried_back(
    variant: Levels,
    latest: Levels,
    earlier: Levels,
) -> Levels:
    """What a variant's rates were while the base had other ones: the same multiple of the base."""

    def back(rate: Decimal, now: Decimal | None, then: Decimal | None) -> Decimal:
        return rate if not now or then is None else rate * then / now

    base = {unit: back(rate, latest[0].get(unit), earlier[0].get(unit)) for unit, rate in variant[0].items()}
    above = {
        limit: {
            unit: back(rate, latest[1].get(limit, {}).get(unit), earlier[1].get(limit, {}).get(unit))
            for unit, rate in rates.items()
        }
        for limit, rates in variant[1].items()
    }
    return base, above


def older(model: str) -> bool:
    """Before the 4.5 generation Bedrock sold at one price everywhere."""
    return model.startswith("claude-3") or model in {
        "claude-opus-4-0",
        "claude-sonnet-4-0",
        "claude-opus-4-1",
    }


def seller_name(source_id: str) -> tuple[str | None, str]:
    """Place and maker's name in an id such as `regional.anthropic.claude-opus-4-6-v1:0`."""
    match = re.fullmatch(
        r"(?:(global|regional)\.)?(?:(?:anthropic|openai)\.)?(.+?)(?:-v\d+(?::\d+)?|-\d+:\d+)?", source_id
    )
    assert match is not None
    place = match[1]
    if place is None and source_id.startswith("openai.gpt-5."):
        place = "regional"
    return place, match[2]
