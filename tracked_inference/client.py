"""
`TrackedClient`: a vendor's client that records what its calls cost, and is in all else the vendor's client.

It is a shallow copy whose class is a subclass, made at run time, of the client's own class.
The subclass overrides the one method that every request of an SDK goes through, `request`, and what copies a client.
Nothing is patched, the HTTP client is not touched, the user's own object stays as it was, and no vendor package is imported.
"""

from __future__ import annotations

import functools
import inspect
import warnings
from collections.abc import Iterable
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast

from tracked_inference._meter import Meter
from tracked_inference.attribution import Attribution, check_slug, text_tags
from tracked_inference.errors import ConfigurationError, UnsupportedClientError
from tracked_inference.pricing import PriceTable
from tracked_inference.registry import FeatureRegistry, registry_in_force, team_of
from tracked_inference.sinks import default_sinks

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Mapping
    from decimal import Decimal

    from prometheus_client import CollectorRegistry

    from tracked_inference._call import Call
    from tracked_inference.errors import BudgetExceededError
    from tracked_inference.planning.budget import BudgetGuard
    from tracked_inference.record import Sink

__all__ = ["TrackedClient", "track"]

_C = TypeVar("_C")
_current: ContextVar[Call | None] = ContextVar("tracked_inference_call", default=None)
_METER = "_tracked_meter"
_BASE = "_tracked_base"
_SEND = "_tracked_send"


def track(
    client: _C,
    *,
    feature: str | None = None,
    team: str | None = None,
    model: str | None = None,
    models: Iterable[str] = (),
    prices: PriceTable | None = None,
    registry: CollectorRegistry | None = None,
    sinks: Iterable[Sink] | None = None,
    provider: str | None = None,
    stream_usage: bool | None = None,
    on_unpriced: Literal["count", "raise"] = "count",
    config: FeatureRegistry | str | os.PathLike[str] | None = None,
    budget_usd: Mapping[str, float | Decimal] | None = None,
    on_budget: Literal["none", "warn", "refuse"] | None = None,
) -> _C:
    """
    Return a tracked copy of a vendor client, under the client's own type; `TrackedClient` says what the arguments mean.

    The same as `TrackedClient(...)` for type checkers that should see exactly the type that went in.
    """
    base = type(client)
    if isinstance(client, TrackedClient) and hasattr(base, _BASE):  # tracked again: the new words, once
        base = getattr(base, _BASE)
        kept: Meter = client.__dict__[_METER]
        feature = feature or kept.own.feature
        team = team or kept.own.team
        model = model or kept.model
        prices = prices or kept.prices
        provider = provider or kept.provider
        stream_usage = kept.stream_usage if stream_usage is None else stream_usage
        sinks = kept.sinks if sinks is None and registry is None else sinks
        config = config or kept.declared
    vendor = _vendor_of(base, client)
    declared = config if isinstance(config, FeatureRegistry) else registry_in_force(config)
    feature = check_slug("feature", feature)
    own = Attribution(feature=feature, team=check_slug("team", team_of(feature, team, declared)))
    if on_unpriced not in ("count", "raise"):
        raise ConfigurationError(f"on_unpriced={on_unpriced!r} is not known; use 'count' or 'raise'")
    table = _instance("prices", prices, PriceTable) if prices is not None else PriceTable.default()
    if callable(sinks) and not isinstance(sinks, Iterable):
        raise ConfigurationError(f"sinks must be a list of callables; for one sink write sinks=[{sinks!r}]")
    if isinstance(models, str):
        raise ConfigurationError(f"models must be a list of names; for one model write models=[{models!r}]")
    sink_list = default_sinks(registry) if sinks is None else tuple(sinks)
    for sink in sink_list:
        if not callable(sink):
            raise ConfigurationError(
                f"sinks: {sink!r} is not callable; a sink is any callable that takes a CallRecord"
            )
    meter = Meter(
        vendor,
        own,
        model=model,
        models=(model, *models),
        prices=table,
        sinks=sink_list,
        provider=provider,
        stream_usage=stream_usage,
        strict=on_unpriced == "raise",
        declared=declared,
        count_fault=functools.partial(_count_fault, registry),
        guard=_guard(declared, own, budget_usd, on_budget, registry),
        count_refusal=functools.partial(_count_refusal, registry),
    )
    tracked = _shallow(client, _subclass_of(base))
    tracked.__dict__[_METER] = meter
    if "request" in tracked.__dict__:  # other instrumentation of this one client: it goes on, inside of ours
        tracked.__dict__[_SEND] = tracked.__dict__.pop("request")
    _warn_of_replaced_methods(client)
    meter.declare(tracked, *meter.models)
    return cast("_C", tracked)


