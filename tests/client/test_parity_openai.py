"""Every way to call the OpenAI SDK gives the caller what the plain SDK gives, and the right records."""

import asyncio
import copy
import functools
import io
import json
from decimal import Decimal

import pytest

from tests.client.parity import Case, can, fresh_vendor, outcome_of, summary
from tests.conftest import GPT, GPT_SAYS, done, entered, every, new_gpt, some
from tracked_inference.loopback import Answer, Reply

openai = pytest.importorskip("openai", reason="the OpenAI SDK is not installed")
from pydantic import BaseModel

BILLED = {"input": 11, "cache_read": 4, "output": 7}
OK = ("chat.completions", "ok", BILLED, "exact", 1)
CUT = ("chat.completions", "abandoned", None, "unmeasured", 1)
RESPONSE = ("responses", "ok", BILLED, "exact", 1)
LEGACY = ("completions", "ok", {"input": 11, "output": 7}, "exact", 1)
AGAIN = Reply.error(429, retry_after_ms=1)
BROKEN = Reply.error(500, retry_after_ms=1)
ASKED = {"stream": True, "stream_options": {"include_usage": True}}
ASK = {"model": "gpt-4o", "input": "Say something."}
INSTRUCT = {"model": "gpt-3.5-turbo-instruct", "prompt": "Say something."}


class Weather(BaseModel):
    city: str


SUNNY = Answer.using(BILLED, text='{"city":"Oslo"}', chunks=3)
CUT_SHORT = Answer.using(BILLED, text='{"city":"Os', chunks=3, stop_reason="length")


def is_async(client):
    return isinstance(client, openai.AsyncOpenAI)


async def chat(client, vendor):
    return await done(client.chat.completions.create(**GPT))


async def chat_stream(client, vendor):
    return await every(client.chat.completions.create(**GPT, stream=True))


async def chat_stream_asked(client, vendor):
    return await every(client.chat.completions.create(**GPT, **ASKED))


async def chat_stream_declined(client, vendor):
    return await every(
        client.chat.completions.create(**GPT, stream=True, stream_options={"include_usage": False})
    )


async def chat_stream_asked_in_extra_body(client, vendor):
    body = {"stream_options": {"include_usage": True}}
    return await every(client.chat.completions.create(**GPT, stream=True, extra_body=body))


async def chat_parse(client, vendor):
    return await done(client.chat.completions.parse(**GPT, response_format=Weather))


async def chat_helper(client, vendor):
    async with entered(client.chat.completions.stream(**GPT)) as stream:
        return await every(stream), await done(stream.get_final_completion())


async def responses(client, vendor):
    return await done(client.responses.create(**ASK))


async def responses_stream(client, vendor):
    return await every(client.responses.create(**ASK, stream=True))


async def responses_parse(client, vendor):
    return await done(client.responses.parse(**ASK, text_format=Weather))


async def responses_helper(client, vendor):
    async with entered(client.responses.stream(**ASK)) as stream:
        return await every(stream), await done(stream.get_final_response())


async def responses_retrieve(client, vendor):
    made = await done(client.responses.create(**ASK))
    return await done(client.responses.retrieve(made.id))


async def background(client, vendor):
    made = await done(client.responses.create(**ASK, background=True))
    return [made, *[await done(client.responses.retrieve(made.id)) for _ in range(4)]]


async def background_stream_then_retrieved(client, vendor):
    events = await every(client.responses.create(**ASK, background=True, stream=True))
    return events, await done(client.responses.retrieve(events[0].response.id))


async def background_stream_cut_then_retrieved(client, vendor):
    stream = await done(client.responses.create(**ASK, background=True, stream=True))
    events = await some(stream, 2)
    await done(stream.close())
    return events, await done(client.responses.retrieve(events[0].response.id))


async def background_cancelled(client, vendor):
    made = await done(client.responses.create(**ASK, background=True))
    cancelled = await done(client.responses.cancel(made.id))
    return cancelled, await done(client.responses.retrieve(made.id))


async def background_made_elsewhere(client, vendor):
    elsewhere = new_gpt("async", vendor)
    made = await elsewhere.responses.create(**ASK, background=True)
    await elsewhere.close()
    return [await done(client.responses.retrieve(made.id)) for _ in range(2)]


async def background_retrieved_as_stream(client, vendor):
    made = await done(client.responses.create(**ASK, background=True))
    return await every(client.responses.retrieve(made.id, stream=True)), await done(
        client.responses.retrieve(made.id)
    )


async def embeddings(client, vendor):
    made = await done(client.embeddings.create(model="text-embedding-3-small", input=["one", "two"]))
    return made.usage, len(made.data)


async def images(client, vendor):
    return await done(client.images.generate(model="gpt-image-1", prompt="a cat", quality="low"))


