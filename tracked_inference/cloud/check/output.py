"""The outcome of a check for machines: JSON, SARIF 2.1.0 for code scanning, and GitHub annotations."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from tracked_inference import __version__

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracked_inference.cloud.check.engine import CheckReport, Finding

__all__ = ["as_github", "as_json", "as_sarif"]

_RULES = {
    "missing": ("missing-tag", "A tag of the standard is missing."),
    "illegal": ("illegal-tag-value", "A tag has a value that the standard does not take."),
    "unknown": ("unknown-tag-value", "A tag is decided only when this is applied."),
    "expired": ("expired-exemption", "An exemption is over."),
}
_RULE_INDEX = {kind: index for index, kind in enumerate(_RULES)}


def as_json(report: CheckReport, *, strict: bool) -> str:
    """Return everything found as one JSON document."""
    document = {
        "resources_checked": report.resources_checked,
        "failures": len(report.failures(strict=strict)),
        "counts": {
            "violation": report.count("violation"),
            "unknown": report.count("unknown"),
            "exempt": report.count("exempt"),
            "baseline": report.count("baseline"),
        },
        "findings": [_as_dict(finding) for finding in report.findings],
        "unused_exemptions": list(report.unused_exemptions),
        "mended_baseline": list(report.mended_baseline),
    }
    return json.dumps(document, indent=2, ensure_ascii=False)


def _as_dict(finding: Finding) -> dict[str, Any]:
    resource = finding.resource
    return {
        "file": finding.file or None,
        "line": finding.line,
        "address": resource.address if resource else finding.key,
        "type": resource.kind if resource else None,
        "key": finding.key if resource else None,
        "kind": finding.kind,
        "status": finding.status,
        "message": finding.message,
        "add": finding.remedy,
        "reason": finding.reason or None,
    }


def as_sarif(report: CheckReport, *, strict: bool) -> str:
    """
    Return the findings as SARIF 2.1.0.

    Exempt and known ones are suppressed results. GitHub's code scanning shows those as alerts all the same.
    """
    driver = {
        "name": "tracked-inference",
        "version": __version__,
        "rules": [
            {"id": rule, "shortDescription": {"text": text}, "fullDescription": {"text": text}}
            for rule, text in _RULES.values()
        ],
    }
    results = [_as_result(finding, strict=strict) for finding in report.findings]
    document = {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{"tool": {"driver": driver}, "results": results}],
    }
    return json.dumps(document, indent=2, ensure_ascii=False)


def _as_result(finding: Finding, *, strict: bool) -> dict[str, Any]:
    resource = finding.resource
    digest = hashlib.sha256(finding.fingerprint.encode()).hexdigest()
    result: dict[str, Any] = {
        "ruleId": _RULES[finding.kind][0],
        "ruleIndex": _RULE_INDEX[finding.kind],
        "level": "error" if finding.status == "violation" or strict else "warning",
        "message": {"text": _sentence(finding)},
        "partialFingerprints": {"tagFinding/v1": digest},
        "suppressions": [],  # of all results or of none: SARIF 2.1.0, 3.27.23
    }
    if finding.file:  # GitHub refuses a whole file for one result without a place
        artifact = {
            "artifactLocation": {"uri": _uri(finding.file)},
            "region": {"startLine": finding.line or 1},
        }
        location: dict[str, Any] = {"physicalLocation": artifact}
        if resource is not None:
            location["logicalLocations"] = [{"fullyQualifiedName": resource.address, "kind": "resource"}]
        result["locations"] = [location]
    if finding.status in {"exempt", "baseline"}:
        result["level"] = "note"
        result["suppressions"] = [{"kind": "external", "justification": finding.reason}]
    return result


def as_github(report: CheckReport, *, strict: bool) -> Iterator[str]:
    """Yield workflow commands that GitHub shows beside the lines of a pull request."""
    for finding in report.findings:
        if finding.status in {"exempt", "baseline"}:
            continue
        level = "error" if finding.status == "violation" or strict else "warning"
        properties = {"title": f"tag {finding.key}"}
        if finding.file:
            properties = {"file": _shown(finding.file), "line": str(finding.line or 1), **properties}
        head = ",".join(f"{name}={_escape(value, ':,')}" for name, value in properties.items())
        yield f"::{level} {head}::{_escape(_sentence(finding))}"


def _shown(file: str) -> str:
    """Return a path as code hosts want it: relative to where the check runs, with forward slashes."""
    path = Path(file)
    if path.is_absolute() and path.is_relative_to(Path.cwd()):
        path = path.relative_to(Path.cwd())
    return path.as_posix()


def _uri(file: str) -> str:
    shown = _shown(file)
    return Path(shown).as_uri() if Path(shown).is_absolute() else quote(shown)


def _sentence(finding: Finding) -> str:
    where = f"{finding.resource.address}: " if finding.resource else ""
    return f"{where}{finding.message}" + (f"; add: {finding.remedy}" if finding.remedy else "")


def _escape(text: str, more: str = "") -> str:
    # https://docs.github.com/actions/reference/workflow-commands-for-github-actions
    for char in "%\r\n" + more:
        text = text.replace(char, f"%{ord(char):02X}")
    return text
