"""
The money of calls through the vendors' clients for other clouds, and of what is not sold by the text token.

The wire is written by hand and answered in this process; the money is in millionths of a dollar.
"""

from __future__ import annotations

import json
from decimal import Decimal as D
from typing import Any

import pytest

from tests.conftest import http_of
from tracked_inference import CallRecord, PriceTable, TrackedClient

anthropic = pytest.importorskip("anthropic", reason="the Anthropic SDK is not installed")
openai = pytest.importorskip("openai", reason="the OpenAI SDK is not installed")

THOUSAND = {"input_tokens": 1000, "output_tokens": 100}
AWS = {"aws_access_key": "a", "aws_secret_key": "s", "aws_region": "us-east-1"}
PROFILE = "arn:aws:bedrock:us-east-1:123456789012"


def call(sdk: Any, name: str, options: dict[str, Any], answer: Any, ask: Any) -> CallRecord:
    """The one record of a call that is answered with JSON, with bytes, or with the events of a stream."""
    make = getattr(sdk, name, None)
    if make is None:
        pytest.skip(f"this SDK has no {name}")
    http = http_of(sdk)
    media, content = "application/json", answer
    if isinstance(answer, list):
        media = "text/event-stream"
        content = "".join(f"event: {one['type']}\ndata: {json.dumps(one)}\n\n" for one in answer).encode()
    elif isinstance(answer, dict):
        content = json.dumps(answer).encode()
    transport = http.MockTransport(
        lambda _request: http.Response(200, headers={"content-type": media}, content=content)
    )
    records: list[CallRecord] = []
    client = make(http_client=http.Client(transport=transport), **options)
    ask(
        TrackedClient(
            client, feature="search", team="discovery", sinks=[records.append], prices=PriceTable.bundled()
        )
    )
    (record,) = records
    return record


def micro(record: CallRecord) -> D | None:
    return None if record.cost.total_usd is None else record.cost.total_usd.scaleb(6).normalize()


def message(model: str) -> dict[str, Any]:
    content = [{"type": "text", "text": "Hi."}]
    return {"id": "m", "type": "message", "role": "assistant", "model": model, "content": content} | {
        "stop_reason": "end_turn",
        "usage": THOUSAND,
    }


