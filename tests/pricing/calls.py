"""Calls as the tests write them: a response's JSON in, a cost out, by the bundled table."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from tracked_inference.pricing import Cost, PriceTable
from tracked_inference.vendors import anthropic_usage, openai_usage

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def claude(
    model: str | None,
    usage: dict[str, Any] | None,
    *,
    at: datetime = NOON,
    provider: str = "anthropic",
    requested: str | None = None,
    region: str | None = None,
    request: dict[str, Any] | None = None,
    complete: bool = True,
    batch: bool = False,
    table: PriceTable | None = None,
    **body: Any,
) -> Cost:
    """The cost of an Anthropic message with this usage."""
    message = {"type": "message", "model": model, "usage": usage, "content": [], **body}
    read = anthropic_usage.usage_of(
        message, operation="messages", request=request, complete=complete, batch=batch
    )
    return (table or PriceTable.bundled()).price(
        read, provider=provider, model=model, at=at, requested_model=requested, region=region
    )


def gpt(
    model: str | None,
    usage: dict[str, Any] | None,
    *,
    operation: str = "chat.completions",
    at: datetime = NOON,
    provider: str = "openai",
    requested: str | None = None,
    region: str | None = None,
    request: dict[str, Any] | None = None,
    batch: bool = False,
    table: PriceTable | None = None,
    **body: Any,
) -> Cost:
    """The cost of an OpenAI response with this usage."""
    answer = {"model": model, "usage": usage, **body}
    read = openai_usage.usage_of(answer, operation=operation, request=request, batch=batch)
    return (table or PriceTable.bundled()).price(
        read, provider=provider, model=model, at=at, requested_model=requested, region=region
    )


def chat(prompt: int, completion: int, **details: int) -> dict[str, Any]:
    """Usage of a chat completion; keywords are prompt details."""
    usage: dict[str, Any] = {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
    }
    if details:
        usage["prompt_tokens_details"] = details
    return usage
