"""Which requests are calls, who sells, and what is read of events: without an SDK."""

import pytest

from tracked_inference.vendors import anthropic, openai
from tracked_inference.vendors._reading import get, media_type, path_of


@pytest.mark.parametrize(
    ("vendor", "method", "url", "name", "kind"),
    [
        (anthropic, "post", "/v1/messages", "messages", "call"),
        (anthropic, "post", "/v1/messages?beta=true", "messages", "call"),
        (anthropic, "post", "/model/anthropic.claude-x-v1:0/invoke", "messages", "call"),
        (anthropic, "post", "/model/anthropic.claude-x-v1:0/invoke-with-response-stream", "messages", "call"),
        (
            anthropic,
            "post",
            "/projects/p/locations/l/publishers/anthropic/models/m:rawPredict",
            "messages",
            "call",
        ),
        (
            anthropic,
            "post",
            "/projects/p/locations/l/publishers/anthropic/models/m:streamRawPredict",
            "messages",
            "call",
        ),
        (anthropic, "post", "/v1/complete", "completions", "call"),
        (anthropic, "get", "/v1/messages/batches/b1/results", "messages.batches", "lines"),
        (openai, "post", "/chat/completions", "chat.completions", "call"),
        (openai, "post", "https://example.com/v1/chat/completions?x=1", "chat.completions", "call"),
        (openai, "post", "chat/completions", "chat.completions", "call"),
        (openai, "post", "/deployments/gpt/chat/completions", "chat.completions", "call"),
        (openai, "post", "/completions", "completions", "call"),
        (openai, "post", "/responses", "responses", "call"),
        (openai, "post", "/responses/compact", "responses", "call"),
        (openai, "post", "/responses/r1/cancel", "responses", "retrieve"),
        (openai, "get", "/responses/r1", "responses", "retrieve"),
        (openai, "post", "/decisions", "decisions", "call"),
        (openai, "post", "/embeddings", "embeddings", "call"),
        (openai, "post", "/images/generations", "images", "call"),
        (openai, "post", "/images/edits", "images", "call"),
        (openai, "post", "/images/variations", "images", "call"),
        (openai, "post", "/audio/transcriptions", "audio.transcriptions", "call"),
        (openai, "post", "/audio/translations", "audio.translations", "call"),
        (openai, "post", "/audio/speech", "audio.speech", "call"),
        (openai, "post", "/moderations", "moderations", "call"),
        (openai, "post", "/videos", "videos", "call"),
        (openai, "post", "/videos/v1/remix", "videos", "call"),
        (openai, "get", "/videos/v1", "videos", "retrieve"),
        (openai, "get", "/files/f1/content", "batches", "batch_file"),
        (openai, "post", "/brand/new_things", "brand.new_things", "maybe"),
        (openai, "post", "/v9/", "unknown", "maybe"),
    ],
)
def test_what_bills(vendor, method, url, name, kind):
    """Each of these requests is what its row says."""
    operation = vendor.operation_of(method, url)

    assert (operation.name, operation.kind) == (name, kind)


@pytest.mark.parametrize(
    ("vendor", "method", "url"),
    [
        (anthropic, "post", "/v1/messages/count_tokens"),
        (anthropic, "post", "/v1/messages/batches"),
        (anthropic, "post", "/v1/messages/batches/b1/cancel"),
        (anthropic, "get", "/v1/messages/batches/b1"),
        (anthropic, "get", "/v1/models"),
        (anthropic, "post", "/v1/files"),
        (anthropic, "post", "/v1/sessions/s1/events"),
        (anthropic, "post", "/v1/compliance/review/cases/c1/respond"),
        (anthropic, "delete", "/v1/messages"),
        (openai, "post", "/chat/completions/c1"),
        (openai, "get", "/chat/completions/c1"),
        (openai, "post", "/responses/input_tokens"),
        (openai, "get", "/responses/r1/input_items"),
        (openai, "post", "/batches"),
        (openai, "post", "/files"),
        (openai, "post", "/vector_stores/v1/search"),
        (openai, "post", "/threads/runs"),
        (openai, "delete", "/responses/r1"),
        (openai, "get", "/models"),
    ],
)
def test_what_does_not(vendor, method, url):
    """Each of these requests is no call."""
    assert vendor.operation_of(method, url) is None


