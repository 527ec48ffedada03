"""How answers travel: late, slowly, in pieces, compressed, cut, or never; and what is billed for it."""

import time

import pytest

from tests.loopback.conftest import anthropic, done, every, openai
from tracked_inference.loopback import Answer, Reply

CLAUDE = {"model": "claude-haiku-4-5", "max_tokens": 64, "messages": [{"role": "user", "content": "Hi"}]}
GPT = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hi"}]}


async def test_rate_limits_are_retried_by_the_sdk(vendor, claude, gpt):
    """Errors with a retry header are sent so many times; the SDK waits as told and then gets its answer."""
    limited = Reply.error(429, "slow down", retry_after_ms=1)
    vendor.script(limited, Answer(text="one")).script(limited, times=2).script(Answer(text="two"))

    message = await done(claude.messages.create(**CLAUDE))
    completion = await done(gpt.chat.completions.create(**GPT))

    assert message.content[0].text == "one"
    assert completion.choices[0].message.content == "two"
    assert [request.headers["x-stainless-retry-count"] for request in vendor.requests] == [
        "0",
        "1",
        "0",
        "1",
        "2",
    ]
    assert len(vendor.bills) == 2


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, "BadRequestError"),
        (401, "AuthenticationError"),
        (404, "NotFoundError"),
        (422, "UnprocessableEntityError"),
        (429, "RateLimitError"),
        (500, "InternalServerError"),
    ],
)
async def test_errors_are_the_sdks_own(vendor, claude, gpt, status, error):
    """An error status becomes the exception that each SDK has for it, with its message."""
    vendor.always(Reply.error(status, "no way", headers={"x-should-retry": "false"}))

    with pytest.raises(getattr(anthropic, error), match="no way"):
        await done(claude.messages.create(**CLAUDE))
    with pytest.raises(getattr(openai, error), match="no way"):
        await done(gpt.chat.completions.create(**GPT))

    assert vendor.bills == ()


async def test_a_hanging_vendor_times_out(vendor, claude, gpt):
    """A vendor that never answers lets the client time out."""
    vendor.always(Reply.hang())

    with pytest.raises(anthropic.APITimeoutError):
        await done(claude.with_options(timeout=0.05, max_retries=0).messages.create(**CLAUDE))
    with pytest.raises(openai.APITimeoutError):
        await done(gpt.with_options(timeout=0.05, max_retries=0).chat.completions.create(**GPT))

    vendor.wait_idle()
    assert len(vendor.requests) == 2
    assert vendor.bills == ()


async def test_an_answer_can_come_late(vendor, claude):
    """`after()` waits before the headers; a client that leaves before them is not billed."""
    vendor.script(Answer().after(0.05)).script(Answer().after(5))

    started = time.perf_counter()
    await done(claude.messages.create(**CLAUDE))
    waited = time.perf_counter() - started
    with pytest.raises(anthropic.APITimeoutError):
        await done(claude.with_options(timeout=0.05, max_retries=0).messages.create(**CLAUDE))

    vendor.wait_idle()
    assert waited >= 0.05
    assert len(vendor.bills) == 1


async def test_a_stream_can_be_slow(vendor, claude):
    """`paced()` waits before each chunk of content, not before what opens the stream."""
    vendor.script(Answer(text="one two three", chunks=3).paced(0.02))

    started = time.perf_counter()
    stream = await done(claude.messages.create(**CLAUDE, stream=True))
    times = []
    if hasattr(stream, "__aiter__"):
        async for event in stream:
            times.append((event.type, time.perf_counter() - started))
    else:
        for event in stream:
            times.append((event.type, time.perf_counter() - started))

    assert times[-1][0] == "message_stop"
    assert times[-1][1] >= 0.06
    assert dict(reversed(times))["content_block_delta"] >= 0.02


