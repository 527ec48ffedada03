"""OpenAI's Responses, read by OpenAI's SDK."""

import pytest

from tests.loopback.conftest import done, entered, every, openai
from tracked_inference.loopback import Answer, ToolCall

ASK = {"model": "gpt-5.4", "input": "What does it cost?"}
USED = {"input": 11, "cache_read": 600, "output": 7}


async def test_a_response_has_the_scripted_text_and_usage(vendor, gpt):
    """A scripted answer arrives as the SDK's Response; its input tokens include the cached ones."""
    vendor.script(Answer.using(USED, text="Hello there.", thinking="Hm.", reasoning_tokens=4))

    response = await done(gpt.responses.create(**ASK))

    assert isinstance(response, openai.types.responses.Response)
    assert response.status == "completed"
    assert response.output_text == "Hello there."
    assert [item.type for item in response.output] == ["reasoning", "message"]
    assert response.usage.input_tokens == 611
    assert response.usage.input_tokens_details.cached_tokens == 600
    assert response.usage.output_tokens == 7
    assert response.usage.output_tokens_details.reasoning_tokens == 4


async def test_a_stream_ends_with_the_completed_response(vendor, gpt):
    """A stream sends its events in order and numbered; the usage is on the last."""
    vendor.script(Answer.using(USED, text="Hello there.", chunks=3))

    events = await every(gpt.responses.create(**ASK, stream=True))

    assert [event.type for event in events] == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        *["response.output_text.delta"] * 3,
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    assert [event.sequence_number for event in events] == list(range(11))
    assert events[0].response.usage is None
    assert events[-1].response.usage.input_tokens == 611
    assert "".join(event.delta for event in events[4:7]) == "Hello there."


async def test_the_stream_helper_joins_the_response(vendor, gpt):
    """`responses.stream()` accumulates text and function calls."""
    vendor.script(Answer.using(USED, text="Hello.", tool_calls=(ToolCall("look", {"at": 1}),)))

    async with entered(gpt.responses.stream(**ASK)) as stream:
        response = await done(stream.get_final_response())

    assert [item.type for item in response.output] == ["function_call", "message"]
    assert response.output[0].arguments == '{"at":1}'
    assert response.output_text == "Hello."


async def test_a_schema_is_answered_with_json_that_fits(vendor, gpt):
    """`parse()` gets an instance of its model although nobody scripted the text."""
    import pydantic

    class Price(pydantic.BaseModel):
        usd: float

    response = await done(gpt.responses.parse(**ASK, text_format=Price))

    assert response.output_parsed == Price(usd=1)


async def test_a_background_response_is_billed_when_it_is_done(vendor, gpt):
    """A background response is queued without usage, done after so many polls, and billed once however often it is read."""
    vendor.script(Answer.using(USED, polls=2))

    queued = await done(gpt.responses.create(**ASK, background=True))
    still = await done(gpt.responses.retrieve(queued.id))
    billed_before = vendor.bills
    completed = await done(gpt.responses.retrieve(queued.id))
    again = await done(gpt.responses.retrieve(queued.id))

    assert [queued.status, still.status] == ["queued", "queued"]
    assert queued.usage is None
    assert billed_before == ()
    assert completed.status == again.status == "completed"
    assert completed.usage.input_tokens == 611
    assert len(vendor.bills) == 1


async def test_a_cancelled_background_response_is_not_billed(vendor, gpt):
    """What is cancelled before it is done costs nothing; what is done cannot be cancelled."""
    queued = await done(gpt.responses.create(**ASK, background=True))
    cancelled = await done(gpt.responses.cancel(queued.id))
    later = await done(gpt.responses.retrieve(queued.id))

    assert cancelled.status == later.status == "cancelled"
    assert vendor.bills == ()


async def test_a_background_stream_is_billed_at_its_end(vendor, gpt):
    """A background response that is streamed is queued first and completed last."""
    events = await every(gpt.responses.create(**ASK, background=True, stream=True))

    assert [event.type for event in events[:3]] == [
        "response.created",
        "response.queued",
        "response.in_progress",
    ]
    assert events[0].response.status == "queued"
    assert events[-1].type == "response.completed"
    assert len(vendor.bills) == 1


async def test_a_response_can_be_streamed_again(vendor, gpt):
    """A finished response can be retrieved as a stream, at no further cost."""
    response = await done(gpt.responses.create(**ASK))

    events = await every(gpt.responses.retrieve(response.id, stream=True))

    assert events[-1].response.output_text == response.output_text
    assert len(vendor.bills) == 1


async def test_a_response_may_stay_incomplete_or_fail(vendor, gpt):
    """A stop reason makes the response incomplete; a failure ends the stream with the usage so far."""
    vendor.script(Answer(stop_reason="max_output_tokens"))
    vendor.script(Answer.using(USED, text="one two", chunks=2, fails_after=1, failure="server_error"))

    cut = await every(gpt.responses.create(**ASK, stream=True))
    failed = await every(gpt.responses.create(**ASK, stream=True))

    assert cut[-1].type == "response.incomplete"
    assert cut[-1].response.incomplete_details.reason == "max_output_tokens"
    assert failed[-1].type == "response.failed"
    assert failed[-1].response.usage.input_tokens == 611


async def test_searches_are_items_of_the_output(vendor, gpt):
    """Web and file searches that are billed are items of the output."""
    vendor.script(Answer.using({"input": 1, "output": 1, "web_search": 2, "file_search": 1}))

    response = await done(gpt.responses.create(**ASK))

    assert [item.type for item in response.output] == [
        "web_search_call",
        "web_search_call",
        "file_search_call",
        "message",
    ]
    assert response.output[0].action.type == "search"


async def test_what_is_unknown_is_not_found(vendor, gpt):
    """Nobody can retrieve or cancel what was never made."""
    for method in (gpt.responses.retrieve, gpt.responses.cancel):
        with pytest.raises(openai.NotFoundError):
            await done(method("resp_none"))


async def test_counting_input_tokens_is_free(vendor, gpt):
    """`input_tokens.count` says how many tokens a request would have, and bills nothing."""
    if not hasattr(gpt.responses, "input_tokens"):
        pytest.skip("this SDK cannot count input tokens")

    counted = await done(gpt.responses.input_tokens.count(**ASK))

    assert counted.input_tokens == len(ASK["input"]) // 4
    assert vendor.bills == ()
