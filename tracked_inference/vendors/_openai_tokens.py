"""OpenAI's token counters as a partition: totals that include their parts become parts that do not overlap."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tracked_inference.vendors._shapes import count, fields, is_count, unknown_counters

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["token_counts"]

_OWN = frozenset(
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
    }
)
"""OpenAI's own fields of a usage."""
_KNOWN = _OWN | frozenset(
    {
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
_KNOWN_PARTS = {
    # What the details themselves are split into.
    "cached_tokens_details": frozenset(
        {"audio_tokens", "cached_image_tokens", "image_tokens", "text_tokens"}
    ),
    "cache_write_tokens_details": frozenset({"ttl_30m_tokens", "ttl_12h_tokens"}),
}
_NO_DETAILS: dict[str, Any] = {}


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
    if not is_count(total_in) and not is_count(total_out):
        return None
    counts: dict[str, int] = {}
    if total_in is None:
        notes.append("missing_counter:prompt_tokens")
    own = _OWN.issuperset(usage)
    raw = (
        usage.get("prompt_tokens_details")
        or usage.get("input_tokens_details")
        or usage.get("input_token_details")
    )
    details = fields(raw) if raw is not None else _NO_DETAILS
    _inputs(usage, count(total_in, "prompt_tokens", notes), details, counts, notes, own=own)
    if not _KNOWN_INPUT_DETAILS.issuperset(details):
        unknown_counters(details, _KNOWN_INPUT_DETAILS, notes, "prompt_tokens_details.")
    for name, known in _KNOWN_PARTS.items():
        if details.get(name) is not None:
            unknown_counters(fields(details[name]), known, notes, f"prompt_tokens_details.{name}.")

    reasoning = 0
    if total_out is not None:
        raw = usage.get("completion_tokens_details") or usage.get("output_tokens_details")
        details = fields(raw) if raw is not None else _NO_DETAILS
        total = count(total_out, "completion_tokens", notes)
        reasoning = _outputs(usage, total, details, counts, notes, pictures=pictures)
        if not _KNOWN_OUTPUT_DETAILS.issuperset(details):
            unknown_counters(details, _KNOWN_OUTPUT_DETAILS, notes, "completion_tokens_details.")
    elif outputs:
        notes.append("missing_counter:completion_tokens")  # rule 8: unknown, not 0
    if not own:
        unknown_counters(usage, _KNOWN, notes)
    return counts, reasoning


def _inputs(
    usage: Mapping[str, Any],
    total: int,
    details: Mapping[str, Any],
    counts: dict[str, int],
    notes: list[str],
    *,
    own: bool,
) -> None:
    """
    Cached, written, audio and picture tokens are inside the prompt (rule 2): take them out of it.

    With `own` the usage has OpenAI's fields alone, and others' names for them need not be looked for.
    """
    cached_raw = details.get("cached_tokens")
    written_raw = details.get("cache_write_tokens")
    if not own and (cached_raw is None or written_raw is None):
        cached_raw, written_raw = _named_otherwise(usage, cached_raw, written_raw)
    if written_raw is None and details.get("cache_write_tokens_details") is not None:
        split = fields(details["cache_write_tokens_details"])  # the split alone is the total
        written_raw = count(split.get("ttl_30m_tokens"), "ttl_30m_tokens", []) + count(
            split.get("ttl_12h_tokens"), "ttl_12h_tokens", []
        )
    audio_raw, pictures_raw = details.get("audio_tokens"), details.get("image_tokens")
    cached = count(cached_raw, "cached_tokens", notes) if cached_raw else 0
    if not (written_raw or audio_raw or pictures_raw) and cached <= total:
        if cached < total:
            counts["input"] = total - cached
        if cached:
            counts["cache_read"] = cached
        return
    written = count(written_raw, "cache_write_tokens", notes)
    audio = count(audio_raw, "audio_tokens", notes)
    pictures = count(pictures_raw, "image_tokens", notes)
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
    parts = {
        "input": plain - read - written,
        "cache_read": read,
        "input_audio": audio - read_audio,
        "cache_read_audio": read_audio,
        "input_image": pictures - read_pictures,
        "cache_read_image": read_pictures,
    }
    counts.update({unit: quantity for unit, quantity in parts.items() if quantity > 0})


def _named_otherwise(usage: Mapping[str, Any], cached: object, written: object) -> tuple[object, object]:
    """Cache counters of those who speak OpenAI's format and put them beside the totals."""
    if cached is None:
        cached = (
            usage.get("prompt_cache_hit_tokens")  # DeepSeek
            or usage.get("cached_tokens")  # Moonshot, Together
            or usage.get("num_cached_tokens")  # Mistral
            or usage.get("cache_read_input_tokens")  # LiteLLM
        )
    return cached, usage.get("cache_creation_input_tokens") if written is None else written


def _writes(written: int, split: object, counts: dict[str, int], notes: list[str]) -> None:
    """Cache writes by lifetime: 30 minutes unless the split says 12 hours (rule 4)."""
    if not written:
        return
    parts = fields(split)
    long = count(parts.get("ttl_12h_tokens"), "ttl_12h_tokens", notes)
    if long + count(parts.get("ttl_30m_tokens"), "ttl_30m_tokens", notes) > written:
        notes.append("inconsistent:cache_write_tokens_details")
        long = min(long, written)
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
    *,
    pictures: bool,
) -> int:
    """Output by kind, and the reasoning tokens inside it (rule 6)."""
    reasoning_raw = details.get("reasoning_tokens")
    reasoning = count(reasoning_raw, "reasoning_tokens", notes) if reasoning_raw else 0
    if reasoning:
        total = _with_reasoning_outside(usage, total, reasoning)
        if reasoning > total:
            notes.append("inconsistent:reasoning_tokens")
            reasoning = total
    audio_raw, images_raw = details.get("audio_tokens"), details.get("image_tokens")
    if not (audio_raw or images_raw):
        if total:
            counts["output_image" if pictures and not details.get("text_tokens") else "output"] = total
        return reasoning
    audio = count(audio_raw, "output_audio_tokens", notes)
    images = count(images_raw, "output_image_tokens", notes)
    if audio + images > total:
        notes.append("inconsistent:completion_tokens_details")
        audio = min(audio, total)
        images = min(images, total - audio)
    parts = {"output": total - audio - images, "output_audio": audio, "output_image": images}
    counts.update({unit: quantity for unit, quantity in parts.items() if quantity > 0})
    return reasoning


def _with_reasoning_outside(usage: Mapping[str, Any], total: int, reasoning: int) -> int:
    """The chat of xAI counts reasoning beside `completion_tokens`, and only `total_tokens` tells (rule 41)."""
    whole = usage.get("total_tokens")
    asked = usage.get("prompt_tokens")
    if type(whole) is int and type(asked) is int and whole == asked + total + reasoning:
        return total + reasoning
    return total
