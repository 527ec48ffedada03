"""
A parent and a child that both end while a stream is open: `python -m tests.reliability.open_streams KIND FOLDER`.

Each writes a ledger of its own, `parent.jsonl` and `child.jsonl`; the stream of the parent was open when the child was made.
"""

import multiprocessing
import os
import sys
from pathlib import Path

import anthropic
from prometheus_client import CollectorRegistry

from tests.reliability.station import ASKED, http
from tracked_inference import TrackedClient
from tracked_inference.sinks.ledger import LedgerSink
from tracked_inference.sinks.queued import QueuedSink

EVENTS = b"""event: message_start
data: {"type":"message_start","message":{"id":"m","type":"message","role":"assistant","model":"claude-sonnet-4-6","content":[],"usage":{"input_tokens":11,"output_tokens":1}}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hi"}}

"""
open_for_ever = []


def leave_open(path):
    """One stream that is looked at and one response that is not read, behind a queue; nobody closes either."""

    def answer(_request):
        return http.Response(200, content=iter([EVENTS]), headers={"content-type": "text/event-stream"})

    registry = CollectorRegistry()
    client = TrackedClient(
        anthropic.Anthropic(api_key="k", http_client=http.Client(transport=http.MockTransport(answer))),
        feature="search",
        team="discovery",
        registry=registry,
        sinks=[QueuedSink(LedgerSink(path), registry=registry)],
    )
    stream = client.messages.create(stream=True, **ASKED)
    next(stream)
    unread = client.messages.with_streaming_response.create(stream=True, **ASKED)
    open_for_ever.extend([stream, unread, unread.__enter__()])


def main():
    kind, folder = sys.argv[1], Path(sys.argv[2])
    leave_open(folder / "parent.jsonl")
    if kind == "os.fork":
        pid = os.fork()
        if pid == 0:
            leave_open(folder / "child.jsonl")
            sys.exit()
        os.waitpid(pid, 0)
    else:
        child = multiprocessing.get_context(kind).Process(target=leave_open, args=(folder / "child.jsonl",))
        child.start()
        child.join()


if __name__ == "__main__":
    main()
