"""`tracked-inference tags`: check plans, templates and manifests, and write the standard for others."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tracked_inference.cloud.vocabulary import DEFAULT_STANDARD, TAG_KEYS, TagStandard
from tracked_inference.errors import ConfigurationError
from tracked_inference.slugs import is_slug

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracked_inference.cloud.check.engine import CheckReport

__all__ = ["command"]

POLICY_FORMATS = ("aws-tag-policy", "scp", "c7n-left", "tflint", "kyverno", "terraform-default-tags")

_FILE = click.Path(dir_okay=False, path_type=Path)
_PREFIX = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?/?")  # a DNS subdomain, as Kubernetes has it


@click.group(name="tags")
def command() -> None:
    """Hold cloud resources to the tagging standard."""


def _standard_options(function: Callable[..., None]) -> Callable[..., None]:
    for option in (
        click.option(
            "--label-prefix", default="", help="Stands before the keys in Kubernetes: cost.example.com/."
        ),
        click.option(
            "--allow",
            "allowed",
            multiple=True,
            metavar="KEY=VALUE[,VALUE]",
            help="The only values a key may have: team=documents,search. Repeat for more keys.",
        ),
        click.option(
            "--environment",
            "environments",
            multiple=True,
            metavar="NAME",
            help="A legal environment, in place of production, staging and development. Repeat for more.",
        ),
    ):
        function = option(function)
    return function


def _standard(environments: tuple[str, ...], allowed: tuple[str, ...], label_prefix: str) -> TagStandard:
    lists: dict[str, tuple[str, ...]] = {}
    for entry in allowed:
        key, found, values = entry.partition("=")
        if not found or key not in TAG_KEYS or not values:
            raise click.UsageError(
                f"--allow {entry}: write KEY=VALUE,VALUE with a key of {', '.join(TAG_KEYS)}"
            )
        lists[key] = tuple(values.split(","))
    if "environment" in lists:
        environments += lists.pop("environment")
    for value in (*environments, *(value for values in lists.values() for value in values)):
        if not is_slug(value):
            raise click.UsageError(f"{value!r} is no slug, so nothing could ever be tagged with it legally")
    if label_prefix and not _PREFIX.fullmatch(label_prefix):
        raise click.UsageError(f"--label-prefix {label_prefix}: write a domain, such as cost.example.com/")
    standard = replace(DEFAULT_STANDARD, allowed=lists, label_prefix=label_prefix)
    return replace(standard, environments=environments) if environments else standard


@command.command(short_help="Check plans, templates and manifests.")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--format", "output", type=click.Choice(["table", "json", "sarif", "github"]), default="table",
    show_default=True, help="github prints annotations for a pull request.",
)  # fmt: skip
@click.option("--strict", is_flag=True, help="Fail on tags that are decided only when applied, too.")
@click.option("--include-unchanged", is_flag=True, help="Look at resources a plan leaves as they are, too.")
@click.option("--stack-tag", "stack_tags", multiple=True, metavar="KEY=VALUE",
              help="A tag the CloudFormation stack itself will be given. Repeat for more.")  # fmt: skip
@click.option("--exemptions", type=_FILE, help="Exemptions, each with a reason and an end.")
@click.option("--baseline", type=_FILE, help="What is known to be wrong: only what is new fails.")
@click.option("--write-baseline", type=_FILE, help="Write what is wrong today to this file, and succeed.")
@_standard_options
def check(
    files: tuple[Path, ...],
    output: str,
    *,
    strict: bool,
    include_unchanged: bool,
    stack_tags: tuple[str, ...],
    exemptions: Path | None,
    baseline: Path | None,
    write_baseline: Path | None,
    environments: tuple[str, ...],
    allowed: tuple[str, ...],
    label_prefix: str,
) -> None:
    """
    Check Terraform plans (JSON), CloudFormation templates and Kubernetes manifests.

    Exit 0: clean. 1: violations. 2: a file or argument cannot be used.
    """
    from tracked_inference.cloud.check import check_resources, read_resources
    from tracked_inference.cloud.check import exemptions as leave

    standard = _standard(environments, allowed, label_prefix)
    pairs = dict(_pair("--stack-tag", entry) for entry in stack_tags)
    try:
        resources = [
            resource
            for file in files
            for resource in read_resources(
                file, stack_tags=pairs, label_prefix=label_prefix, include_unchanged=include_unchanged
            )
        ]
        report = check_resources(
            resources,
            standard,
            today=datetime.now(UTC).date(),
            exemptions=leave.read_exemptions(exemptions) if exemptions else (),
            baseline=leave.read_baseline(baseline) if baseline else (),
        )
        if write_baseline:
            known = leave.write_baseline(write_baseline, report)
            click.echo(f"{write_baseline}: {known} known findings", err=True)
            return
    except ConfigurationError as error:
        raise click.UsageError(str(error)) from error
    except OSError as error:
        raise click.UsageError(f"{error.filename}: {error.strerror}") from error
    _print(report, output, strict=strict)
    if report.failures(strict=strict):
        sys.exit(1)


def _pair(option: str, entry: str) -> tuple[str, str]:
    key, found, value = entry.partition("=")
    if not found or not key:
        raise click.UsageError(f"{option} {entry}: write KEY=VALUE")
    return key, value


def _print(report: CheckReport, output: str, *, strict: bool) -> None:
    from tracked_inference.cloud.check.output import as_github, as_json, as_sarif

    if output == "json":
        click.echo(as_json(report, strict=strict))
    elif output == "sarif":
        click.echo(as_sarif(report, strict=strict))
    elif output == "github":
        for line in as_github(report, strict=strict):
            click.echo(line)
    else:
        _print_table(report, strict=strict)


def _print_table(report: CheckReport, *, strict: bool) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(width=None if sys.stdout.isatty() else 160)
    shown = [finding for finding in report.findings if finding.status in {"violation", "unknown"}]
    if shown:
        table = Table("", "resource", "fault", "add", show_lines=True)
        for column in table.columns:
            column.overflow = "fold"  # what is cut off could be neither found nor added
        for finding in shown:
            resource = finding.resource
            place = f"\n{resource.file}:{resource.line}" if resource and resource.line else ""
            failed = finding.status == "violation" or strict
            table.add_row(
                Text("FAIL", "bold red") if failed else Text("?", "yellow"),
                Text(f"{resource.address}{place}" if resource else finding.key),
                Text(finding.message),
                Text(finding.remedy),
            )
        console.print(table)
    for address in report.unused_exemptions:
        console.print(Text(f"unused exemption: {address}", "yellow"))
    for entry in report.mended_baseline:
        console.print(Text(f"mended, drop it from the baseline: {entry}", "yellow"))
    console.print(
        f"{report.resources_checked} places checked: {report.count('violation')} violations, "
        f"{report.count('unknown')} unknown until applied, {report.count('exempt')} exempt, "
        f"{report.count('baseline')} in the baseline"
    )


@command.command()
@click.option(
    "--format", "output", type=click.Choice(POLICY_FORMATS), required=True, help="Who is to enforce it."
)
@click.option("--resource-type", "resource_types", multiple=True, metavar="TYPE",
              help="For aws-tag-policy and scp: a type to hold to it, such as ec2:instance.")  # fmt: skip
@_standard_options
def policy(
    output: str,
    *,
    resource_types: tuple[str, ...],
    environments: tuple[str, ...],
    allowed: tuple[str, ...],
    label_prefix: str,
) -> None:
    """Write the standard as a policy that others enforce."""
    from tracked_inference.cloud.policies import render_policy

    try:
        text = render_policy(
            output, _standard(environments, allowed, label_prefix), resource_types=resource_types
        )
    except ConfigurationError as error:
        raise click.UsageError(str(error)) from error
    click.echo(text, nl=False)
