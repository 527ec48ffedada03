"""What `data/stated.toml` adds to the rows that come from genai-prices."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from tracked_inference.usage import TOKEN_UNITS

__all__ = ["Row", "apply_stated", "as_text", "new_row"]

Row = dict[str, Any]


def as_text(rate: Decimal) -> str:
    """A rate as the table writes it: no exponent, no trailing zeros."""
    return format(rate.normalize() if rate else Decimal(0), "f")


def new_row(provider: str, model: str, rates: dict[str, str], **more: Any) -> Row:
    """A row that holds for ever, unless `more` says otherwise; `recorded_at` is set when the table is put together."""
    row = {
        "provider": provider,
        "model": model,
        "effective_from": None,
        "effective_to": None,
        "rates": dict(rates),
    }
    return {**row, **{key: value for key, value in more.items() if value}}


def apply_stated(rows: list[Row], stated: dict[str, Any]) -> None:
    """Add the stated rows to `rows` and mend those that are there."""
    rows += [
        *(
            new_row(one["provider"], one["model"], one["rates"], above=one.get("above"), source=one["source"])
            for one in stated["additions"]
        ),
        *(new_row(one["provider"], "*", one["rates"], source=one["source"]) for one in stated["fees"]),
        *(
            new_row(seller, "*", {}, source=one["source"], free=True)
            for seller, one in stated["sellers"].items()
            if one.get("free")
        ),
    ]
    for one in stated["preview_search"]:
        for row in _of(rows, one["provider"], one["models"]):
            row["rates"]["web_search_preview"] = one["rate"]
            if "reason" in one:
                row.setdefault("assumed", {})["web_search_preview"] = one["reason"]
    for one in stated["corrections"]:
        before = one.get("before")
        found = [
            row
            for row in _of(rows, one["provider"], [one["model"]])
            if before is None or row["effective_to"] == before
        ]
        if not found:
            raise SystemExit(f"a correction of stated.toml meets no row: {one}")
        for row in found:
            _carry(rows, row, one["rates"])
            row["rates"].update(one["rates"])
            row["source"] += f"; {one['source']}"
    for one in stated["changes"]:
        for row in _of(rows, one["provider"], one["models"]):
            if row["effective_to"] is None:
                rates = {**row["rates"], **one["rates"]}
                rows.append({**row, "rates": rates, "effective_from": one["on"], "source": one["source"]})
                row["effective_to"] = one["on"]
    for one in stated["multiples"]:
        rows += [_multiple(row, one) for row in _of(rows, one["provider"], one["models"])]
    for one in stated["output_kind"]:
        for row in _of(rows, one["provider"], one["models"], variants=True):
            if "output" in row["rates"]:
                row["rates"][one["unit"]] = row["rates"].pop("output")
    for one in stated["doubts"]:
        for row in _of(rows, one["provider"], one["models"], variants=True):
            row.setdefault("assumed", {})[one.get("unit", "*")] = one["reason"]


def _carry(rows: list[Row], base: Row, rates: dict[str, str]) -> None:
    """Move the rates of tiers that were carried back in proportion to a base rate that is corrected now."""
    for row in _of(rows, base["provider"], [base["model"]], variants=True):
        if row.get("when") and row["effective_to"] and row["effective_to"] == base["effective_to"]:
            for unit in row["rates"].keys() & rates.keys() & base["rates"].keys():
                share = Decimal(rates[unit]) / Decimal(base["rates"][unit])
                row["rates"][unit] = as_text(Decimal(row["rates"][unit]) * share)


def _of(rows: list[Row], provider: str, models: list[str], *, variants: bool = False) -> list[Row]:
    """The rows of some models: the base rows, or with `variants` those of tiers and places too."""
    return [
        row
        for row in rows
        if row["provider"] == provider and row["model"] in models and (variants or not row.get("when"))
    ]


def _multiple(base: Row, one: dict[str, Any]) -> Row:
    """The row of a tier whose tokens cost a multiple of a base row's; what is billed by the call does not move."""

    def times(rates: dict[str, str]) -> dict[str, str]:
        return {
            unit: as_text(Decimal(rate) * Decimal(one["factor"]))
            for unit, rate in rates.items()
            if unit in TOKEN_UNITS
        }

    if base["effective_from"] or base["effective_to"]:
        raise SystemExit(f"a multiple of stated.toml meets a row with a window of its own: {one}")
    above = {limit: times(rates) for limit, rates in base.get("above", {}).items()}
    assumed = {"*": one["reason"]} if "reason" in one else None
    row = new_row(
        base["provider"],
        base["model"],
        times(base["rates"]),
        above=above,
        when=one["when"],
        source=one["source"],
        assumed=assumed,
    )
    return {
        **row,
        "effective_from": one.get("effective_from"),
        "effective_to": one.get("effective_to"),
    }
