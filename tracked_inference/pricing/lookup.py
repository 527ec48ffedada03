"""Finding what a model costs: from a seller's name for it to plans, each compiled once and kept."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from tracked_inference.errors import PriceTableError
from tracked_inference.pricing.hosts import Hosts
from tracked_inference.pricing.labels import MAKERS, clean, label_of
from tracked_inference.pricing.names import Match, Names, is_snapshot
from tracked_inference.pricing.plans import compile_plans
from tracked_inference.pricing.rows import ALWAYS, EVER, Row, instant, row_of
from tracked_inference.pricing.terms import Mode, Offer, Plan

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from tracked_inference.pricing.discounts import Discount
    from tracked_inference.pricing.overlay import Overlay

__all__ = ["Key", "Lookup"]

Key = tuple[Any, ...]
"""Seller, model, requested model, service tier, batch, speed, inference geo, region."""

_MOST_PLANS = 4096  # the keys hold text from responses: never more of them than this
_MOST_NAME = 300


class Lookup:
    """
    A table's content, indexed.

    Attributes:
        hosts: Who sells at a `base_url`.
        pairs: The rows of each (seller, model), as the file has them, and whether they are the user's own.
    """

    def __init__(self, content: Mapping[str, Any]) -> None:
        self.hosts = Hosts(content["hosts"])
        self.pairs: dict[tuple[str, str], list[tuple[Mapping[str, Any], bool]]] = {}
        for row in content["rows"]:
            self.pairs.setdefault((row["provider"], row["model"]), []).append((row, False))
        self._names = Names()
        self._exempt: dict[str, frozenset[str]] = {}
        for one in content["models"]:
            self._names.add(one["provider"], one["model"], one["aliases"], one.get("patterns", ()))
            if "exempt" in one:
                self._exempt[one["model"]] = frozenset(one["exempt"])
        self._names.seller_aliases = dict(content["seller_names"])
        self._units: Mapping[str, int] = content["units"]
        self._sellers: Mapping[str, Mapping[str, Any]] = content["sellers"]
        self._rules: Sequence[Mapping[str, Any]] = content["rules"]
        self._deployment_types: Mapping[str, str] = {}
        self._discounts: tuple[Discount, ...] = ()
        self._rows: dict[tuple[str, str], tuple[Row, ...]] = {}
        self._plans: dict[Key, tuple[Plan, ...]] = {}

    def layered(self, overlay: Overlay) -> Lookup:
        """The same under an overlay."""
        made = copy.copy(self)
        made._plans, made._rows = {}, {}
        made._names = self._names.copy()
        for (provider, model), aliases in overlay.names.items():
            made._names.add(provider, model, aliases)
        for name, (model, kind) in overlay.deployments.items():
            made._names.deployments.setdefault("azure", {})[name] = model
            if kind is not None:
                made._deployment_types = {**made._deployment_types, name: kind}
        if overlay.assume_snapshots is not None:
            made._names.assume_snapshots = overlay.assume_snapshots
        made.pairs = {pair: list(rows) for pair, rows in self.pairs.items()}
        for row in overlay.rows:
            made.pairs.setdefault((row["provider"], row["model"]), []).append((row, True))
        made.hosts = Hosts(self.hosts.known, {**self.hosts.own, **overlay.hosts})
        shift = len(self._discounts)
        made._discounts = (
            *self._discounts,
            *(one.after(shift, made._model_of(one, overlay.name)) for one in overlay.discounts),
        )
        return made

    def _model_of(self, discount: Discount, overlay: str) -> str | None:
        """
        The id of a discount's model; None where it is for all models.

        Raises:
            PriceTableError: It is for a seller or a model that nobody has: a slip that would show on the invoice alone.
        """
        from tracked_inference.pricing.overlay import meant  # which is loaded: it made the discount

        key, provider, name = f"{overlay}: discounts[{discount.order}]", discount.provider, discount.model
        if provider is not None and provider not in (sellers := self._all_sellers()):
            raise PriceTableError(
                f"{key}.provider: {provider!r} sells nothing here; {meant(provider, sellers)}"
            )
        if name is None:
            return None
        makers = self._sold(provider) if provider is not None else tuple(self._names.exact)
        found = self._names.find(provider or "", name, None, makers, EVER)
        if found is None:
            models = [model for maker in makers for model in self._names.exact.get(maker, {}).values()]
            mend = meant(name, models, "`tracked-inference prices list` shows those that have")
            where = f" at {provider}" if provider is not None else ""
            raise PriceTableError(f"{key}.model: no model {name!r} has a price{where}; {mend}")
        return found.model

    def _all_sellers(self) -> list[str]:
        own = [seller for seller, _ in self.hosts.own.values()]
        rows = [seller for seller, _ in self.pairs]
        return sorted({*MAKERS, *self._sellers, *self.hosts.known.values(), *own, *rows})

    def plan(self, key: Key, at: datetime) -> Plan:
        """The plan that holds at an instant."""
        plans = self._plans.get(key) or self._compile(key, at)
        if len(plans) == 1:
            return plans[0]
        for plan in plans:  # newest first
            if plan.start <= at:
                return plan
        return plans[-1]

    def match(self, provider: str, name: object, requested: object, at: datetime) -> Match | None:
        """The model that a seller's name means; None for an unknown one."""
        free = bool(self._sellers.get(provider, {}).get("free"))
        if not isinstance(name, str) or not name or len(name) > _MOST_NAME:
            return Match(provider, "*") if free else None
        asked = requested if isinstance(requested, str) and len(requested) <= _MOST_NAME else None
        found = self._names.find(provider, name, asked, self._sold(provider), at)
        return Match(provider, "*") if found is None and free else found

    def in_force(
        self, provider: str, model: str, at: datetime
    ) -> tuple[Match | None, list[Mapping[str, Any]], list[str]]:
        """The rows, as the file has them, that hold for a model at an instant, and the names of the rules that move them."""
        match = self.match(provider, model, None, at)
        rows, seller = self._rows_of(provider, match)
        if match is None or not rows:
            return None, [], []
        fees = provider if (provider, "*") in self.pairs else seller
        raw = [
            *self.pairs.get((fees, "*"), ()),
            *self.pairs[seller, match.model if match.model != "*" else "*"],
        ]
        found = [
            row
            for row, _ in raw
            if instant(row.get("effective_from"), ALWAYS) <= at < instant(row.get("effective_to"), EVER)
        ]
        exempt = self._exempt.get(match.model, frozenset())
        rules = [one["rule"] for one in self._rules_for(provider, match) if one["rule"] not in exempt]
        return match, found, rules

    def fallback_models(self, provider: str) -> set[str]:
        """The models that a seller sells at their maker's price."""
        makers = self._sellers.get(provider, {}).get("falls_back_to", ())
        return {model for maker, model in self.pairs if maker in makers and model != "*"}

    def knows_seller(self, provider: str) -> bool:
        """Whether anything of this seller has a price."""
        return (
            provider in MAKERS or provider in self._sellers or any(pair[0] == provider for pair in self.pairs)
        )

    def refusal_billed(self, category: str, at: datetime) -> bool:
        """Rule 23: a refusal before any output is billed for some categories, since a day."""
        return any(
            category in one["billed_categories"] and at >= instant(one.get("effective_from"), ALWAYS)
            for one in self._rules
            if one["rule"] == "refusal"
        )

    def _compile(self, key: Key, at: datetime) -> tuple[Plan, ...]:
        provider, name, requested, tier, batch, speed, geo, region = key
        if provider == "azure" and region is None:
            region = self._deployment_types.get(requested or name)
        match = self.match(provider, name, requested, at)
        rows, seller = self._rows_of(provider, match)
        if match is None or not rows:
            unknown = (Plan(ALWAYS, EVER, label_of(provider, clean(name)), priced=False),)
            # An unknown snapshot may be known from its day on: that is not kept.
            return unknown if isinstance(name, str) and is_snapshot(name) else self._keep(key, unknown)
        config = self._sellers.get(provider, {})
        assumed = [match.assumed] if match.assumed else []
        if seller != provider and config.get("fallback_assumed"):
            assumed.append(config["fallback_assumed"])
        plans = compile_plans(
            Offer(
                label=label_of(provider, match.model if match.model != "*" else clean(name)),
                rows=rows,
                fees=self._rows_by(provider, "*")
                or (self._rows_by(seller, "*") if seller != provider else ()),
                rules={one["rule"]: one for one in self._rules_for(provider, match)},
                exempt=self._exempt.get(match.model, frozenset()),
                mode=Mode(tier, batch, speed, geo, region, match.place),
                discounts=[one for one in self._discounts if one.concerns(provider, match.model)],
                assumed=assumed,
                seller_assumed=config.get("assumed") or config.get("assumed_for", {}).get(seller),
            )
        )
        return self._keep(key, plans)

    def _keep(self, key: Key, plans: tuple[Plan, ...]) -> tuple[Plan, ...]:
        if len(self._plans) >= _MOST_PLANS:
            self._plans.clear()
        self._plans[key] = plans
        return plans

    def _rules_for(self, provider: str, match: Match) -> list[Mapping[str, Any]]:
        """The rules that concern a seller, and of those for one maker's models only those of the match's maker."""
        return [
            one
            for one in self._rules
            if provider in one["providers"] and ("makers" not in one or match.maker in one["makers"])
        ]

    def _sold(self, provider: str) -> tuple[str, ...]:
        """Whose models a seller may sell: its own first."""
        if provider in MAKERS:
            return (provider,)
        if provider in ("bedrock", "vertex"):
            return (provider, *MAKERS)
        return (provider, *self._sellers.get(provider, {}).get("falls_back_to", ()))

    def _rows_of(self, provider: str, match: Match | None) -> tuple[tuple[Row, ...], str]:
        """The rows of a match, of the seller's own list or of the first that it falls back to, and whose they are."""
        if match is not None:
            for seller in (provider, *self._sellers.get(provider, {}).get("falls_back_to", ())):
                rows = self._rows_by(seller, match.model)
                if rows:
                    return rows, seller
        return (), provider

    def _rows_by(self, provider: str, model: str) -> tuple[Row, ...]:
        rows = self._rows.get((provider, model))
        if rows is None:
            if (provider, model) not in self.pairs:
                return ()
            rows = tuple(row_of(one, self._units, own=own) for one, own in self.pairs[provider, model])
            self._rows[provider, model] = rows
        return rows
