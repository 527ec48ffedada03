"""OpenAI's chat completions and legacy completions as the loopback vendor speaks them, on Azure too."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tracked_inference.loopback.answer import AS_BILLED
from tracked_inference.loopback.framing import compact, sse
from tracked_inference.loopback.imagination import count_tokens, speak
from tracked_inference.loopback.reply import Bill, Reply
from tracked_inference.usage import Pass, Usage

if TYPE_CHECKING:
    from tracked_inference.loopback.answer import Answer
    from tracked_inference.loopback.imagination import PromptCaches, Spoken
    from tracked_inference.loopback.request import Request

__all__ = ["chat_completions", "completions", "served_tier", "wire_counts"]

CREATED = 1_767_225_600  # 2026-01-01, so that the same request has the same answer


def chat_completions(request: Request, answer: Answer, caches: PromptCaches) -> Reply:
    """Answer `POST /v1/chat/completions`, as JSON or as a stream."""
    content = request.content
    prompt = Usage(
        passes=(Pass(counts=caches.openai(request.model, content)),), service_tier=served_tier(content)
    )
    spoken = speak(request, answer, prompt, model=request.model or "")
    choices = max(1, int(content.get("n") or 1))
    if choices > 1 and answer.usage is None:
        spoken = replace(spoken, usage=_times(spoken.usage, choices))
    bill = Bill(
        request.number, request.seller, request.endpoint, request.model or "", spoken.model, spoken.usage
    )
    if request.stream:
        return _stream(request, answer, _chunks(request, answer, spoken, choices), bill)
    said = {
        "role": "assistant",
        "content": spoken.text if spoken.text or not spoken.tool_calls else None,
        "refusal": None,
        "annotations": [],
        **({"tool_calls": _tool_calls(request, spoken)} if spoken.tool_calls else {}),
    }
    body = {
        **_head(request, spoken, "chat.completion"),
        "choices": [
            {"index": at, "message": said, "logprobs": None, "finish_reason": _finish(answer, spoken)}
            for at in range(choices)
        ],
        "usage": _shown(answer, spoken),
        **answer.fields,
    }
    return replace(Reply.json(body), bills=(bill,), delivery=answer.delivery)


def completions(request: Request, answer: Answer) -> Reply:
    """Answer the legacy `POST /v1/completions`, as JSON or as a stream."""
    prompt = Usage(passes=(Pass(counts={"input": count_tokens(request.content.get("prompt"))}),))
    spoken = speak(request, answer, prompt, model=request.model or "")
    bill = Bill(
        request.number, request.seller, request.endpoint, request.model or "", spoken.model, spoken.usage
    )
    head = _head(request, spoken, "text_completion")
    head.pop("service_tier")

    def choice(text: str, finish: str | None) -> dict[str, Any]:
        return {"text": text, "index": 0, "logprobs": None, "finish_reason": finish}

    if request.stream:
        chunks = [{**head, "choices": [choice(piece, None)]} for piece in spoken.pieces]
        chunks.append({**head, "choices": [choice("", _finish(answer, spoken))]})
        return _stream(request, answer, _with_usage(chunks, head, request, answer, spoken), bill)
    body = {
        **head,
        "choices": [choice(spoken.text, _finish(answer, spoken))],
        "usage": _shown(answer, spoken),
        **answer.fields,
    }
    return replace(Reply.json(body), bills=(bill,), delivery=answer.delivery)


def wire_counts(usage: Usage, ingoing: str, outgoing: str) -> dict[str, Any]:
    """Write usage as OpenAI does: totals that include their parts, named as in chat or as in Responses."""
    quantity = usage.quantity
    read_audio, read_image = int(quantity("cache_read_audio")), int(quantity("cache_read_image"))
    short, long = int(quantity("cache_write_30m")), int(quantity("cache_write_12h"))
    details_in: dict[str, Any] = {
        "cached_tokens": usage.cache_read_tokens,
        "cache_write_tokens": usage.cache_write_tokens,
    }
    if long:
        details_in["cache_write_tokens_details"] = {"ttl_30m_tokens": short, "ttl_12h_tokens": long}
    if read_audio or read_image:
        text = usage.cache_read_tokens - read_audio - read_image
        details_in["cached_tokens_details"] = {
            "text_tokens": text,
            "audio_tokens": read_audio,
            "image_tokens": read_image,
        }
    details_out: dict[str, Any] = {"reasoning_tokens": usage.reasoning_tokens}
    if ingoing == "prompt":
        details_in["audio_tokens"] = int(quantity("input_audio")) + read_audio
        details_out |= {
            "audio_tokens": int(quantity("output_audio")),
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        }
    if image := int(quantity("input_image")) + read_image:
        details_in["image_tokens"] = image
    return {
        f"{ingoing}_tokens": usage.input_tokens,
        f"{ingoing}_tokens_details": details_in,
        f"{outgoing}_tokens": usage.output_tokens,
        f"{outgoing}_tokens_details": details_out,
        "total_tokens": usage.input_tokens + usage.output_tokens,
    }


def served_tier(content: dict[str, Any]) -> str:
    """Say which tier serves a request: the one asked for, where that is a tier and not a wish."""
    asked = content.get("service_tier")
    return {"flex": "flex", "priority": "priority", "fast": "priority", "scale": "scale"}.get(
        str(asked), "default"
    )


def _stream(request: Request, answer: Answer, chunks: list[dict[str, Any]], bill: Bill) -> Reply:
    chunks = [{**chunk, **answer.fields} for chunk in chunks]
    preamble = 1 if request.endpoint == "chat.completions" else 0  # the chunk that only says who speaks
    frames = [sse(None, chunk) for chunk in chunks] + [sse(None, "[DONE]")]
    if answer.fails_after is not None:
        error = {"message": answer.failure, "type": answer.failure, "param": None, "code": answer.failure}
        frames = [*frames[: preamble + answer.fails_after], sse(None, {"error": error})]
    return replace(Reply.stream(frames), preamble=preamble, bills=(bill,), delivery=answer.delivery)


def _chunks(request: Request, answer: Answer, spoken: Spoken, choices: int) -> list[dict[str, Any]]:
    head = _head(request, spoken, "chat.completion.chunk")

    def chunk(at: int, delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
        return {**head, "choices": [{"index": at, "delta": delta, "logprobs": None, "finish_reason": finish}]}

    chunks = []
    for at in range(choices):
        chunks.append(chunk(at, {"role": "assistant", "content": "", "refusal": None}))
        chunks.extend(chunk(at, {"content": piece}) for piece in spoken.pieces)
        for call in _tool_calls(request, spoken):
            arguments = call["function"]["arguments"]
            opened = {**call, "function": {**call["function"], "arguments": ""}}
            chunks.append(chunk(at, {"tool_calls": [opened]}))
            chunks.append(
                chunk(at, {"tool_calls": [{"index": call["index"], "function": {"arguments": arguments}}]})
            )
        chunks.append(chunk(at, {}, _finish(answer, spoken)))
    return _with_usage(chunks, head, request, answer, spoken)


def _with_usage(
    chunks: list[dict[str, Any]], head: dict[str, Any], request: Request, answer: Answer, spoken: Spoken
) -> list[dict[str, Any]]:
    options = request.content.get("stream_options")
    asked = isinstance(options, dict) and options.get("include_usage") is True
    if not asked and not answer.usage_unasked:
        return chunks
    # As the API reference says of include_usage: one chunk more, without choices; the others say null.
    return [
        *({**chunk, "usage": None} for chunk in chunks),
        {**head, "choices": [], "usage": _shown(answer, spoken)},
    ]


def _head(request: Request, spoken: Spoken, kind: str) -> dict[str, Any]:
    prefix = "cmpl" if kind == "text_completion" else "chatcmpl"
    return {
        "id": f"{prefix}-{request.number:06d}",
        "object": kind,
        "created": CREATED,
        "model": spoken.model,
        "service_tier": spoken.usage.service_tier or "default",
        "system_fingerprint": "fp_loopback",
    }


def _tool_calls(request: Request, spoken: Spoken) -> list[dict[str, Any]]:
    return [
        {
            "index": at,
            "id": f"call_{request.number:06d}_{at}",
            "type": "function",
            "function": {"name": call.name, "arguments": compact(dict(call.arguments))},
        }
        for at, call in enumerate(spoken.tool_calls)
    ]


def _finish(answer: Answer, spoken: Spoken) -> str:
    return answer.stop_reason or ("tool_calls" if spoken.tool_calls else "stop")


def _shown(answer: Answer, spoken: Spoken) -> Any:
    return (
        wire_counts(spoken.usage, "prompt", "completion")
        if answer.usage_json is AS_BILLED
        else answer.usage_json
    )


def _times(usage: Usage, choices: int) -> Usage:
    counts = usage.passes[0].counts
    return replace(usage, passes=(Pass(counts={**counts, "output": int(counts.get("output", 0)) * choices}),))
