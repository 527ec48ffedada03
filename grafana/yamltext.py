"""Writes the little YAML that rule files and manifests need, the same bytes every time; a dependency saved."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["dump"]

_PLAIN = re.compile(r"[A-Za-z_/][\w ./:()%+=-]*")
_RESERVED = {"true", "false", "yes", "no", "on", "off", "null", "y", "n"}


def dump(value: object) -> str:
    """A YAML document that ends in a newline; text of several lines becomes a literal block."""
    return "\n".join(_lines(value, "")) + "\n"


def _scalar(value: object) -> str:
    if isinstance(value, str):
        plain = _PLAIN.fullmatch(value) and ": " not in value and not value.endswith((":", " "))
        return value if plain and value.lower() not in _RESERVED else json.dumps(value, ensure_ascii=False)
    return json.dumps(value)


def _lines(value: object, indent: str) -> Iterator[str]:
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from _entry(f"{indent}{_scalar(key)}:", item, indent + "  ")
    elif isinstance(value, list | tuple) and value:
        for item in value:
            nested = list(_lines(item, indent + "  "))
            if isinstance(item, dict | list | tuple) and item:
                yield f"{indent}- {nested[0][len(indent) + 2 :]}"
                yield from nested[1:]
            else:
                yield from _entry(f"{indent}-", item, indent + "  ")
    else:
        yield f"{indent}{_scalar(value)}"


def _entry(head: str, item: object, indent: str) -> Iterator[str]:
    if isinstance(item, str) and "\n" in item:
        body = item.rstrip("\n")
        yield f"{head} {'|' if item.endswith(chr(10)) else '|-'}"
        # An indentation indicator is never needed: no text here starts with a space.
        yield from (f"{indent}{line}" if line else "" for line in body.split("\n"))
    elif isinstance(item, dict | list | tuple) and item:
        yield head
        yield from _lines(item, indent)
    else:
        yield f"{head} {_scalar(item)}"
