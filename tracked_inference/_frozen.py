"""
A cheap way to make frozen dataclasses.

The constructor of a frozen dataclass goes through `object.__setattr__` once a field, which is four to five times the price
of plain assignment; a call makes about a dozen such objects.
"""

from __future__ import annotations

from dataclasses import MISSING, field, fields, make_dataclass
from typing import TYPE_CHECKING, Any, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["maker"]

T = TypeVar("T")


def maker(cls: type[T]) -> Callable[..., T]:
    """
    A function with the parameters of `cls`, a frozen slotted dataclass, that makes the same objects for less.

    It fills an unfrozen twin with the same slots and then makes that an instance of `cls`.
    """
    twin: Any = make_dataclass(
        cls.__name__,
        [
            (
                one.name,
                Any,
                field(default=one.default)
                if one.default is not MISSING
                else field(default_factory=one.default_factory)
                if one.default_factory is not MISSING
                else field(),
            )
            for one in fields(cast("Any", cls))
        ],
        slots=True,
    )

    def make(*args: Any, **kwargs: Any) -> T:
        made = twin(*args, **kwargs)
        made.__class__ = cls
        return cast("T", made)

    return make
