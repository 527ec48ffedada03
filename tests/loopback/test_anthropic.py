"""Anthropic's endpoints, read by Anthropic's SDK."""

import pytest

from tests.loopback.conftest import anthropic, done, entered, every
from tracked_inference.loopback import Answer, Reply, ToolCall
from tracked_inference.usage import Pass, Usage

ASK = {
    "model": "claude-haiku-4-5",
    "max_tokens": 64,
    "messages": [{"role": "user", "content": "What does it cost?"}],
}
USED = {"input": 11, "cache_read": 3, "cache_write_5m": 2, "cache_write_1h": 5, "output": 7}


async def test_a_message_has_the_scripted_text_and_usage(vendor, claude):
    """A scripted answer arrives as the SDK's Message with its text, its model and its usage by kind."""
    vendor.script(Answer.using(USED, text="Hello there."))

    message = await done(claude.messages.create(**ASK))

    assert isinstance(message, anthropic.types.Message)
    assert message.content[0].text == "Hello there."
    assert message.model == "claude-haiku-4-5"
    assert message.stop_reason == "end_turn"
    assert message.usage.input_tokens == 11
    assert message.usage.cache_read_input_tokens == 3
    assert message.usage.cache_creation_input_tokens == 7
    assert message.usage.cache_creation.ephemeral_5m_input_tokens == 2
    assert message.usage.cache_creation.ephemeral_1h_input_tokens == 5
    assert message.usage.output_tokens == 7
    assert message.usage.service_tier == "standard"


