"""
Did it record this call, once, with the right tokens and dollars?  The cases, and the verdict on what was recorded.

The cases are met against the loopback vendor, whose answers cost what is written here.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import inspect
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from tests.benchmarks.peers import Recorded
from tests.benchmarks.vendor_calls import KINDS, client_class, create_of, http_of, words_of

if TYPE_CHECKING:
    from tests.benchmarks.peers import Watching
    from tracked_inference.loopback import Answer, Reply, Request

Case = Callable[[str, Any], Any]
FAIL = "please fail"

# claude-sonnet-4-6: 1200 input at 3 USD per million, 300 from the cache at 0.30, 500 output at 15.
# gpt-4o: of 1200 input 900 at 2.50, 300 from the cache at 1.25, 500 output at 10.
DOLLARS = {
    "anthropic": (1200 * 3 + 300 * 0.30 + 500 * 15) / 1e6,
    "openai": (900 * 2.50 + 300 * 1.25 + 500 * 10) / 1e6,
}
INPUTS = {"anthropic": (1200, 1500), "openai": (1200,)}
"""Right counts of input: Anthropic's own word leaves cached tokens out, OpenTelemetry's takes them in."""
OUTPUT = 500


def answer(request: Request) -> Answer | Reply:
    """What the vendor says to each case."""
    from tracked_inference.loopback import Answer, Reply

    if FAIL in str(request.json):
        return Reply.error(400, "as asked")
    uncached = 1200 if request.seller == "anthropic" else 900
    return Answer.using(
        {"input": uncached, "cache_read": 300, "output": OUTPUT}, text="word " * 20, chunks=20
    )


async def _done(value: Any) -> Any:
    return await value if inspect.isawaitable(value) else value


async def _read(client: Any, stream: Any, until: int | None = None) -> None:
    """Read a stream to its end, or some events and then close it."""
    if _is_async(client):
        number = 0
        async for _ in stream:
            number += 1
            if number == until:
                break
    else:
        for number, _ in enumerate(stream, 1):
            if number == until:
                break
    if until is not None:
        await _done(stream.close())


async def _read_helper(client: Any, manager: Any) -> None:
    if _is_async(client):
        async with manager as stream:
            await _read(client, stream)
    else:
        with manager as stream:
            await _read(client, stream)


def _is_async(client: Any) -> bool:  # what a stream has says nothing: some have both kinds of methods
    return any("Async" in one.__name__ for one in type(client).__mro__)


async def call(sdk: str, client: Any) -> None:
    await _done(create_of(sdk, client)(**words_of(sdk)))


async def stream(sdk: str, client: Any) -> None:
    await _read(client, await _done(create_of(sdk, client)(**words_of(sdk), stream=True)))


async def stream_with_usage(sdk: str, client: Any) -> None:
    asked = {"stream": True, "stream_options": {"include_usage": True}}
    await _read(client, await _done(create_of(sdk, client)(**words_of(sdk), **asked)))


async def left(sdk: str, client: Any) -> None:
    await _read(client, await _done(create_of(sdk, client)(**words_of(sdk), stream=True)), until=5)


async def helper(sdk: str, client: Any) -> None:
    room = client.messages if sdk == "anthropic" else client.chat.completions
    await _read_helper(client, room.stream(**words_of(sdk)))


async def responses(sdk: str, client: Any) -> None:
    await _done(client.responses.create(model="gpt-4o", input="Say something."))


async def responses_helper(sdk: str, client: Any) -> None:
    await _read_helper(client, client.responses.stream(model="gpt-4o", input="Say something."))


async def raw(sdk: str, client: Any) -> None:
    room = client.messages if sdk == "anthropic" else client.chat.completions
    response = await _done(room.with_raw_response.create(**words_of(sdk)))
    await _done(response.parse())


async def failing(sdk: str, client: Any) -> None:
    words = {**words_of(sdk), "messages": [{"role": "user", "content": FAIL}]}
    with suppress(importlib.import_module(sdk).BadRequestError):
        await _done(create_of(sdk, client)(**words))
        raise AssertionError("the error did not reach the caller")


async def copied(sdk: str, client: Any) -> None:
    await call(sdk, client.with_options(timeout=9))


CASES: dict[str, dict[str, Case]] = {
    "anthropic": {
        "call": call,
        "stream": stream,
        "stream left early": left,
        "`messages.stream()`": helper,
        "raw response": raw,
        "error": failing,
        "`with_options()`": copied,
    },
    "openai": {
        "call": call,
        "stream": stream,
        "stream, `include_usage`": stream_with_usage,
        "stream left early": left,
        "`chat.completions.stream()`": helper,
        "`responses.create()`": responses,
        "`responses.stream()`": responses_helper,
        "raw response": raw,
        "error": failing,
        "`with_options()`": copied,
    },
}


def met(sdk: str, port: int, watching: Watching) -> dict[str, dict[str, Any]]:
    """Each case with a blocking and an async client: what was raised that should not have been, and what was recorded."""
    found: dict[str, dict[str, Any]] = {}
    for kind in KINDS:
        for name, case in CASES[sdk].items():
            raised = None
            watching.recorded()
            try:
                asyncio.run(_case(case, sdk, kind, port, watching))
            except Exception as error:
                raised = type(error).__name__
            gc.collect()
            recorded = [asdict(one) for one in watching.recorded()]
            found.setdefault(name, {})[kind] = {"raised": raised, "recorded": recorded}
    return found


async def _case(case: Case, sdk: str, kind: str, port: int, watching: Watching) -> None:
    client = watching.wrap(
        client_class(sdk, kind)(api_key="any", max_retries=0, http_client=leading_to(sdk, kind, port))
    )
    try:
        await case(sdk, client)
    finally:
        await _done(client.close())


def leading_to(sdk: str, kind: str, port: int) -> Any:
    """An HTTP client that asks the loopback vendor whatever it is told to ask the vendor: the SDK's own address stays."""
    http = http_of(importlib.import_module(sdk))

    def led(request: Any) -> Any:
        request.url = request.url.copy_with(scheme="http", host="127.0.0.1", port=port)
        return request

    class Blocking(http.HTTPTransport):
        def handle_request(self, request: Any) -> Any:
            return super().handle_request(led(request))

    class Async(http.AsyncHTTPTransport):
        async def handle_async_request(self, request: Any) -> Any:
            return await super().handle_async_request(led(request))

    return http.Client(transport=Blocking()) if kind == "sync" else http.AsyncClient(transport=Async())


