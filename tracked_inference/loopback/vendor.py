"""The loopback vendor itself: a server in a thread of its own, its script, its memory and its bills."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

from tracked_inference.loopback import anthropic, openai_chat, openai_media
from tracked_inference.loopback.answer import Answer
from tracked_inference.loopback.anthropic_batches import ITEM, Batches
from tracked_inference.loopback.catalogue import models
from tracked_inference.loopback.connection import Connection, Incoming
from tracked_inference.loopback.imagination import PromptCaches
from tracked_inference.loopback.openai_responses import Responses
from tracked_inference.loopback.reply import Bill, Reply, request_id_of
from tracked_inference.loopback.request import Request

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["LoopbackVendor", "Responder", "Scripted"]

Responder = Callable[[Request], Answer | Reply | None]
"""Decides on an answer when the request is there; None leaves it to the standing rules and the default."""

Scripted = Answer | Reply | Responder
"""What a script is made of."""

REQUESTS_REMEMBERED = 100_000


@dataclass(slots=True, eq=False)
class _Line:
    say: Scripted
    endpoint: str | None

    def fits(self, request: Request) -> bool:
        # Requests inside a batch are answered by who names them, lest they take what is meant for the batch.
        return self.endpoint == request.endpoint or (self.endpoint is None and request.endpoint != ITEM)

    def resolve(self, request: Request) -> Answer | Reply | None:
        return self.say(request) if callable(self.say) else self.say


class LoopbackVendor:
    """
    A vendor on the loopback interface that speaks the wire formats of Anthropic and OpenAI.

        with LoopbackVendor() as vendor:
            client = Anthropic(base_url=vendor.anthropic_url, api_key="any")
            vendor.script(Reply.error(429, retry_after_ms=1), Answer(text="Hello."))
            ...
            vendor.requests[0].headers, vendor.bills[0].usage

    What nobody scripted is answered from the request alone, but for prompt caches, which remember.
    Nothing leaves this machine, and any API key will do.
    """

    def __init__(self, *, port: int = 0) -> None:
        """Listen on this port of 127.0.0.1 once started; 0 takes a free one."""
        self.port = port
        self.connections: set[Connection] = set()
        self._lock = threading.RLock()  # a scripted function may script what comes next
        self._script: deque[_Line] = deque()
        self._standing: list[_Line] = []
        self._requests: deque[Request] = deque(maxlen=REQUESTS_REMEMBERED)
        self._bills: list[Bill] = []
        self._number = 0
        self._fault: Exception | None = None
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._forget()

    # Where to find it

    @property
    def url(self) -> str:
        """The root of the server; the `azure_endpoint` of Azure's client, and the `base_url` of Bedrock's."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def anthropic_url(self) -> str:
        """The `base_url` of `Anthropic` and `AsyncAnthropic`."""
        return self.url

    @property
    def openai_url(self) -> str:
        """The `base_url` of `OpenAI` and `AsyncOpenAI`."""
        return f"{self.url}/v1"

    @property
    def vertex_url(self) -> str:
        """The `base_url` of `AnthropicVertex`."""
        return f"{self.url}/v1"

    @property
    def foundry_url(self) -> str:
        """The `base_url` of `AnthropicFoundry`, and of the client for Bedrock's Mantle."""
        return f"{self.url}/anthropic"

    # What it says

    def script(self, *say: Scripted, endpoint: str | None = None, times: int = 1) -> Self:
        """Answer the next requests (to one endpoint, if named) with these, the whole list so many times."""
        with self._lock:
            self._script.extend(_Line(one, endpoint) for one in say * times)
        return self

    def always(self, say: Scripted, *, endpoint: str | None = None) -> Self:
        """Answer all requests (to one endpoint, if named) with this when the script is done."""
        with self._lock:
            self._standing.insert(0, _Line(say, endpoint))
        return self

    def answer(self, request: Request, say: Answer) -> Reply:
        """Put an answer into the wire format that the request wants."""
        match request.endpoint:
            case "messages":
                return anthropic.messages(request, say, self._caches)
            case "chat.completions":
                return openai_chat.chat_completions(request, say, self._caches)
            case "completions":
                return openai_chat.completions(request, say)
            case "responses":
                return self._responses.create(request, say)
            case "responses.retrieve":
                return self._responses.retrieve(request, say)
            case "responses.cancel":
                return self._responses.cancel(request, say)
            case "responses.input_tokens":
                return self._responses.count(request)
            case "embeddings":
                return openai_media.embeddings(request, say)
            case "images.generations" | "images.edits" | "images.variations":
                return openai_media.images(request, say)
            case "audio.transcriptions" | "audio.translations":
                return openai_media.transcriptions(request, say)
            case "audio.speech":
                return openai_media.speech(request, say)
            case "moderations":
                return openai_media.moderations(request, say)
            case "messages.count_tokens":
                return anthropic.counted(request)
            case "messages.batches":
                return self._batches.create(request, say)
            case "messages.batches.retrieve":
                return self._batches.retrieve(request, say)
            case "messages.batches.results":
                return self._batches.results(request, say)
            case "models" | "models.retrieve":
                return models(request)
            case _:
                return Reply.error(404, f"the loopback vendor does not serve {request.method} {request.path}")

    # What it remembers

    @property
    def requests(self) -> tuple[Request, ...]:
        """The requests so far, oldest first; the last hundred thousand."""
        return tuple(self._requests)

    def requests_to(self, endpoint: str) -> tuple[Request, ...]:
        """Give the requests to one endpoint so far."""
        return tuple(request for request in self.requests if request.endpoint == endpoint)

    @property
    def bills(self) -> tuple[Bill, ...]:
        """What was billed so far; the bill of an answer is there before the answer's last byte."""
        return tuple(self._bills)

    def take_bills(self) -> tuple[Bill, ...]:
        """Hand over what was billed so far, and forget it."""
        with self._lock:
            bills, self._bills = self._bills, []
        return tuple(bills)

    def wait_idle(self, timeout_seconds: float = 5.0) -> None:
        """Wait until no answer is under way, after a client has left a stream say; raises TimeoutError."""
        end = time.monotonic() + timeout_seconds
        while any(connection.busy for connection in tuple(self.connections)):
            if time.monotonic() > end:
                raise TimeoutError(f"an answer is still under way after {timeout_seconds} s")
            time.sleep(0.001)

    def reset(self) -> None:
        """Forget scripts, requests, bills and caches."""
        with self._lock:
            self._script.clear()
            self._standing.clear()
            self._requests.clear()
            self._bills = []
            self._forget()

    # How it lives

    def start(self) -> Self:
        """Listen; returns when requests can come, raises OSError when the port is taken."""
        listening = socket.create_server(("127.0.0.1", self.port), backlog=1024)
        self.port = listening.getsockname()[1]
        ready = threading.Event()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._live(listening, ready)), name="loopback-vendor", daemon=True
        )
        self._thread.start()
        ready.wait()
        return self

    async def _live(self, listening: socket.socket, ready: threading.Event) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        server = await self._loop.create_server(lambda: Connection(self), sock=listening)
        ready.set()
        await self._stop.wait()
        server.close()
        for connection in tuple(self.connections):
            connection.abort()
        await asyncio.sleep(0)  # aborted connections say goodbye in the loop's next turn

    def close(self) -> None:
        """Stop listening and drop what is open; raises what a scripted function raised."""
        if self._thread is not None and self._loop is not None and self._stop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join()
            self._thread = None
        if self._fault is not None:
            fault, self._fault = self._fault, None
            raise RuntimeError("a function in the script of the loopback vendor failed") from fault

    def __enter__(self) -> Self:
        """Start."""
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        if error is not None:
            self._fault = None  # one error at a time
        self.close()

    # What its connections ask of it

    def respond(self, incoming: Incoming) -> Reply:
        """Answer one request; runs in the vendor's own thread."""
        with self._lock:
            request = Request.read(
                self._number, incoming.method, incoming.target, incoming.headers, incoming.body
            )
            self._number += 1
            self._requests.append(request)
            try:
                said = self._decide(request)
                reply = said if isinstance(said, Reply) else self.answer(request, said)
            except Exception as fault:
                self._fault = self._fault or fault
                reply = Reply.error(
                    500, f"{type(fault).__name__}: {fault}", headers={"x-should-retry": "false"}
                )
        name = "request-id" if request.seller in ("anthropic", "vertex", "foundry") else "x-request-id"
        name = "x-amzn-requestid" if request.seller == "bedrock" else name
        return replace(reply, headers={name: request_id_of(request.number), **reply.headers})

    def settle(self, reply: Reply, sent: int, total: int) -> None:
        """Write the bills of a reply of which so much was sent; runs in the vendor's own thread."""
        if reply.bills:
            with self._lock:
                self._bills.extend(bill.cut(sent, total) for bill in reply.bills)

    def _decide(self, request: Request) -> Answer | Reply:
        for line in tuple(self._script):
            if line.fits(request):
                self._script.remove(line)
                if (said := line.resolve(request)) is not None:
                    return said
                break
        for line in self._standing:
            if line.fits(request) and (said := line.resolve(request)) is not None:
                return said
        return Answer()

    def _forget(self) -> None:
        self._caches = PromptCaches()
        self._batches = Batches(self._decide, self._caches)
        self._responses = Responses(self._caches)
