"""What is asked of an HTTP response, of whichever HTTP library the SDK uses."""

from __future__ import annotations

import json
from typing import Any

from tracked_inference.vendors._reading import media_type

__all__ = ["json_body", "parsed", "request_id_of", "response_of", "was_read"]


def json_body(response: Any) -> Any:
    """The JSON of a response that has been read; None where there is none."""
    if "json" not in media_type(response.headers):
        return None
    return parsed(response.content)


def parsed(body: bytes) -> Any:
    """A body as JSON; None where it is none."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def response_of(result: Any) -> Any:
    """The HTTP response under an SDK object."""
    response = getattr(result, "response", None)
    return response if response is not None else getattr(result, "http_response", None)


def request_id_of(response: Any) -> str | None:
    """The vendor's id of a request, for its support."""
    headers = getattr(response, "headers", None)
    if headers is None:
        return None
    found = headers.get("request-id") or headers.get("x-request-id") or headers.get("x-amzn-requestid")
    return found if isinstance(found, str) else None


def was_read(response: Any) -> bool:
    """Whether a good response is here as a whole, so that looking at it costs no I/O."""
    return bool(getattr(response, "is_success", False)) and hasattr(response, "_content")
