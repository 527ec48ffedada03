"""What a feature will cost before it is built, from four numbers and a model."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Context, Decimal, localcontext
from typing import TYPE_CHECKING, Any

from tracked_inference.errors import UnpricedModelError
from tracked_inference.planning._costing import Costing, Shape, seller_of_model
from tracked_inference.planning.ranges import exact
from tracked_inference.pricing import PriceTable

if TYPE_CHECKING:
    from tracked_inference.planning.ranges import Number

__all__ = ["FeatureCostEstimate"]

DAYS_PER_MONTH = 30
"""A month of an estimate."""

_EXACT = Context(prec=200)


@dataclass
class FeatureCostEstimate:
    """
    A feature and its traffic.

    Attributes:
        feature_name: What it is called.
        monthly_active_users: How many people use it in a month; each of them is taken to come every day.
        requests_per_user_per_day: How often each of them uses it in a day.
        description: What it does, for whoever reads the estimate.
    """

    feature_name: str
    monthly_active_users: int
    requests_per_user_per_day: float
    description: str

    def estimate_ai_cost(
        self,
        model: str,
        avg_input_tokens: float,
        avg_output_tokens: float,
        input_cost_per_token: Number | None = None,
        output_cost_per_token: Number | None = None,
    ) -> dict[str, Any]:
        """
        What the feature costs on a model: per request, month, year and user, in US dollars.

        A month is 30 days.
        The arithmetic is exact; the results are rounded and are plain numbers.

        Args:
            model: The model, as the metrics name it; any name where both rates are given.
            avg_input_tokens: Tokens that go into a request.
            avg_output_tokens: Tokens that come out of it.
            input_cost_per_token: US dollars for one input token; default the list price of today in `PriceTable.default()`.
            output_cost_per_token: US dollars for one output token; likewise.

        Raises:
            ConfigurationError: A number is negative or not finite.
            UnpricedModelError: A rate is not given and the price table has none.
        """
        with localcontext(_EXACT):
            users = exact("monthly_active_users", self.monthly_active_users)
            requests = (
                users * exact("requests_per_user_per_day", self.requests_per_user_per_day) * DAYS_PER_MONTH
            )
            tokens_in = exact("avg_input_tokens", avg_input_tokens)
            tokens_out = exact("avg_output_tokens", avg_output_tokens)
            request = _request_usd(model, tokens_in, tokens_out, input_cost_per_token, output_cost_per_token)
            month = requests * request
            return {
                "feature": self.feature_name,
                "model": model,
                "requests_per_month": int(requests),
                "cost_per_request_usd": float(round(request, 6)),
                "monthly_cost_usd": float(round(month, 2)),
                "annual_cost_usd": float(round(month * 12, 2)),
                "cost_per_mau_per_month": float(round(month / users, 4)) if users > 0 else 0,
            }


def _request_usd(
    model: str, tokens_in: Decimal, tokens_out: Decimal, rate_in: Number | None, rate_out: Number | None
) -> Decimal:
    """By the given rates; where neither is given by the price engine, which knows of long contexts."""
    if rate_in is not None and rate_out is not None:
        return tokens_in * exact("input_cost_per_token", rate_in) + tokens_out * exact(
            "output_cost_per_token", rate_out
        )
    prices, at = PriceTable.default(), datetime.now(UTC)
    if rate_in is None and rate_out is None:
        return Costing(prices, at).call_usd(model, Shape(tokens_in, tokens_out))
    listed = prices.rates(*seller_of_model(prices, model, at), at)
    rates = []
    for name, unit, given in (("input", "input", rate_in), ("output", "output", rate_out)):
        if given is not None:
            rates.append(exact(f"{name}_cost_per_token", given))
        elif unit in listed:
            rates.append(listed[unit])
        else:
            raise UnpricedModelError(
                f"model {model!r} has no price for {unit} in price table {prices.version}; give {name}_cost_per_token"
            )
    return tokens_in * rates[0] + tokens_out * rates[1]
