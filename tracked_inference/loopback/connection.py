"""One HTTP/1.1 connection of the loopback vendor, kept alive between requests."""

from __future__ import annotations

import asyncio
import zlib
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracked_inference.loopback.reply import Reply

__all__ = ["Connection", "Incoming", "Service"]

LONGEST_HEAD = 64 * 1024
_REASONS = {status.value: status.phrase for status in HTTPStatus}


@dataclass(frozen=True, slots=True)
class Incoming:
    """A request as HTTP knows it."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


class Service(Protocol):
    """What a connection serves."""

    connections: set[Connection]

    def respond(self, incoming: Incoming, /) -> Reply:
        """Answer a request."""
        ...

    def settle(self, reply: Reply, sent: int, total: int, /) -> None:
        """Learn that `sent` frames of a reply went out; called once a reply, before its last byte leaves."""
        ...


class Connection(asyncio.Protocol):
    """Reads requests one after the other, and sends each reply the way it is to travel."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._buffer = bytearray()
        self._head: tuple[str, str, dict[str, str]] | None = None
        self._busy = False
        self._sending: asyncio.Task[None] | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._transport: asyncio.Transport

    @property
    def busy(self) -> bool:
        """Whether an answer is under way."""
        return self._busy

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = transport  # type: ignore[assignment]  # TCP gives a full transport
        self._service.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """End; an answer under way is broken off."""
        self._writable.set()
        if self._sending is not None:
            self._sending.cancel()
        else:
            self._busy = False
            self._service.connections.discard(self)

    def pause_writing(self) -> None:
        """Wait for the client to read."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """Go on: the client has read."""
        self._writable.set()

    def abort(self) -> None:
        """Drop the connection."""
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Take what arrived, and serve what is complete."""
        self._buffer += data
        try:
            while not self._busy and (incoming := self._take()) is not None:
                self._serve(incoming)
        except _NotHttpError:
            self._transport.write(
                b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
            )
            self._transport.close()

    def _take(self) -> Incoming | None:
        if self._head is None:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                if len(self._buffer) > LONGEST_HEAD:
                    raise _NotHttpError
                return None
            self._head = _read_head(self._buffer[:end].decode("latin-1"))
            del self._buffer[: end + 4]
        method, target, headers = self._head
        if headers.get("transfer-encoding") == "chunked":
            body = _take_chunked(self._buffer)
            if body is None:
                return None
        else:
            length = int(headers.get("content-length", 0))
            if len(self._buffer) < length:
                return None
            body = bytes(self._buffer[:length])
            del self._buffer[:length]
        self._head = None
        return Incoming(method, target, headers, body)

    def _serve(self, incoming: Incoming) -> None:
        reply = self._service.respond(incoming)
        delivery = reply.delivery
        if delivery.hang:
            self._busy = True  # until the client goes
            return
        wire = _Wire(reply, keep=incoming.headers.get("connection", "").lower() != "close")
        if delivery.wait_seconds or (delivery.pace_seconds and reply.frames is not None):
            self._busy = True
            self._sending = asyncio.get_running_loop().create_task(self._send_slowly(reply, wire))
            return
        self._service.settle(reply, wire.sent, wire.total)
        self._transport.write(wire.head + b"".join(wire.pieces) + wire.tail)
        if wire.closes:
            self._transport.close()

    async def _send_slowly(self, reply: Reply, wire: _Wire) -> None:
        delivery = reply.delivery
        begun, sent = False, 0
        try:
            await asyncio.sleep(delivery.wait_seconds)
            begun = True
            self._transport.write(wire.head)
            for piece in wire.pieces:
                if sent >= reply.preamble and delivery.pace_seconds:
                    await asyncio.sleep(delivery.pace_seconds)
                await self._writable.wait()
                sent += 1
                if sent < len(wire.pieces):
                    self._transport.write(piece)
            # The last piece leaves after the bill is written, so that whoever has the answer finds the bill.
            self._service.settle(reply, wire.sent, wire.total)
            begun = False
            self._transport.write(b"".join(wire.pieces[-1:]) + wire.tail)
        finally:
            if begun:  # the client left half-way; slices stand for frames in proportion
                self._service.settle(reply, -(-wire.sent * sent // max(1, len(wire.pieces))), wire.total)
            self._sending = None
            self._busy = False
            if self._transport.is_closing():
                self._service.connections.discard(self)
        if wire.closes:
            self._transport.close()
        else:
            self.data_received(b"")


class _Wire:
    """A reply in bytes: head, pieces, tail, and how much of it that is."""

    def __init__(self, reply: Reply, *, keep: bool) -> None:
        delivery = reply.delivery
        frames = list(reply.frames) if reply.frames is not None else []
        self.total = len(frames)
        self.sent = self.total
        self.closes = not keep
        cut = delivery.cut_after is not None
        if delivery.cut_after is not None:
            self.sent = min(self.total, reply.preamble + delivery.cut_after)
            frames = frames[: self.sent]
        headers = dict(reply.headers)
        if delivery.gzip:
            headers["content-encoding"] = "gzip"
        if reply.frames is None:
            body = _gzip([reply.body])[0] if delivery.gzip else reply.body
            headers["content-length"] = str(len(body))
            self.pieces: list[bytes] = []
            self.tail = body[: len(body) // 2] if cut else body
        else:
            headers["transfer-encoding"] = "chunked"
            frames = _gzip(frames) if delivery.gzip else frames
            if delivery.slice_bytes:
                whole = b"".join(frames)
                frames = [
                    whole[at : at + delivery.slice_bytes] for at in range(0, len(whole), delivery.slice_bytes)
                ]
            self.pieces = [b"%x\r\n%b\r\n" % (len(frame), frame) for frame in frames if frame]
            self.tail = b"" if cut else b"0\r\n\r\n"
        if cut:
            self.closes = True
        if self.closes:
            headers["connection"] = "close"
        lines = [f"HTTP/1.1 {reply.status} {_REASONS.get(reply.status, 'Unnamed')}"]
        lines.extend(f"{name}: {value}" for name, value in headers.items())
        self.head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


class _NotHttpError(ValueError):
    """What arrived is no HTTP request."""


def _read_head(text: str) -> tuple[str, str, dict[str, str]]:
    first, *lines = text.split("\r\n")
    try:
        method, target, _ = first.split(" ", 2)
    except ValueError:
        raise _NotHttpError from None
    headers = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    if not headers.get("content-length", "0").isdigit():
        raise _NotHttpError
    return method, target, headers


def _gzip(frames: list[bytes]) -> list[bytes]:
    compressor = zlib.compressobj(wbits=31)
    pieces = [compressor.compress(frame) + compressor.flush(zlib.Z_SYNC_FLUSH) for frame in frames]
    pieces[-1:] = [(pieces[-1] if pieces else b"") + compressor.flush()]
    return pieces


def _take_chunked(buffer: bytearray) -> bytes | None:
    """Take a chunked body off the buffer if all of it is there."""
    at, body = 0, bytearray()
    while True:
        end = buffer.find(b"\r\n", at)
        if end < 0:
            return None
        try:
            size = int(bytes(buffer[at:end]).partition(b";")[0], 16)
        except ValueError:
            raise _NotHttpError from None
        at = end + 2 + size + 2
        if len(buffer) < at:
            return None
        body += buffer[end + 2 : end + 2 + size]
        if size == 0:
            del buffer[:at]
            return bytes(body)
