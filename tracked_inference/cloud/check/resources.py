"""What every format is read into: one place of one resource that carries tags."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from tracked_inference.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Dialect", "TaggedResource", "UnreadableFileError"]

Dialect = Literal["terraform", "cloudformation", "kubernetes"]


class UnreadableFileError(ConfigurationError):
    """A file is no plan, template or manifest that can be checked; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class TaggedResource:
    """
    One place where a resource carries tags; a resource can have several.

    Attributes:
        address: The resource as its format names it; in brackets the place, where it is not its own tags.
        kind: Its type: `aws_instance`, `AWS::EC2::Instance`, `Deployment`.
        file: The file it was read from.
        line: Where it begins there, counted from 1; None where the format keeps no lines.
        dialect: The format, which decides how a remedy is written.
        tags: The tags whose values are known.
        unknown: Keys that are set to a value which is decided later.
        open_ended: More keys may yet come: the tags, or a part of them, are decided later.
        sensitive: Keys whose values must not be printed.
        refused: Keys whose value the format itself refuses here, though the standard takes it, and why.
        remedy: Writes, for a mapping of tags, what to add and where, in the format's own syntax.

    """

    address: str
    kind: str
    file: str
    line: int | None
    dialect: Dialect
    tags: Mapping[str, object]
    remedy: Callable[[Mapping[str, str]], str] = field(repr=False, compare=False)
    unknown: frozenset[str] = frozenset()
    open_ended: bool = False
    sensitive: frozenset[str] = frozenset()
    refused: Mapping[str, str] = field(default_factory=dict)
