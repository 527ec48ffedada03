"""
Metrics of jobs that end before anybody scrapes them.

What each way loses is measured in docs/howto/batch-jobs.md; the ledger loses nothing.
"""

from __future__ import annotations

import http.client
import logging
import math
import os
import socket
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self
from urllib.parse import quote

from prometheus_client import REGISTRY, CollectorRegistry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client.core import Metric

__all__ = ["Pusher", "push_metrics"]

Way = Literal["import", "aggregating", "pushgateway"]
_log = logging.getLogger("tracked_inference")
_TEXT = "text/plain; version=0.0.4; charset=utf-8"


def push_metrics(
    url: str,
    *,
    job: str,
    way: Way = "import",
    registry: CollectorRegistry | None = None,
    timeout_seconds: float = 10.0,
) -> None:
    """
    Push everything once, at the end of a job.

    A job that can push at its start too is better off with a `Pusher`.

    Args:
        url: The receiver, without a path: a VictoriaMetrics or vmagent, an aggregating gateway, a Pushgateway.
        job: The `job` label.
        way: `import` stamps every counter with 0 at the start of this process and its value now, exact in queries;
            `aggregating` adds to what others pushed, so that gauges (budgets, prices) are left out;
            `pushgateway` leaves values that `increase()` does not count.
        registry: What to push; default prometheus_client's own `REGISTRY`.
        timeout_seconds: For the one request.

    Raises:
        ConnectionError: The receiver cannot be reached or refuses.
        ValueError: `url` is no http address, or `way` is none of the three.
    """
    Pusher(url, job=job, way=way, registry=registry, timeout_seconds=timeout_seconds).push()


class Pusher:
    """
    Pushes the metrics of this process, as often as asked, each increment once.

    As a context manager it pushes when the block ends, however it ends; a push that fails is said in the log, as
    `ai.inference.push_failed`, and changes nothing of how the block ends.

    Args:
        url: See `push_metrics`.
        job: See `push_metrics`.
        way: See `push_metrics`.
        registry: See `push_metrics`.
        instance: The `instance` label; default host and process id, so that no two runs share a series.
        timeout_seconds: For each request.
    """

    def __init__(
        self,
        url: str,
        *,
        job: str,
        way: Way = "import",
        registry: CollectorRegistry | None = None,
        instance: str | None = None,
        timeout_seconds: float = 10.0,
    ) -> None:
        if not url.startswith(("http://", "https://")):
            raise ValueError(f"{url!r} is no http address; give one like http://host:8428")
        if way not in {"import", "aggregating", "pushgateway"}:
            raise ValueError(f"way is {way!r}; it must be 'import', 'aggregating' or 'pushgateway'")
        self._url = url.rstrip("/")
        self._way: Way = way
        self._registry = REGISTRY if registry is None else registry
        self._labels = {"job": job, "instance": instance or f"{socket.gethostname()}:{os.getpid()}"}
        self._timeout = timeout_seconds
        self._pushed: dict[tuple[str, tuple[tuple[str, str], ...]], float] = {}
        self._born_ms = int(_process_start() * 1000)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        try:
            self.push()
        except ConnectionError as error:
            _log.error("ai.inference.push_failed: %s", error)

    def push(self) -> None:
        """
        Push what there is now.

        Raises:
            ConnectionError: The receiver cannot be reached or refuses; what was not taken is pushed the next time.
        """
        metrics = [metric for metric in self._registry.collect() if metric.name.startswith("ai_inference")]
        if self._way == "import":
            taken = self._send("POST", "/api/v1/import/prometheus", self._stamped(metrics), metrics)
        elif self._way == "aggregating":
            taken = self._send(
                "POST", f"/metrics/job/{quote(self._labels['job'], safe='')}", self._added(metrics), metrics
            )
        else:
            path = "".join(f"/{name}/{quote(value, safe='')}" for name, value in self._labels.items())
            taken = self._send("PUT", f"/metrics{path}", self._plain(metrics), metrics)
        self._pushed = taken

    def _send(
        self, method: str, path: str, lines: Iterator[str], metrics: list[Metric]
    ) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
        body = "".join(lines).encode()
        request = urllib.request.Request(self._url + path, body, {"Content-Type": _TEXT}, method=method)  # noqa: S310  # checked in __init__
        try:
            with urllib.request.urlopen(request, timeout=self._timeout):  # noqa: S310  # the same
                pass
        except urllib.error.HTTPError as error:
            raise ConnectionError(
                f"{self._url}{path} refused the metrics: {error.code} {error.reason}"
            ) from error
        except (OSError, http.client.HTTPException) as error:
            raise ConnectionError(f"{self._url} could not be reached to push metrics: {error}") from error
        return {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for metric in metrics
            for sample in metric.samples
        }

    def _stamped(self, metrics: list[Metric]) -> Iterator[str]:
        """Samples with their time; before the first of a counter the 0 that it had when the process started."""
        now = max(int(time.time() * 1000), self._born_ms + 1)
        for metric in metrics:
            for sample in metric.samples:
                labels = {**sample.labels, **self._labels}
                key = (sample.name, tuple(sorted(sample.labels.items())))
                if metric.type in {"counter", "histogram"} and key not in self._pushed:
                    yield _line(sample.name, labels, 0.0, self._born_ms)
                yield _line(sample.name, labels, sample.value, now)

    def _added(self, metrics: list[Metric]) -> Iterator[str]:
        """What counters gained since the last push; the gateway adds it to what it has, and would add gauges up too."""
        for metric in metrics:
            if metric.type not in {"counter", "histogram"}:
                continue
            yield _type(metric)
            for sample in metric.samples:
                key = (sample.name, tuple(sorted(sample.labels.items())))
                yield _line(sample.name, sample.labels, sample.value - self._pushed.get(key, 0.0))

    def _plain(self, metrics: list[Metric]) -> Iterator[str]:
        """Values as they are; the address names the job and the instance."""
        for metric in metrics:
            yield _type(metric)
            yield from (_line(sample.name, sample.labels, sample.value) for sample in metric.samples)


def _type(metric: Metric) -> str:
    name = f"{metric.name}_total" if metric.type == "counter" else metric.name
    return f"# TYPE {name} {metric.type}\n"


def _line(name: str, labels: dict[str, str], value: float, at_ms: int | None = None) -> str:
    # `_created` would be a type of its own in this format, and receivers that know better make their own.
    if name.endswith("_created"):
        return ""
    quoted = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
    number = ("+Inf" if value > 0 else "-Inf") if math.isinf(value) else repr(value)
    return f"{name}{{{quoted}}} {number}{'' if at_ms is None else f' {at_ms}'}\n"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


_IMPORTED_AT = time.time()


def _process_start() -> float:
    """When this process started, or this module was imported where the kernel does not tell."""
    try:
        ticks = float(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
        uptime = float(Path("/proc/uptime").read_text().split()[0])
        return time.time() - uptime + ticks / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return _IMPORTED_AT
