"""
What is fuzzed: each target takes bytes, does what a user would with them, and raises where a promise is broken.

Bytes are a file's content where the target reads one; for payloads and arguments they may also be decisions (`Decisions`): which
seed, what of it is replaced, by what.  A case is replayed without a fuzzer by calling its target.
"""

import contextlib
import copy
import importlib
import io
import json
import operator
import os
import tempfile
from datetime import UTC, date, datetime
from decimal import Decimal, localcontext
from functools import cache
from pathlib import Path

from prometheus_client import CollectorRegistry

from tracked_inference import PriceTable, TrackedClient
from tracked_inference.errors import TrackedInferenceError
from tracked_inference.tracking.faults import Faults
from tracked_inference.vendors import anthropic_usage, openai_usage

AT = datetime(2026, 11, 23, tzinfo=UTC)
HERE = Path(__file__).parent
HOSTILE = (
    *(
        None,
        True,
        False,
        0,
        -1,
        1,
        2**31,
        2**63,
        2**200,
        -(2**200),
        0.1,
        -0.5,
        1e308,
        float("inf"),
        float("-inf"),
        float("nan"),
    ),
    *(
        "",
        "0",
        "11",
        "-3",
        "1e5",
        "NaN",
        "x" * 300,
        "\x00",
        "\ud800",
        "gpt-4o",
        "claude-sonnet-4-6",
        "priority",
        "batch",
        "us",
    ),
    *([], [[]], [None], {}, {"": None}, [{"type": "message"}], {"input_tokens": 5}, {"cached_tokens": 9}),
)


