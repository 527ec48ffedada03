"""The openai SDK: which requests bill, where their usage sits, how its streams end, who sells."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from tracked_inference.vendors._operations import BATCH_FILE, CALL, COUNTED_FREE, RETRIEVE, Operation
from tracked_inference.vendors._reading import StreamReader, get, path_of
from tracked_inference.vendors.openai_usage import usage_of

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "NAME",
    "batch_line",
    "complete",
    "makes_batch",
    "operation_of",
    "operation_of_body",
    "reader",
    "seller_of",
    "text_of",
    "usage_of",
]

NAME = "openai"
STREAM_USAGE_ON_REQUEST = frozenset({"chat.completions", "completions"})
"""Streams that report usage only when `stream_options.include_usage` asks for it."""

_POST = (
    (re.compile(r"/chat/completions$"), Operation("chat.completions", CALL)),
    (re.compile(r"/chat/completions/[^/]+$"), COUNTED_FREE),  # changes the metadata of a stored completion
    (re.compile(r"/responses$"), Operation("responses", CALL)),
    (re.compile(r"/responses/compact$"), Operation("responses", CALL)),
    (re.compile(r"/responses/input_tokens$"), COUNTED_FREE),
    (re.compile(r"/responses/(?P<id>[^/]+)/cancel$"), Operation("responses", RETRIEVE)),
    (re.compile(r"/decisions$"), Operation("decisions", CALL)),
    (re.compile(r"/embeddings$"), Operation("embeddings", CALL)),
    (re.compile(r"/images/(?:generations|edits|variations)$"), Operation("images", CALL)),
    (re.compile(r"/audio/transcriptions$"), Operation("audio.transcriptions", CALL)),
    (re.compile(r"/audio/translations$"), Operation("audio.translations", CALL)),
    (re.compile(r"/audio/speech$"), Operation("audio.speech", CALL)),
    (re.compile(r"/moderations$"), Operation("moderations", CALL)),
    (re.compile(r"/videos(?:/edits|/extensions|/[^/]+/remix)?$"), Operation("videos", CALL)),
    (re.compile(r"/completions$"), Operation("completions", CALL)),
    # Things with a life of their own: they report usage, but of work that is billed elsewhere or by the hour.
    (
        re.compile(
            r"/(?:batches|files|uploads|vector_stores|fine_tuning|evals|containers|conversations|assistants|threads"
            r"|realtime|live|skills|organization|projects|webhook_endpoints|vaults|agents|chatkit)(?:/|$)"
        ),
        COUNTED_FREE,
    ),
)
_NEW_BATCH = re.compile(r"/batches$")
_GET = (
    (re.compile(r"/responses/(?P<id>[^/]+)$"), Operation("responses", RETRIEVE)),
    (re.compile(r"/videos/(?P<id>[^/]+)$"), Operation("videos", RETRIEVE)),
    (re.compile(r"/files/(?P<id>[^/]+)/content$"), Operation("batches", BATCH_FILE)),
)


def operation_of(method: str, url: str) -> Operation | None:
    """What a request is to us; None for one that bills nothing."""
    path = path_of(url)
    table = _POST if method == "post" else _GET if method == "get" else ()
    for pattern, operation in table:
        found = pattern.search(path)
        if found:
            if operation is COUNTED_FREE:
                return None
            subject = found.groupdict().get("id")
            return Operation(operation.name, operation.kind, subject) if subject else operation
    return Operation.unknown(path) if method == "post" else None


def makes_batch(url: str) -> bool:
    """Whether a POST asks for a batch, whose lines are billed when they have run."""
    return _NEW_BATCH.search(path_of(url)) is not None


_SELLERS = {
    "BaseAzureClient": "azure",
    "AzureOpenAI": "azure",
    "AsyncAzureOpenAI": "azure",
    "BedrockOpenAI": "bedrock",
    "AsyncBedrockOpenAI": "bedrock",
}


def seller_of(client_class: type) -> str | None:
    """Who sells, where the client's class says so: Azure and Bedrock; None where its address must tell."""
    for base in client_class.__mro__:
        seller = _SELLERS.get(base.__name__)
        if seller is not None:
            return seller
    return None


