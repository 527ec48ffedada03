"""Dollars in words: exact for scripts and checks, readable for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from decimal import Decimal

__all__ = ["exact", "readable"]


def exact(dollars: Decimal) -> str:
    """Write an exact amount without exponent and without zeros that say nothing."""
    return f"{dollars.normalize():f}"


def readable(dollars: Decimal) -> str:
    """Write an amount as people read it: small ones with four places, ordinary ones with two, large ones with none."""
    places = 4 if abs(dollars) < 1 else 2 if abs(dollars) < 1000 else 0
    return f"${dollars:,.{places}f}"