@pytest.mark.parametrize(
    ("name", "options", "asked", "answered", "label", "money", "reasons"),
    [
        # Bedrock: regional profiles cost a tenth more than global ones since the 4.5 generation; the answer has the plain name.
        ("AnthropicBedrock", AWS, "us.anthropic.claude-opus-5-5", "claude-opus-5-5", "claude-opus-5-5", "6600", ()),
        ("AnthropicBedrock", AWS, "global.anthropic.claude-opus-5-5", "claude-opus-5-5", "claude-opus-5-5", "6000", ()),
        (
            "AnthropicBedrock", AWS, "apac.anthropic.claude-haiku-4-5-20251001-v1:0", "claude-haiku-4-5-20251001",
            "claude-haiku-4-5", "1650", (),
        ),
        (
            "AnthropicBedrock", AWS, "us-gov.anthropic.claude-haiku-4-5-20251001-v1:0", "claude-haiku-4-5-20251001",
            "claude-haiku-4-5", "1650", (),
        ),
        ("AnthropicBedrock", AWS, "anthropic.claude-sonnet-5", "claude-sonnet-5", "claude-sonnet-5", "3300", ()),
        (
            "AnthropicBedrock", AWS, "us.anthropic.claude-3-5-haiku-20241022-v1:0", "claude-3-5-haiku-20241022",
            "claude-3-5-haiku", "1200", (),
        ),
        (
            "AnthropicBedrock", AWS, f"{PROFILE}:inference-profile/global.anthropic.claude-opus-5", "claude-opus-5",
            "claude-opus-5", "7500", (),
        ),
        (
            "AnthropicBedrock", AWS, f"{PROFILE}:application-inference-profile/abc", "claude-opus-5", "claude-opus-5",
            "8250", ("inference_profile",),
        ),
        # Vertex: regional and multi-region endpoints cost a tenth more since 4.5.
        (
            "AnthropicVertex", {"region": "global"}, "claude-sonnet-4-5@20250929", "claude-sonnet-4-5-20250929",
            "claude-sonnet-4-5", "4500", (),
        ),
        (
            "AnthropicVertex", {"region": "us-east5"}, "claude-sonnet-4-5@20250929", "claude-sonnet-4-5@20250929",
            "claude-sonnet-4-5", "4950", (),
        ),
        ("AnthropicVertex", {"region": "eu"}, "claude-opus-5-5", "claude-opus-5-5", "claude-opus-5-5", "6600", ()),
        (
            "AnthropicVertex", {"region": "us-east5"}, "claude-3-5-haiku@20241022", "claude-3-5-haiku-20241022",
            "claude-3-5-haiku", "1200", (),
        ),
        ("AnthropicFoundry", {"resource": "house"}, "claude-opus-4-8", "claude-opus-4-8", "claude-opus-4-8", "7500", ()),
        (
            "AnthropicFoundry", {"resource": "house"}, "writer-prod", "writer-prod", "writer-prod", None,
            ("unknown_model",),
        ),
    ],
)  # fmt: skip
def test_claude_on_other_clouds(name, options, asked, answered, label, money, reasons):
    """The class says who sells, the name or the region says where, and each seller's own row says for how much."""
    more = {
        "AnthropicBedrock": {},
        "AnthropicVertex": {"project_id": "p", "access_token": "t"},
        "AnthropicFoundry": {"api_key": "k"},
    }[name]
    words = {"max_tokens": 9, "messages": [{"role": "user", "content": "x"}]}
    record = call(
        anthropic,
        name,
        {**options, **more},
        message(answered),
        lambda client: client.messages.create(model=asked, **words),
    )
    seller = name.removeprefix("Anthropic").lower()

    assert (record.provider, record.model) == (seller, f"{seller}/{label}")
    assert micro(record) == (None if money is None else D(money).normalize())
    assert record.cost.reasons == reasons


@pytest.mark.parametrize(
    ("asked", "answered", "money"),
    [
        ("openai.gpt-oss-120b-1:0", "openai.gpt-oss-120b-1:0", "210"),
        ("global.openai.gpt-6.1-terra", "gpt-6.1-terra", "1500"),
        ("us.openai.gpt-6.1-terra", "gpt-6.1-terra", "1650"),
        ("openai.gpt-5.5", "openai.gpt-5.5", "8800"),
    ],
)
def test_gpt_on_bedrock(asked, answered, money):
    """AWS's own prices, a tenth more where the profile is regional."""
    usage = {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}
    answer = {
        "id": "c",
        "object": "chat.completion",
        "created": 1,
        "model": answered,
        "choices": [],
        "usage": usage,
    }
    record = call(
        openai,
        "BedrockOpenAI",
        {"api_key": "k", "aws_region": "us-east-1"},
        answer,
        lambda client: client.chat.completions.create(model=asked, messages=[]),
    )

    assert (record.provider, micro(record)) == ("bedrock", D(money).normalize())


PICTURE = {"created": 1, "data": [{"url": "u"}]}
DRAWN = {
    "input_tokens": 60,
    "input_tokens_details": {"text_tokens": 40, "image_tokens": 20},
    "output_tokens": 1000,
    "total_tokens": 1060,
}
HEARD = {
    "type": "tokens",
    "input_tokens": 110,
    "input_token_details": {"audio_tokens": 100, "text_tokens": 10},
    "output_tokens": 40,
    "total_tokens": 150,
}
FILE = ("a.bin", b"x")
LOOK = {
    "created_at": 1,
    "size": "1024x1024",
    "quality": "high",
    "background": "opaque",
    "output_format": "png",
}


