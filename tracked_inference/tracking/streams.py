"""
Streams under observation: the SDK's own object, of a subclass of its own class that looks at the events as they pass.

The subclasses are made at run time, override public methods alone and hand on the SDK's own events.
`_tracked_call` is the only thing added to the instance.
"""

from __future__ import annotations

import functools
import sys
import weakref
from types import AsyncGeneratorType, GeneratorType
from typing import TYPE_CHECKING, Any

from tracked_inference.tracking.call import is_cancellation
from tracked_inference.tracking.handover import prepare, when_dropped
from tracked_inference.tracking.http import response_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from tracked_inference.tracking.call import Call

__all__ = ["extended", "observe_stream"]


def _events(base: Any) -> dict[str, Any]:
    """A synchronous stream."""

    def __iter__(self: Any) -> Iterator[Any]:
        call: Call = self._tracked_call
        reader = call.reader
        if reader is None or call.settled:
            yield from base.__iter__(self)
            return
        inner = base.__iter__(self)
        if not isinstance(inner, GeneratorType):
            inner = (item for item in inner)
        call.iterator = weakref.ref(inner)
        skip, see = reader.skip, reader.see
        try:
            for item in inner:
                if type(item) not in skip:
                    try:  # written out, here and in `_AsyncTap`: this runs once for each piece of each stream
                        if see(item):
                            continue
                    except Exception as error:
                        call.faults.note("usage", error)
                yield item
        except GeneratorExit:
            raise
        except BaseException as error:
            call.broke(error)
            raise
        call.faults.guarded("record", call.stream_ended)

    def __next__(self: Any) -> Any:
        call: Call = self._tracked_call
        reader = call.reader
        if reader is None or call.settled:
            return base.__next__(self)
        try:
            while True:
                call.inside = True
                item = base.__next__(self)
                call.inside = False
                if type(item) in reader.skip or not call.faults.look(reader.see, item):
                    return item
        except StopIteration:
            call.inside = False
            call.faults.guarded("record", call.stream_ended)
            raise
        except BaseException as error:
            call.inside = False
            call.broke(error)
            raise

    return {"__iter__": __iter__, "__next__": __next__}


def _async_events(base: Any) -> dict[str, Any]:
    """An asynchronous stream."""

    def __aiter__(self: Any) -> AsyncIterator[Any]:
        inner = base.__aiter__(self)
        call: Call = self._tracked_call
        if call.settled or call.reader is None:
            return inner  # type: ignore[no-any-return]  # the SDK's
        return _AsyncTap(self, call, inner)

    async def __anext__(self: Any) -> Any:
        call: Call = self._tracked_call
        reader = call.reader
        if reader is None or call.settled:
            return await base.__anext__(self)
        try:
            while True:
                call.inside = True
                item = await base.__anext__(self)
                call.inside = False
                if type(item) in reader.skip or not call.faults.look(reader.see, item):
                    return item
        except StopAsyncIteration:
            call.inside = False
            call.faults.guarded("record", call.stream_ended)
            raise
        except BaseException as error:
            call.inside = False
            call.broke(error)
            raise

    return {"__aiter__": __aiter__, "__anext__": __anext__}


class _AsyncTap:
    """
    An iterator around the SDK's own.

    A class, not an async generator: when a stream is dropped the event loop closes the SDK's generator as ever, and a second
    generator around it would be closed at the same time, each finding the other one running.
    """

    __slots__ = ("_call", "_inner", "_see", "_skip", "_stream")

    def __init__(self, stream: Any, call: Call, inner: Any) -> None:
        self._stream = stream  # lives until the end was seen: the SDK's generator lets go of it before
        self._call = call
        self._inner = inner if isinstance(inner, AsyncGeneratorType) else (item async for item in inner)
        call.iterator = weakref.ref(self._inner)
        reader = call.reader
        self._skip = reader.skip if reader is not None else set()
        self._see: Any = reader.see if reader is not None else None

    def __aiter__(self) -> _AsyncTap:
        return self

    async def __anext__(self) -> Any:
        try:
            async for item in self._inner:  # up to the next one that is not hidden
                if type(item) in self._skip:
                    return item
                try:
                    if self._see(item):
                        continue
                except Exception as error:
                    self._call.faults.note("usage", error)
                return item
        except BaseException as error:
            self._call.broke(error)
            raise
        self._call.faults.guarded("record", self._call.stream_ended)
        raise StopAsyncIteration

    # What the SDK's generator has besides; not by `__getattr__`, which would make each look at an attribute above slow.

    def aclose(self) -> Any:
        return self._inner.aclose()

    def asend(self, value: Any) -> Any:
        return self._inner.asend(value)

    def athrow(self, *error: Any) -> Any:
        return self._inner.athrow(*error)


