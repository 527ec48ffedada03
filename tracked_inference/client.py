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
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast

from tracked_inference.attribution import Attribution, check_slug, text_tags
from tracked_inference.errors import ConfigurationError, UnsupportedClientError
from tracked_inference.pricing import PriceTable
from tracked_inference.registry import FeatureRegistry, registry_in_force, team_of
from tracked_inference.sinks import default_sinks
from tracked_inference.tracking.meter import Meter
from tracked_inference.tracking.subclass import BASE, METER, SEND, shallow, subclass_of

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Mapping
    from decimal import Decimal

    from prometheus_client import CollectorRegistry

    from tracked_inference.errors import BudgetExceededError
    from tracked_inference.planning.budget import BudgetGuard
    from tracked_inference.record import Sink

__all__ = ["TrackedClient", "track"]

_C = TypeVar("_C")


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
    if isinstance(client, TrackedClient) and hasattr(base, BASE):  # tracked again: the new words, once
        base = getattr(base, BASE)
        kept: Meter = client.__dict__[METER]
        feature = feature or kept.own.feature
        team = team or kept.own.team
        model = model or kept.model
        prices = prices or kept.prices
        provider = provider or kept.provider
        stream_usage = kept.stream_usage.wanted if stream_usage is None else stream_usage
        sinks = kept.sinks if sinks is None and registry is None else sinks
        config = config or kept.declared
    vendor = _vendor_of(base, client)
    declared = config if isinstance(config, FeatureRegistry) else registry_in_force(config)
    feature = check_slug("feature", feature)
    own = Attribution(feature=feature, team=check_slug("team", team_of(feature, team, declared)))
    if on_unpriced not in ("count", "raise"):
        raise ConfigurationError(f"on_unpriced={on_unpriced!r} is not known; use 'count' or 'raise'")
    table = _instance("prices", prices, PriceTable) if prices is not None else PriceTable.default()
    if registry is not None:
        from prometheus_client import CollectorRegistry

        _instance("registry", registry, CollectorRegistry)
    if stream_usage is not None:
        _instance("stream_usage", stream_usage, bool)
    if not isinstance(sinks, Iterable | None):
        raise ConfigurationError(f"sinks must be a list of callables; for one sink write sinks=[{sinks!r}]")
    if isinstance(models, str) or not isinstance(models, Iterable):
        raise ConfigurationError(f"models must be a list of names; for one model write models=[{models!r}]")
    models = tuple(models)
    for argument, name in (("model", model), ("provider", provider), *(("models", one) for one in models)):
        if name is not None and not (isinstance(name, str) and name):
            raise ConfigurationError(f"{argument}: {name!r} is no name; give it as text, or leave it out")
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
    tracked = shallow(client, subclass_of(base, TrackedClient))
    tracked.__dict__[METER] = meter
    if "request" in tracked.__dict__:  # other instrumentation of this one client: it goes on, inside of ours
        tracked.__dict__[SEND] = tracked.__dict__.pop("request")
    _warn_of_replaced_methods(client)
    meter.declare(tracked, *meter.models)
    meter.declare_all(tracked)
    return cast("_C", tracked)


class _Meta(type):
    """
    Makes `TrackedClient(client, ...)` a call of `track`.

    It is the metaclass and not `__new__`, because Python would call the vendor's `__init__` on what `__new__` returns.
    """

    @property
    def __signature__(cls) -> inspect.Signature:
        return inspect.signature(track if cls is TrackedClient else getattr(cls, BASE))

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        if cls is TrackedClient:
            return track(*args, **kwargs)
        return getattr(cls, BASE)(
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
        meter: Meter = self.__dict__[METER]
        return f"<tracked {type(self).__qualname__} feature={meter.own.feature!r} team={meter.own.team!r}>"

    def with_attribution(
        self, *, feature: str | None = None, team: str | None = None, user: str | None = None, **tags: object
    ) -> Any:
        """
        Return this client for somebody else: the same connections, other words.

        Raises:
            AttributionError: `feature` or `team` is not a slug.
        """
        meter: Meter = self.__dict__[METER]
        if feature is not None:
            check_slug("feature", feature)
            team = team_of(feature, team, meter.declared)
        if team is not None:
            check_slug("team", team)
        own = Attribution(feature, team, None if user is None else str(user), text_tags(tags)).over(meter.own)
        new = shallow(self, type(self))
        new.__dict__[METER] = meter.with_own(own)
        new.__dict__[METER].declare(new, *meter.models)
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