async def test_a_stream_has_the_events_of_the_api_in_order(vendor, claude):
    """A stream sends start, blocks, delta and stop, with the input in the first usage and the output in the last."""
    vendor.script(Answer.using(USED, text="Hello there.", chunks=3))

    events = await every(claude.messages.create(**ASK, stream=True))

    kinds = [event.type for event in events]
    assert kinds == [
        "message_start",
        "content_block_start",
        *["content_block_delta"] * 3,
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    assert events[0].message.usage.input_tokens == 11
    assert events[0].message.usage.cache_creation.ephemeral_1h_input_tokens == 5
    assert events[0].message.usage.output_tokens == 1
    assert events[-2].usage.output_tokens == 7
    assert "".join(event.delta.text for event in events[2:5]) == "Hello there."


async def test_the_stream_helper_joins_the_message(vendor, claude):
    """`messages.stream()` accumulates text, tool calls and usage into the message that was scripted."""
    call = ToolCall("get_price", {"model": "claude-haiku-4-5"})
    vendor.script(Answer.using(USED, text="One moment.", tool_calls=(call,), chunks=2))

    async with entered(claude.messages.stream(**ASK)) as stream:
        message = await done(stream.get_final_message())

    assert [block.type for block in message.content] == ["text", "tool_use"]
    assert message.content[0].text == "One moment."
    assert message.content[1].input == {"model": "claude-haiku-4-5"}
    assert message.stop_reason == "tool_use"
    assert message.usage.output_tokens == 7


async def test_beta_messages_are_served_alike(vendor, claude):
    """`beta.messages` goes to the same endpoint, in older SDKs with `?beta=true`, thinking included."""
    vendor.script(Answer(thinking="Let me see.", text="4"))

    message = await done(claude.beta.messages.create(**ASK))

    assert [block.type for block in message.content] == ["thinking", "text"]
    assert message.content[0].thinking == "Let me see."
    assert vendor.requests[0].path == "/v1/messages"
    assert vendor.requests[0].query in ({}, {"beta": "true"})


async def test_a_beta_stream_is_served_alike(vendor, claude):
    """`beta.messages.stream()` gives the thinking and the text that were scripted."""
    vendor.script(Answer(thinking="Let me see.", text="4"))

    async with entered(claude.beta.messages.stream(**ASK)) as stream:
        message = await done(stream.get_final_message())

    assert [block.type for block in message.content] == ["thinking", "text"]


async def test_several_passes_become_iterations(vendor, claude):
    """Passes of other models are in `iterations`; the top level holds what the answering model did."""
    passes = (
        Pass({"input": 412, "output": 89}),
        Pass({"input": 823, "output": 1612}, model="claude-opus-5-5", kind="advisor_message"),
        Pass({"input": 1348, "cache_read": 412, "output": 442}),
    )
    vendor.script(Answer(usage=Usage(passes)))

    usage = (await done(claude.beta.messages.create(**ASK))).usage.to_dict()

    assert usage["input_tokens"] == 1760
    assert usage["output_tokens"] == 531
    assert [one["type"] for one in usage["iterations"]] == ["message", "advisor_message", "message"]
    assert usage["iterations"][1]["model"] == "claude-opus-5-5"
    assert usage["iterations"][1]["output_tokens"] == 1612


async def test_tier_speed_place_searches_and_thinking_are_on_the_wire(vendor, claude):
    """What moves a price is where Anthropic puts it in `usage`."""
    vendor.script(
        Answer.using(
            {"input": 1, "output": 9, "web_search": 2},
            reasoning_tokens=4,
            service_tier="priority",
            speed="fast",
            inference_geo="us",
        )
    )

    usage = (await done(claude.messages.create(**ASK))).usage.to_dict()

    assert usage["service_tier"] == "priority"
    assert usage["speed"] == "fast"
    assert usage["inference_geo"] == "us"
    assert usage["server_tool_use"]["web_search_requests"] == 2
    assert usage["output_tokens_details"] == {"thinking_tokens": 4}


async def test_counting_tokens_is_free(vendor, claude):
    """`count_tokens` gives the count that the message itself would have, and bills nothing."""
    counted = await done(claude.messages.count_tokens(model=ASK["model"], messages=ASK["messages"]))
    message = await done(claude.messages.create(**ASK))

    assert counted.input_tokens == message.usage.input_tokens > 0
    assert [bill.endpoint for bill in vendor.bills] == ["messages"]


async def test_a_batch_is_polled_read_twice_and_billed_once(vendor, claude):
    """A batch ends after so many polls; its results can be read again, its lines are billed once, as batch."""
    vendor.script(Answer(polls=2), endpoint="messages.batches")
    vendor.script(Answer.using({"input": 5, "output": 3}), endpoint="messages.batches.item")
    vendor.script(Reply.error(400), endpoint="messages.batches.item")
    items = [{"custom_id": name, "params": ASK} for name in ("one", "two", "three")]

    batch = await done(claude.messages.batches.create(requests=items))
    first = await done(claude.messages.batches.retrieve(batch.id))
    second = await done(claude.messages.batches.retrieve(batch.id))
    lines = await every(claude.messages.batches.results(batch.id))
    again = await every(claude.messages.batches.results(batch.id))

    assert [batch.processing_status, first.processing_status] == ["in_progress", "in_progress"]
    assert second.processing_status == "ended"
    assert second.request_counts.succeeded == 2
    assert second.request_counts.errored == 1
    assert [line.custom_id for line in lines] == ["one", "two", "three"]
    assert [line.result.type for line in lines] == ["succeeded", "errored", "succeeded"]
    assert lines[0].result.message.usage.service_tier == "batch"
    assert lines[0].result.message.usage.input_tokens == 5
    assert lines == again
    assert [bill.usage.batch for bill in vendor.bills] == [True, True]


async def test_the_beta_batches_are_served_alike(vendor, claude):
    """`beta.messages.batches` reads the same results."""
    vendor.script(Answer(polls=0), endpoint="messages.batches")

    batch = await done(claude.beta.messages.batches.create(requests=[{"custom_id": "one", "params": ASK}]))
    lines = await every(claude.beta.messages.batches.results(batch.id))

    assert batch.processing_status == "ended"
    assert [line.result.type for line in lines] == ["succeeded"]


async def test_results_of_an_unknown_or_running_batch_are_not_there(vendor, claude):
    """Asking for what is not there is a 404."""
    batch = await done(claude.messages.batches.create(requests=[{"custom_id": "one", "params": ASK}]))

    for batch_id in ("msgbatch_none", batch.id):
        with pytest.raises(anthropic.NotFoundError):
            await done(claude.get(f"/v1/messages/batches/{batch_id}/results", cast_to=object))
    with pytest.raises(anthropic.NotFoundError):
        await done(claude.messages.batches.retrieve("msgbatch_none"))


async def test_models_are_listed_over_pages(vendor, claude):
    """The list of models is paged as Anthropic's is."""
    names = [model.id for model in await every(claude.models.list(limit=2))]
    one = await done(claude.models.retrieve("claude-opus-4-5"))

    assert len(names) == 3
    assert len(vendor.requests_to("models")) == 2
    assert one.id == "claude-opus-4-5"


async def test_marked_prompts_are_written_to_the_cache_and_then_read(vendor, claude):
    """What stands before a cache mark is written once and read from then on; short prompts are never cached."""
    system = [{"type": "text", "text": "rule " * 1000, "cache_control": {"type": "ephemeral", "ttl": "1h"}}]

    written = (await done(claude.messages.create(**ASK, system=system))).usage
    read = (await done(claude.messages.create(**ASK, system=system))).usage
    short = [{"type": "text", "text": "rule", "cache_control": {"type": "ephemeral"}}]
    uncached = (await done(claude.messages.create(**ASK, system=short))).usage

    assert written.cache_creation.ephemeral_1h_input_tokens == 1250
    assert written.cache_read_input_tokens == 0
    assert read.cache_read_input_tokens == 1250
    assert read.cache_creation_input_tokens == 0
    assert read.input_tokens == written.input_tokens > 0
    assert uncached.cache_creation_input_tokens == 0


async def test_a_conversation_reads_its_longest_cached_beginning(vendor, claude):
    """A second, later mark reads what the first wrote and writes only what came after it."""
    marked = {"type": "text", "text": "rule " * 1000, "cache_control": {"type": "ephemeral"}}
    later = {"type": "text", "text": "fact " * 400, "cache_control": {"type": "ephemeral"}}
    await done(claude.messages.create(**ASK, system=[marked]))

    usage = (await done(claude.messages.create(**ASK, system=[marked, later]))).usage

    assert usage.cache_read_input_tokens == 1250
    assert usage.cache_creation_input_tokens == 500


async def test_a_forced_tool_is_called_with_arguments_of_its_schema(vendor, claude):
    """A request that insists on a tool gets a call of it that its schema allows."""
    schema = {
        "type": "object",
        "properties": {
            "city": {"type": "string"},
            "days": {"type": "integer"},
            "units": {"enum": ["celsius", "kelvin"]},
            "place": {"$ref": "#/$defs/place"},
            "tags": {"type": "array", "items": {"type": "boolean"}, "minItems": 1},
            "note": {"anyOf": [{"type": "null"}, {"type": "string"}]},
            "kind": {"const": "forecast"},
        },
        "$defs": {"place": {"type": ["number", "null"]}},
    }
    tools = [
        {"name": "other", "input_schema": {"type": "object"}},
        {"name": "weather", "input_schema": schema},
    ]

    message = await done(
        claude.messages.create(**ASK, tools=tools, tool_choice={"type": "tool", "name": "weather"})
    )

    assert message.content[0].name == "weather"
    assert message.content[0].input == {
        "city": "xxxx",
        "days": 1,
        "units": "celsius",
        "place": 1,
        "tags": [True],
        "note": None,
        "kind": "forecast",
    }


async def test_an_error_event_breaks_the_stream_off(vendor, claude):
    """A stream can fail after so many pieces of text, as the API does when it is overloaded."""
    vendor.script(Answer(text="one two three", chunks=3, fails_after=2))

    seen = []
    with pytest.raises(anthropic.APIStatusError, match="overloaded_error"):
        stream = await done(claude.messages.create(**ASK, stream=True))
        if hasattr(stream, "__aiter__"):
            async for event in stream:
                seen.append(event.type)
        else:
            for event in stream:
                seen.append(event.type)

    assert seen.count("content_block_delta") == 2
    assert "message_delta" not in seen


async def test_the_wire_can_say_anything_about_usage(vendor, claude):
    """`usage_json` and `start_usage_json` replace what is said on the wire, right or wrong; the bill stays."""
    vendor.script(Answer.using({"input": 4, "output": 2}, usage_json=None))
    vendor.script(
        Answer.using(
            {"input": 4, "output": 2}, usage_json={"output_tokens": 9}, start_usage_json={"input_tokens": 0}
        )
    )

    message = await done(claude.messages.create(**ASK))
    events = await every(claude.messages.create(**ASK, stream=True))

    assert message.usage is None
    assert events[0].message.usage.input_tokens == 0
    assert events[-2].usage.output_tokens == 9
    assert [bill.usage.input_tokens for bill in vendor.bills] == [4, 4]


async def test_fields_can_be_put_over_the_message(vendor, claude):
    """`fields` reach the top level of the answer's object, in a stream of the message that starts it."""
    vendor.always(Answer(fields={"model": "other", "stop_details": {"type": "none"}}))

    message = await done(claude.messages.create(**ASK))
    events = await every(claude.messages.create(**ASK, stream=True))

    assert message.model == "other"
    assert events[0].message.model == "other"
