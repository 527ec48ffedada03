"""
How long an event loop stands still because of us, and how long a scrape takes: `python -m tests.benchmarks.event_loop STEP`.

A task of the loop wakes every millisecond and notes by how much it is late while one step is done in the loop; beside it stands
the CPU time that the loop's own thread spent on the step, which other work on the machine does not lengthen.
Each step is done in a fresh process.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tests.benchmarks.vendor_calls import MODELS, create_of, plain_client, tracked_client, words_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

SERIES = 10_000
TICK = 0.001
SLOW = 0.02
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


async def stalled(step: Callable[[], Awaitable[Any]]) -> dict[str, float]:
    """The longest that the loop was late during the step, and the CPU time of its thread; milliseconds."""
    late, done = [0.0], False

    async def watch() -> None:
        while not done:
            asked = time.perf_counter()
            await asyncio.sleep(TICK)
            late.append(time.perf_counter() - asked - TICK)

    watching = asyncio.create_task(watch())
    await asyncio.sleep(0.02)
    late.clear()
    start, cpu = time.perf_counter(), time.thread_time()
    await step()
    cpu, took = time.thread_time() - cpu, time.perf_counter() - start
    await asyncio.sleep(0.01)
    done = True
    await watching
    return {"late_ms": max(late) * 1e3, "cpu_ms": cpu * 1e3, "took_ms": took * 1e3}


# The steps: each is made ready, and gives what is to be watched.


async def nothing() -> Callable[[], Awaitable[Any]]:
    return lambda: asyncio.sleep(0.05)


async def bare_first_call() -> Callable[[], Awaitable[Any]]:
    client = plain_client("anthropic", "async")
    return lambda: create_of("anthropic", client)(**words_of("anthropic"))


async def tracked_client_made() -> Callable[[], Awaitable[Any]]:
    plain = plain_client("anthropic", "async")
    import prometheus_client  # noqa: F401  # which an application with metrics has
    import structlog  # noqa: F401

    async def make() -> None:
        tracked_client(plain)

    return make


async def tracked_first_call() -> Callable[[], Awaitable[Any]]:
    plain = plain_client("anthropic", "async")
    await create_of("anthropic", plain)(**words_of("anthropic"))  # the SDK's own first time is not ours
    client = tracked_client(plain)
    return lambda: create_of("anthropic", client)(**words_of("anthropic"))


async def tracked_second_call() -> Callable[[], Awaitable[Any]]:
    step = await tracked_first_call()
    await step()
    return step


async def first_price() -> Callable[[], Awaitable[Any]]:
    from tracked_inference.pricing import PriceTable
    from tracked_inference.usage import Pass, Usage

    usage = Usage((Pass({"input": 1200, "output": 500}),))
    table = PriceTable.bundled()

    async def price() -> None:
        table.price(usage, provider="openai", model=MODELS["openai"], at=NOW)

    return price


async def first_scrape() -> Callable[[], Awaitable[Any]]:
    app, _ = _scraped(0)
    return lambda: _ask(app)


async def scrape_of_many() -> Callable[[], Awaitable[Any]]:
    app, _ = _scraped(SERIES)
    return lambda: _ask(app)


async def slow_sink() -> Callable[[], Awaitable[Any]]:
    return await _ten_calls([_sleepy])


async def slow_sink_queued() -> Callable[[], Awaitable[Any]]:
    from prometheus_client import CollectorRegistry

    from tracked_inference.sinks.queued import QueuedSink

    return await _ten_calls([QueuedSink(_sleepy, registry=CollectorRegistry(), exit_seconds=0)])


STEPS = {
    "nothing": nothing,
    "the bare client's first call": bare_first_call,
    "a tracked client is made": tracked_client_made,
    "its first call, the SDK being warm": tracked_first_call,
    "its second call": tracked_second_call,
    "the first price": first_price,
    "the first scrape": first_scrape,
    "a scrape of 10,000 series": scrape_of_many,
    "ten calls, a sink that takes 20 ms": slow_sink,
    "the same behind a `QueuedSink`": slow_sink_queued,
}


def _sleepy(_record: Any) -> None:
    time.sleep(SLOW)


async def _ten_calls(sinks: list[Any]) -> Callable[[], Awaitable[Any]]:
    from tracked_inference import TrackedClient

    plain = plain_client("anthropic", "async")
    client = TrackedClient(plain, feature="slow", team="slow", sinks=sinks)
    await create_of("anthropic", plain)(**words_of("anthropic"))

    async def ask() -> None:
        for _ in range(10):
            await create_of("anthropic", client)(**words_of("anthropic"))
            await asyncio.sleep(TICK)  # answers from memory never let the loop go on

    return ask


def _scraped(series: int) -> tuple[Any, Any]:
    """An application of metrics, and its registry, in which there are so many series at least."""
    from prometheus_client import CollectorRegistry

    from tests.sinks.records import record
    from tracked_inference.sinks.exposition import metrics_app
    from tracked_inference.sinks.metrics import MetricsSink

    registry = CollectorRegistry()
    sink = MetricsSink(registry)
    number = 0
    sink(record())
    while series and sum(len(one.samples) for one in registry.collect()) < series:
        for _ in range(5):
            sink(
                record(feature=f"feature_{number}", team=f"team_{number % 20}", model=f"model_{number % 10}")
            )
            number += 1
    return metrics_app(registry), registry


async def _ask(app: Any) -> int:
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await app({"type": "http", "method": "GET", "path": "/metrics", "headers": []}, None, send)
    assert sent[0]["status"] == 200
    return sent[1]["body"].count(b"\n")


def scrapes(times: int = 15) -> dict[str, float]:
    """Time of a scrape of 10,000 series, and its CPU time; milliseconds, medians."""
    app, registry = _scraped(SERIES)
    took, spent = [], []
    for _ in range(times):
        start, cpu = time.perf_counter(), time.process_time()
        asyncio.run(_ask(app))
        took.append((time.perf_counter() - start) * 1e3)
        spent.append((time.process_time() - cpu) * 1e3)
    from prometheus_client import generate_latest

    start = time.process_time()
    for _ in range(times):
        generate_latest(registry)
    bare = (time.process_time() - start) / times * 1e3
    series = sum(len(one.samples) for one in registry.collect())
    return {
        "series": series,
        "bare_ms": bare,
        "took_ms": sorted(took)[times // 2],
        "cpu_ms": sorted(spent)[times // 2],
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("step", choices=[*STEPS, "scrapes"])
    step = parser.parse_args().step

    async def watched() -> dict[str, float]:
        return await stalled(await STEPS[step]())

    print(json.dumps(scrapes() if step == "scrapes" else asyncio.run(watched())))


if __name__ == "__main__":
    main()
