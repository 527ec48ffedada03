"""
Recorded responses of real vendors, where they lie beside the repository: `<repo>/../shared/corpus`.

Each interaction is brought into the shape in which the client hands it to the readers: the body of a response, or the merged
state of a stream in the shape of the final response.
"""

from __future__ import annotations

import base64
import gzip
import json
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tracked_inference.vendors import anthropic_usage

if TYPE_CHECKING:
    from tracked_inference.pricing import PriceTable

SHARED = Path(__file__).resolve().parents[2] / "shared" / "corpus"
OPERATIONS = {
    "messages": "messages",
    "bedrock.invoke": "messages",
    "bedrock.invoke-stream": "messages",
    "vertex.anthropic": "messages",
    "anthropic.complete": "completions",
    "chat.completions": "chat.completions",
    "completions": "completions",
    "responses": "responses",
    "responses.compact": "responses",
    "embeddings": "embeddings",
    "images.generations": "images",
    "images.edits": "images",
    "audio.transcriptions": "audio.transcriptions",
    "audio.translations": "audio.translations",
    "audio.speech": "audio.speech",
    "moderations": "moderations",
}


def lines(name: str) -> list[dict[str, Any]]:
    with gzip.open(SHARED / name, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def events(row: dict[str, Any]) -> list[dict[str, Any]]:
    """The JSON of each event of a stream."""
    response = row["response"]
    if response.get("body") is None and response.get("body_b64"):
        return _aws_events(base64.b64decode(response["body_b64"]))
    found = []
    for line in (response.get("body") or "").splitlines():
        if line.startswith("data:"):
            try:
                event = json.loads(line[5:])
            except ValueError:
                continue
            if isinstance(event, dict):
                found.append(event)
    return found


def _aws_events(raw: bytes) -> list[dict[str, Any]]:
    """Messages of an AWS event stream: total length, headers length, checksum, headers, payload, checksum."""
    found, at = [], 0
    while at + 16 <= len(raw):
        total, headers = struct.unpack(">II", raw[at : at + 8])
        if total < 16 or at + total > len(raw):
            break
        try:
            payload = json.loads(raw[at + 12 + headers : at + total - 4])
            found.append(json.loads(base64.b64decode(payload["bytes"])))
        except (ValueError, KeyError, TypeError):
            pass
        at += total
    return found


def final_body(row: dict[str, Any]) -> tuple[Any, bool]:
    """What the readers are given for an interaction, and whether its stream came to its end."""
    if not row["stream"] or row["kind"] == "json":
        body = row["response"].get("body")
        if body is None and row["response"].get("body_b64"):
            body = base64.b64decode(row["response"]["body_b64"]).decode("utf-8", "replace")
        try:
            return json.loads(body or ""), True
        except ValueError:
            return (body if not row["stream"] else merged(row)[0]), True
    return merged(row)


def merged(row: dict[str, Any]) -> tuple[dict[str, Any], bool]:
    operation = OPERATIONS[row["endpoint"]]
    state: dict[str, Any] = {}
    complete = False
    for event in events(row):
        kind = event.get("type")
        if operation == "messages":
            if kind == "message_start" and isinstance(event.get("message"), dict):
                state = dict(event["message"])
                state["content"] = []
            elif kind == "message":  # a whole message in one event
                state, complete = event, True
            elif kind == "content_block_start":
                state.setdefault("content", []).append(event.get("content_block"))
            elif kind == "message_delta":
                state["usage"] = anthropic_usage.merge_usage(state.get("usage"), event.get("usage"))
                state.update(
                    {key: value for key, value in (event.get("delta") or {}).items() if value is not None}
                )
                complete = True
        elif operation == "responses":
            if kind in ("response.completed", "response.incomplete", "response.failed"):
                state, complete = event["response"], True
        elif operation.startswith("audio"):
            if event.get("usage") is not None:
                state, complete = event, True
        else:
            for key in ("model", "service_tier", "usage"):
                if event.get(key) is not None:
                    state[key] = event[key]
            complete = complete or event.get("usage") is not None
    return state, complete


def request_of(row: dict[str, Any]) -> dict[str, Any]:
    asked = row["request"].get("json")
    if isinstance(asked, dict):
        return {**asked.get("_multipart", {}), **asked}
    return {}


def seller(row: dict[str, Any], table: PriceTable) -> str:
    """Who sold it, from the host alone, as the client does; a local host is the user's own by the overlay of a test."""
    host = row["host"].lower()
    return table.provider_for(f"https://{host}") or host
