"""Why a call costs what it costs: from a saved response to its invoice."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tracked_inference.pricing.reasons import meaning
from tracked_inference.vendors import anthropic_usage, openai_usage
from tracked_inference.vendors._reading import began_at

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

    from tracked_inference.pricing.cost import Cost
    from tracked_inference.pricing.table import PriceTable
    from tracked_inference.usage import Usage

__all__ = ["OPERATIONS", "Saved", "explanation", "price_saved", "recognise"]

OPERATIONS = (
    "messages",
    "chat.completions",
    "completions",
    "responses",
    "embeddings",
    "images",
    "audio.transcriptions",
    "audio.translations",
    "audio.speech",
    "moderations",
    "videos",
)
_OBJECTS = {
    "chat.completion": "chat.completions",
    "text_completion": "completions",
    "response": "responses",
    "response.compaction": "responses",
    "video": "videos",
}


@dataclass(frozen=True, slots=True)
class Saved:
    """
    A saved response, recognised.

    Attributes:
        body: The response itself.
        vendor: Whose format it is: `anthropic` or `openai`.
        operation: What was called.
        batch: It is a line of a batch's results.
        at: When it was made, where it says so.
    """

    body: Mapping[str, Any]
    vendor: str
    operation: str
    batch: bool = False
    at: datetime | None = None


def recognise(content: object, operation: str | None = None) -> Saved | None:
    """
    What a saved response is; None where it is none that this package reads.

    Results of batches are unwrapped: Anthropic's `result.message`, OpenAI's `response.body`.
    """
    if not isinstance(content, dict):
        return None
    body: dict[str, Any] = content
    batch = False
    result, response = body.get("result"), body.get("response")
    if isinstance(result, dict) and isinstance(result.get("message"), dict):
        body, batch = result["message"], True
    elif isinstance(response, dict) and isinstance(response.get("body"), dict):
        body, batch = response["body"], True
    elif isinstance(response, dict) and response.get("object") == "response":
        body = response  # the last event of a stream
    found = operation or _operation(body)
    if found is None:
        return None
    began = began_at(body)
    at = None if began is None else datetime.fromtimestamp(began, UTC)
    return Saved(body, "anthropic" if found == "messages" else "openai", found, batch, at)


def _operation(body: Mapping[str, Any]) -> str | None:
    named = body.get("object")
    if isinstance(named, str) and named in _OBJECTS:
        return _OBJECTS[named]
    usage = body.get("usage")
    if body.get("type") == "message" and body.get("role") == "assistant":
        return "messages"
    if named == "list" and isinstance(body.get("data"), list):
        return "embeddings"
    if "text" in body and isinstance(usage, dict):
        return "audio.transcriptions"
    if isinstance(body.get("results"), list) and "model" in body and usage is None:
        return "moderations"
    if "created" in body and "data" in body:
        return "images"
    if isinstance(usage, dict):
        if "prompt_tokens" in usage:
            return "chat.completions"
        if "input_tokens" in usage:
            return "responses" if "output" in body else "messages"
    return None


def price_saved(
    saved: Saved,
    table: PriceTable,
    *,
    provider: str,
    at: datetime,
    requested_model: str | None = None,
    region: str | None = None,
) -> tuple[Usage | None, Cost]:
    """What a saved response used and costs."""
    reader = anthropic_usage if saved.vendor == "anthropic" else openai_usage
    request = {"model": requested_model} if requested_model else None
    usage = reader.usage_of(saved.body, operation=saved.operation, request=request, batch=saved.batch)
    model = saved.body.get("model")
    cost = table.price(
        usage,
        provider=provider,
        model=model if isinstance(model, str) else None,
        at=at,
        requested_model=requested_model,
        region=region,
    )
    return usage, cost


def explanation(
    saved: Saved, usage: Usage | None, cost: Cost, *, provider: str, at: datetime
) -> dict[str, Any]:
    """
    An invoice as JSON can carry it: amounts as text, exact to the last digit.

    The keys are described in docs/reference/prices-json.md.
    """
    return {
        "model": cost.model,
        "provider": provider,
        "operation": saved.operation,
        "at": at.isoformat(),
        "status": cost.status,
        "total_usd": _plain(cost.total_usd),
        "list_usd": _plain(cost.list_usd),
        "lines": [
            {
                "unit": line.unit,
                "quantity": _plain(line.quantity),
                "rate_usd": _plain(line.rate_usd),
                "amount_usd": _plain(line.amount_usd),
                "model": line.model,
                "rules": list(line.rules),
            }
            for line in cost.lines
        ],
        "reasons": [{"reason": reason, "meaning": meaning(reason)} for reason in cost.reasons],
        "tokens": {} if usage is None else usage.tokens(),
        "reasoning_tokens": 0 if usage is None else usage.reasoning_tokens,
        "table_version": cost.table_version,
        "table_sha256": cost.table_sha256,
    }


def _plain(number: Decimal | int | None) -> str | int | None:
    return number if number is None or isinstance(number, int) else format(number, "f")
