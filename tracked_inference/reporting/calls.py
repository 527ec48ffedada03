"""
The SQL that turns each kind of source into one table of calls, exactly.

Pure text: nothing here imports DuckDB. Lists are worked on with comprehensions, the one form that every DuckDB since 1.1 takes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracked_inference.usage import TOKEN_UNITS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tracked_inference.reporting.periods import Period

__all__ = ["COLUMNS", "MONEY", "during", "ledger_calls", "log_calls", "quoted"]

MONEY = "DECIMAL(38,18)"
"""Exact for amounts below 10^20 with up to 18 digits after the point; finer ones are counted and said."""

_LINE = "STRUCT(unit VARCHAR, quantity VARCHAR, rate_usd VARCHAR, amount_usd VARCHAR, model VARCHAR, rules VARCHAR[])"
_LEDGER = {
    "schema": "INTEGER",
    "started_at": "TIMESTAMP",
    "feature": "VARCHAR",
    "team": "VARCHAR",
    "user": "VARCHAR",
    "provider": "VARCHAR",
    "operation": "VARCHAR",
    "requested_model": "VARCHAR",
    "model": "VARCHAR",
    "stream": "BOOLEAN",
    "outcome": "VARCHAR",
    "error_type": "VARCHAR",
    "attempts": "INTEGER",
    "duration_seconds": "DOUBLE",
    "tags": "MAP(VARCHAR, VARCHAR)",
    "tokens": f"STRUCT({', '.join(f'{unit} BIGINT' for unit in TOKEN_UNITS)})",
    "cost": (
        "STRUCT(status VARCHAR, total_usd VARCHAR, list_usd VARCHAR, reasons VARCHAR[], table_version VARCHAR,"
        f" lines {_LINE}[])"
    ),
    "usage": "STRUCT(passes STRUCT(refusal VARCHAR)[], reasoning_tokens BIGINT, service_tier VARCHAR, batch BOOLEAN)",
}
_LOG = {
    "event": "VARCHAR",
    "timestamp": "VARCHAR",
    "@timestamp": "VARCHAR",
    "ts": "VARCHAR",
    "time": "VARCHAR",
    **{
        name: kind
        for name, kind in _LEDGER.items()
        if name not in {"schema", "started_at", "duration_seconds", "tokens", "cost", "usage"}
    },
    "latency_seconds": "DOUBLE",
    "estimated_cost_usd": "VARCHAR",
    "cost_status": "VARCHAR",
    "cost_reasons": "VARCHAR[]",
    "price_table": "VARCHAR",
    "service_tier": "VARCHAR",
    **dict.fromkeys(
        ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens"),
        "BIGINT",
    ),
}

_TOKENS = {
    "input_tokens": [unit for unit in TOKEN_UNITS if not unit.startswith("output")],
    "cache_read_tokens": [unit for unit in TOKEN_UNITS if unit.startswith("cache_read")],
    "cache_write_tokens": [unit for unit in TOKEN_UNITS if unit.startswith("cache_write")],
    "output_tokens": [unit for unit in TOKEN_UNITS if unit.startswith("output")],
}

# What a token read from a cache would have cost fresh: the input rate of the same model under the same rules in the same
# call. Rates are list prices. NULL where the call has no such line, which is counted.
_SAVED = """list_sum([
    TRY_CAST(l.quantity AS DECIMAL(18,0)) * (
      TRY_CAST([b.rate_usd FOR b IN cost.lines IF b.unit = CASE WHEN l.unit IN ('cache_read_audio', 'cache_read_image')
        THEN replace(l.unit, 'cache_read', 'input') ELSE 'input' END AND b.model = l.model
        AND b.rules IS NOT DISTINCT FROM l.rules][1] AS DECIMAL(18,16))
      - TRY_CAST(l.rate_usd AS DECIMAL(18,16)))
    FOR l IN cost.lines IF starts_with(l.unit, 'cache_')])"""

_FROM_LEDGER = {
    "started_at": "started_at",
    "feature": "feature",
    "team": "team",
    "caller": '"user"',
    "provider": "provider",
    "operation": "operation",
    "requested_model": "requested_model",
    "model": "model",
    "stream": "stream",
    "outcome": "outcome",
    "error_type": "error_type",
    "attempts": "attempts",
    "duration_seconds": "duration_seconds",
    "status": "cost.status",
    "cost_usd": f"TRY_CAST(cost.total_usd AS {MONEY})",
    "list_usd": f"TRY_CAST(cost.list_usd AS {MONEY})",
    "finer": "regexp_matches(coalesce(cost.total_usd, ''), '[.][0-9]{18}[0-9]*[1-9]')",
    "reasons": "cost.reasons",
    "table_version": "cost.table_version",
    **{name: " + ".join(f"coalesce(tokens.{unit}, 0)" for unit in units) for name, units in _TOKENS.items()},
    "reasoning_tokens": "coalesce(usage.reasoning_tokens, 0)",
    "cache_savings_usd": f"CAST({_SAVED} AS {MONEY})",
    "cache_unknown": (
        f"len([1 FOR l IN cost.lines IF starts_with(l.unit, 'cache_')]) > 0 AND ({_SAVED}) IS NULL"
    ),
    "refused": "len([1 FOR p IN usage.passes IF p.refusal IS NOT NULL]) > 0",
    "service_tier": "usage.service_tier",
    "batch": "coalesce(usage.batch, false)",
    "tags": "tags",
    "tokens": "tokens",
    "lines": "cost.lines",
}

COLUMNS = tuple(_FROM_LEDGER)
"""The columns of the table of calls; `caller` is the record's user, as `user` is a word of SQL."""

