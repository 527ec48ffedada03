"""The price table: what it knows, and the cost of a call by it."""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tracked_inference.pricing._canonical import sha256_of
from tracked_inference.pricing.engine import no_price, price_usage, printed
from tracked_inference.pricing.names import MAKERS, Match, Names, label_of
from tracked_inference.pricing.plans import Mode, Plan, Row, compile_plans, instant, row_of, to_usd

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from decimal import Decimal

    from tracked_inference.pricing.cost import Cost
    from tracked_inference.pricing.discounts import Discount
    from tracked_inference.usage import Usage

__all__ = ["PriceTable"]

_FILE = Path(__file__).with_name("data") / "prices.json"
_MOST_PLANS = 4096  # the keys hold text from responses: never more of them than this
_ALWAYS = datetime.min.replace(tzinfo=UTC)
_FAR = datetime.max.replace(tzinfo=UTC)


class PriceTable:
    """
    Dated prices by seller and model, and the rules that go with them.

    A table is never changed: an overlay makes a new one.

    Attributes:
        version: The bundled table's version, `2026-11-23.1`, with `+` and a short hash for each overlay.
        sha256: The hash of the content, all overlays included.
        recorded_at: The day the bundled prices were recorded, midnight UTC: the age of a table counts from here.
        sources: Where the prices come from, as the file says.
        layers: The files and mappings laid over the bundled table, each with its hash.
    """

    def __init__(self, content: Mapping[str, Any], sha256: str) -> None:
        """Of a table as the file has it; use `bundled`, `default` or `with_overlay`."""
        self.version: str = content["version"]
        self.sha256 = sha256
        self.recorded_at = instant(content["recorded_at"], _ALWAYS)
        self.sources: tuple[Mapping[str, Any], ...] = tuple(content["sources"])
        self.layers: tuple[tuple[str, str], ...] = ()
        self._content = content
        self._names = Names()
        self._exempt: dict[str, frozenset[str]] = {}
        for one in content["models"]:
            self._names.add(one["provider"], one["model"], one["aliases"], one.get("patterns", ()))
            if "exempt" in one:
                self._exempt[one["model"]] = frozenset(one["exempt"])
        self._names.seller_aliases = dict(content["seller_names"])
        self._raw_rows: dict[tuple[str, str], list[tuple[Mapping[str, Any], bool]]] = {}
        for row in content["rows"]:
            self._raw_rows.setdefault((row["provider"], row["model"]), []).append((row, False))
        self._rows: dict[tuple[str, str], tuple[Row, ...]] = {}
        self._sellers: Mapping[str, Mapping[str, Any]] = content["sellers"]
        self._rules: list[Mapping[str, Any]] = list(content["rules"])
        self._hosts: list[tuple[str, str]] = list(content["hosts"].items())
        self._own_hosts: dict[str, str] = {}
        self._discounts: tuple[Discount, ...] = ()
        self._plans: dict[Any, tuple[Plan, ...]] = {}
        self._table = (self.version, sha256)

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

        return read_overlay(overlay).over(self)

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
            provider: Who sold it (rule 33): `anthropic`, `openai`, `azure`, `bedrock`, `vertex`, `foundry`, `local`, a gateway,
                or the host of an unknown `base_url`, which has a price only if an overlay gives it one.
            model: The model that answered (rule 34); None where the answer names none.
            at: When the request started (rule 36), aware.
            requested_model: The model that was asked for: used where the answer names none, and for its place on Bedrock.
            region: Where the client's host is: `us` or `eu` for OpenAI's regional hosts, the location on Vertex, `data_zone`,
                `regional` or `global` for an Azure deployment.
        """
        try:
            return self._price(usage, provider, model, at, requested_model, region)
        except Exception:  # a bug here must not reach the caller's call; it shows as a reason in the metrics
            return no_price(
                "unpriced", str(model or requested_model or "unknown")[:200], ("engine_error",), self._table
            )

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
            return no_price("unmeasured", self.canonical(provider, model or requested, at), (), self._table)
        name = usage.model or model or requested
        key = (
            provider,
            name,
            requested,
            usage.service_tier,
            usage.batch,
            usage.speed,
            usage.inference_geo,
            region,
        )
        plans = self._plans.get(key) or self._compile(key, at)
        plan = _at(plans, at)
        if usage.gateway_cost_usd is not None:
            return printed(usage.gateway_cost_usd, plan.model, self._table)
        if usage.free is not None:
            return _free(usage.free, plan.model, self._table)
        if not plan.priced and not any(one.model for one in usage.passes):
            reasons = (
                ("unknown_model",) if provider in self._sellers or provider in MAKERS else ("unknown_seller",)
            )
            return no_price("unpriced", plan.model, reasons, self._table)

        def other(model: str) -> Plan:
            there = (provider, model, requested, *key[3:])
            return _at(self._plans.get(there) or self._compile(there, at), at)

        reasons_found: Sequence[tuple[str, str]] = ()
        if (
            usage.service_tier is None
            and usage.requested_tier not in _NO_TIER
            and provider in ("openai", "azure")
        ):
            reasons_found = (
                ("served_tier_unknown", "estimated"),
            )  # rule 17: the response says which tier served
        return price_usage(
            usage,
            plan,
            other,
            lambda category: self._refusal_billed(category, at),
            self._table,
            reasons_found,
        )

    def _compile(self, key: tuple[Any, ...], at: datetime) -> tuple[Plan, ...]:
        provider, name, requested, tier, batch, speed, geo, region = key
        sold = self._sold(provider)
        match = self._match(provider, name, requested, at)
        rows, seller = self._rows_of(provider, match, sold)
        if match is None or not rows:
            label = label_of(provider, _clean(name))
            return (Plan(_ALWAYS, _FAR, label, priced=False),)
        config = self._sellers.get(provider, {})
        assumed = [match.assumed] if match.assumed else []
        if seller != provider and config.get("fallback_assumed"):
            assumed.append(config["fallback_assumed"])
        plans = compile_plans(
            label=label_of(provider, match.model if match.model != "*" else _clean(name)),
            rows=rows,
            fees=self._rows_by(provider, "*") or (self._rows_by(seller, "*") if seller != provider else ()),
            rules={one["rule"]: one for one in self._rules if provider in one["providers"]},
            exempt=self._exempt.get(match.model, frozenset()),
            mode=Mode(tier, batch, speed, geo, region, match.place),
            discounts=[one for one in self._discounts if one.concerns(provider, match.model)],
            assumed=assumed,
            seller_assumed=config.get("assumed"),
        )
        if len(self._plans) >= _MOST_PLANS:
            self._plans.clear()
        self._plans[key] = plans
        return plans

    def _sold(self, provider: str) -> tuple[str, ...]:
        """Whose models a seller may sell: its own first."""
        if provider in MAKERS:
            return (provider,)
        if provider in ("bedrock", "vertex"):
            return (provider, *MAKERS)
        return (provider, *self._sellers.get(provider, {}).get("falls_back_to", ()))

    def _match(self, provider: str, name: object, requested: object, at: datetime) -> Match | None:
        if not isinstance(name, str) or not name or len(name) > 300:
            return (
                Match(provider, "*") if (provider, "*") in self._raw_rows and self._free(provider) else None
            )
        asked = requested if isinstance(requested, str) and len(requested) <= 300 else None
        found = self._names.find(provider, name, asked, self._sold(provider), at)
        if found is None and self._free(provider):
            return Match(provider, "*")
        return found

    def _free(self, provider: str) -> bool:
        return bool(self._sellers.get(provider, {}).get("free"))

    def _rows_of(
        self, provider: str, match: Match | None, sold: Sequence[str]
    ) -> tuple[tuple[Row, ...], str]:
        """The rows of a match, of the seller's own list or of the first that it falls back to, and whose they are."""
        if match is None:
            return (), provider
        falls_back = self._sellers.get(provider, {}).get("falls_back_to", ())
        for seller in (provider, *(one for one in sold if one in falls_back)):
            rows = self._rows_by(seller, match.model)
            if rows:
                return rows, seller
        return (), provider

    def _rows_by(self, provider: str, model: str) -> tuple[Row, ...]:
        rows = self._rows.get((provider, model))
        if rows is None:
            raw = self._raw_rows.get((provider, model), ())
            rows = tuple(row_of(one, self._content["units"], own=own) for one, own in raw)
            self._rows[provider, model] = rows
        return rows

    def _refusal_billed(self, category: str, at: datetime) -> bool:
        """Rule 23: a refusal before any output is billed for some categories, since a day."""
        return any(
            category in one["billed_categories"] and at >= instant(one.get("effective_from"), _ALWAYS)
            for one in self._rules
            if one["rule"] == "refusal"
        )

    # -- what the table knows ----------------------------------------------------------------------------------------

    def canonical(self, provider: str, model: str | None, at: datetime | None = None) -> str:
        """
        The name of a model as metrics show it: the table's id, the seller before it where that is not the maker.

        A fine-tune loses its organisation (rule 34); a model that the table does not know keeps its name.
        """
        try:
            match = self._match(provider, model, None, at or self.recorded_at)
            return label_of(
                provider, match.model if match is not None and match.model != "*" else _clean(model)
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
        """US dollars for one of each unit, net of the user's discounts, in the standard mode; empty where there is no price."""
        plan = self._plan(provider, model, at, region)
        return {} if plan is None else {unit: to_usd(one.net_rate) for unit, one in plan.units.items()}

    def _plan(self, provider: str, model: str | None, at: datetime, region: str | None = None) -> Plan | None:
        try:
            key = (provider, model, model, None, False, None, None, region)
            return _at(self._plans.get(key) or self._compile(key, at), at)
        except Exception:  # as above
            return None

    def models(self, provider: str | None = None) -> tuple[tuple[str, str], ...]:
        """The (seller, model) pairs that have rows, sorted."""
        return tuple(
            sorted(pair for pair in self._raw_rows if pair[1] != "*" and provider in (None, pair[0])),
        )

    def provider_for(self, base_url: str | None) -> str | None:
        """Who sells at a `base_url` (rule 33): by the user's overlay first, then the known hosts; None for an unknown one."""
        return self._host(base_url)[0]

    def region_for(self, base_url: str | None) -> str | None:
        """Where a `base_url` is, if its host says so: `eu` for `https://eu.api.openai.com/v1` (rule 19)."""
        return self._host(base_url)[1]

    def _host(self, base_url: object) -> tuple[str | None, str | None]:
        url = str(base_url or "").strip()
        bare = re.sub(r"^[a-z]+://", "", url.lower()).rstrip("/")
        best = max(
            (one for one in self._own_hosts if bare == one or bare.startswith(one + "/")),
            key=len,
            default=None,
        )
        if best is not None:
            return self._own_hosts[best], None
        host = bare.partition("/")[0].rpartition("@")[2]
        name = re.sub(r":\d+$", "", host)
        if name in self._own_hosts:
            return self._own_hosts[name], None
        for pattern, provider in self._hosts:
            found = re.fullmatch(pattern, name)
            if found is not None:
                region = found.groupdict().get("region")
                if provider == "vertex":
                    region = region or "global"
                return provider, region
        return None, None


_NO_TIER = frozenset({None, "auto", "default", "standard", "standard_only"})


def _at(plans: tuple[Plan, ...], at: datetime) -> Plan:
    if len(plans) == 1:
        return plans[0]
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    for plan in reversed(plans):
        if plan.start <= at:
            return plan
    return plans[0]


def _free(reason: str, model: str, table: tuple[str, str]) -> Cost:
    from decimal import Decimal

    from tracked_inference.pricing.cost import make_cost

    return make_cost("free", Decimal(0), Decimal(0), model, (), (reason,), *table)


def _clean(name: object) -> str:
    """A name as a label can carry it; a fine-tune without its organisation."""
    if not isinstance(name, str) or not name:
        return "unknown"
    if name.startswith("ft:"):
        name = ":".join(name.split(":")[:2])
    return name[:200]


@lru_cache(maxsize=1)
def _bundled() -> PriceTable:
    import json

    content = _FILE.read_bytes()
    return PriceTable(json.loads(content), sha256_of(content))


@lru_cache(maxsize=4)
def _default(overlay: str | None) -> PriceTable:
    table = PriceTable.bundled()
    return table.with_overlay(overlay) if overlay else table
