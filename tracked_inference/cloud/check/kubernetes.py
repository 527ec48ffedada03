"""
Kubernetes manifests: the labels of what costs money.

That is workloads and the pods they start, bare pods, volume claims and services that order a load balancer.
A config map or a role costs nothing and is left alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tracked_inference.cloud.check.documents import as_yaml, line_of
from tracked_inference.cloud.check.resources import TaggedResource, UnreadableFileError
from tracked_inference.cloud.vocabulary import is_email, prefixed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["looks_like_kubernetes", "read_manifest"]


def looks_like_kubernetes(document: object) -> bool:
    """Whether a document is a manifest: it has an apiVersion and a kind."""
    return isinstance(document, dict) and "apiVersion" in document and "kind" in document


def read_manifest(document: Mapping[str, Any], file: str, *, prefix: str = "") -> Iterator[TaggedResource]:
    """Yield the places of a manifest that carry labels; `prefix` stands before their keys."""
    kind = str(document["kind"])
    items = document.get("items")
    if kind.endswith("List") and isinstance(items, list):
        for item in items:
            if looks_like_kubernetes(item):
                yield from read_manifest(item, file, prefix=prefix)
        return
    spec = _mapping(document.get("spec"))
    places = list(_templates(spec, kind))
    costs = bool(places) or kind in {"Pod", "PersistentVolumeClaim"}
    costs = costs or (kind == "Service" and spec.get("type") == "LoadBalancer")
    if not costs:
        return
    metadata = _mapping(document.get("metadata"))
    name = metadata.get("name") or metadata.get("generateName") or "?"
    namespace = metadata.get("namespace")
    address = f"{kind}/{namespace}/{name}" if namespace else f"{kind}/{name}"
    line = line_of(document)
    yield _resource(address, kind, file, metadata, line=line, where="metadata.labels", prefix=prefix)
    for path, holder in places:
        where = f"{path}.metadata.labels"
        template = _mapping(holder.get("metadata"))
        begins = line_of(holder) or line
        yield _resource(f"{address} ({path})", kind, file, template, line=begins, where=where, prefix=prefix)


_WORKLOADS = frozenset(
    {"CronJob", "DaemonSet", "Deployment", "Job", "ReplicaSet", "ReplicationController", "StatefulSet"}
)


def _templates(spec: Mapping[str, Any], kind: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield what a spec starts: pod templates, one level deeper in a CronJob, and claims of a StatefulSet."""
    template = spec.get("template")
    # Other kinds have templates too, of secrets for instance; those with containers are of pods. A workload's always is.
    if isinstance(template, dict) and (kind in _WORKLOADS or "containers" in _mapping(template.get("spec"))):
        yield "spec.template", template
    job = _mapping(_mapping(spec.get("jobTemplate")).get("spec"))
    template = job.get("template")
    if isinstance(template, dict):
        yield "spec.jobTemplate.spec.template", template
    claims = spec.get("volumeClaimTemplates")
    for index, claim in enumerate(claims if isinstance(claims, list) else ()):
        if isinstance(claim, dict):
            yield f"spec.volumeClaimTemplates[{index}]", claim


def _resource(
    address: str,
    kind: str,
    file: str,
    metadata: Mapping[str, Any],
    *,
    line: int | None,
    where: str,
    prefix: str,
) -> TaggedResource:
    head = prefixed(prefix, "")
    labels = _mapping(metadata.get("labels"))
    if any("{{" in str(value) for value in labels.values()):  # legal YAML where it is quoted
        raise UnreadableFileError(
            f"{file}:{line}: {where} of {address} is a template, render it first (helm template)"
        )
    tags = {key.removeprefix(head): value for key, value in labels.items() if str(key).startswith(head)}
    refused: dict[str, str] = {}
    annotated = _mapping(metadata.get("annotations")).get(prefixed(prefix, "created_by"))
    if "created_by" not in tags and isinstance(annotated, str):
        tags["created_by"] = annotated
    elif isinstance(tags.get("created_by"), str) and is_email(str(tags["created_by"]).lower()):
        refused = {
            "created_by": "created_by is an e-mail address, which is no legal label value: annotate it"
        }

    def remedy(missing: Mapping[str, str]) -> str:
        written = ", ".join(f"{prefixed(prefix, key)}: {as_yaml(value)}" for key, value in missing.items())
        place = where.replace("labels", "annotations") if missing.keys() <= refused.keys() else where
        return f"{place}: {{{written}}}"

    return TaggedResource(
        address=address,
        kind=kind,
        file=file,
        line=line,
        dialect="kubernetes",
        tags=tags,
        remedy=remedy,
        refused=refused,
    )


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
