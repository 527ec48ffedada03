"""
What a user lays over the bundled prices: models, discounts, deployments, base URLs, machines of their own.

The format is in docs/howto/prices.md. Everything is checked when the overlay is read; nothing of it can fail later.
"""

from __future__ import annotations

import difflib
import json
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from tracked_inference.errors import PriceTableError
from tracked_inference.pricing._canonical import sha256_of
from tracked_inference.pricing.discounts import Discount
from tracked_inference.pricing.hosts import bare_url
from tracked_inference.pricing.rows import ALWAYS, EVER, EXACT, instant
from tracked_inference.pricing.units import UNITS
from tracked_inference.usage import FEE_UNITS, TOKEN_UNITS

if TYPE_CHECKING:
    from datetime import datetime

__all__ = ["Overlay", "meant", "read_overlay"]

_BY_THE_MILLION = frozenset({*TOKEN_UNITS, "character"})
_BY_THE_THOUSAND = frozenset({"web_search", "web_search_preview", "file_search"})
_BY_ONE = frozenset({"second", "image", "video_second"})
_RATES = {
    "per_million": (_BY_THE_MILLION, 1),
    "per_thousand": (_BY_THE_THOUSAND, 1),
    "per_unit": (_BY_ONE | _BY_THE_THOUSAND | _BY_THE_MILLION, None),
}
_REGIONS = ("global", "data_zone", "regional")
_TOP = ("models", "discounts", "self_hosted", "azure_deployments", "base_urls", "assume_snapshots", "table")
_MOST = Decimal(1_000_000)


@dataclass(slots=True)
class Overlay:
    """
    One overlay, checked.

    Attributes:
        name: The file's path, or `mapping`.
        sha256: The hash of its content.
        rows: Rows as the table file has them.
        names: Aliases by (seller, model).
        discounts: Discounts.
        deployments: Model and deployment type by the name of an Azure deployment.
        hosts: Seller and region by `base_url`.
        table: The file of a whole table to put under the overlay instead of the bundled one.
        assume_snapshots: Whether an unlisted dated snapshot of a listed model has that model's price.
    """

    name: str
    sha256: str
    rows: list[dict[str, Any]] = field(default_factory=list)
    names: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    discounts: list[Discount] = field(default_factory=list)
    deployments: dict[str, tuple[str, str | None]] = field(default_factory=dict)
    hosts: dict[str, tuple[str, str | None]] = field(default_factory=dict)
    table: Path | None = None
    assume_snapshots: bool | None = None


def read_overlay(source: str | Path | Mapping[str, Any]) -> Overlay:
    """
    Read and check an overlay.

    Args:
        source: The path of a TOML or JSON file, or the same as a mapping.

    Raises:
        PriceTableError: It cannot be used; the message says file, key, fault and mend.
    """
    if isinstance(source, Mapping):
        return _Reader("mapping").read(dict(source))
    try:
        path = Path(source)
    except TypeError as error:
        raise PriceTableError(
            f"an overlay is the path of a TOML or JSON file or the same as a mapping, not {type(source).__qualname__!r}"
        ) from error
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise PriceTableError(
            f"cannot read the price file {path}: {reason}; give the path of a TOML or JSON file"
            " (TRACKED_INFERENCE_PRICES or with_overlay)"
        ) from error
    try:
        content = (
            json.loads(text, parse_float=Decimal)
            if path.suffix.lower() == ".json"
            else tomllib.loads(text, parse_float=Decimal)
        )
    except (ValueError, ArithmeticError, RecursionError) as error:
        kind = "JSON" if path.suffix.lower() == ".json" else "TOML"
        raise PriceTableError(
            f"{path} is not {kind}: {error}; see docs/howto/prices.md for the format"
        ) from error
    if not isinstance(content, dict):
        raise PriceTableError(f"{path}: the file holds no table; see docs/howto/prices.md for the format")
    if "format" in content:  # a whole table, as `prices refresh` writes it
        return Overlay(str(path), "", table=path)
    overlay = _Reader(str(path)).read(content)
    if overlay.table is not None:
        overlay.table = path.parent / overlay.table
    return overlay


