"""Embeddings, images, audio and moderations, read by OpenAI's SDK."""

from decimal import Decimal

import pytest

from tests.loopback.conftest import done, every, openai
from tracked_inference.loopback import Answer

# The newest SDK calls some methods deprecated; who still calls them is still billed.
still_billed = pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")
SECONDS_3 = ("speech.wav", b"\0" * 96_000)


async def test_embeddings(vendor, gpt):
    """Each text gets a vector of the size that was asked for, the same each time, whatever the encoding."""
    ask = {"model": "text-embedding-3-small", "input": ["one text", "another"], "dimensions": 8}

    packed = await done(gpt.embeddings.create(**ask))
    floats = await done(gpt.embeddings.create(**ask, encoding_format="float"))

    assert isinstance(packed, openai.types.CreateEmbeddingResponse)
    assert [len(one.embedding) for one in packed.data] == [8, 8]
    assert packed.data[0].embedding == pytest.approx(floats.data[0].embedding)
    assert packed.data[0].embedding != packed.data[1].embedding
    assert packed.usage.prompt_tokens == packed.usage.total_tokens == 3
    assert vendor.bills[0].usage.passes[0].counts == {"input": 3}


async def test_embeddings_of_tokens(vendor, gpt):
    """Texts may be given as token ids, which are counted as they are."""
    ask = {"model": "text-embedding-3-small"}

    one = await done(gpt.embeddings.create(**ask, input=[1, 2, 3]))
    two = await done(gpt.embeddings.create(**ask, input=[[1, 2, 3], [4]]))

    assert [one.usage.prompt_tokens, two.usage.prompt_tokens] == [3, 4]


async def test_images_by_token(vendor, gpt):
    """A GPT image model bills tokens of text and of pictures, by quality and number."""
    images = await done(gpt.images.generate(model="gpt-image-1", prompt="a cat", n=2, quality="low"))

    assert isinstance(images, openai.types.ImagesResponse)
    assert len(images.data) == 2
    assert images.usage.input_tokens_details.text_tokens == 1
    assert images.usage.output_tokens == 544
    assert vendor.bills[0].usage.passes[0].counts == {"input": 1, "output_image": 544}


async def test_images_by_piece(vendor, gpt):
    """DALL-E bills pictures and reports no usage."""
    images = await done(gpt.images.generate(model="dall-e-3", prompt="a cat"))

    assert images.usage is None
    assert images.data[0].url.startswith(vendor.url)
    assert vendor.bills[0].usage.passes[0].counts == {"image": 1}


async def test_images_as_a_stream(vendor, gpt):
    """Streamed images come as partial pictures and end with the usage."""
    events = await every(gpt.images.generate(model="gpt-image-1", prompt="a cat", stream=True))

    assert [event.type for event in events] == [
        "image_generation.partial_image",
        "image_generation.completed",
    ]
    assert events[-1].usage.output_tokens == 1056


@still_billed
async def test_edits_and_variations(vendor, gpt):
    """Edits count the picture that goes in; both are sent as forms."""
    edited = await done(gpt.images.edit(model="gpt-image-1", image=("cat.png", b"png"), prompt="a dog"))
    await done(gpt.images.create_variation(model="dall-e-2", image=("cat.png", b"png"), n=2))

    assert edited.usage.input_tokens_details.image_tokens == 323
    assert vendor.bills[1].usage.passes[0].counts == {"image": 2}


async def test_transcription_by_second(vendor, gpt):
    """Whisper bills seconds, and says so in JSON."""
    transcription = await done(gpt.audio.transcriptions.create(model="whisper-1", file=SECONDS_3))

    assert transcription.text
    assert transcription.usage.type == "duration"
    assert transcription.usage.seconds == 3
    assert vendor.bills[0].usage.passes[0].counts == {"second": Decimal(3)}
    assert vendor.requests[0].form["file"] == SECONDS_3[1]


async def test_transcription_by_token(vendor, gpt):
    """The newer models bill tokens, of audio and text."""
    transcription = await done(gpt.audio.transcriptions.create(model="gpt-4o-transcribe", file=SECONDS_3))

    assert transcription.usage.type == "tokens"
    assert transcription.usage.input_token_details.audio_tokens == 30
    assert transcription.usage.output_tokens == vendor.bills[0].usage.output_tokens > 0


@pytest.mark.parametrize("form", ["text", "srt", "vtt"])
async def test_transcription_as_text_says_nothing_of_usage(vendor, gpt, form):
    """A bare text is billed all the same."""
    text = await done(
        gpt.audio.transcriptions.create(model="whisper-1", file=SECONDS_3, response_format=form)
    )

    assert isinstance(text, str)
    assert len(vendor.bills) == 1


async def test_transcription_in_full(vendor, gpt):
    """The verbose form has the duration."""
    transcription = await done(
        gpt.audio.transcriptions.create(model="whisper-1", file=SECONDS_3, response_format="verbose_json")
    )

    assert float(transcription.duration) == 3


async def test_transcription_as_a_stream(vendor, gpt):
    """A streamed transcription ends with its text and usage."""
    vendor.script(Answer(text="hello"))

    events = await every(
        gpt.audio.transcriptions.create(model="gpt-4o-transcribe", file=SECONDS_3, stream=True)
    )

    assert [event.type for event in events] == ["transcript.text.delta", "transcript.text.done"]
    assert events[-1].text == "hello"


@still_billed
async def test_translation(vendor, gpt):
    """Translations are served as transcriptions are."""
    translation = await done(gpt.audio.translations.create(model="whisper-1", file=SECONDS_3))

    assert translation.text
    assert vendor.bills[0].endpoint == "audio.translations"


async def test_speech_says_nothing_of_usage(vendor, gpt):
    """Speech is bytes; the older models bill characters, the newer ones tokens."""
    ask = {"voice": "alloy", "input": "Hello there."}

    old = await done(gpt.audio.speech.create(model="tts-1", **ask))
    await done(gpt.audio.speech.create(model="gpt-4o-mini-tts", **ask))

    assert old.content.startswith(b"RIFFHello there.")
    assert vendor.bills[0].usage.passes[0].counts == {"character": 12}
    assert vendor.bills[1].usage.passes[0].counts == {"input": 3, "output_audio": 12}


async def test_speech_as_a_stream_has_usage_in_its_bytes(vendor, gpt):
    """With `stream_format=sse` the last event says what was used."""
    ask = {"model": "gpt-4o-mini-tts", "voice": "alloy", "input": "Hello there."}

    sound = await done(gpt.audio.speech.create(**ask, stream_format="sse"))

    assert b'"type":"speech.audio.done"' in sound.content
    assert b'"total_tokens":15' in sound.content


async def test_moderations_are_free(vendor, gpt):
    """Each text gets a verdict, and nobody a bill."""
    moderation = await done(gpt.moderations.create(input=["one", "two"]))

    assert isinstance(moderation, openai.types.ModerationCreateResponse)
    assert [result.flagged for result in moderation.results] == [False, False]
    assert vendor.bills == ()
