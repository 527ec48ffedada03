"""OpenAI's chat and legacy completions, read by OpenAI's SDK."""

import pytest

from tests.loopback.conftest import done, entered, every, openai
from tracked_inference.loopback import Answer, ToolCall

ASK = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "What does it cost?"}]}
USED = {"input": 11, "cache_read": 600, "cache_write_30m": 5, "output": 7}


async def test_a_completion_has_the_scripted_text_and_usage(vendor, gpt):
    """A scripted answer arrives as the SDK's ChatCompletion; its prompt tokens include the cached ones."""
    vendor.script(Answer.using(USED, text="Hello there.", reasoning_tokens=4))

    completion = await done(gpt.chat.completions.create(**ASK))

    assert isinstance(completion, openai.types.chat.ChatCompletion)
    assert completion.choices[0].message.content == "Hello there."
    assert completion.choices[0].finish_reason == "stop"
    assert completion.usage.prompt_tokens == 616
    assert completion.usage.prompt_tokens_details.cached_tokens == 600
    assert completion.usage.prompt_tokens_details.to_dict()["cache_write_tokens"] == 5
    assert completion.usage.completion_tokens == 7
    assert completion.usage.completion_tokens_details.reasoning_tokens == 4
    assert completion.usage.total_tokens == 623
    assert completion.service_tier == "default"


async def test_a_stream_has_no_usage_unless_asked_for(vendor, gpt):
    """Without `include_usage` no chunk mentions usage; with it, all say null but one more, which has no choices."""
    vendor.always(Answer.using(USED, text="Hello there.", chunks=3))

    plain = await every(gpt.chat.completions.create(**ASK, stream=True))
    asked = await every(
        gpt.chat.completions.create(**ASK, stream=True, stream_options={"include_usage": True})
    )

    assert "".join(chunk.choices[0].delta.content or "" for chunk in plain) == "Hello there."
    assert plain[-1].choices[0].finish_reason == "stop"
    assert not any("usage" in chunk.model_fields_set for chunk in plain)
    assert len(asked) == len(plain) + 1 == 6
    assert all("usage" in chunk.model_fields_set and chunk.usage is None for chunk in asked[:-1])
    assert asked[-1].choices == []
    assert asked[-1].usage.prompt_tokens == 616


async def test_a_server_may_send_usage_unasked(vendor, gpt):
    """Some compatible servers send the usage chunk to everybody."""
    vendor.script(Answer.using(USED, usage_unasked=True))

    chunks = await every(gpt.chat.completions.create(**ASK, stream=True))

    assert chunks[-1].choices == []
    assert chunks[-1].usage.completion_tokens == 7


async def test_the_stream_helper_joins_text_and_tool_calls(vendor, gpt):
    """`chat.completions.stream()` accumulates what was scripted."""
    vendor.script(Answer.using(USED, text="Hello.", tool_calls=(ToolCall("look", {"at": 1}),), chunks=2))
    helper = gpt.chat.completions if hasattr(gpt.chat.completions, "stream") else gpt.beta.chat.completions

    async with entered(helper.stream(**ASK, stream_options={"include_usage": True})) as stream:
        completion = await done(stream.get_final_completion())

    assert completion.choices[0].message.content == "Hello."
    assert completion.choices[0].message.tool_calls[0].function.arguments == '{"at":1}'
    assert completion.choices[0].finish_reason == "tool_calls"
    assert completion.usage.completion_tokens == 7


async def test_a_schema_is_answered_with_json_that_fits(vendor, gpt):
    """`parse()` gets an instance of its model although nobody scripted the text."""
    import pydantic

    class Price(pydantic.BaseModel):
        usd: float
        unit: str

    completion = await done(gpt.chat.completions.parse(**ASK, response_format=Price))

    assert completion.choices[0].message.parsed == Price(usd=1, unit="xxxx")


async def test_any_json_object_will_do(vendor, gpt):
    """JSON mode gets a JSON object."""
    completion = await done(gpt.chat.completions.create(**ASK, response_format={"type": "json_object"}))

    assert completion.choices[0].message.content == "{}"


async def test_a_forced_tool_is_called(vendor, gpt):
    """A required tool is called instead of talking."""
    function = {"name": "look", "parameters": {"type": "object", "properties": {"at": {"type": "integer"}}}}
    tools = [{"type": "function", "function": function}]

    completion = await done(gpt.chat.completions.create(**ASK, tools=tools, tool_choice="required"))

    assert completion.choices[0].message.content is None
    assert completion.choices[0].message.tool_calls[0].function.arguments == '{"at":1}'


