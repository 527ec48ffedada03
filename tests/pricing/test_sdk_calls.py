"""
The money of a call that goes through the vendor's own SDK: what its types leave of the wire is priced as the wire is.

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


def client_of(make: Any, sdk: Any, answer: Any, records: list, **options: Any) -> Any:
    """A tracked client whose every request has this answer: JSON, or the events of a stream."""
    http = http_of(sdk)

    def handle(_request: Any) -> Any:
        if not isinstance(answer, list):
            return http.Response(200, json=answer)
        lines = []
        for event in answer:
            name = f"event: {event['type']}\n" if "type" in event else ""
            lines.append(f"{name}data: {json.dumps(event)}\n\n")
        body = "".join(lines) + ("" if make is anthropic.Anthropic else "data: [DONE]\n\n")
        return http.Response(200, headers={"content-type": "text/event-stream"}, content=body.encode())

    client = make(api_key="k", http_client=http.Client(transport=http.MockTransport(handle)), **options)
    return TrackedClient(
        client, feature="search", team="discovery", sinks=[records.append], prices=PriceTable.bundled()
    )


def money(record: CallRecord) -> tuple[D | None, str, tuple[str, ...]]:
    cost = record.cost
    return None if cost.total_usd is None else cost.total_usd.scaleb(6), cost.status, cost.reasons


# -- Anthropic ---------------------------------------------------------------------------------------------------------

CLAUDE = {"max_tokens": 64, "messages": [{"role": "user", "content": "Say something."}]}
DELTA = {
    "type": "content_block_delta",
    "index": 0,
    "delta": {"type": "text_delta", "text": "Hi."},
}
STOPPED = {"stop_reason": "end_turn", "stop_sequence": None}
GOING_ON = {"stop_reason": None, "stop_sequence": None}


def message(model: str, usage: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [{"type": "text", "text": "Hi."}],
        **STOPPED,
        "usage": usage,
        **more,
    }


def events(
    model: str,
    start: dict[str, Any],
    end: dict[str, Any] | None,
    *blocks: dict[str, Any],
    delta: dict[str, Any] = STOPPED,
) -> list[dict[str, Any]]:
    """The events of a message, without its end where it was cut."""
    begin = message(model, start, content=[], stop_reason=None)
    found: list[dict[str, Any]] = [{"type": "message_start", "message": begin}]
    for index, block in enumerate((*blocks, {"type": "text", "text": ""})):
        found.append({"type": "content_block_start", "index": index, "content_block": block})
        if block["type"] == "text":
            found.append({**DELTA, "index": index})
        found.append({"type": "content_block_stop", "index": index})
    if end is not None:
        found.append({"type": "message_delta", "delta": delta, "usage": end})
        found.append({"type": "message_stop"})
    return found


START = {
    "input_tokens": 100,
    "cache_creation_input_tokens": 500,
    "cache_read_input_tokens": 400,
    "cache_creation": {"ephemeral_5m_input_tokens": 200, "ephemeral_1h_input_tokens": 300},
    "output_tokens": 1,
    "service_tier": "standard",
    "inference_geo": "us",
    "speed": "fast",
}
ADVISED = [
    {"type": "message", "input_tokens": 100, "output_tokens": 10},
    {"type": "advisor_message", "model": "claude-fable-5-2", "input_tokens": 1000, "output_tokens": 100},
]
FALLBACK = {
    "type": "fallback",
    "from": {"model": "claude-fable-5-2"},
    "to": {"model": "claude-opus-5-5"},
    "trigger": {"type": "refusal", "category": "cyber"},
}


def calls(client: Any) -> dict[str, Any]:
    """The ways in which a message is asked for."""
    return {
        "create": lambda **asked: client.messages.create(**asked, **CLAUDE),
        "beta": lambda **asked: client.beta.messages.create(**asked, **CLAUDE),
        "raw": lambda **asked: client.messages.with_raw_response.create(**asked, **CLAUDE).parse(),
    }


@pytest.mark.parametrize("way", ["create", "beta", "raw"])
@pytest.mark.parametrize(
    ("model", "usage", "more", "micro", "status", "reasons"),
    [
        # (100 x 10 + 200 x 12.50 + 300 x 20 + 400 x 1 + 50 x 50) x 1.1
        ("claude-opus-5", {**START, "output_tokens": 50}, {}, "13640", "exact", ()),
        # 100 x 1 + 10 x 5 + 1000 x 8 + 100 x 40 + 2 x 10000, in the US for the second model only
        (
            "claude-haiku-4-5",
            {
                "input_tokens": 100,
                "output_tokens": 10,
                "inference_geo": "us",
                "server_tool_use": {"web_search_requests": 2, "web_fetch_requests": 1},
                "iterations": ADVISED,
            },
            {},
            "33350",
            "exact",
            (),
        ),
        (
            "claude-opus-5",
            {"input_tokens": 10, "output_tokens": 10, "fallback_credit": {"status": {"type": "redeemed"}}},
            {},
            "300",
            "upper_bound",
            ("fallback_credit",),
        ),
        (
            "claude-opus-5",
            {"input_tokens": 10, "output_tokens": 10, "image_generation_tokens": 3},
            {},
            "300",
            "partial",
            ("unknown_field:image_generation_tokens",),
        ),
        (
            "claude-opus-5",
            {"input_tokens": 1000, "output_tokens": 1},
            {"stop_reason": "refusal", "stop_details": {"type": "refusal", "category": "cyber"}},
            "0",
            "free",
            ("refusal_not_billed",),
        ),
        # the fallback's model wrote what the top level counts: 1000 x 4 + 40 x 20
        (
            "claude-fable-5-2",
            {"input_tokens": 1000, "output_tokens": 40},
            {"content": [FALLBACK, {"type": "text", "text": "Hi."}]},
            "4800",
            "exact",
            (),
        ),
        (
            "claude-mythos-5",
            {"input_tokens": 100, "output_tokens": 10, "service_tier": "batch"},
            {},
            "750",
            "exact",
            (),
        ),
    ],
)
def test_a_message_through_the_sdk(way, model, usage, more, micro, status, reasons):
    """Whichever way it was asked for, a message costs what its wire says, fields that the SDK does not type included."""
    records: list[CallRecord] = []
    client = client_of(anthropic.Anthropic, anthropic, message(model, usage, **more), records)
    calls(client)[way](model=model)
    client.close()

    assert [money(record) for record in records] == [(D(micro), status, reasons)]


@pytest.mark.parametrize("way", ["create", "beta"])
@pytest.mark.parametrize(
    ("model", "wire", "micro", "status", "reasons"),
    [
        # 10: the delta lacks split, tier, place and speed: those of the start stay. Output is not summed.
        (
            "claude-opus-5",
            events("claude-opus-5", START, {"output_tokens": 50}),
            "13640",
            "exact",
            (),
        ),
        # 10: nulls overwrite nothing
        (
            "claude-opus-5",
            events(
                "claude-opus-5",
                START,
                {
                    "input_tokens": None,
                    "cache_creation_input_tokens": None,
                    "cache_read_input_tokens": None,
                    "server_tool_use": None,
                    "output_tokens": 50,
                },
            ),
            "13640",
            "exact",
            (),
        ),
        # 10: a gateway gives the true split in the delta only: 500 x 6.25 + 100 x 10 + 10 x 5 + 8 x 25
        (
            "claude-opus-4-7",
            events(
                "claude-opus-4-7",
                {"input_tokens": 10, "output_tokens": 0},
                {
                    "cache_creation_input_tokens": 600,
                    "cache_creation": {"ephemeral_5m_input_tokens": 500, "ephemeral_1h_input_tokens": 100},
                    "output_tokens": 8,
                },
            ),
            "4375",
            "exact",
            (),
        ),
        # 10: searches come in the delta: 10 x 2 + 8 x 10 + 10000
        (
            "claude-sonnet-5-5",
            events(
                "claude-sonnet-5-5",
                {"input_tokens": 10, "output_tokens": 0},
                {"output_tokens": 8, "server_tool_use": {"web_search_requests": 1, "web_fetch_requests": 0}},
                {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}},
            ),
            "10100",
            "exact",
            (),
        ),
        # 13: cut before the delta: 10 x 2 + 400 x 0.10 + 1 x 10 at least
        (
            "claude-sonnet-5-5",
            events(
                "claude-sonnet-5-5",
                {"input_tokens": 10, "cache_read_input_tokens": 400, "output_tokens": 1},
                None,
            ),
            "70",
            "lower_bound",
            ("incomplete",),
        ),
        # 13: cut after a delta that is not the last: 10 x 2 + 40 x 10 at least
        (
            "claude-sonnet-5-5",
            events(
                "claude-sonnet-5-5",
                {"input_tokens": 10, "output_tokens": 1},
                {"output_tokens": 40},
                delta=GOING_ON,
            )[:-1],
            "420",
            "lower_bound",
            ("incomplete",),
        ),
        # 13: the end is the end, whoever leaves its reason out
        (
            "claude-sonnet-5-5",
            events(
                "claude-sonnet-5-5",
                {"input_tokens": 10, "output_tokens": 1},
                {"output_tokens": 40},
                delta=GOING_ON,
            ),
            "420",
            "exact",
            (),
        ),
        # 14: the block names the model that wrote the rest: 1000 x 4 + 40 x 20
        (
            "claude-fable-5-2",
            events(
                "claude-fable-5-2",
                {"input_tokens": 1000, "output_tokens": 1},
                {"output_tokens": 40},
                FALLBACK,
            ),
            "4800",
            "exact",
            (),
        ),
        # 21: iterations come in the delta
        (
            "claude-haiku-4-5",
            events(
                "claude-haiku-4-5",
                {"input_tokens": 100, "output_tokens": 1},
                {"output_tokens": 10, "iterations": ADVISED},
            ),
            "12150",
            "exact",
            (),
        ),
        # 23: so does the refusal
        (
            "claude-opus-5",
            events(
                "claude-opus-5",
                {"input_tokens": 1000, "output_tokens": 1},
                {"output_tokens": 1},
                delta={
                    "stop_reason": "refusal",
                    "stop_sequence": None,
                    "stop_details": {"type": "refusal", "category": "bio"},
                },
            ),
            "5025",
            "exact",
            (),
        ),
    ],
)
def test_a_stream_through_the_sdk(way, model, wire, micro, status, reasons):
    """A stream costs what its first and last usage say together."""
    records: list[CallRecord] = []
    client = client_of(anthropic.Anthropic, anthropic, wire, records)
    for _ in calls(client)[way](model=model, stream=True):
        pass
    client.close()

    assert [money(record) for record in records] == [(D(micro), status, reasons)]


# -- OpenAI ------------------------------------------------------------------------------------------------------------

SAY = [{"role": "user", "content": "Say something."}]


def completion(model: str, usage: dict[str, Any], **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", "content": "Hi."}, "finish_reason": "stop"}
    return {
        "id": "c",
        "object": "chat.completion",
        "created": 1,
        "model": model,
        "choices": [choice],
        "usage": usage,
        **more,
    }


def counting(*out: int) -> list[dict[str, Any]]:
    """The chunks of a completion, each with the usage so far and the last with the end."""
    found = []
    for so_far in out:
        end = "stop" if so_far == out[-1] else None
        choice = {"index": 0, "delta": {"content": "a"}, "finish_reason": end}
        base = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "gpt-6-luna"}
        found.append({**base, "choices": [choice], "usage": asked(1000, so_far)})
    return found


def chunks(model: str, usage: dict[str, Any] | None, *tiers: str | None) -> list[dict[str, Any]]:
    """The chunks of a completion, one for each tier, and the last with the usage."""
    base = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": model}
    text = {"index": 0, "delta": {"content": "Hi"}, "finish_reason": None}
    found = [{**base, "choices": [text], "service_tier": tier} for tier in tiers or (None,)]
    if usage is not None:
        found.append({**base, "choices": [], "usage": usage})
    return found


def asked(prompt: int, completed: int, **details: int) -> dict[str, Any]:
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completed,
        "total_tokens": prompt + completed,
        "prompt_tokens_details": details,
    }


@pytest.mark.parametrize(
    ("base_url", "wire", "micro", "status", "reasons"),
    [
        (None, completion("gpt-6-luna", asked(1000, 100, cached_tokens=400)), "114", "exact", ()),
        (None, completion("gpt-6.2-sol", asked(272_001, 10)), "1088154", "exact", ()),
        (
            None,
            completion("gpt-6-luna", asked(1000, 100, cache_write_tokens=800), service_tier="flex"),
            "85",  # 200 x 0.05 + 800 x 0.0625 + 100 x 0.25
            "exact",
            (),
        ),
        ("https://eu.api.openai.com/v1", completion("gpt-5.4", asked(1000, 100)), "4400", "exact", ()),
        (
            "https://llm.example.com/v1",
            completion("gpt-5.4", asked(1000, 100)),
            None,
            "unpriced",
            ("unknown_seller",),
        ),
        (
            "https://openrouter.ai/api/v1",
            completion("openai/gpt-5.4", {**asked(1000, 100), "cost": 0.0037}),
            "3700",
            "exact",
            ("gateway",),
        ),
        (
            None,
            completion("gpt-5.4", {**asked(1000, 100), "video_tokens": 5}),
            "4000",
            "partial",
            ("unknown_field:video_tokens",),
        ),
        (
            None,
            completion("ft:o4-mini-2025-04-16:acme::x", asked(1000, 100, cached_tokens=500)),
            "4100",
            "exact",
            (),
        ),
    ],
)
def test_a_completion_through_the_sdk(base_url, wire, micro, status, reasons):
    """A completion costs what its wire says, by the price of whom the client asked."""
    records: list[CallRecord] = []
    client = client_of(openai.OpenAI, openai, wire, records, base_url=base_url)
    client.chat.completions.create(model=wire["model"], messages=SAY)
    client.close()

    assert [money(record) for record in records] == [(None if micro is None else D(micro), status, reasons)]


@pytest.mark.parametrize(
    ("wire", "micro", "status", "reasons"),
    [
        (chunks("gpt-6-luna", asked(1000, 100, cached_tokens=400)), "114", "exact", ()),
        # 15: the last tier that says something
        (chunks("gpt-6-luna", asked(1000, 100), "auto", "flex", None), "75", "exact", ()),
        (chunks("gpt-6-luna", asked(1000, 100), "priority", "default"), "150", "exact", ()),
        # 13: cut before the usage
        (chunks("gpt-6-luna", None), None, "unmeasured", ("stream_without_usage",)),
        # 11: usage so far in each chunk, as some servers send it: the last one counts
        (counting(10, 20, 30), "115", "exact", ()),
        (counting(10, 20, 30)[:-1], "110", "exact", ()),
    ],
)
def test_a_chat_stream_through_the_sdk(wire, micro, status, reasons):
    """A chat stream costs what its last chunk says; without it nothing is known."""
    records: list[CallRecord] = []
    client = client_of(openai.OpenAI, openai, wire, records)
    for _ in client.chat.completions.create(model="gpt-6-luna", messages=SAY, stream=True):
        pass
    client.close()

    assert [money(record) for record in records] == [(None if micro is None else D(micro), status, reasons)]


def test_a_chat_stream_that_counts_as_it_goes_and_is_left():
    """Where each chunk carries the usage so far, what was seen of it is a floor when the stream is left (rule 13)."""
    records: list[CallRecord] = []
    client = client_of(openai.OpenAI, openai, counting(10, 20, 30), records)
    stream = client.chat.completions.create(model="gpt-6-luna", messages=SAY, stream=True)
    next(stream), next(stream)
    stream.close()
    client.close()

    assert [money(record) for record in records] == [(D(110), "lower_bound", ("incomplete",))]


def response(
    model: str, usage: dict[str, Any] | None, *output: dict[str, Any], **more: Any
) -> dict[str, Any]:
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "model": model,
        "output": list(output),
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "status": "completed",
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "usage": usage,
        **more,
    }


def used(into: int, out: int, **details: Any) -> dict[str, Any]:
    return {
        "input_tokens": into,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0, **details},
        "output_tokens": out,
        "output_tokens_details": {"reasoning_tokens": out},
        "total_tokens": into + out,
    }


def searched(action: str, status: str = "completed") -> dict[str, Any]:
    return {
        "type": "web_search_call",
        "id": f"ws_{action}",
        "status": status,
        "action": {"type": action, "query": "q", "url": "u"},
    }


RESPONSES = [
    (response("gpt-5-mini", used(1000, 100, cached_tokens=400)), "360", "exact", ()),
    (
        response(
            "gpt-6-luna",
            used(
                1000,
                0,
                cache_write_tokens=600,
                cache_write_tokens_details={"ttl_30m_tokens": 400, "ttl_12h_tokens": 200},
            ),
        ),
        "140",  # 400 x 0.10 + 400 x 0.125 + 200 x 0.25
        "exact",
        (),
    ),
    (
        response(
            "gpt-5-mini",
            used(1000, 0),
            searched("search"),
            searched("open_page"),
            searched("search", "failed"),
        ),
        "10250",
        "exact",
        (),
    ),
    (
        response(
            "gpt-4o",
            used(1000, 0),
            searched("search"),
            searched("search"),
            tools=[{"type": "web_search_preview"}],
            tool_usage={
                "web_search": {"num_requests": 1},
                "image_gen": {
                    "input_tokens": 0,
                    "input_tokens_details": {"image_tokens": 0, "text_tokens": 0},
                    "output_tokens": 0,
                    "total_tokens": 0,
                },
            },
        ),
        "27500",  # 1000 x 2.50 + 25000
        "exact",
        (),
    ),
    (
        response(
            "gpt-5-mini",
            used(1000, 0),
            {"type": "image_generation_call", "id": "ig", "status": "completed", "result": None},
            tools=[{"type": "image_generation", "model": "gpt-image-2.6-flare"}],
            tool_usage={
                "image_gen": {
                    "input_tokens": 300,
                    "input_tokens_details": {"image_tokens": 200, "text_tokens": 100},
                    "output_tokens": 1000,
                    "total_tokens": 1300,
                },
                "web_search": {"num_requests": 0},
            },
        ),
        "32350",  # 250 + 100 x 5 + 200 x 8 + 1000 x 30
        "exact",
        (),
    ),
    (response("gpt-6-luna", used(1000, 100), service_tier="priority"), "300", "exact", ()),
    (response("gpt-5-mini", None, status="queued", background=True), None, "unmeasured", ("no_usage",)),
]


@pytest.mark.parametrize(("wire", "micro", "status", "reasons"), RESPONSES)
def test_a_response_through_the_sdk(wire, micro, status, reasons):
    """A response costs what its usage, its tools and its output say."""
    records: list[CallRecord] = []
    client = client_of(openai.OpenAI, openai, wire, records)
    client.responses.create(model=wire["model"], input="Say something.")
    client.close()

    if wire["status"] == "queued":
        assert records == []  # 31: billed at its end, which nobody has seen yet
    else:
        assert [money(record) for record in records] == [(D(micro), status, reasons)]


@pytest.mark.parametrize("end", ["completed", "incomplete", "failed"])
@pytest.mark.parametrize(("wire", "micro", "status", "reasons"), RESPONSES[:4])
def test_a_response_stream_through_the_sdk(end, wire, micro, status, reasons):
    """12: usage stands on the last event, however the response ended."""
    records: list[CallRecord] = []
    begun = {**wire, "usage": None, "output": [], "status": "in_progress"}
    ended = {**wire, "status": end}
    stream = [
        {"type": "response.created", "sequence_number": 0, "response": begun},
        {"type": f"response.{end}", "sequence_number": 1, "response": ended},
    ]
    client = client_of(openai.OpenAI, openai, stream, records)
    for _ in client.responses.create(model=wire["model"], input="Say something.", stream=True):
        pass
    client.close()

    assert [money(record) for record in records] == [(D(micro), status, reasons)]


def test_other_calls_of_openai_through_the_sdk():
    """Embeddings, pictures, recordings and moderations: each by its own unit."""
    records: list[CallRecord] = []

    def client(wire: Any) -> Any:
        return client_of(openai.OpenAI, openai, wire, records)

    vectors = {
        "object": "list",
        "model": "text-embedding-3-large",
        "data": [{"object": "embedding", "index": 0, "embedding": [0.5]}],
        "usage": {"prompt_tokens": 10, "total_tokens": 10},
    }
    client(vectors).embeddings.create(model="text-embedding-3-large", input="Hi.", encoding_format="float")
    pictures = {
        "created": 1,
        "data": [{"b64_json": "AA=="}],
        "usage": {
            "input_tokens": 30,
            "input_tokens_details": {"text_tokens": 10, "image_tokens": 20},
            "output_tokens": 100,
            "total_tokens": 130,
        },
    }
    client(pictures).images.generate(model="gpt-image-1.5", prompt="A cat.")
    recording = {"text": "Hi.", "usage": {"type": "duration", "seconds": 90}}
    client(recording).audio.transcriptions.create(model="whisper-1", file=("a.wav", b"RIFF"))
    verdict = {"id": "m", "model": "omni-moderation-latest", "results": []}
    client(verdict).moderations.create(model="omni-moderation-latest", input="Hi.")

    assert [money(record) for record in records] == [
        (D("1.3"), "exact", ()),  # 10 x 0.13
        (D(3410), "exact", ()),  # 10 x 5 + 20 x 8 + 100 x 32
        (D(9000), "exact", ()),  # 90 x 0.36 / 3600
        (D(0), "free", ("moderations",)),
    ]