def test_ids_are_kept_of_what_is_looked_at():
    """Retrieves and results know whose they are."""
    assert openai.operation_of("get", "/responses/resp_1").subject == "resp_1"
    assert anthropic.operation_of("get", "/v1/messages/batches/b1/results").subject == "b1"


@pytest.mark.parametrize(
    ("url", "path"),
    [("/a/b?c=d", "/a/b"), ("https://h/a?x", "/a"), ("https://h", "/"), ("a/b", "/a/b"), ("", "/")],
)
def test_path_of(url, path):
    """The path of whatever the SDK writes as a url."""
    assert path_of(url) == path


def test_reading_objects_and_mappings_alike():
    """A field of an object, of a mapping, of nothing."""
    assert (get({"a": 1}, "a"), get({}, "a"), get(None, "a"), get(1j, "real")) == (1, None, None, 0)
    assert media_type({"content-type": "Text/HTML; charset=x"}) == "text/html"
    assert media_type(None) == ""


def events(reader, *said):
    for event in said:
        reader.see(event)
    return reader.body()


def test_a_message_delta_overwrites_what_it_knows():
    """Usage of Anthropic's streams is cumulative: the last word counts, and what it leaves out stays."""
    reader = anthropic.reader("messages")
    body = events(
        reader,
        {
            "type": "message_start",
            "message": {
                "id": "m",
                "model": "c",
                "usage": {"input_tokens": 9, "output_tokens": 1, "cache_read_input_tokens": 3},
            },
        },
        {"type": "ping"},
        {"type": "content_block_start", "content_block": {"type": "server_tool_use", "name": "web_search"}},
        {"type": "content_block_delta", "delta": {}},
        {"type": "message_delta", "delta": {"stop_reason": None}, "usage": {"output_tokens": 20}},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 30}},
        {"type": "message_stop"},
    )

    assert body["usage"] == {"input_tokens": 9, "output_tokens": 30, "cache_read_input_tokens": 3}
    assert (body["stop_reason"], body["model"], reader.complete) == ("end_turn", "c", True)
    assert body["content"] == [{"type": "server_tool_use", "name": "web_search"}]


def test_a_stream_of_the_legacy_endpoint():
    """Anthropic's legacy completions report no usage, and say when they are at their end."""
    reader = anthropic.reader("completions")
    body = events(
        reader,
        {"type": "completion", "model": "claude-2.1", "stop_reason": None},
        {"type": "completion", "stop_reason": "stop"},
    )

    assert (body, reader.model, reader.complete) == (None, "claude-2.1", True)


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"choices": None, "usage": None},
        {"choices": [{"delta": None}]},
        {"choices": [None]},
        {"type": 7},
        {"type": "response.created", "response": None},
    ],
    ids=str,
)
@pytest.mark.parametrize("operation", ["chat.completions", "responses"])
def test_odd_events(operation, event):
    """Nulls and missing fields are taken as nothing."""
    reader = openai.reader(operation)

    assert reader.see(event) is False
    assert reader.complete is False


@pytest.mark.parametrize(
    ("vendor", "body", "text"),
    [
        (
            anthropic,
            {"content": [{"type": "text", "text": "a"}, {"type": "tool_use"}, {"type": "text", "text": "b"}]},
            "ab",
        ),
        (anthropic, {"content": None}, ""),
        (openai, {"choices": [{"message": {"content": "a"}}]}, "a"),
        (openai, {"choices": [{"message": {"content": None}}]}, ""),
        (openai, {"choices": []}, ""),
    ],
)
def test_text_of(vendor, body, text):
    """The joined text; empty where there is none."""
    assert vendor.text_of(body) == text


def test_lines_that_are_none_of_ours():
    """Cancelled and expired requests of a batch never ran; a file's other lines are no requests."""
    assert anthropic.batch_line({"custom_id": "a", "result": {"type": "expired"}}) is None
    assert openai.batch_line({"custom_id": "a"}) is None


@pytest.mark.parametrize(
    ("body", "operation"),
    [
        ({"object": "list"}, "embeddings"),
        ({"object": "response"}, "responses"),
        ({"object": "text_completion"}, "completions"),
        ({"id": "modr-1", "model": "omni-moderation-latest", "results": []}, "moderations"),
        ({"id": "chatcmpl-1"}, "chat.completions"),
        ({}, "chat.completions"),
    ],
)
def test_what_a_batch_line_answers(body, operation):
    """A line's body says by its own marks what was asked; moderations, which are free, have no `object`."""
    assert openai.operation_of_body(body) == operation
