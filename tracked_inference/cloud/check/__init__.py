"""Checking plans, templates and manifests against the tagging standard before anything is created."""

from tracked_inference.cloud.check.engine import CheckReport, Finding, check_resources
from tracked_inference.cloud.check.files import read_resources
from tracked_inference.cloud.check.resources import TaggedResource

__all__ = ["CheckReport", "Finding", "TaggedResource", "check_resources", "read_resources"]