class Decisions:
    """Bytes as a row of choices; what is asked beyond their end is the first choice."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def one(self, choices):
        byte = self.data[self.at : self.at + 2]
        self.at += 2
        return choices[int.from_bytes(byte, "big") % len(choices)]


def mutated(value, decide):
    """A copy in which up to eight places are replaced, removed or doubled."""
    value = copy.deepcopy(value)
    for _ in range(decide.one(range(9))):
        holder = value
        while True:
            keys = list(holder) if isinstance(holder, dict) else range(len(holder))
            if not keys:
                break
            key = decide.one(keys)
            inner = holder[key]
            if isinstance(inner, (dict, list)) and inner and decide.one((True, True, False)):
                holder = inner
                continue
            what = decide.one(("replace", "replace", "remove", "add"))
            if what == "remove":
                del holder[key]
            elif what == "replace":
                holder[key] = copy.deepcopy(decide.one(HOSTILE))
            elif isinstance(holder, dict):
                holder[
                    decide.one(("quantum_tokens", "usage", "type", "cache_read_input_tokens", "iterations"))
                ] = copy.deepcopy(decide.one(HOSTILE))
            else:
                holder.append(copy.deepcopy(inner))
            break
    return value


@cache
def bodies():
    """Operations with bodies: the corpus beside the repository where it lies, and a few of our own."""
    found = [
        ("messages", {"model": "claude-sonnet-4-6", "usage": {"input_tokens": 11, "cache_creation_input_tokens": 9, "cache_creation": {"ephemeral_5m_input_tokens": 4, "ephemeral_1h_input_tokens": 5}, "cache_read_input_tokens": 3, "output_tokens": 7, "server_tool_use": {"web_search_requests": 2}, "iterations": [{"type": "message", "input_tokens": 1, "output_tokens": 2, "model": "claude-haiku-4-5"}]}, "stop_reason": "refusal", "stop_details": {"category": "x"}, "content": [{"type": "fallback", "from": {"model": "a"}, "to": {"model": "b"}}]}),
        ("chat.completions", {"model": "gpt-4o", "service_tier": "flex", "usage": {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18, "prompt_tokens_details": {"cached_tokens": 4, "audio_tokens": 1, "cache_write_tokens": 2}, "completion_tokens_details": {"reasoning_tokens": 3, "audio_tokens": 1}}}),
        ("responses", {"model": "gpt-6-sol", "status": "completed", "output": [{"type": "web_search_call", "action": {"type": "search"}}, {"type": "image_generation_call"}], "tools": [{"type": "web_search"}], "usage": {"input_tokens": 11, "input_tokens_details": {"cached_tokens": 4}, "output_tokens": 7, "output_tokens_details": {"reasoning_tokens": 3}}}),
        ("images", {"size": "1024x1024", "quality": "high", "data": [{}], "usage": {"input_tokens": 5, "output_tokens": 9, "input_tokens_details": {"text_tokens": 3, "image_tokens": 2}}}),
        ("audio.transcriptions", {"usage": {"type": "duration", "seconds": 3}, "duration": 3.2}),
        ("videos", {"model": "sora-2", "seconds": "8", "size": "1280x720", "status": "completed"}),
    ]  # fmt: skip
    with contextlib.suppress(OSError):
        from tests import corpus

        for row in corpus.lines("open.jsonl.gz")[:400]:
            with contextlib.suppress(Exception):
                body = json.loads(row["response"]["body"])
                operation = corpus.OPERATIONS.get(
                    row.get("operation") or row.get("endpoint") or "", "chat.completions"
                )
                if isinstance(body, dict):
                    found.append((operation, body))
    return found


def usage(data):
    """Whatever a response says: read without an error, priced soundly, written to every sink without a fault."""
    from tests.sinks.records import record
    from tracked_inference.sinks._ledger_line import line_of
    from tracked_inference.sinks.log import fields_of
    from tracked_inference.sinks.metrics import MetricsSink

    if data[:1] == b"{":
        try:
            body = json.loads(data)
        except (ValueError, RecursionError):
            return
        operation = str(body.get("operation", "chat.completions"))
    else:
        decide = Decisions(data)
        operation, body = decide.one(bodies())
        body = mutated(body, decide)
    request = {"model": body.get("model"), "tools": body.get("tools"), "input": "x"}
    # `usage_of` makes of an error a call that is not measured; here none is let through.
    anthropic_usage._read(body, operation, request, batch=False, complete=True)
    if operation in openai_usage._READERS:
        openai_usage._READERS[operation](body, request, False, True)
    for reader, provider in ((anthropic_usage, "anthropic"), (openai_usage, "openai")):
        found = reader.usage_of(body, operation=operation, request=request)
        model = body.get("model") if isinstance(body.get("model"), str) else None
        cost = PriceTable.bundled().price(found, provider=provider, model=model, at=AT)
        assert "engine_error" not in cost.reasons, cost
        if cost.total_usd is not None:
            assert cost.total_usd.is_finite()
            assert cost.total_usd >= 0
            with localcontext() as context:
                context.prec = 400
                assert sum((line.amount_usd for line in cost.lines), Decimal(0)) == cost.total_usd
        one = record(usage=found, cost=cost, model=cost.model)
        json.loads(line_of(one))
        fields_of(one)
        MetricsSink(_registry())(one)


@cache
def _registry():
    return CollectorRegistry()


EVENTS = {
    "messages": b"".join(
        b"event: %s\ndata: %s\n\n" % (kind, json.dumps({"type": kind.decode(), **rest}).encode())
        for kind, rest in (
            (b"message_start", {"message": {"id": "m", "type": "message", "role": "assistant", "model": "claude-sonnet-4-6", "content": [], "usage": {"input_tokens": 11, "output_tokens": 1}}}),
            (b"content_block_start", {"index": 0, "content_block": {"type": "text", "text": ""}}),
            (b"content_block_delta", {"index": 0, "delta": {"type": "text_delta", "text": "Hi"}}),
            (b"content_block_stop", {"index": 0}),
            (b"message_delta", {"delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 7}}),
            (b"message_stop", {}),
        )
    ),
    "chat.completions": b'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"gpt-4o","choices":[{"index":0,"delta":{"content":"Hi"}}]}\n\n'
    b'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"gpt-4o","choices":[],"usage":{"prompt_tokens":11,"completion_tokens":7,"total_tokens":18}}\n\ndata: [DONE]\n\n',
    "responses": b'event: response.created\ndata: {"type":"response.created","sequence_number":0,"response":{"id":"r","model":"gpt-4o","status":"in_progress","output":[]}}\n\n'
    b'event: response.output_text.delta\ndata: {"type":"response.output_text.delta","sequence_number":1,"delta":"Hi"}\n\n'
    b'event: response.completed\ndata: {"type":"response.completed","sequence_number":2,"response":{"id":"r","model":"gpt-4o","status":"completed","output":[],"usage":{"input_tokens":11,"output_tokens":7,"total_tokens":18}}}\n\n',
}  # fmt: skip
ASKED = {
    "messages": ("anthropic", {"model": "claude-sonnet-4-6", "max_tokens": 5, "messages": [{"role": "user", "content": "x"}]}),
    "chat.completions": ("openai", {"model": "gpt-4o", "stream_options": {"include_usage": True}, "messages": [{"role": "user", "content": "x"}]}),
    "responses": ("openai", {"model": "gpt-4o", "input": "x"}),
}  # fmt: skip
_served = {}


@cache
def _clients(name):
    sdk = __import__(name)
    http = __import__(sdk.DefaultHttpxClient.__mro__[1].__module__.partition(".")[0])

    def answer(_request):
        return http.Response(200, content=_served["bytes"], headers={"content-type": "text/event-stream"})

    maker = {"anthropic": "Anthropic", "openai": "OpenAI"}[name]
    plain = getattr(sdk, maker)(
        api_key="k", max_retries=0, http_client=http.Client(transport=http.MockTransport(answer))
    )
    records = []
    tracked = TrackedClient(
        plain, feature="search", team="discovery", sinks=[records.append], registry=_registry()
    )
    return plain, tracked, records


def _events_of(resource, asked):
    return [repr(event) for event in resource.create(stream=True, **asked)]


def _bytes_of(resource, asked):
    with resource.with_streaming_response.create(stream=True, **asked) as response:
        return b"".join(response.iter_bytes())


def _outcome(read, client, operation, asked):
    try:
        return read(operator.attrgetter(operation)(client), asked)
    except Exception as error:
        return [type(error).__name__, str(error)]


def sse(data):
    """The caller of a tracked stream sees what the plain SDK gives, event for event or byte for byte; one sound record, no fault."""
    from tracked_inference.sinks._ledger_line import line_of
    from tracked_inference.sinks.log import fields_of

    _served["bytes"] = data
    for operation, (name, asked) in ASKED.items():
        plain, tracked, records = _clients(name)
        for read in (_events_of, _bytes_of):
            records.clear()
            faults = []
            before = Faults.note
            Faults.note = lambda self, stage, error, faults=faults: faults.append((stage, error))
            try:
                expected, seen = (_outcome(read, one, operation, asked) for one in (plain, tracked))
            finally:
                Faults.note = before
            assert seen == expected, (seen, expected)
            assert not faults, faults
            if operation == "responses" and b"background" in data:
                continue  # recorded when it is seen finished, and once in this process
            assert len(records) == 1, records
            fields_of(records[0])
            json.loads(line_of(records[0]))


def _as_file(suffix, data, work):
    with tempfile.TemporaryDirectory(dir=_memory()) as folder:
        path = Path(folder) / f"input{suffix}"
        path.write_bytes(data)
        with contextlib.suppress(TrackedInferenceError):
            work(path)


def _memory():
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


def prices(data):
    """A price file is used, or refused with a sentence that names it; what is used prices soundly."""

    def work(path):
        table = PriceTable.bundled().with_overlay(path)
        found = openai_usage.usage_of(bodies()[1][1], operation="chat.completions")
        for provider, model in (("openai", "gpt-4o"), ("acme", "acme-1"), ("local", "llama")):
            cost = table.price(found, provider=provider, model=model, at=AT)
            assert "engine_error" not in cost.reasons, cost
            assert cost.total_usd is None or (cost.total_usd.is_finite() and cost.total_usd >= 0)

    _as_file(".json" if data[:1] in b"{[" else ".toml", data, work)


def registry(data):
    """A registry file is used, or refused with a sentence."""
    from tracked_inference.registry import FeatureRegistry

    _as_file(".toml", data, lambda path: [str(one) for one in FeatureRegistry.load(path).features.values()])


def terraform(data):
    """A plan is checked, or refused with a sentence."""
    from tracked_inference.cloud.check import check_resources, read_resources

    if data[:1] not in (b"{", b"["):
        data = json.dumps(mutated(PLAN, Decisions(data))).encode()
    _as_file(".json", data, lambda path: check_resources(read_resources(path), today=date(2026, 11, 23)))


PLAN = {
    "format_version": "1.2",
    "resource_changes": [
        {
            "address": "aws_instance.a", "mode": "managed", "type": "aws_instance", "name": "a", "provider_name": "registry.terraform.io/hashicorp/aws",
            "change": {"actions": ["create"], "before": None, "after": {"tags": {"team": "x"}, "tags_all": {"team": "x"}, "instance_type": "m5.large"}, "after_unknown": {"tags_all": {"service": True}}, "after_sensitive": {"tags": {}}},
        },
        {
            "address": "aws_autoscaling_group.b[0]", "mode": "managed", "type": "aws_autoscaling_group", "name": "b", "provider_name": "registry.terraform.io/hashicorp/aws",
            "change": {"actions": ["delete", "create"], "before": {}, "after": {"tag": [{"key": "team", "value": "x", "propagate_at_launch": True}]}, "after_unknown": {"tag": [{}]}, "after_sensitive": False},
        },
        {
            "address": "aws_launch_template.c", "mode": "managed", "type": "aws_launch_template", "name": "c", "provider_name": "registry.terraform.io/hashicorp/aws",
            "change": {"actions": ["update"], "before": {}, "after": {"tag_specifications": [{"resource_type": "instance", "tags": {}}]}, "after_unknown": True, "after_sensitive": {}},
        },
    ],
    "configuration": {"provider_config": {"aws": {"name": "aws", "expressions": {"default_tags": [{"tags": {"references": ["var.x"]}}]}}}, "root_module": {}},
}  # fmt: skip

WORDS = (
    *("--help", "--json", "--format", "csv", "table", "--since", "--until", "today", "2026-02-30", "last-month", "0", "-1", "1e999", "nan"),
    *("--by", "feature", "user", "tag:x", "--where", "provider=azure", "=", "--limit", "--feature", "search", "ledger.jsonl", "plan.json"),
    *("--model", "gpt-4o", "--calls-per-day", "--input-tokens", "--output-tokens", "100", "--budget", "\udcff", "ümläut", "x" * 5000, "--", "-"),
    *("prices.toml", "registry.toml", "--strict", "--against", "--at", "--tag", "--output", "out", "--no-compare", "--region", "us", "--provider", "[/]", "[red]"),
)  # fmt: skip


ASK_A_SERVER = frozenset({"--prometheus", "--base-url", "--live-prices", "--role-arn"})


@cache
def _commands():
    """Each command but the demo, which waits to be ended, and its options; no option that names a server to ask."""
    import click

    from tracked_inference.cli import COMMANDS

    def walk(path, command):
        options = [name for one in command.params if isinstance(one, click.Option) for name in one.opts]
        yield path, [name for name in options if name not in ASK_A_SERVER]
        for name, inner in getattr(command, "commands", {}).items():
            yield from walk([*path, name], inner)

    found = [([], ["--help", "--version"])]
    for name, entry in COMMANDS.items():
        if name != "demo":
            module, _, attribute = entry.at.partition(":")
            found += walk([name], getattr(importlib.import_module(module), attribute))
    return found


def _arguments(data):
    """A JSON list as it is; other bytes choose a command, then options of its own and words of any kind."""
    if data[:1] == b"[":
        return [str(one) for one in json.loads(data)]
    decide = Decisions(data)
    path, options = decide.one(_commands())
    return [*path, *(decide.one(decide.one((options or WORDS, WORDS))) for _ in range(decide.one(range(7))))]


def cli(data):
    """Whatever is typed: an exit code of the documented ones, and never a traceback."""
    from tracked_inference.cli import main

    try:
        arguments = _arguments(data)
    except (ValueError, RecursionError):
        return
    kept, here = dict(os.environ), Path.cwd()
    with tempfile.TemporaryDirectory(dir=_memory()) as folder:
        os.chdir(folder)
        os.environ["TRACKED_INFERENCE_CACHE"] = folder
        os.environ["AWS_EC2_METADATA_DISABLED"] = "true"  # no cloud is asked who we are
        Path("ledger.jsonl").write_bytes(b'{"schema":1}\n\xff\n' + data[:200] + b"\n")
        Path("plan.json").write_text(json.dumps(PLAN))
        Path("prices.toml").write_bytes(data[:200])
        Path("registry.toml").write_bytes(data[:200])
        out, err = io.StringIO(), io.StringIO()
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                code = main(arguments)
        finally:
            os.chdir(here)
            os.environ.clear()
            os.environ.update(kept)
    assert code in (0, 1, 2, 3), (arguments, code)
    assert "Traceback" not in err.getvalue(), (arguments, err.getvalue())


TARGETS = {one.__name__: one for one in (usage, sse, prices, registry, terraform, cli)}

OVERLAY = b"""[[models]]
provider = "acme"
model = "acme-1"
input = 1.5
output = "6.00"
from = 2026-01-01

