"""
What tracking costs: the SDKs as they come against tracked clients, per call and per stream of 500 chunks.

    python tests/benchmarks/bench_calls.py [--json] [--rounds 15] [--only anthropic-sync] [--callgrind openai-sync-call]

Nothing is sent: the SDKs' HTTP clients are given a transport that answers from memory, so what is compared with is the
SDK's own work, without any network or model.
Tracked clients write metrics and one structlog JSON line a call (to the null device; structlog's default renderer is made
for eyes and takes many times as long).
Plain and tracked take turns within each round; times are CPU times of the process, so that other work on the machine
disturbs less; a ratio is the median of the rounds' ratios.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import importlib
import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from time import process_time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

REPOSITORY = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(REPOSITORY))

CHUNKS = 500
SCENARIOS = [
    f"{sdk}-{kind}-{shape}"
    for sdk in ("anthropic", "openai")
    for kind in ("sync", "async")
    for shape in ("call", "stream")
]


# What the vendor answers.


def _sse(events: list[tuple[str | None, Any]]) -> bytes:
    lines = [f"event: {name}\n" * bool(name) + f"data: {json.dumps(data)}\n\n" for name, data in events]
    return "".join(lines).encode()


def _anthropic_bodies() -> tuple[bytes, bytes]:
    usage = {"input_tokens": 1200, "cache_read_input_tokens": 300, "output_tokens": 1}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-4-6"}
    text = {"type": "text", "text": "word " * CHUNKS}
    whole = {**message, "content": [text], "stop_reason": "end_turn", "stop_sequence": None}
    whole["usage"] = {**usage, "output_tokens": CHUNKS}
    start = {**message, "content": [], "stop_reason": None, "stop_sequence": None, "usage": usage}
    delta = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "word "}}
    stop = {"stop_reason": "end_turn", "stop_sequence": None}
    block = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
    events = [
        {"type": "message_start", "message": start},
        block,
        *[delta] * CHUNKS,
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": stop, "usage": {"output_tokens": CHUNKS}},
        {"type": "message_stop"},
    ]
    return json.dumps(whole).encode(), _sse([(event["type"], event) for event in events])


def _openai_bodies() -> tuple[bytes, bytes]:
    usage = {
        "prompt_tokens": 1200,
        "completion_tokens": CHUNKS,
        "total_tokens": 1200 + CHUNKS,
        "prompt_tokens_details": {"cached_tokens": 300},
        "completion_tokens_details": {"reasoning_tokens": 0},
    }
    common = {"id": "chatcmpl-1", "created": 1, "model": "gpt-4o-2024-08-06"}
    said = {"role": "assistant", "content": "word " * CHUNKS}
    choice = {"index": 0, "message": said, "finish_reason": "stop", "logprobs": None}
    whole = {**common, "object": "chat.completion", "choices": [choice], "usage": usage}
    chunk = {**common, "object": "chat.completion.chunk", "usage": None}
    delta = {"index": 0, "delta": {"content": "word "}, "finish_reason": None, "logprobs": None}
    last = {"index": 0, "delta": {}, "finish_reason": "stop", "logprobs": None}
    chunks = [
        *[{**chunk, "choices": [delta]}] * CHUNKS,
        {**chunk, "choices": [last]},
        {**chunk, "choices": [], "usage": usage},
    ]
    return json.dumps(whole).encode(), _sse([(None, one) for one in chunks]) + b"data: [DONE]\n\n"


BODIES: dict[str, Callable[[], tuple[bytes, bytes]]] = {
    "anthropic": _anthropic_bodies,
    "openai": _openai_bodies,
}


# Who asks.


def clients(sdk_name: str, kind: str) -> tuple[Any, Any]:
    """A plain client that is answered from memory, and the same one tracked."""
    import structlog
    from prometheus_client import CollectorRegistry

    from tracked_inference import TrackedClient

    sdk = importlib.import_module(sdk_name)
    homes = (sys.modules[one.__module__.partition(".")[0]] for one in sdk.DefaultHttpxClient.__mro__)
    http: Any = next(home for home in homes if hasattr(home, "MockTransport"))  # httpx or httpx2
    whole, streamed = BODIES[sdk_name]()

    def answer(request: Any) -> Any:
        stream = b'"stream":true' in request.content or b'"stream": true' in request.content
        media = "text/event-stream" if stream else "application/json"
        return http.Response(
            200,
            content=streamed if stream else whole,
            headers={"content-type": media, "request-id": "req_1", "x-request-id": "req_1"},
        )

    name = {"anthropic": "Anthropic", "openai": "OpenAI"}[sdk_name]
    made = getattr(sdk, name if kind == "sync" else f"Async{name}")
    client_class = http.Client if kind == "sync" else http.AsyncClient
    plain = made(api_key="any", http_client=client_class(transport=http.MockTransport(answer)))
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.WriteLoggerFactory(file=Path(os.devnull).open("w")),
        cache_logger_on_first_use=True,
    )
    return plain, TrackedClient(plain, feature="benchmark", team="benchmark", registry=CollectorRegistry())


def work(scenario: str, client: Any) -> Callable[[int], None]:
    """Do the scenario's call so many times."""
    sdk, kind, shape = scenario.split("-")
    messages = [{"role": "user", "content": "Say something."}]
    if sdk == "anthropic":
        create, words = client.messages.create, {"model": "claude-sonnet-4-6", "max_tokens": 1024}
    else:
        create, words = client.chat.completions.create, {"model": "gpt-4o"}
    words = {**words, "messages": messages}
    if kind == "sync":

        def synchronous(times: int) -> None:
            for _ in range(times):
                if shape == "call":
                    create(**words)
                else:
                    for _event in create(**words, stream=True):
                        pass

        return synchronous

    loop = asyncio.new_event_loop()

    async def ask(times: int) -> None:
        for _ in range(times):
            if shape == "call":
                await create(**words)
            else:
                async for _event in await create(**words, stream=True):
                    pass
                await asyncio.sleep(0)  # the loop closes what the SDK left open

    return lambda times: loop.run_until_complete(ask(times))


