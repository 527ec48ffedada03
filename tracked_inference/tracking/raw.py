"""
Responses whose bytes the caller reads: `with_raw_response`, `with_streaming_response`, binary content.

What has been read already is looked at; of what has not, a copy is kept as it is read, and looked at in the end.
Nothing is read ahead, and a body is parsed once more only where no parsed object passes us.
"""

from __future__ import annotations

import functools
import json
import sys
from contextlib import aclosing, closing
from typing import TYPE_CHECKING, Any

from tracked_inference.tracking.call import is_cancellation
from tracked_inference.tracking.handover import prepare, when_dropped
from tracked_inference.tracking.http import parsed
from tracked_inference.tracking.streams import extended
from tracked_inference.vendors._reading import media_type

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from tracked_inference.tracking.call import Call

__all__ = ["observe_unread", "read_events", "sse_events"]

_MAX_KEPT_BYTES = 32 * 1024 * 1024
"""A longer body is not kept: its usage is then unknown, and recorded as unmeasured."""

_EVENT_STREAM = "text/event-stream"
_AWS_EVENT_STREAM = "application/vnd.amazon.eventstream"


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

    __slots__ = (
        "call",
        "ended",
        "headers",
        "inside",
        "media",
        "module",
        "parts",
        "size",
        "streamed",
        "wanted",
    )

    def __init__(self, call: Call, response: Any) -> None:
        self.call = call
        self.module = _http_module(response)
        self.headers = {
            name: response.headers[name]
            for name in ("content-type", "content-encoding")
            if name in response.headers
        }
        self.media = media_type(self.headers)
        self.streamed = self.media in (_EVENT_STREAM, _AWS_EVENT_STREAM)
        self.wanted = self.streamed or "json" in self.media
        self.parts: list[bytes] = []
        self.size = 0
        self.ended = False
        self.inside = False

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
        if self.streamed and any(b"[DONE]" in part for part in self.parts[-2:]):
            whole = True  # the SDK stops reading here, and closes
        if error is None or self.streamed:
            call.faults.guarded("usage", self._look, whole)
        if call.settled:
            return
        if error is not None:
            call.broke(error)
        else:
            call.faults.guarded("record", call.stream_ended if whole else call.stream_left)

    def closed(self) -> None:
        """The response was closed: by its own iterator on the way out (`inside`), or by the caller before the end."""
        if self.inside or self.ended or self.call.settled:
            return
        error = sys.exc_info()[1]
        if isinstance(error, GeneratorExit):  # finalized, by the garbage collector for all we know
            self.call.hand_over(lambda: self.end(whole=False))
        else:
            self.end(whole=False, error=error if error is not None and is_cancellation(error) else None)

    def _look(self, whole: bool) -> None:
        call = self.call
        if not self.wanted:
            call.recorder.answered(call, None, left=not whole)
            return
        if self.size > _MAX_KEPT_BYTES:
            call.finish("ok" if whole else "abandoned", None, reason="body_too_large")
            return
        if not (whole or self.streamed):
            call.finish("abandoned", None, complete=False, reason="body_not_read")
            return
        try:
            # Decoded by a throw-away response of the same HTTP library, which knows every content encoding.
            body = self.module.Response(200, headers=self.headers, content=b"".join(self.parts)).content
        except self.module.DecodingError:
            call.finish("ok" if whole else "abandoned", None, complete=False, reason="body_not_decodable")
            return
        if self.streamed:
            read_events(call, self.media, body)
        else:
            call.recorder.answered(call, parsed(body))


def _http_module(response: Any) -> Any:
    """The HTTP library that made a response: httpx or httpx2, whichever the SDK uses."""
    for base in type(response).__mro__:
        name = base.__module__.partition(".")[0]
        module = sys.modules.get(name)
        if module is not None and hasattr(module, "SyncByteStream"):
            return module
    raise TypeError(f"{type(response).__name__} is no response of a known HTTP library")


def observe_unread(response: Any, call: Call) -> None:
    """Read along with the caller: every way to read a response goes through its `iter_raw` or `aiter_raw`."""
    prepare()
    copy = _Copy(call, response)
    response._tracked_copy = copy
    response.__class__ = extended(type(response), _reading)
    # The response, not the SDK's wrapper of it: `….with_raw_response.create(stream=True).parse()` drops that one at once.
    when_dropped(response, functools.partial(_dropped, copy))


def _dropped(copy: _Copy) -> None:
    if not copy.call.settled:
        copy.call.hand_over(lambda: copy.end(whole=False))


def _reading(base: Any) -> dict[str, Any]:
    """A response whose bytes are looked at as they pass; once they have, it is of its own class again."""

    def iter_raw(self: Any, *args: Any, **kwargs: Any) -> Iterator[bytes]:
        copy: _Copy = self._tracked_copy
        try:
            with closing(base.iter_raw(self, *args, **kwargs)) as chunks:
                copy.inside = True
                for chunk in chunks:
                    copy.inside = False
                    copy.feed(chunk)
                    yield chunk
                    copy.inside = True
        except GeneratorExit:
            raise
        except BaseException as error:
            copy.end(whole=False, error=error)
            raise
        finally:
            copy.inside = False
        copy.end(whole=True)
        _hand_back(self, base)

    async def aiter_raw(self: Any, *args: Any, **kwargs: Any) -> AsyncIterator[bytes]:
        copy: _Copy = self._tracked_copy
        try:
            # Who closes this one at once (httpx2 does, where a body cannot be decoded) means the inner one too.
            async with aclosing(base.aiter_raw(self, *args, **kwargs)) as chunks:
                copy.inside = True
                async for chunk in chunks:
                    copy.inside = False
                    copy.feed(chunk)
                    yield chunk
                    copy.inside = True
        except GeneratorExit:
            raise
        except BaseException as error:
            copy.end(whole=False, error=error)
            raise
        finally:
            copy.inside = False
        copy.end(whole=True)
        _hand_back(self, base)

    def close(self: Any) -> None:
        try:
            base.close(self)
        finally:
            self._tracked_copy.closed()

    async def aclose(self: Any) -> None:
        try:
            await base.aclose(self)
        finally:
            self._tracked_copy.closed()

    return {"iter_raw": iter_raw, "aiter_raw": aiter_raw, "close": close, "aclose": aclose}


def _hand_back(response: Any, base: Any) -> None:
    """Make a response that was read what it was: it can be copied, compared and pickled."""
    response.__class__ = base
    del response._tracked_copy
