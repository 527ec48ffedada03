"""Faults inside a scan; each becomes a gap of its report."""

from __future__ import annotations

from tracked_inference.errors import TrackedInferenceError

__all__ = ["IncompleteMetricsError", "UndeclaredActionError"]


class IncompleteMetricsError(TrackedInferenceError):
    """CloudWatch did not answer a query to its end."""


class UndeclaredActionError(TrackedInferenceError, AssertionError):
    """A detector asked for an operation that it has not declared, or one that is not read-only."""
