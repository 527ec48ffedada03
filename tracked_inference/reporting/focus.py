"""
FOCUS rows from the ledger: one for each period, seller, model, unit, rate and attribution.

They are an estimate made by the consumer and not a bill: `x_Estimated` says so on every row, and `BilledCost` is what we
expect to be billed, which equals an invoice only where `reconcile` confirms it.
"""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import IO, TYPE_CHECKING, Any

from tracked_inference.errors import ConfigurationError
from tracked_inference.reporting.calls import quoted
from tracked_inference.reporting.focus_columns import columns_of_version
from tracked_inference.reporting.render import exact
from tracked_inference.usage import FEE_UNITS, TOKEN_UNITS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from tracked_inference.reporting.database import Calls
    from tracked_inference.reporting.focus_columns import FocusColumn

__all__ = ["focus_rows", "left_out", "write_csv", "write_parquet"]

MILLION = 1_000_000

_SERVICES = {
    "anthropic": ("Anthropic", "Claude API"),
    "openai": ("OpenAI", "OpenAI API"),
    "azure": ("Microsoft", "Azure OpenAI"),
    "foundry": ("Microsoft", "Microsoft Foundry"),
    "bedrock": ("Amazon Web Services", "Amazon Bedrock"),
    "vertex": ("Google Cloud", "Vertex AI"),
}
"""Who sells and what it is called, by the record's provider; others keep their name."""

_METERS = {
    "input": "Input Tokens",
    "cache_read": "Cache Read Tokens",
    "cache_write_5m": "Cache Write Tokens (5 minutes)",
    "cache_write_30m": "Cache Write Tokens (30 minutes)",
    "cache_write_1h": "Cache Write Tokens (1 hour)",
    "cache_write_12h": "Cache Write Tokens (12 hours)",
    "input_audio": "Audio Input Tokens",
    "cache_read_audio": "Audio Cache Read Tokens",
    "input_image": "Image Input Tokens",
    "cache_read_image": "Image Cache Read Tokens",
    "output": "Output Tokens",
    "output_audio": "Audio Output Tokens",
    "output_image": "Image Output Tokens",
    "web_search": "Web Searches",
    "web_search_preview": "Web Searches (preview)",
    "file_search": "File Searches",
    "second": "Seconds",
    "character": "Characters",
    "image": "Images",
    "video_second": "Video Seconds",
}
_CONSUMED = {
    **dict.fromkeys(TOKEN_UNITS, "Tokens"),
    **dict.fromkeys(FEE_UNITS, "Requests"),
    "second": "Seconds",
    "video_second": "Seconds",
    "character": "Characters",
    "image": "Images",
}
_TYPES = {
    "decimal": "DECIMAL(38,18)",
    "string": "VARCHAR",
    "json": "VARCHAR",
    "datetime": "TIMESTAMP",
    "boolean": "BOOLEAN",
    "integer": "BIGINT",
}


def focus_rows(
    calls: Calls,
    *,
    version: str = "1.4",
    hourly: bool = False,
    tags: Sequence[str] = ("environment",),
    accounts: Mapping[str, str] | None = None,
) -> Iterator[dict[str, Any]]:
    """
    The rows, in the order of their periods; decimals, aware times, texts, or None. They are summed before this returns.

    Args:
        calls: Calls that were opened with their lines.
        version: `1.4` or `1.2`.
        hourly: Rows of hours instead of UTC days.
        tags: Tags of the calls that go into `Tags` beside feature and team.
        accounts: The billing account by provider; the provider's own name where it is not given.
    """
    step = "hour" if hourly else "day"
    keys = "".join(f", element_at(tags, {quoted(name)})[1]" for name in tags)
    shared = f"CAST(date_trunc('{step}', started_at) AS TIMESTAMP), provider, feature, team, table_version, status{keys}"
    lined = (
        f"SELECT {shared}, line.model, line.unit, line.rate_usd, array_to_string(line.rules, ','),"
        " sum(TRY_CAST(line.quantity AS DECIMAL(38,6))), sum(TRY_CAST(line.amount_usd AS DECIMAL(38,18))), count(*)"
        " FROM (SELECT *, unnest(lines) AS line FROM calls WHERE cost_usd IS NOT NULL) GROUP BY ALL"
    )
    # A gateway's own price has no lines: what was charged is known, what for is not, so that its unit is the call.
    whole = (
        f"SELECT {shared}, model, NULL, NULL, NULL, count(*), sum(cost_usd), count(*)"
        " FROM calls WHERE coalesce(len(lines), 0) = 0 AND cost_usd > 0 GROUP BY ALL"
    )
    found = calls.ask(f"{lined} UNION ALL {whole} ORDER BY ALL")
    names = [one.name for one in columns_of_version(version)]
    length = timedelta(hours=1) if hourly else timedelta(days=1)
    return (
        {name: told.get(name) for name in names}
        for told in (_told(row, tags, length, accounts or {}) for row in found)
    )


