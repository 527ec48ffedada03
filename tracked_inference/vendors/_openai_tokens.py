"""OpenAI's token counters as a partition: totals that include their parts become parts that do not overlap."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tracked_inference.vendors._shapes import count, fields, money, unknown_counters

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["gateway_cost", "token_counts"]

_KNOWN = frozenset(
    {
        "completion_tokens",
        "completion_tokens_details",
        "input_token_details",
        "input_tokens",
        "input_tokens_details",
        "output_tokens",
        "output_tokens_details",
        "prompt_tokens",
        "prompt_tokens_details",
        "total_tokens",
        "type",
        # The same facts in the words of those who speak OpenAI's format: DeepSeek, Moonshot, Mistral, LiteLLM, Azure, xAI.
        "audio_prompt_tokens",
        "cache_creation",
        "cache_creation_input_tokens",
        "cache_read_input_tokens",
        "cached_tokens",
        "context_details",
        "num_cached_tokens",
        "prompt_cache_hit_tokens",
        "prompt_cache_miss_tokens",
        "prompt_token_details",
        "reasoning_tokens",
        # Not billed by count, or billed by the gateway that prints it together with its cost.
        "cost",
        "draft_tokens",
        "is_byok",
        "num_server_side_tools_used",
        "num_sources_used",
        "request_count",
        "search_context_size",
        "server_side_tool_usage_details",
        "server_tool_use",
        "server_tool_use_details",
        "speed",
    }
)
_KNOWN_INPUT_DETAILS = frozenset(
    {
        "audio_tokens",
        "cache_write_tokens",
        "cache_write_tokens_details",
        "cached_tokens",
        "cached_tokens_details",
        "image_tokens",
        "text_tokens",
    }
)
_KNOWN_OUTPUT_DETAILS = frozenset(
    # Reasoning and predictions, accepted or rejected, are inside the output (rule 6).
    {
        "accepted_prediction_tokens",
        "audio_tokens",
        "image_tokens",
        "reasoning_tokens",
        "rejected_prediction_tokens",
        "text_tokens",
    }
)
_KNOWN_WRITES = frozenset({"ttl_30m_tokens", "ttl_12h_tokens"})
_TICK = Decimal("1E-10")


def gateway_cost(usage: Mapping[str, Any]) -> Decimal | None:
    """
    The cost that a gateway printed into the usage itself, in US dollars (rules 32 and 41); None where it did not.

    OpenRouter and Vercel: `cost`; Perplexity: `cost.total_cost`; xAI: `cost_in_usd_ticks`, ten thousand million to the dollar.
    With a key of the user's own at OpenRouter (`is_byok`), `cost` is OpenRouter's fee and the vendor's bill comes on top.
    """
    cost = usage.get("cost")
    if cost is None:
        ticks = money(usage.get("cost_in_usd_ticks"))
        return None if ticks is None else ticks * _TICK
    amount = money(cost if isinstance(cost, (int, float, str, Decimal)) else fields(cost).get("total_cost"))
    if amount is not None and usage.get("is_byok") is True:
        upstream = money(fields(usage.get("cost_details")).get("upstream_inference_cost"))
        return amount + upstream if upstream is not None else amount
    return amount


def token_counts(
    usage: Mapping[str, Any], notes: list[str], *, outputs: bool = True, pictures: bool = False
) -> tuple[dict[str, int], int] | None:
    """
    The disjoint counts of one usage object, and the reasoning tokens among the output; None where it counts nothing.

    Args:
        usage: `usage` of any operation: `prompt_tokens`/`completion_tokens` or `input_tokens`/`output_tokens`.
        notes: Takes what the engine must know.
        outputs: The operation has an output, so that its counter is missed where it is absent (rule 8).
        pictures: The output is pictures where the details do not say otherwise.
    """
    total_in = usage.get("prompt_tokens")
    if total_in is None:
        total_in = usage.get("input_tokens")
    total_out = usage.get("completion_tokens")
    if total_out is None:
        total_out = usage.get("output_tokens")
    if total_in is None and total_out is None:
        return None
    counts: dict[str, int] = {}
    if total_in is None:
        notes.append("missing_counter:prompt_tokens")
    details = (
        usage.get("prompt_tokens_details")
        or usage.get("input_tokens_details")
        or usage.get("input_token_details")
    )
    _inputs(usage, count(total_in, "prompt_tokens", notes), fields(details), counts, notes)

    reasoning = 0
    details = usage.get("completion_tokens_details") or usage.get("output_tokens_details")
    if total_out is not None:
        reasoning = _outputs(
            usage, count(total_out, "completion_tokens", notes), fields(details), counts, notes, pictures
        )
    elif outputs:
        notes.append("missing_counter:completion_tokens")  # rule 8: unknown, not 0
    unknown_counters(usage, _KNOWN, notes)
    return counts, reasoning


def _inputs(
    usage: Mapping[str, Any], total: int, details: Mapping[str, Any], counts: dict[str, int], notes: list[str]
) -> None:
    """Cached, written, audio and picture tokens are inside the prompt (rule 2): take them out of it."""
    cached_raw = details.get("cached_tokens")
    if cached_raw is None:
        cached_raw = (
            usage.get("prompt_cache_hit_tokens")  # DeepSeek
            or usage.get("cached_tokens")  # Moonshot, Together
            or usage.get("num_cached_tokens")  # Mistral
            or usage.get("cache_read_input_tokens")  # LiteLLM
        )
    written_raw = details.get("cache_write_tokens")
    if written_raw is None:
        written_raw = usage.get("cache_creation_input_tokens")
    if not details and not cached_raw and not written_raw:
        if total:
            counts["input"] = total
        return
    cached = count(cached_raw, "cached_tokens", notes)
    written = count(written_raw, "cache_write_tokens", notes)
    audio = count(details.get("audio_tokens"), "audio_tokens", notes)
    pictures = count(details.get("image_tokens"), "image_tokens", notes)
    unknown_counters(details, _KNOWN_INPUT_DETAILS, notes, "prompt_tokens_details.")
    if cached + written > total:  # rule 7: some proxies send parts larger than their whole
        notes.append("inconsistent:cached_tokens")
        cached = min(cached, total)
        written = min(written, total - cached)
    if audio + pictures > total:
        notes.append("inconsistent:prompt_tokens_details")
        audio = min(audio, total)
        pictures = min(pictures, total - audio)
    plain = total - audio - pictures
    by_kind = fields(details.get("cached_tokens_details"))
    read_audio = min(count(by_kind.get("audio_tokens"), "cached_audio_tokens", notes), audio, cached)
    read_pictures = count(
        by_kind.get("image_tokens", by_kind.get("cached_image_tokens")), "cached_image_tokens", notes
    )
    read_pictures = min(read_pictures, pictures, cached - read_audio)
    read = cached - read_audio - read_pictures
    if read + written > plain:
        # More cached and written than there is text: the rest of the cached tokens must be audio or pictures.
        notes.append("overlapping_details")
        over = read + written - plain
        more = min(over, read, audio - read_audio)
        read, read_audio, over = read - more, read_audio + more, over - more
        more = min(over, read, pictures - read_pictures)
        read, read_pictures, over = read - more, read_pictures + more, over - more
        written -= min(over, written)
    _writes(written, details.get("cache_write_tokens_details"), counts, notes)
    for unit, quantity in (
        ("input", plain - read - written),
        ("cache_read", read),
        ("input_audio", audio - read_audio),
        ("cache_read_audio", read_audio),
        ("input_image", pictures - read_pictures),
        ("cache_read_image", read_pictures),
    ):
        if quantity > 0:
            counts[unit] = quantity


def _writes(written: int, split: object, counts: dict[str, int], notes: list[str]) -> None:
    """Cache writes by lifetime: 30 minutes unless the split says 12 hours (rule 4)."""
    if not written:
        return
    parts = fields(split)
    long = count(parts.get("ttl_12h_tokens"), "ttl_12h_tokens", notes)
    unknown_counters(parts, _KNOWN_WRITES, notes, "cache_write_tokens_details.")
    if long > written:
        notes.append("inconsistent:ttl_12h_tokens")
        long = written
    if long:
        counts["cache_write_12h"] = long
    if written > long:
        counts["cache_write_30m"] = written - long


def _outputs(
    usage: Mapping[str, Any],
    total: int,
    details: Mapping[str, Any],
    counts: dict[str, int],
    notes: list[str],
    pictures: bool,
) -> int:
    """Output by kind, and the reasoning tokens inside it (rule 6)."""
    if not details:
        if total:
            counts["output_image" if pictures else "output"] = total
        return 0
    reasoning = count(details.get("reasoning_tokens"), "reasoning_tokens", notes)
    audio = count(details.get("audio_tokens"), "output_audio_tokens", notes)
    images = count(details.get("image_tokens"), "output_image_tokens", notes)
    unknown_counters(details, _KNOWN_OUTPUT_DETAILS, notes, "completion_tokens_details.")
    if reasoning:
        total = _with_reasoning_outside(usage, total, reasoning)
        if reasoning > total:
            notes.append("inconsistent:reasoning_tokens")
            reasoning = total
    if audio + images > total:
        notes.append("inconsistent:completion_tokens_details")
        audio = min(audio, total)
        images = min(images, total - audio)
    if pictures and not audio and not images and not details.get("text_tokens"):
        images = total
    for unit, quantity in (
        ("output", total - audio - images),
        ("output_audio", audio),
        ("output_image", images),
    ):
        if quantity > 0:
            counts[unit] = quantity
    return reasoning


def _with_reasoning_outside(usage: Mapping[str, Any], total: int, reasoning: int) -> int:
    """xAI's chat counts reasoning beside `completion_tokens`, and only `total_tokens` tells (rule 41)."""
    whole = usage.get("total_tokens")
    asked = usage.get("prompt_tokens")
    if type(whole) is int and type(asked) is int and whole == asked + total + reasoning:
        return total + reasoning
    return total
