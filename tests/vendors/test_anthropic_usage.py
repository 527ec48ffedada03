"""Usage of Anthropic's own objects, of every SDK generation, and of merged streams."""

from __future__ import annotations

import pytest

from tracked_inference.usage import Pass, Usage
from tracked_inference.vendors import anthropic
from tracked_inference.vendors.anthropic_usage import merge_usage, usage_of

anthropic_types = pytest.importorskip("anthropic.types", reason="the anthropic SDK is not installed")


def message(usage: dict, **body):
    """A message as the SDK makes it of JSON: what it does not know is in the extra fields."""
    raw = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-4-5",
        "content": [{"type": "text", "text": "Hi."}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": usage,
        **body,
    }
    return anthropic_types.Message.construct(**raw)


def test_the_sdks_object_and_its_json_read_alike():
    """A pydantic message and the same JSON give the same usage."""
    usage = {
        "input_tokens": 12,
        "cache_creation_input_tokens": 30,
        "cache_creation": {"ephemeral_5m_input_tokens": 10, "ephemeral_1h_input_tokens": 20},
        "cache_read_input_tokens": 40,
        "output_tokens": 50,
        "server_tool_use": {"web_search_requests": 2, "web_fetch_requests": 1},
        "service_tier": "standard",
        "inference_geo": "us",
        "speed": "fast",
    }

    read = usage_of(message(usage), operation="messages")

    assert read == usage_of({"usage": usage}, operation="messages")
    assert read == Usage(
        (
            Pass(
                {
                    "input": 12,
                    "cache_read": 40,
                    "cache_write_5m": 10,
                    "cache_write_1h": 20,
                    "output": 50,
                    "web_search": 2,
                }
            ),
        ),
        service_tier="standard",
        speed="fast",
        inference_geo="us",
        notes=("summed_passes",),
    )


def test_fields_that_the_sdk_does_not_know_are_read():
    """`iterations` of a message of the stable API are in its extra fields, and are billed."""
    usage = {
        "input_tokens": 1,
        "output_tokens": 1,
        "iterations": [
            {"type": "message", "input_tokens": 10, "output_tokens": 2},
            {"type": "advisor_message", "model": "claude-opus-4-8", "input_tokens": 20, "output_tokens": 3},
        ],
    }

    read = usage_of(message(usage), operation="messages")

    assert read is not None
    assert [(one.kind, one.model, dict(one.counts)) for one in read.passes] == [
        ("message", None, {"input": 10, "output": 2}),
        ("advisor_message", "claude-opus-4-8", {"input": 20, "output": 3}),
    ]


def test_an_unknown_counter_in_the_extra_fields_is_named():
    """A counter of a later API is noted, with or without its details."""
    read = usage_of(
        message(
            {
                "input_tokens": 1,
                "output_tokens": 1,
                "dream_tokens": 4,
                "x_details": {"y_tokens": 2, "took_ms": 3},
            }
        ),
        operation="messages",
    )

    assert read is not None
    assert read.notes == ("unknown_field:dream_tokens", "unknown_field:x_details.y_tokens")


def test_thinking_is_shown_beside_the_output():
    """Thinking tokens are a part of the output and not another kind."""
    read = usage_of(
        {"usage": {"input_tokens": 1, "output_tokens": 90, "output_tokens_details": {"thinking_tokens": 70}}},
        operation="messages",
    )

    assert read is not None
    assert read.reasoning_tokens == 70
    assert read.tokens() == {"input": 1, "output": 90}


def test_the_legacy_completions_never_carried_usage():
    """Text completions are unmeasured, whatever they hold."""
    assert usage_of({"completion": "Hi", "usage": {"input_tokens": 3}}, operation="completions") is None


# -- streams (rule 10) -------------------------------------------------------------------------------------------------

START = {
    "input_tokens": 100,
    "cache_creation_input_tokens": 30,
    "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 30},
    "cache_read_input_tokens": 7,
    "output_tokens": 1,
    "service_tier": "batch",
    "inference_geo": "us",
}


def test_a_delta_overwrites_and_is_never_added():
    """Both events are cumulative: the last word of each field holds."""
    merged = merge_usage(START, {"output_tokens": 51, "input_tokens": 100})

    assert merged == {**START, "output_tokens": 51}


