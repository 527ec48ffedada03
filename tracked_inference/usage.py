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

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

__all__ = ["Pass", "Usage"]

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


@dataclass(frozen=True, slots=True)
class Pass:
    """
    One pass of one model inside a call; most calls have one.

    Attributes:
        counts: Quantity by unit (`TOKEN_UNITS`, `FEE_UNITS`); disjoint; zero counts are left out.
        model: The model of this pass where it is not the call's own (advisors, fallbacks, compaction, image tools).
        kind: What the pass was, in the vendor's word: `message`, `compaction`, `advisor_message`, `fallback_message`.
    """

    counts: Mapping[str, int | Decimal]
    model: str | None = None
    kind: str = "message"


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
        notes: What the price engine must know of this reading, `assumed_ttl` or `unknown_field:video_tokens` for instance.
        gateway_cost_usd: The cost that a gateway printed itself; it beats any table.
        free: The call is free by the vendor's rules (a refusal before any output, a moderation): a true zero.
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

    def tokens(self) -> dict[str, int]:
        """Tokens by kind over all passes: what the metric `ai_inference_tokens_total` counts."""
        if len(self.passes) == 1:
            counts = self.passes[0].counts
            return {unit: int(counts[unit]) for unit in counts if unit in _TOKEN_UNITS}
        total: dict[str, int] = {}
        for one in self.passes:
            for unit, quantity in one.counts.items():
                if unit in _TOKEN_UNITS:
                    total[unit] = total.get(unit, 0) + int(quantity)
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
