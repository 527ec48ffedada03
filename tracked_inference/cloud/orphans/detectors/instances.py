"""Development instances that have been running, or lying stopped with their volumes billed, for long."""

from __future__ import annotations

import re
from collections import defaultdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tracked_inference.cloud.orphans.costs import instance_cost
from tracked_inference.cloud.orphans.detectors.base import (
    Aws,
    ScanContext,
    age_in_days,
    detector,
    is_kept,
    tags_of,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from tracked_inference.cloud.orphans.model import OrphanedResource

__all__ = ["development_instances", "is_development", "judge_instance", "stopped_at"]

# "User initiated (2026-01-31 08:15:00 GMT)"
_STOPPED = re.compile(r"\((\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}) (?:GMT|UTC)\)")
_ENVIRONMENT_KEYS = frozenset({"environment", "env"})


@detector("ec2:DescribeInstances", "ec2:DescribeVolumes")
def development_instances(aws: Aws, context: ScanContext) -> Iterator[OrphanedResource]:
    """Yield the instances of development environments that have run, or been stopped, for too long."""
    instances = [
        instance
        for reservation in aws.pages("ec2", "describe_instances", "Reservations")
        for instance in reservation.get("Instances", ())
        if is_development(tags_of(instance.get("Tags")), context)
    ]
    if not instances:
        return
    attached = defaultdict(list)
    for volume in aws.pages("ec2", "describe_volumes", "Volumes"):
        for attachment in volume.get("Attachments", ()):
            attached[attachment.get("InstanceId")].append(volume)
    for instance in instances:
        if found := judge_instance(instance, attached[instance["InstanceId"]], context):
            yield found


def is_development(tags: Mapping[str, str], context: ScanContext) -> bool:
    """Whether the tags say development; an estate that is not tagged to the standard is read leniently."""
    wanted = {name.casefold() for name in context.thresholds.development_environments}
    return any(
        key.casefold() in _ENVIRONMENT_KEYS and value.casefold() in wanted for key, value in tags.items()
    )


def judge_instance(
    instance: Mapping[str, Any], volumes: Collection[Mapping[str, Any]], context: ScanContext
) -> OrphanedResource | None:
    """Return what is to be said of a development instance as DescribeInstances has it, if anything."""
    tags = tags_of(instance.get("Tags"))
    state = instance["State"]["Name"]
    if is_kept(tags, context.now) or (instance.get("Operator") or {}).get("Managed"):
        return None
    since, limit, activity = instance["LaunchTime"], context.thresholds.running_days, None
    if state == "stopped":
        stopped = stopped_at(instance)
        since, limit = stopped or since, context.thresholds.stopped_days
        activity = since.isoformat()
        age = age_in_days(since, context.now)
        what = f"stopped for {age} days" if stopped else f"stopped; last launched {age} days ago"
        reason = f"Development instance {what}, {len(volumes)} volumes still billed"
        if not volumes:
            return None  # instance store only: a stopped one costs nothing
    elif state == "running":
        age = age_in_days(since, context.now)
        reason = f"Development instance running for {age} days"
    else:
        return None
    if age < limit:
        return None
    return context.finding(
        instance["InstanceId"],
        "ec2_instance",
        instance_cost(instance, volumes, context.region, context.prices),
        age_days=age,
        reason=reason,
        tags=tags,
        last_activity=activity,
    )


def stopped_at(instance: Mapping[str, Any]) -> datetime | None:
    """Return when an instance was stopped, which AWS keeps only inside a sentence."""
    match = _STOPPED.search(instance.get("StateTransitionReason") or "")
    return datetime.strptime(match[1], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC) if match else None
