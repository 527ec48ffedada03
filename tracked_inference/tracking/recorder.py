"""
The recorder: how the end of a call becomes one `CallRecord` for every sink.

It reads the usage from what the vendor said, prices it, and hands the record on; each step is guarded by itself.
"""

from __future__ import annotations

import dataclasses
from contextvars import ContextVar
from time import perf_counter
from typing import TYPE_CHECKING, Any

from tracked_inference.pricing.cost import Cost
from tracked_inference.record import make_record
from tracked_inference.tracking.background import finished_at_once, remember, retrieved
from tracked_inference.tracking.http import json_body, request_id_of, was_read
from tracked_inference.usage import Usage
from tracked_inference.vendors._operations import BATCH_FILE, CALL, LINES, MAYBE, RETRIEVE
from tracked_inference.vendors._reading import get

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from tracked_inference.planning.budget import BudgetGuard
    from tracked_inference.pricing import PriceTable
    from tracked_inference.record import CallRecord, Outcome, Sink
    from tracked_inference.tracking.call import Call
    from tracked_inference.tracking.faults import Faults

__all__ = ["Catch", "Recorder", "hooks"]

NOT_BILLED = Usage(passes=(), free="not_billed")
"""The vendor answered with an error: a true zero."""

_MAY_GO_ON = frozenset({"responses", "videos"})
"""Operations whose answer may be there before the work is done."""
_OPEN = frozenset({"queued", "in_progress"})


