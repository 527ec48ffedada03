"""
AWS Organizations: tag policies and service control policies.

Syntax: https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_example-tag-policies.html
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from tracked_inference.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracked_inference.cloud.vocabulary import TagStandard

__all__ = ["service_control_policy", "tag_policy"]

_TAG_POLICY_TYPES = (
    "ec2:instance",
    "ec2:volume",
    "ec2:snapshot",
    "elasticloadbalancing:loadbalancer",
    "lambda:function",
    "rds:db",
    "s3:bucket",
)
_TYPE = re.compile(r"[a-z0-9-]+:[A-Za-z0-9_*/-]+")
_TAG_POLICY_LIMIT = 10_000  # characters of a tag policy document
_SCP_LIMIT = 5_120  # characters of a service control policy document

# What creates a resource of each type, and the resource the request's tags are judged against.
_CREATORS: dict[str, tuple[tuple[str, ...], str]] = {
    "ec2:instance": (("ec2:RunInstances",), "arn:aws:ec2:*:*:instance/*"),
    "ec2:volume": (("ec2:CreateVolume", "ec2:RunInstances"), "arn:aws:ec2:*:*:volume/*"),
    "ec2:snapshot": (("ec2:CreateSnapshot", "ec2:CreateSnapshots"), "arn:aws:ec2:*::snapshot/*"),
    "elasticloadbalancing:loadbalancer": (
        ("elasticloadbalancing:CreateLoadBalancer",),
        "arn:aws:elasticloadbalancing:*:*:loadbalancer/*",
    ),
    "lambda:function": (("lambda:CreateFunction",), "arn:aws:lambda:*:*:function:*"),
    "rds:db": (("rds:CreateDBInstance",), "arn:aws:rds:*:*:db:*"),
}
_SCP_TYPES = ("ec2:instance", "ec2:volume")


def tag_policy(standard: TagStandard, resource_types: Sequence[str] = ()) -> str:
    """
    Return a tag policy: how keys are spelt, which values are legal where listed, where a key is required.

    `report_required_tag_for` is what Terraform (`tag_policy_compliance`), CloudFormation and Pulumi enforce.
    """
    types = list(resource_types or _TAG_POLICY_TYPES)
    if wrong := [kind for kind in types if not _TYPE.fullmatch(kind)]:
        raise ConfigurationError(f"{wrong[0]!r} is no resource type of AWS; one is written ec2:instance")
    tags: dict[str, Any] = {}
    for key in standard.keys:
        rule: dict[str, Any] = {"tag_key": {"@@assign": key}}
        if values := standard.values_of(key):
            rule["tag_value"] = {"@@assign": list(values)}
        if key in standard.required:
            rule["report_required_tag_for"] = {"@@assign": types}
        tags[key] = rule
    return _within({"tags": tags}, _TAG_POLICY_LIMIT, "tag policy")


def service_control_policy(standard: TagStandard, resource_types: Sequence[str] = ()) -> str:
    """
    Return a service control policy that denies creating what lacks a required tag or has no legal value.

    One statement for each key: conditions inside one are joined by "and", so that a single statement would
    deny only what lacks every key.
    """
    types = tuple(resource_types or _SCP_TYPES)
    if unknown := [kind for kind in types if kind not in _CREATORS]:
        known = ", ".join(_CREATORS)
        raise ConfigurationError(f"no create action is known for {unknown[0]!r}; there are {known}")
    actions = sorted({action for kind in types for action in _CREATORS[kind][0]})
    resources = [_CREATORS[kind][1] for kind in types]
    deny = {"Effect": "Deny", "Action": actions, "Resource": resources}
    statements: list[dict[str, Any]] = []
    for key in standard.keys:
        tag = f"aws:RequestTag/{key}"
        name = "".join(word.capitalize() for word in key.split("_"))
        if key in standard.required:
            statements.append({"Sid": f"Require{name}", **deny, "Condition": {"Null": {tag: "true"}}})
        if values := standard.values_of(key):
            condition: dict[str, Any] = {"StringNotEquals": {tag: list(values)}}
            if key not in standard.required:
                condition["Null"] = {tag: "false"}
            statements.append({"Sid": f"Values{name}", **deny, "Condition": condition})
    return _within({"Version": "2012-10-17", "Statement": statements}, _SCP_LIMIT, "service control policy")


def _within(document: dict[str, Any], limit: int, what: str) -> str:
    text = json.dumps(document, indent=2) + "\n"
    if len(text) > limit:
        text = json.dumps(document, separators=(",", ":")) + "\n"
    if len(text) <= limit:
        return text
    raise ConfigurationError(
        f"the {what} would have {len(text)} characters, AWS takes {limit}: name fewer types"
    )