async def test_a_cut_stream_is_billed_for_what_was_said(vendor, claude, gpt):
    """A stream that is cut ends in a connection error; its input is billed in full, its output in part."""
    vendor.always(Answer.using({"input": 10, "output": 100}, text="x" * 100, chunks=10).cut(after=4))

    with pytest.raises(Exception, match=r"incomplete|closed|Connection"):
        await every(claude.messages.create(**CLAUDE, stream=True))
    with pytest.raises(Exception, match=r"incomplete|closed|Connection"):
        await every(gpt.chat.completions.create(**GPT, stream=True))

    assert len(vendor.bills) == 2
    for bill in vendor.bills:
        assert not bill.whole
        assert bill.usage.input_tokens == 10
        assert 1 <= bill.usage.output_tokens < 100
        assert not bill.usage.complete


async def test_a_stream_that_is_left_is_billed_for_what_was_said(vendor, claude):
    """A client that leaves a slow stream is billed for what had been sent."""
    vendor.script(Answer.using({"input": 10, "output": 100}, text="x" * 100, chunks=100).paced(0.01))

    stream = await done(claude.messages.create(**CLAUDE, stream=True))
    if hasattr(stream, "__aiter__"):
        async for event in stream:
            if event.type == "content_block_delta":
                break
    else:
        for event in stream:
            if event.type == "content_block_delta":
                break
    await done(stream.close())

    vendor.wait_idle()
    assert not vendor.bills[0].whole
    assert vendor.bills[0].usage.input_tokens == 10
    assert 1 <= vendor.bills[0].usage.output_tokens < 100


async def test_a_cut_body_is_a_connection_error(vendor, gpt):
    """An answer that is no stream is cut in its middle, and billed: the vendor did the work."""
    vendor.script(Answer(text="Hello there.").cut(after=0))

    with pytest.raises(Exception, match=r"incomplete|closed|Connection"):
        await done(gpt.with_options(max_retries=0).chat.completions.create(**GPT))

    assert vendor.bills[0].whole


@pytest.mark.parametrize("slow", [False, True])
async def test_compressed_and_sliced_answers_arrive_whole(vendor, claude, gpt, slow):
    """gzip and slices through the middle of events and characters change nothing for the client."""
    text = "Grüße — 価格は? Größe — 価格は?"
    said = Answer(text=text, chunks=5)
    said = said.paced(0.0001) if slow else said
    vendor.script(said.gzipped(), said.gzipped().sliced(50), said.sliced(49))

    message = await done(claude.messages.create(**CLAUDE))
    events = await every(claude.messages.create(**CLAUDE, stream=True))
    chunks = await every(gpt.chat.completions.create(**GPT, stream=True))

    assert message.content[0].text == text
    assert "".join(event.delta.text for event in events if event.type == "content_block_delta") == text
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == text
    assert all(bill.whole for bill in vendor.bills)


async def test_a_slow_stream_that_is_cut(vendor, gpt):
    """Pace and cut go together."""
    vendor.script(Answer(text="x" * 10, chunks=10).paced(0.001).cut(after=2))

    seen = []
    with pytest.raises(Exception, match=r"incomplete|closed|Connection"):
        stream = await done(gpt.chat.completions.create(**GPT, stream=True))
        if hasattr(stream, "__aiter__"):
            async for chunk in stream:
                seen.append(chunk)
        else:
            for chunk in stream:
                seen.append(chunk)

    assert len(seen) == 3
    vendor.wait_idle()
    assert not vendor.bills[0].whole


async def test_anything_can_be_sent(vendor, claude, gpt):
    """Bodies, streams and headers can be exactly what a test wants, well-formed or not."""
    vendor.script(
        Reply.json({"id": 1, "usage": None}).with_headers(request_id="req_mine"),
        Reply.data(b"not json", content_type="application/json"),
        Reply.sse([(None, {"choices": None, "usage": {"prompt_tokens": "11"}}), (None, "[DONE]")]),
    )

    odd = await done(claude.messages.create(**CLAUDE))
    with pytest.raises(Exception):
        await done(gpt.with_options(max_retries=0).chat.completions.create(**GPT))
    chunks = await every(gpt.chat.completions.create(**GPT, stream=True))

    assert odd.id == 1
    assert odd._request_id == "req_mine"
    assert chunks[0].choices is None
    assert chunks[0].usage.prompt_tokens == "11"
    assert vendor.bills == ()
