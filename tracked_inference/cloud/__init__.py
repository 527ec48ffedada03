"""The rest of the bill: an enforced tagging standard, a scanner for orphaned resources (extra `[aws]`)."""

from tracked_inference.cloud.instances import create_tagged_instance
from tracked_inference.cloud.orphans import (
    OrphanedResource,
    OrphanedResourceScanner,
    PriceBook,
    ScanReport,
    Thresholds,
)
from tracked_inference.cloud.tags import ResourceTags, validate_tags
from tracked_inference.cloud.vocabulary import TagStandard, check_tags

__all__ = [
    "OrphanedResource",
    "OrphanedResourceScanner",
    "PriceBook",
    "ResourceTags",
    "ScanReport",
    "TagStandard",
    "Thresholds",
    "check_tags",
    "create_tagged_instance",
    "validate_tags",
]