def test_a_delta_keeps_what_it_lacks_or_gives_as_null():
    """Split, tier and place are in the start alone; nulls say nothing."""
    merged = merge_usage(START, {"output_tokens": 51, "cache_read_input_tokens": None, "service_tier": None})

    assert merged["cache_creation"] == {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 30}
    assert (merged["cache_read_input_tokens"], merged["service_tier"], merged["inference_geo"]) == (
        7,
        "batch",
        "us",
    )


def test_an_explicit_zero_is_not_missing():
    """A delta that corrects a counter to zero is believed."""
    assert merge_usage(START, {"cache_read_input_tokens": 0})["cache_read_input_tokens"] == 0


def test_a_gateways_delta_may_have_the_true_split():
    """A delta with the split wins for it."""
    start = {"input_tokens": 5, "output_tokens": 1, "cache_creation_input_tokens": 0}
    delta = {
        "output_tokens": 9,
        "cache_creation_input_tokens": 40,
        "cache_creation": {"ephemeral_5m_input_tokens": 15, "ephemeral_1h_input_tokens": 25},
    }

    read = usage_of({"usage": merge_usage(start, delta)}, operation="messages")

    assert read is not None
    assert read.tokens() == {"input": 5, "cache_write_5m": 15, "cache_write_1h": 25, "output": 9}
    assert read.notes == ()


def test_the_sdks_stream_events_merge_like_their_json():
    """The usage objects of `message_start` and `message_delta` merge field by field."""
    start = anthropic_types.Usage.construct(**START)
    delta = anthropic_types.MessageDeltaUsage.construct(
        output_tokens=51, iterations=[{"type": "message", "input_tokens": 3, "output_tokens": 51}]
    )

    merged = merge_usage(start, delta)

    assert merged["output_tokens"] == 51
    assert merged["input_tokens"] == 100
    assert merged["iterations"] == [{"type": "message", "input_tokens": 3, "output_tokens": 51}]


def test_a_cut_stream_is_not_complete():
    """The caller says that the last delta never came."""
    read = usage_of({"usage": START}, operation="messages", complete=False)

    assert read is not None
    assert not read.complete


@pytest.mark.parametrize("usage", [None, {}, [], "12", {"output_tokens": None}])
def test_no_usage_is_none(usage):
    """What counts nothing is unmeasured."""
    assert usage_of({"usage": usage}, operation="messages") is None


@pytest.mark.parametrize("odd", [{}, [], 3, None], ids=str)
def test_a_block_whose_type_is_no_word_loses_nothing(odd):
    """The counters are read whatever else is odd, of a whole message and of a stream's events."""
    usage = {"input_tokens": 11, "output_tokens": 7}
    reader = anthropic.reader("messages")
    for event in (
        {"type": "message_start", "message": {"id": "m", "model": "claude-sonnet-4-6", "usage": usage}},
        {"type": "content_block_start", "content_block": {"type": odd}},
        {"type": odd},
        {"type": "message_delta", "usage": {"output_tokens": 7}, "delta": {}},
    ):
        reader.see(event)

    for body in ({"model": "claude-sonnet-4-6", "content": [{"type": odd}], "usage": usage}, reader.body()):
        assert usage_of(body, operation="messages").tokens() == {"input": 11, "output": 7}


@pytest.mark.parametrize("wrong", [float("inf"), float("nan"), 10**15, "1e400", "", False, [], {}, -7])
def test_a_count_that_nobody_could_be_billed_for_adds_nothing(wrong):
    """One wrong number must not put a million dollars on a counter; what stands beside it counts."""
    read = usage_of({"usage": {"input_tokens": 100, "output_tokens": wrong}}, operation="messages")

    assert read is not None
    assert {unit: count for unit, count in read.tokens().items() if count} == {"input": 100}
    assert read.notes == ("inconsistent:output_tokens",)


@pytest.mark.parametrize("wrong", [float("inf"), float("nan"), "", "many", False, [], {}, -7])
def test_a_usage_without_any_count_is_no_usage(wrong):
    """Nothing that was counted is unmeasured, and not $0."""
    assert usage_of({"usage": {"input_tokens": wrong, "output_tokens": wrong}}, operation="messages") is None
