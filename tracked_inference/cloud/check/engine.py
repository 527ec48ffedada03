"""Holding resources against the standard: what is wrong, what cannot be known yet, what is exempt."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from tracked_inference.cloud.vocabulary import DEFAULT_STANDARD, TagStandard, check_tags

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from datetime import date

    from tracked_inference.cloud.check.exemptions import Exemption
    from tracked_inference.cloud.check.resources import TaggedResource

__all__ = ["CheckReport", "Finding", "Status", "check_resources"]

Kind = Literal["missing", "illegal", "unknown", "expired"]
Status = Literal["violation", "unknown", "exempt", "baseline"]


@dataclass(frozen=True, slots=True)
class Finding:
    """
    One key of one resource that is not, or not yet, as the standard wants it.

    Attributes:
        resource: Where.
        key: The key of the vocabulary; for an expired exemption, the address it was for.
        kind: `missing`, `illegal`, `unknown` (decided only when applied) or `expired` (an exemption).
        message: What is wrong.
        remedy: What to add, in the syntax of the format; empty where nothing is to be added.
        status: `violation` fails; `unknown` fails under strict; `exempt` and `baseline` do not.
        reason: Why it is exempt.
        exemption_place: For an expired exemption, the file and line it stands on.

    """

    resource: TaggedResource | None
    key: str
    kind: Kind
    message: str
    remedy: str = ""
    status: Status = "violation"
    reason: str = ""
    exemption_place: tuple[str, int | None] = ("", None)

    @property
    def file(self) -> str:
        """The file to be mended: of the resource, or of the exemption that is over."""
        return self.resource.file if self.resource else self.exemption_place[0]

    @property
    def line(self) -> int | None:
        """The line there, counted from 1; None where it is not known."""
        return self.resource.line if self.resource else self.exemption_place[1]

    @property
    def fingerprint(self) -> str:
        """What stays the same from run to run: the file counts for formats whose addresses are not unique."""
        if self.resource is None:
            return f"exemption:{self.key}"
        file = "" if self.resource.dialect == "terraform" else self.resource.file.replace("\\", "/")
        return f"{self.resource.dialect}|{file}|{self.resource.address}|{self.key}|{self.kind}"


@dataclass(frozen=True, slots=True)
class CheckReport:
    """
    The outcome of a check.

    Attributes:
        findings: Everything found, in the order of the files.
        resources_checked: How many places that carry tags were looked at.
        unused_exemptions: Exemptions that met nothing: a resource that is gone, or mended.
        mended_baseline: Entries of the baseline that are no longer found.

    """

    findings: tuple[Finding, ...]
    resources_checked: int
    unused_exemptions: tuple[str, ...] = ()
    mended_baseline: tuple[str, ...] = field(default=())

    def count(self, status: Status) -> int:
        """Return how many findings have a status."""
        return sum(finding.status == status for finding in self.findings)

    def failures(self, *, strict: bool = False) -> tuple[Finding, ...]:
        """Return the findings that fail the check: violations, and under `strict` unknown values too."""
        failing = {"violation", "unknown"} if strict else {"violation"}
        return tuple(finding for finding in self.findings if finding.status in failing)


def check_resources(
    resources: Iterable[TaggedResource],
    standard: TagStandard = DEFAULT_STANDARD,
    *,
    today: date,
    exemptions: Collection[Exemption] = (),
    baseline: Collection[str] = (),
) -> CheckReport:
    """Hold every resource against the standard; `baseline` has the fingerprints of what is known already."""
    findings: list[Finding] = []
    used: set[Exemption] = set()
    checked = 0
    for resource in resources:
        checked += 1
        for finding in _check_one(resource, standard):
            covering = [entry for entry in exemptions if entry.covers(resource, finding.key)]
            covering.sort(
                key=lambda entry: entry.has_expired(today)
            )  # one that holds before one that is over
            exemption = covering[0] if covering else None
            if exemption is not None:
                used.add(exemption)
            if exemption is not None and not exemption.has_expired(today):
                findings.append(_with(finding, "exempt", exemption.reason))
            elif finding.fingerprint in baseline:
                findings.append(_with(finding, "baseline", "in the baseline"))
            else:
                findings.append(finding)
    findings += [entry.as_finding() for entry in exemptions if entry.has_expired(today)]
    seen = {finding.fingerprint for finding in findings}
    return CheckReport(
        findings=tuple(findings),
        resources_checked=checked,
        unused_exemptions=tuple(
            entry.address for entry in exemptions if entry not in used and not entry.has_expired(today)
        ),
        mended_baseline=tuple(sorted(entry for entry in baseline if entry not in seen)),
    )


def _check_one(resource: TaggedResource, standard: TagStandard) -> list[Finding]:
    findings = []
    for key in resource.unknown:
        if key in standard.keys:
            message = f"{key} is decided only when this is applied"
            findings.append(Finding(resource, key, "unknown", message, status="unknown"))
    for key, why in resource.refused.items():
        if key not in standard.keys:
            continue
        value = _placeholder(key, standard) if key in resource.sensitive else str(resource.tags.get(key))
        remedy = resource.remedy({key: value})
        findings.append(Finding(resource, key, "illegal", why, remedy))
    # Known only later, so neither missing nor illegal now: left out of what is checked.
    settled = {key: value for key, value in resource.tags.items() if key not in resource.unknown}
    for problem in check_tags(settled, standard):
        if problem.key in resource.unknown or problem.key in resource.refused:
            continue
        if problem.kind == "missing" and resource.open_ended:
            message = f"{problem.key} may be among the tags that are decided only when this is applied"
            findings.append(Finding(resource, problem.key, "unknown", message, status="unknown"))
            continue
        hidden = problem.key in resource.sensitive
        suggestion = None if hidden else problem.suggestion
        findings.append(
            Finding(
                resource,
                problem.key,
                problem.kind,
                problem.discreet if hidden else problem.message,
                resource.remedy({problem.key: suggestion or _placeholder(problem.key, standard)}),
            )
        )
    order = {key: index for index, key in enumerate(standard.keys)}
    return sorted(findings, key=lambda finding: order[finding.key])


def _placeholder(key: str, standard: TagStandard) -> str:
    return "<" + "|".join(standard.values_of(key) or (key,)) + ">"


def _with(finding: Finding, status: Status, reason: str) -> Finding:
    return Finding(
        finding.resource, finding.key, finding.kind, finding.message, finding.remedy, status, reason
    )
