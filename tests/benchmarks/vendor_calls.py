"""
The calls that the benchmarks make: what the vendor answers, from memory, and who asks.

It needs the SDKs alone, so that it works in the environments of other libraries too.
The SDKs' HTTP clients are given a transport that answers from memory: nothing is sent, and what is measured is the SDK's own work.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

CHUNKS = 500
SDKS = ("anthropic", "openai")
KINDS = ("sync", "async")
SCENARIOS = [f"{sdk}-{kind}-{shape}" for sdk in SDKS for kind in KINDS for shape in ("call", "stream")]
MODELS = {"anthropic": "claude-sonnet-4-6", "openai": "gpt-4o"}


# What the vendor answers.


def _sse(events: list[tuple[str | None, Any]]) -> bytes:
    lines = [f"event: {name}\n" * bool(name) + f"data: {json.dumps(data)}\n\n" for name, data in events]
    return "".join(lines).encode()


def _anthropic_bodies() -> tuple[bytes, bytes]:
    usage = {"input_tokens": 1200, "cache_read_input_tokens": 300, "output_tokens": 1}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-4-6"}
    text = {"type": "text", "text": "word " * CHUNKS}
    whole = {**message, "content": [text], "stop_reason": "end_turn", "stop_sequence": None}
    whole["usage"] = {**usage, "output_tokens": CHUNKS}
    start = {**message, "content": [], "stop_reason": None, "stop_sequence": None, "usage": usage}
    delta = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "word "}}
    stop = {"stop_reason": "end_turn", "stop_sequence": None}
    block = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
    events = [
        {"type": "message_start", "message": start},
        block,
        *[delta] * CHUNKS,
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": stop, "usage": {"output_tokens": CHUNKS}},
        {"type": "message_stop"},
    ]
    return json.dumps(whole).encode(), _sse([(event["type"], event) for event in events])


def _openai_bodies() -> tuple[bytes, bytes]:
    usage = {
        "prompt_tokens": 1200,
        "completion_tokens": CHUNKS,
        "total_tokens": 1200 + CHUNKS,
        "prompt_tokens_details": {"cached_tokens": 300},
        "completion_tokens_details": {"reasoning_tokens": 0},
    }
    common = {"id": "chatcmpl-1", "created": 1, "model": "gpt-4o-2024-08-06"}
    said = {"role": "assistant", "content": "word " * CHUNKS}
    choice = {"index": 0, "message": said, "finish_reason": "stop", "logprobs": None}
    whole = {**common, "object": "chat.completion", "choices": [choice], "usage": usage}
    chunk = {**common, "object": "chat.completion.chunk", "usage": None}
    delta = {"index": 0, "delta": {"content": "word "}, "finish_reason": None, "logprobs": None}
    last = {"index": 0, "delta": {}, "finish_reason": "stop", "logprobs": None}
    chunks = [
        *[{**chunk, "choices": [delta]}] * CHUNKS,
        {**chunk, "choices": [last]},
        {**chunk, "choices": [], "usage": usage},
    ]
    return json.dumps(whole).encode(), _sse([(None, one) for one in chunks]) + b"data: [DONE]\n\n"


BODIES: dict[str, Callable[[], tuple[bytes, bytes]]] = {
    "anthropic": _anthropic_bodies,
    "openai": _openai_bodies,
}


# Who asks.


def http_of(sdk: Any) -> Any:
    """The HTTP library that an SDK is built on: httpx or httpx2."""
    homes = (sys.modules[one.__module__.partition(".")[0]] for one in sdk.DefaultHttpxClient.__mro__)
    return next(home for home in homes if hasattr(home, "MockTransport"))


def client_class(sdk_name: str, kind: str) -> Any:
    """The client of an SDK."""
    name = {"anthropic": "Anthropic", "openai": "OpenAI"}[sdk_name]
    return getattr(importlib.import_module(sdk_name), name if kind == "sync" else f"Async{name}")


def plain_client(sdk_name: str, kind: str) -> Any:
    """A client that is answered from memory."""
    http = http_of(importlib.import_module(sdk_name))
    whole, streamed = BODIES[sdk_name]()

    def answer(request: Any) -> Any:
        stream = b'"stream":true' in request.content or b'"stream": true' in request.content
        media = "text/event-stream" if stream else "application/json"
        return http.Response(
            200,
            content=streamed if stream else whole,
            headers={"content-type": media, "request-id": "req_1", "x-request-id": "req_1"},
        )

    http_class = http.Client if kind == "sync" else http.AsyncClient
    made = client_class(sdk_name, kind)
    return made(api_key="any", http_client=http_class(transport=http.MockTransport(answer)))


def words_of(sdk: str) -> dict[str, Any]:
    """What each call asks."""
    limit = {"max_tokens": 1024} if sdk == "anthropic" else {}
    return {"model": MODELS[sdk], **limit, "messages": [{"role": "user", "content": "Say something."}]}


def create_of(sdk: str, client: Any) -> Any:
    """The method that each call calls."""
    return client.messages.create if sdk == "anthropic" else client.chat.completions.create


def work(
    scenario: str, client: Any, at_once: int = 1, loop: asyncio.AbstractEventLoop | None = None
) -> Callable[[int], None]:
    """Do the scenario's call so many times; an async client makes so many of them at once, in this loop or one of its own."""
    sdk, kind, shape = scenario.split("-")
    create, words = create_of(sdk, client), words_of(sdk)
    if kind == "sync":

        def synchronous(times: int) -> None:
            for _ in range(times):
                if shape == "call":
                    create(**words)
                else:
                    for _event in create(**words, stream=True):
                        pass

        return synchronous

    running = loop or asyncio.new_event_loop()

    async def one() -> None:
        if shape == "call":
            await create(**words)
        else:
            async for _event in await create(**words, stream=True):
                pass
            await asyncio.sleep(0)  # the loop closes what the SDK left open

    async def ask(times: int) -> None:
        if at_once == 1:
            for _ in range(times):
                await one()
        else:
            for _ in range(0, times, at_once):
                await asyncio.gather(*(one() for _ in range(at_once)))

    return lambda times: running.run_until_complete(ask(times))


WAYS = ("json", "orjson", "metrics")
"""What `BENCHMARK_OURS` may say: the log line by `json` (the default) or by orjson, or metrics alone."""


def tracked_client(plain: Any) -> Any:
    """A client tracked as an application has it: metrics, and one JSON line a call, which goes to the null device."""
    import structlog
    from prometheus_client import CollectorRegistry

    from tracked_inference import TrackedClient
    from tracked_inference.sinks.metrics import MetricsSink

    way = os.environ.get("BENCHMARK_OURS", WAYS[0])
    if way not in WAYS:
        raise SystemExit(f"BENCHMARK_OURS={way}: say {', '.join(WAYS)}")
    null = Path(os.devnull)
    render, factory = structlog.processors.JSONRenderer(), structlog.WriteLoggerFactory(file=null.open("w"))
    if way == "orjson":
        import orjson

        render = structlog.processors.JSONRenderer(serializer=orjson.dumps)
        factory = structlog.BytesLoggerFactory(file=null.open("wb"))
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            render,
        ],
        logger_factory=factory,
        cache_logger_on_first_use=True,
    )
    registry = CollectorRegistry()
    sinks = [MetricsSink(registry)] if way == "metrics" else None
    return TrackedClient(plain, feature="benchmark", team="benchmark", registry=registry, sinks=sinks)