async def images_stream(client, vendor):
    return await every(
        client.images.generate(model="gpt-image-1", prompt="a cat", stream=True, quality="low")
    )


async def images_edit(client, vendor):
    picture = ("cat.png", b"\x89PNG" + bytes(40), "image/png")
    return await done(client.images.edit(model="gpt-image-1", prompt="a cat", image=picture, quality="low"))


RECORDING = b"RIFF" + bytes(64_000)


def transcribe(model, **options):
    async def run(client, vendor):
        file = ("speech.wav", io.BytesIO(RECORDING))
        made = client.audio.transcriptions.create(model=model, file=file, **options)
        return await every(made) if options.get("stream") else await done(made)

    return run


async def translate(client, vendor):
    return await done(client.audio.translations.create(model="whisper-1", file=("s.wav", RECORDING)))


def speech(model):
    async def run(client, vendor):
        made = await done(client.audio.speech.create(model=model, voice="alloy", input="Hello there."))
        return made.content

    return run


async def speech_streamed(client, vendor):
    make = client.audio.speech.with_streaming_response.create
    async with entered(make(model="tts-1", voice="alloy", input="Hello there.")) as made:
        return b"".join(await every(made.iter_bytes()))


async def completions(client, vendor):
    return await done(client.completions.create(**INSTRUCT))


async def completions_stream(client, vendor):
    return await every(client.completions.create(**INSTRUCT, stream=True))


async def moderations(client, vendor):
    return await done(client.moderations.create(input="Hello."))


async def models(client, vendor):
    return await every(client.models.list())


async def input_tokens(client, vendor):
    return await done(client.responses.input_tokens.count(**ASK))


async def raw(client, vendor):
    answer = await done(client.chat.completions.with_raw_response.create(**GPT))
    return answer.status_code, answer.text, answer.parse()


async def raw_stream(client, vendor):
    answer = await done(client.chat.completions.with_raw_response.create(**GPT, **ASKED))
    return await every(answer.parse())


async def raw_stream_dropped(client, vendor):
    return await every((await done(client.chat.completions.with_raw_response.create(**GPT, **ASKED))).parse())


async def raw_stream_not_asked(client, vendor):
    return await every(
        (await done(client.chat.completions.with_raw_response.create(**GPT, stream=True))).parse()
    )


async def streaming_response_parse(client, vendor):
    async with entered(client.chat.completions.with_streaming_response.create(**GPT)) as answer:
        return await done(answer.parse())


async def streaming_response_lines(client, vendor):
    async with entered(client.chat.completions.with_streaming_response.create(**GPT, **ASKED)) as answer:
        return await every(answer.iter_lines())


async def with_options(client, vendor):
    return await done(client.with_options(timeout=9).copy(max_retries=1).chat.completions.create(**GPT))


async def copied(client, vendor):
    return await done(copy.copy(client).chat.completions.create(**GPT))


async def post(client, vendor):
    return await done(
        client.post("/chat/completions", body=dict(GPT), cast_to=openai.types.chat.ChatCompletion)
    )


async def post_for_bytes(client, vendor):
    made = await done(
        client.post(
            "/chat/completions", body=dict(GPT), cast_to=openai._legacy_response.HttpxBinaryResponseContent
        )
    )
    return json.loads(made.content)["usage"]


async def times_out(client, vendor):
    return await done(client.with_options(timeout=0.1, max_retries=0).chat.completions.create(**GPT))


async def close_early(client, vendor):
    stream = await done(client.chat.completions.create(**GPT, stream=True))
    first = await some(stream, 2)
    await done(stream.close())
    return first


async def leave_context_early(client, vendor):
    async with entered(client.chat.completions.stream(**GPT)) as stream:
        return await some(stream, 2)


async def drop_early(client, vendor):
    stream = await done(client.chat.completions.create(**GPT, stream=True))
    if is_async(client):
        async for chunk in stream:
            break
    else:
        for chunk in stream:
            break
    del stream
    return chunk


async def never_iterated(client, vendor):
    return type(await done(client.chat.completions.create(**GPT, stream=True))).__name__


async def twenty_at_once(client, vendor):
    create = functools.partial(client.chat.completions.create, **GPT)
    calls = [create() if is_async(client) else asyncio.to_thread(create) for _ in range(20)]
    return sorted(made.id for made in await asyncio.gather(*calls))


async def cancel_before_headers(client, vendor):
    async with asyncio.timeout(0.1):
        await client.chat.completions.create(**GPT)


async def cancel_in_stream(client, vendor):
    seen = []
    stream = await client.chat.completions.create(**GPT, stream=True)
    try:
        async with asyncio.timeout(0.2):
            async for event in stream:
                seen.append(event)
    except TimeoutError:
        return seen


