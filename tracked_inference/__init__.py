"""See what every LLM call costs, per feature and team, while it happens."""

from tracked_inference.attribution import attribute
from tracked_inference.client import TrackedClient, track
from tracked_inference.planning.estimate import FeatureCostEstimate
from tracked_inference.pricing import PriceTable
from tracked_inference.record import CallRecord, InferenceResult

__version__ = "0.1.0"

__all__ = [
    "CallRecord",
    "FeatureCostEstimate",
    "InferenceResult",
    "PriceTable",
    "TrackedClient",
    "attribute",
    "track",
]
