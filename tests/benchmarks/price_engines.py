"""
Libraries that price a call, side by side: time of one price, of the first one, memory, and whether the dollars are right.

    python -m tests.benchmarks.price_engines NAME      one engine, in the environment that it is run in; prints JSON

The two calls are those of `peer_checks`: 1,200 tokens of input, 300 from the cache (which OpenAI counts among the 1,200), 500 of
output.  What is timed starts from the counts, as each library wants them, and ends with the dollars.
"""

from __future__ import annotations

import json
import os
import sys
import timeit
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from time import process_time
from typing import Any

from tests.benchmarks.peer_checks import DOLLARS
from tests.benchmarks.peer_worker import resident
from tests.benchmarks.peers import keep_quiet
from tests.benchmarks.vendor_calls import MODELS, SDKS

Price = Callable[[], Any]
AT = datetime(2026, 11, 23, 12, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Engine:
    """A library that prices: its name, what to install, and how it prices a call of a vendor."""

    name: str
    packages: tuple[str, ...]
    pricing: Callable[[str], Price]


def ours(vendor: str) -> Price:
    from tracked_inference.pricing import PriceTable
    from tracked_inference.usage import Pass, Usage

    uncached = 1200 if vendor == "anthropic" else 900
    usage = Usage((Pass({"input": uncached, "cache_read": 300, "output": 500}),))
    price, model = PriceTable.bundled().price, MODELS[vendor]
    return lambda: price(usage, provider=vendor, model=model, at=AT).total_usd


def genai_prices(vendor: str) -> Price:
    import genai_prices as library

    whole = 1500 if vendor == "anthropic" else 1200
    usage = library.Usage(input_tokens=whole, cache_read_tokens=300, output_tokens=500)
    model = MODELS[vendor]
    return lambda: library.calc_price(usage, model, provider_id=vendor).total_price


def litellm(vendor: str) -> Price:
    import litellm as library

    whole = 1500 if vendor == "anthropic" else 1200
    details = {"cached_tokens": 300}
    usage = library.Usage(
        prompt_tokens=whole, completion_tokens=500, total_tokens=whole + 500, prompt_tokens_details=details
    )
    response, model = library.ModelResponse(model=MODELS[vendor], usage=usage), MODELS[vendor]
    return lambda: library.completion_cost(response, model=model, custom_llm_provider=vendor)


def tokencost(vendor: str) -> Price:
    import tokencost as library

    cost, model = library.calculate_cost_by_tokens, MODELS[vendor]
    uncached = 1200 if vendor == "anthropic" else 900
    return lambda: cost(uncached, model, "input") + cost(300, model, "cached") + cost(500, model, "output")


ENGINES = {
    engine.name: engine
    for engine in (
        Engine("ours", (), ours),
        Engine("genai-prices", ("genai-prices",), genai_prices),
        Engine("litellm", ("litellm",), litellm),
        Engine("tokencost", ("tokencost",), tokencost),
    )
}


def measured(name: str) -> dict[str, Any]:
    """What one engine does, in this process; the first price includes the import."""
    memory, start = resident(), process_time()
    found: dict[str, Any] = {}
    for vendor in SDKS:
        try:
            price = ENGINES[name].pricing(vendor)
            said = float(price())
        except Exception as error:
            found[vendor] = {"broken": type(error).__name__}
            continue
        finally:
            found.setdefault("first_ms", (process_time() - start) * 1e3)
            found.setdefault("mib", (resident() - memory) / 2**20)
        once = min(timeit.repeat(price, number=100, repeat=20)) / 100 * 1e6
        found[vendor] = {"us": once, "usd": said, "right": abs(said - DOLLARS[vendor]) < 1e-9}
    return found


def main() -> None:
    keep_quiet()
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    print(json.dumps(measured(sys.argv[1])), file=answers, flush=True)
    os._exit(0)


if __name__ == "__main__":
    main()
