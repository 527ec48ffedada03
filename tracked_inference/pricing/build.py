"""
Build the bundled price table: `python -m tracked_inference.pricing.build [--check]`.

A development tool: it needs genai-prices (the dependency group `prices`), which nothing at run time does.
The same source and the same `data/stated.toml` make the same bytes.
"""

from __future__ import annotations

import re
import sys
import tomllib
from decimal import Decimal
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tracked_inference.pricing._canonical import canonical_bytes, sha256_of
from tracked_inference.pricing._source import (
    Levels,
    carried_back,
    exact_names,
    filled,
    levels_of,
    older,
    scaled,
    seller_name,
    windows_of,
)
from tracked_inference.pricing._stated import Row, apply_stated, as_text, new_row
from tracked_inference.pricing.units import UNITS

__all__ = ["DATA", "STATED", "build_table", "main"]

DATA = Path(__file__).with_name("data") / "prices.json"
STATED = Path(__file__).with_name("data") / "stated.toml"

MAKERS = ("anthropic", "openai")
SELLERS = {"azure": "azure", "bedrock": "aws", "vertex": "google"}
"""Sellers of those makers' models, and what genai-prices calls them."""

_GENAI_URL = "https://github.com/pydantic/genai-prices"
_HALF = Decimal("0.5")


def _row(provider: str, model: str, levels: Levels, start: str | None, end: str | None, **more: Any) -> Row:
    flat, above = levels
    texts = {
        str(limit): {unit: as_text(rate) for unit, rate in rates.items()} for limit, rates in above.items()
    }
    row = new_row(provider, model, {unit: as_text(rate) for unit, rate in flat.items()}, above=texts, **more)
    return {**row, "effective_from": start, "effective_to": end}


