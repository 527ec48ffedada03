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
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tracked_inference.pricing._canonical import canonical_bytes, sha256_of

__all__ = ["DATA", "STATED", "build_table", "main"]

DATA = Path(__file__).with_name("data") / "prices.json"
STATED = Path(__file__).with_name("data") / "stated.toml"

MAKERS = ("anthropic", "openai")
SELLERS = {"azure": "azure", "bedrock": "aws", "vertex": "google"}
"""Sellers of those makers' models, and what genai-prices calls them."""

UNITS = {
    "input": 1_000_000,
    "cache_read": 1_000_000,
    "cache_write_5m": 1_000_000,
    "cache_write_30m": 1_000_000,
    "cache_write_1h": 1_000_000,
    "cache_write_12h": 1_000_000,
    "input_audio": 1_000_000,
    "cache_read_audio": 1_000_000,
    "input_image": 1_000_000,
    "cache_read_image": 1_000_000,
    "output": 1_000_000,
    "output_audio": 1_000_000,
    "output_image": 1_000_000,
    "web_search": 1_000,
    "web_search_preview": 1_000,
    "file_search": 1_000,
    "second": 3_600,
    "character": 1_000_000,
    "image": 1,
    "video_second": 1,
}
"""How many of a unit a rate is for: tokens and characters by the million, calls by the thousand, seconds by the hour."""

_KEYS = {
    "input_mtok": "input",
    "output_mtok": "output",
    "cache_read_mtok": "cache_read",
    "cache_write_1h_mtok": "cache_write_1h",
    "input_audio_mtok": "input_audio",
    "cache_audio_read_mtok": "cache_read_audio",
    "output_audio_mtok": "output_audio",
    "input_image_mtok": "input_image",
    "cache_image_read_mtok": "cache_read_image",
    "output_image_mtok": "output_image",
    "audio_hours": "second",
    "input_audio_hours": "second",
    "input_mchars": "character",
}
_FEES = {"web_searches_kcount": "web_search", "storage_searches_kcount": "file_search"}
_TWELVE_HOURS = Decimal("2.5")
"""Rule 4: OpenAI's cache writes for 12 hours cost 2.5 times the input."""

Rates = dict[str, Decimal]
Row = dict[str, Any]


def _rates(prices: Any, maker: str) -> tuple[Rates, dict[int, Rates]]:
    """The rates of one price object of genai-prices, and those above each long-context threshold."""
    base: Rates = {}
    above: dict[int, Rates] = {}
    for key, value in vars(prices).items():
        if value is None or key in _FEES:
            continue
        unit = (
            ("cache_write_5m" if maker == "anthropic" else "cache_write_30m")
            if key == "cache_write_mtok"
            else _KEYS[key]
        )
        base[unit] = getattr(value, "base", value)
        for tier in getattr(value, "tiers", ()):
            above.setdefault(tier.start, {})[unit] = tier.price
    for rates in (base, *above.values()):
        if "cache_write_30m" in rates and "input" in rates:
            rates["cache_write_12h"] = rates["input"] * _TWELVE_HOURS
    return base, above


def _text(value: Decimal) -> str:
    plain = format(value.normalize(), "f")
    return plain if plain != "-0" else "0"


def _row(
    provider: str,
    model: str,
    rates: tuple[Rates, dict[int, Rates]],
    *,
    start: str | None,
    end: str | None,
    source: str,
    recorded_at: str,
    when: dict[str, Any] | None = None,
    assumed: str | None = None,
) -> Row:
    base, above = rates
    row: Row = {
        "provider": provider,
        "model": model,
        "effective_from": start,
        "effective_to": end,
        "recorded_at": recorded_at,
        "source": source,
        "rates": {unit: _text(rate) for unit, rate in base.items()},
    }
    if above:
        row["above"] = {
            str(limit): {unit: _text(rate) for unit, rate in rates.items()} for limit, rates in above.items()
        }
    if when:
        row["when"] = when
    if assumed:
        row["assumed"] = {"*": assumed}
    return row


