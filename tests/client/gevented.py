"""Greenlets that call at once, under gevent's patches: `python -m tests.client.gevented` prints what was recorded."""

from gevent import monkey

monkey.patch_all()

import gc
import json
from collections import Counter

import anthropic
import gevent
from prometheus_client import CollectorRegistry

from tests.reliability.open_streams import EVENTS
from tests.reliability.station import ANSWER, ASKED, http
from tracked_inference import TrackedClient, attribute
from tracked_inference.sinks.metrics import MetricsSink
from tracked_inference.sinks.queued import QueuedSink

GREENLETS = 8


def answer(request):
    gevent.sleep(0)  # another greenlet's turn, as while a network answers
    if json.loads(request.content).get("stream"):
        return http.Response(200, content=iter([EVENTS]), headers={"content-type": "text/event-stream"})
    return http.Response(200, json=ANSWER)


def main():
    registry, records, queued = CollectorRegistry(), [], []
    queue = QueuedSink(queued.append, registry=registry)
    client = TrackedClient(
        anthropic.Anthropic(api_key="k", http_client=http.Client(transport=http.MockTransport(answer))),
        feature="search",
        team="discovery",
        registry=registry,
        sinks=[MetricsSink(registry), records.append, queue],
    )

    def calls(number):
        with attribute(user=f"u{number}"):
            client.messages.create(**ASKED)
            stream = client.messages.create(stream=True, **ASKED)
            next(stream)
            gevent.sleep(0)
            stream.close()
            with gevent.Timeout(0, False):
                for _ in client.messages.create(stream=True, **ASKED):
                    gevent.sleep(60)

    gevent.joinall([gevent.spawn(calls, number) for number in range(GREENLETS)], raise_error=True)
    gc.collect()
    flushed = queue.flush(60)
    open_calls = registry.get_sample_value("ai_inference_calls_in_progress", {"feature": "search"})
    told = {
        "outcomes": Counter(record.outcome for record in records),
        "users": Counter(record.user for record in records),
        "queued": len(queued) if flushed else None,
        "in progress": open_calls,
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main()
