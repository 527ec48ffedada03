"""Usage of OpenAI's own objects, of every SDK generation, and of those who speak its format."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tracked_inference.usage import Pass, Usage
from tracked_inference.vendors.openai_usage import usage_of

chat_types = pytest.importorskip("openai.types.chat", reason="the openai SDK is not installed")
responses_types = pytest.importorskip("openai.types.responses", reason="the openai SDK has no Responses")


def test_the_sdks_chat_object_and_its_json_read_alike():
    """A pydantic completion and the same JSON give the same usage, also where the SDK does not know a field."""
    raw = {
        "id": "c",
        "object": "chat.completion",
        "created": 1,
        "model": "gpt-6-sol",
        "choices": [],
        "service_tier": "flex",
        "usage": {
            "prompt_tokens": 100,
            "completion_tokens": 50,
            "total_tokens": 150,
            "prompt_tokens_details": {"cached_tokens": 20, "cache_write_tokens": 30, "audio_tokens": 10},
            "completion_tokens_details": {"reasoning_tokens": 5, "audio_tokens": 8},
        },
    }

    read = usage_of(
        chat_types.ChatCompletion.construct(**raw), operation="chat.completions", request={"model": "x"}
    )

    assert read == usage_of(raw, operation="chat.completions")
    assert read == Usage(
        (
            Pass(
                {
                    "cache_write_30m": 30,
                    "input": 40,
                    "cache_read": 20,
                    "input_audio": 10,
                    "output": 42,
                    "output_audio": 8,
                }
            ),
        ),
        reasoning_tokens=5,
        service_tier="flex",
    )


def test_the_sdks_response_object_is_read_with_its_tools():
    """Hosted tools of a response are counted from the SDK's own items."""
    raw = {
        "id": "r",
        "object": "response",
        "created_at": 1.0,
        "model": "gpt-6-sol",
        "status": "completed",
        "tools": [{"type": "web_search"}],
        "output": [
            {"id": "1", "type": "reasoning", "summary": []},
            {
                "id": "2",
                "type": "web_search_call",
                "status": "completed",
                "action": {"type": "search", "query": "a"},
            },
            {"id": "3", "type": "web_search_call", "status": "completed", "action": {"type": "find_in_page"}},
            {"id": "4", "type": "file_search_call", "status": "completed", "queries": []},
            {"id": "5", "type": "function_call", "name": "f", "arguments": "{}", "call_id": "c"},
            {"id": "6", "type": "message", "role": "assistant", "status": "completed", "content": []},
        ],
        "usage": {
            "input_tokens": 10,
            "output_tokens": 5,
            "total_tokens": 15,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens_details": {"reasoning_tokens": 2},
        },
    }

    read = usage_of(responses_types.Response.construct(**raw), operation="responses")

    assert read is not None
    assert read.passes == (Pass({"input": 10, "output": 5, "web_search": 1, "file_search": 1}),)
    assert read.reasoning_tokens == 2


@pytest.mark.parametrize("status", ["completed", "incomplete", "failed"])
def test_every_end_of_a_response_carries_usage(status):
    """Failed and incomplete responses are billed too (rule 12)."""
    read = usage_of(
        {"status": status, "usage": {"input_tokens": 3, "output_tokens": 4}}, operation="responses"
    )

    assert read is not None
    assert read.tokens() == {"input": 3, "output": 4}


@pytest.mark.parametrize("status", ["queued", "in_progress"])
def test_a_response_under_way_is_unmeasured(status):
    """Counters of a response that has not ended are not its bill (rule 31)."""
    assert (
        usage_of({"status": status, "usage": {"input_tokens": 3, "output_tokens": 4}}, operation="responses")
        is None
    )


@pytest.mark.parametrize(
    ("usage", "cached"),
    [
        ({"prompt_cache_hit_tokens": 30, "prompt_cache_miss_tokens": 70}, 30),  # DeepSeek
        ({"cached_tokens": 30}, 30),  # Moonshot
        ({"num_cached_tokens": 30}, 30),  # Mistral
        ({"cache_read_input_tokens": 30, "cache_creation_input_tokens": 10}, 30),  # LiteLLM
    ],
)
def test_cached_tokens_by_other_names(usage, cached):
    """Those who speak OpenAI's format name their cached tokens in their own ways; none is an unknown counter."""
    read = usage_of(
        {"usage": {"prompt_tokens": 100, "completion_tokens": 1, **usage}}, operation="chat.completions"
    )

    assert read is not None
    assert read.cache_read_tokens == cached
    assert read.input_tokens == 100
    assert read.notes == ()


@pytest.mark.parametrize(
    "extra",
    [
        {"queue_time": 0.1, "prompt_time": 0.2, "total_time": 0.3},  # Groq
        {"latency_checkpoint": {"engine_ttft_ms": 12}},  # Azure
        {"tokens_per_second": 90.5},
        {"service_tier": "default"},
    ],
)
def test_times_and_rates_are_no_counters(extra):
    """What a server says of its speed is not billed, and not an unknown counter."""
    read = usage_of(
        {"usage": {"prompt_tokens": 1, "completion_tokens": 1, **extra}}, operation="chat.completions"
    )

    assert read is not None
    assert read.notes == ()


def test_reasoning_larger_than_the_completion_is_inconsistent():
    """Where no total explains it, more reasoning than output is a contradiction."""
    usage = {
        "prompt_tokens": 1,
        "completion_tokens": 5,
        "completion_tokens_details": {"reasoning_tokens": 50},
    }

    read = usage_of({"usage": usage}, operation="chat.completions")

    assert read is not None
    assert (read.reasoning_tokens, read.notes) == (5, ("inconsistent:reasoning_tokens",))


