"""
Anthropic's reports of usage and cost.

Two routes say the same: the analytics route (`/v1/organizations/analytics/usage` and `/cost`, beta header
`analytics-usage-cost-2026-08-24`, what the SDK's `client.beta.organization.analytics` calls) and the documented Admin route
(`/v1/organizations/usage_report/messages` and `/cost_report`).
Amounts are decimal text in fractional CENTS: `"123.45"` is 1.23 dollars and 45 hundredths of a cent.
Token counts are disjoint.
"""

from __future__ import annotations

from datetime import date
from decimal import InvalidOperation
from typing import TYPE_CHECKING, Any, Literal

from tracked_inference.errors import ConfigurationError, UnavailableError
from tracked_inference.reporting.bill import FORBIDDEN, Bill, Charge, Used, amount_of, pages

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["AnthropicBill"]

_BASE_URL = "https://api.anthropic.com"
_BETA = "analytics-usage-cost-2026-08-24"
_KIND = {
    "uncached_input_tokens": "input",
    "cache_read_input_tokens": "cache_read",
    "cache_creation.ephemeral_5m_input_tokens": "cache_write",
    "cache_creation.ephemeral_1h_input_tokens": "cache_write",
    "output_tokens": "output",
}


class AnthropicBill:
    """
    Reads Anthropic's reports.

    Args:
        route: `admin`, the documented Admin API, or `analytics`, the newer beta.
        by_key: Whether to tell the keys of calls apart; the cost report of `admin` does not know them.

    Raises:
        ConfigurationError: `by_key` of the route `admin`.
    """

    name = "anthropic"
    key_variable = "ANTHROPIC_ADMIN_KEY"

    def __init__(self, route: Literal["admin", "analytics"] = "admin", *, by_key: bool = False) -> None:
        if by_key and route == "admin":
            raise ConfigurationError(
                "the mapping names keys, which the cost report of the route admin does not tell apart: say --route analytics"
            )
        self.route = route
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
        headers = {"x-api-key": key, "anthropic-version": "2023-06-01"}
        span = [("starting_at", f"{start}T00:00:00Z"), ("ending_at", f"{end}T00:00:00Z")]
        hints: dict[int, str] = dict.fromkeys((401, 403), f"{FORBIDDEN}; set {self.key_variable}")
        bill = Bill()
        try:
            if self.route == "analytics":
                headers["anthropic-beta"] = _BETA
                query = [
                    *span,
                    ("time_bucket_width", "1d"),
                    ("limit", "1000"),
                    ("group_by[]", "model"),
                    ("group_by[]", "workspace_id"),
                ]
                if self.by_key:
                    query.append(("group_by[]", "api_key_id"))
                for row in pages(f"{base}/v1/organizations/analytics/usage", query, headers, hints, advance):
                    _used(bill, _day(row), row["usage"], row["group"])
                query += [("group_by[]", "cost_type"), ("group_by[]", "token_type")]
                for row in pages(f"{base}/v1/organizations/analytics/cost", query, headers, hints, advance):
                    _charged(bill, _day(row), row["cost"], row["group"])
            else:
                query = [*span, ("bucket_width", "1d"), ("limit", "31"), ("group_by[]", "workspace_id")]
                usage = [*query, ("group_by[]", "model")]
                for bucket in pages(
                    f"{base}/v1/organizations/usage_report/messages", usage, headers, hints, advance
                ):
                    for row in bucket["results"]:
                        _used(bill, _day(bucket), row, row)
                cost = [*query, ("group_by[]", "description")]
                for bucket in pages(f"{base}/v1/organizations/cost_report", cost, headers, hints, advance):
                    for row in bucket["results"]:
                        _charged(bill, _day(bucket), row, row)
        except ConfigurationError:  # the address is none
            raise
        except (KeyError, TypeError, ValueError, InvalidOperation, AttributeError) as error:
            raise UnavailableError(
                f"{base}: a report of a shape that this version does not know: {error!r}"
            ) from error
        return bill


def _day(row: Mapping[str, Any]) -> date:
    return date.fromisoformat(row["starting_at"][:10])


def _used(bill: Bill, day: date, row: Mapping[str, Any], group: Mapping[str, Any]) -> None:
    written = row.get("cache_creation") or {}
    counts = {
        "input": row["uncached_input_tokens"],
        "cache_read": row["cache_read_input_tokens"],
        "cache_write": sum(int(count or 0) for count in written.values()),
        "output": row["output_tokens"],
    }
    for kind, count in counts.items():
        if count:
            bill.used.append(Used(day, group.get("model") or "", kind, int(count), *_whose(group)))


def _charged(bill: Bill, day: date, row: Mapping[str, Any], group: Mapping[str, Any]) -> None:
    if row.get("currency", "USD").upper() != "USD":
        raise ValueError(f"a charge in {row['currency']}")
    kind = _KIND.get(group.get("token_type") or "", "other")
    usd = amount_of(row["amount"]) / 100  # fractional cents
    bill.charges.append(Charge(day, group.get("model") or "", kind, usd, *_whose(group)))


def _whose(group: Mapping[str, Any]) -> tuple[str, str]:
    return group.get("workspace_id") or "", group.get("api_key_id") or ""
