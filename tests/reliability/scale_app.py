"""The application that `scale.py` puts under load: `/ask` makes a batch of calls; the rest is for the tests' own sake."""

import asyncio
import importlib
import json
import os
import sys
import time
from pathlib import Path

import anthropic
import structlog

from tests.reliability.scale import AT_ONCE, BATCH
from tracked_inference import TrackedClient
from tracked_inference.sinks import default_sinks
from tracked_inference.sinks.exposition import metrics_app
from tracked_inference.sinks.ledger import LedgerSink
from tracked_inference.tracking import call

structlog.configure(
    processors=[structlog.processors.JSONRenderer()],
    logger_factory=structlog.PrintLoggerFactory(Path(os.devnull).open("w")),
)
ASKED = {"model": "claude-sonnet-4-6", "max_tokens": 8, "messages": [{"role": "user", "content": "x"}]}
plain = anthropic.AsyncAnthropic(
    base_url=os.environ["SCALE_VENDOR"],
    api_key="any",
    max_retries=0,
    http_client=anthropic.DefaultAsyncHttpxClient(verify=False),
)
metrics = metrics_app()


def tracked():
    sinks = [*default_sinks(), LedgerSink(os.environ["SCALE_LEDGER"])]
    return TrackedClient(plain, feature="search", team="discovery", provider="anthropic", sinks=sinks)


client = tracked()


async def ask(create):
    """Make the calls of a batch, some at a time; how long the slowest took, seconds in eight characters."""
    left, slowest = BATCH, 0.0

    async def one_after_the_other():
        nonlocal left, slowest
        while left > 0:
            left -= 1
            began = time.perf_counter()
            await create(**ASKED)
            slowest = max(slowest, time.perf_counter() - began)

    await asyncio.gather(*[one_after_the_other() for _ in range(AT_ONCE)])
    return b"%8.3f" % slowest


async def app(scope, receive, send):
    global client
    if scope["type"] != "http" or scope["path"] == "/metrics":
        await metrics(scope, receive, send)
        return
    body = b"ok"
    if scope["path"] == "/ask":
        body = await ask((plain if scope["query_string"] == b"alone" else client).messages.create)
    elif (
        scope["path"] == "/clock"
    ):  # the wall clock of this worker steps, as after a suspended machine or a wrong NTP server
        step = float(scope["query_string"])
        call.time = lambda: time.time() + step
    elif scope["path"] == "/reload":  # as a development server does
        importlib.reload(sys.modules["tracked_inference.sinks._collectors"])
        importlib.reload(sys.modules["tracked_inference.sinks.metrics"])
        client = tracked()
    elif scope["path"] == "/pid":
        body = json.dumps(os.getpid()).encode()
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]}
    )
    await send({"type": "http.response.body", "body": body})