class _Meta(type):
    """
    Makes `TrackedClient(client, ...)` a call of `track`.

    It is the metaclass and not `__new__`, because Python would call the vendor's `__init__` on what `__new__` returns.
    """

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        if cls is TrackedClient:
            return track(*args, **kwargs)
        return getattr(cls, _BASE)(
            *args, **kwargs
        )  # `type(client)(...)` is a new client, which nobody tracks yet


class TrackedClient(metaclass=_Meta):
    """
    A vendor client whose calls are recorded: `TrackedClient(AsyncAnthropic(), feature="search", team="discovery")`.

    What comes back is an instance of the client's own class as well (`isinstance(client, AsyncAnthropic)` holds): every
    method, type, error, stream and helper is the vendor's.

    Args:
        client: A client of the anthropic or openai SDK, async or not, of any of their platforms.
        feature: What the calls are for, a slug; an untagged call is an invisible cost.
        team: Who pays, a slug; may be left out where the registry file says it.
        model: The default model of `complete()`; its series exist at 0 from now on.
        models: Further models that this client will call, for the same reason.
        prices: The price table; default `PriceTable.default()`.
        registry: Where the metrics live; default prometheus_client's `REGISTRY`.
        sinks: Callables that take each `CallRecord`, instead of the default ones (`default_sinks(registry)`).
        provider: Who sells, where the client's `base_url` is a proxy that does not tell: `openai` for instance.
        stream_usage: Ask OpenAI chat streams for their usage, and hide the extra chunk unless the caller asked for it.
            Default: on OpenAI's own hosts and Azure only, since other servers may refuse the option.
        on_unpriced: `raise` refuses a default model that has no price, here and in `complete()`, before money is spent.
        config: The feature registry, or the path of its file; default `TRACKED_INFERENCE_CONFIG`, else
            `tracked-inference.toml` or `[tool.tracked-inference]` in the working directory or above it, if there is one.
        budget_usd: What the feature may spend, dollars by period: `{"month": 4000}`, `{"day": 200}`; default the registry's.
        on_budget: What happens when that is spent: `warn` logs it, `refuse` raises `BudgetExceededError` instead of calling;
            default the registry's, else `warn`.

    Raises:
        AttributionError: `feature` or `team` is missing or not a slug, or not declared in the registry file; the message
            names the nearest one.
        ConfigurationError: Another argument, or the registry file, cannot be used.
        UnpricedModelError: `on_unpriced="raise"`, and the model has no price.
        UnsupportedClientError: `client` is no client of these SDKs.
    """

    def __repr__(self) -> str:
        meter: Meter = self.__dict__[_METER]
        return f"<tracked {type(self).__qualname__} feature={meter.own.feature!r} team={meter.own.team!r}>"

    def with_attribution(
        self, *, feature: str | None = None, team: str | None = None, user: str | None = None, **tags: object
    ) -> Any:
        """
        Return this client for somebody else: the same connections, other words.

        Raises:
            AttributionError: `feature` or `team` is not a slug.
        """
        meter: Meter = self.__dict__[_METER]
        if feature is not None:
            check_slug("feature", feature)
            team = team_of(feature, team, meter.declared)
        if team is not None:
            check_slug("team", team)
        own = Attribution(feature, team, None if user is None else str(user), text_tags(tags)).over(meter.own)
        new = _shallow(self, type(self))
        new.__dict__[_METER] = meter.with_own(own)
        new.__dict__[_METER].declare(new, *meter.models)
        return new


