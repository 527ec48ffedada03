"""Responses that the caller reads: what is watched stays, to the caller, the HTTP library's own."""

import pickle

from tests.conftest import CLAUDE, GPT, done


async def test_the_stream_of_a_response_is_the_http_librarys(claude, plain_claude, records) -> None:
    """The body that an SDK hands on is not replaced: what it and others hang on it is found where they left it."""
    wrapper = claude.with_options().messages.with_raw_response
    raw = await done(wrapper.create(**CLAUDE, stream=True))
    plain = await done(plain_claude.messages.with_raw_response.create(**CLAUDE, stream=True))

    assert type(raw.http_response.stream) is type(plain.http_response.stream)

    for one in (raw.http_response, plain.http_response):
        await done(one.aclose() if hasattr(claude, "__aenter__") else one.close())
    assert records.one.outcome == "abandoned"


async def test_a_response_that_was_read_is_of_its_own_class_again(gpt, plain_gpt, records) -> None:
    """Once its bytes have passed, a response can be pickled and compared like any other."""
    with_response = gpt.chat.completions.with_streaming_response.create(**GPT)
    plain = await done(plain_gpt.chat.completions.with_raw_response.create(**GPT))
    if hasattr(with_response, "__aenter__"):
        async with with_response as response:
            await response.read()
    else:
        with with_response as response:
            response.read()

    assert type(response.http_response) is type(plain.http_response)
    assert pickle.loads(pickle.dumps(response.http_response)).content == response.http_response.content
    assert records.one.outcome == "ok"
