"""
What one call of a given shape costs: asked of the price engine, never multiplied from rates.

A request above a long-context threshold costs more on the whole, a batch less, and a model may have no price for a kind of
token: the engine knows, so an estimate and the bill of the same call cannot differ.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from tracked_inference.errors import ConfigurationError, UnpricedModelError
from tracked_inference.usage import TOKEN_UNITS, Pass, Usage

if TYPE_CHECKING:
    from datetime import datetime

    from tracked_inference.pricing import Cost, PriceTable

__all__ = ["Costing", "Shape", "seller_of_model"]

_MAKERS = ("anthropic", "openai")
_LIFETIMES = ("5m", "30m", "1h", "12h")


@dataclass(frozen=True, slots=True)
class Shape:
    """
    One call.

    Attributes:
        input_tokens: All tokens that go in, cached ones included.
        output_tokens: All billed tokens that come out, reasoning included.
        cached_share: The part of the input that is read from a cache.
        cache_write_share: The part of the input that is written to a cache.
        batch_share: The part of such calls that goes through a batch endpoint.
        cache_lifetime: `5m`, `30m`, `1h` or `12h`; None takes the shortest that the model is sold with.
    """

    input_tokens: Decimal
    output_tokens: Decimal
    cached_share: Decimal = Decimal(0)
    cache_write_share: Decimal = Decimal(0)
    batch_share: Decimal = Decimal(0)
    cache_lifetime: str | None = None


def seller_of_model(prices: PriceTable, name: str, at: datetime) -> tuple[str, str]:
    """
    Who sells a model that is named as in the metrics: `claude-sonnet-5-5`, `bedrock/claude-sonnet-5-5`, `local/llama`.

    Raises:
        UnpricedModelError: The table has no price for it; the message has the nearest names.
    """
    candidates = [(maker, name) for maker in _MAKERS]
    if "/" in name:
        seller, _, rest = name.partition("/")
        candidates.append((seller, rest))
    candidates += [pair for pair in prices.models() if pair[1] == name]
    for seller, model in candidates:
        if prices.knows(seller, model, at):
            return seller, model
    known = {prices.canonical(seller, model, at) for seller, model in prices.models()}
    import difflib

    near = difflib.get_close_matches(name, sorted(known), n=3, cutoff=0.5)
    hint = (
        f"did you mean {' or '.join(near)}?"
        if near
        else "name it as the metrics do, 'bedrock/claude-sonnet-5-5' for instance, or add its price: docs/howto/prices.md"
    )
    raise UnpricedModelError(
        f"no price for model {name!r} on {at:%Y-%m-%d} in price table {prices.version}; {hint}"
    )


class Costing:
    """
    Prices calls by one table at one instant, and remembers what made a price less than certain.

    Attributes:
        remarks: What the engine said of the prices it gave, each once.
    """

    def __init__(self, prices: PriceTable, at: datetime) -> None:
        self.prices = prices
        self.at = at
        self.remarks: dict[str, None] = {}
        self._sold: dict[str, tuple[str, str]] = {}

    def label(self, model: str) -> str:
        """The model as the metrics name it."""
        return self.prices.canonical(*self._seller(model), self.at)

    def call_usd(self, model: str, shape: Shape) -> Decimal:
        """
        What one call costs; where a part of the calls goes through batches, the mean.

        Raises:
            UnpricedModelError: The model, or a kind of token of the shape, has no price.
        """
        share = shape.batch_share
        total = Decimal(0)
        if share < 1:
            total += (1 - share) * self._price(model, shape, batch=False)
        if share > 0:
            total += share * self._price(model, shape, batch=True)
        return total

    def _price(self, model: str, shape: Shape, *, batch: bool) -> Decimal:
        seller, name = self._seller(model)
        read = shape.input_tokens * shape.cached_share
        written = shape.input_tokens * shape.cache_write_share
        counts = {
            "input": _count(shape.input_tokens - read - written),
            "cache_read": _count(read),
            self._write_unit(model, shape.cache_lifetime): _count(written),
            "output": _count(shape.output_tokens),
        }
        usage = Usage(passes=(Pass({unit: count for unit, count in counts.items() if count}),), batch=batch)
        cost = self.prices.price(usage, provider=seller, model=name, at=self.at)
        return self._dollars(model, cost, shape.input_tokens, batch=batch)

    def _dollars(self, model: str, cost: Cost, tokens: Decimal, *, batch: bool) -> Decimal:
        if cost.total_usd is None or cost.status == "partial":
            what = ", ".join(reason.removeprefix("unpriced_unit:") for reason in cost.reasons)
            raise UnpricedModelError(
                f"model {model!r} has no price for all of such a call{' in a batch' if batch else ''} ({what}) on"
                f" {self.at:%Y-%m-%d} in price table {cost.table_version}; leave that out, or add the price:"
                " see docs/howto/prices.md"
            )
        if cost.status == "estimated":
            for reason in cost.reasons:
                self.remarks[f"{model}: the price is an estimate itself ({reason})"] = None
        if any("long_context" in line.rules for line in cost.lines):
            self.remarks[
                f"{model}: a call of {tokens:,f} input tokens is above the long-context threshold, which makes all of it dearer"
            ] = None
        return cost.total_usd

    def _seller(self, model: str) -> tuple[str, str]:
        found = self._sold.get(model)
        if found is None:
            found = self._sold[model] = seller_of_model(self.prices, model, self.at)
        return found

    def _write_unit(self, model: str, lifetime: str | None) -> str:
        if lifetime is not None:
            if lifetime not in _LIFETIMES:
                raise ConfigurationError(
                    f"cache_lifetime={lifetime!r} is not known; use {', '.join(_LIFETIMES)}"
                )
            return f"cache_write_{lifetime}"
        sold = self.prices.rates(*self._seller(model), self.at)
        writes = [unit for unit in TOKEN_UNITS if unit.startswith("cache_write_")]
        return next((unit for unit in writes if unit in sold), writes[0])


def _count(tokens: Decimal) -> int | Decimal:
    whole = int(tokens)
    return whole if whole == tokens else tokens
