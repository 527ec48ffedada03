"""tflint's configuration, and a provider block by which Terraform itself tags everything."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tracked_inference.cloud.policies.patterns import value_pattern

if TYPE_CHECKING:
    from tracked_inference.cloud.vocabulary import TagStandard

__all__ = ["terraform_default_tags", "tflint"]

# The oldest release known to read this rule as it is written here.
_RULESET_VERSION = "0.31.0"


def tflint(standard: TagStandard) -> str:
    """Return a .tflint.hcl that requires the keys; its rule does not look at values."""
    keys = "\n".join(f"    {json.dumps(key)}," for key in standard.required)
    return f"""\
# The tagging standard: the keys. Values are checked by: tracked-inference tags check.
plugin "aws" {{
  enabled = true
  version = "{_RULESET_VERSION}"
  source  = "github.com/terraform-linters/tflint-ruleset-aws"
}}

rule "aws_resource_missing_tags" {{
  enabled = true
  tags = [
{keys}
  ]
}}
"""


def terraform_default_tags(standard: TagStandard) -> str:
    """Return a variable that refuses illegal tags, and a provider that adds them as default tags."""
    width = max(len(key) for key in standard.keys)
    fields = "\n".join(
        f"    {key:<{width}} = {'string' if key in standard.required else 'optional(string)'}"
        for key in standard.keys
    )
    validations = "\n".join(_validation(key, standard) for key in standard.keys)
    return f"""\
variable "tags" {{
  description = "Who owns what this configuration creates, and who pays for it."
  type = object({{
{fields}
  }})

{validations}}}

provider "aws" {{
  default_tags {{
    tags = {{ for key, value in var.tags : key => value if value != null }}
  }}
}}
"""


def _validation(key: str, standard: TagStandard) -> str:
    condition = f"can(regex({json.dumps(value_pattern(key, standard))}, var.tags.{key}))"
    if key not in standard.required:
        condition = f"var.tags.{key} == null || {condition}"
    values = standard.values_of(key)
    if values:
        wanted = f"one of {', '.join(values)}"
    else:
        wanted = "lower-case letters, digits, - and _, at most 63"
        if key == "created_by":
            wanted += ", or an e-mail address"
    return f"""\
  validation {{
    condition     = {condition}
    error_message = "Tag {key} must be {wanted}."
  }}
"""
