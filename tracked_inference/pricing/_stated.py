"""What `data/stated.toml` adds to the rows that come from genai-prices."""

from __future__ import annotations

from typing import Any

__all__ = ["Row", "apply_stated", "new_row"]

Row = dict[str, Any]


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
            new_row(one["provider"], one["model"], one["rates"], source=one["source"])
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
            row["rates"].update(one["rates"])
            row["source"] += f"; {one['source']}"
    for one in stated["output_kind"]:
        for row in _of(rows, one["provider"], one["models"], variants=True):
            if "output" in row["rates"]:
                row["rates"][one["unit"]] = row["rates"].pop("output")
    for one in stated["doubts"]:
        for row in _of(rows, one["provider"], one["models"], variants=True):
            row.setdefault("assumed", {})[one.get("unit", "*")] = one["reason"]


def _of(rows: list[Row], provider: str, models: list[str], *, variants: bool = False) -> list[Row]:
    """The rows of some models: the base rows, or with `variants` those of tiers and places too."""
    return [
        row
        for row in rows
        if row["provider"] == provider and row["model"] in models and (variants or not row.get("when"))
    ]
