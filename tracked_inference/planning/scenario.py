"""A scenario: all that an estimate assumes of a feature's traffic and calls, each number a value or a range."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Context, Decimal, localcontext
from typing import TYPE_CHECKING, Any

from tracked_inference.errors import ConfigurationError
from tracked_inference.planning.ranges import Range, exact

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from tracked_inference.planning.projection import Estimate
    from tracked_inference.planning.ranges import Number, Quantity
    from tracked_inference.pricing import PriceTable

__all__ = ["EXACT", "Scenario"]

EXACT = Context(prec=60)
"""Decimal arithmetic of estimates; only shares and growth over a year ever have more digits than a price."""

_SHARES = ("daily_share", "cached_share", "cache_write_share", "batch_share")
_UNSAID = {
    "daily_share": "every monthly user comes every day (say daily_share)",
    "cached_share": "nothing is read from a cache (say cached_share)",
    "retry_rate": "no call is made and paid twice (say retry_rate)",
    "growth_per_month": "the traffic stays as it is for a year (say growth_per_month)",
}


@dataclass(frozen=True, slots=True, init=False)
class Scenario:
    """
    What is assumed of a feature.

    Every number may be a value, `(low, expected, high)` or a mapping of the three; all are kept as `Range`.
    What is None was not said: the estimate then takes the neutral value and says so.

    Attributes:
        feature: What it is called.
        models: The share of the calls that each model answers; the expected shares add up to 1.
        input_tokens: Tokens that go into a call, cached ones included.
        output_tokens: Billed tokens that come out of it, reasoning included.
        monthly_users: How many people use it in a month; None where `requests_per_day` is known instead.
        requests_per_user_per_day: How often a user who comes asks in a day.
        requests_per_day: All requests of a day, instead of users and their habits.
        daily_share: The part of the monthly users who come on a day (DAU/MAU); default 1.
        cached_share: The part of the input that is read from a cache; default 0.
        cache_write_share: The part of the input that is written to a cache; default 0.
        cache_lifetime: The cache that is written to: `5m`, `1h` (Anthropic), `30m`, `12h` (OpenAI); default the shortest sold.
        batch_share: The part of the calls that goes through a batch endpoint; default 0.
        retry_rate: Calls that are made and paid again, for each request: 0.05 is one in twenty; default 0.
        growth_per_month: How much the traffic grows from one month to the next: 0.1 is ten per cent; default 0.
        days: The days of a month.
        description: What the feature does.
        team: Who pays.
    """

    feature: str
    models: Mapping[str, Range]
    input_tokens: Range
    output_tokens: Range
    monthly_users: Range | None
    requests_per_user_per_day: Range | None
    requests_per_day: Range | None
    daily_share: Range | None
    cached_share: Range | None
    cache_write_share: Range | None
    cache_lifetime: str | None
    batch_share: Range | None
    retry_rate: Range | None
    growth_per_month: Range | None
    days: Decimal
    description: str
    team: str

    def __init__(
        self,
        *,
        feature: str,
        models: str | Mapping[str, Quantity],
        input_tokens: Quantity,
        output_tokens: Quantity,
        monthly_users: Quantity | None = None,
        requests_per_user_per_day: Quantity | None = None,
        requests_per_day: Quantity | None = None,
        daily_share: Quantity | None = None,
        cached_share: Quantity | None = None,
        cache_write_share: Quantity | None = None,
        cache_lifetime: str | None = None,
        batch_share: Quantity | None = None,
        retry_rate: Quantity | None = None,
        growth_per_month: Quantity | None = None,
        days: Number = 30,
        description: str = "",
        team: str = "",
    ) -> None:
        """
        See the class; `models` may be the one model's name.

        Raises:
            ConfigurationError: A number cannot be what it is said to be, or the traffic is said twice or not at all.
        """
        given: dict[str, Any] = {
            "input_tokens": input_tokens,
            "output_tokens": output_tokens,
            "monthly_users": monthly_users,
            "requests_per_user_per_day": requests_per_user_per_day,
            "requests_per_day": requests_per_day,
            "daily_share": daily_share,
            "cached_share": cached_share,
            "cache_write_share": cache_write_share,
            "batch_share": batch_share,
            "retry_rate": retry_rate,
            "growth_per_month": growth_per_month,
        }
        put = object.__setattr__
        for name, value in given.items():
            put(self, name, None if value is None else Range.of(name, value))
        mix = {models: 1} if isinstance(models, str) else models
        put(self, "models", {model: Range.of(f"models[{model!r}]", share) for model, share in mix.items()})
        put(self, "feature", feature)
        put(self, "cache_lifetime", cache_lifetime)
        put(self, "days", exact("days", days))
        put(self, "description", description)
        put(self, "team", team)
        self._check()

    def _check(self) -> None:
        for name in _SHARES:
            share: Range | None = getattr(self, name)
            if share is not None and share.high > 1:
                raise ConfigurationError(
                    f"{name} is a part of a whole and cannot be above 1; 20 per cent is 0.2"
                )
        cached, written = self.at_least_zero("cached_share"), self.at_least_zero("cache_write_share")
        if cached.high + written.high > 1:
            raise ConfigurationError(
                "cached_share and cache_write_share are parts of the same input; together they cannot be above 1,"
                " at their high ends either"
            )
        if not self.models:
            raise ConfigurationError("models is empty; name the model that answers")
        shares = self.models.values()
        if sum(share.expected for share in shares) != 1 or any(share.high > 1 for share in shares):
            said = ", ".join(f"{model} {share.expected}" for model, share in self.models.items())
            raise ConfigurationError(f"the expected shares of the models must add up to 1: {said}")
        if (self.requests_per_day is None) == (self.requests_per_user_per_day is None):
            raise ConfigurationError(
                "say the traffic once: requests_per_user_per_day with monthly_users, or requests_per_day"
            )
        if self.requests_per_user_per_day is not None and self.monthly_users is None:
            raise ConfigurationError("requests_per_user_per_day needs monthly_users")
        if self.requests_per_day is not None and self.daily_share is not None:
            raise ConfigurationError(
                "daily_share says how many users come; requests_per_day needs no users: leave one out"
            )
        if not self.days:
            raise ConfigurationError("days=0 is no month")

    def at_least_zero(self, name: str) -> Range:
        """A range of the scenario; zero where it was not said."""
        found: Range | None = getattr(self, name)
        return found if found is not None else _ZERO

    @property
    def requests_each_day(self) -> Range:
        """Requests on a day, retries not counted."""
        with localcontext(EXACT):
            if self.requests_per_day is not None:
                return self.requests_per_day
            users, each = self.monthly_users, self.requests_per_user_per_day
            assert users is not None  # _check saw to it
            assert each is not None
            return users.times(self.daily_share or _ONE).times(each)

    def unsaid(self) -> tuple[str, ...]:
        """What the estimate assumes because nobody said otherwise."""
        moot = {"daily_share"} if self.requests_per_day is not None else set()
        return tuple(
            text for name, text in _UNSAID.items() if getattr(self, name) is None and name not in moot
        )

    def times(self, factor: Number) -> Scenario:
        """
        The same feature with so many times the users: what it costs at ten times the scale.

        Raises:
            ConfigurationError: The factor is no number, or negative.
        """
        by = exact("factor", factor)
        with localcontext(EXACT):
            return replace(
                self,
                monthly_users=None if self.monthly_users is None else self.monthly_users.times(by),
                requests_per_day=None if self.requests_per_day is None else self.requests_per_day.times(by),
            )

    def on(self, model: str) -> Scenario:
        """The same feature with all calls answered by one model."""
        return replace(self, models={model: _ONE})

    def estimate(self, prices: PriceTable | None = None, at: datetime | None = None) -> Estimate:
        """
        What the feature costs.

        Args:
            prices: The price table; default `PriceTable.default()`.
            at: The instant whose prices hold, aware; default now.

        Raises:
            UnpricedModelError: A model, or a kind of token, has no price.
        """
        from tracked_inference.planning.projection import project

        return project(self, prices, at)


_ZERO = Range(Decimal(0), Decimal(0), Decimal(0))
_ONE = Range(Decimal(1), Decimal(1), Decimal(1))
