"""
Responses whose bytes the caller reads: `with_raw_response`, `with_streaming_response`, binary content.

What has been read already is looked at; what has not is read through a tee that keeps a copy and looks at it at the end.
Nothing is read ahead, and a body is parsed once more only where no parsed object passes us.
"""

from __future__ import annotations

import json
import sys
import weakref
from typing import TYPE_CHECKING, Any

from tracked_inference._handover import hand_over, prepare
from tracked_inference.vendors._reading import media_type

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from tracked_inference._call import Call

__all__ = ["json_body", "observe_unread", "read_events", "sse_events"]

_MAX_KEPT_BYTES = 32 * 1024 * 1024
"""A longer body is not kept: its usage is then unknown, and recorded as unmeasured."""

_EVENT_STREAM = "text/event-stream"
_AWS_EVENT_STREAM = "application/vnd.amazon.eventstream"


def json_body(response: Any) -> Any:
    """The JSON of a response that has been read; None where there is none."""
    if "json" not in media_type(response.headers):
        return None
    try:
        return json.loads(response.content)
    except (ValueError, RecursionError, UnicodeDecodeError):
        return None


def sse_events(body: bytes) -> Iterator[Any]:
    """The JSON payloads of a server-sent event stream; what is no JSON is passed over."""
    for event in body.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n\n"):
        lines = [line[5:].strip() for line in event.split(b"\n") if line.startswith(b"data:")]
        if lines:
            try:
                yield json.loads(b"\n".join(lines))
            except (ValueError, RecursionError, UnicodeDecodeError):
                continue


def _aws_events(body: bytes) -> Iterator[Any]:
    """The JSON payloads of an AWS event stream, which Bedrock answers with."""
    import base64

    from botocore.eventstream import EventStreamBuffer  # type: ignore[import-not-found, import-untyped, unused-ignore]

    buffer = EventStreamBuffer()
    buffer.add_data(body)
    for event in buffer:
        payload = json.loads(event.payload)
        if "bytes" in payload:
            yield json.loads(base64.b64decode(payload["bytes"]))


def read_events(call: Call, content_type: str, body: bytes) -> None:
    """Show every event of a body to the call's reader."""
    reader = call.reader
    if reader is None:
        return
    events = _aws_events(body) if content_type == _AWS_EVENT_STREAM else sse_events(body)
    for event in events:
        if isinstance(event, dict):
            reader.see(event)


class _Copy:
    """The bytes that passed, and what is made of them at the end."""

    __slots__ = ("call", "ended", "headers", "media", "module", "parts", "size", "wanted")

    def __init__(self, call: Call, response: Any) -> None:
        self.call = call
        self.module = _http_module(response)
        self.headers = {
            name: response.headers[name]
            for name in ("content-type", "content-encoding")
            if name in response.headers
        }
        self.media = media_type(self.headers)
        self.wanted = self.media in (_EVENT_STREAM, _AWS_EVENT_STREAM) or "json" in self.media
        self.parts: list[bytes] = []
        self.size = 0
        self.ended = False

    def feed(self, chunk: bytes) -> None:
        reader = self.call.reader
        if reader is not None and reader.first_content_at is None:
            reader.content()  # the first bytes: the nearest to the first token that can be seen from here
        self.size += len(chunk)
        if self.wanted and self.size <= _MAX_KEPT_BYTES:
            self.parts.append(chunk)
        elif self.parts:
            self.parts.clear()

    def end(self, *, whole: bool, error: BaseException | None = None) -> None:
        """The body was read to its end (`whole`), left, or broke off."""
        call = self.call
        if self.ended or call.settled:
            return
        self.ended = True
        call.meter.guarded("usage", self._look, whole)
        if call.settled:
            return
        if error is not None:
            call.meter.guarded("record", call.failed, error)
        elif call.reader is not None:
            call.meter.guarded("record", call.stream_ended if whole else call.stream_left)
        else:
            call.meter.guarded("record", call.finish, "ok" if whole else "abandoned", None, reason="no_usage")

    def _look(self, whole: bool) -> None:
        call = self.call
        if not self.wanted:
            call.meter.answered(call, None, left=not whole)
            return
        if self.size > _MAX_KEPT_BYTES:
            call.finish("ok" if whole else "abandoned", None, reason="body_too_large")
            return
        # Decoded by a throw-away response of the same HTTP library, which knows every content encoding.
        body = self.module.Response(200, headers=self.headers, content=b"".join(self.parts)).content
        if "json" not in self.media:
            read_events(call, self.media, body)
        elif whole:
            call.meter.answered(call, json.loads(body))
        else:
            call.finish("abandoned", None, complete=False, reason="body_not_read")


def _http_module(response: Any) -> Any:
    """The HTTP library that made a response: httpx or httpx2, whichever the SDK uses."""
    for base in type(response).__mro__:
        name = base.__module__.partition(".")[0]
        module = sys.modules.get(name)
        if module is not None and hasattr(module, "SyncByteStream"):
            return module
    raise TypeError(f"{type(response).__name__} is no response of a known HTTP library")


def observe_unread(response: Any, call: Call) -> None:
    """Read along with the caller: the response's byte stream becomes a tee."""
    prepare()
    copy = _Copy(call, response)
    module = copy.module
    stream = response.stream
    # A body that can be read both ways is one; which way it is read, the SDK decides.
    bases = tuple(
        base
        for base, make in ((module.AsyncByteStream, "__aiter__"), (module.SyncByteStream, "__iter__"))
        if hasattr(stream, make)
    )
    response.stream = _tee_class(bases)(stream, copy)
    # The response, not the SDK's wrapper of it: `….with_raw_response.create(stream=True).parse()` drops that one at once.
    weakref.finalize(response, _dropped, copy)


def _dropped(copy: _Copy) -> None:
    if not copy.call.settled:
        hand_over(lambda: copy.end(whole=False))


_tees: dict[tuple[type, ...], Callable[..., Any]] = {}


def _tee_class(bases: tuple[type, ...]) -> Callable[..., Any]:
    made = _tees.get(bases)
    if made is None:
        made = _tees[bases] = type("Tee", (_Tee, *bases), {})
    return made


class _Tee:
    def __init__(self, inner: Any, copy: _Copy) -> None:
        self._inner = inner
        self._copy = copy

    def __getattr__(self, name: str) -> Any:  # what an SDK hangs on its streams
        return getattr(self.__dict__["_inner"], name)

    def __iter__(self) -> Iterator[bytes]:
        copy = self._copy
        try:
            for chunk in self._inner:
                copy.feed(chunk)
                yield chunk
        except GeneratorExit:
            raise
        except BaseException as error:
            copy.end(whole=False, error=error)
            raise
        copy.end(whole=True)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        copy = self._copy
        try:
            async for chunk in self._inner:
                copy.feed(chunk)
                yield chunk
        except GeneratorExit:
            raise
        except BaseException as error:
            copy.end(whole=False, error=error)
            raise
        copy.end(whole=True)

    def close(self) -> None:
        try:
            self._inner.close()
        finally:
            self._left()

    async def aclose(self) -> None:
        try:
            await self._inner.aclose()
        finally:
            self._left()

    def _left(self) -> None:
        if not self._copy.call.settled and not self._copy.ended:
            if isinstance(sys.exc_info()[1], GeneratorExit):
                hand_over(lambda: self._copy.end(whole=False))
            else:
                self._copy.end(whole=False)