[[discounts]]
provider = "openai"
percent = 10
"""
REGISTRY = b"""[features.search]
team = "discovery"
budget_usd = { month = 4000 }
models = ["gpt-4o"]
on_budget = "warn"
"""


def _recorded_streams():
    """Short streams of the corpus, where it lies beside the repository."""
    found = []
    with contextlib.suppress(OSError):
        from tests import corpus

        for row in corpus.lines("open.jsonl.gz"):
            body = row["response"].get("body") or ""
            if "data:" in body[:200] and len(body) < 4096:
                found.append(body.encode())
    return found[:60]


def seeds(name):
    """What the fuzzer starts from."""
    if name == "usage":
        return [
            json.dumps({"operation": operation, **body}).encode() for operation, body in bodies()[:60]
        ] + [bytes([0, number, 0, 3]) + bytes(range(number, number + 40)) for number in range(40)]
    if name == "sse":
        return [*EVENTS.values(), *_recorded_streams()]
    if name == "terraform":
        return [json.dumps(PLAN).encode(), *(bytes(range(number, number + 60)) for number in range(20))]
    if name == "cli":
        return [bytes(range(number, number + 16)) for number in range(60)]
    docs = sorted((HERE.parents[1] / "docs").rglob("*.md"))
    blocks = [
        block.partition("```")[0].encode()
        for page in docs
        for block in page.read_text().split("```toml\n")[1:]
    ]
    return [OVERLAY if name == "prices" else REGISTRY, *blocks]
