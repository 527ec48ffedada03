"""
One GET or POST that answers JSON, with the standard library: these commands ask a few questions a day.

Keys go into headers, redirects that would carry them elsewhere are not followed, and no error names them.
"""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from decimal import Decimal
from http.client import HTTPException
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tracked_inference.errors import ConfigurationError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["fetch_json"]

TIMEOUT_SECONDS = 60.0
_TRIES = 4
_WAIT_AT_MOST_SECONDS = 60.0
_TOLD_BYTES = 300


def fetch_json(
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    data: bytes | None = None,
    hints: Mapping[int, str] | None = None,
) -> Any:
    """
    The JSON that an address answers; numbers with a point are decimals.

    A 429 or a 5xx is asked again, up to four times in all, after what the server says or 1, 2 and 4 seconds.

    Args:
        url: Where.
        headers: What to send along, keys included.
        data: A form to POST.
        hints: What an HTTP status means here and how to mend it.

    Raises:
        ConfigurationError: The address is none.
        UnavailableError: Nobody answers, or what is answered is no JSON or an error.
    """
    where = _where(url)
    request = urllib.request.Request(  # noqa: S310  # http or https: _where saw to it
        url, data=data, headers={"Accept": "application/json", **(headers or {})}
    )
    for attempt in range(_TRIES):
        try:
            with _opener.open(request, timeout=TIMEOUT_SECONDS) as answer:
                body = answer.read()
            return json.loads(body, parse_float=Decimal)
        except urllib.error.HTTPError as error:
            told = _without_keys(_told(error), headers or {})
            if (error.code == 429 or error.code >= 500) and attempt + 1 < _TRIES:
                _pause(_wait(error, attempt))
                continue
            hint = (hints or {}).get(error.code, "")
            raise UnavailableError(
                f"{where} answered {error.code}{told}{f': {hint}' if hint else ''}"
            ) from None
        except (OSError, HTTPException) as error:
            reason = getattr(error, "reason", None) or error
            raise UnavailableError(f"{where} cannot be reached: {reason}") from None
        except ValueError:
            raise UnavailableError(
                f"{where} answered something that is no JSON: is this the right address?"
            ) from None
    raise AssertionError("unreachable")


def _where(url: str) -> str:
    """The address as it may be shown: without a password and without the query."""
    try:
        parts = urlsplit(url)
        if parts.scheme in {"http", "https"} and parts.hostname:
            return f"{parts.scheme}://{parts.hostname}{f':{parts.port}' if parts.port else ''}{parts.path}"
    except ValueError:
        pass
    raise ConfigurationError(f"{url.partition('?')[0]!r} is no address: say http://host:port or https://host")


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> None:  # noqa: ARG002
        return None


_pause = time.sleep
_opener = urllib.request.build_opener(_NoRedirect())


def _wait(error: urllib.error.HTTPError, attempt: int) -> float:
    try:
        asked = float(error.headers.get("Retry-After", ""))
    except ValueError:
        asked = float(2**attempt)
    return min(max(asked, 0.0), _WAIT_AT_MOST_SECONDS)


def _without_keys(text: str, headers: Mapping[str, str]) -> str:
    """A server, or a proxy before it, may answer with what it was sent."""
    for value in headers.values():
        for secret in (value, value.rpartition(" ")[2]):  # `Bearer sk-...`, and the key alone
            if len(secret) >= _SECRET_LENGTH:
                text = text.replace(secret, "***")
    return text[:_TOLD_BYTES]


_SECRET_LENGTH = 8
"""What is shorter is a word such as a version, not a key."""


def _told(error: urllib.error.HTTPError) -> str:
    """The server's own words, short."""
    try:
        found = json.loads(error.read(65_536))
        inner = found.get("error", found) if isinstance(found, dict) else found
        message = inner.get("message") if isinstance(inner, dict) else inner
        text = " ".join(str(message).split()) if message else ""
    except (ValueError, OSError):
        text = ""
    return f" ({text})" if text else ""
