"""The detectors: each declares the AWS actions it needs; what counts as orphaned, pure functions decide."""

from tracked_inference.cloud.orphans.detectors.addresses import unassociated_addresses
from tracked_inference.cloud.orphans.detectors.base import Detector, ScanContext
from tracked_inference.cloud.orphans.detectors.instances import development_instances
from tracked_inference.cloud.orphans.detectors.load_balancers import (
    idle_load_balancers,
    load_balancers_without_targets,
)
from tracked_inference.cloud.orphans.detectors.snapshots import old_snapshots
from tracked_inference.cloud.orphans.detectors.volumes import unattached_volumes

__all__ = ["DETECTORS", "Detector", "ScanContext"]

# In the order in which a resource that two of them find keeps its first reason.
DETECTORS: tuple[Detector, ...] = (
    unattached_volumes,
    unassociated_addresses,
    old_snapshots,
    load_balancers_without_targets,
    idle_load_balancers,
    development_instances,
)
