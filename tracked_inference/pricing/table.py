"""The price table: what it knows, and the cost of a call by it."""

from __future__ import annotations

import os
from datetime import UTC
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tracked_inference.errors import PriceTableError
from tracked_inference.pricing._canonical import sha256_of
from tracked_inference.pricing.engine import free_of_charge, no_price, price_usage, printed
from tracked_inference.pricing.labels import clean, label_of
from tracked_inference.pricing.rows import ALWAYS, instant, to_usd

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from decimal import Decimal

    from tracked_inference.pricing.cost import Cost
    from tracked_inference.pricing.lookup import Lookup
    from tracked_inference.pricing.overlay import Overlay
    from tracked_inference.pricing.terms import Plan
    from tracked_inference.usage import Usage

__all__ = ["PriceTable"]

_FILE = Path(__file__).with_name("data") / "prices.json"
_PLAIN_TIERS = frozenset({"auto", "default", "standard", "standard_only"})


class PriceTable:
    """
    Dated prices by seller and model, and the rules that go with them.

    A table is never changed: an overlay makes a new one.

    Attributes:
        version: The bundled table's version, `2026-11-23.1`, with `+` and a short hash for each overlay.
        sha256: The hash of the content, all overlays included.
        recorded_at: The day the bundled prices were recorded, midnight UTC: the age of a table counts from here.
        sources: Where the prices come from, as the file says.
        layers: Name and hash of each file or mapping that was laid over the bundled table.
    """

    def __init__(self, content: Mapping[str, Any], sha256: str) -> None:
        """Take a table as its file has it; use `bundled`, `default` or `with_overlay`."""
        from tracked_inference.pricing.lookup import (
            Lookup,
        )  # here, so that importing this package stays cheap

        self.version: str = content["version"]
        self.sha256 = sha256
        self.recorded_at = instant(content["recorded_at"], ALWAYS)
        self.sources: tuple[Mapping[str, Any], ...] = tuple(content["sources"])
        self.layers: tuple[tuple[str, str], ...] = ()
        self._lookup: Lookup = Lookup(content)
        self._id = (self.version, sha256)

    def __repr__(self) -> str:
        return f"<PriceTable {self.version} {self.sha256[:12]}>"

    # -- where tables come from --------------------------------------------------------------------------------------

    @classmethod
    def bundled(cls) -> PriceTable:
        """The table that came with this package; read once per process."""
        return _bundled()

    @classmethod
    def default(cls) -> PriceTable:
        """
        The bundled table under the file that the environment variable `TRACKED_INFERENCE_PRICES` names, if it names one.

        Kept for the process, for each value of the variable.

        Raises:
            PriceTableError: The file cannot be used; the message says which key, what is wrong and how to mend it.
        """
        return _default(os.environ.get("TRACKED_INFERENCE_PRICES") or None)

    def with_overlay(self, overlay: str | Path | Mapping[str, Any]) -> PriceTable:
        """
        This table under an overlay: the path of a TOML or JSON file, or the same as a mapping.

        See docs/howto/prices.md for what an overlay can say.

        Raises:
            PriceTableError: The overlay cannot be used; the message says which key, what is wrong and how to mend it.
        """
        from tracked_inference.pricing.overlay import read_overlay

        checked = read_overlay(overlay)
        if checked.table is None:
            return self._layered(checked)
        if self.layers:
            raise PriceTableError(
                f"{checked.name}: table: another table can only be the first layer; name it in the first overlay"
            )
        from tracked_inference.pricing.revise import read_table, table_of

        base = table_of(read_table(checked.table))
        return base if checked.table == Path(checked.name) else base._layered(checked)

    def _layered(self, overlay: Overlay) -> PriceTable:
        made = object.__new__(PriceTable)
        made.version = f"{self.version}+{overlay.sha256[:8]}"
        made.sha256 = sha256_of(f"{self.sha256}+{overlay.sha256}".encode())
        made.recorded_at = self.recorded_at
        made.sources = self.sources
        made.layers = (*self.layers, (overlay.name, overlay.sha256))
        made._lookup = self._lookup.layered(overlay)
        made._id = (made.version, made.sha256)
        return made

    # -- what a call costs -------------------------------------------------------------------------------------------

    def price(
        self,
        usage: Usage | None,
        *,
        provider: str,
        model: str | None,
        at: datetime,
        requested_model: str | None = None,
        region: str | None = None,
    ) -> Cost:
        """
        The cost of one call; never raises.

        Args:
            usage: What was used; None gives the status `unmeasured`.
            provider: Who sold it (rule 33): `anthropic`, `openai`, `azure`, `bedrock`, `vertex`, `foundry`, `local`, a
                gateway, or the host of an unknown `base_url`, which has a price only if an overlay gives it one.
            model: The model that answered (rule 34); None where the answer names none.
            at: When the request started (rule 36), aware; a naive time is taken as UTC, and noted.
            requested_model: The model that was asked for: used where the answer names none, for its place on Bedrock,
                and for the deployment's type on Azure.
            region: Where the client's host is: `us` or `eu` for OpenAI's regional hosts, the location on Vertex,
                `data_zone`, `regional` or `global` for an Azure deployment.
        """
        try:
            return self._price(usage, provider, model, at, requested_model, region)
        except Exception:  # a bug here must not reach the caller's call; it shows as a reason in the metrics
            return no_price("unpriced", clean(model or requested_model), ("engine_error",), self._id)

    def _price(
        self,
        usage: Usage | None,
        provider: str,
        model: str | None,
        at: datetime,
        requested: str | None,
        region: str | None,
    ) -> Cost:
        if usage is None:
            return no_price(
                "unmeasured", self.canonical(provider, model or requested, at), ("no_usage",), self._id
            )
        reasons: tuple[tuple[str, str], ...] = ()
        if at.tzinfo is None:
            at, reasons = at.replace(tzinfo=UTC), (("naive_time", "estimated"),)
        name = usage.model or model or requested
        mode = (usage.service_tier, usage.batch, usage.speed, usage.inference_geo, region)
        plan = self._lookup.plan((provider, name, requested, *mode), at)
        if usage.gateway_cost_usd is not None and usage.gateway_cost_usd >= 0:
            return printed(usage.gateway_cost_usd, plan.model, self._id)
        if usage.free is not None:
            return free_of_charge(usage.free, plan.model, self._id)
        passes = usage.passes
        if not plan.priced and not any(one.model for one in passes):
            reason = "unknown_model" if self._lookup.knows_seller(provider) else "unknown_seller"
            return no_price("unpriced", plan.model, (reason,), self._id)
        if usage.service_tier is None and usage.requested_tier is not None:
            reasons += _asked_tier(provider, usage.requested_tier)
        if len(passes) == 1 and passes[0].model is None and passes[0].refusal is None:
            return price_usage(usage, plan, self._id, reasons)

        def other(model: str) -> Plan:
            return self._lookup.plan((provider, model, requested, *mode), at)

        return price_usage(
            usage, plan, self._id, reasons, other, lambda category: self._lookup.refusal_billed(category, at)
        )

    # -- what the table knows ----------------------------------------------------------------------------------------

    def canonical(self, provider: str, model: str | None, at: datetime | None = None) -> str:
        """
        The name of a model as metrics show it: the table's id, the seller before it where that is not the maker.

        A fine-tune loses its organisation (rule 34); a model that the table does not know keeps its name.
        """
        try:
            match = self._lookup.match(provider, model, None, at or self.recorded_at)
            return label_of(
                provider, match.model if match is not None and match.model != "*" else clean(model)
            )
        except Exception:  # as above
            return "unknown"

    def knows(self, provider: str, model: str | None, at: datetime) -> bool:
        """Whether a call to this model at this instant has a price."""
        plan = self._plan(provider, model, at)
        return plan is not None and plan.priced

    def rates(
        self, provider: str, model: str | None, at: datetime, *, region: str | None = None
    ) -> Mapping[str, Decimal]:
        """
        US dollars for one of each unit, net of the user's discounts, in the standard mode.

        Empty where there is no price, and where the model is free.
        """
        plan = self._plan(provider, model, at, region)
        return {} if plan is None else {unit: to_usd(one.net_rate) for unit, one in plan.units.items()}

    def _plan(self, provider: str, model: str | None, at: datetime, region: str | None = None) -> Plan | None:
        try:
            at = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
            return self._lookup.plan((provider, model, model, None, False, None, None, region), at)
        except Exception:  # as above
            return None

    def rows(self, provider: str, model: str, at: datetime) -> tuple[Mapping[str, Any], ...]:
        """
        The rows that hold for a model of a seller at an instant, as the table file has them, each with its source.

        The base row, those of its tiers, speeds and places, and those of the seller's fees; empty for an unknown model.
        """
        return tuple(self._lookup.in_force(provider, model, at)[1])

    def listed_units(self, provider: str, model: str, at: datetime) -> frozenset[str]:
        """The units that a model has prices of its own for at a seller, in whatever mode; empty for an unknown model."""
        return frozenset(
            unit for row in self.rows(provider, model, at) if row["model"] != "*" for unit in row["rates"]
        )

    def rules(self, provider: str, model: str, at: datetime) -> tuple[str, ...]:
        """The names of the rules that can move a model's rates at a seller: `batch`, `inference_geo`, ...."""
        return tuple(self._lookup.in_force(provider, model, at)[2])

    def models(self, provider: str | None = None) -> tuple[tuple[str, str], ...]:
        """
        The (seller, model) pairs that have rows, sorted.

        Of one seller also the models that it sells at their maker's price, Azure's for instance.
        """
        pairs = {pair for pair in self._lookup.pairs if pair[1] != "*" and provider in (None, pair[0])}
        if provider is not None:
            pairs |= {(provider, model) for model in self._lookup.fallback_models(provider)}
        return tuple(sorted(pairs))

    def provider_for(self, base_url: str | None) -> str | None:
        """Who sells at a `base_url` (rule 33): by the user's overlay first, then the known hosts; None if unknown."""
        return self._lookup.hosts.find(base_url)[0]

    def region_for(self, base_url: str | None) -> str | None:
        """Where a `base_url` is, if its host says so: `eu` for `https://eu.api.openai.com/v1` (rule 19)."""
        return self._lookup.hosts.find(base_url)[1]


def _asked_tier(provider: str, asked: str) -> tuple[tuple[str, str], ...]:
    """A tier was asked for and the answer does not say which served (rule 17): the standard price is an assumption."""
    if provider not in ("openai", "azure") or asked in _PLAIN_TIERS:
        return ()
    return (("served_tier_unknown", "estimated"),)


@lru_cache(maxsize=1)
def _bundled() -> PriceTable:
    import json

    content = _FILE.read_bytes()
    return PriceTable(json.loads(content), sha256_of(content))


@lru_cache(maxsize=4)
def _default(overlay: str | None) -> PriceTable:
    table = PriceTable.bundled()
    return table.with_overlay(overlay) if overlay else table
