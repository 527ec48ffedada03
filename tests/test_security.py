"""What the tracking must never tell: canaries are planted in every field of a call and looked for in every output."""

import json
import logging

import anthropic
import openai
import prometheus_client
import pytest
import structlog

from tracked_inference import TrackedClient, attribute
from tracked_inference.sinks import default_sinks
from tracked_inference.tracking import faults

CANARY = "CANARY-7f3a"
KEY = "sk-CANARY-7f3a-key"


def http_of(sdk):
    return __import__(sdk.DefaultHttpxClient.__mro__[1].__module__.partition(".")[0])


def anthropic_answer(status=200):
    if status != 200:
        return {"type": "error", "error": {"type": "invalid_request_error", "message": f"{CANARY} in {KEY}"}}
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-5-5",
        "content": [
            {"type": "text", "text": CANARY},
            {"type": "tool_use", "id": "t", "name": CANARY, "input": {CANARY: CANARY}},
        ],
        "stop_reason": "end_turn",
        "stop_sequence": CANARY,
        "usage": {"input_tokens": 10, "output_tokens": 5},
    }


def openai_answer(status=200):
    if status != 200:
        return {
            "error": {
                "message": f"{CANARY} {KEY}",
                "type": "invalid_request_error",
                "code": None,
                "param": None,
            }
        }
    message = {"role": "assistant", "content": CANARY, "refusal": CANARY}
    return {
        "id": "chatcmpl_1",
        "object": "chat.completion",
        "created": 1,
        "model": "gpt-4o",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15},
    }


def made(sdk, answer, status, registry, sinks):
    http = http_of(sdk)
    transport = http.MockTransport(
        lambda _request: http.Response(status, json=answer(status), headers={"x-secret": CANARY})
    )
    maker = anthropic.Anthropic if sdk is anthropic else openai.OpenAI
    client = maker(
        api_key=KEY,
        http_client=http.Client(transport=transport),
        max_retries=0,
        default_headers={"x-private": CANARY},
    )
    return TrackedClient(client, feature="search", team="discovery", registry=registry, sinks=sinks)


def asked(client, **more):
    messages = [{"role": "user", "content": CANARY}]
    if isinstance(client, anthropic.Anthropic):
        return client.messages.create(
            model="claude-sonnet-5-5",
            max_tokens=5,
            messages=messages,
            system=CANARY,
            metadata={"user_id": CANARY},
            **more,
        )
    return client.chat.completions.create(model="gpt-4o", messages=messages, user=CANARY, **more)


@pytest.fixture
def outputs(caplog, monkeypatch):
    """Everything that the tracking can write to: structlog, the standard library's logging, the metrics."""
    registry = prometheus_client.CollectorRegistry()
    monkeypatch.setattr(faults, "_logged", set())  # each place is logged once a process
    caplog.set_level(logging.DEBUG, logger="tracked_inference")

    class Outputs:
        lines = []

        @staticmethod
        def everything():
            ours = [record.getMessage() for record in caplog.records if record.name == "tracked_inference"]
            return "\n".join([*Outputs.lines, *ours, prometheus_client.generate_latest(registry).decode()])

    Outputs.registry = registry
    rendered = structlog.processors.JSONRenderer()

    def keep(logger, name, event):
        Outputs.lines.append(rendered(logger, name, event))
        raise structlog.DropEvent

    structlog.configure(processors=[keep])
    yield Outputs
    structlog.reset_defaults()


@pytest.mark.parametrize("sdk", [anthropic, openai], ids=["anthropic", "openai"])
@pytest.mark.parametrize("status", [200, 400])
def test_no_prompt_completion_key_or_header_is_told(sdk, status, outputs):
    """Neither a good call nor an error carries anything of its content into a log line, a metric or a repr."""
    answer = anthropic_answer if sdk is anthropic else openai_answer
    records = []
    client = made(sdk, answer, status, outputs.registry, [*default_sinks(outputs.registry), records.append])
    try:
        asked(client)
    except (anthropic.APIStatusError, openai.APIStatusError):
        assert status == 400

    assert len(outputs.lines) == 1
    told = (
        outputs.everything()
        + repr(records)
        + repr(client)
        + repr(vars(client)["_tracked_meter"].__dict__.get("own"))
    )
    assert CANARY not in told


@pytest.mark.parametrize("sdk", [anthropic, openai], ids=["anthropic", "openai"])
def test_a_fault_of_the_tracking_does_not_tell_what_it_stumbled_over(sdk, outputs, faults):
    """A sink that raises with the content in its message is named by type and place alone."""
    answer = anthropic_answer if sdk is anthropic else openai_answer

    def broken(_record):
        raise ValueError(f"{CANARY} {KEY}")

    asked(made(sdk, answer, 200, outputs.registry, [broken]))

    assert [stage for stage, _ in faults] == ["sink"]
    assert "ValueError" in outputs.everything()
    assert CANARY not in outputs.everything()
    faults.clear()


def test_a_user_is_told_to_the_log_and_never_to_a_metric(outputs):
    """A user id belongs into logs and ledgers; a metric label would keep it for ever."""
    client = made(anthropic, anthropic_answer, 200, outputs.registry, default_sinks(outputs.registry))
    with attribute(user="u_42", ticket="T-1"):
        asked(client)

    assert json.loads(outputs.lines[0])["user"] == "u_42"
    exposed = prometheus_client.generate_latest(outputs.registry).decode()
    assert "u_42" not in exposed
    assert "T-1" not in exposed


@pytest.mark.parametrize("model", ['x"} 1\nevil_metric 1', "x\n\nevil 1", "ümläut \\ back", "\x00\x1b[31m"])
def test_a_model_name_cannot_forge_a_metric_or_a_log_line(model, outputs):
    """Whatever a gateway calls its model, it stays one label value and one field."""

    def answer(_status):
        return {**anthropic_answer(), "model": model, "content": []}

    asked(made(anthropic, answer, 200, outputs.registry, default_sinks(outputs.registry)))

    samples = [
        line
        for line in prometheus_client.generate_latest(outputs.registry).decode().splitlines()
        if not line.startswith("#")
    ]
    assert all(line.startswith("ai_inference_") for line in samples)
    assert all("\n" not in line for line in outputs.lines)
    assert json.loads(outputs.lines[0])["event"] == "ai.inference.completed"
