"""
Kyverno: https://kyverno.io/docs/policy-types/validating-policy.

ValidatingPolicy (stable since Kyverno 1.17) and not ClusterPolicy, which is deprecated.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tracked_inference.cloud.policies.patterns import value_pattern
from tracked_inference.cloud.vocabulary import EMAIL_PATTERN, SLUG_PATTERN, prefixed

if TYPE_CHECKING:
    from tracked_inference.cloud.vocabulary import TagStandard

__all__ = ["expression", "kyverno"]


def kyverno(standard: TagStandard) -> str:
    """Return two policies: for pods, which Kyverno extends to what starts them, and for volume claims."""
    controllers = "[deployments, statefulsets, daemonsets, jobs, cronjobs]"
    autogen = f"  autogen:\n    podControllers:\n      controllers: {controllers}\n"
    return _policy("pods", standard, autogen) + "---\n" + _policy("persistentvolumeclaims", standard, "")


def _policy(resource: str, standard: TagStandard, autogen: str) -> str:
    validations = "".join(
        f"    - message: {json.dumps(_message(key, standard))}\n"
        f"      expression: {json.dumps(expression(key, standard))}\n"
        for key in standard.keys
    )
    return f"""\
apiVersion: policies.kyverno.io/v1
kind: ValidatingPolicy
metadata:
  name: tagging-standard-{resource}
spec:
  validationActions: [Deny]
{autogen}  matchConstraints:
    resourceRules:
      - apiGroups: [""]
        apiVersions: [v1]
        operations: [CREATE, UPDATE]
        resources: [{resource}]
  validations:
{validations}"""


def expression(key: str, standard: TagStandard) -> str:
    """Return the CEL expression that holds where a key is as the standard wants it."""
    name = json.dumps(prefixed(standard.label_prefix, key))
    pattern = f"^{SLUG_PATTERN}$" if key == "created_by" else value_pattern(key, standard)
    there = f"has(object.metadata.labels) && {name} in object.metadata.labels"
    legal = f"object.metadata.labels[{name}].matches({json.dumps(pattern)})"
    if key not in standard.required:
        return f"!({there}) || {legal}"
    if key == "created_by":
        noted = f"has(object.metadata.annotations) && {name} in object.metadata.annotations"
        address = f"object.metadata.annotations[{name}].matches({json.dumps(f'^{EMAIL_PATTERN}$')})"
        return f"({there} && {legal}) || ({noted} && {address})"
    return f"{there} && {legal}"


def _message(key: str, standard: TagStandard) -> str:
    name = prefixed(standard.label_prefix, key)
    if values := standard.values_of(key):
        return f"label {name} must be one of {', '.join(values)}"
    if key == "created_by":
        return f"label {name} must be a slug, or annotation {name} an e-mail address"
    return f"label {name} must be a slug: lower-case letters, digits, - and _, at most 63"
