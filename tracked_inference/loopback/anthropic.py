"""Anthropic's Messages API as the loopback vendor speaks it, first-hand and through other clouds."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from tracked_inference.loopback.answer import AS_BILLED
from tracked_inference.loopback.framing import aws_event, aws_exception, compact, sse
from tracked_inference.loopback.imagination import count_tokens, speak
from tracked_inference.loopback.reply import Bill, Reply
from tracked_inference.usage import Pass, Usage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracked_inference.loopback.answer import Answer
    from tracked_inference.loopback.imagination import PromptCaches, Spoken
    from tracked_inference.loopback.request import Request

__all__ = ["counted", "message", "messages"]

_WRITES = ("cache_write_5m", "cache_write_1h")


def messages(request: Request, answer: Answer, caches: PromptCaches) -> Reply:
    """Answer `POST /v1/messages` and its forms on other clouds, as JSON or as a stream."""
    spoken, body, bill = message(request, answer, caches)
    if not request.stream:
        headers = _bedrock_headers(spoken.usage) if request.seller == "bedrock" else {}
        reply = Reply.json(body, headers=headers)
        return Reply(reply.status, reply.headers, reply.body, bills=(bill,), delivery=answer.delivery)
    events = list(_events(body, spoken, answer, request.seller))
    preamble = next(
        (at for at, event in enumerate(events) if event["type"] == "content_block_delta"), len(events)
    )
    if request.seller == "bedrock":
        # Bedrock sends no pings, and its failures are frames of another kind.
        frames = [
            aws_exception("modelStreamErrorException", answer.failure)
            if event["type"] == "error"
            else aws_event(event)
            for event in events
            if event["type"] != "ping"
        ]
        content_type, preamble = "application/vnd.amazon.eventstream", max(0, preamble - 1)
    else:
        frames = [sse(event["type"], event) for event in events]
        content_type = "text/event-stream; charset=utf-8"
    return Reply(
        200,
        {"content-type": content_type},
        frames=tuple(frames),
        preamble=preamble,
        bills=(bill,),
        delivery=answer.delivery,
    )


def counted(request: Request) -> Reply:
    """Answer `POST /v1/messages/count_tokens`, which is free."""
    content = request.content
    return Reply.json(
        {"input_tokens": count_tokens([content.get(key) for key in ("tools", "system", "messages")])}
    )


def message(request: Request, answer: Answer, caches: PromptCaches) -> tuple[Spoken, dict[str, Any], Bill]:
    """Make the message, whole, and its bill; batches are made of these too."""
    content = request.content
    prompt = Usage(
        passes=(Pass(counts=caches.anthropic(request.model, content)),),
        service_tier="standard",
        speed=content.get("speed"),
        inference_geo=content.get("inference_geo"),
    )
    spoken = speak(request, answer, prompt, model=_answering(request))
    blocks: list[dict[str, Any]] = []
    if spoken.thinking is not None:
        blocks.append({"type": "thinking", "thinking": spoken.thinking, "signature": "bG9vcGJhY2s="})
    if spoken.text or not spoken.tool_calls:
        blocks.append({"type": "text", "text": spoken.text})
    blocks.extend(
        {
            "type": "tool_use",
            "id": f"toolu_{request.number:06d}_{at}",
            "name": call.name,
            "input": dict(call.arguments),
        }
        for at, call in enumerate(spoken.tool_calls)
    )
    body = {
        "id": f"msg_{request.number:06d}",
        "type": "message",
        "role": "assistant",
        "model": spoken.model,
        "content": blocks,
        "stop_reason": answer.stop_reason or ("tool_use" if spoken.tool_calls else "end_turn"),
        "stop_sequence": None,
        "usage": _usage(spoken.usage) if answer.usage_json is AS_BILLED else answer.usage_json,
        **answer.fields,
    }
    bill = Bill(
        request.number, request.seller, request.endpoint, request.model or "", spoken.model, spoken.usage
    )
    return spoken, body, bill


def _events(body: dict[str, Any], spoken: Spoken, answer: Answer, seller: str) -> Iterator[dict[str, Any]]:
    final = body["usage"]
    opening = {**_usage(spoken.usage), "output_tokens": min(1, spoken.usage.output_tokens)}
    opening.pop("iterations", None)
    if answer.start_usage_json is not AS_BILLED:
        opening = answer.start_usage_json
    start = {**body, "content": [], "stop_reason": None, "usage": opening}
    yield {"type": "message_start", "message": start}
    said = 0
    for index, block in enumerate(body["content"]):
        yield {"type": "content_block_start", "index": index, "content_block": _opened(block)}
        if index == 0:
            yield {"type": "ping"}
        for delta in _deltas(block, spoken):
            if said == answer.fails_after:
                yield {"type": "error", "error": {"type": answer.failure, "message": answer.failure}}
                return
            yield {"type": "content_block_delta", "index": index, "delta": delta}
            said += delta["type"] == "text_delta"
        yield {"type": "content_block_stop", "index": index}
    ending = {"stop_reason": body["stop_reason"], "stop_sequence": body["stop_sequence"]}
    # The last usage has the counts so far, but not the split by lifetime, the tier, the place and the speed.
    if isinstance(final, dict) and answer.usage_json is AS_BILLED:
        silent = ("cache_creation", "service_tier", "inference_geo", "speed")
        final = {key: value for key, value in final.items() if key not in silent}
    yield {"type": "message_delta", "delta": ending, "usage": final}
    stop: dict[str, Any] = {"type": "message_stop"}
    if seller == "bedrock":
        tokens = spoken.usage
        stop["amazon-bedrock-invocationMetrics"] = {
            "inputTokenCount": tokens.passes[0].counts.get("input", 0),
            "outputTokenCount": tokens.output_tokens,
            "invocationLatency": 100,
            "firstByteLatency": 10,
        }
    yield stop


def _opened(block: dict[str, Any]) -> dict[str, Any]:
    if block["type"] == "tool_use":
        return {**block, "input": {}}
    return {**block, "text": ""} if block["type"] == "text" else {**block, "thinking": "", "signature": ""}


def _deltas(block: dict[str, Any], spoken: Spoken) -> Iterator[dict[str, Any]]:
    if block["type"] == "text":
        for piece in spoken.pieces:
            yield {"type": "text_delta", "text": piece}
    elif block["type"] == "thinking":
        yield {"type": "thinking_delta", "thinking": block["thinking"]}
        yield {"type": "signature_delta", "signature": block["signature"]}
    else:
        written = compact(block["input"])
        middle = len(written) // 2
        for part in (written[:middle], written[middle:]):
            yield {"type": "input_json_delta", "partial_json": part}


def _usage(usage: Usage) -> dict[str, Any]:
    """Write usage as Anthropic does: at the top what the answering model did, in `iterations` every pass."""
    served = [one for one in usage.passes if one.kind == "fallback_message"] or [
        one for one in usage.passes if one.kind == "message"
    ]
    wire: dict[str, Any] = _counts(served)
    wire["service_tier"] = "batch" if usage.batch else usage.service_tier or "standard"
    wire["inference_geo"] = usage.inference_geo or "not_available"
    if usage.speed is not None:
        wire["speed"] = usage.speed
    if usage.reasoning_tokens:
        wire["output_tokens_details"] = {"thinking_tokens": usage.reasoning_tokens}
    searches = int(usage.quantity("web_search"))
    if searches:
        wire["server_tool_use"] = {"web_search_requests": searches, "web_fetch_requests": 0}
    if len(usage.passes) > 1:
        wire["iterations"] = [
            {"type": one.kind, **_counts([one]), **({"model": one.model} if one.model else {})}
            for one in usage.passes
        ]
    return wire


def _counts(passes: list[Pass]) -> dict[str, Any]:
    def total(*units: str) -> int:
        return sum(int(one.counts.get(unit, 0)) for one in passes for unit in units)

    return {
        "input_tokens": total("input", "input_image"),
        "cache_creation_input_tokens": total(*_WRITES),
        "cache_read_input_tokens": total("cache_read", "cache_read_image"),
        "cache_creation": {
            "ephemeral_5m_input_tokens": total("cache_write_5m"),
            "ephemeral_1h_input_tokens": total("cache_write_1h"),
        },
        "output_tokens": total("output"),
    }


def _answering(request: Request) -> str:
    """Name the model as the answer does: without the region, maker and version that other clouds write."""
    model = (request.model or "").rsplit("/", 1)[-1]
    if request.seller == "bedrock":
        model = re.sub(r"^(?:[a-z]+\.)?anthropic\.", "", model)
        model = re.sub(r"-v\d+(?::\d+)?$", "", model)
    return model.replace("@", "-") if request.seller == "vertex" else model


def _bedrock_headers(usage: Usage) -> dict[str, str]:
    counts = usage.passes[0].counts
    return {
        "x-amzn-bedrock-input-token-count": str(counts.get("input", 0)),
        "x-amzn-bedrock-output-token-count": str(usage.output_tokens),
        "x-amzn-bedrock-invocation-latency": "100",
    }
