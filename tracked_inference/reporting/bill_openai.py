"""
OpenAI's reports of usage and cost: `/v1/organization/usage/*` and `/v1/organization/costs`.

`input_tokens` includes what was read from and written to caches; the parts stand beside it and are taken out of it here.
Amounts are float dollars, read as decimals from their text. Days are Unix seconds.
A cost line names itself `gpt-6-astra, input_tokens`; one that does not is a charge without tokens.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from decimal import InvalidOperation
from typing import TYPE_CHECKING, Any

from tracked_inference.errors import ConfigurationError, UnavailableError
from tracked_inference.reporting.bill import FORBIDDEN, Bill, Charge, Used, amount_of, pages

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["OpenAIBill"]

_BASE_URL = "https://api.openai.com/v1"
_TOKEN_REPORTS = ("completions", "embeddings", "moderations")
_LINE = re.compile(r"(?P<model>[^\s,|]+)\s*[,|]\s*(?P<what>[\w \-]+)")


class OpenAIBill:
    """
    Reads OpenAI's reports.

    Args:
        by_key: Whether to tell the keys of calls apart.
    """

    name = "openai"
    key_variable = "OPENAI_ADMIN_KEY"

    def __init__(self, *, by_key: bool = False) -> None:
        self.by_key = by_key

    def read(
        self,
        start: date,
        end: date,
        key: str,
        base_url: str | None,
        advance: Callable[[], object] | None = None,
    ) -> Bill:
        """The bill of some days; see `Vendor`."""
        base = (base_url or _BASE_URL).rstrip("/")
        headers = {"Authorization": f"Bearer {key}"}
        span = [
            ("start_time", _unix(start)),
            ("end_time", _unix(end)),
            ("bucket_width", "1d"),
            ("limit", "31"),
        ]
        hints: dict[int, str] = dict.fromkeys((401, 403), f"{FORBIDDEN}; set {self.key_variable}")
        bill = Bill()
        whose = [("group_by", "project_id"), *([("group_by", "api_key_id")] if self.by_key else [])]
        try:
            for report in _TOKEN_REPORTS:
                url = f"{base}/organization/usage/{report}"
                for bucket in pages(url, [*span, ("group_by", "model"), *whose], headers, hints, advance):
                    for row in bucket["results"]:
                        _used(bill, _day(bucket), row)
            query = [*span, ("group_by", "line_item"), *whose]
            for bucket in pages(f"{base}/organization/costs", query, headers, hints, advance):
                for row in bucket["results"]:
                    _charged(bill, _day(bucket), row)
        except ConfigurationError:  # the address is none
            raise
        except (KeyError, TypeError, ValueError, InvalidOperation, AttributeError) as error:
            raise UnavailableError(
                f"{base}: a report of a shape that this version does not know: {error!r}"
            ) from error
        return bill


def _unix(day: date) -> str:
    return str(int(datetime.combine(day, datetime.min.time(), UTC).timestamp()))


def _day(bucket: Mapping[str, Any]) -> date:
    return datetime.fromtimestamp(int(bucket["start_time"]), UTC).date()


def _used(bill: Bill, day: date, row: Mapping[str, Any]) -> None:
    whole, read = int(row["input_tokens"]), int(row.get("input_cached_tokens") or 0)
    written = int(row.get("input_cache_write_tokens") or 0)
    if not written:
        written = sum(int(row.get(f"input_cache_write_{life}_tokens") or 0) for life in ("30m", "12h"))
    counts = {
        "input": max(0, whole - read - written),
        "cache_read": read,
        "cache_write": written,
        "output": int(row.get("output_tokens") or 0),
    }
    for kind, count in counts.items():
        if count:
            bill.used.append(Used(day, row.get("model") or "", kind, count, *_whose(row)))


def _charged(bill: Bill, day: date, row: Mapping[str, Any]) -> None:
    amount = row.get("amount") or {}  # its parts may be null, too
    if amount.get("value") is None:
        return
    if (currency := amount.get("currency") or "usd").lower() != "usd":
        raise ValueError(f"a charge in {currency}")
    model, kind = _line_item(row.get("line_item") or "")
    bill.charges.append(Charge(day, model, kind, amount_of(amount["value"]), *_whose(row)))


def _whose(row: Mapping[str, Any]) -> tuple[str, str]:
    return row.get("project_id") or "", row.get("api_key_id") or ""


def _line_item(text: str) -> tuple[str, str]:
    """Model and kind of a cost line; `other` without tokens where it says neither."""
    found = _LINE.fullmatch(text.strip())
    if found is None:
        return "", "other"
    what = found["what"].strip().lower().replace(" ", "_").replace("-", "_")
    if "output" in what:
        kind = "output"
    elif "write" in what:
        kind = "cache_write"
    elif "cached" in what or "cache_read" in what:
        kind = "cache_read"
    elif "input" in what:
        kind = "input"
    else:
        return "", "other"
    return found["model"], kind
