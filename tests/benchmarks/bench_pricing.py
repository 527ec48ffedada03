"""
Pricing side by side with genai-prices: `python -m tests.benchmarks.bench_pricing`.

Prints; asserts nothing about time.
Each figure is the best of many short runs, so that what else the machine does matters little; memory is that of a fresh
process each, as Linux counts it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import timeit
from datetime import UTC, datetime
from importlib.util import find_spec

AT = datetime(2026, 11, 23, 12, tzinfo=UTC)

LOAD_OURS = """
from tracked_inference.pricing import PriceTable
t = PriceTable.bundled()
"""
LOAD_THEIRS = """
import genai_prices
genai_prices.calc_price(genai_prices.Usage(input_tokens=1), "gpt-6-sol", provider_id="openai")
"""
MEASURED = """
import json, os, datetime, decimal, hashlib, logging, re, dataclasses
def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
before = resident()
{load}
print(json.dumps(resident() - before))
"""
TIMED = """
import json, time, datetime, decimal, hashlib, logging, re, dataclasses
import {package}
start = time.perf_counter()
{load}
print(json.dumps(time.perf_counter() - start))
"""


def best(call, number: int = 100, rounds: int = 200) -> float:
    """Microseconds of one call, the best of many rounds."""
    return min(timeit.repeat(call, number=number, repeat=rounds)) / number * 1e6


def fresh(code: str) -> float:
    """What a fresh process prints, the least of several; the modules are compiled by then, as installing them does it."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return min(
        float(
            json.loads(
                subprocess.run(
                    [sys.executable, "-c", code],
                    check=True,
                    capture_output=True,
                    text=True,
                    env=environment,
                ).stdout
            )
        )
        for _ in range(7)
    )


def main() -> None:
    """Print the table."""
    from tracked_inference.pricing import PriceTable
    from tracked_inference.vendors import anthropic_usage, openai_usage

    table = PriceTable.bundled()
    chat = {
        "model": "gpt-6-sol",
        "service_tier": "default",
        "usage": {
            "prompt_tokens": 1000,
            "completion_tokens": 500,
            "total_tokens": 1500,
            "prompt_tokens_details": {"cached_tokens": 600},
        },
    }
    passes = [
        {"type": "message", "input_tokens": 412, "cache_read_input_tokens": 5, "output_tokens": 89},
        {"type": "advisor_message", "model": "claude-opus-5-5", "input_tokens": 823, "output_tokens": 1612},
        {"type": "message", "input_tokens": 1348, "cache_read_input_tokens": 412, "output_tokens": 442},
    ]
    message = {
        "model": "claude-sonnet-5-5",
        "content": [{"type": "text", "text": "Hi."}],
        "usage": {
            "input_tokens": 1760,
            "output_tokens": 531,
            "server_tool_use": {"web_search_requests": 2},
            "iterations": passes,
        },
    }
    plain = openai_usage.usage_of(chat, operation="chat.completions")
    nine = anthropic_usage.usage_of(message, operation="messages")
    assert plain is not None and nine is not None

    def price_plain():
        return table.price(plain, provider="openai", model="gpt-6-sol", at=AT, requested_model="gpt-6-sol")

    def price_nine():
        return table.price(nine, provider="anthropic", model="claude-sonnet-5-5", at=AT)

    assert len(price_nine().lines) == 9
    rows = [
        ("price of a plain call, us", best(price_plain), None),
        ("price of a nine-line call, us", best(price_nine), None),
        ("the same with its lines drawn up, us", best(lambda: price_nine().lines), None),
        (
            "usage of a chat completion (JSON), us",
            best(lambda: openai_usage.usage_of(chat, operation="chat.completions")),
            None,
        ),
        (
            "usage of a nine-line message (JSON), us",
            best(lambda: anthropic_usage.usage_of(message, operation="messages")),
            None,
        ),
        (
            "load of the table, ms",
            fresh(TIMED.format(package="tracked_inference.pricing", load=LOAD_OURS)) * 1e3,
            None,
        ),
        ("memory of package and table, MB", fresh(MEASURED.format(load=LOAD_OURS)) / 1e6, None),
    ]
    if find_spec("genai_prices") is not None:
        import genai_prices

        usage = genai_prices.Usage(input_tokens=1000, cache_read_tokens=600, output_tokens=500)
        context = {"service_tier": "default"}

        def theirs():
            return genai_prices.calc_price(
                usage, "gpt-6-sol", provider_id="openai", genai_request_timestamp=AT, price_context=context
            )

        assert theirs().total_price == price_plain().total_usd
        several = [
            (
                genai_prices.Usage(input_tokens=417, cache_read_tokens=5, output_tokens=89),
                "claude-sonnet-5-5",
            ),
            (genai_prices.Usage(input_tokens=823, output_tokens=1612), "claude-opus-5-5"),
            (
                genai_prices.Usage(input_tokens=1760, cache_read_tokens=412, output_tokens=442),
                "claude-sonnet-5-5",
            ),
        ]

        def theirs_nine():
            return [
                genai_prices.calc_price(one, model, provider_id="anthropic", genai_request_timestamp=AT)
                for one, model in several
            ]

        figures = {
            0: best(theirs, 5),
            1: best(theirs_nine, 2),
            5: fresh(TIMED.format(package="sys", load=LOAD_THEIRS)) * 1e3,
            6: fresh(MEASURED.format(load=LOAD_THEIRS)) / 1e6,
        }
        rows = [(name, mine, figures.get(at)) for at, (name, mine, _) in enumerate(rows)]
    print(f"{'':42}{'ours':>10}{'genai-prices':>14}{'ratio':>8}")
    for name, mine, other in rows:
        ratio = f"{other / mine:7.1f}x" if other else ""
        print(
            f"{name:42}{mine:10.2f}{other if other is None else round(other, 2) or '':>14}{ratio:>8}"
            if other
            else f"{name:42}{mine:10.2f}"
        )


if __name__ == "__main__":
    main()
