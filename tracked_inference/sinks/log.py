"""The log sink: one structlog line a call, through the application's own configuration."""

from __future__ import annotations

import functools
import os
from typing import TYPE_CHECKING, Any

import structlog

from tracked_inference.sinks._fork import free_log_locks
from tracked_inference.usage import TOKEN_UNITS

if TYPE_CHECKING:
    from tracked_inference.pricing.cost import Cost
    from tracked_inference.record import CallRecord

__all__ = ["LogSink", "fields_of"]


class LogSink:
    """
    Writes `ai.inference.completed` (info) or `ai.inference.failed` (warning), and once a model that lacks a price.

    Args:
        logger: A structlog logger; default `structlog.get_logger("tracked_inference")`.
            It is told of each model once in a process, a logger of your own once by each sink that has it.
    """

    stage = "log"

    def __init__(self, logger: Any = None) -> None:
        self._log = structlog.get_logger("tracked_inference") if logger is None else logger
        self._binds = hasattr(self._log, "bind")
        self._told: set[str] = _told if logger is None else set()

    def __call__(self, record: CallRecord, /) -> None:
        if record.outcome == "ok":
            self._write("info", "ai.inference.completed", fields_of(record))
        else:
            self._write("warning", "ai.inference.failed", fields_of(record))
        if (
            record.cost.status in _UNPRICED
            and record.model not in self._told
            and len(self._told) < _MAX_TOLD
            and _lacks_a_price(record.cost)
        ):
            self._told.add(record.model)
            self._log.warning(
                "ai.inference.unpriced",
                model=_on_one_line(record.model),
                provider=record.provider,
                reasons=[_on_one_line(reason) for reason in record.cost.reasons],
                price_table=record.cost.table_version,
                hint=_WHO_SELLS if "unknown_seller" in record.cost.reasons else _ADD_MODEL,
            )

    def _write(self, level: str, event: str, fields: dict[str, Any]) -> None:
        """
        Write one line.

        As keywords the fields would be copied three times on their way through structlog, one by one.
        So they are put at once into the context of a logger that is bound for this line alone.
        """
        if self._binds:
            shared = self._log.bind()  # by the application's configuration as it now is
            own = shared.bind()
            context = structlog.get_context(own)
            if (
                type(context) is dict  # a context of another class may be shared by a whole thread
                and context is not structlog.get_context(shared)
                and _of_structlog(type(own))  # type: ignore[arg-type]  # mypy doubts that classes are hashable
            ):
                context.update(fields)
                getattr(own, level)(event)
                return
        getattr(self._log, level)(event, **fields)


@functools.lru_cache(maxsize=16)
def _of_structlog(logger_class: type) -> bool:
    """Whether a class of bound loggers is structlog's own: one of the application's may look at the keywords."""
    return logger_class.__module__.partition(".")[0] == "structlog"


def _lacks_a_price(cost: Cost) -> bool:
    """Whether a price file could mend it: no file knows what a container costs that the answer does not count."""
    return cost.status == "unpriced" or any(reason.startswith(_ADDABLE) for reason in cost.reasons)


_UNPRICED = frozenset({"unpriced", "partial"})
_ADDABLE = ("unpriced_unit", "unknown_model")
_MAX_TOLD = 1000
_told: set[str] = set()
_ADD_MODEL = (
    "add the model, or the unit that it lacks, to the price file that TRACKED_INFERENCE_PRICES names:"
    " see docs/howto/prices.md"
)
_WHO_SELLS = (
    "say who sells at this address, TrackedClient(..., provider='openai') for instance, or under base_urls in the price file:"
    " see docs/howto/prices.md"
)
_TOKENS = frozenset(TOKEN_UNITS)
_OUTPUT, _READ, _WRITTEN = (
    frozenset(unit for unit in TOKEN_UNITS if unit.startswith(kind))
    for kind in ("output", "cache_read", "cache_write")
)


def fields_of(record: CallRecord) -> dict[str, Any]:
    """
    A record as the fields of a log line: plain numbers and words, what says nothing left out; never text of a call.

    `input_tokens` is every token that went in; what of it was read from or written to a cache stands beside it.
    """
    cost, usage = record.cost, record.usage
    fields: dict[str, Any] = {
        "model": _on_one_line(record.model),
        "feature": record.feature,
        "team": record.team,
        "input_tokens": None,
        "output_tokens": None,
        "estimated_cost_usd": None if cost.total_usd is None else round(float(cost.total_usd), 6),
        "latency_seconds": round(record.duration_seconds, 3),
        "cost_status": cost.status,
        "price_table": cost.table_version,
        "outcome": record.outcome,
        "attempts": record.attempts,
        "provider": record.provider,
        "operation": record.operation,
        "stream": record.stream,
    }
    if usage is not None:
        total = output = read = written = 0
        for one in usage.passes:  # once, where the properties of `usage` would each do it
            for unit, quantity in one.counts.items():
                if unit in _TOKENS:
                    count = int(quantity)
                    total += count
                    if unit in _OUTPUT:
                        output += count
                    elif unit in _READ:
                        read += count
                    elif unit in _WRITTEN:
                        written += count
        fields["input_tokens"] = total - output
        fields["output_tokens"] = output
        if read:
            fields["cache_read_tokens"] = read
        if written:
            fields["cache_write_tokens"] = written
        if usage.reasoning_tokens:
            fields["reasoning_tokens"] = usage.reasoning_tokens
        if usage.service_tier is not None:
            fields["service_tier"] = _on_one_line(usage.service_tier)
    if cost.reasons:
        fields["cost_reasons"] = [_on_one_line(reason) for reason in cost.reasons]
    if record.requested_model is not None and record.requested_model != record.model:
        fields["requested_model"] = _on_one_line(record.requested_model)
    if record.time_to_first_token_seconds is not None:
        fields["time_to_first_token_seconds"] = round(record.time_to_first_token_seconds, 3)
    if record.user is not None:
        fields["user"] = _on_one_line(record.user)
    if record.error_type is not None:
        fields["error_type"] = _on_one_line(record.error_type)
    if record.request_id is not None:
        fields["request_id"] = _on_one_line(record.request_id)
    if record.trace_id is not None:
        fields["trace_id"] = _on_one_line(record.trace_id)
    if record.tags:
        fields["tags"] = {_on_one_line(name): _on_one_line(value) for name, value in record.tags.items()}
    return fields


def _on_one_line(text: str) -> str:
    """
    A text that can neither begin a line of its own nor move a terminal's cursor, whatever renders it, and is no longer than a name.

    User ids, tags and a gateway's model names come from outside, and structlog's console renderer prints them as they are;
    what collects logs cuts long lines in pieces, each of which is then a line.
    """
    if len(text) > _LONGEST:
        text = f"{text[:_LONGEST]}..."
    return text if text.isprintable() else text.encode("unicode_escape").decode("ascii")


_LONGEST = 500


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=free_log_locks)
