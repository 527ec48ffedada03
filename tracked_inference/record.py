"""One call becomes one record, and everything reads the record."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

from tracked_inference._frozen import maker

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from tracked_inference.pricing.cost import Cost
    from tracked_inference.usage import Usage

__all__ = ["CallRecord", "InferenceResult", "Outcome", "Sink"]

Outcome = Literal["ok", "error", "cancelled", "abandoned"]


@dataclass(frozen=True, slots=True)
class CallRecord:
    """
    One finished vendor call: who made it, what it used, what it cost.

    Attributes:
        started_at: When the request started, aware UTC; the price is that of this instant.
        duration_seconds: From the call to its end, the SDK's own retries and the whole stream included.
        time_to_first_token_seconds: From the call to the first content of a stream; None for calls that are no streams.
        provider: Who sells: `anthropic`, `openai`, `azure`, `bedrock`, `vertex`, `foundry`, a gateway's name, or `unknown`.
        operation: What was called, in the vendor's words: `messages`, `chat.completions`, `responses`, `embeddings`, ….
        requested_model: The model that was asked for.
        model: The model that answered, as the price table names it; the requested name where nothing answered.
        stream: Whether the answer was streamed.
        feature: What the call was for.
        team: Who pays.
        user: On whose behalf, if said; in logs and ledgers only, never in a metric.
        usage: What was used; None where the vendor reported nothing (unmeasured, never zero).
        cost: What the price table says; `cost.total_usd` is None, never zero, when there is no price.
        outcome: `ok`, `error`, `cancelled` (the task was cancelled), `abandoned` (a stream was left before its end).
        error_type: The class of the exception, without its text.
        attempts: Requests sent; above 1 the SDK retried.
        request_id: The vendor's id of the request, for its support and its logs.
        tags: What `attribute()` was given beyond the named fields.
        trace_id: The OpenTelemetry trace that was current and sampled when the call started, 32 hexadecimal digits.
    """

    started_at: datetime
    duration_seconds: float
    time_to_first_token_seconds: float | None
    provider: str
    operation: str
    requested_model: str | None
    model: str
    stream: bool
    feature: str
    team: str
    user: str | None
    usage: Usage | None
    cost: Cost
    outcome: Outcome
    error_type: str | None
    attempts: int
    request_id: str | None
    tags: Mapping[str, str] = field(default_factory=dict)
    trace_id: str | None = None


make_record = maker(CallRecord)
"""`CallRecord`, for the call path: the same object, made for less."""


@dataclass(frozen=True, slots=True)
class InferenceResult:
    """
    What `complete()` answers.

    Attributes:
        content: The joined text of the answer; empty for an answer of tool calls only.
        input_tokens: Every token that went in, cached ones included; None, never zero, where the vendor reported no usage.
        output_tokens: Every token that came out and is billed, reasoning included; likewise.
        model: The model that answered, as the price table names it.
        latency_seconds: From the call to its end, the SDK's retries included.
        estimated_cost_usd: The estimated cost; None, never zero, when there is no price.
    """

    content: str
    input_tokens: int | None
    output_tokens: int | None
    model: str
    latency_seconds: float
    estimated_cost_usd: float | None


class Sink(Protocol):
    """
    What takes records: any callable of one `CallRecord`; what it raises is counted, logged once and dropped.

    A sink is called in the thread or task that ended the call, so it must be quick.
    It may also have `declare(feature, team, models)`, called when a client is made, and `call_started(call)` and
    `call_ended(call)`, called with an object that has `feature` and `team` attributes.
    """

    def __call__(self, record: CallRecord, /) -> None: ...