def _vendor_of(base: type, client: object) -> Any:
    """The adapter of the SDK that a client's class comes from."""
    for one in base.__mro__:
        top = one.__module__.partition(".")[0]
        if top in ("anthropic", "openai") and callable(getattr(base, "request", None)):
            # A double made with `spec=` says it is a client, but has no class of one and no request to observe.
            from tracked_inference.vendors import anthropic, openai

            return anthropic if top == "anthropic" else openai
    hint = (
        "it is a module; make a client of it first" if inspect.ismodule(client) else "give it a client object"
    )
    if inspect.isclass(client):
        hint = f"it is a class; give it an instance, {client.__name__}()"
    elif type(client).__module__ == "unittest.mock":
        hint = "a mock answers no requests; give a real client with a mock transport (http_client=) instead"
    raise UnsupportedClientError(
        f"TrackedClient takes a client of the anthropic or openai SDK, not {type(client).__qualname__!r}: {hint}"
    )


def _instance(name: str, value: Any, kind: type[_C]) -> _C:
    if not isinstance(value, kind):
        raise ConfigurationError(f"{name} must be a {kind.__name__}, not {type(value).__qualname__!r}")
    return value


def _guard(
    declared: FeatureRegistry | None,
    own: Attribution,
    budget_usd: Mapping[str, float | Decimal] | None,
    on_budget: str | None,
    registry: CollectorRegistry | None,
) -> BudgetGuard | None:
    """The guard of budgets, if any feature that this client may call for has one."""
    if budget_usd is None and on_budget is None and (declared is None or not declared.guarded):
        return None
    from tracked_inference.planning._guards import guard_for

    count = functools.partial(_count_unknown_spend, registry)
    return guard_for(
        declared,
        str(own.feature),
        str(own.team),
        budget_usd=budget_usd,
        on_budget=on_budget,
        count_failure=count,
    )


def _count_refusal(registry: CollectorRegistry | None, refusal: BudgetExceededError) -> None:
    from tracked_inference.sinks._collectors import collectors_of

    collectors_of(registry).refused.labels(refusal.feature, refusal.team, refusal.period).inc()


def _count_unknown_spend(registry: CollectorRegistry | None, reason: str) -> None:
    from tracked_inference.sinks._collectors import collectors_of

    collectors_of(registry).unknown_spend.labels(reason).inc()


def _warn_of_replaced_methods(client: Any) -> None:
    """Say that `client.messages.create = wrapper`, done before, is not there any more: it would call the old client."""
    for holder in _resources_of(client, client):
        for name in vars(holder):
            if inspect.isfunction(inspect.getattr_static(type(holder), name, None)):
                warnings.warn(
                    f"{type(holder).__name__}.{name} of this client was replaced before it was tracked; the tracked client"
                    " calls the SDK's own method: track the client first and replace methods of the tracked one",
                    stacklevel=4,
                )


def _resources_of(holder: Any, client: Any) -> Iterator[Any]:
    for value in list(vars(holder).values()):
        if getattr(value, "_client", None) is client:
            yield value
            yield from _resources_of(value, client)


def _count_fault(registry: CollectorRegistry | None, stage: str) -> None:
    from tracked_inference.sinks._collectors import collectors_of

    collectors_of(registry).tracking_errors.labels(stage).inc()


# Copies.


def _shallow(client: Any, cls: type) -> Any:
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
    plain = _shallow(self, base)
    del plain.__dict__[_METER]
    made = plain.copy(*args, **kwargs)
    for name, value in plain.__dict__.items():
        found_out = name != "_middleware_chain" and self.__dict__.get(name, plain) is not value
        if found_out and getattr(value, "_client", None) is not plain:
            self.__dict__[name] = value
    new = _shallow(made, type(self))
    new.__dict__[_METER] = self.__dict__[_METER]
    return new


# The subclass.

_made: dict[type, type] = {}


