"""The models that the loopback vendor lists; it answers for any other name just as well."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tracked_inference.loopback.openai_chat import CREATED
from tracked_inference.loopback.reply import Reply

if TYPE_CHECKING:
    from tracked_inference.loopback.request import Request

__all__ = ["models"]

ANTHROPIC = ("claude-opus-4-5", "claude-sonnet-4-5", "claude-haiku-4-5")
OPENAI = ("gpt-4o", "gpt-4o-mini", "text-embedding-3-small")


def models(request: Request) -> Reply:
    """Answer `GET /v1/models`, paged for Anthropic, and `GET /v1/models/{id}`."""
    show = _anthropic if request.seller in ("anthropic", "foundry") else _openai
    if request.endpoint == "models.retrieve":
        return Reply.json(show(request.resource_id or ""))
    if show is _openai:
        return Reply.json({"object": "list", "data": [_openai(name) for name in OPENAI]})
    after = request.query.get("after_id")
    start = ANTHROPIC.index(after) + 1 if after in ANTHROPIC else 0
    page = ANTHROPIC[start : start + int(request.query.get("limit") or 20)]
    return Reply.json(
        {
            "data": [_anthropic(name) for name in page],
            "has_more": start + len(page) < len(ANTHROPIC),
            "first_id": page[0] if page else None,
            "last_id": page[-1] if page else None,
        }
    )


def _openai(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": CREATED, "owned_by": "loopback"}


def _anthropic(name: str) -> dict[str, Any]:
    return {"type": "model", "id": name, "display_name": name, "created_at": "2026-01-01T00:00:00Z"}
