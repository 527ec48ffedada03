"""One call in flight: what is known of it so far, and how it becomes exactly one record."""

from __future__ import annotations

import functools
import sys
from datetime import UTC, datetime
from time import perf_counter, time
from typing import TYPE_CHECKING, Any

from tracked_inference.tracking import handover
from tracked_inference.vendors._operations import BATCH_FILE, LINES, RETRIEVE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from weakref import ref

    from tracked_inference.record import Outcome
    from tracked_inference.tracking.recorder import Recorder
    from tracked_inference.vendors._operations import Operation
    from tracked_inference.vendors._reading import Reader

__all__ = ["Call"]

_NO_TAGS: Mapping[str, str] = {}


class Call:
    """
    One vendor call in flight.

    The client makes it before the SDK is asked and hands it what it learns; whoever sees the end first calls `finish`,
    and only the first one counts.
    """

    # What most calls leave as it is stands on the class.
    feature = team = provider = ""
    tags: Mapping[str, str] = _NO_TAGS
    user: str | None = None
    region: str | None = None
    trace_id: str | None = None
    request_id: str | None = None
    attempts = 0
    lost_attempts = 0  # requests that timed out before the one that answered; they may be billed
    lost_answers = 0  # answers before the last one, which middleware kept to itself; they are billed
    response: Any = None  # the last HTTP response, while the SDK works on it
    reader: Reader | None = None
    opened = False  # the SDK gave the caller a stream
    iterator: ref[Any] | None = None  # the SDK's generator that makes the events of a stream
    inside = False  # the SDK is making an event for a caller who asked the stream itself for the next one
    settled = False
    ended = False  # it counts no more among the calls in progress
    counts_attempts = True  # this SDK tells when it sends
    may_be_kept = False  # there is middleware, which may answer without sending

    def __init__(
        self,
        recorder: Recorder,
        operation: Operation,
        request: Mapping[str, Any] | None,
        *,
        stream: bool,
    ) -> None:
        self.start = perf_counter()
        self.started = time()
        self.forks = handover.forks
        self.recorder = recorder
        self.faults = recorder.faults
        self.operation = operation
        self.request = request
        self.stream = stream
        model = request.get("model") if request is not None else None
        self.requested_model: str | None = model if isinstance(model, str) else None

    @property
    def started_at(self) -> datetime:
        """When the call started, aware UTC."""
        return datetime.fromtimestamp(self.started, UTC)

    def note_retry(self, response: Any) -> None:
        """The SDK is about to send the request again; one that timed out while it was answered may be billed."""
        # Where there is a response, the exception in sight may be one that the caller is handling.
        error = sys.exc_info()[1] if response is None else None
        if error is not None and type(error).__name__ in ("ReadTimeout", "WriteTimeout", "APITimeoutError"):
            self.lost_attempts += 1

    def finish(
        self,
        outcome: Outcome,
        body: Any = None,
        *,
        complete: bool = True,
        error: BaseException | None = None,
        reason: str | None = None,
    ) -> None:
        """
        End the call; only the first end counts.

        Args:
            outcome: How it ended for the caller.
            body: The response, or what was seen of it; None where there is none.
            complete: The vendor's final count is in it.
            error: What the caller was given instead of a response.
            reason: Why there is no usage, where that is known.
        """
        if self.settled:
            return
        self.settled = True
        self.recorder.settle(self, outcome, body, complete, error, reason)
        self.request = self.response = self.reader = None

    def drop(self) -> None:
        """End the call without a record: it was none."""
        if not self.settled:
            self.settled = True
            self.recorder.dropped(self)
            self.request = self.response = self.reader = None

    def take_attribution(self, other: Call) -> None:
        """Be for the same people, at the same seller, as another call."""
        self.feature, self.team, self.user, self.tags = other.feature, other.team, other.user, other.tags
        self.provider, self.region = other.provider, other.region

    # What happens to a stream.

    def is_inside(self) -> bool:
        """Whether the SDK is making an event just now: what it closes then is not closed by the caller."""
        generator = self.iterator() if self.iterator is not None else None
        return (
            self.inside
            or getattr(generator, "gi_running", False)
            or getattr(generator, "ag_running", False)  # also while it waits
        )

    def stream_ended(self) -> None:
        """The stream was read to its end."""
        reader = self.reader
        if self.settled or reader is None or self._no_call():
            return
        if reader.complete:
            self.recorder.answered(self, reader.body())
        elif self.operation.name in self.recorder.vendor.STREAM_USAGE_ON_REQUEST:
            body = reader.body()  # usage so far is that of the whole, at the end
            self.finish("ok", body, complete=body is not None, reason="stream_without_usage")
        elif not self._goes_on():
            # It ended without the vendor's last word: for the caller as for the bill it was cut.
            self.finish("error", reader.body(), complete=False, reason="stream_cut")

    def stream_left(self) -> None:
        """The stream was closed or dropped before its end; the vendor bills what it made all the same."""
        reader = self.reader
        if self.settled or reader is None or self._no_call():
            return
        if reader.complete:
            self.recorder.answered(self, reader.body())
        elif not self._goes_on():
            self.finish("abandoned", reader.body(), complete=False, reason="stream_cut")

    def failed(self, error: BaseException) -> None:
        """The SDK raised instead of answering, or in the middle of a stream."""
        if self.settled:
            return
        outcome: Outcome = "cancelled" if is_cancellation(error) else "error"
        reader = self.reader
        if reader is None or not self.opened:
            self.recorder.failed(self, outcome, error)
        elif not self._no_call() and not self._goes_on():
            reason = "stream_cancelled" if outcome == "cancelled" else "stream_cut"
            self.finish(outcome, reader.body(), complete=reader.complete, error=error, reason=reason)

    def hand_over(self, work: Callable[[], None]) -> None:
        """End the call from a finalizer; one that runs in a forked child is about a copy, and the call is the parent's."""
        if self.forks == handover.forks:
            handover.hand_over(work)

    def broke(self, error: BaseException) -> None:
        """The SDK raised; or a coroutine was dropped, in a finalizer for all we know."""
        if isinstance(error, GeneratorExit):
            self.hand_over(functools.partial(self.faults.guarded, "record", self.failed, error))
        else:
            self.faults.guarded("record", self.failed, error)

    def _no_call(self) -> bool:
        """End what is no call of its own: a look at a background response, the lines of a batch."""
        kind, reader = self.operation.kind, self.reader
        if kind == RETRIEVE and reader is not None:
            self.recorder.retrieved(self, reader.body())
        elif kind in (LINES, BATCH_FILE):
            self.drop()
        return self.settled

    def _goes_on(self) -> bool:
        """Whether the vendor goes on working in the background; the record is then made when it is seen finished."""
        reader = self.reader
        if reader is None or reader.response_id is None or not getattr(reader, "background", False):
            return False
        self.recorder.remember(self, reader.response_id)
        return True


def is_cancellation(error: BaseException) -> bool:
    """
    Whether an exception means that the caller was told to stop, not that the call failed.

    What is no `Exception` is: asyncio's and trio's cancellation, Ctrl-C, a generator that is closed, gevent's kill and timeout.
    """
    return not isinstance(error, Exception)
