"""YAML and JSON documents that remember on which line each mapping began."""

from __future__ import annotations

import functools
import json
from typing import Any

from tracked_inference.cloud.check.resources import UnreadableFileError
from tracked_inference.cloud.extras import load_yaml

__all__ = ["Intrinsic", "LinedDict", "as_yaml", "line_of", "parse_json", "parse_yaml"]


class LinedDict(dict[Any, Any]):
    """A mapping that knows the line it began on."""

    line: int | None = None


class Intrinsic:
    """A value that CloudFormation works out when the stack is made: `!Ref`, `!Sub`, `Fn::If`, …."""


def line_of(value: object) -> int | None:
    """Return the line a mapping began on, where that is known."""
    return getattr(value, "line", None)


def parse_json(text: str, file: str) -> Any:
    """Return a JSON document, or raise UnreadableFileError with the place of the fault."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        hint = ""
        if error.msg == "Extra data":  # a line of JSON for each message
            hint = "; the log of terraform plan -json is no plan: terraform show -json PLANFILE"
        raise UnreadableFileError(
            f"{file}:{error.lineno}: not valid JSON: {error.msg} (column {error.colno}){hint}"
        ) from error
    except RecursionError as error:
        raise UnreadableFileError(f"{file}: nested too deeply to be read") from error


def as_yaml(value: str) -> str:
    """Return text as it is written in YAML, in quotes where it would be read as anything else."""
    yaml = load_yaml()
    try:
        plain = yaml.safe_load(f"{{x: {value}}}") == {"x": value}
    except (yaml.YAMLError, ValueError):
        plain = False
    return value if plain else json.dumps(value)


def parse_yaml(text: str, file: str) -> list[Any]:
    """Return the documents of a YAML file, or raise UnreadableFileError with the place of the fault."""
    yaml = load_yaml()
    try:
        return list(yaml.load_all(text, Loader=_loader()))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{file}:{mark.line + 1}" if mark is not None else file
        hint = ""
        if "{{" in text:
            hint = "; it looks like a template, render it first (helm template, kustomize build)"
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise UnreadableFileError(f"{place}: not valid YAML: {problem}{hint}") from error
    except (RecursionError, ValueError) as error:  # ValueError: a date such as 2026-13-01
        raise UnreadableFileError(f"{file}: not valid YAML: {error}") from error


@functools.cache
def _loader() -> Any:
    yaml = load_yaml()

    # libyaml is faster and reads what PyYAML's own scanner refuses: {ScheduleExpression: cron(17 6 * * ? *)}.
    class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # PyYAML is loaded at use
        pass

    def construct_mapping(loader: Any, node: Any) -> Any:
        mapping = LinedDict()
        mapping.line = node.start_mark.line + 1
        yield mapping
        loader.flatten_mapping(node)
        mapping.update(loader.construct_mapping(node, deep=True))

    def construct_intrinsic(_loader: Any, _suffix: str, _node: Any) -> Intrinsic:
        return Intrinsic()

    Loader.add_constructor("tag:yaml.org,2002:map", construct_mapping)
    Loader.add_multi_constructor("!", construct_intrinsic)
    return Loader