async def test_several_choices_are_several_outputs(vendor, gpt):
    """`n` answers are billed as many times the output, the prompt once."""
    single = (await done(gpt.chat.completions.create(**ASK, seed=1))).usage
    triple = await done(gpt.chat.completions.create(**ASK, n=3))
    streamed = await every(gpt.chat.completions.create(**ASK, n=2, stream=True))

    assert len(triple.choices) == 3
    assert triple.usage.completion_tokens % 3 == 0
    assert triple.usage.prompt_tokens == single.prompt_tokens
    assert {chunk.choices[0].index for chunk in streamed} == {0, 1}
    assert vendor.bills[1].usage.output_tokens == triple.usage.completion_tokens


@pytest.mark.parametrize(
    ("asked", "served"),
    [("flex", "flex"), ("priority", "priority"), ("auto", "default"), ("fast", "priority")],
)
async def test_the_served_tier_is_in_the_answer(vendor, gpt, asked, served):
    """The tier that serves is named by the answer; `auto` is served by default."""
    completion = await done(gpt.chat.completions.create(**ASK, extra_body={"service_tier": asked}))

    assert completion.service_tier == served
    assert vendor.bills[0].usage.service_tier == served


async def test_audio_and_long_lived_writes_have_their_details(vendor, gpt):
    """Audio, images and writes by lifetime are parts of the totals, named in the details."""
    counts = {
        "input": 10,
        "input_audio": 20,
        "input_image": 30,
        "cache_read_audio": 4,
        "cache_write_30m": 1,
        "cache_write_12h": 2,
        "output": 3,
        "output_audio": 5,
    }
    vendor.script(Answer.using(counts))

    usage = (await done(gpt.chat.completions.create(**ASK))).usage.to_dict()

    assert usage["prompt_tokens"] == 67
    assert usage["completion_tokens"] == 8
    assert usage["prompt_tokens_details"] == {
        "cached_tokens": 4,
        "cached_tokens_details": {"text_tokens": 0, "audio_tokens": 4, "image_tokens": 0},
        "cache_write_tokens": 3,
        "cache_write_tokens_details": {"ttl_30m_tokens": 1, "ttl_12h_tokens": 2},
        "audio_tokens": 24,
        "image_tokens": 30,
    }
    assert usage["completion_tokens_details"]["audio_tokens"] == 5


async def test_an_error_breaks_the_stream_off(vendor, gpt):
    """A stream can fail after so many pieces of text."""
    vendor.script(Answer(text="one two three", chunks=3, fails_after=2, failure="server_error"))

    with pytest.raises(openai.APIError, match="server_error"):
        await every(gpt.chat.completions.create(**ASK, stream=True))

    assert len(vendor.bills) == 1


async def test_fields_can_be_put_over_every_chunk(vendor, gpt):
    """`fields` reach the top level of the completion and of each chunk of a stream."""
    vendor.always(Answer(fields={"choices": None, "system_fingerprint": "fp"}))

    completion = await done(gpt.chat.completions.create(**ASK))
    chunks = await every(gpt.chat.completions.create(**ASK, stream=True))

    assert completion.choices is None
    assert {chunk.system_fingerprint for chunk in chunks} == {"fp"}


async def test_long_prompts_with_the_same_beginning_are_cached(vendor, gpt):
    """What two long prompts begin with is cached, in steps of 128 tokens, once the first has been seen."""
    common = {"role": "system", "content": "rule " * 1000}
    asks = [[common, {"role": "user", "content": question}] for question in ("one?", "two?")]

    first = (await done(gpt.chat.completions.create(model="gpt-4o", messages=asks[0]))).usage
    second = (await done(gpt.chat.completions.create(model="gpt-4o", messages=asks[1]))).usage
    other = (await done(gpt.chat.completions.create(model="gpt-4o-mini", messages=asks[1]))).usage

    assert first.prompt_tokens == second.prompt_tokens == 1251
    assert first.prompt_tokens_details.cached_tokens == 0
    assert second.prompt_tokens_details.cached_tokens == 1152
    assert other.prompt_tokens_details.cached_tokens == 0


async def test_legacy_completions(vendor, gpt):
    """The old endpoint answers as JSON and as a stream, with usage if asked."""
    vendor.always(Answer.using({"input": 3, "output": 4}, text="once upon a time", chunks=2))
    ask = {"model": "gpt-3.5-turbo-instruct", "prompt": "Tell me"}

    completion = await done(gpt.completions.create(**ask))
    plain = await every(gpt.completions.create(**ask, stream=True))
    asked = await every(gpt.completions.create(**ask, stream=True, stream_options={"include_usage": True}))

    assert isinstance(completion, openai.types.Completion)
    assert completion.choices[0].text == "once upon a time"
    assert completion.usage.total_tokens == 7
    assert "".join(chunk.choices[0].text for chunk in plain) == "once upon a time"
    assert asked[-1].usage.prompt_tokens == 3


async def test_models_are_listed(vendor, gpt):
    """OpenAI's list of models and one of them."""
    names = [model.id for model in await every(gpt.models.list())]
    one = await done(gpt.models.retrieve("gpt-4o"))

    assert "gpt-4o-mini" in names
    assert one.id == "gpt-4o"
