"""Usage of OpenAI's pictures, recordings, speech and videos, which are not all sold by the token."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tracked_inference.usage import make_pass, make_usage
from tracked_inference.vendors._gateway import gateway_cost
from tracked_inference.vendors._openai_tokens import token_counts
from tracked_inference.vendors._shapes import count, fields, items, money, text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

    from tracked_inference.usage import Usage

__all__ = ["images", "speech", "transcription", "video"]


def images(body: object, request: Mapping[str, Any], batch: bool, complete: bool) -> Usage | None:
    """
    Pictures: text and picture tokens, each at its own rate; the response names no model (rule 30).

    Models before `gpt-image-1` report no tokens and are sold by the picture, by size and quality.
    """
    answer = fields(body)
    raw = answer.get("usage")
    notes: list[str] = []
    passes = []
    if raw is not None:
        usage = fields(raw)
        read = token_counts(usage, notes, pictures=True)
        if read is not None:
            passes.append(make_pass(read[0]))
    vectors = fields(answer.get("svg_usage"))
    if vectors:
        read = token_counts(vectors, notes)
        if read is not None:
            passes.append(make_pass(read[0], text(vectors.get("model")), "svg"))
    if not passes:
        pictures = len(items(answer.get("data")))
        if not pictures:
            return None
        size = text(answer.get("size")) or text(request.get("size")) or "1024x1024"
        quality = text(answer.get("quality")) or text(request.get("quality"))
        passes.append(make_pass({"image": pictures}, size=f"{size}/{quality}" if quality else size))
    return make_usage(
        tuple(passes),
        requested_tier=text(request.get("service_tier")),
        batch=batch,
        complete=complete,
        notes=tuple(notes),
        gateway_cost_usd=gateway_cost(fields(raw)) if raw is not None else None,
    )


def transcription(body: object, request: Mapping[str, Any], batch: bool, complete: bool) -> Usage | None:
    """
    Recordings: `usage.type` says whether seconds or tokens are billed (rule 29).

    The text formats return a bare string and no usage: unmeasured, not zero (rule 42).
    """
    del request
    answer = fields(body)
    usage = fields(answer.get("usage"))
    notes: list[str] = []
    seconds = usage.get("seconds")
    counts: dict[str, Any] = {}
    if seconds is not None:
        length = money(seconds)
        if length is None:
            notes.append("inconsistent:seconds")
        elif length:
            counts["second"] = int(length) if length == int(length) else length
    else:
        read = token_counts(usage, notes)
        if read is None:
            return None
        counts = dict(read[0])
        if "input" in counts and not fields(usage.get("input_token_details")):
            counts["input_audio"] = counts.pop("input")  # undivided: a recording is audio
    return make_usage((make_pass(counts),), batch=batch, complete=complete, notes=tuple(notes))


def speech(body: object, request: Mapping[str, Any], batch: bool, complete: bool) -> Usage | None:
    """
    Speech: the characters of the request, or the tokens that a server-sent stream carries at its end (rules 30 and 42).
    """
    usage = fields(body).get("usage") if not isinstance(body, (str, bytes)) else None
    notes: list[str] = []
    if usage is not None:
        read = token_counts(fields(usage), notes)
        if read is not None:
            counts = dict(read[0])
            if "output" in counts:
                counts["output_audio"] = counts.pop("output")
            return make_usage((make_pass(counts),), batch=batch, complete=complete, notes=tuple(notes))
    said = request.get("input")
    if not isinstance(said, str):
        return None
    return make_usage((make_pass({"character": len(said)} if said else {}),), batch=batch, complete=complete)


def video(body: object, request: Mapping[str, Any], batch: bool, complete: bool) -> Usage | None:
    """Videos: seconds by size, billed only when completed (rule 30); a failed one is free, one under way is unmeasured."""
    answer = fields(body)
    status = answer.get("status")
    if status == "failed":
        return make_usage((), batch=batch, complete=complete, free="failed_video")
    if status != "completed":
        return None
    notes: list[str] = []
    raw = answer.get("seconds", request.get("seconds"))
    length = money(raw)
    if length is None:
        return None
    seconds: int | Decimal = length
    if length == int(length):
        seconds = count(int(length), "seconds", notes)
    size = text(answer.get("size")) or text(request.get("size"))
    counts = {"video_second": seconds} if seconds else {}
    return make_usage((make_pass(counts, size=size),), batch=batch, complete=complete, notes=tuple(notes))
