"""
The meter: what stands between a client and its sinks.

It decides what a request is, notes who it is for, and turns its end into one `CallRecord` for every sink.
Nothing here may reach the caller: each stage is guarded, a fault is counted, logged once and forgotten.
The one exception is `BudgetExceededError`, before a request is sent, for a feature that asked for it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import logging
import sys
from contextvars import ContextVar
from datetime import UTC, datetime
from time import perf_counter
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from tracked_inference._background import Lines, batch_file, finished_at_once, remember, retrieved
from tracked_inference._call import Call
from tracked_inference._handover import hand_over
from tracked_inference._raw import json_body, observe_unread, read_events
from tracked_inference._streams import observe_stream, response_of
from tracked_inference.attribution import current_attribution
from tracked_inference.errors import BudgetExceededError, ConfigurationError, UnpricedModelError
from tracked_inference.pricing.cost import Cost
from tracked_inference.record import InferenceResult, make_record
from tracked_inference.usage import Usage
from tracked_inference.vendors._operations import BATCH_FILE, CALL, LINES, MAYBE, RETRIEVE, Operation
from tracked_inference.vendors._reading import get, media_type

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracked_inference.attribution import Attribution
    from tracked_inference.planning.budget import BudgetGuard
    from tracked_inference.pricing import PriceTable
    from tracked_inference.record import CallRecord, Outcome, Sink
    from tracked_inference.registry import Feature, FeatureRegistry

__all__ = ["Meter"]

_log = logging.getLogger("tracked_inference")
_logged: set[tuple[str, str, str]] = set()


class Meter:
    """
    How the calls of one client are tracked; shared by the copies that `with_options()` makes of it.

    Attributes:
        vendor: The adapter of the client's SDK.
        own: What the client was made with: feature, team, user, tags.
        model: The default model of `complete()`.
        models: The models that will be called, as far as that was said.
        declared: The registry of features, if there is one.
        prices: The price table.
        guard: Guards the budgets of features; None where no feature asked for it.
        sinks: Where records go, in order.
        stream_usage: Whether to ask for usage in streams that report it only on request; None asks where the seller is known.
    """

    def __init__(
        self,
        vendor: Any,
        own: Attribution,
        *,
        model: str | None,
        models: tuple[str | None, ...],
        prices: PriceTable,
        sinks: tuple[Sink, ...],
        provider: str | None,
        stream_usage: bool | None,
        strict: bool,
        declared: FeatureRegistry | None,
        count_fault: Callable[[str], None],
        guard: BudgetGuard | None = None,
        count_refusal: Callable[[BudgetExceededError], None] | None = None,
    ) -> None:
        self.vendor = vendor
        self.own = own
        self.model = model
        self.models = models
        self.prices = prices
        self.sinks = sinks
        self.provider = provider
        self.stream_usage = stream_usage
        self.strict = strict
        self.declared = declared
        self.refused_stream_options: set[str] = set()
        self.guard = guard
        self._count_fault = count_fault
        self._count_refusal = count_refusal
        self._operations: dict[tuple[str, str], Operation | None] = {}
        self._seller: tuple[Any, str, str | None] | None = None
        self._starts = _hooks(sinks, "call_started")
        self._ends = _hooks(sinks, "call_ended")
        self._declares = _hooks(sinks, "declare")
        self._shows = _hooks(sinks, "show_prices")
        self._shown: set[str] = set()

    def with_own(self, own: Attribution) -> Meter:
        """The same meter for somebody else."""
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__)
        other.own = own
        return other

    def declare(self, client: Any, *models: str | None) -> None:
        """
        Let the series of this client's feature, team and models exist before its first call.

        Raises:
            UnpricedModelError: The client is strict and a model has no price.
        """
        provider, _region = self.seller(client)
        now = datetime.now(UTC)
        names = []
        for model in models:
            if model is not None:
                self._require_price(provider, model, now)
                names.append(self.prices.canonical(provider, model, now))
        features = self._declared_features()
        for declare in self._declares:
            self.guarded("metrics", declare, self.own.feature, self.own.team, names)
            for feature in features:
                known = [self.prices.canonical(provider, name, now) for name in feature.models]
                self.guarded("metrics", declare, feature.name, feature.team, known)
        for show in _hooks(self.sinks, "show_feature"):
            for feature in features:
                self.guarded("metrics", show, feature)
        for show in _hooks(self.sinks, "show_table"):
            self.guarded("metrics", show, self.prices.version, self.prices.sha256, self.prices.recorded_at)

    def _declared_features(self) -> list[Feature]:
        """The features of the registry, and the client's own with the budget that the code gave it."""
        found = dict(self.declared.features) if self.declared is not None else {}
        watched = self.guard.watched(self.own.feature or "") if self.guard is not None else None
        if watched is not None:
            found[watched.name] = watched
        return list(found.values())

    def _require_price(self, provider: str, model: str, at: datetime) -> None:
        if self.strict and not self.prices.knows(provider, model, at):
            raise UnpricedModelError(
                f"no price for model {model!r} sold by {provider!r} on {at:%Y-%m-%d} in price table {self.prices.version};"
                " add it to the file that TRACKED_INFERENCE_PRICES names (docs/howto/prices.md), or use on_unpriced='count'"
            )

    # Before the call.

    def begin(self, client: Any, options: Any, *, stream: bool) -> Call | None:
        """
        A call for a request that bills or may bill; None for one that does not, and on any fault.

        Raises:
            BudgetExceededError: The feature has spent its budget and asked that its calls be refused.
        """
        try:
            return self._begin(client, options, stream)
        except BudgetExceededError:
            raise
        except Exception as error:
            self.fault("begin", error)
            return None

    def _begin(self, client: Any, options: Any, stream: bool) -> Call | None:
        method, url = options.method.lower(), options.url
        key = (method, url)
        try:
            operation = self._operations[key]
        except KeyError:
            operation = self.vendor.operation_of(method, url)
            if method == "post" and len(self._operations) < 1000:  # the url of a GET carries an id
                self._operations[key] = operation
        if operation is None:
            if self.guard is not None and method == "post" and self.vendor.makes_batch(url):
                self._stop_if_spent(self.guard, self._feature_now())
            return None
        body = options.json_data
        call = Call(self, operation, body if isinstance(body, dict) else None, stream=stream)
        own = self.own
        around = current_attribution()
        who = own if around is None else around.over(own)
        call.feature = who.feature or ""
        call.team = who.team or ""
        if around is not None and around.team is None and self.declared is not None:
            declared = self.declared.get(call.feature)
            call.team = declared.team if declared is not None else call.team
        call.user = who.user
        call.tags = who.tags
        call.provider, call.region = self.seller(client)
        call.counts_attempts = hasattr(client, "_prepare_options")
        call.may_be_kept = getattr(client, "_middleware_chain", None) is not None
        trace = sys.modules.get("opentelemetry.trace")
        if trace is not None:  # the application traces
            self.guarded("begin", _note_trace, trace, call)
        if stream:
            call.reader = self.vendor.reader(operation.name)
        if operation.kind == CALL:
            guard = self.guard
            if guard is not None:
                account = guard.accounts.get(call.feature)
                if account is not None and not account.open and operation.name not in _NEVER_BILLED:
                    self._stop_if_spent(guard, call.feature)
            for started in self._starts:
                self.guarded("metrics", started, call)
        return call

    def _stop_if_spent(self, guard: BudgetGuard, feature: str) -> None:
        """
        Let a call pass unless its feature's budget is spent and refuses; a fault of the guard lets it pass.

        Raises:
            BudgetExceededError: It is.
        """
        try:
            refusal = guard.refusal(feature)
        except Exception as error:
            self.fault("budget", error)
            return
        if refusal is not None:
            if self._count_refusal is not None:
                self.guarded("metrics", self._count_refusal, refusal)
            raise refusal

    def _feature_now(self) -> str:
        around = current_attribution()
        return (around.feature if around is not None else None) or self.own.feature or ""

    def seller(self, client: Any) -> tuple[str, str | None]:
        """Who sells to this client, and in which region: by what the user said, the client's class, then its address."""
        base_url = client.base_url
        known = self._seller
        if known is not None and (known[0] is base_url or known[0] == base_url):
            return known[1], known[2]
        host = str(base_url)
        named = self.prices.provider_for(host)
        region = self.prices.region_for(host)
        provider = self.provider or self.vendor.seller_of(type(client)) or named or _host(host)
        self._seller = (base_url, provider, region)
        return provider, region

    def ask_for_usage(self, client: Any, call: Call, options: Any) -> Any:
        """The options of a request, or a copy that asks for the usage of a stream which reports it on request only."""
        try:
            return self._ask_for_usage(client, call, options)
        except Exception as error:
            self.fault("begin", error)
            return options

    def _ask_for_usage(self, client: Any, call: Call, options: Any) -> Any:
        if not call.stream or call.operation.name not in self.vendor.STREAM_USAGE_ON_REQUEST:
            return options
        wanted = self.stream_usage if self.stream_usage is not None else call.provider in ("openai", "azure")
        body, asked = call.request, None if call.request is None else call.request.get("stream_options")
        if not wanted or body is None or (isinstance(asked, dict) and "include_usage" in asked):
            return options
        if "stream_options" in (getattr(options, "extra_json", None) or ()):
            return options  # given in `extra_body`, which goes over ours
        headers = options.headers
        if isinstance(headers, dict) and any(name.lower() == "x-stainless-raw-response" for name in headers):
            return options  # this caller sees the bytes
        if str(client.base_url) in self.refused_stream_options:
            return options
        new = options.model_copy() if hasattr(options, "model_copy") else options.copy()
        new.json_data = {
            **body,
            "stream_options": {**(asked if isinstance(asked, dict) else {}), "include_usage": True},
        }
        reader: Any = call.reader
        reader.hide = True
        return new

    def refused(self, client: Any, call: Call, error: Exception) -> bool:
        """Whether a server refused the stream option that we added; it is then not asked again."""
        if getattr(error, "status_code", None) not in (400, 422):
            return False
        text = str(error)
        if "stream_options" not in text and "include_usage" not in text:
            return False
        self.refused_stream_options.add(str(client.base_url))
        reader: Any = call.reader
        reader.hide = False
        return True

    # complete()

    def model_of_complete(self, client: Any, model: str | None, options: dict[str, Any]) -> str:
        """
        The model that `complete()` asks.

        Raises:
            ConfigurationError: There is none, or a stream was asked for.
            UnpricedModelError: The client is strict and the model has no price.
        """
        chosen = model or self.model
        if not chosen:
            raise ConfigurationError(
                "complete() needs a model: give TrackedClient(..., model=...) or complete(..., model=...)"
            )
        if options.get("stream"):
            raise ConfigurationError("complete() answers once; for a stream call the vendor's own method")
        self._require_price(self.seller(client)[0], chosen, datetime.now(UTC))
        return chosen

    def catching(self) -> Catch:
        """Note the records made inside."""
        return Catch()

    def result(self, answer: Any, caught: list[CallRecord]) -> InferenceResult:
        """A vendor's answer and the record of its call, as the two vendors have it in common."""
        record = caught[-1] if caught else None
        usage = record.usage if record is not None else None
        total = record.cost.total_usd if record is not None else None
        return InferenceResult(
            content=self.vendor.text_of(answer),
            input_tokens=usage.input_tokens if usage is not None else None,
            output_tokens=usage.output_tokens if usage is not None else None,
            model=record.model if record is not None else str(get(answer, "model")),
            latency_seconds=record.duration_seconds if record is not None else 0.0,
            estimated_cost_usd=float(total) if total is not None else None,
        )

    # The end of a call.

    def observe(self, call: Call, result: Any, *, asynchronous: bool) -> None:
        """Look at what the SDK returned, which stays as it is; never raises."""
        response, call.response = call.response, None
        if call.attempts == 0 and call.may_be_kept:
            call.drop()  # middleware gave an answer that it had: nothing was sent
            return
        try:
            self._observe(call, result, response, asynchronous)
        except Exception as error:
            self.fault("observe", error)
            self.guarded("record", call.finish, "ok", None, reason="unobserved")

    def _observe(self, call: Call, result: Any, response: Any, asynchronous: bool) -> None:
        kind = _kind_of(type(result))
        if kind == "http":
            kind, http = "raw", result
        elif kind == "object":
            request_id = getattr(result, "_request_id", None)
            call.request_id = request_id if isinstance(request_id, str) else _request_id(response)
            self.answered(call, result)
            return
        else:
            http = response_of(result)
        call.request_id = _request_id(http)
        if kind == "stream":
            if call.reader is None:
                call.reader = self.vendor.reader(call.operation.name)
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
                call.reader = call.reader or self.vendor.reader(call.operation.name)
                read_events(call, media, http.content)
                call.stream_ended()
            else:
                self.answered(call, json_body(http))
        elif call.operation.kind in (LINES, BATCH_FILE):
            call.drop()  # bytes on their way to a file: not ours to keep
        else:
            if call.reader is None and "json" not in media_type(http.headers):
                call.reader = self.vendor.reader(call.operation.name)
            call.opened = True
            observe_unread(http, call)

    def answered(self, call: Call, body: Any, *, left: bool = False) -> None:
        """The SDK's answer, or its JSON, is here; `left` if the caller did not read it to its end."""
        kind = call.operation.kind
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
        call.request_id = getattr(error, "request_id", None) or _request_id(response)
        if isinstance(status, int) and status >= 400:
            reason = "not_billed"
        elif getattr(error, "completion", None) is not None:
            body = error.completion  # type: ignore[attr-defined]  # LengthFinishReasonError carries what was paid for
        elif response is not None and _read(response):
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
        *,
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
                self.fault("usage", fault)
        if usage is None and operation.kind == MAYBE:
            self.dropped(call)
            return
        model = get(body, "model")
        if not isinstance(model, str) or not model:
            reader = call.reader
            model = (reader.model if reader is not None else None) or call.requested_model
        cost = self.price(call, usage, model, reason)
        reader = call.reader
        first = reader.first_content_at if reader is not None and call.stream else None
        error_type = reason if outcome == "error" else None
        if error is not None:
            error_type = type(error).__name__
        self.emit(
            make_record(
                started_at=call.started_at,
                duration_seconds=duration,
                time_to_first_token_seconds=first - call.start if first is not None else None,
                provider=call.provider,
                operation=operation.name,
                requested_model=call.requested_model,
                model=cost.model,
                stream=call.stream,
                feature=call.feature,
                team=call.team,
                user=call.user,
                usage=usage,
                cost=cost,
                outcome=outcome,
                error_type=error_type,
                attempts=call.attempts or 1,
                request_id=call.request_id,
                tags=call.tags,
                trace_id=call.trace_id,
            ),
        )
        self._ended(call)

    def price(self, call: Call, usage: Usage | None, model: str | None, reason: str | None) -> Cost:
        """What the table says of a usage; `reason` says why there is none."""
        try:
            cost = self.prices.price(
                usage,
                provider=call.provider,
                model=model,
                at=call.started_at,
                requested_model=call.requested_model,
                region=call.region,
            )
        except Exception as fault:
            self.fault("price", fault)
            return Cost("unpriced", None, None, model or "unknown", reasons=("price_error",))
        if usage is None or (call.lost_attempts and cost.status == "exact"):
            status = cost.status if usage is None else "lower_bound"
            why = (reason or "no_usage",) if usage is None else (*cost.reasons, "attempt_timed_out")
            cost = dataclasses.replace(cost, status=status, reasons=why)
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
            self.guarded("budget", self.guard.note, record)
        for sink in self.sinks:
            try:
                sink(record)
            except KeyboardInterrupt:
                raise
            except BaseException as fault:
                self.fault(getattr(sink, "stage", "sink"), fault)

    def _show(self, record: CallRecord) -> None:
        """Show the prices of a model that is seen for the first time."""
        self._shown.add(record.model)
        name = record.model.removeprefix(f"{record.provider}/")
        for show in self._shows:
            self.guarded("metrics", self._show_rates, show, record, name)

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
            self.guarded("metrics", ended, call)

    def remember(self, call: Call, response_id: str) -> None:
        """The vendor goes on working on a call."""
        remember(call, response_id)

    def retrieved(self, call: Call, body: Any) -> None:
        """A background response was looked at."""
        retrieved(call, body)

    # Guards.

    def look(self, see: Any, event: Any) -> bool:
        """Show a stream event to a reader; a fault shows it to the caller."""
        try:
            return bool(see(event))
        except Exception as error:
            self.fault("usage", error)
            return False

    def guarded(self, stage: str, work: Callable[..., Any], /, *args: Any, **kwargs: Any) -> None:
        """Run a step of the tracking; a fault is counted and logged once."""
        try:
            work(*args, **kwargs)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            self.fault(stage, error)

    def broke(self, call: Call, error: BaseException) -> None:
        """The SDK raised; or a coroutine was dropped, in a finalizer for all we know."""
        if isinstance(error, GeneratorExit):
            hand_over(functools.partial(self.guarded, "record", call.failed, error))
        else:
            self.guarded("record", call.failed, error)

    def fault(self, stage: str, error: BaseException) -> None:
        """Count a fault of the tracking, and log each place once: the type and where, never a text that may carry content."""
        with contextlib.suppress(Exception):  # nothing is left to tell it to
            self._count_fault(stage)
        with contextlib.suppress(Exception):
            trace = error.__traceback__
            while trace is not None and trace.tb_next is not None:
                trace = trace.tb_next
            where = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace is not None else "?"
            key = (stage, type(error).__name__, where)
            if key not in _logged:
                _logged.add(key)
                _log.error(
                    "ai.inference.tracking_error: %s failed with %s at %s; the call was not affected,"
                    " further faults of this place are only counted in ai_inference_tracking_errors_total",
                    *key,
                )


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


