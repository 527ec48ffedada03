"""
AWS list prices by region: a dated snapshot, a file of one's own over it, live rates over that.

A rate that is not known is None. Never 0, and never the rate of another region.
"""

from __future__ import annotations

import csv
import difflib
import functools
import json
from decimal import Decimal, InvalidOperation
from importlib import resources
from typing import TYPE_CHECKING, Any

from tracked_inference.errors import PriceTableError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from pathlib import Path

__all__ = ["PriceBook", "Rates"]

# Rates by name: either one figure, or figures by type. Instance types are too many, and too new, to be listed.
_BY_TYPE: dict[str, frozenset[str]] = {
    "ebs_gib_month": frozenset({"gp2", "gp3", "io1", "io2", "sc1", "st1", "standard"}),
    "ebs_iops_month": frozenset({"gp3", "io1", "io2"}),
    "snapshot_gib_month": frozenset({"archive", "standard"}),
    "load_balancer_hour": frozenset({"application", "classic", "gateway", "network"}),
    "ec2_linux_hour": frozenset(),
}
_SINGLE = frozenset({"gp3_throughput_mibps_month", "public_ipv4_hour"})
_HEAD = frozenset({"version", "checked", "currency", "note", "sources", "regions"})

Rates = dict[tuple[str, str, str], Decimal]
"""Figures by (region, name, type); the type is empty for those that have one figure."""


class PriceBook:
    """What things cost, by region, with the date and the sources of the table."""

    def __init__(
        self, rates: Mapping[tuple[str, str, str], Decimal], version: str, sources: Iterable[str]
    ) -> None:
        self._rates = dict(rates)
        self.version = version
        self.sources = tuple(sources)

    @classmethod
    def bundled(cls) -> PriceBook:
        """Return the snapshot that comes with this package."""
        return _bundled()

    def rate(self, region: str, name: str, kind: str = "") -> Decimal | None:
        """Return one rate in US dollars, or None where it is not known."""
        found = self._rates.get((region, name, kind))
        if found is None and name == "ec2_linux_hour":
            return _bundled_instances().get((region, name, kind))
        return found

    def regions(self) -> tuple[str, ...]:
        """Return the regions of which anything is known."""
        return tuple(sorted({region for region, _, _ in self._rates}))

    def with_rates(self, rates: Rates, source: str) -> PriceBook:
        """Return a book in which these rates stand over the present ones."""
        return PriceBook({**self._rates, **rates}, self.version, (*self.sources, source))

    def with_file(self, path: Path) -> PriceBook:
        """
        Return a book in which the rates of a file stand over the present ones: negotiated rates, say.

        Raises:
            PriceTableError: The file cannot be used; the message names the key, the fault and the mend.

        """
        try:
            text = path.read_text(encoding="utf-8-sig")
        except OSError as error:
            raise PriceTableError(f"{path}: cannot be read: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise PriceTableError(f"{path}: is not UTF-8 text") from error
        return self.with_rates(_read_rates(_parse(text, str(path)), str(path)), str(path))

    def as_document(self, regions: Iterable[str]) -> dict[str, Any]:
        """Return the rates of some regions in the shape of a price file."""
        wanted = set(regions)
        document: dict[str, Any] = {}
        for (region, name, kind), figure in sorted(self._rates.items()):
            if region in wanted:
                names = document.setdefault(region, {})
                if kind:
                    names.setdefault(name, {})[kind] = format(figure, "f")
                else:
                    names[name] = format(figure, "f")
        return {
            "version": self.version,
            "currency": "USD",
            "sources": list(self.sources),
            "regions": document,
        }


def _data(name: str) -> str:
    return resources.files("tracked_inference.cloud").joinpath("data", name).read_text("utf-8")


@functools.cache
def _bundled() -> PriceBook:
    document = _parse(_data("aws-prices.json"), "aws-prices.json")
    sources = [f"{source['what']}: {source['where']}" for source in document["sources"]]
    return PriceBook(_read_rates(document, "aws-prices.json"), document["version"], sources)


@functools.cache
def _bundled_instances() -> Rates:
    # A file of its own, read only when an instance is to be priced: 24,000 figures.
    header, *rows = csv.reader(_data("aws-ec2-hourly.csv").splitlines())
    return {
        (region, "ec2_linux_hour", row[0]): Decimal(figure)
        for row in rows
        for region, figure in zip(header[1:], row[1:], strict=True)
        if figure
    }


def _parse(text: str, place: str) -> dict[str, Any]:
    try:
        document = json.loads(text, parse_float=Decimal)
    except json.JSONDecodeError as error:
        raise PriceTableError(f"{place}:{error.lineno}: not valid JSON: {error.msg}") from error
    if not isinstance(document, dict) or not isinstance(document.get("regions"), dict):
        raise PriceTableError(f"{place}: needs a mapping 'regions' of region names to rates")
    if document.get("currency", "USD") != "USD":
        raise PriceTableError(f"{place}: rates are in USD, not {document['currency']!r}")
    _refuse_unknown(place, document, _HEAD)
    return document


def _read_rates(document: dict[str, Any], place: str) -> Rates:
    rates: Rates = {}
    for region, names in document["regions"].items():
        if not isinstance(names, dict):
            raise PriceTableError(f"{place}: regions.{region} must be a mapping of rates")
        _refuse_unknown(f"{place}: regions.{region}", names, _BY_TYPE.keys() | _SINGLE)
        for name, value in names.items():
            where = f"{place}: regions.{region}.{name}"
            if name in _SINGLE:
                rates[region, name, ""] = _figure(value, where)
            elif isinstance(value, dict):
                if _BY_TYPE[name]:
                    _refuse_unknown(where, value, _BY_TYPE[name])
                for kind, figure in value.items():
                    rates[region, name, kind] = _figure(figure, f"{where}.{kind}")
            else:
                raise PriceTableError(f'{where} must be a mapping such as {{"gp3": "0.08"}}')
    return rates


def _figure(value: object, where: str) -> Decimal:
    try:
        figure = Decimal(value) if isinstance(value, (str, int, Decimal)) and value is not True else None
    except InvalidOperation:
        figure = None
    if figure is None or not figure.is_finite() or figure < 0:
        raise PriceTableError(f'{where}: {value!r} is no price; write US dollars, such as "0.08"')
    return figure


def _refuse_unknown(where: str, mapping: Mapping[str, object], known: Collection[str]) -> None:
    for key in mapping:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, n=1)
            hint = f", did you mean {near[0]!r}?" if near else f"; known are {', '.join(sorted(known))}"
            raise PriceTableError(f"{where}: unknown key {key!r}{hint}")
