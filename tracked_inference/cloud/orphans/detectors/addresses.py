"""Elastic IP addresses that are associated with nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tracked_inference.cloud.orphans.costs import address_cost
from tracked_inference.cloud.orphans.detectors.base import Aws, ScanContext, detector, is_kept, tags_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tracked_inference.cloud.orphans.model import OrphanedResource

__all__ = ["judge_address", "unassociated_addresses"]


@detector("ec2:DescribeAddresses")
def unassociated_addresses(aws: Aws, context: ScanContext) -> Iterator[OrphanedResource]:
    """Yield the addresses that are allocated and not in use."""
    for address in aws.pages("ec2", "describe_addresses", "Addresses"):
        if found := judge_address(address, context):
            yield found


def judge_address(address: Mapping[str, Any], context: ScanContext) -> OrphanedResource | None:
    """Return what is to be said of an address as DescribeAddresses has it, if anything."""
    tags = tags_of(address.get("Tags"))
    in_use = any(address.get(key) for key in ("AssociationId", "InstanceId", "NetworkInterfaceId"))
    if in_use or address.get("ServiceManaged") or is_kept(tags, context.now):
        return None
    return context.finding(
        address.get("AllocationId") or address["PublicIp"],
        "elastic_ip",
        address_cost(address, context.region, context.prices),
        age_days=None,  # AWS does not keep when an address was allocated or last used
        reason=f"Address {address.get('PublicIp', '?')} is associated with nothing",
        tags=tags,
    )
