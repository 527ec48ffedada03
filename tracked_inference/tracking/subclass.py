"""
The subclass: the vendor's own client class with the one method overridden that every request goes through.

It is made at run time, once for each class; nothing is patched, and no vendor package is imported.
"""

from __future__ import annotations

import functools
import inspect
from contextvars import ContextVar
from types import MethodType
from typing import TYPE_CHECKING, Any

from tracked_inference.tracking.observe import observe

if TYPE_CHECKING:
    from tracked_inference.tracking.call import Call
    from tracked_inference.tracking.meter import Meter

__all__ = ["BASE", "METER", "SEND", "shallow", "subclass_of"]

METER = "_tracked_meter"
BASE = "_tracked_base"
SEND = "_tracked_send"

_REFUSED = object()
_current: ContextVar[Call | None] = ContextVar("tracked_inference_call", default=None)


# Copies.


def shallow(client: Any, cls: type) -> Any:
    """
    Copy a client, sharing its HTTP client and options, as an instance of `cls`.

    Resources (`client.messages`) hold the client they were taken from: cached ones are left out, to be made again on use;
    those set as plain attributes (Bedrock, Vertex) are made anew. Other cached values are settings and are kept.
    """
    new: Any = object.__new__(cls)
    for name, value in client.__dict__.items():
        if getattr(value, "_client", None) is not client:
            new.__dict__[name] = value
        elif not isinstance(inspect.getattr_static(cls, name, None), functools.cached_property):
            new.__dict__[name] = type(value)(new)
    build = getattr(new, "_build_middleware_chain", None)
    if build is not None and "_middleware_chain" in new.__dict__:
        new.__dict__["_middleware_chain"] = build()  # its closures hold the client
    return new


