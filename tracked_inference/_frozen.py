"""
A cheap way to make frozen dataclasses.

The constructor of a frozen dataclass goes through `object.__setattr__` once a field, which is four to five times the price
of plain assignment; a call makes about a dozen such objects.
"""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import TYPE_CHECKING, Any, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["maker"]

T = TypeVar("T")


def maker(cls: type[T]) -> Callable[..., T]:
    """
    A function with the parameters of `cls`, a frozen slotted dataclass, that makes the same objects for less.

    It fills an unfrozen object with the same slots and then makes that an instance of `cls`.
    Default factories and `__post_init__` are not for it.
    """
    names = [one.name for one in fields(cast("Any", cls))]
    defaults = {f"_{one.name}": one.default for one in fields(cast("Any", cls)) if one.default is not MISSING}
    parameters = ", ".join(f"{name}=_{name}" if f"_{name}" in defaults else name for name in names)
    lines = [
        f"def make({parameters}):",
        "    made = twin()",
        *(f"    made.{name} = {name}" for name in names),
    ]
    source = "\n".join([*lines, "    made.__class__ = cls", "    return made"])
    twin = type(cls.__name__, (), {"__slots__": tuple(names)})
    scope: dict[str, Any] = {**defaults, "twin": twin, "cls": cls}
    exec(source, scope)  # noqa: S102  # the text is made of the names of fields, as dataclasses does it
    return cast("Callable[..., T]", scope["make"])
