"""
What a plan is made of, and what is made: the prices of one model in one mode over one stretch of time.

These classes stay inside this package and are written out: generating a dozen dataclasses takes longer than reading the
table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tracked_inference.pricing.rows import to_usd

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from tracked_inference.pricing.discounts import Discount
    from tracked_inference.pricing.rows import Row

__all__ = ["Mode", "Offer", "Plan", "Unit"]


class Unit:
    """
    The price of one unit in one plan, in 1e-24 USD.

    Attributes:
        list_rate: Before the user's discounts.
        net_rate: After them.
        rules: What moved the rate from its row: `batch`, `fast`, `long_context`, ….
        assumed: Why the rate is an estimate, if it is one.
        source: Where the row comes from.
        list_usd: `list_rate` in dollars.
        discounted: Whether the two rates differ.
    """

    __slots__ = ("assumed", "discounted", "list_rate", "list_usd", "net_rate", "rules", "source")

    def __init__(
        self,
        list_rate: int,
        net_rate: int,
        rules: tuple[str, ...],
        assumed: str | None,
        source: str,
    ) -> None:
        self.list_rate = list_rate
        self.net_rate = net_rate
        self.rules = rules
        self.assumed = assumed
        self.source = source
        self.list_usd = to_usd(self.list_rate)
        self.discounted = self.list_rate != self.net_rate


class Mode:
    """How a call was served, as far as prices depend on it."""

    __slots__ = ("batch", "inference_geo", "place", "region", "service_tier", "speed")

    def __init__(
        self,
        service_tier: str | None = None,
        batch: bool = False,
        speed: str | None = None,
        inference_geo: str | None = None,
        region: str | None = None,
        place: str | None = None,
    ) -> None:
        self.service_tier = service_tier
        self.batch = batch
        self.speed = speed
        self.inference_geo = inference_geo
        self.region = region
        self.place = place


class Plan:
    """
    What one model in one mode costs from `start` until `end`.

    Attributes:
        model: The label of the model.
        units: Price by unit.
        above: Long-context thresholds, highest first, each with the prices of requests above it (rule 20).
        reasons: Reasons that hold for every call of the plan, each with the status it brings.
        free: Why the model costs nothing, if it does.
        priced: False where the model has no row at that time.
    """

    __slots__ = ("above", "end", "free", "model", "priced", "reasons", "start", "units")

    def __init__(
        self,
        start: datetime,
        end: datetime,
        model: str,
        units: dict[str, Unit] | None = None,
        above: tuple[tuple[int, dict[str, Unit]], ...] = (),
        reasons: tuple[tuple[str, str], ...] = (),
        free: str | None = None,
        priced: bool = True,
    ) -> None:
        self.start = start
        self.end = end
        self.model = model
        self.units = {} if units is None else units
        self.above = above
        self.reasons = reasons
        self.free = free
        self.priced = priced


class Offer:
    """
    One model as one seller offers it to one call: what a plan is made of.

    Attributes:
        label: The model's name in metrics.
        rows: The model's rows, of the seller or of whom it falls back to.
        fees: The rows that hold for every model of that list.
        rules: The rules that are data, by name, as far as they concern the seller.
        exempt: The rules that do not touch this model.
        mode: How the call was served.
        discounts: The user's discounts that concern the model.
        assumed: Why the match of name and model is an assumption, if it is one.
        seller_assumed: What is assumed of the seller where the caller gives no region.
    """

    __slots__ = ("assumed", "discounts", "exempt", "fees", "label", "mode", "rows", "rules", "seller_assumed")

    def __init__(
        self,
        label: str,
        rows: Sequence[Row],
        fees: Sequence[Row],
        rules: Mapping[str, Mapping[str, Any]],
        exempt: frozenset[str],
        mode: Mode,
        discounts: Sequence[Discount],
        assumed: Sequence[str],
        seller_assumed: str | None,
    ) -> None:
        self.label = label
        self.rows = rows
        self.fees = fees
        self.rules = rules
        self.exempt = exempt
        self.mode = mode
        self.discounts = discounts
        self.assumed = assumed
        self.seller_assumed = seller_assumed
