"""Responses that the caller reads: what is watched stays, to the caller, the HTTP library's own."""

import pickle

import pytest

from tests.conftest import CLAUDE, GPT, done, http_of, new_gpt


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


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
async def test_a_body_that_cannot_be_decoded_is_closed_as_early_as_without_tracking(
    kind, vendor, tracked, records, streamed
) -> None:
    """The caller gets the HTTP library's error, the connection is given back at once, and the usage is not known."""
    openai = pytest.importorskip("openai", reason="the OpenAI SDK is not installed")
    http = http_of(openai)

    class Body(http.AsyncByteStream, http.SyncByteStream):
        closed = False

        def __iter__(self):
            yield b"not compressed"

        async def __aiter__(self):
            yield b"not compressed"

        def close(self):
            self.closed = True

        async def aclose(self):
            self.closed = True

    seen = []
    for track in (lambda client, **_: client, tracked):
        body = Body()
        media = "text/event-stream" if streamed else "application/json"
        headers = {"content-type": media, "content-encoding": "gzip"}
        transport = http.MockTransport(lambda _, h=headers, b=body: http.Response(200, headers=h, stream=b))
        client_class = http.Client if kind == "sync" else http.AsyncClient
        client = track(
            new_gpt(kind, vendor, http_client=client_class(transport=transport)), provider="openai"
        )
        opened = client.chat.completions.with_streaming_response.create(**GPT)
        if kind == "sync":
            with opened as response:
                with pytest.raises(http.DecodingError):
                    list(response.iter_bytes())
                seen.append(body.closed)
        else:
            async with opened as response:
                with pytest.raises(http.DecodingError):
                    [chunk async for chunk in response.iter_bytes()]
                seen.append(body.closed)
        await done(client.close())

    assert seen[0] == seen[1]
    assert (records.one.cost.status, records.one.outcome) == ("unmeasured", "abandoned")
