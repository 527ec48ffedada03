"""A loopback server that answers as the vendors' admin endpoints do: their shapes, their pages, their refusals."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Admin:
    """What was asked, and where."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, dict[str, list[str]], dict[str, str]]] = []
        self.url = ""


@contextmanager
def serving(
    answer: Callable[[str, dict[str, list[str]]], tuple[int, Any, dict[str, str]]],
) -> Iterator[Admin]:
    """Serve what `answer(path, query)` says: status, body, headers."""
    admin = Admin()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(urlsplit(self.path).query)

        def do_POST(self) -> None:
            self._answer(self.rfile.read(int(self.headers["Content-Length"])).decode())

        def _answer(self, query: str) -> None:
            path, asked = urlsplit(self.path).path, parse_qs(query)
            admin.requests.append(
                (path, asked, {name.lower(): value for name, value in self.headers.items()})
            )
            status, body, headers = answer(path, asked)
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            for name, value in {
                "Content-Type": "application/json",
                "Content-Length": str(len(content)),
                **headers,
            }.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    admin.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield admin
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def paged(entries: list[Any], asked: dict[str, list[str]], size: int = 2) -> tuple[int, Any, dict[str, str]]:
    """Some of the entries and the name of the next page, as both vendors do it."""
    start = int(asked.get("page", ["page_0"])[0].removeprefix("page_"))
    more = start + size < len(entries)
    return (
        200,
        {
            "data": entries[start : start + size],
            "has_more": more,
            "next_page": f"page_{start + size}" if more else None,
        },
        {},
    )