def _copy(self: Any, base: type, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """
    The vendor's own `copy()`, tracked.

    It runs on a plain client of the vendor's class, because vendors compare `type(self)` and look into `__init__`;
    what it found out and stored there (a project, a region) is stored here too.
    """
    plain = shallow(self, base)
    del plain.__dict__[METER]
    made = plain.copy(*args, **kwargs)
    for name, value in plain.__dict__.items():
        found_out = name != "_middleware_chain" and self.__dict__.get(name, plain) is not value
        if found_out and getattr(value, "_client", None) is not plain:
            self.__dict__[name] = value
    new = shallow(made, type(self))
    new.__dict__[METER] = self.__dict__[METER]
    return new


# The subclass.

_made: dict[type, type] = {}


def subclass_of(base: Any, tracked: type) -> type:
    """The subclass of a client class and of `tracked`, which has what is ours to see; made once."""
    made = _made.get(base)
    if made is None:
        # By name: where other instrumentation wraps `request`, the wrapper may be no coroutine function.
        asynchronous = any(one.__name__ == "AsyncAPIClient" for one in base.__mro__)
        names = (_async_methods if asynchronous else _sync_methods)(base)
        names.update(_hooks(base))

        @functools.wraps(base.copy)
        def copy(self: Any, *args: Any, **kwargs: Any) -> Any:
            return _copy(self, base, args, kwargs)

        names.update(
            copy=copy,
            with_options=copy,  # in the vendors' classes an alias, which would not follow an overridden copy
            __copy__=lambda self: shallow(self, type(self)),
            __init__=base.__init__,  # signatures are looked at
            __repr__=base.__repr__ if base.__repr__ is not object.__repr__ else tracked.__repr__,
            __module__=base.__module__,
            __qualname__=base.__qualname__,
            __doc__=base.__doc__,
        )
        names[BASE] = base
        made = _made[base] = _metaclass_for(base, tracked)(base.__name__, (tracked, base), names)
    return made


def _metaclass_for(base: type, tracked: type) -> Any:
    ours, kind = type(tracked), type(base)
    return ours if kind is type else type("_Meta", (ours, kind), {})


def _async_methods(base: Any) -> dict[str, Any]:
    @functools.wraps(base.request)
    async def request(
        self: Any, cast_to: Any, options: Any, *, stream: bool = False, stream_cls: Any = None, **more: Any
    ) -> Any:
        meter: Meter = self.__dict__[METER]
        send = self.__dict__.get(SEND) or MethodType(base.request, self)
        call = meter.begin(self, options, stream=stream)
        outer = _current.get()
        _current.set(call)
        try:
            if call is None:
                return await send(cast_to, options, stream=stream, stream_cls=stream_cls, **more)
            asked = meter.stream_usage.ask(self, call, options) if stream else options
            result: Any = _REFUSED
            try:
                result = await send(cast_to, asked, stream=stream, stream_cls=stream_cls, **more)
            except Exception as error:
                if asked is options or not meter.stream_usage.refused(self, call, error):
                    raise
            if result is _REFUSED:  # out of the handler, so that the refusal is no context of what comes now
                result = await send(cast_to, options, stream=stream, stream_cls=stream_cls, **more)
        except BaseException as error:
            if call is not None:
                call.broke(error)
            raise
        finally:
            if _current.get() is call:  # a coroutine that is dropped ends in whatever context there is
                _current.set(outer)
        if call is not None:  # it is not, here
            observe(call, result, asynchronous=True)
        return result

    async def complete(self: Any, messages: Any, *, model: str | None = None, **options: Any) -> Any:
        meter: Meter = self.__dict__[METER]
        chosen = meter.model_of_complete(self, model, options)
        with meter.catching() as caught:
            answer = await meter.vendor.complete(self, chosen, messages, options, meter.seller(self)[0])
        return meter.result(answer, caught)

    return {"request": request, "complete": complete}


def _sync_methods(base: Any) -> dict[str, Any]:
    @functools.wraps(base.request)
    def request(
        self: Any, cast_to: Any, options: Any, *, stream: bool = False, stream_cls: Any = None, **more: Any
    ) -> Any:
        meter: Meter = self.__dict__[METER]
        send = self.__dict__.get(SEND) or MethodType(base.request, self)
        call = meter.begin(self, options, stream=stream)
        outer = _current.get()
        _current.set(call)
        try:
            if call is None:
                return send(cast_to, options, stream=stream, stream_cls=stream_cls, **more)
            asked = meter.stream_usage.ask(self, call, options) if stream else options
            result: Any = _REFUSED
            try:
                result = send(cast_to, asked, stream=stream, stream_cls=stream_cls, **more)
            except Exception as error:
                if asked is options or not meter.stream_usage.refused(self, call, error):
                    raise
            if result is _REFUSED:  # out of the handler, so that the refusal is no context of what comes now
                result = send(cast_to, options, stream=stream, stream_cls=stream_cls, **more)
        except BaseException as error:
            if call is not None:
                call.broke(error)
            raise
        finally:
            if _current.get() is call:  # a coroutine that is dropped ends in whatever context there is
                _current.set(outer)
        if call is not None:  # it is not, here
            observe(call, result, asynchronous=False)
        return result

    def complete(self: Any, messages: Any, *, model: str | None = None, **options: Any) -> Any:
        meter: Meter = self.__dict__[METER]
        chosen = meter.model_of_complete(self, model, options)
        with meter.catching() as caught:
            answer = meter.vendor.complete(self, chosen, messages, options, meter.seller(self)[0])
        return meter.result(answer, caught)

    return {"request": request, "complete": complete}


def _hooks(base: Any) -> dict[str, Any]:
    """
    The vendor's own hooks inside a request, each only if this SDK has it: without one, a detail is lost and no record.

    They hand on what the vendor's method returns, awaitable or not, so they serve both kinds of client.
    """
    made: dict[str, Any] = {}
    if hasattr(base, "_prepare_options"):  # documented for subclasses; called before every request

        @functools.wraps(base._prepare_options)
        def _prepare_options(self: Any, options: Any) -> Any:
            call = _current.get()
            if call is not None:
                call.attempts += 1
            return base._prepare_options(self, options)

        made["_prepare_options"] = _prepare_options
    if hasattr(base, "_process_response"):  # sees the response that the caller's object is made of

        @functools.wraps(base._process_response)
        def _process_response(self: Any, **what: Any) -> Any:
            call = _current.get()
            if call is not None:
                if call.response is not None:  # middleware asked more than once
                    call.lost_answers += 1
                call.response = what.get("response")
            return base._process_response(self, **what)

        made["_process_response"] = _process_response
    if hasattr(base, "_sleep_for_retry"):  # runs where the SDK handles what went wrong with the last request

        @functools.wraps(base._sleep_for_retry)
        def _sleep_for_retry(self: Any, **more: Any) -> Any:
            call = _current.get()
            if call is not None:
                call.note_retry(more.get("response"))
            return base._sleep_for_retry(self, **more)

        made["_sleep_for_retry"] = _sleep_for_retry
    return made