class _Chat(StreamReader):
    """
    The chunks of chat and legacy completions: usage comes in a last chunk without choices, if it was asked for.

    `hide` is set when the wrapper asked and the caller did not: that chunk is then not the caller's.
    """

    __slots__ = ("_service_tier", "_usage", "hide")

    def __init__(self) -> None:
        super().__init__()
        self.hide = False
        self._usage: Any = None
        self._service_tier: Any = None

    def see(self, event: Any, /) -> bool:
        parsed = not isinstance(event, dict)
        said: Any = event.__dict__ if parsed else event
        usage, tier = said.get("usage"), said.get("service_tier")
        if tier is not None:
            self._service_tier = tier  # the last one that says something wins
        if usage is None:
            if self.hide and parsed:
                # The SDK notes which fields the vendor sent; a null usage in each chunk is there only because we asked.
                event.__pydantic_fields_set__.discard("usage")
            if self.first_content_at is not None:
                return False  # one of the many in the middle
        choices = said.get("choices")
        if usage is not None:
            self._usage = usage
            # Some servers send the usage so far with each piece of content: more is to come until the end is said.
            self.complete = not (
                choices and _has_content(choices[0]) and get(choices[0], "finish_reason") is None
            )
        if not self.response_id:  # Azure's first chunk has empty ones
            self.model = said.get("model") or self.model
            self.response_id = said.get("id")
        if choices:
            if self.first_content_at is None and _has_content(choices[0]):
                self.content()
            return False
        return self.hide and usage is not None

    def body(self) -> Any:
        if self._usage is None:
            return None
        return {
            "id": self.response_id,
            "model": self.model,
            "usage": self._usage,
            "service_tier": self._service_tier,
        }


def _has_content(choice: Any) -> bool:
    if get(choice, "text"):
        return True
    delta = get(choice, "delta")
    return any(
        get(delta, name)
        for name in ("content", "tool_calls", "function_call", "refusal", "reasoning_content", "audio")
    )


class _Events(StreamReader):
    """Typed events: Responses, images, transcriptions, speech. The last event carries the response or its usage."""

    __slots__ = ("_body", "background")

    def __init__(self) -> None:
        super().__init__()
        self._body: Any = None
        self.background = False  # goes on at the vendor when the stream is left

    def see(self, event: Any, /) -> bool:
        kind = get(event, "type")
        if not isinstance(kind, str):
            return False
        if kind.endswith((".delta", ".partial_image")):
            self.content()
            self.learn(event)
        elif kind.startswith("response."):
            response = get(event, "response")
            if response is None:
                self.learn(event)
                return False
            self.model = get(response, "model") or self.model
            self.response_id = get(response, "id") or self.response_id
            self.background = get(response, "background") is True
            if kind in _FINAL_RESPONSES:
                self._body = response
                self.complete = True
        elif get(event, "usage") is not None:
            self._body = event
            self.complete = True
        elif kind.endswith((".done", ".completed")):
            self.complete = True
            self._body = event
        return False

    def body(self) -> Any:
        return self._body


_FINAL_RESPONSES = frozenset(
    {"response.completed", "response.incomplete", "response.failed", "response.cancelled"}
)


def reader(operation: str) -> StreamReader:
    """What looks at the events of a stream of this operation."""
    return _Chat() if operation in STREAM_USAGE_ON_REQUEST else _Events()


def batch_line(line: Any) -> tuple[str, Any, str] | None:
    """One line of a batch's output file as (id, response body or None, outcome); None for what is no such line."""
    response = get(line, "response")
    custom_id = get(line, "custom_id")
    if custom_id is None or not isinstance(response, dict):
        return None
    body = response.get("body")
    if response.get("status_code") == 200 and isinstance(body, dict):
        return f"{get(line, 'id')}:{custom_id}", body, "ok"
    return f"{get(line, 'id')}:{custom_id}", None, "error"


def operation_of_body(body: Any) -> str:
    """The operation that a response body comes from, by its own marks: for batch lines, which do not name it."""
    kind = str(get(body, "object") or "")
    if not kind and str(get(body, "id")).startswith("modr"):
        return "moderations"
    return _OBJECTS.get(kind, "chat.completions")


_OBJECTS = {
    "response": "responses",
    "chat.completion": "chat.completions",
    "text_completion": "completions",
    "list": "embeddings",
}


def complete(client: Any, model: str, messages: Any, options: Mapping[str, Any], seller: str) -> Any:
    """
    Ask for one answer; an awaitable on an async client.

    OpenAI deprecated `max_tokens` for `max_completion_tokens`, which all of its chat models take and the newer ones demand
    (https://platform.openai.com/docs/api-reference/chat/create); other servers may know the old name alone.
    """
    if seller == "openai" and "max_tokens" in options:
        options = {"max_completion_tokens": options["max_tokens"], **options}
        del options["max_tokens"]
    return client.chat.completions.create(model=model, messages=messages, **options)


def text_of(completion: Any) -> str:
    """The text of the first choice; empty for an answer of tool calls only."""
    choices = get(completion, "choices") or ()
    content = get(get(choices[0], "message"), "content") if choices else None
    return content if isinstance(content, str) else ""