# The verdict.


def verdict(sdk: str, case: str, raised: str | None, recorded: list[Recorded]) -> str:
    """In a word or two: what is wrong, if anything is."""
    if raised is not None:
        return f"breaks: {raised}"
    if not recorded:
        return "missed"
    if len(recorded) > 1:
        return "twice" if len(recorded) == 2 else f"{len(recorded)} times"
    one = recorded[0]
    if case == "error":
        return "right" if one.failed else "not as an error"
    if case == "stream left early":  # nobody can know the output
        known = one.input_tokens in INPUTS[sdk]
        return "right" if known or sdk == "openai" else "no tokens"
    if not one.input_tokens and not one.output_tokens:
        return "no tokens"
    if one.input_tokens not in INPUTS[sdk] or one.output_tokens != OUTPUT:
        return f"wrong tokens: {one.input_tokens} + {one.output_tokens}"
    if one.usd is None:
        return "right"
    return "right, $ right" if abs(one.usd - DOLLARS[sdk]) < 1e-9 else f"right, $ wrong: {one.usd:.6f}"


def cell(sdk: str, case: str, by_kind: dict[str, Any]) -> str:
    """The verdicts on blocking and async, in one word where they are the same."""
    told = {
        kind: verdict(sdk, case, one["raised"], [Recorded(**each) for each in one["recorded"]])
        for kind, one in by_kind.items()
    }
    if len(set(told.values())) == 1:
        return next(iter(told.values()))
    return "; ".join(f"{kind}: {what}" for kind, what in told.items())
