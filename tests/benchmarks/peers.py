"""
Other libraries that watch calls: how each is set up, and what it says that it saw.

A peer is set up as its own documentation shows, but that it keeps what it records in memory, for us to read, or throws it away
at once, for us to time.  So a peer's own export costs nothing here, which flatters it; ours writes its metrics and its log line.
Each function imports its library inside, as each lives in an environment of its own.
"""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.benchmarks.vendor_calls import SDKS, tracked_client

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping


@dataclass(frozen=True, slots=True)
class Recorded:
    """One call that a library recorded; None is what it did not say."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    usd: float | None = None
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Watching:
    """A library at work: `wrap` makes a client that it watches, `recorded` hands over what it saw since it was last asked."""

    wrap: Callable[[Any], Any]
    recorded: Callable[[], list[Recorded]]


@dataclass(frozen=True, slots=True)
class Peer:
    """A library: its name, what to install, which SDKs it watches, and how it is set up (for an SDK; whether to keep records)."""

    name: str
    packages: tuple[str, ...]
    set_up: Callable[[str, bool], Watching]
    sdks: tuple[str, ...] = SDKS
    note: str = ""


# How each is set up.


def ours(sdk: str, keep: bool) -> Watching:
    """Metrics and a JSON log line a call, or the records themselves."""
    if not keep:
        return Watching(tracked_client, list)
    from prometheus_client import CollectorRegistry

    from tracked_inference import TrackedClient

    records: list[Any] = []

    def wrap(client: Any) -> Any:
        return TrackedClient(
            client, feature="check", team="check", registry=CollectorRegistry(), sinks=[records.append]
        )

    def recorded() -> list[Recorded]:
        seen = [_of_record(one) for one in records]
        records.clear()
        return seen

    return Watching(wrap, recorded)


def _of_record(record: Any) -> Recorded:
    failed = record.outcome == "error"
    if record.usage is None:
        return Recorded(failed=failed)
    tokens: dict[str, int] = {}
    for one in record.usage.passes:
        for unit, count in one.counts.items():
            tokens[unit] = tokens.get(unit, 0) + count
    paid = record.cost.total_usd
    return Recorded(
        input_tokens=sum(count for unit, count in tokens.items() if unit != "output"),
        output_tokens=tokens.get("output"),
        usd=None if paid is None else float(paid),
        failed=failed,
    )


def openllmetry(sdk: str, keep: bool) -> Watching:
    """Its OpenTelemetry instrumentors, with a tracer provider of their own."""
    provider, recorded = spans(keep)
    if sdk == "openai":
        from opentelemetry.instrumentation.openai import OpenAIInstrumentor as Instrumentor
    else:
        from opentelemetry.instrumentation.anthropic import AnthropicInstrumentor as Instrumentor
    Instrumentor().instrument(tracer_provider=provider)
    return Watching(lambda client: client, recorded)


def openlit(sdk: str, keep: bool) -> Watching:
    """`openlit.init()`, with the prices of the two models, as it would fetch its own from the internet."""
    from opentelemetry import _logs, metrics, trace
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk.metrics import MeterProvider

    provider, recorded = spans(keep)
    trace.set_tracer_provider(provider)
    metrics.set_meter_provider(MeterProvider())
    _logs.set_logger_provider(LoggerProvider())
    import openlit as library

    gpt = {"promptPrice": 0.0025, "completionPrice": 0.01, "cacheReadPrice": 0.00125}  # USD for 1,000 tokens
    claude = {"promptPrice": 0.003, "completionPrice": 0.015, "cacheReadPrice": 0.0003}
    prices = {"gpt-4o": gpt, "gpt-4o-2024-08-06": gpt, "claude-sonnet-4-6": claude}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "prices.json"
        file.write_text(json.dumps({"chat": prices}))
        library.init(pricing_json=str(file))
    return Watching(lambda client: client, recorded)


def langfuse(sdk: str, keep: bool) -> Watching:
    """`from langfuse.openai import openai`, with an exporter of ours."""
    from langfuse import Langfuse

    exporter, recorded = exporter_and_records(keep)
    watching = Langfuse(public_key="pk", secret_key="sk", host="http://127.0.0.1:9", span_exporter=exporter)
    from langfuse.openai import openai  # noqa: F401  # importing it is what instruments

    def flushed() -> list[Recorded]:
        watching.flush()
        return recorded()

    return Watching(lambda client: client, flushed)


def logfire(sdk: str, keep: bool) -> Watching:
    """`logfire.configure()` without its server and console, and `logfire.instrument_openai(client)` or `_anthropic`."""
    import logfire as library
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor

    exporter, recorded = exporter_and_records(keep)
    library.configure(
        send_to_logfire=False, console=False, additional_span_processors=[SimpleSpanProcessor(exporter)]
    )

    def wrap(client: Any) -> Any:
        getattr(library, f"instrument_{sdk}")(client)
        return client

    return Watching(wrap, recorded)


def braintrust(sdk: str, keep: bool) -> Watching:
    """`braintrust.wrap_openai(client)` or `wrap_anthropic`, logging to memory instead of its server."""
    import braintrust as library
    from braintrust import logger as inner

    logs = inner._MemoryBackgroundLogger()
    if not keep:
        logs.log = lambda *_: None
    inner._state._override_bg_logger.logger = logs
    inner.login(api_key=inner.TEST_API_KEY)
    project = inner.ObjectMetadata(id="bench", name="bench", full_info={})
    home = inner.OrgProjectMetadata(org_id="bench", project=project)
    library.init_logger(project="bench")._lazy_metadata = inner.LazyValue(lambda: home, use_mutex=False)

    def recorded() -> list[Recorded]:
        rows = [
            row for row in logs.pop() if str(row["span_attributes"].get("type", "")).endswith(("llm", "LLM"))
        ]
        return [of_attributes(row.get("metrics") or {}, failed=bool(row.get("error"))) for row in rows]

    return Watching(getattr(library, f"wrap_{sdk}"), recorded)


def anthropics_own(sdk: str, keep: bool) -> Watching:
    """A global tracer provider is all that the SDK wants."""
    from opentelemetry import trace

    provider, recorded = spans(keep)
    trace.set_tracer_provider(provider)
    return Watching(lambda client: client, recorded)


PEERS = {
    peer.name: peer
    for peer in (
        Peer("ours", (), ours),
        Peer(
            "openllmetry",
            (
                "opentelemetry-instrumentation-openai",
                "opentelemetry-instrumentation-anthropic",
                "opentelemetry-sdk",
            ),
            openllmetry,
        ),
        Peer("openlit", ("openlit",), openlit),
        Peer(
            "langfuse", ("langfuse",), langfuse, ("openai",), "for Anthropic it names instrumentors of others"
        ),
        Peer("logfire", ("logfire",), logfire),
        Peer("braintrust", ("braintrust",), braintrust),
        Peer(
            "anthropic-tracing",
            ("opentelemetry-sdk",),
            anthropics_own,
            ("anthropic",),
            "OpenAI's SDK has none",
        ),
    )
}


# What OpenTelemetry's spans say.


def spans(keep: bool) -> tuple[Any, Callable[[], list[Recorded]]]:
    """A tracer provider, and what its spans say."""
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor

    exporter, recorded = exporter_and_records(keep)
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return provider, recorded


def exporter_and_records(keep: bool) -> tuple[Any, Callable[[], list[Recorded]]]:
    """An exporter to memory, or to nowhere, and what the spans say that reached it."""
    from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    class Nowhere(SpanExporter):
        def export(self, spans: Any) -> Any:
            return SpanExportResult.SUCCESS

    if not keep:
        return Nowhere(), list
    exporter = InMemorySpanExporter()

    def recorded() -> list[Recorded]:
        found = exporter.get_finished_spans()
        exporter.clear()
        return calls_of(
            ({NAME: span.name, **(span.attributes or {})}, span.status.status_code.name == "ERROR")
            for span in found
        )

    return exporter, recorded


NAME = "name of the span"
MODEL = ("gen_ai.request.model", "langfuse.observation.model.name", "langfuse.observation.model.parameters")
INPUT = ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "prompt_tokens", "input_tokens", "input")
OUTPUT = (
    "gen_ai.usage.output_tokens",
    "gen_ai.usage.completion_tokens",
    "completion_tokens",
    "output_tokens",
    "output",
)
DOLLARS = ("gen_ai.usage.cost", "operation.cost")


def calls_of(found: Iterable[tuple[Mapping[str, Any], bool]]) -> list[Recorded]:
    """
    The calls among spans: those that are about a model.

    Logfire tells of a stream in a span and then, with its tokens, in a log: these are one call.
    """
    calls: list[Recorded] = []
    logs: list[Recorded] = []
    for attributes, failed in found:
        about_a_model = attributes.get(NAME, "").startswith("chat ") or _first(attributes, MODEL) is not None
        if about_a_model:
            kind = logs if attributes.get("logfire.span_type") == "log" else calls
            kind.append(of_attributes(attributes, failed))
    for log in logs:
        begun = next((one for one in calls if one.input_tokens is None and one.output_tokens is None), None)
        if begun is not None:
            calls.remove(begun)
        calls.append(log)
    return calls


def of_attributes(attributes: Mapping[str, Any], failed: bool) -> Recorded:
    """What one span says: OpenTelemetry's words, their predecessors, or the words of langfuse and braintrust."""
    details = attributes.get("langfuse.observation.usage_details")
    said = {**attributes, **(json.loads(details) if details else {})}
    usd = _first(said, DOLLARS)
    return Recorded(
        *(None if value is None else int(value) for value in (_first(said, INPUT), _first(said, OUTPUT))),
        None if usd is None else float(usd),
        failed or attributes.get("langfuse.observation.level") == "ERROR",
    )


def _first(said: Mapping[str, Any], names: Iterable[str]) -> Any:
    return next((said[name] for name in names if said.get(name) is not None), None)


def keep_quiet() -> None:
    """No library reports home, or looks for a server, while it is measured."""
    os.environ |= {
        "OTEL_SDK_DISABLED": "false",
        "TRACELOOP_TELEMETRY": "false",
        "LANGFUSE_TRACING_ENABLED": "true",
        "LOGFIRE_SEND_TO_LOGFIRE": "false",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "HAYSTACK_TELEMETRY_ENABLED": "False",
    }