def read(stream: Any) -> None:
    for _ in stream:
        pass


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(
    ("answer", "ask", "money", "status"),
    [
        # 40 x 5 + 20 x 10 + 1000 x 40
        (PICTURE | {"usage": DRAWN}, lambda c: c.images.generate(model="gpt-image-1", prompt="x"), "40400", "exact"),
        # 40 x 2 + 20 x 2.50 + 1000 x 8
        (
            PICTURE | {"usage": DRAWN},
            lambda c: c.images.edit(model="gpt-image-1-mini", prompt="x", image=FILE), "8130", "exact",
        ),
        (
            [{"type": "image_edit.completed", "b64_json": "a", "usage": DRAWN, **LOOK}],
            lambda c: read(c.images.edit(model="gpt-image-1", prompt="x", image=FILE, stream=True)), "40400", "exact",
        ),
        (
            PICTURE, lambda c: c.images.generate(model="dall-e-3", prompt="x", size="1024x1792", quality="hd"),
            "120000", "exact",
        ),
        (
            PICTURE | {"data": [{"url": "u"}] * 2},
            lambda c: c.images.create_variation(model="dall-e-2", image=FILE, size="256x256", n=2), "32000", "exact",
        ),
        (
            PICTURE | {"usage": DRAWN}, lambda c: c.images.generate(model="gpt-image-99", prompt="x"),
            None, "unpriced",
        ),
        (
            {"text": "a", "usage": {"type": "duration", "seconds": 7.5}},
            lambda c: c.audio.transcriptions.create(model="whisper-1", file=FILE), "750", "exact",
        ),
        (
            {"text": "a", "usage": HEARD},
            lambda c: c.audio.transcriptions.create(model="gpt-4o-transcribe", file=FILE), "675", "estimated",
        ),
        # Sold by the second and measured in tokens, and the other way round.
        (
            {"text": "a", "usage": HEARD},
            lambda c: c.audio.transcriptions.create(model="whisper-1", file=FILE), None, "unpriced",
        ),
        (
            {"text": "a", "usage": {"type": "duration", "seconds": 60}},
            lambda c: c.audio.transcriptions.create(model="gpt-4o-mini-transcribe", file=FILE), None, "unpriced",
        ),
        (
            [
                {"type": "transcript.text.delta", "delta": "a"},
                {"type": "transcript.text.done", "text": "a", "usage": HEARD},
            ],
            lambda c: read(c.audio.transcriptions.create(model="gpt-4o-mini-transcribe", file=FILE, stream=True)),
            "337.5", "estimated",
        ),
        (
            [{"type": "transcript.text.delta", "delta": "a"}],
            lambda c: read(c.audio.transcriptions.create(model="gpt-4o-transcribe", file=FILE, stream=True)),
            None, "unmeasured",
        ),
        (b"x", lambda c: c.audio.speech.create(model="tts-1", voice="alloy", input="héllo"), "75", "exact"),
        (b"x", lambda c: c.audio.speech.create(model="gpt-4o-mini-tts", voice="alloy", input="x"), None, "unpriced"),
        (
            [
                {"type": "speech.audio.delta", "audio": "aa"},
                {"type": "speech.audio.done", "usage": {"input_tokens": 14, "output_tokens": 101, "total_tokens": 115}},
            ],
            lambda c: c.audio.speech.create(
                model="gpt-4o-mini-tts", voice="alloy", input="x", extra_body={"stream_format": "sse"}
            ).read(),
            "1220.4", "exact",  # 14 x 0.60 + 101 x 12
        ),
    ],
)  # fmt: skip
def test_what_is_not_sold_by_the_text_token(answer, ask, money, status):
    """Pictures, recordings and speech: in the unit that they are sold in, or visibly without a price."""
    record = call(openai, "OpenAI", {"api_key": "k"}, answer, ask)

    assert micro(record) == (None if money is None else D(money).normalize())
    assert record.cost.status == status
