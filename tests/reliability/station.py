"""
A tracked client with every sink there is, whose vendor answers from memory and which notes what the SDK gave it.

It needs no pytest, so that forked workers and other processes can use it as well.
"""

import asyncio
import threading
from pathlib import Path

import anthropic
import structlog
from prometheus_client import CollectorRegistry

from tracked_inference import PriceTable, TrackedClient
from tracked_inference.sinks.ledger import LedgerSink
from tracked_inference.sinks.log import LogSink
from tracked_inference.sinks.metrics import MetricsSink

ASKED = {"model": "claude-sonnet-4-6", "max_tokens": 8, "messages": [{"role": "user", "content": "x"}]}
ANSWER = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-4-6",
    "content": [{"type": "text", "text": "ok"}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 11, "output_tokens": 7},
}
http = __import__(anthropic.DefaultHttpxClient.__mro__[1].__module__.partition(".")[0])


class Table(PriceTable):
    """The bundled prices, which can be made to fail."""

    broken = None

    @classmethod
    def made(cls):
        table = object.__new__(cls)
        table.__dict__.update(PriceTable.bundled().__dict__)
        return table

    def price(self, *args, **kwargs):
        if self.broken is not None:
            raise self.broken
        return super().price(*args, **kwargs)


class Mine:
    """A sink of the application's own."""

    def __init__(self):
        self.records = []
        self.broken = None

    def __call__(self, record):
        if self.broken is not None:
            raise self.broken
        self.records.append(record)


class Station:
    """
    Sinks, prices and clients, and what came of the calls.

    Attributes:
        returned: What the SDK's own `request` returned, by thread.
        lines: What structlog was given.
    """

    def __init__(self, folder, wrap=lambda sink, registry: sink, registry=None):
        self.registry = CollectorRegistry() if registry is None else registry
        self.ledger_path = Path(folder) / "ledger.jsonl"
        self.lines = []
        self.processors = [self._line]
        self.metrics = MetricsSink(self.registry)
        self.log = LogSink(structlog.wrap_logger(structlog.ReturnLogger(), processors=[self._processed]))
        self.ledger = LedgerSink(self.ledger_path)
        self.mine = Mine()
        self.table = Table.made()
        self.sinks = [wrap(sink, self.registry) for sink in (self.metrics, self.log, self.ledger, self.mine)]
        self._seen = threading.local()
        self.sync, self.asynchronous = self._clients()

    def _processed(self, logger, name, event):
        for processor in self.processors:
            event = processor(logger, name, event)
        raise structlog.DropEvent

    def _line(self, logger, name, event):
        self.lines.append(event)
        return event

    def _clients(self):
        seen = self._seen

        class Noting(anthropic.Anthropic):
            def request(self, *args, **kwargs):
                seen.last = super().request(*args, **kwargs)
                return seen.last

        class AsyncNoting(anthropic.AsyncAnthropic):
            async def request(self, *args, **kwargs):
                seen.last = await super().request(*args, **kwargs)
                return seen.last

        def answer(_request):
            return http.Response(200, json=ANSWER)

        async def answer_async(_request):
            return http.Response(200, json=ANSWER)

        made = (
            Noting(api_key="k", http_client=http.Client(transport=http.MockTransport(answer))),
            AsyncNoting(
                api_key="k", http_client=http.AsyncClient(transport=http.MockTransport(answer_async))
            ),
        )
        words = {"feature": "search", "team": "discovery", "prices": self.table, "registry": self.registry}
        return tuple(TrackedClient(one, sinks=self.sinks, **words) for one in made)

    # Calls: each says whether the caller got the very object that the SDK made.

    def call(self):
        """One call of the plain client."""
        return self.sync.messages.create(**ASKED) is self._seen.last

    def call_async(self):
        """Three calls at once in an event loop; the SDK's objects are told apart by task."""

        async def one():
            result = await self.asynchronous.messages.create(**ASKED)
            return result is self._seen.last  # nothing is awaited between the SDK's return and this line

        async def all_of_them():
            return await asyncio.gather(*[one() for _ in range(3)])

        return all(asyncio.run(all_of_them()))

    def call_in_threads(self):
        """Eight threads, three calls each."""
        came = []

        def work():
            came.extend(self.call() for _ in range(3))

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return len(came) == 24 and all(came)

    # What was written.

    def count(self, name, **labels):
        return self.registry.get_sample_value(name, labels)

    def faults(self, stage):
        return self.count("ai_inference_tracking_errors_total", stage=stage)

    def ledger_lines(self):
        return len(self.ledger_path.read_text().splitlines()) if self.ledger_path.is_file() else 0

    def seen_by(self):
        """How many calls each sink has."""
        calls = {"model": "claude-sonnet-4-6", "feature": "search", "team": "discovery", "outcome": "ok"}
        return {
            "metrics": self.count("ai_inference_calls_total", **calls) or 0,
            "log": sum(line["event"] == "ai.inference.completed" for line in self.lines),
            "ledger": self.ledger_lines(),
            "sink": len(self.mine.records),
        }
