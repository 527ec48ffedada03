"""A number that is not known: a low, an expected and a high value, exact."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, TypeAlias

from tracked_inference.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Number", "Quantity", "Range", "exact"]

Number: TypeAlias = "int | float | Decimal"
Quantity: TypeAlias = "Number | Sequence[Number] | Mapping[str, Number] | Range"
"""A value, `(low, expected, high)`, or `{"low": …, "expected": …, "high": …}`."""

_NAMES = ("low", "expected", "high")
_MOST = Decimal(10) ** 15
"""More than any feature has of anything; beyond, exact arithmetic would run out of digits."""


def exact(name: str, value: object) -> Decimal:
    """
    A number as the decimal it is written as: `0.1` is a tenth and not the nearest binary fraction.

    Raises:
        ConfigurationError: It is no number, not finite, below 0, or beyond 10^15.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        raise ConfigurationError(f"{name}={value!r} is not a number")
    try:
        number = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    except InvalidOperation:  # a subclass of float that prints itself in another way
        number = Decimal(repr(float(value)))
    if not number.is_finite() or number < 0:
        raise ConfigurationError(f"{name}={value} must be a finite number, 0 or more")
    if number > _MOST:
        raise ConfigurationError(f"{name}={value} is more than 10^15, which nothing costs or is used")
    return number


def _written(parts: Sequence[object]) -> str:
    return ":".join(map(str, parts))


@dataclass(frozen=True, slots=True)
class Range:
    """
    What a number is at least, what it is expected to be, and what it is at most.

    A range of results is what comes out when every input is at its cheapest, as expected, and at its dearest:
    bounds of what was put in, not a confidence interval.
    """

    low: Decimal
    expected: Decimal
    high: Decimal

    @classmethod
    def of(cls, name: str, value: Quantity) -> Range:
        """
        The range that a value stands for.

        Args:
            name: What the value is, for the error message.
            value: One number, three numbers in ascending order, or a mapping of the three.

        Raises:
            ConfigurationError: It is none of these.
        """
        if isinstance(value, Range):
            return value
        parts: Any = value
        if isinstance(value, dict):
            if set(value) != set(_NAMES):
                raise ConfigurationError(
                    f"{name} has the keys {', '.join(map(str, value))}; it needs low, expected and high"
                )
            parts = [value[key] for key in _NAMES]
        if not isinstance(parts, (list, tuple)):
            number = exact(name, value)
            return cls(number, number, number)
        if len(parts) != len(_NAMES):
            raise ConfigurationError(
                f"{name}={_written(parts)} must be one number, or three: low, expected, high"
            )
        low, expected, high = (exact(name, part) for part in parts)
        if not low <= expected <= high:
            raise ConfigurationError(f"{name}={_written(parts)} must rise from low over expected to high")
        return cls(low, expected, high)

    @property
    def is_point(self) -> bool:
        """Whether all three are the same."""
        return self.low == self.high

    def __iter__(self) -> Any:
        """Low, expected, high."""
        return iter((self.low, self.expected, self.high))

    def times(self, other: Range | Decimal | int) -> Range:
        """The range times a factor, or times another range, end by end."""
        if isinstance(other, Range):
            return Range(self.low * other.low, self.expected * other.expected, self.high * other.high)
        return Range(self.low * other, self.expected * other, self.high * other)
