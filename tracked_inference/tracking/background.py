"""
What outlives its request: background responses, videos and batches, counted once in this process whoever asks for them.

Ids are the vendor's and unique, so the memory is one a process, shared by all clients, and bounded.
The lines of a batch are counted once by all who write to the same place: the same registry, or the same sink.
"""

from __future__ import annotations

import json
import os
from collections import OrderedDict
from threading import Lock
from typing import TYPE_CHECKING, Any

from tracked_inference.record import CallRecord
from tracked_inference.tracking.call import Call
from tracked_inference.tracking.handover import later
from tracked_inference.usage import Usage
from tracked_inference.vendors._operations import LINES, Operation
from tracked_inference.vendors._reading import StreamReader, began_at, get

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tracked_inference.record import Outcome, Sink

__all__ = ["Background", "Lines", "background", "batch_file", "finished_at_once", "remember", "retrieved"]

_INLINE_BATCH_BYTES = 1_000_000
"""A larger batch file is read in a thread of its own, so that an event loop does not wait for it."""

_FINAL = frozenset({"completed", "failed", "cancelled", "incomplete", "expired"})
_KEPT_OF_A_REQUEST = ("model", "service_tier", "tools", "size", "seconds", "quality", "n")

_MAX_OPEN = 10_000
_MAX_COUNTED = 50_000
_MAX_BATCHES = 256
_MAX_READERS = 16


class Background:
    """Which background calls are open, and which have been counted."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._open: OrderedDict[str, Call] = OrderedDict()
        self._counted: OrderedDict[str, None] = OrderedDict()
        self._lines: OrderedDict[str, list[tuple[list[object], set[int]]]] = OrderedDict()

    def open(self, response_id: str, call: Call) -> Call | None:
        """Remember a call until its response is seen finished; the oldest falls out when there are too many."""
        with self._lock:
            self._open[response_id] = call
            self._counted.pop(response_id, None)  # a stand-in for a vendor may give an id out again
            return self._open.popitem(last=False)[1] if len(self._open) > _MAX_OPEN else None

    def close(self, response_id: str, *, known_only: bool) -> tuple[Call | None, bool]:
        """The call that made a response, if this process did, and whether it is to be counted now."""
        with self._lock:
            call = self._open.pop(response_id, None)
            if call is None and known_only:
                return None, False
            first = response_id not in self._counted
            self._counted[response_id] = None
            if len(self._counted) > _MAX_COUNTED:
                self._counted.popitem(last=False)
            return call, first

    def forget_parent(self) -> None:
        """In a forked child: the lock may have been held by a thread that is not here."""
        self._lock = Lock()

    def first_line(self, batch_id: str, line_id: str, sinks: Iterable[Sink]) -> bool:
        """Whether those who take the records see this line of this batch for the first time."""
        places: list[object] = [
            getattr(sink, "place", None) or getattr(sink, "__self__", sink) for sink in sinks
        ]
        with self._lock:
            readers = self._lines.setdefault(batch_id, [])
            self._lines.move_to_end(batch_id)
            if len(self._lines) > _MAX_BATCHES:
                self._lines.popitem(last=False)
            shared = (seen for theirs, seen in readers if any(a is b for a in theirs for b in places))
            seen = next(shared, None)
            if seen is None:
                seen = set()
                readers.append((places, seen))
                del readers[:-_MAX_READERS]
            mark = hash(line_id)
            if mark in seen:
                return False
            seen.add(mark)
            return True


background = Background()


def _after_fork() -> None:
    background.forget_parent()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def remember(call: Call, response_id: str | None) -> None:
    """The vendor goes on working: the record is made when the response is first seen finished."""
    if call.request is not None:
        call.request = {name: call.request[name] for name in _KEPT_OF_A_REQUEST if name in call.request}
    call.reader = call.response = None
    call.recorder.left_to_vendor(call)
    oldest = background.open(str(response_id), call)
    if oldest is not None:
        oldest.finish("abandoned", None, reason="background_never_retrieved")


def finished_at_once(body: Any) -> None:
    """A background response is counted already, at the end of its stream say: whoever retrieves it sees no new call."""
    if get(body, "background") is True and isinstance(get(body, "id"), str):
        background.close(get(body, "id"), known_only=False)


def retrieved(call: Call, body: Any) -> None:
    """A response was looked at: count it if it ran in the background, is finished and was not counted before."""
    status, response_id = get(body, "status"), get(body, "id")
    if not (isinstance(status, str) and status in _FINAL and isinstance(response_id, str)):
        call.drop()
        return
    in_background = call.operation.name == "videos" or get(body, "background") is True
    made, first = background.close(response_id, known_only=not in_background)
    outcome: Outcome = "error" if status == "failed" else "cancelled" if status == "cancelled" else "ok"
    if not first:
        call.drop()
    elif made is not None:
        made.request_id = made.request_id or call.request_id
        call.drop()
        made.finish(outcome, body, reason=f"response_{status}" if outcome == "error" else None)
    else:  # made by another process, or before this one started: price it at the instant the vendor names
        call.started = began_at(body) or call.started
        call.finish(outcome, body, reason=f"response_{status}" if outcome == "error" else None)


class Lines(StreamReader):
    """The lines of a batch's results, each a record of its own."""

    __slots__ = ("_call",)

    def __init__(self, call: Call) -> None:
        super().__init__()
        self._call = call

    def see(self, event: Any, /) -> bool:
        _line(self._call, event)
        return False

    def body(self) -> Any:
        return None