class _Reader:
    """Reads one overlay; knows its name for the messages."""

    def __init__(self, name: str) -> None:
        self.name = name

    def fail(self, key: str, fault: str, mend: str) -> NoReturn:
        raise PriceTableError(f"{self.name}: {key}: {fault}; {mend}")

    def read(self, content: dict[str, Any]) -> Overlay:
        self._known(content, _TOP, "")
        canonical = json.dumps(
            content, sort_keys=True, separators=(",", ":"), default=str, ensure_ascii=False
        )
        overlay = Overlay(self.name, sha256_of(canonical.encode("utf-8", "surrogatepass")))
        for at, one in enumerate(self._tables(content, "models")):
            self._model(one, f"models[{at}]", overlay)
        for at, one in enumerate(self._tables(content, "self_hosted")):
            self._self_hosted(one, f"self_hosted[{at}]", overlay)
        for at, one in enumerate(self._tables(content, "discounts")):
            overlay.discounts.append(self._discount(one, f"discounts[{at}]", at))
        for name, value in self._table(content, "azure_deployments").items():
            overlay.deployments[name] = self._pair(value, f"azure_deployments.{name}", "model", "type")
        for name, value in self._table(content, "base_urls").items():
            overlay.hosts[bare_url(name)] = self._pair(value, f"base_urls.{name}", "provider", "region")
        if "assume_snapshots" in content:
            if not isinstance(content["assume_snapshots"], bool):
                self.fail(
                    "assume_snapshots",
                    f"{content['assume_snapshots']!r} is no boolean",
                    "write true or false",
                )
            overlay.assume_snapshots = content["assume_snapshots"]
        if "table" in content:
            overlay.table = Path(self._name(content, "", "table"))
        self._overlaps(overlay)
        return overlay

    # -- the tables of an overlay ------------------------------------------------------------------------------------

    def _model(self, one: dict[str, Any], key: str, overlay: Overlay) -> None:
        window = ("effective_from", "effective_to")
        self._known(one, ("provider", "model", "aliases", *window, "source", "above", *_RATES), key)
        provider, model = self._name(one, key, "provider"), self._name(one, key, "model")
        rates = self._rates(one, key)
        if not rates:
            self.fail(key, "no rate", 'add per_million = { input = "2.00", output = "10.00" }')
        above = {}
        for at, level in enumerate(self._tables(one, "above", key)):
            there = f"{key}.above[{at}]"
            self._known(level, ("input_tokens", *_RATES), there)
            limit = level.get("input_tokens")
            if type(limit) is not int or limit <= 0:
                self.fail(
                    f"{there}.input_tokens",
                    f"{limit!r} is no count of tokens",
                    "write a whole number above 0",
                )
            above[str(limit)] = self._rates(level, there)
        self._row(overlay, one, key, provider, model, rates, above)
        overlay.names.setdefault((provider, model), []).extend(self._aliases(one, key))

    def _self_hosted(self, one: dict[str, Any], key: str, overlay: Overlay) -> None:
        """A model on machines of the user's own: the price of the machine over the tokens it was measured to do."""
        window = ("effective_from", "effective_to")
        numbers = ("usd_per_gpu_hour", "tokens_per_hour", "gpus")
        self._known(one, ("provider", "model", "aliases", *window, "source", *numbers), key)
        provider = self._name(one, key, "provider") if "provider" in one else "local"
        model = self._name(one, key, "model")
        hourly = self._number(one.get("usd_per_gpu_hour"), f"{key}.usd_per_gpu_hour")
        tokens = self._number(one.get("tokens_per_hour"), f"{key}.tokens_per_hour")
        machines = self._number(one.get("gpus", 1), f"{key}.gpus")
        if tokens <= 0:
            self.fail(
                f"{key}.tokens_per_hour",
                "not above 0",
                "write the tokens that you measured in an hour, all GPUs",
            )
        per_million = EXACT.divide(EXACT.multiply(EXACT.multiply(hourly, machines), 1_000_000), tokens)
        rate = str(EXACT.quantize(per_million, Decimal("1E-12")))
        self._row(overlay, one, key, provider, model, {"input": rate, "output": rate}, {})
        overlay.rows[-1]["assumed"] = {"*": "self_hosted_rate"}
        overlay.names.setdefault((provider, model), []).extend(self._aliases(one, key))

    def _row(
        self,
        overlay: Overlay,
        one: dict[str, Any],
        key: str,
        provider: str,
        model: str,
        rates: dict[str, str],
        above: dict[str, dict[str, str]],
    ) -> None:
        start, end = self._window(one, key)
        overlay.rows.append(
            {
                "provider": provider,
                "model": model,
                "effective_from": start.isoformat() if start != ALWAYS else None,
                "effective_to": end.isoformat() if end != EVER else None,
                "recorded_at": "",
                "source": str(one.get("source") or self.name),
                "rates": rates,
                "above": above,
            }
        )

    def _discount(self, one: dict[str, Any], key: str, order: int) -> Discount:
        self._known(
            one, ("name", "percent", "provider", "model", "unit", "effective_from", "effective_to"), key
        )
        percent = self._number(one.get("percent"), f"{key}.percent")
        if percent > 100:
            self.fail(
                f"{key}.percent",
                f"{percent} is above 100",
                "write what is taken off the list price: 15 for 15 %",
            )
        unit = one.get("unit")
        units = ("tokens", "fees", *TOKEN_UNITS, *FEE_UNITS)
        if unit is not None and unit not in units:
            self.fail(f"{key}.unit", f"{unit!r} is no unit", meant(str(unit), units))
        start, end = self._window(one, key)
        return Discount(
            name=str(one.get("name") or f"{EXACT.normalize(percent):f}%"),
            factor=EXACT.divide(EXACT.subtract(Decimal(100), percent), Decimal(100)),
            start=start,
            end=end,
            provider=self._name(one, key, "provider") if "provider" in one else None,
            model=self._name(one, key, "model") if "model" in one else None,
            unit=unit,
            order=order,
        )

    def _pair(self, value: object, key: str, first: str, second: str) -> tuple[str, str | None]:
        """A name, or a table of a name and where it is."""
        if isinstance(value, str) and value:
            return value, None
        if isinstance(value, dict):
            self._known(value, (first, second), key)
            where = value.get(second)
            if where is not None and not (
                isinstance(where, str) and (first == "provider" or where in _REGIONS)
            ):
                self.fail(
                    f"{key}.{second}", f"{where!r} is no {second}", f"write one of {', '.join(_REGIONS)}"
                )
            return self._name(value, key, first), where
        self.fail(
            key, f"{value!r} names no {first}", f'write a name, or {{ {first} = "…", {second} = "global" }}'
        )
        raise AssertionError  # `fail` does not return

    # -- values ------------------------------------------------------------------------------------------------------

    def _rates(self, one: dict[str, Any], key: str) -> dict[str, str]:
        """Rates as the table file has them: in its own numbers of a unit."""
        rates: dict[str, str] = {}
        for kind, (units, _) in _RATES.items():
            for unit, value in self._table(one, kind, key).items():
                there = f"{key}.{kind}.{unit}"
                if unit.partition("@")[0] not in units:
                    known = sorted(units)
                    self.fail(there, f"{unit!r} is no unit that is sold so", meant(unit, known))
                number = self._number(value, there)
                if kind == "per_unit":
                    number = EXACT.multiply(number, UNITS[unit.partition("@")[0]])
                rates[unit] = format(number, "f")
        return rates

    def _number(self, value: object, key: str) -> Decimal:
        mend = 'write a decimal such as "2.50"'
        if value is None:
            self.fail(key, "missing", mend)
        if isinstance(value, bool) or not isinstance(value, (str, int, float, Decimal)):
            self.fail(key, f"{value!r} is no number", mend)
        try:
            number = Decimal(repr(value) if isinstance(value, float) else value)
        except ArithmeticError:
            self.fail(key, f"{value!r} is no number", mend)
        if not number.is_finite() or number < 0:
            self.fail(key, f"{value} is no price", "prices are finite and not negative")
        if not key.endswith(".tokens_per_hour") and number > _MOST:
            self.fail(
                key, f"{value} is above {_MOST:,}", "check the unit: rates are US dollars per million tokens"
            )
        return number

    def _window(self, one: dict[str, Any], key: str) -> tuple[datetime, datetime]:
        found = []
        for name, default in (("effective_from", ALWAYS), ("effective_to", EVER)):
            value = one.get(name)
            try:
                if not (value is None or isinstance(value, (str, date))):
                    raise ValueError  # noqa: TRY301  # one message for all that is no date
                found.append(instant(value, default))
            except ValueError:
                self.fail(
                    f"{key}.{name}",
                    f"{value!r} is no date",
                    "write 2026-12-01 (midnight UTC) or a time with its zone",
                )
        if found[0] >= found[1]:
            self.fail(f"{key}.effective_to", "not after effective_from", "the end is not included")
        return found[0], found[1]

    def _name(self, one: dict[str, Any], key: str, name: str) -> str:
        value = one.get(name)
        if not isinstance(value, str) or not value.strip() or len(value) > 200:
            self.fail(
                f"{key}.{name}", "missing" if value is None else f"{value!r} is no name", "write it as text"
            )
        return value.strip()

    def _aliases(self, one: dict[str, Any], key: str) -> list[str]:
        aliases = one.get("aliases", [])
        if not isinstance(aliases, list) or not all(isinstance(alias, str) and alias for alias in aliases):
            self.fail(f"{key}.aliases", f"{aliases!r} is no list of names", 'write ["name", "other-name"]')
        return aliases

    def _tables(self, content: dict[str, Any], name: str, key: str = "") -> list[dict[str, Any]]:
        value = content.get(name, [])
        if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
            there = f"{key}.{name}" if key else name
            self.fail(there, "is no list of tables", f"write [[{name}]] before each entry")
        return value

    def _table(self, content: dict[str, Any], name: str, key: str = "") -> dict[str, Any]:
        value = content.get(name, {})
        if not isinstance(value, dict) or not all(isinstance(one, str) for one in value):
            self.fail(
                f"{key}.{name}" if key else name,
                "is no table",
                f"write [{name}] and a name = value on each line",
            )
        return value

    def _known(self, content: dict[str, Any], known: tuple[str, ...], key: str) -> None:
        for name in content:
            if name not in known:
                self.fail(
                    f"{key}.{name}" if key else str(name),
                    "is not a key that is known here",
                    meant(str(name), known),
                )

    def _overlaps(self, overlay: Overlay) -> None:
        windows: dict[tuple[str, str], list[tuple[datetime, datetime]]] = {}
        for row in overlay.rows:
            start, end = instant(row["effective_from"], ALWAYS), instant(row["effective_to"], EVER)
            others = windows.setdefault((row["provider"], row["model"]), [])
            if any(start < other_end and other_start < end for other_start, other_end in others):
                self.fail(
                    f"models: {row['provider']} {row['model']}",
                    "two rows hold at the same time",
                    "close the older one with effective_to",
                )
            others.append((start, end))


def meant(name: str, known: Collection[str], otherwise: str | None = None) -> str:
    """How to mend a name that is not known: the closest one that is, or `otherwise`, or all of them."""
    close = difflib.get_close_matches(name, known, 1)
    return f"did you mean {close[0]!r}?" if close else otherwise or f"known are {', '.join(known)}"
