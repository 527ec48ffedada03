"""How events lie on the wire: server-sent events, and the event stream of AWS."""

from __future__ import annotations

import base64
import json
import struct
import zlib

__all__ = ["aws_event", "aws_exception", "compact", "sse"]

_encode = json.JSONEncoder(
    separators=(",", ":")
).encode  # one encoder, as making one costs as much as using it


def compact(value: object) -> str:
    """Write JSON without spaces."""
    return _encode(value)


def sse(name: str | None, data: object) -> bytes:
    """Write one server-sent event; strings go as they are, everything else as JSON."""
    text = data if isinstance(data, str) else compact(data)
    return (f"event: {name}\ndata: {text}\n\n" if name else f"data: {text}\n\n").encode()


def aws_event(data: object) -> bytes:
    """Write one event as Bedrock does: JSON, in base64, in JSON, in a binary frame."""
    payload = compact({"bytes": base64.b64encode(compact(data).encode()).decode()}).encode()
    return _aws_message(
        {":event-type": "chunk", ":content-type": "application/json", ":message-type": "event"}, payload
    )


def aws_exception(kind: str, message: str) -> bytes:
    """Write the frame with which Bedrock breaks a stream off, `modelStreamErrorException` for instance."""
    headers = {":exception-type": kind, ":content-type": "application/json", ":message-type": "exception"}
    return _aws_message(headers, compact({"message": message}).encode())


def _aws_message(headers: dict[str, str], payload: bytes) -> bytes:
    # Prelude (total length, headers length, CRC of both), headers, payload, CRC of everything before it:
    # https://docs.aws.amazon.com/AmazonS3/latest/API/RESTSelectObjectAppendix.html
    string_type = 7
    packed = b"".join(
        struct.pack(f"!B{len(name)}sBH", len(name), name.encode(), string_type, len(value)) + value.encode()
        for name, value in headers.items()
    )
    prelude = struct.pack("!II", 16 + len(packed) + len(payload), len(packed))
    message = prelude + struct.pack("!I", zlib.crc32(prelude)) + packed + payload
    return message + struct.pack("!I", zlib.crc32(message))
