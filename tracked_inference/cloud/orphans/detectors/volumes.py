"""EBS volumes that are attached to nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tracked_inference.cloud.orphans.costs import volume_cost
from tracked_inference.cloud.orphans.detectors.base import (
    Aws,
    ScanContext,
    age_in_days,
    detector,
    is_kept,
    tags_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tracked_inference.cloud.orphans.model import OrphanedResource

__all__ = ["judge_volume", "unattached_volumes"]

_CLAIM_TAGS = ("kubernetes.io/created-for/pvc/", "kubernetes.io/created-for/pv/", "CSIVolumeName")


@detector("ec2:DescribeVolumes")
def unattached_volumes(aws: Aws, context: ScanContext) -> Iterator[OrphanedResource]:
    """Yield the volumes that have been there for long enough and are attached to nothing."""
    available = [{"Name": "status", "Values": ["available"]}]
    for volume in aws.pages("ec2", "describe_volumes", "Volumes", Filters=available):
        if found := judge_volume(volume, context):
            yield found


def judge_volume(volume: Mapping[str, Any], context: ScanContext) -> OrphanedResource | None:
    """Return what is to be said of a volume as DescribeVolumes has it, if anything."""
    tags = tags_of(volume.get("Tags"))
    age = age_in_days(volume["CreateTime"], context.now)
    if (
        volume.get("State") != "available"
        or age < context.thresholds.volume_days
        or is_kept(tags, context.now)
    ):
        return None
    if (volume.get("Operator") or {}).get("Managed"):
        return None  # an AWS service made it and takes it away
    if not context.thresholds.include_kubernetes_volumes and any(key.startswith(_CLAIM_TAGS) for key in tags):
        return None  # waits for its pod to come back
    return context.finding(
        volume["VolumeId"],
        "ebs_volume",
        volume_cost(volume, context.region, context.prices),
        age_days=age,
        # The article's words; the API keeps no attachment history, so it is the age of the volume.
        reason=f"Volume unattached, created {age} days ago",
        tags=tags,
    )
