"""
Old EBS snapshots that nothing uses.

In use is what an image of one's own refers to, disabled and deprecated ones included, a launch template or a
launch configuration; and what AWS Backup or Data Lifecycle Manager made, which they expire themselves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tracked_inference.cloud.orphans.costs import snapshot_cost
from tracked_inference.cloud.orphans.detectors.base import (
    Aws,
    ScanContext,
    age_in_days,
    detector,
    is_kept,
    tags_of,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from tracked_inference.cloud.orphans.model import OrphanedResource

__all__ = ["judge_snapshot", "old_snapshots", "snapshots_in_mappings"]

_MANAGED_TAGS = ("aws:backup:", "aws:dlm:", "dlm:managed")
_MANAGED_DESCRIPTIONS = ("This snapshot is created by the AWS Backup service",)
# A snapshot copied from elsewhere names no real volume.
_NO_VOLUME = "vol-ffffffff"


@detector(
    "ec2:DescribeSnapshots",
    "ec2:DescribeImages",
    "ec2:DescribeVolumes",
    "ec2:DescribeLaunchTemplates",
    "ec2:DescribeLaunchTemplateVersions",
    "autoscaling:DescribeLaunchConfigurations",
)
def old_snapshots(aws: Aws, context: ScanContext) -> Iterator[OrphanedResource]:
    """Yield the snapshots that are old and used by nothing."""
    snapshots = aws.pages("ec2", "describe_snapshots", "Snapshots", OwnerIds=["self"])
    if not any(_is_old(snapshot, context) for snapshot in snapshots):
        return  # nothing to hold against the rest
    used = _used_snapshots(aws)
    volumes = {volume["VolumeId"] for volume in aws.pages("ec2", "describe_volumes", "Volumes")}
    for snapshot in snapshots:
        if found := judge_snapshot(snapshot, context, used=used, volumes=volumes):
            yield found


def _used_snapshots(aws: Aws) -> set[str]:
    # Without IncludeDisabled a disabled image is not listed, and its snapshots look unused.
    images = aws.pages(
        "ec2", "describe_images", "Images", Owners=["self"], IncludeDisabled=True, IncludeDeprecated=True
    )
    used = snapshots_in_mappings(image.get("BlockDeviceMappings") for image in images)
    # All versions: an autoscaling group may be pinned to any, not only to the latest and the default.
    for template in aws.pages("ec2", "describe_launch_templates", "LaunchTemplates"):
        versions = aws.pages(
            "ec2",
            "describe_launch_template_versions",
            "LaunchTemplateVersions",
            LaunchTemplateId=template["LaunchTemplateId"],
        )
        used |= snapshots_in_mappings(
            version.get("LaunchTemplateData", {}).get("BlockDeviceMappings") for version in versions
        )
    configurations = aws.pages("autoscaling", "describe_launch_configurations", "LaunchConfigurations")
    return used | snapshots_in_mappings(entry.get("BlockDeviceMappings") for entry in configurations)


def snapshots_in_mappings(mappings: Iterable[Iterable[Mapping[str, Any]] | None]) -> set[str]:
    """Return the snapshots that block device mappings refer to."""
    return {
        snapshot
        for devices in mappings
        for device in devices or ()
        if (snapshot := (device.get("Ebs") or {}).get("SnapshotId"))
    }


def judge_snapshot(
    snapshot: Mapping[str, Any], context: ScanContext, *, used: Collection[str], volumes: Collection[str]
) -> OrphanedResource | None:
    """Return what is to be said of a snapshot as DescribeSnapshots has it, if anything."""
    tags = tags_of(snapshot.get("Tags"))
    if snapshot["SnapshotId"] in used or not _is_old(snapshot, context) or is_kept(tags, context.now):
        return None
    if any(key.startswith(_MANAGED_TAGS) for key in tags):
        return None
    if str(snapshot.get("Description", "")).startswith(_MANAGED_DESCRIPTIONS):
        return None
    age = age_in_days(snapshot["StartTime"], context.now)
    volume = snapshot.get("VolumeId")
    if not volume or volume == _NO_VOLUME:
        origin = "it is a copy"
    elif volume in volumes:
        origin = f"its volume {volume} still exists, so it may be the only backup of it"
    else:
        origin = f"its volume {volume} is gone"
    return context.finding(
        snapshot["SnapshotId"],
        "ebs_snapshot",
        snapshot_cost(snapshot, context.region, context.prices),
        age_days=age,
        reason=f"Snapshot {age} days old, no image or launch template uses it; {origin}",
        tags=tags,
    )


def _is_old(snapshot: Mapping[str, Any], context: ScanContext) -> bool:
    return age_in_days(snapshot["StartTime"], context.now) >= context.thresholds.snapshot_days
