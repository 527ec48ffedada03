"""pydantic-ai over tracked clients, which its providers take; it has async clients only."""

import pytest

pytest.importorskip("pydantic_ai", reason="pydantic-ai is not installed")

from pydantic_ai import Agent
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.openai import OpenAIProvider


@pytest.fixture
def kind() -> str:
    return "async"


@pytest.fixture(params=["chat", "responses", "messages"])
def agent(request, gpt, claude):
    """An agent of each kind of model, and who makes the model."""
    if request.param == "messages":
        model = AnthropicModel("claude-sonnet-4-6", provider=AnthropicProvider(anthropic_client=claude))
        return Agent(model), "anthropic"
    cls = OpenAIChatModel if request.param == "chat" else OpenAIResponsesModel
    return Agent(cls("gpt-4o", provider=OpenAIProvider(openai_client=gpt))), "openai"


async def test_a_run(agent, billed_once) -> None:
    """A run of an agent that asks once is one record."""
    agent, maker = agent

    result = await agent.run("Say something.")

    assert result.output == "Hello there."
    billed_once(maker, stream=None)  # with Anthropic, newer versions stream all the same


async def test_a_streamed_run(agent, billed_once) -> None:
    """A streamed run is one record, with the usage that its last event carries."""
    agent, maker = agent

    async with agent.run_stream("Say something.") as result:
        text = await result.get_output()

    assert text == "Hello there."
    billed_once(maker, stream=True)
