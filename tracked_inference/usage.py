"""
What a call used: disjoint counts, so that every token is in exactly one of them.

Vendors count differently.
Anthropic's `input_tokens` excludes what was read from and written to the cache; OpenAI's `prompt_tokens` includes both.
`Usage` is what remains when those differences are gone: a partition that can be added up, priced and compared.
The readers in `tracked_inference.vendors` make it; `tracked_inference.pricing` prices it; nothing here does I/O.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tracked_inference._frozen import maker

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

__all__ = ["FEE_UNITS", "NOTES", "TOKEN_UNITS", "Pass", "Usage", "make_pass", "make_usage"]

TOKEN_UNITS = (
    "input",  # text (or undivided) input that was neither read from nor written to a cache
    "cache_read",
    "cache_write_5m",
    "cache_write_30m",
    "cache_write_1h",
    "cache_write_12h",
    "input_audio",
    "cache_read_audio",
    "input_image",
    "cache_read_image",
    "output",  # all billed text output, reasoning included
    "output_audio",
    "output_image",
)
"""The token kinds: the values of the metric label `token_type`, a partition of all tokens of a call."""

FEE_UNITS = (
    "web_search",
    "web_search_preview",
    "file_search",
    "second",
    "character",
    "image",
    "video_second",
)
"""Billed units that are no tokens: searches, and the seconds, characters and pictures of models sold that way."""

NOTES = {
    "assumed_image_model": "pictures of the image generation tool whose model the body does not name",
    "assumed_ttl": "cache writes without a split by lifetime, priced as the shortest or as the response's caching options say",
    "chat_search": "searches of a chat model that always searches, which its usage does not count",
    "coerced_count": "a count that came as text or as a float with no fraction",
    "code_execution": "container time of the code execution tool, which the body does not give",
    "code_interpreter": "a container session of the code interpreter or the hosted shell, which the body does not give",
    "fallback_credit": "a redeemed fallback credit, whose worth the body does not give",
    "image_generation": "pictures of the image generation tool whose tokens the body does not give",
    "inconsistent": "a count that contradicts another, or is no count at all",
    "missing_counter": "a counter that every response has is not there",
    "overlapping_details": "details that overlap, shared out so that they are disjoint",
    "summed_passes": "counts that the vendor summed over hidden passes: no test against a long-context threshold",
    "unknown_field": "a counter that this version does not know",
    "unknown_tool": "a hosted tool that this version does not know",
}
"""What `Usage.notes` can say; some carry a field's name after a colon, `unknown_field:video_tokens`."""


@dataclass(frozen=True, slots=True)
class Pass:
    """
    One pass of one model inside a call; most calls have one.

    Attributes:
        counts: Quantity by unit (`TOKEN_UNITS`, `FEE_UNITS`); disjoint; zero counts are left out.
        model: The model of this pass where it is not the call's own (advisors, fallbacks, compaction, image tools).
        kind: What the pass was, in the vendor's word: `message`, `compaction`, `advisor_message`, `fallback_message`.
        refusal: The category of the refusal that ended the pass, `""` where the vendor names none; None where it was
            not refused. A pass that was refused before any output is billed by the refusal rule, not by its counts.
        size: Size and quality of the picture or video, where the vendor's rate depends on them: `1024x1792`, `1024x1024/hd`.
    """

    counts: Mapping[str, int | Decimal]
    model: str | None = None
    kind: str = "message"
    refusal: str | None = None
    size: str | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """
    What one call used, as the vendor reported it.

    Attributes:
        passes: The billed passes, each tested alone against long-context thresholds.
        reasoning_tokens: Shown beside output, never added to it: they are inside `output`.
        service_tier: The tier that served the call, from the response where it says so.
        requested_tier: The tier that was asked for.
        speed: Anthropic's `fast` or `standard`.
        inference_geo: Anthropic's place of inference, `us` for instance.
        batch: The call came from a batch endpoint.
        complete: False when the call was cut before the vendor's final count: the counts are a floor.
        notes: What the price engine must know of this reading, `assumed_ttl` or `unknown_field:video_tokens` for instance;
            `NOTES` lists them all.
        gateway_cost_usd: The cost that a gateway printed itself; it beats any table.
        free: The call is free by the vendor's rules, and by which (`moderations` for instance): a true zero.
        model: The model that served the call where the body's own `model` names another, as after a fallback mid-stream.
    """

    passes: tuple[Pass, ...]
    reasoning_tokens: int = 0
    service_tier: str | None = None
    requested_tier: str | None = None
    speed: str | None = None
    inference_geo: str | None = None
    batch: bool = False
    complete: bool = True
    notes: tuple[str, ...] = ()
    gateway_cost_usd: Decimal | None = None
    free: str | None = None
    model: str | None = None

    def tokens(self) -> dict[str, int]:
        """Tokens by kind over all passes: what the metric `ai_inference_tokens_total` counts."""
        total: dict[str, int] = {}
        for one in self.passes:
            for unit, quantity in one.counts.items():
                if unit in _TOKEN_UNITS:
                    whole = quantity if type(quantity) is int else int(quantity)
                    total[unit] = total[unit] + whole if unit in total else whole
        return total

    def quantity(self, unit: str) -> int | Decimal:
        """How much of one unit was used over all passes."""
        return sum((one.counts.get(unit, 0) for one in self.passes), 0)

    @property
    def input_tokens(self) -> int:
        """Every token that went in: uncached, read from and written to caches, text, audio and images."""
        return sum(count for unit, count in self.tokens().items() if not unit.startswith("output"))

    @property
    def output_tokens(self) -> int:
        """Every token that came out and is billed, reasoning included."""
        return sum(count for unit, count in self.tokens().items() if unit.startswith("output"))

    @property
    def cache_read_tokens(self) -> int:
        """Input tokens that were read from a cache."""
        return sum(count for unit, count in self.tokens().items() if unit.startswith("cache_read"))

    @property
    def cache_write_tokens(self) -> int:
        """Input tokens that were written to a cache, whatever their lifetime."""
        return sum(count for unit, count in self.tokens().items() if unit.startswith("cache_write"))


_TOKEN_UNITS = frozenset(TOKEN_UNITS)

make_pass = maker(Pass)
"""`Pass`, for the readers of responses: the same object, made for less."""
make_usage = maker(Usage)
"""`Usage`, likewise."""
