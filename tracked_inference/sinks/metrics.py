"""
The Prometheus sink: one record becomes increments of the metrics that `catalogue` defines.

Children are looked up once for each combination of labels and kept, so that a call costs increments alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tracked_inference.sinks._collectors import CAPPED, Collectors, collectors_of, is_name
from tracked_inference.usage import TOKEN_UNITS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from datetime import datetime

    from prometheus_client import CollectorRegistry

    from tracked_inference.record import CallRecord
    from tracked_inference.sinks._quick import Due, Observe
    from tracked_inference.sinks._rolling import RollingHour

__all__ = ["MetricsSink"]

MAX_FEATURES = 200
"""Distinct features that get a label of their own in one process; the others count as `other`."""

MAX_TEAMS = 200
"""Distinct teams that get a label of their own in one process; the others count as `other`."""

MAX_UNKNOWN_MODELS = 50
"""Distinct models without a price that get a label of their own in one process; the others count as `other`."""

_OUTCOMES = ("ok", "error", "cancelled", "abandoned")


class MetricsSink:
    """
    Counts records in Prometheus.

    Args:
        registry: Where the metrics live; default prometheus_client's own `REGISTRY`.
            Any number of sinks may share a registry: they share its metrics.
    """

    stage = "metrics"

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self._all: Collectors = collectors_of(registry)
        self.place: object = self._all  # where records go: the same for all sinks of a registry
        self._children: dict[tuple[str, str, str], _Children] = {}
        self._features: dict[str, _FeatureChildren] = {}

    def __call__(self, record: CallRecord, /) -> None:
        cost = record.cost
        total, status = cost.total_usd, cost.status
        feature = self._features.get(record.feature) or self._feature(record.feature)
        # A refused request echoes the name that was asked for, which may be any typing error.
        priced = total is not None and cost.reasons != ("not_billed",)
        children = self._children.get((record.model, record.feature, record.team))
        if children is None or (priced and children.cost is None):
            # So may what is free or priced by a gateway go by any name: the table knows the others.
            known = priced and status != "free" and "gateway" not in cost.reasons
            children = self._labelled(record.model, record.feature, record.team, known=known, priced=priced)
        exemplar = None if record.trace_id is None else {"trace_id": record.trace_id}
        due: list[Due] = [(children.calls[record.outcome], 1)]
        try:
            if total is not None:
                dollars = float(total)
                sound = 0 <= dollars < _INFINITY  # one NaN would poison a sum for ever
                if sound:
                    if dollars:
                        if exemplar is None:
                            due.append((children.cost, dollars))
                        else:
                            children.cost_child.inc(dollars, exemplar)
                        by_status = feature.by_status.get(status) or feature.more_by_status(status)
                        due.append((by_status, dollars))
                        feature.hour.add(dollars)
                        if self._all.shared:
                            self._all.keep_fresh()
                    if status != "free":
                        due += feature.cost_per_call(dollars, exemplar)
            usage = record.usage
            if usage is not None:
                values = children.tokens
                for one in usage.passes:  # what `usage.tokens()` sums up
                    for unit, count in one.counts.items():
                        if unit in values:
                            due.append((values[unit], int(count)))
                        elif unit in _TOKENS:
                            due.append((children.more_tokens(unit), int(count)))
            duration = record.duration_seconds
            due += children.duration(duration if duration > 0 else 0.0, exemplar)
            first = record.time_to_first_token_seconds
            if first is not None:
                due += children.first_token()(first if first > 0 else 0.0, exemplar)
        finally:
            self._all.tally.add(due)  # all of it at once; where something fails, what was due before
        if status in _UNPRICED:
            for reason in cost.reasons or ("unknown",):
                self._all.unpriced.labels(children.model, children.feature, _word(reason)).inc()
        if status in _UNMEASURED:
            for reason in cost.reasons or ("unknown",):
                self._all.unmeasured.labels(children.model, children.feature, _word(reason)).inc()
        if usage is not None and usage.reasoning_tokens > 0:
            self._all.reasoning.labels(children.model, children.feature).inc(usage.reasoning_tokens)
        if record.attempts > 1:
            children.retries.inc(record.attempts - 1)

    # What the client tells beside records.

    def declare(self, feature: str, team: str, models: Iterable[str] = ()) -> None:
        """
        Let the series of a feature exist at 0 before its first call.

        Prometheus' `increase()` cannot see the first value of a series that is born with it.
        """
        self._feature(feature)
        for model in models:
            self._labelled(model, feature, team, known=True, priced=True)

    def expect(self, feature: str, team: str, models: Mapping[str, Collection[str] | None]) -> None:
        """
        `declare`, for models of which it is known which units have a price, or that none has (None).

        The kinds of tokens that have one exist at 0 as well; a model without a price gets no dollars, not even none at all.
        """
        self._feature(feature)
        for model, units in models.items():
            children = self._labelled(model, feature, team, known=True, priced=units is not None)
            for unit in _TOKENS.intersection(units or ()).difference(children.tokens):
                children.more_tokens(unit)

    def show_feature(self, feature: Any) -> None:
        """Show who owns a declared feature, and its budgets."""
        words = (feature.service, feature.environment, feature.component, feature.cost_center)
        self._all.feature_info.labels(feature.name, feature.team, *words).set(1)
        for period, dollars in feature.budget_usd.items():
            self._all.budget.labels(feature.name, feature.team, period).set(float(dollars))
            if feature.on_budget == "refuse":
                self._all.refused.labels(
                    feature.name, feature.team, period
                )  # there at 0: increase() misses births

    def show_table(self, version: str, sha256: str, recorded_at: datetime) -> None:
        """Show which price table is in use, and its age."""
        self._all.show_table(version, sha256, recorded_at)

    def call_started(self, call: Any) -> None:
        """A call is in flight."""
        (self._features.get(call.feature) or self._feature(call.feature)).started()

    def call_ended(self, call: Any) -> None:
        """A call is no longer in flight."""
        (self._features.get(call.feature) or self._feature(call.feature)).ended()

    def show_prices(self, model: str, rates: Mapping[str, Any]) -> None:
        """Show the list price of each token kind of a model that was seen."""
        if not is_name(model):
            return
        for unit, rate in rates.items():
            if unit in _TOKENS:  # searches, seconds and characters have prices too, which are none of a token
                self._all.price.labels(model, unit).set(float(rate))

    # Labels.

    def _feature(self, feature: str) -> _FeatureChildren:
        found = self._features.get(feature)
        if found is None:
            label = self._all.capped("feature", feature, MAX_FEATURES)
            found = self._features.get(label) or _FeatureChildren(self._all, label)
            self._features[label] = found  # bounded by the cap
        return found

    def _labelled(self, model: str, feature: str, team: str, *, known: bool, priced: bool) -> _Children:
        found = self._children.get((model, feature, team))
        if found is None:
            collectors = self._all
            if known:
                collectors.know(model)
            labels = (
                model
                if collectors.is_known(model)
                else collectors.capped("model", model, MAX_UNKNOWN_MODELS),
                collectors.capped("feature", feature, MAX_FEATURES),
                collectors.capped("team", team, MAX_TEAMS),
            )
            found = self._children.get(labels) or _Children(collectors, *labels)
            self._children[labels] = found  # bounded by the caps
            for name, label, value in zip(CAPPED, labels, (model, feature, team), strict=True):
                if label != value:
                    collectors.overflow.labels(name).inc()
        if priced and found.cost is None:
            found.cost_child = self._all.cost.labels(found.model, found.feature, found.team)
            found.cost = self._all.tally.value(found.cost_child)
        return found


_INFINITY = float("inf")
_TOKENS = frozenset(TOKEN_UNITS)
_UNPRICED = frozenset({"unpriced", "partial"})
_UNMEASURED = frozenset({"unmeasured", "lower_bound"})


class _Children:
    """The children of one model, feature and team, born at 0 all at once; the dollars once there is a price."""

    __slots__ = (
        "_all",
        "_first_token",
        "calls",
        "cost",
        "cost_child",
        "duration",
        "feature",
        "model",
        "retries",
        "team",
        "tokens",
    )

    def __init__(self, collectors: Collectors, model: str, feature: str, team: str) -> None:
        self._all = collectors
        self.model, self.feature, self.team = model, feature, team
        # Made once the model has a price: a model without one must not read as $0.
        self.cost: Any = None
        self.cost_child: Any = None
        self.duration = collectors.tally.histogram(collectors.duration.labels(model, feature))
        self.retries = collectors.retries.labels(model, feature)
        self.calls = {
            outcome: collectors.tally.value(collectors.calls.labels(model, feature, team, outcome))
            for outcome in _OUTCOMES
        }
        self.tokens: dict[str, Any] = {}
        for unit in ("input", "output"):
            self.more_tokens(unit)
        self._first_token: Observe | None = None  # made by the first stream

    def first_token(self) -> Observe:
        found = self._first_token
        if found is None:
            child = self._all.first_token.labels(self.model, self.feature)
            found = self._first_token = self._all.tally.histogram(child)
        return found

    def more_tokens(self, unit: str) -> Any:
        child = self._all.tokens.labels(self.model, self.feature, unit)
        value = self.tokens[unit] = self._all.tally.value(child)
        return value


class _FeatureChildren:
    """The children of one feature."""

    __slots__ = ("_all", "_feature", "by_status", "cost_per_call", "ended", "hour", "started")

    def __init__(self, collectors: Collectors, feature: str) -> None:
        self._all, self._feature = collectors, feature
        self.by_status: dict[str, Any] = {}
        self.more_by_status("exact")
        self.cost_per_call = collectors.tally.histogram(collectors.cost_per_call.labels(feature))
        self.started, self.ended = collectors.in_flight(feature)
        self.hour: RollingHour = collectors.rolling_hour(feature)

    def more_by_status(self, status: str) -> Any:
        child = self._all.cost_by_status.labels(self._feature, status)
        value = self.by_status[status] = self._all.tally.value(child)
        return value


def _word(reason: str) -> str:
    """The part of a reason that comes from a fixed list: what follows a colon is the vendor's and may be anything."""
    return reason.partition(":")[0]