def measure(scenario: str, rounds: int, seconds: float) -> dict[str, Any]:
    """Microseconds for one call, plain and tracked, and their ratio."""
    sdk, kind, _ = scenario.split("-")
    ways = [work(scenario, client) for client in clients(sdk, kind)]
    for way in ways:
        way(3)
    start = process_time()
    ways[0](3)
    times = max(3, int(seconds / rounds / max((process_time() - start) / 3, 1e-6) / 2))
    taken: list[tuple[float, float]] = []
    for turn in range(rounds):
        gc.collect()
        one = {}
        for index in (0, 1) if turn % 2 == 0 else (1, 0):
            start = process_time()
            ways[index](times)
            one[index] = (process_time() - start) / times * 1e6
        taken.append((one[0], one[1]))
    return {
        "scenario": scenario,
        "plain_us": round(statistics.median(plain for plain, _ in taken), 1),
        "tracked_us": round(statistics.median(tracked for _, tracked in taken), 1),
        "ratio": round(statistics.median(tracked / plain for plain, tracked in taken), 4),
        "ratio_of_minima": round(min(tracked for _, tracked in taken) / min(plain for plain, _ in taken), 4),
        "rounds": rounds,
        "calls_a_round": times,
    }


def import_milliseconds(times: int = 9) -> float:
    """CPU time to import the package where prometheus_client and structlog are imported already."""
    code = (
        "import prometheus_client, structlog; from time import process_time; t = process_time();"
        " import tracked_inference; print((process_time() - t) * 1e3)"
    )
    with tempfile.TemporaryDirectory() as compiled:
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": compiled}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        command = [sys.executable, "-c", code]
        runs = [
            subprocess.run(
                command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=True
            )
            for _ in range(times + 1)
        ]
    return round(statistics.median(float(run.stdout) for run in runs[1:]), 1)  # the first one compiles


