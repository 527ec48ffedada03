"""
The births of series: what a client will call is told to the sinks before its first call.

A series that is born with its first value is invisible to Prometheus' `increase()`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracked_inference.tracking.recorder import hooks

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from datetime import datetime

    from tracked_inference.pricing import PriceTable
    from tracked_inference.record import Sink
    from tracked_inference.registry import Feature
    from tracked_inference.tracking.faults import Faults

__all__ = ["Births"]

_MAKERS = ("anthropic", "openai")


class Births:
    """Tells sinks which features, teams and models there will be; what they make of it cannot reach the caller."""

    def __init__(self, prices: PriceTable, sinks: tuple[Sink, ...], faults: Faults) -> None:
        self._prices = prices
        self._sinks = sinks
        self._faults = faults
        self._expects = hooks(sinks, "expect")
        self._declares = hooks(tuple(sink for sink in sinks if not hasattr(sink, "expect")), "declare")
        self._listed: dict[tuple[str, bool], tuple[str, Collection[str] | None]] = {}

    def expect(
        self,
        feature: str,
        team: str,
        names: Iterable[str],
        provider: str,
        at: datetime,
        *,
        elsewhere: bool = False,
    ) -> None:
        """
        Tell of models that will be called, each with the token kinds that it has list prices for.

        `elsewhere`: they may be another vendor's, for which there is another client.
        """
        models: dict[str, Collection[str] | None] = {}
        for name in names:
            found = self._listed.get((name, elsewhere))
            if found is None:
                found = self._listed[name, elsewhere] = self._look_up(name, provider, at, elsewhere)
            models[found[0]] = found[1]
        for expect in self._expects:
            self._faults.guarded("metrics", expect, feature, team, models)
        for declare in self._declares:
            self._faults.guarded("metrics", declare, feature, team, list(models))

    def _look_up(
        self, name: str, provider: str, at: datetime, elsewhere: bool
    ) -> tuple[str, Collection[str] | None]:
        label = self._prices.canonical(provider, name, at)
        sellers = [provider, *_MAKERS] if elsewhere and not label.startswith(f"{provider}/") else [provider]
        seller = next((one for one in sellers if self._prices.knows(one, name, at)), None)
        return label, None if seller is None else self._prices.listed_units(seller, name, at)

    def show(self, features: Iterable[Feature]) -> None:
        """Tell whose the declared features are, and which price table is in use."""
        for show in hooks(self._sinks, "show_feature"):
            for feature in features:
                self._faults.guarded("metrics", show, feature)
        for show in hooks(self._sinks, "show_table"):
            self._faults.guarded(
                "metrics", show, self._prices.version, self._prices.sha256, self._prices.recorded_at
            )
