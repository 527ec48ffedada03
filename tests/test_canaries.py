"""Every road through the SDKs with a canary in every text of request and answer: none of it is told anywhere."""

import gc
import json
import logging
import operator

import anthropic
import openai
import pytest
import structlog
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.openmetrics import exposition as openmetrics

from tests.fuzz.targets import EVENTS
from tests.test_security import CANARY, KEY, http_of
from tracked_inference import TrackedClient
from tracked_inference.sinks.ledger import LedgerSink
from tracked_inference.sinks.log import LogSink
from tracked_inference.sinks.metrics import MetricsSink
from tracked_inference.tracking import faults as faults_of_tracking

TOLD = frozenset({"type", "object", "role", "model", "status", "id", "service_tier"})
"""What an answer says under these names is no text of a call: names, kinds, ids."""
CHAT = [{"role": "user", "name": "x", "content": "x"}]
TOOL = {
    "name": "x",
    "description": "x",
    "input_schema": {"type": "object", "properties": {"x": {"title": "x"}}},
}
FUNCTION = {"type": "function", "function": {"name": "x", "description": "x", "parameters": {"title": "x"}}}
FILE = ("x.wav", b"x")
TEXT = {"type": "text", "text": "x"}
CALLS = {
    "messages": (
        {"model": "claude-sonnet-4-6", "max_tokens": 5, "system": "x", "messages": CHAT[:1], "tools": [TOOL], "metadata": {"user_id": "x"}, "stop_sequences": ["x"]},
        {"id": "m", "type": "message", "role": "assistant", "model": "claude-sonnet-4-6", "content": [TEXT, {"type": "tool_use", "id": "t", "name": "x", "input": {"x": "x"}}, {"type": "server_tool_use", "id": "s", "name": "x", "input": {"query": "x"}}], "stop_reason": "x", "stop_sequence": "x", "stop_details": {"explanation": "x"}, "usage": {"input_tokens": 11, "output_tokens": 7}},
    ),
    "chat.completions": (
        {"model": "gpt-4o", "messages": CHAT, "user": "x", "safety_identifier": "x", "prompt_cache_key": "x", "metadata": {"x": "x"}, "tools": [FUNCTION], "stop": ["x"], "prediction": {"type": "content", "content": "x"}},
        {"id": "c", "object": "chat.completion", "created": 1, "model": "gpt-4o", "system_fingerprint": "x", "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "x", "refusal": "x", "tool_calls": [{"id": "t", "type": "function", "function": {"name": "x", "arguments": "x"}}]}}], "usage": {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}},
    ),
    "responses": (
        {"model": "gpt-4o", "input": "x", "instructions": "x", "user": "x", "metadata": {"x": "x"}, "previous_response_id": "x", "prompt": {"id": "x", "variables": {"x": "x"}}, "tools": [{"type": "mcp", "server_label": "x", "server_url": "x", "headers": {"authorization": "x"}}]},
        {"id": "r", "object": "response", "created_at": 1, "status": "completed", "model": "gpt-4o", "instructions": "x", "metadata": {"x": "x"}, "output": [{"type": "message", "id": "m", "role": "assistant", "status": "completed", "content": [{"type": "output_text", "text": "x", "annotations": [{"type": "url_citation", "url": "x", "title": "x"}]}]}, {"type": "web_search_call", "id": "w", "status": "completed", "action": {"type": "search", "query": "x"}}], "tools": [], "tool_choice": "x", "parallel_tool_calls": True, "usage": {"input_tokens": 11, "output_tokens": 7, "total_tokens": 18}},
    ),
    "embeddings": (
        {"model": "text-embedding-3-small", "input": ["x"], "user": "x"},
        {"object": "list", "model": "text-embedding-3-small", "data": [{"object": "embedding", "index": 0, "embedding": [0.1]}], "usage": {"prompt_tokens": 5, "total_tokens": 5}},
    ),
    "moderations": ({"input": "x"}, {"id": "m", "model": "omni-moderation-latest", "results": []}),
    "images.generate": (
        {"model": "gpt-image-1", "prompt": "x", "user": "x"},
        {"created": 1, "data": [{"b64_json": "x", "revised_prompt": "x"}], "usage": {"input_tokens": 5, "output_tokens": 9, "total_tokens": 14}},
    ),
    "audio.transcriptions": ({"model": "whisper-1", "file": FILE, "prompt": "x"}, {"text": "x", "usage": {"type": "duration", "seconds": 3}}),
    "audio.speech": ({"model": "tts-1", "voice": "x", "input": "x"}, {"x": "x"}),
}  # fmt: skip
ERROR = {"type": "error", "error": {"type": "x", "message": "x", "code": "x", "param": "x"}}


def planted(value, name=""):
    """The value with a canary for each text, and with one more beside what has a name."""
    if isinstance(value, dict):
        return {
            (CANARY if key == "x" else key): planted(inner, key) for key, inner in {**value, "x": "x"}.items()
        }
    if isinstance(value, list):
        return [planted(inner) for inner in value]
    if isinstance(value, tuple):
        return (f"{CANARY}.wav", CANARY.encode())
    return CANARY if isinstance(value, str) and name not in TOLD else value


def events_of(operation):
    """A stream whose every text is a canary."""
    lines = [
        b"data: " + json.dumps(planted(json.loads(line[6:]))).encode()
        if line.startswith(b"data: {")
        else line
        for line in EVENTS[operation].split(b"\n")
    ]
    return b"\n".join(lines)


class Station:
    """A client of a vendor whose next answer can be set, and everything that its tracking says."""

    def __init__(self, operation, folder):
        sdk = anthropic if operation == "messages" else openai
        http = http_of(sdk)
        self.registry, self.records, self.lines = CollectorRegistry(), [], []
        self.folder = folder

        def keep(logger, name, event):
            self.lines += [str(render(logger, name, dict(event))) for render in RENDERERS]
            raise structlog.DropEvent

        def broken(record):
            raise ValueError(CANARY)

        def answer(request):
            status, body, kind = self.next
            return http.Response(status, content=body, headers={"content-type": kind, "x-secret": CANARY})

        maker = anthropic.Anthropic if sdk is anthropic else openai.OpenAI
        plain = maker(
            api_key=KEY,
            max_retries=0,
            http_client=http.Client(transport=http.MockTransport(answer)),
            default_headers={"x-private": CANARY},
            default_query={"q": CANARY},
            base_url=f"https://{CANARY}:{CANARY}@vendor.example/{CANARY}/v1",
        )
        log = LogSink(structlog.wrap_logger(structlog.ReturnLogger(), processors=[keep]))
        sinks = [MetricsSink(self.registry), log, LedgerSink(folder), self.records.append, broken]
        self.client = TrackedClient(
            plain,
            feature="search",
            team="discovery",
            registry=self.registry,
            sinks=sinks,
            provider=sdk.__name__,
        )

    def told(self):
        metrics = [text(self.registry).decode() for text in (generate_latest, openmetrics.generate_latest)]
        ledger = [path.read_text() for path in self.folder.rglob("*.jsonl")]
        meter = vars(self.client)["_tracked_meter"]
        return [*self.lines, *metrics, *ledger, repr(self.records), repr(self.client), repr(meter)]


RENDERERS = (
    structlog.dev.ConsoleRenderer(colors=False),
    structlog.processors.JSONRenderer(),
    structlog.processors.KeyValueRenderer(),
)
EVENT_STREAM = "text/event-stream"


def answers_to(operation):
    """What a vendor may say: all is well, errors, what is no answer at all; each with whether a stream is asked for."""
    body = json.dumps(planted(CALLS[operation][1])).encode()
    yield False, (200, body, "application/json")
    yield False, (400, json.dumps(planted(ERROR)).encode(), "application/json")
    yield False, (500, CANARY.encode(), "text/html")
    yield False, (200, f'{{"{CANARY}'.encode(), "application/json")
    if operation in EVENTS:
        events = events_of(operation)
        yield True, (200, events, EVENT_STREAM)
        yield True, (200, events[: len(events) * 2 // 3], EVENT_STREAM)
        yield (
            True,
            (200, b"event: error\ndata: " + json.dumps(planted(ERROR)).encode() + b"\n\n", EVENT_STREAM),
        )
        yield True, (200, f'data: {{"{CANARY}\n\n'.encode(), EVENT_STREAM)
        yield True, (429, json.dumps(planted(ERROR)).encode(), "application/json")


def ways_of(resource, method):
    """Each way to ask and to read."""

    def call(**asked):
        return getattr(resource, method)(**asked)

    def read(**asked):
        answer = call(**asked)
        if asked.get("stream"):
            list(answer)

    def leave(**asked):
        answer = call(**asked)
        if asked.get("stream"):
            next(iter(answer))
        del answer
        gc.collect()

    def raw(**asked):
        getattr(resource.with_raw_response, method)(**asked).parse()

    def unread(**asked):
        with getattr(resource.with_streaming_response, method)(**asked) as response:
            list(response.iter_lines())

    return read, leave, raw, unread


@pytest.mark.parametrize("operation", CALLS)
def test_no_text_of_a_call_is_told(operation, tmp_path, caplog, monkeypatch, faults):
    """Logs by every renderer, both formats of the metrics, the ledger, reprs and the lines about faults are searched."""
    monkeypatch.setattr(faults_of_tracking, "_logged", set())
    caplog.set_level(logging.DEBUG, logger="tracked_inference")
    station = Station(operation, tmp_path / "ledger")
    path, _, method = (
        operation.rpartition(".") if operation == "images.generate" else (operation, "", "create")
    )
    asked = planted(CALLS[operation][0])
    asked.pop(CANARY)
    asked |= {
        "extra_headers": {"x-h": CANARY},
        "extra_query": {CANARY: CANARY},
        "extra_body": {CANARY: CANARY},
    }
    made = 0
    for stream, station.next in answers_to(operation):
        for way in ways_of(operator.attrgetter(path)(station.client), method):
            made += 1
            try:
                way(**asked, **({"stream": True} if stream else {}))
            except Exception as error:
                assert not type(error).__module__.startswith("tracked_inference"), error
            gc.collect()

    ours = [record.getMessage() for record in caplog.records if record.name == "tracked_inference"]
    assert len(station.records) == made
    assert [stage for stage, _ in faults] == ["sink"] * made
    assert any("ValueError" in line for line in ours)
    assert [text for text in [*station.told(), *ours] if CANARY.lower() in text.lower()] == []
    faults.clear()
