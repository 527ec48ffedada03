"""Looking at what an SDK returned: a parsed object, a stream, the lines of a batch, a response read or not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from tracked_inference.tracking.background import Lines, batch_file
from tracked_inference.tracking.http import json_body, request_id_of, response_of
from tracked_inference.tracking.raw import observe_unread, read_events
from tracked_inference.tracking.streams import observe_stream
from tracked_inference.vendors._operations import BATCH_FILE, LINES
from tracked_inference.vendors._reading import media_type

if TYPE_CHECKING:
    from tracked_inference.tracking.call import Call

__all__ = ["observe"]


def observe(call: Call, result: Any, *, asynchronous: bool) -> None:
    """Look at what the SDK returned, which stays as it is; never raises."""
    response, call.response = call.response, None
    if call.attempts == 0 and call.may_be_kept:
        call.drop()  # middleware gave an answer that it had: nothing was sent
        return
    try:
        _observe(call, result, response, asynchronous)
    except Exception as error:
        call.faults.note("observe", error)
        call.faults.guarded("record", call.finish, "ok", None, reason="unobserved")


def _observe(call: Call, result: Any, response: Any, asynchronous: bool) -> None:
    kind = _kind_of(result)
    if kind == "http":
        kind, http = "raw", result
    elif kind == "object":
        request_id = getattr(result, "_request_id", None)
        call.request_id = request_id if isinstance(request_id, str) else request_id_of(response)
        call.recorder.answered(call, result)
        return
    else:
        http = response_of(result)
    call.request_id = request_id_of(http)
    if kind == "stream":
        if call.reader is None:
            call.reader = call.recorder.vendor.reader(call.operation.name)
        call.opened = True
        observe_stream(result, call, asynchronous=asynchronous)
    elif kind == "lines":
        call.reader = Lines(call)
        call.opened = True
        observe_stream(result, call, asynchronous=asynchronous)
    elif http.is_closed or http.is_stream_consumed:
        media = media_type(http.headers)
        if call.operation.kind == BATCH_FILE:
            batch_file(call, http.content)
        elif media == "text/event-stream":
            call.reader = call.reader or call.recorder.vendor.reader(call.operation.name)
            read_events(call, media, http.content)
            call.stream_ended()
        else:
            call.recorder.answered(call, json_body(http))
    elif call.operation.kind in (LINES, BATCH_FILE):
        call.drop()  # bytes on their way to a file: not ours to keep
    else:
        if call.reader is None and "json" not in media_type(http.headers):
            call.reader = call.recorder.vendor.reader(call.operation.name)
        call.opened = True
        observe_unread(http, call)


_kinds: WeakKeyDictionary[type, str] = (
    WeakKeyDictionary()
)  # pydantic makes classes at run time, some for a call
_KINDS = {
    "Stream": "stream",
    "AsyncStream": "stream",
    "JSONLDecoder": "lines",
    "AsyncJSONLDecoder": "lines",
    "BaseAPIResponse": "raw",
    "LegacyAPIResponse": "raw",
    "HttpxBinaryResponseContent": "raw",
}


def _kind_of(result: Any) -> str:
    """What the SDK returned, by the names of its public classes: a parsed object, a stream, lines, a raw response."""
    if hasattr(result, "__pydantic_fields_set__"):
        return "object"  # as most results are
    result_class = type(result)
    kind = _kinds.get(result_class)
    if kind is None:
        named = (
            "http"
            if base.__name__ == "Response" and base.__module__.startswith("httpx")
            else _KINDS.get(base.__name__)
            for base in result_class.__mro__  # `http` is what `cast_to=httpx.Response` asks for
        )
        kind = _kinds[result_class] = next((found for found in named if found), "object")
    return kind