class _Tap:
    """The same around the SDK's own iterator of a synchronous stream."""

    __slots__ = ("_call", "_inner", "_reader")

    def __init__(self, call: Call, inner: Any) -> None:
        self._call = call
        self._inner = inner
        self._reader: Any = call.reader

    def __iter__(self) -> _Tap:
        return self

    def __next__(self) -> Any:
        call, reader = self._call, self._reader
        try:
            while True:
                call.inside = True
                item = next(self._inner)
                call.inside = False
                if type(item) in reader.skip or not call.faults.look(reader.see, item):
                    return item
        except StopIteration:
            call.inside = False
            call.faults.guarded("record", call.stream_ended)
            raise
        except BaseException as error:
            call.inside = False
            call.broke(error)
            raise

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def _response(base: Any) -> dict[str, Any]:
    """An HTTP response that tells when it is closed: the stream helpers of one SDK close it and not their stream."""

    def close(self: Any) -> None:
        try:
            base.close(self)
        finally:
            _closed(self._tracked_call)

    async def aclose(self: Any) -> None:
        try:
            await base.aclose(self)
        finally:
            _closed(self._tracked_call)

    return {"close": close, "aclose": aclose}


def _closed(call: Call) -> None:
    if call.settled or call.is_inside():  # the SDK's own iterator closes the response on its way out
        return
    error = sys.exc_info()[1]
    if isinstance(error, GeneratorExit):  # a generator is finalized, by the garbage collector for all we know
        call.hand_over(functools.partial(call.faults.guarded, "record", call.stream_left))
    elif error is not None and is_cancellation(error):
        call.faults.guarded("record", call.failed, error)
    else:
        call.faults.guarded("record", call.stream_left)


_made: dict[tuple[Any, type], type] = {}


def extended(base: type, methods: Callable[[Any], dict[str, Any]]) -> type:
    """
    A subclass of `base` with these methods, under the same name; made once.

    It has one base alone: an instance may change its class only to one of the same layout.
    """
    made = _made.get((methods, base))
    if made is None:
        names = {"__module__": base.__module__, "__qualname__": base.__qualname__, "__doc__": base.__doc__}
        made = _made[methods, base] = type(base)(base.__name__, (base,), {**names, **methods(base)})
    return made


def observe_stream(stream: Any, call: Call, *, asynchronous: bool) -> None:
    """Watch an SDK stream, in place: the object stays the same, its class becomes a subclass of its own."""
    prepare()
    stream._tracked_call = call
    base = type(stream)
    stream.__class__ = extended(base, _async_events if asynchronous else _events)
    if not isinstance(stream, base):
        # anthropic < 1 answers isinstance() itself, and knows no subclasses: the class stays, and its iterator is watched.
        stream.__class__ = base
        inner = stream._iterator
        stream._iterator = _AsyncTap(None, call, inner) if asynchronous else _Tap(call, inner)
    watch_close(response_of(stream), call)
    when_dropped(stream, functools.partial(_dropped, call))


def watch_close(response: Any, call: Call) -> None:
    """Let a response tell when it is closed; one whose class cannot be extended tells when the stream is dropped."""
    if response is None:
        return
    try:
        response._tracked_call = call
        response.__class__ = extended(type(response), _response)
    except (AttributeError, TypeError):  # a stand-in for a response
        pass


def _dropped(call: Call) -> None:
    """A stream went out of use; runs in a finalizer."""
    if not call.settled:
        call.hand_over(functools.partial(call.faults.guarded, "record", call.stream_left))
