"""What the loopback vendor was asked: the request, what it is for and who sells it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Request"]


@dataclass(frozen=True, slots=True)
class Request:
    """
    One request as it arrived.

    Attributes:
        number: Counted from 0 over the life of the vendor.
        method: `POST` for instance.
        path: Without the query.
        query: The query; of a repeated name the last.
        headers: Names in lower case.
        body: As it came.
        json: The body as JSON; None if it is none.
        form: The fields of a multipart body, files as bytes.
        seller: `anthropic`, `openai`, `azure`, `bedrock`, `vertex` or `foundry`, from the path.
        endpoint: `messages`, `responses.retrieve` for instance; `unknown` for what nobody serves.
        model: The model that is asked for, from the body or the path.
        stream: Whether a stream is asked for.
        resource_id: The id in the path of a retrieve.
    """

    number: int
    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    json: Any
    form: Mapping[str, str | bytes]
    seller: str
    endpoint: str
    model: str | None
    stream: bool
    resource_id: str | None = None

    @classmethod
    def read(cls, number: int, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Request:
        """Read a request from its parts."""
        path, _, query = target.partition("?")
        kind = headers.get("content-type", "")
        content = _json(body) if body and not kind.startswith("multipart/") else None
        form = _multipart(kind, body) if kind.startswith("multipart/") else {}
        route = _route(method, path, headers)
        named = (
            (content.get("model") if isinstance(content, dict) else None) or form.get("model") or route.model
        )
        streams = route.streams or (isinstance(content, dict) and content.get("stream") is True)
        return cls(
            number=number,
            method=method,
            path=path,
            query=dict(parse_qsl(query, keep_blank_values=True)) if query else {},
            headers=headers,
            body=body,
            json=content,
            form=form,
            seller=route.seller,
            endpoint=route.endpoint,
            model=named if isinstance(named, str) else None,
            stream=streams or form.get("stream") == "true",
            resource_id=route.resource_id,
        )

    @property
    def content(self) -> dict[str, Any]:
        """The JSON object of the body; empty if it is none."""
        return self.json if isinstance(self.json, dict) else {}


@dataclass(frozen=True, slots=True)
class _Route:
    seller: str
    endpoint: str
    model: str | None = None
    streams: bool = False
    resource_id: str | None = None


_BEDROCK = re.compile(r"/model/(?P<model>[^/]+)/invoke(?P<streams>-with-response-stream)?")
_VERTEX = re.compile(
    r".*/publishers/anthropic/models/(?P<model>[^/:]+):(?P<streams>streamRawPredict|rawPredict)"
)
_AZURE = re.compile(r"/openai/deployments/(?P<model>[^/]+)(?P<rest>/.+)")
_PREFIXES = (("/anthropic/v1", "foundry"), ("/openai/v1", "azure"), ("/openai", "azure"), ("/v1", "openai"))
_POSTS = {
    "/messages": "messages",
    "/messages/count_tokens": "messages.count_tokens",
    "/messages/batches": "messages.batches",
    "/chat/completions": "chat.completions",
    "/completions": "completions",
    "/responses": "responses",
    "/responses/input_tokens": "responses.input_tokens",
    "/embeddings": "embeddings",
    "/images/generations": "images.generations",
    "/images/edits": "images.edits",
    "/images/variations": "images.variations",
    "/audio/transcriptions": "audio.transcriptions",
    "/audio/translations": "audio.translations",
    "/audio/speech": "audio.speech",
    "/moderations": "moderations",
}
_BY_ID = (
    ("GET", re.compile(r"/messages/batches/(?P<id>[^/]+)"), "messages.batches.retrieve"),
    ("GET", re.compile(r"/messages/batches/(?P<id>[^/]+)/results"), "messages.batches.results"),
    ("POST", re.compile(r"/responses/(?P<id>[^/]+)/cancel"), "responses.cancel"),
    ("GET", re.compile(r"/responses/(?P<id>[^/]+)"), "responses.retrieve"),
    ("GET", re.compile(r"/models/(?P<id>.+)"), "models.retrieve"),
    ("GET", re.compile(r"/models"), "models"),
)


def _route(method: str, path: str, headers: Mapping[str, str]) -> _Route:
    if match := _BEDROCK.fullmatch(path):
        return _Route("bedrock", "messages", unquote(match["model"]), streams=bool(match["streams"]))
    if match := _VERTEX.fullmatch(path):
        if match["model"] == "count-tokens":
            return _Route("vertex", "messages.count_tokens")
        return _Route(
            "vertex", "messages", unquote(match["model"]), streams=match["streams"] == "streamRawPredict"
        )
    if match := _AZURE.fullmatch(path):
        return _Route("azure", _POSTS.get(match["rest"], "unknown"), unquote(match["model"]))
    for prefix, maker in _PREFIXES:
        if path.startswith(prefix + "/"):
            rest = path.removeprefix(prefix)
            by_anthropic = "anthropic-version" in headers or rest.startswith("/messages")
            seller = "anthropic" if maker == "openai" and by_anthropic else maker
            if method == "POST" and rest in _POSTS:
                return _Route(seller, _POSTS[rest])
            for verb, pattern, endpoint in _BY_ID:
                if verb == method and (match := pattern.fullmatch(rest)):
                    return _Route(seller, endpoint, resource_id=match.groupdict().get("id"))
            return _Route(seller, "unknown")
    return _Route("unknown", "unknown")


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None


_NAME = re.compile(rb'name="([^"]*)"')


def _multipart(content_type: str, body: bytes) -> dict[str, str | bytes]:
    """Read the fields of a multipart body: those with a file name as bytes, the others as text."""
    _, _, boundary = content_type.partition("boundary=")
    fields: dict[str, str | bytes] = {}
    for part in body.split(b"--" + boundary.strip('"').encode()):
        head, separator, value = part.partition(b"\r\n\r\n")
        if separator and (name := _NAME.search(head)):
            value = value.removesuffix(b"\r\n")
            fields[name[1].decode()] = value if b"filename=" in head else value.decode(errors="replace")
    return fields
