"""
Where Prometheus scrapes: one application that does right in one process and in many.

Several workers that share a port must share their values too, through prometheus_client's multiprocess mode.
Without it each scrape meets another worker, every drop looks like a restart, and a day's cost comes out 250 times
too high (measured).  That is looked for at each scrape, said in the log and counted where Prometheus sees it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client import multiprocess as _multiprocess
from prometheus_client.exposition import choose_encoder

from tracked_inference.sinks._collectors import multiprocess as shared_by_files
from tracked_inference.sinks._text import quicker
from tracked_inference.sinks._workers import WorkerWatch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["MetricsApp", "child_exit", "metrics_app"]

multiprocess: Any = _multiprocess  # it has no types
_log = logging.getLogger("tracked_inference")
_PID = re.compile(r"gauge_live\w*_(\d+)\.db")


def metrics_app(registry: CollectorRegistry | None = None) -> MetricsApp:
    """
    An application that answers scrapes; mount it in an ASGI or a WSGI framework.

    Args:
        registry: What to show; default prometheus_client's own `REGISTRY`.
            In multiprocess mode what all processes have written is shown, whatever the registry.
    """
    return MetricsApp(registry)


class MetricsApp:
    """
    Answers scrapes, as ASGI or WSGI by the arguments it is called with.

    Servers that tell the two apart without calling want `app.asgi` or `app.wsgi`.
    The text is made in a thread: 10,000 series take a tenth of a second, and no event loop should stand still for that.
    """

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self._registry = REGISTRY if registry is None else registry
        self._watch = WorkerWatch(self._registry)

    def __call__(self, *arguments: Any) -> Any:
        """ASGI with three arguments, WSGI with two."""
        return self.asgi(*arguments) if len(arguments) == 3 else self.wsgi(*arguments)

    async def asgi(self, scope: Any, receive: Any, send: Any) -> None:
        """The ASGI application."""
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        if scope["type"] != "http":
            raise ValueError(f"metrics are served over http, not {scope['type']}")
        accept = ", ".join(
            value.decode("latin-1") for name, value in scope["headers"] if name.lower() == b"accept"
        )
        query = scope.get("query_string", b"").decode("latin-1")
        status, headers, body = await _in_thread(lambda: self._answer(scope["method"], accept, query))
        raw = [(name.lower().encode(), value.encode()) for name, value in headers]
        await send({"type": "http.response.start", "status": int(status.split()[0]), "headers": raw})
        await send({"type": "http.response.body", "body": body})

    def wsgi(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """The WSGI application."""
        accept, query = environ.get("HTTP_ACCEPT", ""), environ.get("QUERY_STRING", "")
        status, headers, body = self._answer(environ["REQUEST_METHOD"], accept, query)
        start_response(status, headers)
        return [body]

    def _answer(self, method: str, accept: str, query: str) -> tuple[str, list[tuple[str, str]], bytes]:
        if method not in {"GET", "HEAD"}:
            return "405 Method Not Allowed", [("Allow", "GET, HEAD"), ("Content-Length", "0")], b""
        try:
            encoder, content_type = choose_encoder(accept)
        except Exception:  # a version that is no number, say: without one the answer is always right
            encoder, content_type = choose_encoder("")
        status = "200 OK"
        try:
            self._watch.look()
            names = parse_qs(query).get("name[]")
            registry: Any = _joined(named=bool(names)) if shared_by_files() else self._registry
            text = quicker(encoder)(registry.restricted_registry(names) if names else registry)
        except Exception:  # a collector of somebody else's: its words are for the log, not for whoever asks
            _log.exception("ai.inference.scrape_failed: the metrics could not be collected")
            status, content_type = "500 Internal Server Error", "text/plain; charset=utf-8"
            text = b"the metrics could not be collected; see the log\n"
        headers = [("Content-Type", content_type), ("Content-Length", str(len(text)))]
        return status, headers, b"" if method == "HEAD" else text


def child_exit(server: Any, worker: Any) -> None:  # noqa: ARG001  # gunicorn's signature
    """
    For gunicorn's configuration file: takes the gauges of a worker that ended out of the sums.

    `from tracked_inference.sinks.exposition import child_exit` is all that the file needs.
    Without multiprocess mode it does nothing.
    """
    if shared_by_files():
        multiprocess.mark_process_dead(worker.pid)


def _joined(*, named: bool) -> CollectorRegistry:
    """
    What all processes wrote; gauges of those that died without a hook (uvicorn has none) are left out.

    Args:
        named: The registry will be asked for metrics by name, and has to look which ones there are.
    """
    folder = Path(os.environ.get("PROMETHEUS_MULTIPROC_DIR") or os.environ["prometheus_multiproc_dir"])  # noqa: SIM112
    for file in folder.glob("gauge_live*_*.db"):
        found = _PID.fullmatch(file.name)
        if found is not None and not _alive(int(found[1])):
            multiprocess.mark_process_dead(int(found[1]), str(folder))
    registry = CollectorRegistry(auto_describe=named)
    multiprocess.MultiProcessCollector(registry, str(folder))
    return registry


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


async def _in_thread(work: Callable[[], Any]) -> Any:
    try:
        asyncio.get_running_loop()
    except RuntimeError:  # trio and others: no thread pool that we know of
        return work()
    return await asyncio.to_thread(work)


async def _lifespan(receive: Any, send: Any) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
