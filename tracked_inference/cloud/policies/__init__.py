"""The tagging standard written for others to enforce: AWS, cloud-custodian, tflint, Kyverno, Terraform."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracked_inference.cloud.policies import aws, hcl, kubernetes
from tracked_inference.cloud.policies.custodian import c7n_left
from tracked_inference.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracked_inference.cloud.vocabulary import TagStandard

__all__ = ["POLICY_FORMATS", "render_policy"]

_PLAIN = {
    "c7n-left": c7n_left,
    "tflint": hcl.tflint,
    "kyverno": kubernetes.kyverno,
    "terraform-default-tags": hcl.terraform_default_tags,
}
_BY_TYPE = {"aws-tag-policy": aws.tag_policy, "scp": aws.service_control_policy}
POLICY_FORMATS = (*_BY_TYPE, *_PLAIN)


def render_policy(output: str, standard: TagStandard, *, resource_types: Sequence[str] = ()) -> str:
    """
    Return the standard as the policy file of one of `POLICY_FORMATS`.

    Args:
        output: The format.
        standard: What to write.
        resource_types: For the AWS formats, the types to hold to it; each has a default.

    Raises:
        ConfigurationError: The format takes no resource types, or not that one; or it would be too large.

    """
    if output in _BY_TYPE:
        return _BY_TYPE[output](standard, resource_types)
    if resource_types:
        raise ConfigurationError(f"{output} takes no resource types: it applies to whatever can be tagged")
    if output not in _PLAIN:
        raise ConfigurationError(f"no policy format {output!r}; there are {', '.join(POLICY_FORMATS)}")
    return _PLAIN[output](standard)
