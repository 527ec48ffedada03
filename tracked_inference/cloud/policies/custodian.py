"""cloud-custodian's c7n-left, which checks Terraform source: https://cloudcustodian.io/docs/tools/c7n-left.html."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tracked_inference.cloud.policies.patterns import value_pattern

if TYPE_CHECKING:
    from tracked_inference.cloud.vocabulary import TagStandard

__all__ = ["c7n_left"]


def c7n_left(standard: TagStandard) -> str:
    """Return one policy for each key: present where it is required, and of a legal value where it is set."""
    blocks = ["policies:\n"]
    for key in standard.keys:
        required = key in standard.required
        values = standard.values_of(key)
        wanted = (
            f"one of {', '.join(values)}"
            if values
            else "a slug" + (" or an e-mail address" if key == "created_by" else "")
        )
        # JSON strings are YAML strings, and quote every character that YAML minds.
        block = (
            f"  - name: tagging-standard-{key.replace('_', '-')}\n"
            f"    resource: terraform.aws*\n"
            f"    description: {json.dumps(f'tag {key} must be {wanted}')}\n"
            f"    metadata:\n"
            f"      severity: high\n"
            f"      category: [cost]\n"
            f"    filters:\n"
            f"      - taggable\n"
        )
        if required:
            block += (
                "      - or:\n"
                f"          - tag:{key}: absent\n"
                "          - not:\n"
                f"              - type: value\n"
                f"                key: tag:{key}\n"
                f"                op: regex\n"
                f"                value: {json.dumps(value_pattern(key, standard))}\n"
            )
        else:
            block += (
                f"      - tag:{key}: present\n"
                "      - not:\n"
                f"          - type: value\n"
                f"            key: tag:{key}\n"
                f"            op: regex\n"
                f"            value: {json.dumps(value_pattern(key, standard))}\n"
            )
        blocks.append(block)
    return "".join(blocks)
