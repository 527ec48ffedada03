"""
Terraform plans, as `terraform show -json` writes them.

The plan and not the source, because only the plan has resolved modules, provider aliases and `default_tags`.
Format: https://developer.hashicorp.com/terraform/internals/json-format
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from tracked_inference.cloud.check.resources import TaggedResource, UnreadableFileError
from tracked_inference.cloud.vocabulary import is_email
from tracked_inference.slugs import nearest_slug

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["looks_like_terraform", "read_plan"]

# Those that hold the provider's defaults as well, and which attribute holds what the resource itself sets.
_MERGED = {"tags_all": "tags", "effective_labels": "labels", "terraform_labels": "labels"}
_TAG_ATTRIBUTES = (*_MERGED, "tags", "labels")  # most complete first
_SKIPPED = frozenset({"no-op", "read", "delete", "forget"})


def looks_like_terraform(document: object) -> bool:
    """Whether a JSON document is Terraform's."""
    return isinstance(document, dict) and ("format_version" in document or _is_state_file(document))


def _is_state_file(document: Mapping[str, Any]) -> bool:
    return "lineage" in document and "terraform_version" in document


def read_plan(
    plan: Mapping[str, Any], file: str, *, include_unchanged: bool = False
) -> Iterator[TaggedResource]:
    """
    Yield the taggable resources that a plan creates or changes.

    Raises:
        UnreadableFileError: It is a state and not a plan, of another format version, or of a failed plan.

    """
    if _is_state_file(plan) or not plan.keys() & {"resource_changes", "planned_values"}:
        raise UnreadableFileError(
            f"{file}: this is a state, not a plan: terraform show -json PLANFILE > plan.json"
        )
    version = str(plan.get("format_version"))
    if version.partition(".")[0] != "1":
        raise UnreadableFileError(
            f"{file}: plan format {version} is not known, only 1.x is; update this package"
        )
    if plan.get("errored"):
        raise UnreadableFileError(f"{file}: this plan failed half-way and is incomplete; make it again")
    defaults = _DefaultTags(plan.get("configuration"))
    for change in plan.get("resource_changes") or ():
        if change.get("mode", "managed") == "managed" and _is_wanted(
            change, include_unchanged=include_unchanged
        ):
            yield from _read_change(change, file, defaults)


def _is_wanted(resource: Mapping[str, Any], *, include_unchanged: bool) -> bool:
    actions = set(resource.get("change", {}).get("actions", ()))
    skipped = _SKIPPED - {"no-op"} if include_unchanged else _SKIPPED
    return not actions <= skipped


def _read_change(resource: Mapping[str, Any], file: str, defaults: _DefaultTags) -> Iterator[TaggedResource]:
    change = resource["change"]
    parts = [change.get(name) or {} for name in ("after", "after_unknown", "after_sensitive")]
    after, unknown, sensitive = (part if isinstance(part, dict) else {} for part in parts)
    address, kind = resource["address"], resource["type"]

    if kind == "aws_autoscaling_group":
        blocks = "tags" if after.get("tags") else "tag"
        marks = (unknown.get(blocks), sensitive.get(blocks))
        yield _as_resource(address, kind, file, after.get(blocks), marks, remedy=_asg_remedy)
        return
    attribute = _tag_attribute(kind, after, unknown)
    if attribute is None:
        return
    open_ended = False
    hidden = _sensitive(sensitive, attribute)
    own = _MERGED.get(attribute)
    if own is not None and unknown.get(attribute) is True and own in after and unknown.get(own) is not True:
        # A resource without tags has `tags_all` "known after apply" even where there are no default tags to
        # fill it. What is certain is in `tags`; more can only come from default tags. Labels are alike.
        attribute = own
        open_ended = defaults.may_add_to(resource)
    yield _as_resource(
        address,
        kind,
        file,
        after.get(attribute),
        (unknown.get(attribute), hidden),
        remedy=_remedy("labels" if "labels" in attribute else "tags", kind, after.get(attribute)),
        open_ended=open_ended,
        labels="labels" in attribute,
    )
    if kind == "aws_launch_template":
        yield from _tag_specifications(resource, file, after, unknown, sensitive)


def _tag_attribute(kind: str, after: Mapping[str, Any], unknown: Mapping[str, Any]) -> str | None:
    """Return the attribute that holds the tags of a resource, if it has one."""
    for name in _TAG_ATTRIBUTES:
        value = after.get(name)
        names_only = isinstance(value, list) and any(isinstance(entry, str) for entry in value)
        of_the_network = name == "tags" and kind.startswith("google_")
        if (name in after or unknown.get(name)) and not names_only and not of_the_network:
            return name
    return None


def _sensitive(marks: Mapping[str, Any], attribute: str) -> object:
    # The provider copies a tag to `tags_all` without its mark: terraform-provider-aws #30278.
    if attribute not in _MERGED:
        return marks.get(attribute)
    both = [marks.get(attribute), marks.get(_MERGED[attribute])]
    return True if True in both else dict.fromkeys(_marked(both[0]) | _marked(both[1]), True)