def batch_file(call: Call, content: bytes) -> None:
    """A downloaded file: the output of a batch, or something else."""
    if not _is_output(content):
        call.drop()
        return

    def read() -> None:
        for line in content.splitlines():
            call.faults.guarded("usage", _json_line, call, line)
        call.drop()

    if len(content) <= _INLINE_BATCH_BYTES:
        read()
    else:
        later(read)


def _is_output(content: bytes) -> bool:
    """Whether a file is the output of a batch: the lines of its input have no response, and those of Azure's no id."""
    first = content[: content.find(b"\n") if b"\n" in content else None]
    if b'"custom_id"' not in first:
        return False
    try:
        line = json.loads(first)
    except ValueError:
        return False
    return isinstance(line, dict) and "custom_id" in line and "response" in line


def _json_line(call: Call, line: bytes) -> None:
    if line.strip():
        _line(call, json.loads(line))


def _line(call: Call, line: Any) -> None:
    recorder = call.recorder
    found = recorder.vendor.batch_line(line)
    if found is None:
        return
    line_id, body, outcome = found
    if not background.first_line(call.operation.subject or "", line_id, recorder.sinks):
        return
    name = recorder.vendor.operation_of_body(body)
    usage = Usage(passes=(), free="not_billed")
    if body is not None:
        usage = recorder.vendor.usage_of(body, operation=name, batch=True)
    one = Call(recorder, Operation(f"{name}.batch", LINES), None, stream=False)
    one.take_attribution(call)
    one.started = began_at(body) or call.started
    model = get(body, "model")
    started_at = one.started_at
    cost = recorder.price(one, started_at, usage, model if isinstance(model, str) else None, "no_usage")
    recorder.emit(
        CallRecord(
            started_at=started_at,
            duration_seconds=0.0,
            time_to_first_token_seconds=None,
            provider=one.provider,
            operation=one.operation.name,
            requested_model=None,
            model=cost.model,
            stream=False,
            feature=one.feature,
            team=one.team,
            user=one.user,
            usage=usage,
            cost=cost,
            outcome=outcome,
            error_type="batch_line_failed" if outcome == "error" else None,
            attempts=1,
            request_id=get(body, "id") if isinstance(get(body, "id"), str) else None,
            tags=one.tags,
            trace_id=None,
        )
    )
