"""The line of a ledger: one record as JSON and back, with nothing lost."""

from __future__ import annotations

import json
from dataclasses import MISSING, fields
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tracked_inference.pricing.cost import Cost, CostLine
from tracked_inference.record import CallRecord
from tracked_inference.usage import Pass, Usage

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["SCHEMA", "line_of", "record_of"]

SCHEMA = 1
"""The version of the line; a later version may add fields, and changes this number when one changes its meaning."""


def line_of(record: CallRecord) -> bytes:
    """
    A record as one line of UTF-8 JSON that ends in a newline; amounts and rates are exact decimals, written as text.

    Raises:
        ValueError: A number of the record is not finite, which JSON cannot say.
    """
    usage, cost = record.usage, record.cost
    line: dict[str, Any] = {
        "schema": SCHEMA,
        "started_at": record.started_at.astimezone(UTC)
        .isoformat(timespec="microseconds")
        .replace("+00:00", "Z"),
        "feature": record.feature,
        "team": record.team,
        "user": record.user,
        "provider": record.provider,
        "operation": record.operation,
        "requested_model": record.requested_model,
        "model": record.model,
        "stream": record.stream,
        "outcome": record.outcome,
        "error_type": record.error_type,
        "attempts": record.attempts,
        "duration_seconds": record.duration_seconds,
        "time_to_first_token_seconds": record.time_to_first_token_seconds,
        "request_id": record.request_id,
        "trace_id": record.trace_id,
        "tags": dict(record.tags),
        "tokens": None if usage is None else usage.tokens(),
        "cost": {
            "status": cost.status,
            "total_usd": _text(cost.total_usd),
            "list_usd": _text(cost.list_usd),
            "model": cost.model,
            "reasons": cost.reasons,
            "table_version": cost.table_version,
            "table_sha256": cost.table_sha256,
            "lines": [_cost_line(one) for one in cost.lines],
        },
        "usage": None if usage is None else _usage(usage),
    }
    # A lone surrogate in a tag is no reason to lose the money beside it.
    return _encode(line).encode("utf-8", "replace") + b"\n"


_encode = json.JSONEncoder(
    separators=(",", ":"), ensure_ascii=False, allow_nan=False, check_circular=False
).encode


def _text(amount: Decimal | None) -> str | None:
    """A decimal without an exponent, so that every reader takes it."""
    return None if amount is None else format(amount, "f")


def _quantity(value: int | Decimal) -> int | str:
    return format(value, "f") if isinstance(value, Decimal) else value


def _cost_line(line: CostLine) -> dict[str, Any]:
    written: dict[str, Any] = {
        "unit": line.unit,
        "quantity": _quantity(line.quantity),
        "rate_usd": format(line.rate_usd, "f"),
        "amount_usd": format(line.amount_usd, "f"),
        "model": line.model,
    }
    if line.rules:
        written["rules"] = line.rules
    return written


def _usage(usage: Usage) -> dict[str, Any]:
    """Usage without the fields that say their default, which are most of them in most calls."""
    written: dict[str, Any] = {"passes": [_pass(one) for one in usage.passes]}
    for name, default in _USAGE_DEFAULTS.items():
        value = getattr(usage, name)
        if value != default:
            written[name] = _text(value) if name == "gateway_cost_usd" else value
    return written


def _pass(one: Pass) -> dict[str, Any]:
    written: dict[str, Any] = {"counts": {unit: _quantity(count) for unit, count in one.counts.items()}}
    for name, default in _PASS_DEFAULTS.items():
        value = getattr(one, name)
        if value != default:
            written[name] = value
    return written


_USAGE_DEFAULTS = {field.name: field.default for field in fields(Usage) if field.default is not MISSING}
_PASS_DEFAULTS = {field.name: field.default for field in fields(Pass) if field.default is not MISSING}


def record_of(line: str | bytes) -> CallRecord:
    """
    The record that a line was made of.

    Raises:
        ValueError: The line is no whole line of a ledger, or of a schema newer than this version knows.
    """
    try:
        found = json.loads(line)
        if found["schema"] > SCHEMA:
            raise ValueError(
                f"the line has schema {found['schema']} and this version knows {SCHEMA}: upgrade tracked-inference"
            )
        cost, usage = found["cost"], found["usage"]
        return CallRecord(
            started_at=datetime.fromisoformat(found["started_at"]),
            cost=Cost(
                status=cost["status"],
                total_usd=_decimal(cost["total_usd"]),
                list_usd=_decimal(cost["list_usd"]),
                model=cost["model"],
                lines=tuple(_read_cost_line(one) for one in cost["lines"]),
                reasons=tuple(cost["reasons"]),
                table_version=cost["table_version"],
                table_sha256=cost["table_sha256"],
            ),
            usage=None if usage is None else _read_usage(usage),
            **{name: found[name] for name in _PLAIN},
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not a line of a ledger: {type(error).__name__}: {error}") from error


_PLAIN = tuple(
    field.name for field in fields(CallRecord) if field.name not in {"started_at", "cost", "usage"}
)


def _decimal(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def _count(value: int | str) -> int | Decimal:
    return Decimal(value) if isinstance(value, str) else value


def _read_cost_line(line: Mapping[str, Any]) -> CostLine:
    return CostLine(
        unit=line["unit"],
        quantity=_count(line["quantity"]),
        rate_usd=Decimal(line["rate_usd"]),
        amount_usd=Decimal(line["amount_usd"]),
        model=line["model"],
        rules=tuple(line.get("rules", ())),
    )


def _read_usage(usage: Mapping[str, Any]) -> Usage:
    given = {name: usage[name] for name in _USAGE_DEFAULTS if name in usage}
    if "gateway_cost_usd" in given:
        given["gateway_cost_usd"] = Decimal(given["gateway_cost_usd"])
    if "notes" in given:
        given["notes"] = tuple(given["notes"])
    passes = tuple(
        Pass(
            counts={unit: _count(count) for unit, count in one["counts"].items()},
            **{name: one[name] for name in _PASS_DEFAULTS if name in one},
        )
        for one in usage["passes"]
    )
    return Usage(passes=passes, **given)