def _subclass_of(base: Any) -> type:
    """The tracked subclass of a client class; made once."""
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
            __copy__=lambda self: _shallow(self, type(self)),
            __init__=base.__init__,  # signatures are looked at
            __repr__=base.__repr__ if base.__repr__ is not object.__repr__ else TrackedClient.__repr__,
            __module__=base.__module__,
            __qualname__=base.__qualname__,
            __doc__=base.__doc__,
        )
        names[_BASE] = base
        made = _made[base] = _metaclass_for(base)(base.__name__, (TrackedClient, base), names)
    return made


def _metaclass_for(base: type) -> Any:
    kind = type(base)
    return _Meta if kind is type else type("_Meta", (_Meta, kind), {})


def _async_methods(base: Any) -> dict[str, Any]:
    @functools.wraps(base.request)
    async def request(
        self: Any, cast_to: Any, options: Any, *, stream: bool = False, stream_cls: Any = None, **more: Any
    ) -> Any:
        meter: Meter = self.__dict__[_METER]
        send = self.__dict__.get(_SEND) or functools.partial(base.request, self)
        call = meter.begin(self, options, stream=stream)
        outer = _current.get()
        _current.set(call)
        try:
            if call is None:
                return await send(cast_to, options, stream=stream, stream_cls=stream_cls, **more)
            asked = meter.ask_for_usage(self, call, options)
            refused = False
            try:
                result = await send(cast_to, asked, stream=stream, stream_cls=stream_cls, **more)
            except Exception as error:
                refused = asked is not options and meter.refused(self, call, error)
                if not refused:
                    raise
            if refused:  # out of the handler, so that the refusal is no context of what comes now
                result = await send(cast_to, options, stream=stream, stream_cls=stream_cls, **more)
        except BaseException as error:
            if call is not None:
                meter.broke(call, error)
            raise
        finally:
            if _current.get() is call:  # a coroutine that is dropped ends in whatever context there is
                _current.set(outer)
        meter.observe(call, result, asynchronous=True)
        return result

    async def complete(self: Any, messages: Any, *, model: str | None = None, **options: Any) -> Any:
        meter: Meter = self.__dict__[_METER]
        chosen = meter.model_of_complete(self, model, options)
        with meter.catching() as caught:
            answer = await meter.vendor.complete(self, chosen, messages, options)
        return meter.result(answer, caught)

    return {"request": request, "complete": complete}


def _sync_methods(base: Any) -> dict[str, Any]:
    @functools.wraps(base.request)
    def request(
        self: Any, cast_to: Any, options: Any, *, stream: bool = False, stream_cls: Any = None, **more: Any
    ) -> Any:
        meter: Meter = self.__dict__[_METER]
        send = self.__dict__.get(_SEND) or functools.partial(base.request, self)
        call = meter.begin(self, options, stream=stream)
        outer = _current.get()
        _current.set(call)
        try:
            if call is None:
                return send(cast_to, options, stream=stream, stream_cls=stream_cls, **more)
            asked = meter.ask_for_usage(self, call, options)
            refused = False
            try:
                result = send(cast_to, asked, stream=stream, stream_cls=stream_cls, **more)
            except Exception as error:
                refused = asked is not options and meter.refused(self, call, error)
                if not refused:
                    raise
            if refused:  # out of the handler, so that the refusal is no context of what comes now
                result = send(cast_to, options, stream=stream, stream_cls=stream_cls, **more)
        except BaseException as error:
            if call is not None:
                meter.broke(call, error)
            raise
        finally:
            if _current.get() is call:  # a coroutine that is dropped ends in whatever context there is
                _current.set(outer)
        meter.observe(call, result, asynchronous=False)
        return result

    def complete(self: Any, messages: Any, *, model: str | None = None, **options: Any) -> Any:
        meter: Meter = self.__dict__[_METER]
        chosen = meter.model_of_complete(self, model, options)
        with meter.catching() as caught:
            answer = meter.vendor.complete(self, chosen, messages, options)
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
        def _process_response(self: Any, *, response: Any, **more: Any) -> Any:
            call = _current.get()
            if call is not None:
                call.response = response
            return base._process_response(self, response=response, **more)

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
