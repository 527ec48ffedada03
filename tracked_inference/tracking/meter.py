"""
The meter: what a client is tracked with, and what happens before each of its requests.

It decides what a request is and notes who it is for; what comes of it is the recorder's.
Nothing here may reach the caller: each stage is guarded, a fault is counted, logged once and forgotten.
The one exception is `BudgetExceededError`, before a request is sent, for a feature that asked for it.
"""

from __future__ import annotations

import re
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tracked_inference.attribution import current_attribution
from tracked_inference.errors import BudgetExceededError, ConfigurationError, UnpricedModelError
from tracked_inference.record import InferenceResult
from tracked_inference.registry import warn_undeclared
from tracked_inference.tracking.births import Births
from tracked_inference.tracking.call import Call
from tracked_inference.tracking.faults import Faults
from tracked_inference.tracking.recorder import Catch, Recorder, hooks
from tracked_inference.tracking.stream_usage import StreamUsage
from tracked_inference.vendors._operations import CALL, Operation
from tracked_inference.vendors._reading import get

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracked_inference.attribution import Attribution
    from tracked_inference.planning.budget import BudgetGuard
    from tracked_inference.pricing import PriceTable
    from tracked_inference.record import CallRecord, Sink
    from tracked_inference.registry import Feature, FeatureRegistry

__all__ = ["Meter"]


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
        stream_usage: Asks for the usage of streams that report it only on request.
        recorder: Takes the calls when they end.
        faults: Catches what goes wrong in the tracking.
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
        self.stream_usage = StreamUsage(stream_usage)
        self.strict = strict
        self.declared = declared
        self.guard = guard
        self.faults = Faults(count_fault)
        self.recorder = Recorder(vendor, prices=prices, sinks=sinks, guard=guard, faults=self.faults)
        self._count_refusal = count_refusal
        self._operations: dict[tuple[str, str], Operation | None] = {}
        self._seller: tuple[Any, Any, str, str | None] | None = None
        self._starts = hooks(sinks, "call_started")
        self._births = Births(prices, sinks, self.faults)

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
        names = [model for model in models if model is not None]
        for model in names:
            self._require_price(provider, model, now)
        self._births.expect(self.own.feature or "", self.own.team or "", names, provider, now)

    def declare_all(self, client: Any) -> None:
        """Let the series of every declared feature exist, and show whose it is and which price table is in use."""
        provider, _region = self.seller(client)
        now = datetime.now(UTC)
        features = self._declared_features()
        for feature in features:
            self._births.expect(feature.name, feature.team, feature.models, provider, now, elsewhere=True)
        self._births.show(features)

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
            self.faults.note("begin", error)
            return None

    def _begin(self, client: Any, options: Any, stream: bool) -> Call | None:
        method, url = options.method, options.url
        try:
            operation = self._operations[method, url]
        except KeyError:
            operation = self.vendor.operation_of(method.lower(), url)
            if method.lower() == "post" and len(self._operations) < 1000:  # the url of a GET carries an id
                self._operations[method, url] = operation
        if operation is None:
            if self.guard is not None and method.lower() == "post" and self.vendor.makes_batch(url):
                self._stop_if_spent(self.guard, self._feature_now())
            return None
        body = options.json_data
        call = Call(self.recorder, operation, body if isinstance(body, dict) else None, stream=stream)
        own = self.own
        around = current_attribution()
        who = own if around is None else around.over(own)
        call.feature = who.feature or ""
        call.team = who.team or ""
        if around is not None and self.declared is not None:
            declared = self.declared.get(call.feature)
            if declared is None:
                warn_undeclared(call.feature, self.declared)
            elif around.team is None:
                call.team = declared.team
        if who.user is not None:
            call.user = who.user
        call.tags = who.tags
        call.provider, call.region = self.seller(client)
        if not hasattr(client, "_prepare_options"):
            call.counts_attempts = False
        if getattr(client, "_middleware_chain", None) is not None:
            call.may_be_kept = True
        trace = sys.modules.get("opentelemetry.trace")
        if trace is not None:  # the application traces
            self.faults.guarded("begin", _note_trace, trace, call)
        if stream:
            call.reader = self.vendor.reader(operation.name)
        if operation.kind == CALL:
            guard = self.guard
            if guard is not None:
                account = guard.accounts.get(call.feature)
                if account is not None and not account.open and operation.name not in _NEVER_BILLED:
                    self._stop_if_spent(guard, call.feature)
            for started in self._starts:
                self.faults.guarded("metrics", started, call)
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
            self.faults.note("budget", error)
            return
        if refusal is not None:
            if self._count_refusal is not None:
                self.faults.guarded("metrics", self._count_refusal, refusal)
            raise refusal

    def _feature_now(self) -> str:
        around = current_attribution()
        return (around.feature if around is not None else None) or self.own.feature or ""

    def seller(self, client: Any) -> tuple[str, str | None]:
        """Who sells to this client, and in which region: by what the user said, the client's class, then its address."""
        known = self._seller
        kept = client.__dict__.get("_base_url")
        # Without asking for `base_url`, for which openai 3 imports a module each time.
        if known is not None and kept is not None and known[0] is kept:
            return known[2], known[3]
        base_url = client.base_url
        if known is not None and known[1] == base_url:
            provider, region = known[2], known[3]
        else:
            host = str(base_url)
            named = self.prices.provider_for(host)
            provider = self.provider or self.vendor.seller_of(type(client)) or named or _host(host)
            region = self.prices.region_for(host)
        shown = kept if kept is base_url and _is_sdks_own(type(client), "base_url") else None
        self._seller = (shown, base_url, provider, region)
        return provider, region

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


_NEVER_BILLED = frozenset({"moderations"})
"""Calls that are recorded and free: a spent budget is no reason to refuse them."""


def _is_sdks_own(client_class: type, name: str) -> bool:
    """Whether an attribute of a client's class is the SDK's, and not of a subclass that the application has made."""
    home = next((one for one in client_class.__mro__ if name in vars(one)), client_class)
    return home.__module__.partition(".")[0] in ("anthropic", "openai")


def _note_trace(trace: Any, call: Call) -> None:
    context = trace.get_current_span().get_span_context()
    if context.trace_flags.sampled:
        call.trace_id = format(context.trace_id, "032x")


def _host(base_url: str) -> str:
    """The host and port of an address nobody knows: it becomes a label, and what else an address holds may be a secret."""
    return _ADDRESS_ENDS.split(base_url.partition("://")[2], maxsplit=1)[0].rpartition("@")[2] or "unknown"


_ADDRESS_ENDS = re.compile(r"[/?#]")