class Recorder:
    """
    What becomes of calls that ended.

    Attributes:
        vendor: The adapter of the client's SDK.
        prices: The price table.
        sinks: Where records go, in order.
        guard: Guards the budgets of features; None where no feature asked for it.
        faults: Catches what goes wrong here.
    """

    def __init__(
        self,
        vendor: Any,
        *,
        prices: PriceTable,
        sinks: tuple[Sink, ...],
        guard: BudgetGuard | None,
        faults: Faults,
    ) -> None:
        self.vendor = vendor
        self.prices = prices
        self.sinks = sinks
        self.guard = guard
        self.faults = faults
        self._ends = hooks(sinks, "call_ended")
        self._shows = hooks(sinks, "show_prices")
        self._shown: set[str] = set()

    def answered(self, call: Call, body: Any, *, left: bool = False) -> None:
        """The SDK's answer, or its JSON, is here; `left` if the caller did not read it to its end."""
        kind = call.operation.kind
        if kind == CALL and call.operation.name not in _MAY_GO_ON:
            call.finish("abandoned" if left else "ok", body)
            return
        status = get(body, "status")
        if kind == RETRIEVE:
            retrieved(call, body)
        elif kind in (BATCH_FILE, LINES):
            call.drop()
        elif isinstance(status, str) and status in _OPEN and get(body, "id"):
            remember(call, str(get(body, "id")))
        else:
            finished_at_once(body)
            if status == "failed":
                call.finish("error", body, reason="response_failed")
            else:
                call.finish("abandoned" if left else "ok", body)

    def failed(self, call: Call, outcome: Outcome, error: BaseException) -> None:
        """The SDK raised; what was billed all the same is read from what came before."""
        if call.operation.kind != CALL:
            call.drop()
            return
        body: Any = None
        reason: str | None = None
        status = getattr(error, "status_code", None)
        response, call.response = call.response, None
        call.request_id = getattr(error, "request_id", None) or request_id_of(response)
        if isinstance(status, int) and status >= 400:
            reason = "not_billed"
        elif getattr(error, "completion", None) is not None:
            body = error.completion  # type: ignore[attr-defined]  # LengthFinishReasonError carries what was paid for
        elif response is not None and was_read(response):
            body = json_body(response)  # a paid answer that the SDK could not make sense of
        elif outcome == "error" and (
            (call.attempts == 0 and call.counts_attempts) or isinstance(error, TypeError)
        ):
            call.drop()  # nothing was sent: what was given cannot be written as JSON, say
            return
        else:
            reason = "cancelled" if outcome == "cancelled" else _lost(error)
        call.finish(outcome, body, error=error, reason=reason)

    def settle(
        self,
        call: Call,
        outcome: Outcome,
        body: Any,
        complete: bool,
        error: BaseException | None,
        reason: str | None,
    ) -> None:
        """Make the record of a finished call and hand it to every sink; never raises."""
        duration = perf_counter() - call.start
        operation = call.operation
        usage: Usage | None = None
        if reason == "not_billed":
            usage = NOT_BILLED
        else:
            try:
                name = self.vendor.operation_of_body(body) if operation.kind == MAYBE else operation.name
                usage = self.vendor.usage_of(body, operation=name, request=call.request, complete=complete)
            except Exception as fault:
                self.faults.note("usage", fault)
        if usage is None and operation.kind == MAYBE:
            self.dropped(call)
            return
        model, reader = get(body, "model"), call.reader
        if not isinstance(model, str) or not model:
            model = (reader.model if reader is not None else None) or call.requested_model
        started_at = call.started_at
        cost = self.price(call, started_at, usage, model, reason)
        first = reader.first_content_at if reader is not None and call.stream else None
        error_type = reason if outcome == "error" else None
        if error is not None:
            error_type = type(error).__name__
        self._ended(call)  # before the sinks, which an interrupt may end
        self.emit(
            make_record(  # in the order of its fields: as keywords they would cost three times as much
                started_at,
                duration,
                first - call.start if first is not None else None,
                call.provider,
                operation.name,
                call.requested_model,
                cost.model,
                call.stream,
                call.feature,
                call.team,
                call.user,
                usage,
                cost,
                outcome,
                error_type,
                call.attempts or 1,
                call.request_id,
                call.tags,
                call.trace_id,
            )
        )

    def price(
        self, call: Call, at: datetime, usage: Usage | None, model: str | None, reason: str | None
    ) -> Cost:
        """What the table says of a usage; `reason` says why there is none."""
        try:
            cost = self.prices.price(
                usage,
                provider=call.provider,
                model=model,
                at=at,
                requested_model=call.requested_model,
                region=call.region,
            )
        except Exception as fault:
            self.faults.note("price", fault)
            return Cost("unpriced", None, None, model or "unknown", reasons=("price_error",))
        if usage is None:
            return dataclasses.replace(cost, reasons=(reason or "no_usage",))
        if cost.status not in ("exact", "estimated"):
            return cost
        if call.lost_attempts:
            return dataclasses.replace(
                cost, status="lower_bound", reasons=(*cost.reasons, "attempt_timed_out")
            )
        if call.lost_answers and len(usage.passes) == 1:  # else the middleware put them into the usage
            return dataclasses.replace(cost, status="lower_bound", reasons=(*cost.reasons, "earlier_answer"))
        return cost

    def emit(self, record: CallRecord) -> None:
        """Hand a record to every sink."""
        caught = _caught.get()
        if caught is not None:
            caught.append(record)
        if (
            record.model not in self._shown
            and record.cost.total_usd is not None
            and record.cost.status != "free"
        ):
            self._show(record)
        if self.guard is not None:
            self.faults.guarded("budget", self.guard.note, record)
        pressed: KeyboardInterrupt | None = None
        for sink in self.sinks:
            try:
                sink(record)
            except KeyboardInterrupt as interrupt:  # the caller's; the other sinks have the record first
                pressed = interrupt
            except BaseException as fault:
                self.faults.note(getattr(sink, "stage", "sink"), fault)
        if pressed is not None:
            raise pressed

    def _show(self, record: CallRecord) -> None:
        """Show the prices of a model that is seen for the first time."""
        self._shown.add(record.model)
        name = record.model.removeprefix(f"{record.provider}/")
        for show in self._shows:
            self.faults.guarded("metrics", self._show_rates, show, record, name)

    def _show_rates(self, show: Callable[..., None], record: CallRecord, name: str) -> None:
        show(record.model, self.prices.rates(record.provider, name, record.started_at))

    def dropped(self, call: Call) -> None:
        """A call that was none ends without a record."""
        self._ended(call)

    def left_to_vendor(self, call: Call) -> None:
        """A background call is no longer in flight here; whether it is ever seen finished here is not known."""
        self._ended(call)

    def _ended(self, call: Call) -> None:
        if call.operation.kind != CALL or call.ended:
            return
        call.ended = True
        for ended in self._ends:
            self.faults.guarded("metrics", ended, call)

    def remember(self, call: Call, response_id: str) -> None:
        """The vendor goes on working on a call."""
        remember(call, response_id)

    def retrieved(self, call: Call, body: Any) -> None:
        """A background response was looked at."""
        retrieved(call, body)


_caught: ContextVar[list[CallRecord] | None] = ContextVar("tracked_inference_caught", default=None)


class Catch:
    """Notes the records of the calls made inside; what was noted around it is put back, which cannot fail."""

    def __enter__(self) -> list[CallRecord]:
        self._outer = _caught.get()
        caught: list[CallRecord] = []
        _caught.set(caught)
        return caught

    def __exit__(self, *_: object) -> None:
        _caught.set(self._outer)


def hooks(sinks: tuple[Sink, ...], name: str) -> tuple[Callable[..., None], ...]:
    """What the sinks that have it want to be told beside records."""
    return tuple(getattr(sink, name) for sink in sinks if hasattr(sink, name))


def _lost(error: BaseException) -> str:
    """Why an answer that may be billed never came."""
    names = {base.__name__ for base in type(error).__mro__}
    if any("Timeout" in name for name in names):
        return "timeout"
    return "connection_error" if "APIConnectionError" in names else "no_usage"
