"""The cost that a gateway printed into its answer."""

from __future__ import annotations

from decimal import Context, Decimal
from typing import TYPE_CHECKING, Any

from tracked_inference.vendors._shapes import fields, money

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["gateway_cost"]

_EXACT = Context(prec=60)


def gateway_cost(usage: Mapping[str, Any]) -> Decimal | None:
    """
    The cost that a gateway printed into the usage itself, in US dollars (rules 32 and 41); None where it did not.

    OpenRouter and Vercel: `cost`; Perplexity: `cost.total_cost`; xAI: `cost_in_usd_ticks`, ten thousand million to the dollar.
    With a key of the user's own at OpenRouter (`is_byok`), `cost` is OpenRouter's fee and the vendor's bill comes on top.
    """
    cost = usage.get("cost")
    if cost is None:
        raw = usage.get("cost_in_usd_ticks")
        ticks = None if raw is None else money(raw)
        return None if ticks is None else _EXACT.scaleb(ticks, -10)
    amount = money(cost if isinstance(cost, (int, float, str, Decimal)) else fields(cost).get("total_cost"))
    if amount is not None and usage.get("is_byok") is True:
        upstream = money(fields(usage.get("cost_details")).get("upstream_inference_cost"))
        return _EXACT.add(amount, upstream) if upstream is not None else amount
    return amount
