"""
Keeping a table over time: reading a table file, what changed between two, and why one should not replace another.

Nothing is ever edited: a price that changed closes its row and adds one, so that last month's calls can be priced again as
they were.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tracked_inference.errors import PriceTableError
from tracked_inference.pricing._canonical import canonical_bytes, sha256_of
from tracked_inference.pricing._whole import check_table
from tracked_inference.pricing.build import row_key
from tracked_inference.pricing.table import PriceTable

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = ["Change", "differences", "objections", "read_table", "succeed", "table_of"]

Row = dict[str, Any]
Table = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Change:
    """
    One difference between two tables.

    Attributes:
        kind: `added`, `removed` or `changed`.
        provider: The seller.
        model: The model.
        unit: The unit whose rate differs; None where the model itself was added or removed.
        mode: The tier, speed or place of the rate; empty for the standard one.
        old: The rate of the old table, in the table's own numbers; None where there was none.
        new: The rate of the new one.
        effective_from: Since when the new rate holds; None for always.
    """

    kind: str
    provider: str
    model: str
    unit: str | None = None
    mode: str = ""
    old: Decimal | None = None
    new: Decimal | None = None
    effective_from: str | None = None

    @property
    def ratio(self) -> Decimal | None:
        """How many times the old rate the new one is; None where one of them is zero or not there."""
        return self.new / self.old if self.old and self.new else None


def read_table(path: Path) -> Table:
    """
    A table file's content.

    Raises:
        PriceTableError: It is not a table; the message says why and how to mend it.
    """
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise PriceTableError(
            f"cannot read {path}: {error.strerror}; give the path of a table file"
        ) from error
    except ValueError as error:
        raise PriceTableError(
            f"{path} is not JSON: {error}; table files are made by `prices refresh`"
        ) from error
    if not isinstance(content, dict) or "format" not in content:
        raise PriceTableError(
            f"{path}: format: missing; this is no price table: overlays are checked with `prices check`"
        )
    if content["format"] != 1:
        raise PriceTableError(
            f"{path}: format: {content['format']!r} is not 1; update this package to read it"
        )
    check_table(content, str(path))
    return content


def table_of(content: Table) -> PriceTable:
    """The price table of a table file's content."""
    return PriceTable(content, sha256_of(canonical_bytes(content)))


# -- from one table to the next ----------------------------------------------------------------------------------------


def succeed(previous: Table, made: Table, today: str) -> Table:
    """
    The table that follows `previous` when the source now says `made`.

    Rows that did not change stay as they were recorded.
    A rate that changed without a date of its own changes today: its row is closed and a new one added.
    A row that the source no longer has is closed today.
    """
    groups: dict[str, tuple[list[Row], list[Row]]] = {}
    for which, table in enumerate((previous, made)):
        for row in table["rows"]:
            groups.setdefault(_group(row), ([], []))[which].append(row)
    rows = [row for old, new in groups.values() for row in _succeed_rows(old, new, today)]
    changed = canonical_bytes({"rows": sorted(rows, key=row_key)}) != canonical_bytes(
        {"rows": previous["rows"]}
    )
    same_names = all(previous[key] == made[key] for key in ("models", "rules", "sellers", "hosts", "units"))
    if not changed and same_names:
        return previous
    day, _, serial = previous["version"].partition(".")
    number = int(serial) + 1 if day == today and serial.isdigit() else 1
    return {
        **made,
        "version": f"{today}.{number}",
        "recorded_at": today,
        "rows": sorted(rows, key=row_key),
    }


def _group(row: Row) -> str:
    return f"{row['provider']} {row['model']} {_mode(row)}"


def _mode(row: Row) -> str:
    return ", ".join(f"{key}={value}" for key, value in sorted(row.get("when", {}).items()))


def _content(row: Row) -> tuple[Any, ...]:
    return (row["rates"], row.get("above"), row.get("assumed"), row.get("free"))


