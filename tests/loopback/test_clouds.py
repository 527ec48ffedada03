"""The same models bought elsewhere: Bedrock, Vertex, Foundry and Azure, read by the SDKs' clients for them."""

import pytest

from tests.loopback.conftest import anthropic, done, entered, every, of_kind, openai
from tracked_inference.loopback import Answer

ASK = {"max_tokens": 64, "messages": [{"role": "user", "content": "What does it cost?"}]}
USED = {"input": 11, "cache_read": 3, "cache_write_1h": 2, "output": 7}


@pytest.fixture
async def bedrock(vendor, kind):
    pytest.importorskip("botocore", reason="botocore is not installed: pip install 'anthropic[bedrock]'")
    credentials = {"aws_access_key": "AKIALOOPBACK", "aws_secret_key": "none", "aws_region": "us-east-1"}
    client = of_kind(kind, anthropic, "AnthropicBedrock")(base_url=vendor.url, **credentials)
    yield client
    await done(client.close())


@pytest.fixture
async def vertex(vendor, kind):
    pytest.importorskip("google.auth", reason="google-auth is not installed: pip install 'anthropic[vertex]'")
    client = of_kind(kind, anthropic, "AnthropicVertex")(
        base_url=vendor.vertex_url, region="us-east5", project_id="loopback", access_token="none"
    )
    yield client
    await done(client.close())


@pytest.fixture
async def foundry(vendor, kind):
    client = of_kind(kind, anthropic, "AnthropicFoundry")(base_url=vendor.foundry_url, api_key="any")
    yield client
    await done(client.close())


@pytest.fixture
async def azure(vendor, kind):
    client = of_kind(kind, openai, "AzureOpenAI")(
        azure_endpoint=vendor.url, api_key="any", api_version="2024-10-21"
    )
    yield client
    await done(client.close())


BEDROCK_MODEL = "us.anthropic.claude-haiku-4-5-20251001-v1:0"


async def test_bedrock_invoke(vendor, bedrock):
    """Bedrock answers `invoke` with the bare model's name; the bill knows the name that was asked for."""
    vendor.script(Answer.using(USED, text="Hello."))

    message = await done(bedrock.messages.create(model=BEDROCK_MODEL, **ASK))

    assert isinstance(message, anthropic.types.Message)
    assert message.model == "claude-haiku-4-5-20251001"
    assert message.usage.cache_creation.ephemeral_1h_input_tokens == 2
    assert vendor.requests[0].path.endswith("/invoke")
    assert [vendor.bills[0].seller, vendor.bills[0].requested_model] == ["bedrock", BEDROCK_MODEL]


async def test_bedrock_stream(vendor, bedrock):
    """Bedrock streams in AWS's event stream, and its last event has the counts of the invocation."""
    vendor.script(Answer.using(USED, text="Hello there.", chunks=3))

    events = await every(bedrock.messages.create(model=BEDROCK_MODEL, stream=True, **ASK))

    assert [event.type for event in events].count("content_block_delta") == 3
    assert events[0].message.usage.input_tokens == 11
    assert events[-2].usage.output_tokens == 7
    assert events[-1].to_dict()["amazon-bedrock-invocationMetrics"]["outputTokenCount"] == 7
    assert vendor.requests[0].path.endswith("/invoke-with-response-stream")


async def test_bedrock_stream_that_fails(vendor, bedrock):
    """Bedrock breaks a stream off with an exception frame; what had been sent is what the client saw."""
    vendor.script(Answer(text="one two three", chunks=3, fails_after=1))

    seen = []
    with pytest.raises(Exception, match=r"overloaded_error|Bad response code"):
        stream = await done(bedrock.messages.create(model=BEDROCK_MODEL, stream=True, **ASK))
        if hasattr(stream, "__aiter__"):
            async for event in stream:
                seen.append(event.type)
        else:
            for event in stream:
                seen.append(event.type)

    assert seen.count("content_block_delta") == 1


async def test_bedrock_stream_in_slices(vendor, bedrock):
    """Frames that arrive in pieces are put together again."""
    vendor.script(Answer(text="Hello there.", chunks=3).sliced(7))

    events = await every(bedrock.messages.create(model=BEDROCK_MODEL, stream=True, **ASK))

    assert "".join(e.delta.text for e in events if e.type == "content_block_delta") == "Hello there."


async def test_vertex(vendor, vertex):
    """Vertex answers `rawPredict` and `streamRawPredict` of the model in the path, and counts tokens."""
    vendor.always(Answer.using(USED, text="Hello there.", chunks=3), endpoint="messages")
    model = "claude-haiku-4-5@20251001"

    message = await done(vertex.messages.create(model=model, **ASK))
    async with entered(vertex.messages.stream(model=model, **ASK)) as stream:
        streamed = await done(stream.get_final_message())
    counted = await done(vertex.messages.count_tokens(model=model, messages=ASK["messages"]))

    assert message.model == "claude-haiku-4-5-20251001"
    assert streamed.usage.output_tokens == message.usage.output_tokens == 7
    assert counted.input_tokens > 0
    assert [(bill.seller, bill.requested_model) for bill in vendor.bills] == [("vertex", model)] * 2


async def test_foundry(vendor, foundry):
    """Foundry serves the Messages API under `/anthropic`."""
    message = await done(foundry.messages.create(model="claude-haiku-4-5", **ASK))
    events = await every(foundry.messages.create(model="claude-haiku-4-5", stream=True, **ASK))

    assert message.usage.output_tokens > 0
    assert events[-1].type == "message_stop"
    assert {bill.seller for bill in vendor.bills} == {"foundry"}


async def test_azure_deployments(vendor, azure):
    """Azure serves chat, streams, embeddings and audio under the name of a deployment."""
    ask = {"model": "my-gpt", "messages": ASK["messages"]}

    completion = await done(azure.chat.completions.create(**ask))
    chunks = await every(
        azure.chat.completions.create(**ask, stream=True, stream_options={"include_usage": True})
    )
    embedded = await done(azure.embeddings.create(model="my-embedding", input="text"))
    spoken = await done(azure.audio.transcriptions.create(model="whisper-1", file=("a.wav", b"\0" * 32_000)))

    assert completion.usage.completion_tokens > 0
    assert chunks[-1].usage.completion_tokens > 0
    assert embedded.usage.prompt_tokens == 1
    assert spoken.text
    assert vendor.requests[0].path == "/openai/deployments/my-gpt/chat/completions"
    assert {bill.seller for bill in vendor.bills} == {"azure"}


async def test_azure_without_deployment(vendor, azure):
    """Azure serves Responses without a deployment in the path."""
    response = await done(azure.responses.create(model="gpt-5.4", input="What does it cost?"))

    assert response.usage.output_tokens > 0
    assert vendor.requests[0].seller == "azure"
    assert vendor.requests[0].endpoint == "responses"
