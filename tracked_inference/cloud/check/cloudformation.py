"""
CloudFormation templates, YAML and JSON.

Which types take tags, under which property and in which shape is data: `data/cloudformation-taggable.txt`.
What an intrinsic function will yield is not guessed: such a value is unknown.
"""

from __future__ import annotations

import functools
import json
from importlib import resources
from typing import TYPE_CHECKING, Any

from tracked_inference.cloud.check.documents import Intrinsic, as_yaml, line_of
from tracked_inference.cloud.check.resources import TaggedResource

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["looks_like_cloudformation", "read_template", "taggable_types"]

# Known tags, keys with unknown values, and whether more keys may yet come.
_ReadTags = tuple[dict[str, object], frozenset[str], bool]

_DECIDED_LATER: _ReadTags = ({}, frozenset(), True)

_LAUNCH_TEMPLATE = "AWS::EC2::LaunchTemplate"
_AUTOSCALING_GROUP = "AWS::AutoScaling::AutoScalingGroup"
_SAM = "AWS::Serverless::"


def looks_like_cloudformation(document: object) -> bool:
    """Whether a document is a template: it says so, or has `Resources` whose types have colons."""
    if not isinstance(document, dict):
        return False
    if "AWSTemplateFormatVersion" in document:
        return True
    entries = document.get("Resources")
    return isinstance(entries, dict) and any(
        isinstance(entry, dict) and "::" in str(entry.get("Type", "")) for entry in entries.values()
    )


@functools.cache
def taggable_types() -> dict[str, tuple[str, str]]:
    """Return, for each type that takes tags, the property and its shape (`list` or `map`)."""
    text = (
        resources.files("tracked_inference.cloud")
        .joinpath("data/cloudformation-taggable.txt")
        .read_text("utf-8")
    )
    types = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            kind, *rest = line.split()
            shape = "map" if rest and rest[-1] == "map" else "list"
            names = [word for word in rest if word != "map"]
            types[kind] = (names[0] if names else "Tags", shape)
    return types


def read_template(
    template: Mapping[str, Any], file: str, *, stack_tags: Mapping[str, str] | None = None
) -> Iterator[TaggedResource]:
    """Yield the taggable resources of a template; `stack_tags` are those the stack itself will be given."""
    shared = template.get("Globals")
    for name, entry in (template.get("Resources") or {}).items():
        if not isinstance(entry, dict) or str(name).startswith("Fn::"):
            # Fn::ForEach and Fn::Transform write their resources when the stack is made.
            kind = "::".join(str(name).split("::")[:2])
            yield _resource(name, kind, file, _DECIDED_LATER, line=None, key="Tags", stack_tags=stack_tags)
            continue
        kind = str(entry.get("Type", ""))
        properties = entry.get("Properties") or {}
        line = line_of(entry)
        if isinstance(properties, Intrinsic):
            properties = {}
        if kind in taggable_types():
            key, shape = taggable_types()[kind]
        elif "Tags" in properties:  # a type newer than the list, or one's own
            key, shape = "Tags", "map" if isinstance(properties["Tags"], dict) else "list"
        else:
            key, shape = "", "list"
        if key:
            read = _read_tags(properties.get(key))
            if "Fn::Transform" in properties:  # may bring tags along
                read = (read[0], read[1], True)
            if kind.startswith(_SAM) and isinstance(shared, dict):
                read = _merge(_read_tags((shared.get(kind.removeprefix(_SAM)) or {}).get(key)), read)
            yield _resource(name, kind, file, read, line=line, key=key, shape=shape, stack_tags=stack_tags)
        if kind == _LAUNCH_TEMPLATE:
            yield from _launch_template(name, kind, file, line, properties)


def _launch_template(
    name: str, kind: str, file: str, line: int | None, properties: Mapping[str, Any]
) -> Iterator[TaggedResource]:
    # Stack tags reach the template and not what it starts.
    data = properties.get("LaunchTemplateData")
    places = [
        (properties.get("TagSpecifications"), "TagSpecifications"),
        (
            data.get("TagSpecifications") if isinstance(data, dict) else None,
            "LaunchTemplateData.TagSpecifications",
        ),
    ]
    for specifications, place in places:
        if _is_unknown(specifications):
            yield _resource(f"{name} ({place})", kind, file, _DECIDED_LATER, line=line, key=place)
        for specification in specifications if isinstance(specifications, list) else ():
            if not isinstance(specification, dict):
                continue
            started = specification.get("ResourceType")
            label = f"{name} ({place} of {started if isinstance(started, str) else 'a type decided later'})"
            read = _read_tags(specification.get("Tags"))
            begins = line_of(specification) or line
            yield _resource(label, kind, file, read, line=begins, key=f"{place}[].Tags")


def _merge(shared: _ReadTags, own: _ReadTags) -> _ReadTags:
    """Return the tags of a SAM resource with those of `Globals`; its own win."""
    tags = {key: value for key, value in shared[0].items() if key not in own[1]}
    unknown = own[1] | (shared[1] - own[0].keys())
    return {**tags, **own[0]}, unknown, shared[2] or own[2]


def _read_tags(value: object) -> _ReadTags:
    tags: dict[str, object] = {}
    unknown: set[str] = set()
    open_ended = False
    if _is_unknown(value):
        return tags, frozenset(), True
    entries = value.items() if isinstance(value, dict) else _pairs(value) if isinstance(value, list) else ()
    for key, item in entries:
        if not isinstance(key, str):
            open_ended = True
        elif _is_unknown(item):
            unknown.add(key)
        else:
            # CloudFormation turns numbers and booleans into text itself.
            tags[key] = (
                item if item is None or isinstance(item, str) else json.dumps(item, default=str).strip('"')
            )
    return tags, frozenset(unknown), open_ended


def _pairs(entries: list[Any]) -> Iterator[tuple[object, object]]:
    for entry in entries:
        if isinstance(entry, dict) and "Key" in entry:
            key = entry["Key"]
            yield (key if isinstance(key, str) else None), entry.get("Value")
        elif _is_unknown(entry):
            yield None, None


def _is_unknown(value: object) -> bool:
    if isinstance(value, Intrinsic):
        return True
    if isinstance(value, dict) and len(value) == 1:
        name = str(next(iter(value)))
        return name in {"Ref", "Condition"} or name.startswith("Fn::")
    return False


def _resource(
    name: str,
    kind: str,
    file: str,
    read: _ReadTags,
    *,
    line: int | None,
    key: str,
    shape: str = "list",
    stack_tags: Mapping[str, str] | None = None,
) -> TaggedResource:
    tags, unknown, open_ended = read

    def remedy(missing: Mapping[str, str]) -> str:
        if shape == "map":
            return f"{key}: {{{', '.join(f'{tag}: {as_yaml(value)}' for tag, value in missing.items())}}}"
        more = ", PropagateAtLaunch: true" if kind == _AUTOSCALING_GROUP else ""
        entries = (f"{{Key: {tag}, Value: {as_yaml(value)}{more}}}" for tag, value in missing.items())
        return f"{key}: [{', '.join(entries)}]"

    return TaggedResource(
        address=name,
        kind=kind,
        file=file,
        line=line,
        dialect="cloudformation",
        tags={**{tag: value for tag, value in (stack_tags or {}).items() if tag not in unknown}, **tags},
        remedy=remedy,
        unknown=unknown,
        open_ended=open_ended,
    )
