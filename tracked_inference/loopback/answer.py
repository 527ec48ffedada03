"""What the loopback vendor is to say, in words that fit every endpoint of both vendors."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tracked_inference.loopback.reply import Delivery, Travels
from tracked_inference.usage import Pass, Usage

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

__all__ = ["AS_BILLED", "Answer", "ToolCall"]

AS_BILLED: Any = object()
"""The `usage` on the wire says what is billed."""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool the model wants called, and with what."""

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer(Travels):
    """
    What to say; whatever is left out is made up from the request, the same each time.

    Attributes:
        text: The text of the answer.
        thinking: What the model thinks before it speaks.
        tool_calls: The tools it wants called; without `text` they are the whole answer.
        usage: What the vendor bills, and what the wire says unless `usage_json` says otherwise.
        usage_json: Exactly this as the (last) `usage` on the wire, right or wrong.
        start_usage_json: Exactly this as the `usage` of Anthropic's `message_start`.
        usage_unasked: OpenAI's chat streams end with a usage chunk although nobody asked, as some servers do.
        model: The model that answers; the one asked for if None.
        chunks: In how many pieces a stream sends the text.
        stop_reason: Why the answer ends, in the vendor's word.
        fails_after: A stream breaks off with an error event after so many pieces of text.
        failure: The vendor's word for that error.
        fields: Put over the top-level fields of the answer's object (of each chunk of an OpenAI chat stream).
        polls: How often a background response or a batch is asked for before it is done.
        delivery: How the answer travels; set through `after()`, `paced()`, `cut()`, `gzipped()`, `sliced()`.
    """

    text: str | None = None
    thinking: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    usage: Usage | None = None
    usage_json: Any = AS_BILLED
    start_usage_json: Any = AS_BILLED
    usage_unasked: bool = False
    model: str | None = None
    chunks: int | None = None
    stop_reason: str | None = None
    fails_after: int | None = None
    failure: str = "overloaded_error"
    fields: Mapping[str, Any] = field(default_factory=dict)
    polls: int = 1
    delivery: Delivery = field(default_factory=Delivery)

    @classmethod
    def using(
        cls,
        counts: Mapping[str, int | Decimal],
        /,
        *,
        reasoning_tokens: int = 0,
        service_tier: str | None = None,
        speed: str | None = None,
        inference_geo: str | None = None,
        **answer: Any,
    ) -> Answer:
        """Answer with these counts by unit, `{"input": 11, "output": 7}` for instance, in one pass."""
        usage = Usage(
            passes=(Pass(counts=dict(counts)),),
            reasoning_tokens=reasoning_tokens,
            service_tier=service_tier,
            speed=speed,
            inference_geo=inference_geo,
        )
        return cls(usage=usage, **answer)
