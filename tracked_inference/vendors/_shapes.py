"""
Looking into what vendors send, whatever shape it has.

A body is an SDK object (pydantic, with what the SDK does not know in its extra fields) or plain JSON.
Nothing here raises on any value, and nothing here consumes an iterator.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

__all__ = ["MAX_COUNT", "count", "fields", "is_count", "items", "money", "text", "unknown_counters"]

MAX_COUNT = 10**12
"""A count above this is no count: a million times the longest context sold."""

_MOST_PARTS = 20
_NONE_KNOWN = frozenset[str]()
_NOTHING: dict[str, Any] = {}
_SCALARS = (str, bytes, bytearray, int, float, complex, Decimal, list, tuple, set, frozenset)
_NO_COUNTERS = frozenset(
    # Words, not parts of words: `image_generation_tokens` has "ratio" in it, and `realtime_tokens` "time".
    {
        "acceptance",
        "cost",
        "costs",
        "latency",
        "ms",
        "per",
        "percent",
        "price",
        "rate",
        "ratio",
        "speed",
        "time",
    }
)


def fields(value: Any) -> dict[str, Any]:
    """The fields of an SDK object or mapping by name, extra ones included; empty for anything else."""
    if type(value) is dict:
        return value
    try:
        extra = value.__pydantic_extra__
        declared = value.__dict__
    except AttributeError:
        return _other_fields(value)
    if type(declared) is not dict:
        return _NOTHING
    return {**declared, **extra} if extra and type(extra) is dict else declared


def _other_fields(value: object) -> dict[str, Any]:
    if value is None or isinstance(value, _SCALARS):
        return _NOTHING
    if isinstance(value, Mapping):
        return dict(value)
    declared = getattr(value, "__dict__", None)
    return declared if type(declared) is dict else _NOTHING


def items(value: object) -> list[Any] | tuple[Any, ...]:
    """The value where it is a list or tuple; empty for anything else, iterators above all."""
    return value if isinstance(value, (list, tuple)) else ()


def text(value: object) -> str | None:
    """The value where it is text that says something."""
    return value if isinstance(value, str) and value else None


def count(value: object, name: str, notes: list[str]) -> int:
    """
    One counter as a whole number of at least 0; None is 0.

    What is no count, one that nobody could have been billed for included, adds nothing and is noted under `name`:
    a proxy's slip must not put a million dollars on a counter, nor spend a budget.
    """
    if type(value) is int and 0 <= value <= MAX_COUNT:
        return value
    if value is None:
        return 0
    return _odd_count(value, name, notes)


def is_count(value: object) -> bool:
    """Whether a value says how many there were."""
    if type(value) is int:
        return 0 <= value <= MAX_COUNT
    number = _number(value)
    return number is not None and number.is_finite() and 0 <= number <= MAX_COUNT


def _odd_count(value: object, name: str, notes: list[str]) -> int:
    number = _number(value)
    if number is None or not is_count(value):
        notes.append(f"inconsistent:{name}")
        return 0
    whole = int(number)
    notes.append(f"coerced_count:{name}" if whole == number else f"inconsistent:{name}")
    return whole


def _number(value: object) -> Decimal | None:
    """A number in any dress; None for what is none. Booleans are none: no vendor counts in them."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        # Not through Decimal(int) alone: a hostile integer of a million digits is slow to print and never needed.
        return Decimal(value) if abs(value) <= MAX_COUNT else Decimal(MAX_COUNT + 1 if value > 0 else -1)
    if isinstance(value, float):
        return Decimal(repr(value))
    if isinstance(value, Decimal):
        return None if value.is_nan() else value
    if isinstance(value, str) and len(value) <= 40:
        try:
            number = Decimal(value.strip().replace("_", ""))
        except ArithmeticError:
            return None
        return None if number.is_nan() else number
    return None


def money(value: object) -> Decimal | None:
    """An amount of US dollars that a gateway printed: finite and not negative, else None."""
    number = _number(value) if not isinstance(value, int) or abs(value) <= MAX_COUNT else None
    if number is None or not number.is_finite() or number < 0 or number > MAX_COUNT:
        return None
    return number if number.adjusted() >= -30 or not number else Decimal(0)


def unknown_counters(
    found: Mapping[str, Any],
    known: frozenset[str],
    notes: list[str],
    prefix: str = "",
    *,
    depth: int = 3,
) -> None:
    """
    Note each counter above 0 that this version does not know (rule 9), looking `depth` levels into unknown details.

    A number whose name says that it is a time, a rate or a cost is no counter.
    """
    if known.issuperset(found):
        return
    for name, value in found.items():
        if name in known or value is None or value == 0 or not isinstance(name, str):
            continue
        kind = type(value)
        if kind is int or kind is float or kind is Decimal:
            if value > 0 and _NO_COUNTERS.isdisjoint(name.lower().split("_")):
                notes.append(f"unknown_field:{prefix}{name[:60]}")
        elif (
            depth
            and kind is not str
            and kind is not bool
            and _NO_COUNTERS.isdisjoint(name.lower().split("_"))
        ):
            for part in items(value)[:_MOST_PARTS] or (value,):
                unknown_counters(fields(part), _NONE_KNOWN, notes, f"{prefix}{name[:60]}.", depth=depth - 1)
