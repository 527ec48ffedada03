"""Reading SDK objects and plain JSON alike: what both vendors' adapters share."""

from __future__ import annotations

from time import perf_counter
from typing import Any, Protocol

__all__ = ["Reader", "StreamReader", "began_at", "get", "media_type", "path_of"]

_API_OPENED = 1_591_833_600
"""2020-06-11, when OpenAI's API opened: an earlier time of an answer is a placeholder."""


_MISSING: Any = object()


def get(thing: Any, name: str) -> Any:
    """A field of an SDK object or of a mapping; None where there is none."""
    if isinstance(thing, dict):
        return thing.get(name)
    said = getattr(thing, "__dict__", None)
    if type(said) is dict:
        found = said.get(name, _MISSING)
        if found is not _MISSING:
            return found
        extra = getattr(thing, "__pydantic_extra__", _MISSING)
        if extra is not _MISSING:
            # Not by getattr: to say that it has no such field, pydantic takes longer than all the rest of a call's reading.
            return extra.get(name) if type(extra) is dict else None
    return getattr(thing, name, None)


def began_at(body: Any) -> float | None:
    """When the vendor began an answer, Unix seconds, where the answer says so."""
    for name in ("created_at", "created"):
        value = get(body, name)
        if isinstance(value, (int, float)) and not isinstance(value, bool) and _API_OPENED < value < 1e11:
            return float(value)
    return None


def path_of(url: str) -> str:
    """The path of a request's url, which is a path or absolute, without its query."""
    path = url.split("?", 1)[0]
    if "://" in path:
        path = path.split("://", 1)[1]
        slash = path.find("/")
        path = path[slash:] if slash >= 0 else "/"
    return path if path.startswith("/") else "/" + path


def media_type(headers: Any) -> str:
    """The content type of a response, lower case, without parameters."""
    value = headers.get("content-type") if headers is not None else None
    return str(value or "").split(";", 1)[0].strip().lower()


class Reader(Protocol):
    """
    What looks at the events of one stream as they pass.

    Attributes:
        skip: Event classes that carry nothing more for us; the tap passes them without asking.
        first_content_at: `perf_counter()` of the first content, None before.
        complete: The vendor's final count was seen.
        model: The model that answers, once known.
        response_id: The vendor's id of the response, once known.
    """

    skip: set[type]
    first_content_at: float | None
    complete: bool
    model: str | None
    response_id: str | None

    def see(self, event: Any, /) -> bool:
        """Look at one event; True hides it from the caller."""
        ...

    def content(self) -> None:
        """Note the time of the first content."""
        ...

    def body(self) -> Any:
        """What was seen, in the shape of the response that a call without a stream would have given; None for nothing."""
        ...


class StreamReader:
    """The common half of the vendors' readers: event classes are learned once and dispatched by a dictionary look-up."""

    __slots__ = ("complete", "first_content_at", "model", "response_id", "skip")

    def __init__(self) -> None:
        self.skip: set[type] = set()
        self.first_content_at: float | None = None
        self.complete = False
        self.model: str | None = None
        self.response_id: str | None = None

    def content(self) -> None:
        """Note the time of the first content."""
        if self.first_content_at is None:
            self.first_content_at = perf_counter()

    def learn(self, event: Any) -> None:
        """Never ask again about this class of events, where the class says which single event type it stands for."""
        kind = type(event)
        if kind is dict:
            return
        declared = getattr(kind, "model_fields", {}).get("type")
        values = getattr(getattr(declared, "annotation", None), "__args__", ())
        if len(values) == 1:
            self.skip.add(kind)