_HEAVY = frozenset({"lines", "tokens"})

# Loggers call the instant by several names; ISO 8601 text and Unix seconds are both in use.
_LOGGED = 'coalesce(timestamp, "@timestamp", ts, time)'
_LOGGED_AT = (
    f"coalesce(TRY_CAST({_LOGGED} AS TIMESTAMP),"
    f" make_timestamp(TRY_CAST(round(TRY_CAST({_LOGGED} AS DOUBLE) * 1000000) AS BIGINT)))"
)

_FROM_LOG = {
    **dict.fromkeys(COLUMNS, "NULL"),
    # The line is written at the end of the call, and a call belongs to the day on which it started.
    "started_at": (
        f"{_LOGGED_AT} - to_microseconds(coalesce(TRY_CAST(round(latency_seconds * 1000000) AS BIGINT), 0))"
    ),
    **{
        name: name
        for name in (
            "feature", "team", "provider", "operation", "requested_model", "model", "stream", "outcome", "error_type",
            "attempts", "service_tier", "tags",
        )
    },
    "caller": '"user"',
    "duration_seconds": "latency_seconds",
    "status": "cost_status",
    "cost_usd": f"TRY_CAST(estimated_cost_usd AS {MONEY})",
    "list_usd": f"CAST(NULL AS {MONEY})",
    "finer": "false",
    "reasons": "cost_reasons",
    "table_version": "price_table",
    **{
        name: f"coalesce({name}, 0)"
        for name in ("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens")
    },
    "cache_savings_usd": f"CAST(NULL AS {MONEY})",
    "cache_unknown": "coalesce(cache_read_tokens, 0) + coalesce(cache_write_tokens, 0) > 0",
    "refused": "false",
    "batch": "contains(coalesce(operation, ''), '.batch')",
    "tokens": f"CAST(NULL AS {_LEDGER['tokens']})",
    "lines": f"CAST(NULL AS {_LINE}[])",
}  # fmt: skip


def ledger_calls(paths: Sequence[Path], *, lines: bool) -> str:
    """The calls of ledger files; a damaged line is a row without `started_at`."""
    return _select(_FROM_LEDGER, lines) + f" FROM {_read_json(paths, _LEDGER)}"


def log_calls(paths: Sequence[Path], *, lines: bool) -> str:
    """The calls of log files: amounts to six places, as the log line has them; other events are left out."""
    events = "event IN ('ai.inference.completed', 'ai.inference.failed')"
    return _select(_FROM_LOG, lines) + f" FROM {_read_json(paths, _LOG)} WHERE {events}"


def during(periods: Sequence[Period], column: str = "started_at") -> str:
    """The condition that an instant is in one of the periods."""
    return (
        "("
        + " OR ".join(
            f"{column} >= {_instant(one.since)} AND {column} < {_instant(one.until)}" for one in periods
        )
        + ")"
    )


def _instant(at: object) -> str:
    return f"TIMESTAMP '{at:%Y-%m-%d %H:%M:%S.%f}'"


def quoted(text: object) -> str:
    """A text as an SQL literal."""
    return "'" + str(text).replace("'", "''") + "'"


def _select(columns: dict[str, str], lines: bool) -> str:
    wanted = ((name, text) for name, text in columns.items() if lines or name not in _HEAVY)
    return "SELECT " + ", ".join(f"{text} AS {name}" for name, text in wanted)


def _read_json(paths: Sequence[Path], columns: dict[str, str]) -> str:
    files = ", ".join(quoted(_literal_path(path)) for path in paths)
    told = ", ".join(f"{quoted(name)}: {quoted(kind)}" for name, kind in columns.items())
    return (
        f"read_json([{files}], format = 'newline_delimited', columns = {{{told}}}, ignore_errors = true,"
        " maximum_object_size = 67108864)"
    )


def _literal_path(path: Path) -> str:
    """A path in which DuckDB sees no pattern."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in str(path))
