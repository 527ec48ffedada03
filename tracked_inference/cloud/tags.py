"""`ResourceTags`: who owns a cloud resource and who pays, in the words that LLM calls are counted by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tracked_inference.cloud.vocabulary import (
    DEFAULT_STANDARD,
    TAG_KEYS,
    TagStandard,
    check_tags,
    is_email,
    prefixed,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["ResourceTags", "validate_tags"]


@dataclass(frozen=True, slots=True)
class ResourceTags:
    """
    The tags of one cloud resource.

    Constructing never raises; `validate_tags` says what is wrong, and what acts on tags asks it first.

    Attributes:
        team: Which team owns the resource.
        service: Which service it belongs to.
        environment: production, staging or development.
        component: What it does: api, worker, cache, database.
        cost_center: Who is charged for it.
        created_by: The engineer or pipeline that made it: a slug, or an e-mail address.
        feature: The feature of the product behind it, named as in `TrackedClient(feature=...)`.

    """

    team: str
    service: str
    environment: str
    component: str
    cost_center: str
    created_by: str
    feature: str | None = None

    def to_dict(self) -> dict[str, str]:
        """Return the tags as a mapping; a feature that is not set is left out."""
        tags = {key: getattr(self, key) for key in TAG_KEYS}
        if not self.feature:
            del tags["feature"]
        return tags

    def to_aws_format(self) -> list[dict[str, str]]:
        """Return the tags as most AWS operations take them: a list of `{"Key": ..., "Value": ...}`."""
        return [{"Key": key, "Value": value} for key, value in self.to_dict().items()]

    @classmethod
    def from_aws_format(cls, tags: Iterable[Mapping[str, str]]) -> ResourceTags:
        """Read tags as AWS returns them; other keys are ignored, absent ones are empty."""
        found = {tag["Key"]: tag.get("Value", "") for tag in tags if "Key" in tag}
        values = {key: found.get(key, "") for key in TAG_KEYS if key != "feature"}
        return cls(**values, feature=found.get("feature") or None)

    def to_kubernetes_labels(self, prefix: str = "") -> dict[str, str]:
        """
        Return the tags as Kubernetes labels, each key behind `prefix` (such as `cost.example.com/`).

        An e-mail address is no legal label value: it is in `to_kubernetes_annotations` instead.
        """
        return {
            prefixed(prefix, key): value for key, value in self.to_dict().items() if not self._annotated(key)
        }

    def to_kubernetes_annotations(self, prefix: str = "") -> dict[str, str]:
        """Return the tags that can only be annotations: a `created_by` that is an e-mail address."""
        return {prefixed(prefix, key): value for key, value in self.to_dict().items() if self._annotated(key)}

    def _annotated(self, key: str) -> bool:
        return key == "created_by" and isinstance(self.created_by, str) and is_email(self.created_by.lower())


def validate_tags(tags: ResourceTags, standard: TagStandard = DEFAULT_STANDARD) -> list[str]:
    """Return what is wrong with the tags, one sentence for each fault; empty when they are valid."""
    return [
        problem.message for problem in check_tags({key: getattr(tags, key) for key in TAG_KEYS}, standard)
    ]