class _Builder:
    """One build: what has been read, and the rows and names made of it."""

    def __init__(self, providers: dict[str, Any], stated: dict[str, Any], source: str) -> None:
        self.providers = providers
        self.stated = stated
        self.source = source
        self.rows: list[Row] = []
        self.names: dict[str, dict[str, list[str]]] = {}
        self.patterns: dict[str, dict[str, list[str]]] = {}

    def build(self) -> dict[str, Any]:
        """Put the table together."""
        for maker in MAKERS:
            for info in self.providers[maker].models:
                self._maker_model(maker, info)
        for one in self.stated["additions"]:
            self._name(one["provider"], one["model"], one.get("aliases", []))
        self._sellers()
        apply_stated(self.rows, self.stated)
        recorded_at = self.stated["recorded_at"]
        for row in self.rows:
            row["recorded_at"] = recorded_at
        self.rows.sort(key=row_key)
        return {
            "format": 1,
            "version": f"{recorded_at}.{self.stated['serial']}",
            "recorded_at": recorded_at,
            "sources": [
                {
                    "name": "genai-prices",
                    "version": version("genai-prices"),
                    "licence": "MIT",
                    "url": _GENAI_URL,
                },
                {
                    "name": "stated.toml",
                    "sha256": sha256_of(STATED.read_bytes()),
                    "note": "stated by the vendors",
                },
            ],
            "units": UNITS,
            "models": self._models(),
            "rows": self.rows,
            "rules": self.stated["rules"],
            "sellers": self.stated["sellers"],
            "seller_names": {one["provider"]: one["aliases"] for one in self.stated["seller_names"]},
            "hosts": self.stated["hosts"],
        }

    # -- makers ------------------------------------------------------------------------------------------------------

    def _maker_model(self, maker: str, info: Any) -> None:
        """Names and rows of one model of genai-prices, which may be several of ours at one price."""
        model, aliases, patterns = self._names_of(maker, info)
        groups = [
            group for one in self.stated["own_models"] if one["provider"] == maker for group in one["groups"]
        ]
        own = [group for group in groups if set(group) & {model, *aliases} and group[0] != model]
        taken = {name for group in own for name in group}
        self._name(maker, model, [alias for alias in aliases if alias not in taken], patterns)
        for group in own:
            self._name(maker, group[0], group[1:])
        for name in (model, *(group[0] for group in own)):
            if info.id == "moderation":
                self.rows.append(new_row(maker, name, {}, source=self.source, free=True))  # rule 31
            else:
                self._base_rows(maker, name, info)
                self._variant_rows(maker, name, info)

    def _names_of(self, maker: str, info: Any) -> tuple[str, list[str], list[str]]:
        """Our id, aliases and patterns of a model of genai-prices."""

        def stated(table: str) -> list[dict[str, Any]]:
            return [one for one in self.stated[table] if one["provider"] == maker and one["from"] == info.id]

        equals, patterns = exact_names(info.match)
        left_out = {alias for one in stated("left_out") for alias in one["aliases"]}
        equals = [name for name in equals if name not in left_out]
        for one in stated("names"):
            names = {*equals, *one["aliases"]} - {one["model"]}
            return one["model"], sorted(names), [*patterns, *one.get("patterns", [])]
        if not equals and not patterns:
            raise SystemExit(f"{maker}: {info.id} is matched by prefix alone; list its names in stated.toml")
        return info.id, sorted(set(equals) - {info.id}), patterns

    def _name(self, provider: str, model: str, aliases: list[str], patterns: list[str] | None = None) -> None:
        self.names.setdefault(provider, {})[model] = sorted(set(aliases) - {model})
        if patterns:
            self.patterns.setdefault(provider, {})[model] = sorted(patterns)

    def _base_rows(self, provider: str, model: str, info: Any, when: dict[str, Any] | None = None) -> None:
        maker = "anthropic" if model.startswith("claude") else "openai"
        for start, end, prices in windows_of(info):
            self.rows.append(
                _row(provider, model, levels_of(prices, maker), start, end, source=self.source, when=when)
            )

    def _variant_rows(self, maker: str, model: str, info: Any) -> None:
        """
        Rows for tiers and modes.

        genai-prices dates most of them from the day it verified them.
        Before that day a rate that is exactly the documented factor needs no row, and any other is carried back in
        proportion to the base rate and marked `tier_history`.
        """
        windows = [(start, end, levels_of(prices, maker)) for start, end, prices in windows_of(info)]
        latest = windows[-1][2]
        for variant in info.price_variants or ():
            ((key, value),) = variant.when.items()
            if value in ("default", "fast") and key == "service_tier":
                continue  # `default` is the base, and what is asked for as `fast` is served as `priority` (rule 17)
            when: dict[str, Any] = {"batch": True} if value == "batch" else {key: value}
            levels = levels_of(variant.prices, maker)
            follows = value in ("batch", "flex") and scaled(latest, _HALF) == filled(levels, latest)
            if follows and maker == "anthropic":
                continue  # rule 16 says it already
            start = variant.constraint.start_date.isoformat() if variant.constraint else None
            self.rows.append(_row(maker, model, levels, start, None, source=self.source, when=when))
            if start is None or follows:
                continue
            for begin, end, then in windows:
                if begin is None or begin < start:
                    carried = carried_back(levels, latest, then)
                    more = {"source": self.source, "when": when, "assumed": {"*": "tier_history"}}
                    self.rows.append(_row(maker, model, carried, begin, min(end or start, start), **more))

    # -- sellers -----------------------------------------------------------------------------------------------------

    def _sellers(self) -> None:
        """Rows of the sellers that differ from the maker's; Azure's that repeat it are left to the fallback."""
        for seller, source_id in SELLERS.items():
            made: set[tuple[str, str | None]] = set()
            for info in self.providers[source_id].models:
                place, name = seller_name(info.id)
                model = self._model_named(name)
                if model is None or (seller == "azure" and self._as_maker(model, info)):
                    continue
                if seller != "bedrock" or older(model):
                    place = None
                if (model, place) not in made:
                    made.add((model, place))
                    self._base_rows(seller, model, info, {"place": place} if place else None)

    def _model_named(self, name: str) -> str | None:
        for maker in MAKERS:
            for model, aliases in self.names[maker].items():
                patterns = self.patterns.get(maker, {}).get(model, ())
                if name in (model, *aliases) or any(re.fullmatch(pattern, name) for pattern in patterns):
                    return model
        return None

    def _as_maker(self, model: str, info: Any) -> bool:
        own = levels_of(windows_of(info)[-1][2], "openai")[0]
        theirs = [
            row
            for row in self.rows
            if row["model"] == model and not row.get("when") and not row["effective_to"]
        ]
        rates = {unit: Decimal(rate) for row in theirs for unit, rate in row["rates"].items()}
        return all(rates.get(unit) == rate for unit, rate in own.items())

    # -- names -------------------------------------------------------------------------------------------------------

    def _models(self) -> list[dict[str, Any]]:
        """The models and their names, with the rules that do not touch them."""
        premium = self.stated["regional_premium"]
        models = []
        for provider, named in sorted(self.names.items()):
            for model, aliases in sorted(named.items()):
                exempt = [one["rule"] for one in self.stated["exempt"] if model in one["models"]]
                if provider == "openai" and not any(re.fullmatch(one, model) for one in premium["patterns"]):
                    exempt.append(premium["rule"])
                entry: dict[str, Any] = {"provider": provider, "model": model, "aliases": aliases}
                if model in self.patterns.get(provider, {}):
                    entry["patterns"] = self.patterns[provider][model]
                if exempt:
                    entry["exempt"] = sorted(exempt)
                models.append(entry)
        return models


def row_key(row: Row) -> tuple[str, str, str, str, str]:
    """The order of rows in the file; of two for the same time the one that was recorded later comes last, and holds."""
    when = str(sorted(row.get("when", {}).items()))
    return (row["provider"], row["model"], when, row["effective_from"] or "", row["recorded_at"])


def build_table(stated_file: Path = STATED) -> dict[str, Any]:
    """The whole table, from the genai-prices that is installed and the facts of `stated_file`."""
    providers = {provider.id: provider for provider in import_module("genai_prices.data").providers}
    stated = tomllib.loads(stated_file.read_text("utf-8"))
    return _Builder(providers, stated, f"genai-prices {version('genai-prices')}").build()


def main(arguments: list[str] | None = None) -> int:
    """Write the bundled table; with `--check` only say whether it is what this script makes."""
    made = canonical_bytes(build_table())
    if "--check" in (sys.argv[1:] if arguments is None else arguments):
        same = DATA.read_bytes() == made
        print(
            "prices.json is what the script makes"
            if same
            else "prices.json is NOT what the script makes: run it"
        )
        return 0 if same else 1
    DATA.write_bytes(made)
    print(f"wrote {DATA.name}: {len(made):,} bytes, sha256 {sha256_of(made)}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
