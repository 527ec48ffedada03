"""
A pytest plugin for the vendors' own suites: notes each test's outcome, and builds every SDK client as a tracked one.

`VENDOR_SUITE_MODE=plain` leaves the clients alone. Results go to the directory that `VENDOR_SUITE_RESULTS` names.
"""

from __future__ import annotations

import functools
import importlib
import json
import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pytest

_seen: Counter[str] = Counter()
_outcomes: dict[str, str] = {}
_faults: list[str] = []


def pytest_configure(config: pytest.Config) -> None:
    if os.environ["VENDOR_SUITE_MODE"] == "tracked":
        for sdk in ("anthropic", "openai"):
            try:
                base = importlib.import_module(f"{sdk}._base_client")
            except ImportError:
                continue
            for name in ("SyncAPIClient", "AsyncAPIClient"):
                _track_every(getattr(base, name))


def _track_every(base: Any) -> None:
    """Whatever client a test makes is made by the SDK and then tracked, subclasses and platforms included."""
    from prometheus_client import CollectorRegistry

    from tracked_inference import PriceTable, TrackedClient, client, track
    from tracked_inference.sinks.metrics import MetricsSink

    registry = CollectorRegistry()
    prices, sinks = PriceTable.default(), (MetricsSink(registry), _count)

    def __new__(cls: Any, *args: Any, **kwargs: Any) -> Any:
        plain = object.__new__(cls)
        if issubclass(cls, TrackedClient):
            return plain
        cls.__init__(plain, *args, **kwargs)
        _seen["clients"] += 1
        return track(plain, feature="suite", team="suite", prices=prices, registry=registry, sinks=sinks)

    base.__new__ = __new__
    if not hasattr(client.subclass_of, "cache_info"):
        client.subclass_of = _initialised_once(client.subclass_of)
        client._count_fault = lambda _registry, stage: _faults.append(stage)


def _initialised_once(make: Any) -> Any:
    """Python calls `__init__` on what `__new__` returned; here that is a finished client."""

    @functools.cache
    def subclass_of(base: Any, tracked: Any) -> Any:
        made = make(base, tracked)
        initialise = made.__init__

        @functools.wraps(initialise)
        def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
            if "_tracked_meter" not in self.__dict__:
                initialise(self, *args, **kwargs)

        made.__init__ = __init__
        return made

    return subclass_of


def _count(record: Any) -> None:
    _seen["records"] += 1
    _seen[f"outcome {record.outcome}"] += 1
    if "unobserved" in record.cost.reasons:
        _seen["unobserved"] += 1


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    worst = {"failed": 3, "passed": 1, "skipped": 2}
    outcome = "xfailed" if hasattr(report, "wasxfail") and report.skipped else report.outcome
    if worst.get(outcome, 2) >= worst.get(_outcomes.get(report.nodeid, ""), 0):
        _outcomes[report.nodeid] = outcome


def pytest_collectreport(report: pytest.CollectReport) -> None:
    if report.failed:
        _outcomes[f"collecting {report.nodeid}"] = "failed"


def pytest_runtest_logfinish(nodeid: str) -> None:
    if _faults:
        _seen[f"tracking errors in {nodeid}"] += len(_faults)
        _faults.clear()


def pytest_sessionfinish(session: pytest.Session) -> None:
    results = Path(os.environ["VENDOR_SUITE_RESULTS"])
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if worker is None:
        (results / "outcomes.json").write_text(json.dumps(_outcomes))
    pytest_runtest_logfinish("the end of the session")
    (results / f"seen-{worker or 'main'}.json").write_text(json.dumps(_seen))
