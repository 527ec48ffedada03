"""What OpenAI sells besides text as the loopback vendor speaks it: embeddings, images, audio, moderations."""

from __future__ import annotations

import base64
import struct
import zlib
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tracked_inference.loopback.answer import AS_BILLED
from tracked_inference.loopback.imagination import count_tokens, words
from tracked_inference.loopback.openai_chat import CREATED
from tracked_inference.loopback.reply import Bill, Reply
from tracked_inference.usage import Pass, Usage

if TYPE_CHECKING:
    from tracked_inference.loopback.answer import Answer
    from tracked_inference.loopback.request import Request

__all__ = ["embeddings", "images", "moderations", "speech", "transcriptions"]

DIMENSIONS = 16  # small, as nobody looks at them; `dimensions` asks for more
SECOND_BYTES = 32_000  # 16 kHz, 16 bit, mono
PICTURE = (  # a PNG of one pixel
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGP4DwABAQEAsTj2FAAAAABJRU5ErkJggg=="
)
IMAGE_TOKENS = {"low": 272, "medium": 1056, "high": 4160}  # of 1024 x 1024, by quality
HARM_NAMES = (
    "harassment harassment/threatening sexual hate hate/threatening illicit illicit/violent self-harm/intent"
    " self-harm/instructions self-harm sexual/minors violence violence/graphic"
)
HARMS = HARM_NAMES.split()


def embeddings(request: Request, answer: Answer) -> Reply:
    """Answer `POST /v1/embeddings`: vectors as floats or, as the SDK asks, in base64."""
    content = request.content
    given = content.get("input")
    texts = given if isinstance(given, list) and given and not isinstance(given[0], int) else [given]
    counts = [len(text) if isinstance(text, list) else count_tokens(text) for text in texts]
    usage = answer.usage or Usage(passes=(Pass(counts={"input": sum(counts)}),))
    size = int(content.get("dimensions") or DIMENSIONS)
    vectors = [_vector(zlib.crc32(repr(text).encode()), size) for text in texts]
    if content.get("encoding_format") == "base64":
        shown: list[Any] = [
            base64.b64encode(struct.pack(f"<{size}f", *vector)).decode() for vector in vectors
        ]
    else:
        shown = list(vectors)
    body = {
        "object": "list",
        "data": [
            {"object": "embedding", "index": at, "embedding": vector} for at, vector in enumerate(shown)
        ],
        "model": answer.model or request.model,
        "usage": _or({"prompt_tokens": usage.input_tokens, "total_tokens": usage.input_tokens}, answer),
        **answer.fields,
    }
    return _billed(Reply.json(body), request, answer, usage)


def images(request: Request, answer: Answer) -> Reply:
    """Answer `POST /v1/images/generations`, `/edits` and `/variations`."""
    asked = request.content or request.form
    count = int(asked.get("n") or 1)
    quality = str(asked.get("quality") or "medium")
    look = {
        "background": "opaque",
        "output_format": "png",
        "quality": quality,
        "size": str(asked.get("size") or "1024x1024"),
    }
    if (request.model or "").startswith("dall-e"):
        usage = answer.usage or Usage(passes=(Pass(counts={"image": count}),))
        pictures = [
            {"url": f"http://{request.headers.get('host', '')}/pictures/{at}.png"} for at in range(count)
        ]
        body: dict[str, Any] = {"created": CREATED, "data": pictures, **answer.fields}
        return _billed(Reply.json(body), request, answer, usage)
    counts = {
        "input": count_tokens(asked.get("prompt")),
        "output_image": IMAGE_TOKENS.get(quality, 1056) * count,
    }
    if request.endpoint != "images.generations":
        counts["input_image"] = 323
    usage = answer.usage or Usage(passes=(Pass(counts=counts),))
    if request.stream:
        kind = "image_edit" if request.endpoint == "images.edits" else "image_generation"
        picture = {"b64_json": PICTURE, "created_at": CREATED, **look}
        completed = {
            "type": f"{kind}.completed",
            **picture,
            "usage": _image_usage(usage, answer),
            **answer.fields,
        }
        partial = {"type": f"{kind}.partial_image", **picture, "partial_image_index": 0}
        return _billed(_events(partial, completed), request, answer, usage)
    body = {
        "created": CREATED,
        "data": [{"b64_json": PICTURE} for _ in range(count)],
        **look,
        "usage": _image_usage(usage, answer),
        **answer.fields,
    }
    return _billed(Reply.json(body), request, answer, usage)


