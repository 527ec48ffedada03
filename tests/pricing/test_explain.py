"""What a saved response is recognised as."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tracked_inference.pricing.explain import recognise


@pytest.mark.parametrize(
    ("content", "vendor", "operation"),
    [
        ({"type": "message", "role": "assistant", "usage": {"input_tokens": 1}}, "anthropic", "messages"),
        ({"usage": {"input_tokens": 1, "output_tokens": 1}, "content": []}, "anthropic", "messages"),
        ({"usage": {"input_tokens": 1, "output_tokens": 1}, "output": []}, "openai", "responses"),
        ({"object": "chat.completion"}, "openai", "chat.completions"),
        ({"usage": {"prompt_tokens": 1}}, "openai", "chat.completions"),
        ({"object": "text_completion"}, "openai", "completions"),
        ({"object": "response"}, "openai", "responses"),
        ({"type": "response.completed", "response": {"object": "response"}}, "openai", "responses"),
        ({"object": "list", "data": [], "usage": {"prompt_tokens": 1}}, "openai", "embeddings"),
        ({"object": "video", "status": "completed"}, "openai", "videos"),
        ({"created": 1, "data": []}, "openai", "images"),
        ({"text": "Hi", "usage": {"type": "duration", "seconds": 1}}, "openai", "audio.transcriptions"),
        ({"id": "m", "model": "omni-moderation-latest", "results": []}, "openai", "moderations"),
    ],
)
def test_a_response_is_recognised(content, vendor, operation):
    """By its own marks, or by the shape of its usage."""
    saved = recognise(content)

    assert saved is not None
    assert (saved.vendor, saved.operation) == (vendor, operation)


@pytest.mark.parametrize("content", [None, [], "x", {}, {"usage": []}, {"usage": {}}, {"a": 1}])
def test_what_is_no_response_is_none(content):
    """Nothing is guessed."""
    assert recognise(content) is None


def test_an_operation_that_is_named_wins():
    """The caller may know better."""
    saved = recognise({"usage": {"input_tokens": 1}}, "audio.speech")

    assert saved is not None
    assert saved.operation == "audio.speech"


def test_the_time_of_a_response_is_its_own():
    """OpenAI's responses say when they were made."""
    saved = recognise({"object": "chat.completion", "created": 1749427200})

    assert saved is not None
    assert saved.at == datetime(2025, 6, 9, tzinfo=UTC)


@pytest.mark.parametrize("created", [None, 0, 1, True, "2025-06-09", 1749427200000])
def test_what_is_no_time_leaves_it_open(created):
    """A placeholder, milliseconds and text do not date a response; the caller's instant, or now, holds."""
    saved = recognise({"object": "chat.completion", "created": created})

    assert saved is not None
    assert saved.at is None
