"""Whether a file holds a whole price table: each part is made ready once, so that a wrong one shows when the file is read."""

from __future__ import annotations

import re
from contextlib import contextmanager
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tracked_inference.errors import PriceTableError
from tracked_inference.pricing.rows import ALWAYS, instant, row_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["check_table"]

_KINDS: dict[type, str] = {str: "text", list: "list", dict: "table"}
_PARTS: dict[str, type] = {
    "version": str,
    "recorded_at": str,
    "sources": list,
    "units": dict,
    "models": list,
    "rows": list,
    "rules": list,
    "sellers": dict,
    "seller_names": dict,
    "hosts": dict,
}
_MEND = "make the file with `prices refresh`, and say what is yours in an overlay"


def check_table(content: Mapping[str, Any], name: str) -> None:
    """
    Refuse what is no price table.

    Raises:
        PriceTableError: A part is missing or wrong; the message names the file, the part, the fault and the mend.
    """
    for part, kind in _PARTS.items():
        if part not in content:
            raise PriceTableError(
                f"{name}: {part}: missing; this is no price table: overlays are checked with `prices check`"
            )
        _is(content[part], kind, f"{name}: {part}")
    with _reading(f"{name}: recorded_at"):
        instant(content["recorded_at"], ALWAYS)
    for unit, per in content["units"].items():
        with _reading(f"{name}: units.{unit}"):
            int(per)
    for at, row in enumerate(content["rows"]):
        _row(row, content["units"], f"{name}: rows[{at}]")
    for at, model in enumerate(content["models"]):
        _model(model, f"{name}: models[{at}]")
    for at, rule in enumerate(content["rules"]):
        _rule(rule, f"{name}: rules[{at}]")
    for part in ("sellers", "seller_names"):
        for seller, said in content[part].items():
            _is(said, dict, f"{name}: {part}.{seller}")
    for pattern, seller in content["hosts"].items():
        _is(seller, str, f"{name}: hosts.{pattern}")
        with _reading(f"{name}: hosts.{pattern}"):
            re.compile(pattern)


def _row(row: Any, units: Mapping[str, Any], key: str) -> None:
    _is(row, dict, key)
    with _reading(key):
        for rates in (row["rates"], *row.get("above", {}).values()):
            for unit, rate in rates.items():
                _rate(unit, rate, units, f"{key}.rates.{unit}")
        ready = row_of(row, units)
    _is(ready.provider, str, f"{key}.provider")
    _is(ready.model, str, f"{key}.model")


def _rate(unit: str, rate: Any, units: Mapping[str, Any], key: str) -> None:
    if unit.partition("@")[0] not in units:
        raise PriceTableError(f"{key}: no such unit; units are {', '.join(units)}")
    try:
        number = Decimal(rate)
    except (ArithmeticError, TypeError, ValueError) as error:
        raise PriceTableError(f"{key}: {rate!r} is no price; rates are decimals as text") from error
    if not number.is_finite() or number < 0:
        raise PriceTableError(f"{key}: {rate} is no price; rates are finite and not negative")


def _model(model: Any, key: str) -> None:
    _is(model, dict, key)
    with _reading(key):
        for one in (model["provider"], model["model"], *model["aliases"], *model.get("exempt", ())):
            _is(one, str, key)
        for pattern in model.get("patterns", ()):
            re.compile(pattern)


def _rule(rule: Any, key: str) -> None:
    _is(rule, dict, key)
    with _reading(key):
        for one in (rule["rule"], *rule["providers"], *rule.get("billed_categories", ())):
            _is(one, str, key)
        for factor in (rule.get("factor", "1"), *rule.get("places", {}).values()):
            Decimal(factor)
        instant(rule.get("effective_from"), ALWAYS)


def _is(value: Any, kind: type, key: str) -> None:
    if not isinstance(value, kind):
        raise PriceTableError(f"{key}: {value!r:.60} is no {_KINDS[kind]}; {_MEND}")


@contextmanager
def _reading(key: str) -> Iterator[None]:
    try:
        yield
    except KeyError as error:
        raise PriceTableError(f"{key}: {error} is missing; {_MEND}") from error
    except PriceTableError:
        raise
    except (ArithmeticError, AttributeError, TypeError, ValueError, re.error) as error:
        raise PriceTableError(f"{key}: {error}; {_MEND}") from error
