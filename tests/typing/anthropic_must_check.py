"""What must type-check with the anthropic SDK: a tracked client is the vendor's client, to every checker."""

from __future__ import annotations

from typing import assert_type

import anthropic
from anthropic.lib.bedrock import AsyncAnthropicBedrock
from anthropic.lib.vertex import AnthropicVertex
from anthropic.types import Message, MessageParam

from tracked_inference import InferenceResult, TrackedClient, track

QUESTION: list[MessageParam] = [{"role": "user", "content": "Why?"}]
MODEL = "claude-sonnet-4-5"

claude = TrackedClient(anthropic.AsyncAnthropic(), feature="search", team="discovery")
claude_sync = TrackedClient(anthropic.Anthropic(), feature="search", team="discovery")
bedrock = TrackedClient(AsyncAnthropicBedrock(), feature="search", team="discovery")
vertex = TrackedClient(AnthropicVertex(), feature="search", team="discovery")

# It goes wherever the vendor's client goes, and wherever any tracked client does.
as_claude: anthropic.AsyncAnthropic = claude
as_claude_sync: anthropic.Anthropic = claude_sync
as_bedrock: AsyncAnthropicBedrock = bedrock
as_vertex: AnthropicVertex = vertex
any_tracked: list[TrackedClient] = [claude, claude_sync, bedrock, vertex]


class Ours(anthropic.AsyncAnthropic):
    def tenant(self) -> str:
        return "acme"


# `track` keeps exactly the type that went in, whatever it is.
assert_type(track(Ours(), feature="search", team="discovery"), Ours)
assert_type(track(anthropic.Anthropic(), feature="search"), anthropic.Anthropic)


async def calls() -> None:
    message = await claude.messages.create(model=MODEL, max_tokens=64, messages=QUESTION)
    assert_type(message, Message)
    print(message.usage.input_tokens + message.usage.output_tokens)

    stream = await claude.messages.create(model=MODEL, max_tokens=64, messages=QUESTION, stream=True)
    async for event in stream:
        if event.type == "message_delta":
            print(event.usage.output_tokens + 1)

    async with claude.messages.stream(model=MODEL, max_tokens=64, messages=QUESTION) as helper:
        async for text in helper.text_stream:
            assert_type(text, str)
        print((await helper.get_final_message()).usage.input_tokens + 1)

    raw = await claude.messages.with_raw_response.create(model=MODEL, max_tokens=64, messages=QUESTION)
    print(raw.headers["request-id"])
    counted = await claude.messages.count_tokens(model=MODEL, messages=QUESTION)
    print(counted.input_tokens + 1)
    answer = await bedrock.messages.create(model=MODEL, max_tokens=64, messages=QUESTION)
    print(answer.usage.output_tokens + 1)


async def copies() -> None:
    # What is made of a tracked client is tracked, and the vendor's.
    theirs = claude.with_attribution(feature="answers", team="discovery", user="u_42", tenant="acme")
    async with claude as entered:
        for made in (entered, claude.with_options(max_retries=5), claude.copy(timeout=5), theirs):
            result = await made.complete(QUESTION, model="claude-haiku-4-5", max_tokens=64)
            assert_type(result, InferenceResult)
            print(result.content.upper(), result.latency_seconds + 1.0)
            assert_type(await made.messages.create(model="m", max_tokens=64, messages=QUESTION), Message)
    still_bedrock: AsyncAnthropicBedrock = bedrock.with_attribution(user="u_42")
    assert_type(await still_bedrock.messages.create(model="m", max_tokens=64, messages=QUESTION), Message)
    assert_type(await bedrock.complete([{"role": "user", "content": "Why?"}], max_tokens=64), InferenceResult)


def synchronous() -> None:
    assert_type(claude_sync.messages.create(model=MODEL, max_tokens=64, messages=QUESTION), Message)
    with claude_sync.messages.stream(model=MODEL, max_tokens=64, messages=QUESTION) as helper:
        for text in helper.text_stream:
            print(text.upper())
    for event in claude_sync.messages.create(model=MODEL, max_tokens=64, messages=QUESTION, stream=True):
        print(event.type)
    assert_type(claude_sync.complete(QUESTION, max_tokens=64), InferenceResult)
    print(vertex.messages.create(model=MODEL, max_tokens=64, messages=QUESTION).usage.output_tokens + 1)


def narrowed(client: anthropic.Anthropic | anthropic.AsyncAnthropic | None) -> str:
    if isinstance(client, anthropic.AsyncAnthropic):
        return client.messages.__class__.__name__
    return client.api_key or "" if client is not None else ""


print(narrowed(claude), narrowed(claude_sync))
