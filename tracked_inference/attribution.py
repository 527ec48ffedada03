"""Who pays: the feature, team and user of a call, set on the client or by `attribute()` around it."""

from __future__ import annotations

import functools
import inspect
from contextvars import ContextVar
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

from tracked_inference.errors import AttributionError
from tracked_inference.slugs import MAX_LENGTH, is_slug, nearest_slug

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

__all__ = ["Attribution", "attribute", "current_attribution"]

_F = TypeVar("_F", bound="Callable[..., Any]")
_NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Attribution:
    """
    Who a call is for.

    Attributes:
        feature: What the call is for; None means what the client says.
        team: Who pays; None means what the client says.
        user: On whose behalf; goes to logs and ledgers only.
        tags: Anything else worth recording with the call; goes to logs and ledgers only.
    """

    feature: str | None = None
    team: str | None = None
    user: str | None = None
    tags: Mapping[str, str] = field(default_factory=lambda: _NOTHING)

    def over(self, outer: Attribution | None) -> Attribution:
        """What this attribution says where it says something, the outer one where it does not."""
        if outer is None:
            return self
        return Attribution(
            feature=self.feature or outer.feature,
            team=self.team or outer.team,
            user=self.user if self.user is not None else outer.user,
            tags={**outer.tags, **self.tags} if self.tags and outer.tags else (self.tags or outer.tags),
        )


@dataclass(frozen=True, slots=True)
class _Within:
    """An `attribute()` that was entered: what holds inside, what held before, and whose it is."""

    words: Attribution
    before: _Within | None
    by: attribute


_current: ContextVar[_Within | None] = ContextVar("tracked_inference_attribution", default=None)


def current_attribution() -> Attribution | None:
    """What the innermost `attribute()` around this point says, with the outer ones filled in."""
    within = _current.get()
    return within.words if within is not None else None


class attribute:  # noqa: N801  # reads as a verb: `with attribute(...)`, `@attribute(...)`
    """
    Say who the calls inside are for; a context manager (`with`, `async with`) and a decorator (plain, async, generators).

    What is not given stays as the surrounding `attribute()` or the client has it.
    It is read once, when a call starts: tasks and threads that copied the context keep theirs.

    Args:
        feature: What the calls are for, a slug.
        team: Who pays, a slug.
        user: On whose behalf; never becomes a metric label.
        tags: Further words for the log line and the ledger.

    Raises:
        AttributionError: `feature` or `team` is not a slug; the message names the nearest one.
    """

    __slots__ = ("_own",)

    def __init__(
        self, *, feature: str | None = None, team: str | None = None, user: str | None = None, **tags: object
    ) -> None:
        if feature is not None:
            check_slug("feature", feature)
        if team is not None:
            check_slug("team", team)
        self._own = Attribution(feature, team, None if user is None else str(user), text_tags(tags))

    def __enter__(self) -> Self:
        before = _current.get()
        words = self._own.over(before.words if before is not None else None)
        _current.set(_Within(words, before, self))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        # A token could not be reset from another context (a generator resumed by another task), and this exit must never
        # raise: put back what was there, and only where our own value still stands. All of it is in the context, so that
        # one manager may be entered by many tasks and threads at once.
        within = _current.get()
        if within is not None and within.by is self:
            _current.set(within.before)

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        self.__exit__(kind, error, trace)

    def _again(self) -> attribute:
        """A fresh manager of the same words."""
        fresh = object.__new__(attribute)
        fresh._own = self._own
        return fresh

    def __call__(self, function: _F, /) -> _F:
        """Wrap a function, coroutine function, generator or async generator so that it runs inside."""
        wrap = _around_function
        if inspect.iscoroutinefunction(function):
            wrap = _around_coroutine
        elif inspect.isasyncgenfunction(function):
            wrap = _around_async_generator
        elif inspect.isgeneratorfunction(function):
            wrap = _around_generator
        return cast("_F", wrap(self._again, function))


# One decorated function may run many times at once, so each run enters a manager of its own.


def _around_function(again: Callable[[], attribute], function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        with again():
            return function(*args, **kwargs)

    return run


def _around_coroutine(again: Callable[[], attribute], function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    async def run(*args: Any, **kwargs: Any) -> Any:
        with again():
            return await function(*args, **kwargs)

    return run


# For generators, the words hold while the generator runs and not while its consumer does.


def _around_generator(again: Callable[[], attribute], function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        inner = function(*args, **kwargs)
        step = functools.partial(inner.send, None)
        try:
            while True:
                with again():
                    try:
                        item = step()
                    except StopIteration as stop:
                        return stop.value
                try:
                    step = functools.partial(inner.send, (yield item))
                except GeneratorExit:
                    raise
                except BaseException as thrown:
                    step = functools.partial(inner.throw, thrown)
        finally:
            inner.close()

    return run


def _around_async_generator(
    again: Callable[[], attribute], function: Callable[..., Any]
) -> Callable[..., Any]:
    @functools.wraps(function)
    async def run(*args: Any, **kwargs: Any) -> Any:
        inner = function(*args, **kwargs)
        step = functools.partial(inner.asend, None)
        try:
            while True:
                with again():
                    try:
                        item = await step()
                    except StopAsyncIteration:
                        return
                try:
                    step = functools.partial(inner.asend, (yield item))
                except GeneratorExit:
                    raise
                except BaseException as thrown:
                    step = functools.partial(inner.athrow, thrown)
        finally:
            await inner.aclose()

    return run


def check_slug(word: str, value: object) -> str:
    """
    Return a legal value of `feature` or `team`.

    Raises:
        AttributionError: It is missing or not a slug.
    """
    if is_slug(value):
        return str(value)
    if value is None:
        raise AttributionError(f"{word} is missing: give a name, {word}={_EXAMPLE[word]!r} for instance")
    nearest = nearest_slug(value)
    hint = f"did you mean {nearest!r}?" if nearest else f"give one, {_EXAMPLE[word]!r} for instance"
    raise AttributionError(
        f"{word}={value!r} is not a legal name: lower-case letters, digits, '_' and '-', a letter or digit at both ends,"
        f" at most {MAX_LENGTH} characters; {hint}"
    )


def text_tags(tags: Mapping[str, object]) -> Mapping[str, str]:
    """Tags as text, without those that say nothing."""
    return {name: str(value) for name, value in tags.items() if value is not None} if tags else _NOTHING


_EXAMPLE = {"feature": "document_summarisation", "team": "documents"}