def video(status):
    return {
        "id": "video_1",
        "object": "video",
        "status": status,
        "model": "sora-2",
        "seconds": "4",
        "size": "720x1280",
        "progress": 100,
        "created_at": 1_780_000_000,
    }


async def videos(client, vendor):
    vendor.always(lambda request: Reply.json(video("queued" if request.method == "POST" else "completed")))
    made = await done(client.videos.create(model="sora-2", prompt="a cat", seconds="4", size="720x1280"))
    return [made, *[await done(client.videos.retrieve(made.id)) for _ in range(2)]]


IMAGE_TOKENS = {"input": 1, "output_image": 272}
# Two price lists disagree on this model: its cost is an estimate.
HEARD = {"input_audio": 20, "output": 6}
INSTRUCTED = Answer.using({"input": 11, "output": 7}, text="Hello there.", chunks=3)

CASES = [
    Case("chat", chat, [OK]),
    Case("chat, gzip", chat, [OK], [(GPT_SAYS.gzipped(), None)]),
    Case("chat stream", chat_stream, [OK]),
    Case("chat stream, gzip, in slices", chat_stream, [OK], [(GPT_SAYS.gzipped().sliced(9), None)]),
    Case("chat stream, usage asked for", chat_stream_asked, [OK]),
    Case("chat stream, usage declined", chat_stream_declined, [("chat.completions", "ok", None, "unmeasured", 1)]),
    Case("chat stream, usage asked for in extra_body", chat_stream_asked_in_extra_body, [OK]),
    Case("chat.parse", chat_parse, [OK], [(SUNNY, None)]),
    Case("chat.parse, cut short", chat_parse, [("chat.completions", "error", BILLED, "exact", 1)], [(CUT_SHORT, None)]),
    Case("chat.parse of nonsense", chat_parse, [("chat.completions", "error", BILLED, "exact", 1)]),
    Case("chat.stream()", chat_helper, [OK]),
    Case("responses", responses, [RESPONSE]),
    Case("responses, incomplete", responses, [RESPONSE], [(Answer.using(BILLED, stop_reason="max_output_tokens"), None)]),
    Case("responses, failed", responses, [("responses", "error", BILLED, "exact", 1)],
         [(Answer.using(BILLED, fields={"status": "failed"}), None)]),
    Case("responses stream", responses_stream, [RESPONSE]),
    Case("responses stream, failed", responses_stream, [("responses", "error", BILLED, "exact", 1)],
         [(Answer.using(BILLED, text="Hello there.", chunks=3, fails_after=1), None)]),
    Case("responses.parse", responses_parse, [RESPONSE], [(SUNNY, None)]),
    Case("responses.stream()", responses_helper, [RESPONSE]),
    Case("responses.retrieve is no call", responses_retrieve, [RESPONSE]),
    Case("background", background, [RESPONSE], [(Answer.using(BILLED, polls=3), None)]),
    Case("background, streamed, then retrieved", background_stream_then_retrieved, [RESPONSE]),
    Case("background, stream cut, then retrieved", background_stream_cut_then_retrieved, [RESPONSE]),
    Case("background, cancelled", background_cancelled, [("responses", "cancelled", None, "unmeasured", 1)]),
    Case("background, made elsewhere", background_made_elsewhere, [RESPONSE]),
    Case("background, retrieved as a stream", background_retrieved_as_stream, [RESPONSE]),
    Case("embeddings", embeddings, [("embeddings", "ok", {"input": 2}, "exact", 1)]),
    Case("images", images, [("images", "ok", IMAGE_TOKENS, "exact", 1)]),
    Case("images stream", images_stream, [("images", "ok", IMAGE_TOKENS, "exact", 1)]),
    Case("images.edit", images_edit, [("images", "ok", {**IMAGE_TOKENS, "input_image": 323}, "exact", 1)]),
    Case("transcription, json", transcribe("gpt-4o-transcribe"), [("audio.transcriptions", "ok", HEARD, "estimated", 1)],
         [(Answer.using(HEARD, text="hello"), None)]),
    Case("transcription, whisper", transcribe("whisper-1"), [("audio.transcriptions", "ok", {}, "exact", 1)]),
    Case("transcription, text", transcribe("gpt-4o-transcribe", response_format="text"),
         [("audio.transcriptions", "ok", None, "unmeasured", 1)]),
    Case("transcription, stream", transcribe("gpt-4o-transcribe", stream=True),
         [("audio.transcriptions", "ok", HEARD, "estimated", 1)], [(Answer.using(HEARD, text="hello"), None)]),
    Case("translation", translate, [("audio.translations", "ok", {}, "exact", 1)]),
    Case("speech, by character", speech("tts-1"), [("audio.speech", "ok", {}, "exact", 1)]),
    Case("speech, by token", speech("gpt-4o-mini-tts"), [("audio.speech", "ok", {}, "unpriced", 1)]),
    Case("speech, streamed", speech_streamed, [("audio.speech", "ok", {}, "exact", 1)]),
    Case("completions", completions, [LEGACY], [(INSTRUCTED, None)]),
    Case("completions stream", completions_stream, [LEGACY], [(INSTRUCTED, None)]),
    Case("moderations", moderations, [("moderations", "ok", {}, "free", 1)]),
    Case("models", models, []),
    Case("input_tokens", input_tokens, [], needs="responses.input_tokens"),
    Case("videos", videos, [("videos", "ok", {}, "exact", 1)], needs="videos"),
    Case("with_raw_response", raw, [OK]),
    Case("with_raw_response, stream", raw_stream, [OK]),
    Case("with_raw_response, stream, the answer dropped", raw_stream_dropped, [OK]),
    Case("with_raw_response, stream, usage not asked for", raw_stream_not_asked,
         [("chat.completions", "ok", None, "unmeasured", 1)]),
    Case("with_streaming_response, parse", streaming_response_parse, [OK]),
    Case("with_streaming_response, lines", streaming_response_lines, [OK]),
    Case("with_options and copy", with_options, [OK]),
    Case("copy.copy", copied, [OK]),
    Case("post", post, [OK]),
    Case("post, for the bytes", post_for_bytes, [OK]),
    Case("429, 429, ok", chat, [("chat.completions", "ok", BILLED, "exact", 3)], [(AGAIN, None)] * 2),
    Case("500 always", chat, [("chat.completions", "error", {}, "free", 3)], [(BROKEN, None)] * 3),
    Case("400", chat, [("chat.completions", "error", {}, "free", 1)], [(Reply.error(400), None)]),
    Case("timeout", times_out, [("chat.completions", "error", None, "unmeasured", 1)], [(Reply.hang(), None)]),
    Case("error in the stream", chat_stream, [("chat.completions", "error", None, "unmeasured", 1)],
         [(Answer.using(BILLED, text="Hello there.", chunks=3, fails_after=1), None)]),
    Case("disconnected in the stream", chat_stream, [("chat.completions", "error", None, "unmeasured", 1)],
         [(GPT_SAYS.cut(after=1), None)]),
    Case("close()", close_early, [CUT]),
    Case("context left", leave_context_early, [CUT]),
    Case("dropped", drop_early, [CUT]),
    Case("never iterated", never_iterated, [CUT]),
    Case("twenty at once", twenty_at_once, [OK] * 20),
    Case("cancelled before headers", cancel_before_headers, [("chat.completions", "cancelled", None, "unmeasured", 1)],
         [(Reply.hang(), None)], only="async"),
    Case("cancelled in the stream", cancel_in_stream, [("chat.completions", "cancelled", None, "unmeasured", 1)],
         [(GPT_SAYS.paced(0.15), None)], only="async"),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=str)
