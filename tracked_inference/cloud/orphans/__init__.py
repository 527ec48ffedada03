"""Finding cloud resources that are paid for and used by nothing; nothing here changes anything."""

from tracked_inference.cloud.orphans.model import Gap, OrphanedResource, ScanReport, Thresholds
from tracked_inference.cloud.orphans.prices import PriceBook
from tracked_inference.cloud.orphans.scanner import OrphanedResourceScanner

__all__ = ["Gap", "OrphanedResource", "OrphanedResourceScanner", "PriceBook", "ScanReport", "Thresholds"]
