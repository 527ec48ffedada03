"""LangChain over tracked clients: its OpenAI model takes them as fields, its Anthropic model keeps them as cached properties."""

import pytest

from tests.conftest import done, new_claude, new_gpt


@pytest.fixture
async def chat_openai(vendor, tracked):
    langchain = pytest.importorskip("langchain_openai", reason="langchain-openai is not installed")
    plain = {kind: new_gpt(kind, vendor) for kind in ("sync", "async")}
    sync, asynchronous = (tracked(client, provider="openai", stream_usage=True) for client in plain.values())
    yield langchain.ChatOpenAI(
        model="gpt-4o",
        api_key="any",
        root_client=sync,
        client=sync.chat.completions,
        root_async_client=asynchronous,
        async_client=asynchronous.chat.completions,
    )
    for client in plain.values():
        await done(client.close())


@pytest.fixture
async def chat_anthropic(vendor, tracked):
    langchain = pytest.importorskip("langchain_anthropic", reason="langchain-anthropic is not installed")
    plain = {kind: new_claude(kind, vendor) for kind in ("sync", "async")}
    model = langchain.ChatAnthropic(model="claude-sonnet-4-6", max_tokens=64, api_key="any")
    sync, asynchronous = (tracked(client, provider="anthropic") for client in plain.values())
    model.__dict__.update(_client=sync, _async_client=asynchronous)  # where its cached properties keep them
    yield model
    for client in plain.values():
        await done(client.close())


@pytest.fixture(params=["openai", "anthropic"])
def model(request):
    """A chat model, and who makes the model behind it."""
    return request.getfixturevalue(f"chat_{request.param}"), request.param


async def test_ainvoke(model, billed_once) -> None:
    """A call of an async client is one record."""
    model, maker = model

    message = await model.ainvoke("Say something.")

    assert message.text == "Hello there."
    billed_once(maker, stream=False)


async def test_invoke(model, billed_once) -> None:
    """A call of a sync client is one record."""
    model, maker = model

    message = model.invoke("Say something.")

    assert message.text == "Hello there."
    billed_once(maker, stream=False)


async def test_astream(model, billed_once) -> None:
    """A streamed call of an async client is one record, with its usage."""
    model, maker = model

    pieces = [piece async for piece in model.astream("Say something.")]

    assert "".join(piece.text for piece in pieces) == "Hello there."
    billed_once(maker, stream=True)


async def test_stream(model, billed_once) -> None:
    """A streamed call of a sync client is one record, with its usage."""
    model, maker = model

    pieces = list(model.stream("Say something."))

    assert "".join(piece.text for piece in pieces) == "Hello there."
    billed_once(maker, stream=True)
