"""Anthropic's Message Batches as the loopback vendor speaks them: read as often as you like, billed once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tracked_inference.loopback.anthropic import message
from tracked_inference.loopback.framing import compact
from tracked_inference.loopback.reply import Bill, Reply

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracked_inference.loopback.answer import Answer
    from tracked_inference.loopback.imagination import PromptCaches
    from tracked_inference.loopback.request import Request

__all__ = ["ITEM", "Batches"]

ITEM = "messages.batches.item"
"""The endpoint under which a script answers one request of a batch."""


@dataclass(slots=True)
class _Batch:
    lines: list[dict[str, Any]]
    bills: tuple[Bill, ...]
    polls_left: int
    failed: int = 0

    @property
    def ended(self) -> bool:
        return self.polls_left <= 0

    def take_bills(self) -> tuple[Bill, ...]:
        bills, self.bills = self.bills, ()
        return bills


class Batches:
    """The batches of one vendor; `answer_item` says how one request of a batch is answered."""

    def __init__(self, answer_item: Callable[[Request], Answer | Reply], caches: PromptCaches) -> None:
        self._answer_item = answer_item
        self._caches = caches
        self._batches: dict[str, _Batch] = {}

    def create(self, request: Request, answer: Answer) -> Reply:
        """Answer `POST /v1/messages/batches`: all is answered at once, and shown when the batch has ended."""
        batch_id = f"msgbatch_{request.number:06d}"
        batch = _Batch([], (), answer.polls)
        for item in request.content.get("requests", []):
            result = self._result(request, item["params"], batch)
            batch.lines.append({"custom_id": item["custom_id"], "result": result})
        self._batches[batch_id] = batch
        return self._shown(batch_id, batch, request, answer)

    def retrieve(self, request: Request, answer: Answer) -> Reply:
        """Answer `GET /v1/messages/batches/{id}`; each asking brings the end nearer."""
        batch = self._batches.get(request.resource_id or "")
        if batch is None:
            return Reply.error(404, f"no batch {request.resource_id!r}")
        batch.polls_left -= 1
        return self._shown(request.resource_id or "", batch, request, answer)

    def results(self, request: Request, answer: Answer) -> Reply:
        """Answer `GET /v1/messages/batches/{id}/results`: one line of JSON a request."""
        batch = self._batches.get(request.resource_id or "")
        if batch is None or not batch.ended:
            return Reply.error(404, f"no results of batch {request.resource_id!r} yet")
        frames = tuple((compact(line) + "\n").encode() for line in batch.lines)
        reply = Reply.stream(frames, content_type="application/x-jsonl")
        return replace(reply, bills=batch.take_bills(), delivery=answer.delivery)

    def _result(self, request: Request, params: dict[str, Any], batch: _Batch) -> dict[str, Any]:
        # The body is the item's own, so that what is made up depends on the item alone.
        item = replace(
            request,
            body=compact(params).encode(),
            json=params,
            endpoint=ITEM,
            model=params.get("model"),
            stream=False,
        )
        answer = self._answer_item(item)
        if isinstance(answer, Reply):
            batch.failed += 1
            error = {"type": "invalid_request_error", "message": "the loopback vendor was told to fail"}
            return {"type": "errored", "error": {"type": "error", "error": error, "request_id": None}}
        at = len(batch.lines)
        _, body, bill = message(item, answer, self._caches)
        usage = replace(bill.usage, batch=True, service_tier="batch")
        message_id = f"{body['id']}_{at}"
        batch.bills += (replace(bill, usage=usage, message=message_id),)
        if isinstance(body["usage"], dict):
            body["usage"] = {**body["usage"], "service_tier": "batch"}
        return {"type": "succeeded", "message": {**body, "id": message_id}}

    def _shown(self, batch_id: str, batch: _Batch, request: Request, answer: Answer) -> Reply:
        done = len(batch.lines)
        base = f"http://{request.headers.get('host', '')}{request.path.partition('/messages/batches')[0]}"
        counts = {"processing": 0 if batch.ended else done, "canceled": 0, "expired": 0}
        counts["errored"] = batch.failed if batch.ended else 0
        counts["succeeded"] = done - batch.failed if batch.ended else 0
        body = {
            "id": batch_id,
            "type": "message_batch",
            "processing_status": "ended" if batch.ended else "in_progress",
            "request_counts": counts,
            "created_at": "2026-01-01T00:00:00Z",
            "expires_at": "2026-01-02T00:00:00Z",
            "ended_at": "2026-01-01T00:01:00Z" if batch.ended else None,
            "archived_at": None,
            "cancel_initiated_at": None,
            "results_url": f"{base}/messages/batches/{batch_id}/results" if batch.ended else None,
            **answer.fields,
        }
        bills = batch.take_bills() if batch.ended else ()
        return replace(Reply.json(body), bills=bills, delivery=answer.delivery)
