"""What must type-check with the openai SDK: a tracked client is the vendor's client, to every checker."""

from __future__ import annotations

from typing import assert_type

import openai
from openai.types import CreateEmbeddingResponse
from openai.types.chat import ChatCompletion, ChatCompletionChunk, ChatCompletionMessageParam
from openai.types.responses import Response
from prometheus_client import CollectorRegistry

from tracked_inference import CallRecord, InferenceResult, PriceTable, TrackedClient, track

QUESTION: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Why?"}]
MODEL = "gpt-5.2"


def to_ledger(record: CallRecord, /) -> None:
    print(record.feature, record.cost.total_usd)


# Every argument of the constructor.
gpt = TrackedClient(
    openai.AsyncOpenAI(),
    feature="search",
    team="discovery",
    model=MODEL,
    models=["gpt-5.2", "gpt-5-mini"],
    prices=PriceTable.default(),
    registry=CollectorRegistry(),
    sinks=[to_ledger],
    provider="openai",
    stream_usage=True,
    on_unpriced="raise",
    config="tracked-inference.toml",
)
# `team` may come from the registry file.
gpt_sync = TrackedClient(client=openai.OpenAI(), feature="search")
azure = TrackedClient(openai.AsyncAzureOpenAI(), feature="search", team="discovery")
azure_sync = TrackedClient(openai.AzureOpenAI(), feature="search", team="discovery")

# It goes wherever the vendor's client goes, and wherever any tracked client does.
as_gpt: openai.AsyncOpenAI = gpt
as_gpt_sync: openai.OpenAI = gpt_sync
as_azure: openai.AsyncAzureOpenAI = azure
as_azure_gpt: openai.AsyncOpenAI = azure
as_azure_sync: openai.AzureOpenAI = azure_sync
any_tracked: list[TrackedClient] = [gpt, gpt_sync, azure, azure_sync]

assert_type(track(openai.AsyncOpenAI(), feature="search"), openai.AsyncOpenAI)


async def calls() -> None:
    completion = await gpt.chat.completions.create(model=MODEL, messages=QUESTION)
    assert_type(completion, ChatCompletion)
    stream = await gpt.chat.completions.create(model=MODEL, messages=QUESTION, stream=True)
    assert_type(stream, openai.AsyncStream[ChatCompletionChunk])
    async for chunk in stream:
        print(chunk.choices[0].delta.content)

    assert_type(await gpt.responses.create(model=MODEL, input="Why?"), Response)
    assert_type(await gpt.embeddings.create(model="e", input="Why?"), CreateEmbeddingResponse)
    async with gpt.responses.with_streaming_response.create(model=MODEL, input="Why?") as response:
        print(response.headers["x-request-id"])
    async with gpt.chat.completions.stream(model=MODEL, messages=QUESTION) as helper:
        async for event in helper:
            print(event.type)


async def copies() -> None:
    # What is made of a tracked client is tracked, and the vendor's.
    theirs = gpt.with_attribution(feature="answers", team="discovery", user="u_42", tenant="acme")
    async with gpt as entered:
        for made in (entered, gpt.with_options(max_retries=5), gpt.copy(timeout=5), theirs):
            result = await made.complete(QUESTION, model="gpt-5-mini", max_tokens=64)
            assert_type(result, InferenceResult)
            print(result.content.upper(), result.latency_seconds + 1.0)
            assert_type(await made.chat.completions.create(model=MODEL, messages=QUESTION), ChatCompletion)
    still_azure: openai.AsyncAzureOpenAI = azure.with_options(max_retries=5).with_attribution(user="u_42")
    print(still_azure)
    assert_type(await azure.complete([{"role": "user", "content": "Why?"}]), InferenceResult)


def synchronous() -> None:
    assert_type(gpt_sync.chat.completions.create(model=MODEL, messages=QUESTION), ChatCompletion)
    raw = gpt_sync.chat.completions.with_raw_response.create(model=MODEL, messages=QUESTION)
    print(raw.headers["x-request-id"])
    for chunk in gpt_sync.chat.completions.create(model=MODEL, messages=QUESTION, stream=True):
        print(chunk.choices[0].delta.content)
    assert_type(gpt_sync.complete([{"role": "user", "content": "Why?"}]), InferenceResult)


def narrowed(client: openai.OpenAI | openai.AsyncOpenAI | None) -> str:
    if isinstance(client, openai.AsyncOpenAI):
        return client.chat.__class__.__name__
    return client.api_key if client is not None else ""


print(narrowed(gpt), narrowed(gpt_sync))