async def test_case(case, kind, tracked, records):
    """The caller sees what the plain SDK gives; each call is one record, with what was billed."""
    if case.only not in (None, kind):
        pytest.skip(f"a case of {case.only} clients")
    with fresh_vendor(case) as vendor:
        plain = new_gpt(kind, vendor)
        if not can(plain, case.needs):
            pytest.skip(f"this SDK has no {case.needs}")
        expected = await outcome_of(case, plain, vendor)
        await done(plain.close())
    with fresh_vendor(case) as vendor:
        client = tracked(new_gpt(kind, vendor), provider="openai", stream_usage=True)
        seen = await outcome_of(case, client, vendor)
        await done(client.close())

    assert seen == expected
    assert summary(records) == case.expected


async def test_seconds_and_characters_have_a_price(gpt, records):
    """What is sold by the second or character is priced so: 2 s x $0.0001, 12 characters x $0.000015."""
    await done(gpt.audio.transcriptions.create(model="whisper-1", file=("s.wav", RECORDING)))
    (await done(gpt.audio.speech.create(model="tts-1", voice="alloy", input="Hello there."))).read()
    heard, said = records

    assert heard.cost.total_usd == Decimal("0.0002")
    assert said.cost.total_usd == Decimal("0.00018")


async def test_requests_are_the_same_but_for_the_stream_option(vendor, plain_gpt, gpt):
    """Of what is sent, tracking changes one option of streams."""
    await done(plain_gpt.chat.completions.create(**GPT))
    await done(gpt.chat.completions.create(**GPT))
    await every(plain_gpt.chat.completions.create(**GPT, stream=True))
    await every(gpt.chat.completions.create(**GPT, stream=True))
    before, after, stream_before, stream_after = vendor.requests

    assert (after.body, after.headers) == (before.body, before.headers)
    assert stream_after.json == {**stream_before.json, "stream_options": {"include_usage": True}}
