"""The anthropic SDK: which requests bill, where their usage sits, how its streams end, who sells."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from tracked_inference.vendors._operations import CALL, COUNTED_FREE, LINES, Operation
from tracked_inference.vendors._reading import StreamReader, get, path_of
from tracked_inference.vendors.anthropic_usage import merge_usage, usage_of

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

NAME = "anthropic"
STREAM_USAGE_ON_REQUEST = frozenset[str]()  # every Anthropic stream carries its usage

_POST = (
    (re.compile(r"/messages/count_tokens$"), COUNTED_FREE),
    (re.compile(r"/messages/batches(?:/|$)"), COUNTED_FREE),
    # Things with a life of their own: sessions of managed agents show what they used so far on every look at them.
    (
        re.compile(
            r"/v1/(?:agents|compliance|deployments|dreams|environments|files|memory_stores|organizations|sessions|skills|tunnels"
            r"|user_profiles|vaults)(?:/|$)"
        ),
        COUNTED_FREE,
    ),
    (re.compile(r"/messages$"), Operation("messages", CALL)),
    (re.compile(r"/model/[^/]+/invoke(?:-with-response-stream)?$"), Operation("messages", CALL)),
    (re.compile(r":(?:stream)?rawPredict$", re.IGNORECASE), Operation("messages", CALL)),
    (re.compile(r"/complete$"), Operation("completions", CALL)),
)
_NEW_BATCH = re.compile(r"/messages/batches$")
_BATCH_RESULTS = re.compile(r"/messages/batches/(?P<id>[^/]+)/results$")


def operation_of(method: str, url: str) -> Operation | None:
    """What a request is to us; None for one that bills nothing."""
    path = path_of(url)
    if method == "get":
        found = _BATCH_RESULTS.search(path)
        return Operation("messages.batches", LINES, found["id"]) if found else None
    if method != "post":
        return None
    for pattern, operation in _POST:
        if pattern.search(path):
            return None if operation is COUNTED_FREE else operation
    return Operation.unknown(path)


def makes_batch(url: str) -> bool:
    """Whether a POST asks for a batch, whose lines are billed when they have run."""
    return _NEW_BATCH.search(path_of(url)) is not None


_SELLERS = {
    # The class tells before the address does: these clients build their own addresses.
    "BaseBedrockClient": "bedrock",
    "BaseMantleClient": "bedrock",
    "AnthropicBedrock": "bedrock",
    "AsyncAnthropicBedrock": "bedrock",
    "AnthropicBedrockMantle": "bedrock",
    "AsyncAnthropicBedrockMantle": "bedrock",
    "BaseVertexClient": "vertex",
    "AnthropicVertex": "vertex",
    "AsyncAnthropicVertex": "vertex",
    "BaseFoundryClient": "foundry",
    "AnthropicFoundry": "foundry",
    "AsyncAnthropicFoundry": "foundry",
    # Claude Platform on AWS, and Claude Models on Google Cloud in its Anthropic-managed form, are the Claude API, which Anthropic
    # runs and rates; only the invoice comes through the cloud.
    # https://docs.aws.amazon.com/claude-platform/latest/userguide/billing.html,
    # https://platform.claude.com/docs/en/build-with-claude/claude-models-on-google-cloud/anthropic-managed
    "AnthropicAWS": "anthropic",
    "AsyncAnthropicAWS": "anthropic",
    "BaseGoogleCloudClient": "anthropic",
    "AnthropicGoogleCloud": "anthropic",
    "AsyncAnthropicGoogleCloud": "anthropic",
}


def seller_of(client_class: type) -> str | None:
    """Who sells, where the client's class says so: Bedrock, Vertex and Foundry; None where its address must tell."""
    for base in client_class.__mro__:
        seller = _SELLERS.get(base.__name__)
        if seller is not None:
            return seller
    return None


class _Messages(StreamReader):
    """
    The events of a Messages stream.

    `message_start` carries the exact input and cache counts; `message_delta` overwrites, field by field, what it knows.
    """

    __slots__ = ("_blocks", "_counted", "_stop_details", "_stop_reason", "_usage")

    def __init__(self) -> None:
        super().__init__()
        self._usage: Any = None
        self._counted = False
        self._stop_reason: Any = None
        self._stop_details: Any = None
        self._blocks: list[Any] = []

    def see(self, event: Any, /) -> bool:
        kind = get(event, "type")
        if kind == "content_block_delta":
            self.content()
            self.learn(event)
        elif kind == "completion":  # the legacy endpoint, which reports no usage
            self.content()
            self.model = get(event, "model") or self.model
            self.complete = get(event, "stop_reason") is not None
        elif kind == "message_start":
            message = get(event, "message")
            self.model = get(message, "model") or self.model
            self.response_id = get(message, "id") or self.response_id
            self._usage = get(message, "usage")
        elif kind == "message_delta":
            usage = get(event, "usage")
            if usage is not None:
                self._usage = merge_usage(self._usage, usage)
                self._counted = True
            delta = get(event, "delta")
            self._stop_reason = get(delta, "stop_reason") or self._stop_reason
            self._stop_details = get(delta, "stop_details") or self._stop_details
            self.complete = self._counted and self._stop_reason is not None  # else another delta may follow
        elif kind == "message_stop":
            self.complete = self._counted
        elif kind == "content_block_start":
            block = get(event, "content_block")
            if str(get(block, "type")) not in _PLAIN_BLOCKS:
                self._blocks.append(block)
        elif isinstance(kind, str) and kind in _EMPTY_EVENTS:
            self.learn(event)
        return False

    def body(self) -> Any:
        if self._usage is None:
            return None
        return {
            "id": self.response_id,
            "model": self.model,
            "usage": self._usage,
            "stop_reason": self._stop_reason,
            "stop_details": self._stop_details,
            "content": self._blocks,
        }


_PLAIN_BLOCKS = frozenset({"text", "thinking", "redacted_thinking", "tool_use"})
_EMPTY_EVENTS = frozenset({"content_block_stop", "ping"})


def reader(_operation: str) -> StreamReader:
    """What looks at the events of a stream of this operation."""
    return _Messages()


def batch_line(line: Any) -> tuple[str, Any, str] | None:
    """One line of a batch's results as (custom id, message or None, outcome); None for a line that never ran."""
    result = get(line, "result")
    kind = get(result, "type")
    custom_id = str(get(line, "custom_id"))
    if kind == "succeeded":
        return custom_id, get(result, "message"), "ok"
    if kind == "errored":
        return custom_id, None, "error"
    return None


def operation_of_body(_body: Any) -> str:
    """The operation that the message of a batch line comes from."""
    return "messages"


def complete(client: Any, model: str, messages: Any, options: Mapping[str, Any], _seller: str) -> Any:
    """Ask for one answer; an awaitable on an async client."""
    return client.messages.create(model=model, messages=messages, **options)


def text_of(message: Any) -> str:
    """The joined text blocks of a message; empty for an answer of tool calls only."""
    blocks = get(message, "content") or ()
    return "".join(get(block, "text") or "" for block in blocks if get(block, "type") == "text")