def test_cached_audio_is_audio():
    """Where cached tokens are more than the text, the rest of them is audio, and the sharing is noted."""
    details = {"cached_tokens": 80, "audio_tokens": 60}

    read = usage_of(
        {"usage": {"prompt_tokens": 100, "completion_tokens": 0, "prompt_tokens_details": details}},
        operation="chat.completions",
    )

    assert read is not None
    assert read.tokens() == {"cache_read": 40, "cache_read_audio": 40, "input_audio": 20}
    assert read.notes == ("overlapping_details",)


def test_numbers_in_text_are_numbers():
    """A proxy that sends counts as text is understood, and the cost says that it was."""
    read = usage_of(
        {"usage": {"prompt_tokens": "100", "completion_tokens": 5.0}}, operation="chat.completions"
    )

    assert read is not None
    assert read.tokens() == {"input": 100, "output": 5}
    assert read.notes == ("coerced_count:prompt_tokens", "coerced_count:completion_tokens")


@pytest.mark.parametrize("wrong", [float("inf"), float("nan"), 10**15, "1e400", "many", -7])
def test_a_count_that_nobody_could_be_billed_for_adds_nothing(wrong):
    """One wrong number must not put a million dollars on a counter; what stands beside it counts."""
    read = usage_of(
        {"usage": {"prompt_tokens": 100, "completion_tokens": wrong}}, operation="chat.completions"
    )

    assert read is not None
    assert read.tokens() == {"input": 100}
    assert read.notes == ("inconsistent:completion_tokens",)


@pytest.mark.parametrize("wrong", [float("inf"), float("nan"), "", "many", False, [], {}, -7])
def test_a_usage_without_any_count_is_no_usage(wrong):
    """Nothing that was counted is unmeasured, and not $0."""
    usage = {"prompt_tokens": wrong, "completion_tokens": wrong}

    assert usage_of({"usage": usage}, operation="chat.completions") is None


@pytest.mark.parametrize("cost", [-1, float("nan"), float("inf"), "free", True, [], {"total_cost": None}])
def test_a_printed_cost_that_is_no_amount_is_ignored(cost):
    """A gateway's cost counts only if it is a finite amount of at least zero."""
    read = usage_of(
        {"usage": {"prompt_tokens": 1, "completion_tokens": 1, "cost": cost}}, operation="chat.completions"
    )

    assert read is not None
    assert read.gateway_cost_usd is None


def test_a_printed_cost_is_exact():
    """A float's shortest text is the amount, not its binary expansion."""
    read = usage_of(
        {"usage": {"prompt_tokens": 1, "completion_tokens": 1, "cost": 0.1}}, operation="completions"
    )

    assert read is not None
    assert read.gateway_cost_usd == Decimal("0.1")


def test_a_speech_stream_carries_tokens():
    """The last event of a server-sent speech stream has tokens, which win over the characters (rule 42)."""
    body = {
        "type": "speech.audio.done",
        "usage": {"input_tokens": 10, "output_tokens": 93, "total_tokens": 103},
    }

    read = usage_of(body, operation="audio.speech", request={"input": "Hello", "model": "gpt-4o-mini-tts"})

    assert read is not None
    assert read.tokens() == {"input": 10, "output_audio": 93}


def test_vector_pictures_are_billed_at_their_own_model():
    """An SVG's tokens are those of the model that `svg_usage` names."""
    body = {
        "data": [{}],
        "usage": {"input_tokens": 5, "output_tokens": 100},
        "svg_usage": {"input_tokens": 7, "output_tokens": 9, "model": "gpt-5", "reasoning_tokens": 1},
    }

    read = usage_of(body, operation="images", request={"model": "gpt-image-1"})

    assert read is not None
    assert [(one.model, dict(one.counts)) for one in read.passes] == [
        (None, {"input": 5, "output_image": 100}),
        ("gpt-5", {"input": 7, "output": 9}),
    ]


@pytest.mark.parametrize("operation", ["chat.completions", "responses", "embeddings", "images", "nonsense"])
@pytest.mark.parametrize("body", [None, "", b"", {}, {"usage": None}, {"usage": {}}])
def test_no_usage_is_none(operation, body):
    """What counts nothing is unmeasured."""
    assert usage_of(body, operation=operation) is None


def test_decisions_report_usage_as_responses_do():
    """100 tokens in, of which 40 were read from the cache and 10 written to it; 5 out, reasoning among them."""
    body = {
        "model": "gpt-6-sol",
        "answers": [],
        "usage": {
            "input_tokens": 100,
            "input_tokens_details": {"cached_tokens": 40, "cache_write_tokens": 10},
            "output_tokens": 5,
            "output_tokens_details": {"reasoning_tokens": 3},
            "total_tokens": 105,
        },
    }

    assert usage_of(body, operation="decisions") == Usage(
        (Pass({"cache_write_30m": 10, "input": 50, "cache_read": 40, "output": 5}),), reasoning_tokens=3
    )


@pytest.mark.parametrize("odd", [{}, [], 3, None], ids=str)
def test_an_item_whose_type_is_no_word_loses_nothing(odd):
    """The counters are read whatever else is odd: 11 in, 7 out."""
    body = {
        "model": "gpt-4o",
        "status": odd,
        "output": [{"type": odd}, {"type": "web_search_call", "status": odd, "action": {"type": odd}}],
        "usage": {"input_tokens": 11, "output_tokens": 7},
    }

    assert usage_of(body, operation="responses").tokens() == {"input": 11, "output": 7}