def _succeed_rows(old: list[Row], new: list[Row], today: str) -> list[Row]:
    kept: list[Row] = []
    left = list(old)
    for row in new:
        same = next(
            (
                one
                for one in left
                if one["effective_from"] == row["effective_from"] and _content(one) == _content(row)
            ),
            None,
        )
        if same is not None:
            left.remove(same)
            kept.append({**same, "effective_to": row["effective_to"]})
            continue
        undated = next(
            (
                one
                for one in left
                if one["effective_from"] == row["effective_from"] and one["effective_to"] is None
            ),
            None,
        )
        if undated is not None and row["effective_to"] is None:
            left.remove(undated)
            kept.append({**undated, "effective_to": today})
            kept.append({**row, "effective_from": today, "recorded_at": today})
        else:
            kept.append({**row, "recorded_at": today})
    kept.extend({**one, "effective_to": one["effective_to"] or today} for one in left)
    return kept


def differences(old: Table, new: Table, today: str) -> list[Change]:
    """What differs between the rates in force today in two tables, and the models that only one of them has."""
    before, after = _in_force(old, today), _in_force(new, today)
    models_before, models_after = ({key[:2] for key in one} for one in (before, after))
    changes = [Change("removed", *pair) for pair in sorted(models_before - models_after)]
    changes += [Change("added", *pair) for pair in sorted(models_after - models_before)]
    for key in sorted(before.keys() | after.keys()):
        provider, model, mode = key
        was, now = before.get(key), after.get(key)
        if (provider, model) not in models_before & models_after:
            continue
        old_rates, new_rates = dict(_flat(was)), dict(_flat(now))
        for unit in sorted(old_rates.keys() | new_rates.keys()):
            one, other = old_rates.get(unit), new_rates.get(unit)
            if one != other:
                kind = "added" if one is None else "removed" if other is None else "changed"
                since = now["effective_from"] if now else None
                changes.append(Change(kind, provider, model, unit, mode, one, other, since))
    return changes


def _in_force(table: Table, today: str) -> dict[tuple[str, str, str], Row]:
    return {
        (row["provider"], row["model"], _mode(row)): row
        for row in table["rows"]
        if (row["effective_from"] or "") <= today < (row["effective_to"] or "9999")
    }


def _flat(row: Row | None) -> Iterable[tuple[str, Decimal]]:
    if row is None:
        return
    for unit, rate in row["rates"].items():
        yield unit, Decimal(rate)
    for limit, rates in row.get("above", {}).items():
        for unit, rate in rates.items():
            yield f"{unit} above {limit}", Decimal(rate)


def objections(
    old: Table,
    new: Table,
    today: str,
    *,
    most: Decimal = Decimal(5),
    allow_shrink: bool = False,
    allow_jumps: bool = False,
) -> list[str]:
    """Why `new` should not replace `old`, in words; empty where nothing speaks against it."""
    found = []
    changes = differences(old, new, today)
    if not allow_shrink:
        gone = [change for change in changes if change.kind == "removed"]
        models = [f"{one.provider} {one.model}" for one in gone if one.unit is None]
        rates = [
            f"{one.provider} {one.model} {one.unit}" + (f" ({one.mode})" if one.mode else "")
            for one in gone
            if one.unit is not None
        ]
        found += [_gone(names, what) for names, what in ((models, "models"), (rates, "rates")) if names]
    for row in new["rows"]:
        found.extend(
            f"{row['provider']} {row['model']}: {unit} would cost {rate}: prices are finite and not negative"
            for unit, rate in _flat(row)
            if not rate.is_finite() or rate < 0
        )
    if not allow_jumps:
        for change in changes:
            ratio = change.ratio
            if ratio is not None and ratio > 0 and not 1 / most <= ratio <= most:
                found.append(
                    f"{change.provider} {change.model}: {change.unit} would go from {change.old} to {change.new},"
                    f" more than {most}-fold; pass --allow-jumps if that is right"
                )
            elif change.kind == "changed" and change.old and not change.new:
                found.append(
                    f"{change.provider} {change.model}: {change.unit} would go from {change.old} to 0;"
                    " pass --allow-jumps if that is right"
                )
    return found


def _gone(names: list[str], what: str) -> str:
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return f"{len(names)} {what} would be gone: {', '.join(names[:5])}{more}; pass --allow-shrink if that is right"