def _tag_specifications(
    resource: Mapping[str, Any],
    file: str,
    after: dict[str, Any],
    unknown: dict[str, Any],
    sensitive: dict[str, Any],
) -> Iterator[TaggedResource]:
    # What a launch template starts carries these tags and not those of the template.
    if unknown.get("tag_specifications") is True:  # a dynamic block over something decided later
        label = f"{resource['address']} (tag_specifications)"
        yield _as_resource(
            label, resource["type"], file, None, (True, None), remedy=_specification_remedy("instance")
        )
    for index, specification in enumerate(after.get("tag_specifications") or []):
        started = specification.get("resource_type") or f"number {index}"
        marks = tuple(_item(part.get("tag_specifications"), index, "tags") for part in (unknown, sensitive))
        yield _as_resource(
            f"{resource['address']} (tag_specifications of {started})",
            resource["type"],
            file,
            specification.get("tags"),
            marks,
            remedy=_specification_remedy(started),
        )


def _as_resource(
    address: str,
    kind: str,
    file: str,
    value: object,
    marks: tuple[object, ...],
    *,
    remedy: Any,
    open_ended: bool = False,
    labels: bool = False,
) -> TaggedResource:
    unknown, sensitive = marks  # each True for the whole, or shaped like the value
    tags: dict[str, object] = {}
    unknown_keys: set[str] = set()
    sensitive_keys: set[str] = set()
    if isinstance(value, list):  # [{"key": "team", "value": "search"}], in awscc and autoscaling groups
        for index, entry in enumerate(value):
            if not isinstance(entry, dict) or entry.get("key") is None:
                open_ended = True  # the key itself is decided later
            elif _item(unknown, index, "value"):
                unknown_keys.add(entry["key"])
            else:
                tags[entry["key"]] = entry.get("value")
                if _item(sensitive, index, "value"):
                    sensitive_keys.add(entry["key"])
    else:  # {"team": "search"}
        if isinstance(value, dict):
            tags = {key: item for key, item in value.items() if item is not None}
        unknown_keys = _marked(unknown)
        sensitive_keys = _marked(sensitive)
    if unknown is True:
        open_ended = True
    if sensitive is True:
        sensitive_keys = set(tags)
    refused = {}
    if labels and "created_by" not in unknown_keys and is_email(str(tags.get("created_by")).lower()):
        refused = {
            "created_by": "created_by is an e-mail address, which is no legal label value: name it by a slug"
        }
    return TaggedResource(
        address=address,
        kind=kind,
        file=file,
        line=None,
        dialect="terraform",
        tags=tags,
        remedy=remedy,
        unknown=frozenset(unknown_keys),
        open_ended=open_ended,
        sensitive=frozenset(sensitive_keys),
        refused=refused,
    )


def _marked(marks: object) -> set[str]:
    return {key for key, flag in marks.items() if flag} if isinstance(marks, dict) else set()


def _item(marks: object, index: int, key: str) -> object:
    """Return the mark of one entry: marks are True for a whole, or shaped like what they mark."""
    if marks is True:
        return True
    if isinstance(marks, list) and index < len(marks):
        mark = marks[index]
        return True if mark is True else mark.get(key) if isinstance(mark, dict) else None
    return None


class _DefaultTags:
    """Which resources may get default tags or labels of their provider; without a configuration, any may."""

    def __init__(self, configuration: Mapping[str, Any] | None) -> None:
        self._known = configuration is not None
        self._providers = (configuration or {}).get("provider_config") or {}
        self._keys = dict(_provider_keys((configuration or {}).get("root_module") or {}))

    def may_add_to(self, resource: Mapping[str, Any]) -> bool:
        if not self._known:
            return True
        key = self._keys.get(_INSTANCE.sub("", resource["address"]))
        if key in self._providers:  # one alias may have defaults where another has none
            return _has_defaults(self._providers[key])
        name = str(resource.get("provider_name", ""))
        return any(
            _has_defaults(provider)
            for provider in self._providers.values()
            if str(provider.get("full_name") or provider.get("name")) in {name, name.rpartition("/")[2]}
        )


_INSTANCE = re.compile(r'\[(?:\d+|"(?:[^"\\]|\\.)*")\]')  # [0] or ["key"], of a resource or a module


def _provider_keys(module: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for resource in module.get("resources") or ():
        if "provider_config_key" in resource:
            yield prefix + resource["address"], resource["provider_config_key"]
    for name, call in (module.get("module_calls") or {}).items():
        yield from _provider_keys(call.get("module") or {}, f"{prefix}module.{name}.")


def _has_defaults(provider: Mapping[str, Any]) -> bool:
    return bool((provider.get("expressions") or {}).keys() & {"default_tags", "default_labels"})


def _block(tags: Mapping[str, str]) -> str:
    return "{ " + ", ".join(f"{key} = {json.dumps(value)}" for key, value in tags.items()) + " }"


def _remedy(attribute: str, kind: str, value: object) -> Any:
    def write(tags: Mapping[str, str]) -> str:
        if isinstance(value, list) or (value is None and kind.startswith("awscc_")):
            entries = ", ".join(
                f"{{ key = {json.dumps(key)}, value = {json.dumps(tags[key])} }}" for key in tags
            )
            return f"{attribute} = [{entries}]"
        if attribute == "labels":
            tags = {key: nearest_slug(text) if is_email(text.lower()) else text for key, text in tags.items()}
        return f"{attribute} = {_block(tags)}"

    return write


def _asg_remedy(tags: Mapping[str, str]) -> str:
    return "\n".join(
        f"tag {{\n  key                 = {json.dumps(key)}\n  value               = {json.dumps(value)}\n"
        "  propagate_at_launch = true\n}"
        for key, value in tags.items()
    )


def _specification_remedy(started: str) -> Any:
    def write(tags: Mapping[str, str]) -> str:
        return f'tag_specifications {{\n  resource_type = "{started}"\n  tags          = {_block(tags)}\n}}'

    return write
