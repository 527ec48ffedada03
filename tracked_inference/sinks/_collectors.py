"""The Prometheus collectors of one registry, built once, however often clients are made or modules reloaded."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
import weakref
from functools import partial
from typing import TYPE_CHECKING, Any

from prometheus_client import REGISTRY, Counter, Gauge, Histogram

from tracked_inference.sinks._fork import free_locks
from tracked_inference.sinks._quick import Tally, adder
from tracked_inference.sinks._rolling import RollingHour
from tracked_inference.sinks.catalogue import METRICS, Metric

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from prometheus_client import CollectorRegistry

__all__ = ["Collectors", "collectors_of", "is_name"]

_log = logging.getLogger("tracked_inference")
_HOME = "_tracked_inference_collectors"
_REFRESH_SECONDS = 10.0

STAGES = ("begin", "budget", "ledger", "log", "metrics", "observe", "price", "record", "sink", "usage")
"""Where the tracking itself can fail."""

CAPPED = ("model", "feature", "team")
"""The labels whose values are capped."""

_OTHER = "other"
_LONGEST_NAME = 200
"""Characters; an ARN of Bedrock, the longest name that there is, has about 120."""

_making = threading.Lock()
_living: weakref.WeakSet[Collectors] = weakref.WeakSet()


def multiprocess() -> bool:
    """Whether prometheus_client shares its values between processes through files."""
    return bool(os.environ.get("PROMETHEUS_MULTIPROC_DIR") or os.environ.get("prometheus_multiproc_dir"))  # noqa: SIM112


def collectors_of(registry: CollectorRegistry | None) -> Collectors:
    """The collectors of a registry; made when it is first asked for, kept on the registry itself."""
    home = REGISTRY if registry is None else registry
    with _making:
        found: Collectors | None = home.__dict__.get(_HOME)
        if found is None:
            found = Collectors(home)
            home.__dict__[_HOME] = found
        return found


class Collectors:
    """
    Every metric of the catalogue in one registry, and what is shared by those who write them.

    Attributes are named after the metrics, without what all names share.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        made = {metric.name: _make(metric, registry) for metric in METRICS}
        self.by_name = made
        self._home = weakref.ref(registry)
        self.tally = Tally()
        self.cost: Any = made["ai_inference_estimated_cost_usd_total"]
        self.tokens: Any = made["ai_inference_tokens_total"]
        self.reasoning: Any = made["ai_inference_reasoning_tokens_total"]
        self.duration: Any = made["ai_inference_duration_seconds"]
        self.first_token: Any = made["ai_inference_time_to_first_token_seconds"]
        self.cost_per_call: Any = made["ai_inference_cost_per_call_usd"]
        self.cost_per_hour: Any = made["ai_inference_cost_per_hour_usd"]
        self.cost_by_status: Any = made["ai_inference_cost_by_status_usd_total"]
        self.calls: Any = made["ai_inference_calls_total"]
        self.unpriced: Any = made["ai_inference_unpriced_calls_total"]
        self.unmeasured: Any = made["ai_inference_unmeasured_calls_total"]
        self.retries: Any = made["ai_inference_retries_total"]
        self.in_progress: Any = made["ai_inference_calls_in_progress"]
        self.price: Any = made["ai_inference_price_usd_per_token"]
        self.table_info: Any = made["ai_inference_price_table_info"]
        self.table_age: Any = made["ai_inference_price_table_age_seconds"]
        self.feature_info: Any = made["ai_inference_feature_info"]
        self.budget: Any = made["ai_inference_budget_usd"]
        self.refused: Any = made["ai_inference_budget_refused_calls_total"]
        self.unknown_spend: Any = made["ai_inference_budget_source_errors_total"]
        self.overflow: Any = made["ai_inference_label_overflow_total"]
        self.dropped: Any = made["ai_inference_dropped_records_total"]
        self.tracking_errors: Any = made["ai_inference_tracking_errors_total"]

        for stage in STAGES:  # born at 0, for the alerts that look at their increase
            self.tracking_errors.labels(stage)
        for label in CAPPED:
            self.overflow.labels(label)

        self._lock = threading.Lock()
        self._seen: dict[str, set[str]] = {}
        self._overflowed: set[str] = set()
        self._known_models: set[str] = set()
        self._hours: dict[str, RollingHour] = {}
        self._in_flight: dict[str, list[None]] = {}
        self._tables: dict[tuple[str, str], float] = {}
        self.shared = multiprocess()
        self._refresher: threading.Thread | None = None
        _living.add(self)

    # Caps on what a label may say.

    def know(self, model: str) -> None:
        """Remember a model that has a price: it needs no cap."""
        if is_name(model):
            self._known_models.add(model)

    def is_known(self, model: str) -> bool:
        """Whether a model has had a price."""
        return model in self._known_models

    def capped(self, label: str, value: str, most: int) -> str:
        """The value, or `other` when it is no name or more than `most` different ones were seen under this label."""
        if not is_name(value):
            return _OTHER
        with self._lock:
            seen = self._seen.setdefault(label, set())
            if value in seen:
                return value
            if len(seen) < most:
                seen.add(value)
                return value
            first = label not in self._overflowed
            self._overflowed.add(label)
        if first:
            _log.warning(
                "ai.inference.label_overflow: more than %d different values of the label %r in this process; further ones"
                " are written as 'other' and counted in ai_inference_label_overflow_total",
                most,
                label,
            )
        return _OTHER

    # Gauges that change while nothing is called.

    def rolling_hour(self, feature: str) -> RollingHour:
        """The rolling hour of a feature, shown by its gauge."""
        with self._lock:
            hour = self._hours.get(feature)
            if hour is None:
                hour = self._hours[feature] = RollingHour()
                child = self.cost_per_hour.labels(feature)
                if self.shared:
                    child.set(0)
                else:
                    child.set_function(hour.total)
        return hour

    def in_flight(self, feature: str) -> tuple[Callable[[], Any], Callable[[], Any]]:
        """What notes that a call of a feature has started, and what notes that one has ended; shown by their gauge."""
        child = self.in_progress.labels(feature)
        if self.shared:
            add = adder(child)
            return partial(add, 1), partial(add, -1)
        with self._lock:
            # A list, because adding to it and taking from it need no lock, as those of a number do.
            calls = self._in_flight.setdefault(feature, [])
            child.set_function(calls.__len__)

        def ended() -> None:
            if calls:  # a forked child knows nothing of the calls that its parent started
                calls.pop()

        return partial(calls.append, None), ended

    def show_table(self, version: str, sha256: str, recorded_at: datetime) -> None:
        """Show which price table is in use, and its age."""
        with self._lock:
            self.table_info.labels(version, sha256).set(1)
            age = self.table_age.labels(version, sha256)
            born = recorded_at.timestamp()
            self._tables[version, sha256] = born
            if self.shared:
                age.set(max(time.time() - born, 0.0))
            else:
                age.set_function(lambda: max(time.time() - born, 0.0))

    def keep_fresh(self) -> None:
        """
        See to it that the gauges go on changing when calls stop.

        In one process they are read when they are scraped; files shared between processes must be written, by a thread.
        """
        if not self.shared:
            return
        self.refresh()
        if self._refresher is None:
            with self._lock:
                if self._refresher is None:
                    thread = threading.Thread(
                        target=_refresh_for_ever,
                        args=(weakref.ref(self),),
                        name="tracked-inference-gauges",
                        daemon=True,
                    )
                    # Without more threads the gauges change with the next call.
                    with contextlib.suppress(RuntimeError):
                        thread.start()
                        self._refresher = thread

    def refresh(self) -> None:
        """Write the gauges that time moves."""
        for feature, hour in list(self._hours.items()):
            self.cost_per_hour.labels(feature).set(hour.total())
        for (version, sha256), born in list(self._tables.items()):
            self.table_age.labels(version, sha256).set(max(time.time() - born, 0.0))

    def forget_parent(self) -> None:
        """In a forked child: the parent's dollars and open calls are the parent's, and its threads are gone."""
        free_locks(self.by_name.values(), self._home())
        self._lock = threading.Lock()
        self._refresher = None
        for hour in self._hours.values():
            hour.clear()
        for calls in self._in_flight.values():
            calls.clear()


def is_name(value: str) -> bool:
    """Whether a text can be a label: a gateway's answer may hold what UTF-8 cannot say, and then no scrape succeeds any more."""
    return len(value) <= _LONGEST_NAME and value.isprintable()


def _make(metric: Metric, registry: CollectorRegistry) -> Any:
    name = metric.name.removesuffix("_total")
    if metric.kind == "counter":
        return Counter(name, metric.help, metric.labels, registry=registry)
    if metric.kind == "histogram":
        return Histogram(name, metric.help, metric.labels, registry=registry, buckets=metric.buckets)
    mode: Any = metric.multiprocess_mode
    return Gauge(name, metric.help, metric.labels, registry=registry, multiprocess_mode=mode)


def _refresh_for_ever(owner: weakref.ref[Collectors]) -> None:
    while True:
        time.sleep(_REFRESH_SECONDS)
        collectors = owner()
        if collectors is None:
            return
        with contextlib.suppress(Exception):
            collectors.refresh()
        del collectors


def _after_fork() -> None:
    global _making  # noqa: PLW0603
    _making = threading.Lock()
    for collectors in list(_living):
        collectors.forget_parent()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
