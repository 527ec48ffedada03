"""
What tracked clients keep after many calls, and after many streams that nobody read to their end: `python -m tests.benchmarks.retained`.

After a warm-up the memory of the process, the objects that the garbage collector knows and the bytes that Python allocated
(tracemalloc) are noted, the calls are made, and the same is noted again.  A leak of one object a call would be 100,000 objects.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import tracemalloc
from typing import TYPE_CHECKING, Any

from tests.benchmarks.peer_worker import resident
from tests.benchmarks.vendor_calls import KINDS, SDKS, create_of, plain_client, tracked_client, words_of, work

if TYPE_CHECKING:
    from collections.abc import Callable

CALLS = 100_000
STREAMS = 10_000


def calls() -> Callable[[int], None]:
    """Calls of both vendors, blocking and async, in turn."""
    ways = [
        work(f"{sdk}-{kind}-call", tracked_client(plain_client(sdk, kind))) for sdk in SDKS for kind in KINDS
    ]

    def run(times: int) -> None:
        for way in ways:
            way(times // len(ways))

    return run


def abandoned() -> Callable[[int], None]:
    """
    Streams of both vendors, blocking and async: left and closed, left and dropped, never read at all.

    What the SDK itself leaves to the collector is collected before anything is noted.
    """
    loop = asyncio.new_event_loop()
    clients = {(sdk, kind): tracked_client(plain_client(sdk, kind)) for sdk in SDKS for kind in KINDS}

    def blocking(sdk: str, turn: int) -> None:
        stream = create_of(sdk, clients[sdk, "sync"])(**words_of(sdk), stream=True)
        if turn % 3 < 2:
            for number, _ in enumerate(stream):
                if number == 4:
                    break
        if turn % 3 == 0:
            stream.close()

    async def asynchronous(sdk: str, times: int) -> None:
        create = create_of(sdk, clients[sdk, "async"])
        for turn in range(times):
            stream = await create(**words_of(sdk), stream=True)
            if turn % 3 < 2:
                number = 0
                async for _ in stream:
                    number += 1
                    if number == 5:
                        break
            if turn % 3 == 0:
                await stream.close()
            del stream
            await asyncio.sleep(0)

    def run(times: int) -> None:
        for sdk in SDKS:
            for turn in range(times // 4):
                blocking(sdk, turn)
            loop.run_until_complete(asynchronous(sdk, times // 4))
            gc.collect()
            loop.run_until_complete(asyncio.sleep(0.01))  # in which the loop closes what was dropped

    return run


def grown(run: Callable[[int], None], times: int) -> dict[str, Any]:
    """How much there is more after so many calls; the allocations are traced over a tenth of them, as that is slow."""
    run(max(times // 20, 100))
    _collect()
    memory, objects = resident(), len(gc.get_objects())
    run(times)
    _collect()
    more = {"rss_kib": (resident() - memory) / 1024, "objects": len(gc.get_objects()) - objects}
    tracemalloc.start()
    run(max(times // 100, 40))
    _collect()
    before = tracemalloc.get_traced_memory()[0]
    run(times // 10)
    _collect()
    more["traced_bytes"] = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    return more


def _collect() -> None:
    for _ in range(3):
        gc.collect()


def measured(share: float = 1.0) -> list[dict[str, Any]]:
    """Both measurements, or a share of them."""
    found = []
    for name, run, times in (("calls", calls(), CALLS), ("abandoned streams", abandoned(), STREAMS)):
        times = int(times * share)
        found.append({"what": name, "times": times, **grown(run, times)})
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--share", type=float, default=1.0, help="of the 100,000 calls and 10,000 streams")
    print(json.dumps(measured(parser.parse_args().share)))


if __name__ == "__main__":
    main()
