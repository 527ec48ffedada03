"""A discount that the user has: on everything, on a seller, a model or a unit, for a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracked_inference.usage import FEE_UNITS

if TYPE_CHECKING:
    from datetime import datetime
    from decimal import Decimal

__all__ = ["Discount"]

_FEES = frozenset(FEE_UNITS)


class Discount:
    """
    One discount.

    Attributes:
        name: What it is called in the lines it touches.
        factor: What is paid of the list price: 0.85 for 15 % off.
        start: From when.
        end: Until when, not included.
        provider: The seller it is for; None for all.
        model: The model it is for, as the table names it; None for all.
        unit: The unit it is for; None for all.
        order: Its place in the overlays: of two equally specific ones the later wins.
    """

    __slots__ = ("end", "factor", "model", "name", "order", "provider", "start", "unit")

    def __init__(
        self,
        name: str,
        factor: Decimal,
        start: datetime,
        end: datetime,
        provider: str | None = None,
        model: str | None = None,
        unit: str | None = None,
        order: int = 0,
    ) -> None:
        self.name = name
        self.factor = factor
        self.start = start
        self.end = end
        self.provider = provider
        self.model = model
        self.unit = unit
        self.order = order

    def after(self, others: int, model: str | None) -> Discount:
        """The same, behind so many others, its model by the id that the table has."""
        return Discount(
            self.name,
            self.factor,
            self.start,
            self.end,
            self.provider,
            model,
            self.unit,
            self.order + others,
        )

    @property
    def rank(self) -> tuple[int, int]:
        """How specific it is: a unit says more than a model, a model more than a seller."""
        return (
            4 * (self.unit is not None) + 2 * (self.model is not None) + (self.provider is not None),
            self.order,
        )

    def concerns(self, provider: str, model: str) -> bool:
        """Whether it is for this model of this seller."""
        return self.provider in (None, provider) and self.model in (None, model)

    def covers(self, unit: str) -> bool:
        """Whether it is for this unit; `tokens` stands for all tokens, `fees` for all that is billed by the call."""
        plain = unit.partition("@")[0]
        if self.unit in ("tokens", "fees"):
            return (plain in _FEES) == (self.unit == "fees")
        return self.unit in (None, plain)
