"""Reading any file that can be checked: what it is, is told from its content and not from its name."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any

from tracked_inference.cloud.check.cloudformation import looks_like_cloudformation, read_template
from tracked_inference.cloud.check.documents import parse_json, parse_yaml
from tracked_inference.cloud.check.kubernetes import looks_like_kubernetes, read_manifest
from tracked_inference.cloud.check.resources import UnreadableFileError
from tracked_inference.cloud.check.terraform import looks_like_terraform, read_plan

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tracked_inference.cloud.check.resources import TaggedResource

__all__ = ["read_resources"]

# A redirect in Windows PowerShell 5 writes UTF-16.
_MARKS = ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"), (b"\xef\xbb\xbf", "utf-8-sig"))


def read_resources(
    path: Path,
    *,
    stack_tags: Mapping[str, str] | None = None,
    label_prefix: str = "",
    include_unchanged: bool = False,
) -> list[TaggedResource]:
    """
    Return the taggable resources of a Terraform plan, CloudFormation template or Kubernetes manifest.

    Args:
        path: The file; `-` is standard input.
        stack_tags: Tags that the CloudFormation stack itself will be given.
        label_prefix: What stands before the keys in Kubernetes.
        include_unchanged: Look at resources that the plan leaves as they are, too.

    Raises:
        UnreadableFileError: It is none of the three, or is broken.

    """
    name = os.fsencode(path).decode("utf-8", "replace")  # a name is bytes, and need not be text
    text = _read(path, name)
    resources: list[TaggedResource] = []
    recognised = False
    for document in _documents(text, name):
        if looks_like_terraform(document):
            found: Iterator[TaggedResource] = read_plan(document, name, include_unchanged=include_unchanged)
        elif looks_like_cloudformation(document):
            found = read_template(document, name, stack_tags=stack_tags)
        elif looks_like_kubernetes(document):
            found = read_manifest(document, name, prefix=label_prefix)
        else:
            continue
        recognised = True
        try:
            for resource in found:
                _refuse_what_is_no_text(resource)
                resources.append(resource)
        except (AttributeError, KeyError, TypeError) as error:
            raise UnreadableFileError(f"{name}: not shaped as its format wants it ({error!r})") from error
    if not text.strip():
        raise UnreadableFileError(f"{name}: is empty; did what should have written it fail?")
    if not recognised:
        raise UnreadableFileError(
            f"{name}: is no Terraform plan (terraform show -json PLANFILE), CloudFormation template"
            " or Kubernetes manifest"
        )
    return resources


def _refuse_what_is_no_text(resource: TaggedResource) -> None:
    # JSON can write half a character, "\ud83d", which no output can.
    text = json.dumps([resource.address, resource.kind, dict(resource.tags)], ensure_ascii=False, default=str)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise UnreadableFileError(
            f"{resource.file}: {resource.address!a} holds what is no Unicode text"
        ) from error


def _documents(text: str, name: str) -> list[Any]:
    if text.lstrip().startswith(("{", "[")):
        try:
            return [parse_json(text, name)]
        except UnreadableFileError:
            if not name.endswith((".yaml", ".yml")):  # whose flow style, and Helm's {{, begin alike
                raise
    if name.endswith((".tf", ".hcl")):
        raise UnreadableFileError(
            f"{name}: Terraform source is not checked, for only the plan knows default_tags and modules:"
            " terraform plan -out=p && terraform show -json p > plan.json"
        )
    return parse_yaml(text, name)


def _read(path: Path, name: str) -> str:
    try:
        raw = sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
    except OSError as error:
        raise UnreadableFileError(f"{name}: cannot be read: {error.strerror}") from error
    if raw.startswith(b"PK\x03\x04"):
        raise UnreadableFileError(f"{name}: is a binary plan: terraform show -json {name} > plan.json")
    encoding = next((encoding for mark, encoding in _MARKS if raw.startswith(mark)), "utf-8")
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError as error:
        raise UnreadableFileError(f"{name}: is not {encoding} text") from error
