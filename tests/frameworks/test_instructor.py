"""instructor over tracked clients: it checks the client's class, patches its methods and calls through tools."""

from dataclasses import replace

import pytest
from pydantic import BaseModel

from tests.conftest import CLAUDE_SAYS, GPT_SAYS, done
from tracked_inference.loopback import ToolCall

instructor = pytest.importorskip("instructor", reason="instructor is not installed")

QUESTION = [{"role": "user", "content": "Who?"}]


class Person(BaseModel):
    """Somebody."""

    name: str
    age: int


CALL = (ToolCall("Person", {"name": "Ada", "age": 36}),)


def calling(answer):
    """The same answer, with the same bill, as a call of the tool that instructor makes of the model."""
    return replace(answer, text=None, tool_calls=CALL)


async def test_openai(gpt, vendor, billed_once) -> None:
    """A structured answer of an OpenAI model is one record."""
    vendor.always(calling(GPT_SAYS), endpoint="chat.completions")

    made = instructor.from_openai(gpt).chat.completions.create(
        model="gpt-4o", messages=QUESTION, response_model=Person
    )

    assert (await done(made)).model_dump() == {"name": "Ada", "age": 36}
    billed_once("openai", stream=False)


async def test_openai_streamed(gpt, vendor, billed_once) -> None:
    """A structured answer that is streamed in parts is one record, with its usage."""
    vendor.always(calling(GPT_SAYS), endpoint="chat.completions")

    parts = instructor.from_openai(gpt).chat.completions.create_partial(
        model="gpt-4o", messages=QUESTION, response_model=Person
    )
    made = [part async for part in parts] if hasattr(parts, "__aiter__") else list(parts)

    assert (made[-1].name, made[-1].age) == ("Ada", 36)
    billed_once("openai", stream=True)


async def test_anthropic(claude, vendor, billed_once) -> None:
    """A structured answer of an Anthropic model is one record."""
    vendor.always(calling(CLAUDE_SAYS), endpoint="messages")

    made = instructor.from_anthropic(claude).chat.completions.create(
        model="claude-sonnet-4-6", max_tokens=64, messages=QUESTION, response_model=Person
    )

    assert (await done(made)).model_dump() == {"name": "Ada", "age": 36}
    billed_once("anthropic", stream=False)


async def test_anthropic_streamed(claude, vendor, billed_once) -> None:
    """A structured answer of an Anthropic model that is streamed in parts is one record."""
    vendor.always(calling(CLAUDE_SAYS), endpoint="messages")

    parts = instructor.from_anthropic(claude).chat.completions.create_partial(
        model="claude-sonnet-4-6", max_tokens=64, messages=QUESTION, response_model=Person
    )
    made = [part async for part in parts] if hasattr(parts, "__aiter__") else list(parts)

    assert (made[-1].name, made[-1].age) == ("Ada", 36)
    billed_once("anthropic", stream=True)
