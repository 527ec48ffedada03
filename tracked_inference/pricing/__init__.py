"""The price table, its rules and the engine that applies them: pure, exact, explained."""

from __future__ import annotations

from tracked_inference.pricing.cost import Cost, CostLine
from tracked_inference.pricing.table import PriceTable

__all__ = ["Cost", "CostLine", "PriceTable"]