def _told(
    row: Sequence[Any], tags: Sequence[str], length: timedelta, accounts: Mapping[str, str]
) -> dict[str, Any]:
    """All that is known of a row, by column of any version."""
    start, provider, feature, team, table, status, *rest = row
    values, (model, unit, rate, rules, quantity, amount, count) = rest[: len(tags)], rest[len(tags) :]
    start = start.replace(tzinfo=UTC)
    said = {"feature": feature, "team": team, **dict(zip(tags, values, strict=True))}
    return {
        **_row(start, provider, model, unit, rate, rules or "", quantity, amount),
        "BillingAccountId": accounts.get(provider, provider),
        "ChargePeriodEnd": start + length,
        "Tags": json.dumps(
            {name: value for name, value in said.items() if value is not None}, ensure_ascii=False
        ),
        "SkuPriceId": f"{provider}/{model}/{unit or 'whole'}/{rules or 'standard'}/{table or 'none'}",
        "x_CallCount": count,
        "x_CostStatus": status,
        "x_Estimated": True,
        "x_PriceTableVersion": table or None,
    }


def _row(
    start: datetime,
    provider: str,
    model: str,
    unit: str | None,
    rate: str | None,
    rules: str,
    quantity: Any,
    amount: Decimal,
) -> dict[str, Any]:
    seller, service = _SERVICES.get(provider, (provider, provider))
    first = start.replace(day=1, hour=0)
    token = unit in TOKEN_UNITS
    priced = None if quantity is None else (quantity / MILLION if token else quantity)
    unit_price = None if rate is None else Decimal(rate) * (MILLION if token else 1)
    listed = amount if rate is None or quantity is None else Decimal(rate) * quantity
    meter = None if unit is None else _METERS.get(unit, unit)
    consumed = "Requests" if unit is None else _CONSUMED.get(unit, "Units")
    details = {"x_ModelId": model, "x_TokenType": unit, "x_Rules": rules or None}
    return {
        "BilledCost": amount,
        "BillingCurrency": "USD",
        "BillingPeriodStart": first,
        "BillingPeriodEnd": (first + timedelta(days=32)).replace(day=1),
        "ChargeCategory": "Usage",
        "ChargeDescription": f"{model}, {meter or 'whole call'}: estimated by the consumer",
        "ChargeFrequency": "Usage-Based",
        "ChargePeriodStart": start,
        "ConsumedQuantity": quantity,
        "ConsumedUnit": consumed,
        "ContractedCost": amount,
        "EffectiveCost": amount,
        "HostProviderName": seller,
        "InvoiceIssuerName": seller,
        "ListCost": listed,
        "ListUnitPrice": unit_price,
        "PricingQuantity": priced,
        "PricingUnit": f"{MILLION} Tokens" if token else consumed,
        "ProviderName": seller,
        "PublisherName": seller,
        "ServiceCategory": "AI and Machine Learning",
        "ServiceName": service,
        "ServiceProviderName": seller,
        "ServiceSubcategory": "Generative AI",
        "SkuId": f"{provider}/{model}",
        "SkuMeter": meter,
        "SkuPriceDetails": json.dumps(
            {name: value for name, value in details.items() if value}, ensure_ascii=False
        ),
    }


def left_out(calls: Calls) -> int:
    """Calls without any cost, which a row of costs cannot say."""
    return int(calls.ask("SELECT count(*) FROM calls WHERE cost_usd IS NULL")[0][0])


def write_csv(rows: Iterable[Mapping[str, Any]], version: str, file: IO[str]) -> int:
    """Write a header and the rows, nulls as nothing; returns how many."""
    columns = columns_of_version(version)
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow([one.name for one in columns])
    count = 0
    for row in rows:
        writer.writerow([_text(one, row[one.name]) for one in columns])
        count += 1
    return count


def write_parquet(
    rows: Iterable[Mapping[str, Any]], version: str, path: Path, calls: Calls, scratch: Path
) -> int:
    """
    Write Parquet with decimals, timestamps and booleans as such; returns how many rows.

    Raises:
        ConfigurationError: The file cannot be written.
    """
    with scratch.open("w", encoding="utf-8", newline="") as file:
        count = write_csv(rows, version, file)
    types = ", ".join(f"'{one.name}': '{_TYPES[one.kind]}'" for one in columns_of_version(version))
    try:
        calls.run(
            f"COPY (SELECT * FROM read_csv({quoted(scratch)}, header = true, auto_detect = false, delim = ',', quote = '\"',"
            f" escape = '\"', nullstr = '', timestampformat = '%Y-%m-%dT%H:%M:%SZ', columns = {{{types}}}))"
            f" TO {quoted(path)} (FORMAT parquet)"
        )
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be written: {error}") from error
    return count


def _text(column: FocusColumn, value: Any) -> str:
    if value is None:
        return ""
    if column.kind == "datetime":
        return f"{value:%Y-%m-%dT%H:%M:%SZ}"
    if isinstance(value, Decimal):
        return exact(value)
    return str(value).lower() if column.kind == "boolean" else str(value)
