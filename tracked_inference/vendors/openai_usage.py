"""
Usage of OpenAI responses, and of what speaks OpenAI's wire format, as disjoint counts.

Rule numbers are those of docs/explanation/pricing-rules.md.
Field meanings: https://platform.openai.com/docs/api-reference and the docstrings of `openai.types`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tracked_inference.usage import make_pass, make_usage
from tracked_inference.vendors import _openai_media, _openai_tools
from tracked_inference.vendors._gateway import gateway_cost
from tracked_inference.vendors._openai_tokens import token_counts
from tracked_inference.vendors._shapes import fields, text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracked_inference.usage import Usage

__all__ = ["usage_of"]

_PENDING = frozenset({"queued", "in_progress"})


def usage_of(
    body: object,
    *,
    operation: str,
    request: Mapping[str, Any] | None = None,
    batch: bool = False,
    complete: bool = True,
) -> Usage | None:
    """
    What a response used; None where it does not say (unmeasured, never zero).

    Args:
        body: The response: an SDK object, its JSON, a bare string (text transcriptions), or the merged state of a stream in
            the shape of the final response.
        operation: `chat.completions`, `completions`, `decisions`, `responses`, `embeddings`, `images`, `audio.transcriptions`,
            `audio.translations`, `audio.speech`, `moderations` or `videos`.
        request: The request's body; only scalars, `tools` and the length of a speech `input` are looked at.
        batch: The response is a line of a batch's output file (rule 16): the line itself says `default`.
        complete: False where a stream ended before its last chunk.

    Never raises.
    """
    try:
        read = _READERS.get(operation)
        return None if read is None else read(body, request or {}, batch, complete)
    except Exception:  # a shape nobody thought of: unmeasured is what is known of it
        return None


def _completion(body: object, request: Mapping[str, Any], batch: bool, complete: bool) -> Usage | None:
    """Chat and legacy completions, and embeddings (input rate alone, rule 31)."""
    answer = fields(body)
    raw = answer.get("usage")
    if raw is None:
        return None
    usage = fields(raw)
    notes: list[str] = []
    read = token_counts(usage, notes)
    cost = gateway_cost(usage)
    if read is None and cost is None:
        return None
    counts, reasoning = read if read is not None else ({}, 0)
    model = answer.get("model")
    if type(model) is not str or "-search-" in model:
        _openai_tools.chat_search(answer, request, notes)
    return make_usage(
        (make_pass(counts),),
        reasoning,
        text(answer.get("service_tier")),
        text(request.get("service_tier")),
        None,
        None,
        batch,
        complete,
        tuple(notes),
        cost,
    )


def _embeddings(body: object, request: Mapping[str, Any], batch: bool, complete: bool) -> Usage | None:
    """Embeddings have an input and no output (rule 31)."""
    answer = fields(body)
    usage = fields(answer.get("usage"))
    notes: list[str] = []
    read = token_counts(usage, notes, outputs=False)
    cost = gateway_cost(usage)
    if read is None and cost is None:
        return None
    return make_usage(
        (make_pass(read[0] if read is not None else {}),),
        requested_tier=text(request.get("service_tier")),
        batch=batch,
        complete=complete,
        notes=tuple(notes),
        gateway_cost_usd=cost,
    )


def _response(body: object, request: Mapping[str, Any], batch: bool, complete: bool) -> Usage | None:
    """
    Responses: usage stands on completed, incomplete and failed ones alike (rule 12).

    A background response has none until it is at its end (rule 31).
    """
    answer = fields(body)
    raw = answer.get("usage")
    if raw is None or text(answer.get("status")) in _PENDING:
        return None
    usage = fields(raw)
    notes: list[str] = []
    read = token_counts(usage, notes)
    cost = gateway_cost(usage)
    if read is None and cost is None:
        return None
    counts, reasoning = read if read is not None else ({}, 0)
    if "cache_write_30m" in counts and "cache_write_12h" not in counts:
        _lifetime(answer, usage, counts, notes)
    extra = _openai_tools.hosted_tools(answer, request, counts, notes)
    one = make_pass(counts)
    return make_usage(
        (one, *extra) if extra else (one,),
        reasoning,
        text(answer.get("service_tier")),
        text(request.get("service_tier")),
        None,
        None,
        batch,
        complete,
        tuple(notes),
        cost,
    )


def _lifetime(
    answer: Mapping[str, Any], usage: Mapping[str, Any], counts: dict[str, int], notes: list[str]
) -> None:
    """Cache writes that the usage does not split by lifetime: that of the response's own caching options (rule 4)."""
    split = fields(usage.get("input_tokens_details")).get("cache_write_tokens_details")
    if split is None and fields(answer.get("prompt_cache_options")).get("ttl") == "12h":
        counts["cache_write_12h"] = counts.pop("cache_write_30m")
        notes.append("assumed_ttl")


def _moderation(body: object, request: Mapping[str, Any], batch: bool, complete: bool) -> Usage | None:
    """Moderations are free: a true zero (rule 31)."""
    del body, request
    return make_usage((), batch=batch, complete=complete, free="moderations")


_READERS = {
    "chat.completions": _completion,
    "completions": _completion,
    "decisions": _completion,
    "responses": _response,
    "embeddings": _embeddings,
    "images": _openai_media.images,
    "audio.transcriptions": _openai_media.transcription,
    "audio.translations": _openai_media.transcription,
    "audio.speech": _openai_media.speech,
    "moderations": _moderation,
    "videos": _openai_media.video,
}
