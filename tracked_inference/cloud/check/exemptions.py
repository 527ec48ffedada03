"""
Exemptions with a reason and an end, and baselines.

An exemption file (YAML, or JSON):

    exemptions:
      - address: aws_s3_bucket.legacy_*   # * and ? stand for any text; [0] means itself
        keys: [cost_center]               # default: every key
        reason: moves to the new account in January
        expires: 2027-01-31               # the last day it holds
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from tracked_inference.cloud.check.documents import line_of, parse_yaml
from tracked_inference.cloud.check.engine import Finding
from tracked_inference.cloud.check.resources import UnreadableFileError
from tracked_inference.cloud.vocabulary import TAG_KEYS

if TYPE_CHECKING:
    from pathlib import Path

    from tracked_inference.cloud.check.engine import CheckReport
    from tracked_inference.cloud.check.resources import TaggedResource

__all__ = ["Exemption", "read_baseline", "read_exemptions", "write_baseline"]

_FIELDS = {"address", "keys", "reason", "expires"}


@dataclass(frozen=True, slots=True)
class Exemption:
    """
    Leave given to some resources to be without some tags, for a time.

    Attributes:
        address: Of the resources, `*` and `?` standing for any text.
        keys: Of the tags; empty means all.
        reason: Why.
        expires: The last day it holds, in UTC.
        file: Where it was given.
        line: And on which line.

    """

    address: str
    keys: frozenset[str]
    reason: str
    expires: date
    file: str = ""
    line: int | None = None

    def covers(self, resource: TaggedResource, key: str) -> bool:
        """Whether it is for this key of this resource."""
        if self.keys and key not in self.keys:
            return False
        pattern = "".join(
            ".*" if char == "*" else "." if char == "?" else re.escape(char) for char in self.address
        )
        return re.fullmatch(pattern, resource.address, re.DOTALL) is not None

    def has_expired(self, today: date) -> bool:
        """Whether its last day is over."""
        return today > self.expires

    def as_finding(self) -> Finding:
        """Return the finding that an expired exemption is."""
        place = f" ({self.file}:{self.line})" if self.line else ""
        message = (
            f"the exemption for {self.address} ended on {self.expires}{place}: tag the resource or renew it"
        )
        return Finding(None, self.address, "expired", message, exemption_place=(self.file, self.line))


def read_exemptions(path: Path) -> list[Exemption]:
    """Return the exemptions of a file, or raise UnreadableFileError naming entry, fault and mend."""
    documents = parse_yaml(_read(path), str(path))
    document = documents[0] if documents else None
    entries = document.get("exemptions") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise UnreadableFileError(f"{path}: needs a list under the key 'exemptions'")
    return [_read_entry(entry, path) for entry in entries]


def _read_entry(entry: Any, path: Path) -> Exemption:
    place = f"{path}:{line_of(entry)}" if line_of(entry) else str(path)
    if not isinstance(entry, dict):
        raise UnreadableFileError(f"{place}: an exemption is a mapping with address, reason and expires")
    if extra := set(entry) - _FIELDS:
        raise UnreadableFileError(f"{place}: unknown key {min(map(str, extra))!r}; known: {sorted(_FIELDS)}")
    for name in ("address", "reason"):
        if not isinstance(entry.get(name), str) or not entry[name].strip():
            raise UnreadableFileError(f"{place}: an exemption needs {name!r}: a line of text")
    expires = entry.get("expires")
    if isinstance(expires, datetime):
        expires = expires.date()
    elif isinstance(expires, str):
        try:
            expires = date.fromisoformat(expires)
        except ValueError:
            expires = None
    if not isinstance(expires, date):
        raise UnreadableFileError(f"{place}: an exemption needs 'expires': its last day, such as 2027-01-31")
    keys = entry.get("keys") or []
    if not isinstance(keys, list) or any(key not in TAG_KEYS for key in keys):
        raise UnreadableFileError(f"{place}: 'keys' is a list of some of {', '.join(TAG_KEYS)}")
    return Exemption(entry["address"], frozenset(keys), entry["reason"], expires, str(path), line_of(entry))


def read_baseline(path: Path) -> frozenset[str]:
    """Return the fingerprints of a baseline file, or raise UnreadableFileError."""
    try:
        document = json.loads(_read(path))
    except json.JSONDecodeError as error:
        raise UnreadableFileError(f"{path}:{error.lineno}: not a baseline: {error.msg}") from error
    known = document.get("known") if isinstance(document, dict) else None
    if not isinstance(known, list) or not all(isinstance(entry, str) for entry in known):
        raise UnreadableFileError(f"{path}: not a baseline; write one with --write-baseline {path}")
    return frozenset(known)


def write_baseline(path: Path, report: CheckReport) -> int:
    """Write what is wrong today as the baseline, and return how many entries that is."""
    known = sorted(
        {
            finding.fingerprint
            for finding in report.findings
            if finding.resource and finding.status != "exempt"
        }
    )
    path.write_text(json.dumps({"version": 1, "known": known}, indent=2) + "\n", encoding="utf-8")
    return len(known)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UnreadableFileError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UnreadableFileError(f"{path}: is not UTF-8 text") from error
