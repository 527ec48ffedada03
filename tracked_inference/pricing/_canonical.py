"""The one way in which tables are written, so that the same content has the same hash."""

from __future__ import annotations

import hashlib
import json
from typing import Any

__all__ = ["canonical_bytes", "sha256_of"]


def canonical_bytes(table: dict[str, Any]) -> bytes:
    """
    A table as JSON: keys sorted, decimals as text, each entry of a list on a line of its own, so that a diff reads well.
    """
    parts = []
    for key in sorted(table):
        value = table[key]
        if isinstance(value, list):
            lines = ",\n".join(f"  {_compact(entry)}" for entry in value)
            parts.append(f" {json.dumps(key)}: [\n{lines}\n ]" if value else f" {json.dumps(key)}: []")
        elif isinstance(value, dict):
            lines = ",\n".join(f"  {json.dumps(name)}: {_compact(value[name])}" for name in sorted(value))
            parts.append(f" {json.dumps(key)}: {{\n{lines}\n }}" if value else f" {json.dumps(key)}: {{}}")
        else:
            parts.append(f" {json.dumps(key)}: {json.dumps(value)}")
    return ("{\n" + ",\n".join(parts) + "\n}\n").encode()


def sha256_of(content: bytes) -> str:
    """The hash of some bytes, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def _compact(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
