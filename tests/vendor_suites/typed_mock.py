"""
A pytest plugin that answers every HTTP request of an SDK in the process, for the parts of a suite that want a mock server.

The answer is the smallest JSON that is valid for the type which the SDK expects (`cast_to`): no specification, no server.
"""

from __future__ import annotations

import importlib
import inspect
import json
import types
import typing
from contextvars import ContextVar
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pytest

_expected: ContextVar[Any] = ContextVar("expected", default=None)


def smallest(kind: Any) -> Any:
    """The smallest JSON value of a type."""
    if hasattr(kind, "__value__"):  # a named alias
        return smallest(kind.__value__)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Annotated:
        return smallest(arguments[0])
    if origin in (typing.Union, types.UnionType):
        return None if type(None) in arguments else smallest(arguments[0])
    if origin is typing.Literal:
        return arguments[0]
    model = kind if hasattr(kind, "model_fields") else origin
    if hasattr(model, "model_fields"):
        return {
            field.alias or name: smallest(field.annotation)
            for name, field in model.model_fields.items()
            if field.is_required() or (name == "data" and "Page" in model.__name__)
        }
    if origin in (list, set, tuple) or kind is list:
        return []
    return _PLAIN.get(kind, {})


_PLAIN: dict[Any, Any] = {
    str: "text",
    bool: True,
    int: 1,
    float: 1.5,
    type(None): None,
    datetime: "2026-01-01T00:00:00Z",
    date: "2026-01-01",
}


def pytest_configure(config: pytest.Config) -> None:
    for sdk in ("anthropic", "openai"):
        try:
            base = importlib.import_module(f"{sdk}._base_client")
        except ImportError:
            continue
        for name in ("SyncAPIClient", "AsyncAPIClient"):
            cls = getattr(base, name)
            cls.request = _noting_the_type(cls.request)
        _answer_all(getattr(base, "httpx2", None) or base.httpx)


def _noting_the_type(request: Any) -> Any:
    if inspect.iscoroutinefunction(request):

        async def asynchronous(self: Any, cast_to: Any, options: Any, **more: Any) -> Any:
            token = _expected.set(cast_to)
            try:
                return await request(self, cast_to, options, **more)
            finally:
                _expected.reset(token)

        return asynchronous

    def synchronous(self: Any, cast_to: Any, options: Any, **more: Any) -> Any:
        token = _expected.set(cast_to)
        try:
            return request(self, cast_to, options, **more)
        finally:
            _expected.reset(token)

    return synchronous


def _answer_all(http: Any) -> None:
    class Body(http.SyncByteStream, http.AsyncByteStream):
        def __init__(self, content: bytes) -> None:
            self._content = content

        def __iter__(self) -> Any:
            yield self._content

        async def __aiter__(self) -> Any:
            yield self._content

    def answer(request: Any, stream: bool) -> Any:
        kind, accepts = _expected.get(), request.headers.get("accept", "")
        binary = "octet-stream" in accepts or "binary" in accepts or "audio" in accepts
        if "event-stream" in accepts:
            content, media = b"", "text/event-stream"
        elif binary or (inspect.isclass(kind) and kind.__module__.endswith("_response")):
            content, media = b"bytes", "application/octet-stream"
        else:
            content, media = json.dumps(smallest(kind)).encode(), "application/json"
        headers = {"content-type": media, "request-id": "req_1"}
        body: dict[str, Any] = {"stream": Body(content)} if stream else {"content": content}
        response = http.Response(200, headers=headers, request=request, **body)
        response.elapsed = timedelta(0)
        return response

    def send(self: Any, request: Any, *, stream: bool = False, **_: Any) -> Any:
        return answer(request, stream)

    async def asend(self: Any, request: Any, *, stream: bool = False, **_: Any) -> Any:
        return answer(request, stream)

    http.Client.send, http.AsyncClient.send = send, asend