def transcriptions(request: Request, answer: Answer) -> Reply:
    """Answer `POST /v1/audio/transcriptions` and `/translations`; only JSON says what was used."""
    recording = request.form.get("file", b"")
    seconds = max(1, len(recording) // SECOND_BYTES)
    text = answer.text if answer.text is not None else words(3 * seconds, zlib.crc32(str(recording).encode()))
    if answer.usage is not None:
        usage = answer.usage
    elif (request.model or "").startswith("whisper"):
        usage = Usage(passes=(Pass(counts={"second": Decimal(seconds)}),))
    else:
        usage = Usage(passes=(Pass(counts={"input_audio": 10 * seconds, "output": max(1, len(text) // 4)}),))
    shown = _or(_audio_usage(usage), answer)
    wanted = request.form.get("response_format", "json")
    if request.stream:
        piece = {"type": "transcript.text.delta", "delta": text, "logprobs": []}
        done = {"type": "transcript.text.done", "text": text, "logprobs": [], "usage": shown, **answer.fields}
        return _billed(_events(piece, done), request, answer, usage)
    if wanted in ("text", "srt", "vtt"):
        return _billed(
            Reply.data(f"{text}\n".encode(), content_type="text/plain; charset=utf-8"), request, answer, usage
        )
    body: dict[str, Any] = {"text": text, "usage": shown, **answer.fields}
    if wanted == "verbose_json":
        body = {
            "task": "transcribe",
            "language": "english",
            "duration": float(seconds),
            "segments": [],
            **body,
        }
    return _billed(Reply.json(body), request, answer, usage)


def speech(request: Request, answer: Answer) -> Reply:
    """Answer `POST /v1/audio/speech`: bytes without usage, or a stream whose last event has it."""
    said = str(request.content.get("input") or "")
    sound = (b"RIFF" + said.encode()) * 4
    by_character = (request.model or "").startswith("tts-")
    tokens = {"input": count_tokens(said), "output_audio": max(1, len(said))}
    usage = answer.usage or Usage(passes=(Pass(counts={"character": len(said)} if by_character else tokens),))
    if request.content.get("stream_format") == "sse":
        piece = {"type": "speech.audio.delta", "audio": base64.b64encode(sound).decode()}
        totals = {"input_tokens": usage.input_tokens, "output_tokens": usage.output_tokens}
        totals["total_tokens"] = sum(totals.values())
        done = {"type": "speech.audio.done", "usage": _or(totals, answer)}
        return _billed(Reply.sse([(None, piece), (None, done)]), request, answer, usage)
    frames = [sound[at : at + 1024] for at in range(0, len(sound), 1024)]
    return _billed(Reply.stream(frames, content_type="audio/mpeg"), request, answer, usage)


def moderations(request: Request, answer: Answer) -> Reply:
    """Answer `POST /v1/moderations`, which is free."""
    given = request.content.get("input")
    count = len(given) if isinstance(given, list) and given and isinstance(given[0], str) else 1
    result = {
        "flagged": False,
        "categories": dict.fromkeys(HARMS, False),
        "category_scores": dict.fromkeys(HARMS, 0.0001),
        "category_applied_input_types": {harm: ["text"] for harm in HARMS},
    }
    model = answer.model or request.model or "omni-moderation-latest"
    body = {"id": f"modr-{request.number:06d}", "model": model, "results": [result] * count, **answer.fields}
    return replace(Reply.json(body), delivery=answer.delivery)


def _events(*events: dict[str, Any]) -> Reply:
    return Reply.sse((event["type"], event) for event in events)


def _billed(reply: Reply, request: Request, answer: Answer, usage: Usage) -> Reply:
    model = request.model or ""
    bill = Bill(request.number, request.seller, request.endpoint, model, answer.model or model, usage)
    return replace(reply, bills=(bill,), delivery=answer.delivery)


def _or(shown: Any, answer: Answer) -> Any:
    return shown if answer.usage_json is AS_BILLED else answer.usage_json


def _image_usage(usage: Usage, answer: Answer) -> Any:
    text, image = int(usage.quantity("input")), int(usage.quantity("input_image"))
    shown = {
        "input_tokens": usage.input_tokens,
        "input_tokens_details": {"text_tokens": text, "image_tokens": image},
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {
            "text_tokens": int(usage.quantity("output")),
            "image_tokens": int(usage.quantity("output_image")),
        },
        "total_tokens": usage.input_tokens + usage.output_tokens,
    }
    return _or(shown, answer)


def _audio_usage(usage: Usage) -> dict[str, Any]:
    if seconds := usage.quantity("second"):
        return {"type": "duration", "seconds": float(seconds)}
    audio, text = int(usage.quantity("input_audio")), int(usage.quantity("input"))
    return {
        "type": "tokens",
        "input_tokens": usage.input_tokens,
        "input_token_details": {"text_tokens": text, "audio_tokens": audio},
        "output_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
    }


def _vector(seed: int, size: int) -> list[float]:
    """Give a vector of length about 1; a linear congruence is random enough."""
    values = []
    for _ in range(size):
        seed = (seed * 1_664_525 + 1_013_904_223) % 2**32
        values.append((seed / 2**31 - 1) / size**0.5)
    return values