WARM_UP = 30
"""Calls before the count: the interpreter specialises its bytecode, caches fill, classes are made."""


def counted(way: str, times: int, scenario: str) -> None:
    """Do the scenario's calls with valgrind's count switched on; what comes before runs uncounted, and so much faster."""
    sdk, kind, _ = scenario.split("-")
    gc.disable()
    run = work(scenario, clients(sdk, kind)[way == "tracked"])
    run(WARM_UP if times > 20 else 3)
    for switch in ("on", "off"):
        subprocess.run(["callgrind_control", "-i", switch, str(os.getpid())], check=True, capture_output=True)
        if switch == "on" and times:
            run(times)


def instructions(scenario: str, calls: int) -> dict[str, Any]:
    """Instructions for one call by valgrind's count, which no other work disturbs."""
    valgrind = shutil.which("valgrind")
    if valgrind is None:
        sys.exit("valgrind is not installed")
    counts: dict[tuple[str, int], int] = {}
    for way in ("plain", "tracked"):
        for times in (0, calls):
            with tempfile.TemporaryDirectory() as folder:
                command = [valgrind, "--tool=callgrind", "--instr-atstart=no"]
                command += [f"--callgrind-out-file={folder}/out", sys.executable, __file__]
                command += ["--repeat", way, str(times), scenario]
                environment = {**os.environ, "PYTHONHASHSEED": "0"}
                made = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
            found = re.search(r"Collected : (\d+)", made.stderr)
            assert found is not None, made.stderr
            counts[way, times] = int(found[1])
    plain, tracked = ((counts[way, calls] - counts[way, 0]) / calls for way in ("plain", "tracked"))
    return {
        "scenario": scenario,
        "plain_instructions": round(plain),
        "tracked_instructions": round(tracked),
        "added_instructions": round(tracked - plain),
        "ratio": round(tracked / plain, 4),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=6.0, help="CPU time for each scenario")
    parser.add_argument("--only", default="", help="scenarios whose name has this")
    parser.add_argument(
        "--callgrind", metavar="SCENARIO", choices=SCENARIOS, help="count instructions instead"
    )
    parser.add_argument("--repeat", nargs=3, metavar=("WAY", "TIMES", "SCENARIO"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.repeat:
        way, times, scenario = arguments.repeat
        counted(way, int(times), scenario)
        return
    if arguments.callgrind:
        calls = 10 if arguments.callgrind.endswith("stream") else 100
        print(json.dumps(instructions(arguments.callgrind, calls), indent=2))
        return
    where = {name: version(name) for name in ("anthropic", "openai")}
    where |= {"python": platform.python_version(), "machine": platform.machine()}
    imported = import_milliseconds()
    results = []
    if not arguments.json:
        print(", ".join(f"{name} {value}" for name, value in where.items()))
        print(f"import beyond prometheus_client and structlog: {imported} ms")
        print(f"{'':24}{'plain µs':>12}{'tracked µs':>12}{'added µs':>12}{'ratio':>9}{'of minima':>11}")
    for scenario in SCENARIOS:
        if arguments.only in scenario:
            one = measure(scenario, arguments.rounds, arguments.seconds)
            results.append(one)
            if not arguments.json:
                added = one["tracked_us"] - one["plain_us"]
                figures = f"{one['plain_us']:12.1f}{one['tracked_us']:12.1f}{added:12.1f}"
                print(f"{scenario:24}{figures}{one['ratio']:9.3f}{one['ratio_of_minima']:11.3f}", flush=True)
    if arguments.json:
        print(json.dumps({"where": where, "import_ms": imported, "calls": results}, indent=2))


if __name__ == "__main__":
    main()
