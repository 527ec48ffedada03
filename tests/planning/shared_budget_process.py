"""
One process of an application, for `test_budget_shared.py`: it calls until it is refused, and says how often it could.

Its vendor answers from memory, and every call costs a dollar.
"""

import sys
import time

import anthropic
import structlog
from prometheus_client import CollectorRegistry, start_http_server

from tracked_inference import TrackedClient
from tracked_inference.errors import BudgetExceededError

MOST_SECONDS = 60


def main(config, port, pause_seconds):
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    http = __import__(anthropic.DefaultHttpxClient.__mro__[1].__module__.partition(".")[0])
    answer = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-haiku-4-5",
        "content": [{"type": "text", "text": "ok"}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 1_000_000, "output_tokens": 0},
    }
    transport = http.MockTransport(lambda _request: http.Response(200, json=answer))
    registry = CollectorRegistry()
    start_http_server(port, "127.0.0.1", registry)
    client = TrackedClient(
        anthropic.Anthropic(api_key="k", http_client=http.Client(transport=transport)),
        feature="search",
        config=config,
        registry=registry,
    )
    print("ready", flush=True)
    sys.stdin.readline()
    calls, end = 0, time.monotonic() + MOST_SECONDS
    while time.monotonic() < end:
        try:
            client.messages.create(
                model="claude-haiku-4-5", max_tokens=1, messages=[{"role": "user", "content": "x"}]
            )
        except BudgetExceededError as error:
            print(f"refused {calls} {error}", flush=True)
            sys.stdin.readline()  # stay, to be scraped, until the other one is done
            return
        calls += 1
        time.sleep(pause_seconds)
    print(f"never refused {calls}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