class _Builder:
    """One build: what has been read, and the rows and names made of it."""

    def __init__(self, providers: dict[str, Any], stated: dict[str, Any], source: str) -> None:
        self.providers = providers
        self.stated = stated
        self.source = source
        self.recorded_at: str = stated["recorded_at"]
        self.rows: list[Row] = []
        self.names: dict[str, dict[str, list[str]]] = {}
        self.patterns: dict[str, dict[str, list[str]]] = {}
        self.half = Decimal("0.5")

    def build(self) -> dict[str, Any]:
        for maker in MAKERS:
            for info in self.providers[maker].models:
                self._maker_model(maker, info)
        self._sellers()
        self._additions()
        self._corrections()
        self._kinds_and_doubts()
        self._fees()
        self.rows.append(
            {
                "provider": "local",
                "model": "*",
                "effective_from": None,
                "effective_to": None,
                "recorded_at": self.recorded_at,
                "source": self.stated["sellers"]["local"]["source"],
                "rates": {},
                "free": True,
            }
        )
        self.rows.sort(key=_row_key)
        return {
            "format": 1,
            "version": f"{self.recorded_at}.{self.stated['serial']}",
            "recorded_at": self.recorded_at,
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
                    "note": "facts stated by the vendors",
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
        model, aliases, patterns = self._names_of(maker, info)
        groups = [
            group for one in self.stated["own_models"] if one["provider"] == maker for group in one["groups"]
        ]
        own = [group for group in groups if set(group) & {model, *aliases}]
        taken = {name for group in own for name in group if group[0] != model}
        models = [(model, [alias for alias in aliases if alias not in taken])]
        models += [(group[0], group[1:]) for group in own if group[0] != model]
        for name, others in models:
            if name in taken and name == model:
                continue
            self._name(
                maker, name, [other for other in others if other != name], patterns if name == model else []
            )
            if info.id == "moderation":
                self.rows.append(
                    {
                        **_row(
                            maker,
                            name,
                            ({}, {}),
                            start=None,
                            end=None,
                            source=self.source,
                            recorded_at=self.recorded_at,
                        ),
                        "free": True,
                    }
                )
                continue
            self._base_rows(maker, name, info)
            self._variant_rows(maker, name, info)

    def _names_of(self, maker: str, info: Any) -> tuple[str, list[str], list[str]]:
        listed = [one for one in self.stated["names"] if one["provider"] == maker and one["from"] == info.id]
        equals, patterns = _exact_names(info.match)
        left_out = {
            alias
            for one in self.stated["left_out"]
            if one["provider"] == maker and one["from"] == info.id
            for alias in one["aliases"]
        }
        equals = [name for name in equals if name not in left_out]
        if listed:
            one = listed[0]
            return (
                one["model"],
                sorted({*equals, *one["aliases"]} - {one["model"]}),
                [*patterns, *one.get("patterns", [])],
            )
        if not equals and not patterns:
            raise SystemExit(f"{maker}: {info.id} is matched by prefix alone; list its names in stated.toml")
        return info.id, sorted(set(equals) - {info.id}), patterns

    def _name(self, provider: str, model: str, aliases: list[str], patterns: list[str]) -> None:
        self.names.setdefault(provider, {})[model] = sorted(aliases)
        if patterns:
            self.patterns.setdefault(provider, {})[model] = sorted(patterns)

    def _base_rows(self, provider: str, model: str, info: Any, *, when: dict[str, Any] | None = None) -> None:
        maker = "anthropic" if "claude" in model else "openai"
        for start, end, prices in _windows(info):
            self.rows.append(
                _row(
                    provider,
                    model,
                    _rates(prices, maker),
                    start=start,
                    end=end,
                    source=self.source,
                    recorded_at=self.recorded_at,
                    when=when,
                )
            )

    def _variant_rows(self, maker: str, model: str, info: Any) -> None:
        """
        Rows for tiers and modes.

        genai-prices dates most of them from the day it verified them; before that day a rate that is exactly the documented
        factor needs no row, and any other is carried back in proportion to the base rate and marked `tier_history`.
        """
        for variant in info.price_variants or ():
            ((key, value),) = variant.when.items()
            if (key, value) in {("service_tier", "default"), ("service_tier", "fast")}:
                continue  # `default` is the base, and what is asked for as `fast` is served as `priority` (rule 17)
            when: dict[str, Any] = (
                {"batch": True} if (key, value) == ("processing", "batch") else {key: value}
            )
            rates = _rates(variant.prices, maker)
            factor = self.half if value in ("batch", "flex") else None
            start = variant.constraint.start_date.isoformat() if variant.constraint else None
            windows = _windows(info)
            latest = _rates(windows[-1][2], maker)
            follows = factor is not None and _scaled(latest, factor) == _filled(rates, latest)
            if follows and maker == "anthropic":
                continue  # rule 16 says it already
            self.rows.append(
                _row(
                    maker,
                    model,
                    rates,
                    start=start,
                    end=None,
                    source=self.source,
                    recorded_at=self.recorded_at,
                    when=when,
                )
            )
            if start is None or follows:
                continue
            for w_start, w_end, prices in windows:
                if w_start is not None and w_start >= start:
                    continue
                self.rows.append(
                    _row(
                        maker,
                        model,
                        _carried_back(rates, latest, _rates(prices, maker)),
                        start=w_start,
                        end=min(w_end or start, start),
                        source=self.source,
                        recorded_at=self.recorded_at,
                        when=when,
                        assumed="tier_history",
                    )
                )

    # -- sellers -----------------------------------------------------------------------------------------------------

    def _sellers(self) -> None:
        known = {
            alias: (maker, model)
            for maker in MAKERS
            for model, aliases in self.names[maker].items()
            for alias in (model, *aliases)
        }
        for seller, source_id in SELLERS.items():
            made: set[tuple[str, str | None]] = set()
            for info in self.providers[source_id].models:
                place, name = _seller_name(info.id)
                found = known.get(name) or self._by_pattern(name)
                if found is None or (seller == "azure" and self._same_as_maker(found[1], info)):
                    continue
                model = found[1]
                if (model, place) in made:
                    continue
                made.add((model, place))
                split = seller == "bedrock" and place is not None and not _older(model)
                self._base_rows(seller, model, info, when={"place": place} if split else None)

    def _by_pattern(self, name: str) -> tuple[str, str] | None:
        for maker, models in self.patterns.items():
            for model, patterns in models.items():
                if any(re.fullmatch(pattern, name) for pattern in patterns):
                    return maker, model
        return None

    def _same_as_maker(self, model: str, info: Any) -> bool:
        own = [_rates(prices, "openai")[0] for _, _, prices in _windows(info)][-1]
        latest = [
            row
            for row in self.rows
            if row["model"] == model and not row.get("when") and row["effective_to"] is None
        ]
        theirs = {unit: Decimal(rate) for row in latest for unit, rate in row["rates"].items()}
        return all(theirs.get(unit) == rate for unit, rate in own.items())

    # -- what is stated ----------------------------------------------------------------------------------------------

    def _additions(self) -> None:
        for one in self.stated["additions"]:
            self._name(one["provider"], one["model"], one.get("aliases", []), [])
            rates = {unit: Decimal(rate) for unit, rate in one["rates"].items()}
            self.rows.append(
                _row(
                    one["provider"],
                    one["model"],
                    (rates, {}),
                    start=None,
                    end=None,
                    source=one["source"],
                    recorded_at=self.recorded_at,
                )
            )
        for one in self.stated["preview_search"]:
            for row in self.rows:
                if (
                    row["provider"] == one["provider"]
                    and row["model"] in one["models"]
                    and not row.get("when")
                ):
                    row["rates"]["web_search_preview"] = one["rate"]

    def _corrections(self) -> None:
        for one in self.stated["corrections"]:
            rows = [
                row
                for row in self.rows
                if row["provider"] == one["provider"]
                and row["model"] == one["model"]
                and not row.get("when")
                and row["effective_to"] == one.get("before", row["effective_to"])
            ]
            if not rows:
                raise SystemExit(f"a correction of stated.toml meets no row: {one}")
            for row in rows:
                row["rates"].update(one["rates"])
                row["source"] += f"; {one['source']}"

    def _kinds_and_doubts(self) -> None:
        for one in self.stated["output_kind"]:
            for row in self.rows:
                if (
                    row["provider"] == one["provider"]
                    and row["model"] in one["models"]
                    and "output" in row["rates"]
                ):
                    row["rates"][one["unit"]] = row["rates"].pop("output")
        for one in self.stated["doubts"]:
            for row in self.rows:
                if row["provider"] == one["provider"] and row["model"] in one["models"]:
                    row.setdefault("assumed", {})[one.get("unit", "*")] = one["reason"]

    def _fees(self) -> None:
        for one in self.stated["fees"]:
            rates = {unit: Decimal(rate) for unit, rate in one["rates"].items()}
            self.rows.append(
                _row(
                    one["provider"],
                    "*",
                    (rates, {}),
                    start=None,
                    end=None,
                    source=one["source"],
                    recorded_at=self.recorded_at,
                )
            )

    def _models(self) -> list[dict[str, Any]]:
        exempt: dict[str, list[str]] = {}
        for one in self.stated["exempt"]:
            for model in one["models"]:
                exempt.setdefault(model, []).append(one["rule"])
        premium = self.stated["regional_premium"]
        models = []
        for provider, named in sorted(self.names.items()):
            for model, aliases in sorted(named.items()):
                rules = list(exempt.get(model, ()))
                if provider == "openai" and not any(re.fullmatch(one, model) for one in premium["patterns"]):
                    rules.append(premium["rule"])
                entry: dict[str, Any] = {"provider": provider, "model": model, "aliases": aliases}
                if patterns := self.patterns.get(provider, {}).get(model):
                    entry["patterns"] = patterns
                if rules:
                    entry["exempt"] = sorted(rules)
                models.append(entry)
        return models


_GENAI_URL = "https://github.com/pydantic/genai-prices"


def _row_key(row: Row) -> tuple[str, str, str, str]:
    return (
        row["provider"],
        row["model"],
        str(sorted(row.get("when", {}).items())),
        row["effective_from"] or "",
    )


def _exact_names(match: Any) -> tuple[list[str], list[str]]:
    """The names and anchored patterns of a match clause; prefixes and substrings are no names."""
    kind = type(match).__name__
    if kind == "ClauseOr":
        pairs = [_exact_names(one) for one in match.or_]
        return [name for names, _ in pairs for name in names], [
            pattern for _, found in pairs for pattern in found
        ]
    if kind == "ClauseEquals":
        return [match.equals], []
    if kind == "ClauseRegex" and match.regex.startswith("^") and match.regex.endswith("$"):
        return [], [match.regex[1:-1]]
    return [], []


def _windows(info: Any) -> list[tuple[str | None, str | None, Any]]:
    """The dated prices of a model, oldest first: from, to, price object."""
    if not isinstance(info.prices, list):
        return [(None, None, info.prices)]
    starts = [one.constraint.start_date.isoformat() if one.constraint else None for one in info.prices]
    return [
        (start, starts[at + 1] if at + 1 < len(starts) else None, one.prices)
        for at, (start, one) in enumerate(zip(starts, info.prices, strict=True))
    ]


def _scaled(rates: tuple[Rates, dict[int, Rates]], factor: Decimal) -> tuple[Rates, dict[int, Rates]]:
    base, above = rates
    return (
        {unit: rate * factor for unit, rate in base.items()},
        {limit: {unit: rate * factor for unit, rate in rates.items()} for limit, rates in above.items()},
    )


def _filled(
    rates: tuple[Rates, dict[int, Rates]], base: tuple[Rates, dict[int, Rates]]
) -> tuple[Rates, dict[int, Rates]]:
    """A variant's rates over the base's: what a variant does not name stays."""
    flat, above = rates
    limits = {
        limit: {**base[1].get(limit, {}), **flat, **above.get(limit, {})} for limit in {*base[1], *above}
    }
    return {**base[0], **flat}, limits


def _carried_back(
    variant: tuple[Rates, dict[int, Rates]],
    latest: tuple[Rates, dict[int, Rates]],
    earlier: tuple[Rates, dict[int, Rates]],
) -> tuple[Rates, dict[int, Rates]]:
    """What a variant's rates were while the base had other ones: the same multiple of the base."""

    def back(rate: Decimal, now: Decimal | None, then: Decimal | None) -> Decimal:
        return rate if not now or then is None else rate * then / now

    base = {unit: back(rate, latest[0].get(unit), earlier[0].get(unit)) for unit, rate in variant[0].items()}
    above = {
        limit: {
            unit: back(rate, latest[1].get(limit, {}).get(unit), earlier[1].get(limit, {}).get(unit))
            for unit, rate in rates.items()
        }
        for limit, rates in variant[1].items()
    }
    return base, above


def _older(model: str) -> bool:
    """Before the 4.5 generation Bedrock sold at one price everywhere."""
    return model.startswith("claude-3") or model in {
        "claude-opus-4-0",
        "claude-sonnet-4-0",
        "claude-opus-4-1",
    }


def _seller_name(source_id: str) -> tuple[str | None, str]:
    """Place and maker's name in an id such as `regional.anthropic.claude-opus-4-6-v1:0`."""
    match = re.fullmatch(
        r"(?:(global|regional)\.)?(?:(?:anthropic|openai)\.)?(.+?)(?:-v\d+(?::\d+)?|-\d+:\d+)?", source_id
    )
    assert match is not None
    place = match[1]
    if place is None and source_id.startswith("openai.gpt-5."):
        place = "regional"
    return place, match[2]


def build_table(stated_file: Path = STATED) -> dict[str, Any]:
    """The whole table, from the genai-prices that is installed and the facts of `stated_file`."""
    from genai_prices.data import providers

    stated = tomllib.loads(stated_file.read_text("utf-8"))
    return _Builder(
        {provider.id: provider for provider in providers}, stated, f"genai-prices {version('genai-prices')}"
    ).build()


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