NOT_BILLED = Usage(passes=(), free="not_billed")
"""The vendor answered with an error: a true zero."""

_OPEN = frozenset({"queued", "in_progress"})
_NEVER_BILLED = frozenset({"moderations"})
"""Calls that are recorded and free: a spent budget is no reason to refuse them."""


def _hooks(sinks: tuple[Sink, ...], name: str) -> tuple[Callable[..., None], ...]:
    return tuple(getattr(sink, name) for sink in sinks if hasattr(sink, name))


def _note_trace(trace: Any, call: Call) -> None:
    context = trace.get_current_span().get_span_context()
    if context.trace_flags.sampled:
        call.trace_id = format(context.trace_id, "032x")


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


def _kind_of(result_class: type) -> str:
    """What the SDK returned, by the names of its public classes: a parsed object, a stream, lines, a raw response."""
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


def _request_id(response: Any) -> str | None:
    headers = getattr(response, "headers", None)
    if headers is None:
        return None
    found = headers.get("request-id") or headers.get("x-request-id") or headers.get("x-amzn-requestid")
    return found if isinstance(found, str) else None


def _read(response: Any) -> bool:
    """Whether a good response is here as a whole, so that looking at it costs no I/O."""
    return bool(getattr(response, "is_success", False)) and hasattr(response, "_content")


def _lost(error: BaseException) -> str:
    """Why an answer that may be billed never came."""
    names = {base.__name__ for base in type(error).__mro__}
    if any("Timeout" in name for name in names):
        return "timeout"
    return "connection_error" if "APIConnectionError" in names else "no_usage"


def _host(base_url: str) -> str:
    return base_url.partition("://")[2].partition("/")[0] or "unknown"
