"""The README's example runs, and prints what the README says it prints."""

import functools
import re
from pathlib import Path

import anthropic
import prometheus_client
import pytest
import structlog

README = (Path(__file__).parent.parent / "README.md").read_text()
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", README, re.DOTALL)
EXAMPLE = next(text for language, text in BLOCKS if language == "python")
LOG_LINE = next(text for _, text in BLOCKS if text.startswith("event="))
METRICS = next(text for _, text in BLOCKS if text.startswith("ai_inference_"))

ANSWER = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-5-5",
    "content": [{"type": "text", "text": "It says ..."}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 8000, "output_tokens": 500},
}


def without_seconds(line):
    return re.sub(r"latency_seconds=[\d.]+", "latency_seconds=…", line)


def test_the_example_prints_what_the_readme_shows(monkeypatch, capsys):
    """The log line and the metrics of the README are those of its example: 8000 x 2 + 500 x 10 USD per million tokens."""
    http = __import__(anthropic.DefaultHttpxClient.__mro__[1].__module__.partition(".")[0])
    transport = http.MockTransport(lambda _request: http.Response(200, json=ANSWER))
    answering = functools.partial(
        anthropic.AsyncAnthropic, api_key="any", http_client=http.AsyncClient(transport=transport)
    )
    monkeypatch.setattr(anthropic, "AsyncAnthropic", answering)
    registry = prometheus_client.CollectorRegistry()
    monkeypatch.setattr("tracked_inference.sinks._collectors.REGISTRY", registry)
    keys = re.findall(r"(\w+)=", LOG_LINE)
    shown = structlog.processors.KeyValueRenderer(key_order=keys)

    def only_shown(_logger, _name, event):
        return {key: event[key] for key in keys}

    structlog.configure(processors=[only_shown, shown], logger_factory=structlog.PrintLoggerFactory())
    try:
        exec(compile(EXAMPLE, "README.md", "exec"), {"__name__": "readme"})
    finally:
        structlog.reset_defaults()
    printed = capsys.readouterr().out.splitlines()
    exposed = prometheus_client.generate_latest(registry).decode()

    assert printed[-1] == "It says ..."
    assert without_seconds(printed[0]) == without_seconds(LOG_LINE.strip())
    for line in METRICS.strip().splitlines():
        assert line in exposed


def test_the_readme_is_short():
    """A README is read when it is short."""
    assert len(README.splitlines()) <= 120


@pytest.mark.parametrize("target", re.findall(r"\]\((?!https?:|#)([^)#\s]+)", README))
def test_links_of_the_readme_lead_somewhere(target):
    """A relative link names a file that is there."""
    assert (Path(__file__).parent.parent / target).exists()
