"""See what every LLM call costs, per feature and team, as it happens."""

from typing import TYPE_CHECKING, Any

from tracked_inference.attribution import attribute
from tracked_inference.client import TrackedClient, track
from tracked_inference.pricing import PriceTable
from tracked_inference.record import CallRecord, InferenceResult

if TYPE_CHECKING:
    from tracked_inference.planning.estimate import FeatureCostEstimate

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


def __getattr__(name: str) -> Any:
    """Planning is imported when it is asked for: a service that makes calls does not wait for it at its start."""
    if name == "FeatureCostEstimate":
        from tracked_inference.planning.estimate import FeatureCostEstimate

        return FeatureCostEstimate
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), "FeatureCostEstimate"]
