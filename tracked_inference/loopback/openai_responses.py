"""OpenAI's Responses as the loopback vendor speaks them: JSON, streams, background and retrieval."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tracked_inference.loopback.answer import AS_BILLED
from tracked_inference.loopback.framing import compact
from tracked_inference.loopback.imagination import count_tokens, speak
from tracked_inference.loopback.openai_chat import CREATED, served_tier, wire_counts
from tracked_inference.loopback.reply import Bill, Reply
from tracked_inference.usage import Pass, Usage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracked_inference.loopback.answer import Answer
    from tracked_inference.loopback.imagination import PromptCaches, Spoken
    from tracked_inference.loopback.request import Request

__all__ = ["Responses"]

REMEMBERED = 1000


@dataclass(slots=True)
class _Stored:
    body: dict[str, Any]
    pieces: tuple[str, ...]
    bills: tuple[Bill, ...]
    polls_left: int = 0
    cancelled: bool = False

    def shown(self) -> dict[str, Any]:
        if self.cancelled:
            return {**self.body, "status": "cancelled", "output": [], "usage": None}
        if self.polls_left > 0:
            return {**self.body, "status": "queued", "output": [], "usage": None, "completed_at": None}
        return self.body


class Responses:
    """The responses of one vendor; the last thousand can be retrieved."""

    def __init__(self, caches: PromptCaches) -> None:
        self._caches = caches
        self._stored: OrderedDict[str, _Stored] = OrderedDict()

    def create(self, request: Request, answer: Answer) -> Reply:
        """Answer `POST /v1/responses`."""
        content = request.content
        counts = self._caches.openai(request.model, content)
        prompt = Usage(passes=(Pass(counts=counts),), service_tier=served_tier(content))
        spoken = speak(request, answer, prompt, model=request.model or "")
        body = _body(request, answer, spoken)
        bill = Bill(
            request.number, request.seller, request.endpoint, request.model or "", spoken.model, spoken.usage
        )
        background = content.get("background") is True
        stored = _Stored(
            body, spoken.pieces, (bill,), polls_left=answer.polls if background and not request.stream else 0
        )
        self._remember(body["id"], stored)
        if request.stream:
            return self._streamed(stored, answer, background=background)
        bills: tuple[Bill, ...] = ()
        if stored.polls_left <= 0:
            bills, stored.bills = stored.bills, ()
        return replace(Reply.json(stored.shown()), bills=bills, delivery=answer.delivery)

    def retrieve(self, request: Request, answer: Answer) -> Reply:
        """Answer `GET /v1/responses/{id}`; each asking brings the end nearer, where it is billed."""
        stored = self._stored.get(request.resource_id or "")
        if stored is None:
            return Reply.error(404, f"no response {request.resource_id!r}")
        stored.polls_left -= 1
        if request.query.get("stream") == "true":
            stored.polls_left = 0
            return self._streamed(stored, answer, background=False)
        bills: tuple[Bill, ...] = ()
        if stored.polls_left <= 0 and not stored.cancelled:
            bills, stored.bills = stored.bills, ()
        return replace(Reply.json(stored.shown()), bills=bills, delivery=answer.delivery)

    def cancel(self, request: Request, answer: Answer) -> Reply:
        """Answer `POST /v1/responses/{id}/cancel`; what was cancelled is not billed."""
        stored = self._stored.get(request.resource_id or "")
        if stored is None:
            return Reply.error(404, f"no response {request.resource_id!r}")
        stored.cancelled = stored.polls_left > 0
        return replace(Reply.json(stored.shown()), delivery=answer.delivery)

    def count(self, request: Request) -> Reply:
        """Answer `POST /v1/responses/input_tokens`, which is free."""
        tokens = count_tokens([request.content.get(key) for key in ("instructions", "tools", "input")])
        return Reply.json({"object": "response.input_tokens", "input_tokens": tokens})

    def _remember(self, response_id: str, stored: _Stored) -> None:
        self._stored[response_id] = stored
        if len(self._stored) > REMEMBERED:
            self._stored.popitem(last=False)

    @staticmethod
    def _streamed(stored: _Stored, answer: Answer, *, background: bool) -> Reply:
        events = list(_events(stored.body, stored.pieces, answer, background=background))
        numbered = [{**event, "sequence_number": at} for at, event in enumerate(events)]
        preamble = next(
            (at for at, event in enumerate(events) if event["type"].endswith(".delta")), len(events)
        )
        bills, stored.bills = stored.bills, ()
        reply = Reply.sse((event["type"], event) for event in numbered)
        return replace(reply, preamble=preamble, bills=bills, delivery=answer.delivery)


def _body(request: Request, answer: Answer, spoken: Spoken) -> dict[str, Any]:
    content = request.content
    stopped = {} if answer.stop_reason is None else {"reason": answer.stop_reason}
    tier = spoken.usage.service_tier or "default"
    return {
        "id": f"resp_{request.number:06d}",
        "object": "response",
        "created_at": CREATED,
        "completed_at": CREATED,
        "status": "incomplete" if stopped else "completed",
        "background": content.get("background") is True,
        "error": None,
        "incomplete_details": stopped or None,
        "instructions": content.get("instructions"),
        "max_output_tokens": content.get("max_output_tokens"),
        "model": spoken.model,
        "output": list(_output(request, spoken)),
        "parallel_tool_calls": True,
        "previous_response_id": content.get("previous_response_id"),
        "reasoning": {"effort": None, "summary": None},
        "service_tier": tier,
        "store": True,
        "temperature": 1.0,
        "text": content.get("text") or {"format": {"type": "text"}},
        "tool_choice": content.get("tool_choice") or "auto",
        "tools": content.get("tools") or [],
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": wire_counts(spoken.usage, "input", "output")
        if answer.usage_json is AS_BILLED
        else answer.usage_json,
        "metadata": content.get("metadata") or {},
        **answer.fields,
    }


def _output(request: Request, spoken: Spoken) -> Iterator[dict[str, Any]]:
    number = request.number
    if spoken.thinking is not None:
        yield {
            "type": "reasoning",
            "id": f"rs_{number:06d}",
            "summary": [{"type": "summary_text", "text": spoken.thinking}],
        }
    for at in range(int(spoken.usage.quantity("web_search") + spoken.usage.quantity("web_search_preview"))):
        action = {"type": "search", "query": f"search {at}", "queries": [f"search {at}"], "sources": []}
        yield {
            "type": "web_search_call",
            "id": f"ws_{number:06d}_{at}",
            "status": "completed",
            "action": action,
        }
    for at in range(int(spoken.usage.quantity("file_search"))):
        identity = {"type": "file_search_call", "id": f"fs_{number:06d}_{at}"}
        yield {**identity, "status": "completed", "queries": [f"search {at}"], "results": None}
    for at, call in enumerate(spoken.tool_calls):
        identity = {
            "type": "function_call",
            "id": f"fc_{number:06d}_{at}",
            "call_id": f"call_{number:06d}_{at}",
        }
        yield {
            **identity,
            "name": call.name,
            "arguments": compact(dict(call.arguments)),
            "status": "completed",
        }
    if spoken.text or not spoken.tool_calls:
        part = {"type": "output_text", "text": spoken.text, "annotations": [], "logprobs": []}
        identity = {"type": "message", "id": f"msg_{number:06d}", "role": "assistant"}
        yield {**identity, "status": "completed", "content": [part]}


def _events(
    body: dict[str, Any], pieces: tuple[str, ...], answer: Answer, *, background: bool
) -> Iterator[dict[str, Any]]:
    started = {**body, "status": "in_progress", "output": [], "usage": None, "completed_at": None}
    yield {"type": "response.created", "response": {**started, "status": "queued"} if background else started}
    if background:
        yield {"type": "response.queued", "response": {**started, "status": "queued"}}
    yield {"type": "response.in_progress", "response": started}
    for index, item in enumerate(body["output"]):
        at = {"output_index": index, "item_id": item["id"]}
        if item["type"] == "message":
            yield {
                "type": "response.output_item.added",
                "output_index": index,
                "item": _opening(item, content=[]),
            }
            part = item["content"][0]
            place = {**at, "content_index": 0}
            yield {"type": "response.content_part.added", **place, "part": {**part, "text": ""}}
            for said, piece in enumerate(pieces):
                if said == answer.fails_after:
                    error = {"code": answer.failure, "message": answer.failure}
                    yield {
                        "type": "response.failed",
                        "response": {**body, "status": "failed", "error": error, "output": []},
                    }
                    return
                yield {"type": "response.output_text.delta", **place, "delta": piece, "logprobs": []}
            yield {"type": "response.output_text.done", **place, "text": part["text"], "logprobs": []}
            yield {"type": "response.content_part.done", **place, "part": part}
        elif item["type"] == "function_call":
            yield {
                "type": "response.output_item.added",
                "output_index": index,
                "item": _opening(item, arguments=""),
            }
            yield {"type": "response.function_call_arguments.delta", **at, "delta": item["arguments"]}
            done = {"name": item["name"], "arguments": item["arguments"]}
            yield {"type": "response.function_call_arguments.done", **at, **done}
        else:
            yield {"type": "response.output_item.added", "output_index": index, "item": item}
        yield {"type": "response.output_item.done", "output_index": index, "item": item}
    yield {"type": f"response.{body['status']}", "response": body}


def _opening(item: dict[str, Any], **empty: Any) -> dict[str, Any]:
    return {**item, "status": "in_progress", **empty}
