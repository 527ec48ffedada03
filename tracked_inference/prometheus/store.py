"""
Asking a Prometheus-compatible store (Prometheus, Thanos, Mimir, VictoriaMetrics) one question, with the standard library.

What the store says goes no further than numbers and labels; what goes wrong is one kind of error, with a reason that a
metric label can carry, and never shows what the URL or the headers hold of secrets.
"""

from __future__ import annotations

import base64
import json
import os
import time
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from tracked_inference.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

__all__ = ["HEADERS_VARIABLE", "TOKEN_VARIABLE", "URL_VARIABLE", "Prometheus", "PrometheusError", "Sample"]

URL_VARIABLE = "TRACKED_INFERENCE_PROMETHEUS_URL"
HEADERS_VARIABLE = "TRACKED_INFERENCE_PROMETHEUS_HEADERS"
TOKEN_VARIABLE = "TRACKED_INFERENCE_PROMETHEUS_TOKEN"  # noqa: S105  # the name of a variable

_MOST_BYTES = 16_000_000
_CHUNK_BYTES = 65_536
_TOLD_BYTES = 4096


class PrometheusError(Exception):
    """
    The store gave no answer that can be used.

    Attributes:
        reason: `unreachable`, `timeout`, `refused` (an HTTP error, a query it does not take) or `bad_answer`.
        status: The HTTP status of an error; 0 where there is none.
    """

    def __init__(self, reason: str, text: str, status: int = 0) -> None:
        super().__init__(text)
        self.reason = reason
        self.status = status


@dataclass(frozen=True, slots=True)
class Sample:
    """One series of an answer: its labels and its value, finite."""

    labels: Mapping[str, str]
    value: Decimal


def _headers_of_environment() -> Mapping[str, str]:
    headers = {}
    token = os.environ.get(TOKEN_VARIABLE)
    if token:
        headers["Authorization"] = f"Bearer {token}"
    for pair in os.environ.get(HEADERS_VARIABLE, "").split(","):
        name, found, value = pair.partition("=")
        if found and name.strip():
            headers[name.strip()] = value.strip()
        elif pair.strip():
            raise ConfigurationError(f"{HEADERS_VARIABLE} must be like 'X-Scope-OrgID=team-a,X-Other=value'")
    return headers


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Following one would send the headers, which may hold a key, to whoever is named there."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> None:  # noqa: ARG002  # its own
        return None


@dataclass(frozen=True, slots=True)
class Prometheus:
    """
    A store.

    Attributes:
        url: Its address as Grafana would have it: `http://prometheus:9090`, `https://mimir.example/prometheus`;
            a user and password in it are sent as basic authentication.
        timeout_seconds: How long one answer may take.
        headers: Sent with every request; default the bearer token `TRACKED_INFERENCE_PROMETHEUS_TOKEN` and those of
            `TRACKED_INFERENCE_PROMETHEUS_HEADERS`, which is written `X-Scope-OrgID=team-a,X-Other=…`.

    Raises:
        ConfigurationError: The address is not one of http or https, or the variable cannot be read.
    """

    url: str = field(repr=False)
    timeout_seconds: float = 10.0
    headers: Mapping[str, str] = field(default_factory=_headers_of_environment, repr=False)

    def __post_init__(self) -> None:
        try:
            parts = urllib.parse.urlsplit(self.url)
            good = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
        except ValueError:
            good = False
        if not good:
            raise ConfigurationError(
                "the Prometheus url must be like http://prometheus:9090, with http or https and a host; it is read from"
                f" --prometheus, --from-prometheus, [prometheus] url or {URL_VARIABLE}"
            )

    @property
    def name(self) -> str:
        """The host and port, which may be shown."""
        parts = urllib.parse.urlsplit(self.url)
        return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)

    def query(self, expression: str, at: datetime) -> list[Sample]:
        """
        The value of an expression at an instant; series whose value is not finite are left out.

        Raises:
            PrometheusError: There is no answer that can be used.
        """
        answer = self._ask(expression, at)
        try:
            document = json.loads(answer)
            if document["status"] != "success" or document["data"]["resultType"] != "vector":
                raise PrometheusError(
                    "bad_answer", f"{self.name} answered {str(document.get('error'))[:200]!r}"
                )
            samples = []
            for one in document["data"]["result"]:
                value = Decimal(one["value"][1])
                if value.is_finite():
                    samples.append(Sample(dict(one["metric"]), value))
        except (ValueError, KeyError, TypeError, AttributeError, IndexError, InvalidOperation) as error:
            raise PrometheusError("bad_answer", f"{self.name} did not answer as Prometheus does") from error
        return samples

    def _ask(self, expression: str, at: datetime) -> bytes:
        parts = urllib.parse.urlsplit(self.url)
        bare = parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="")
        headers = dict(self.headers)
        if parts.username is not None:
            pair = f"{urllib.parse.unquote(parts.username)}:{urllib.parse.unquote(parts.password or '')}"
            headers.setdefault("Authorization", "Basic " + base64.b64encode(pair.encode()).decode())
        request = urllib.request.Request(  # noqa: S310  # http or https: __post_init__ saw to it
            bare.geturl().rstrip("/") + "/api/v1/query",
            data=urllib.parse.urlencode({"query": expression, "time": f"{at.timestamp():.3f}"}).encode(),
            headers=headers,
        )
        opener = urllib.request.build_opener(_NoRedirect)
        deadline = time.monotonic() + self.timeout_seconds
        try:
            with opener.open(request, timeout=self.timeout_seconds) as response:
                return _read(response, deadline, self.name)
        except urllib.error.HTTPError as error:
            with error:
                said = _words(error.read(_TOLD_BYTES))
            raise PrometheusError(
                "refused", f"{self.name} answered HTTP {error.code}{said}", error.code
            ) from None
        except TimeoutError:
            raise PrometheusError(
                "timeout", f"{self.name} did not answer in {self.timeout_seconds:g} s"
            ) from None
        except OSError as error:  # URLError is one
            cause = getattr(error, "reason", error)
            if isinstance(cause, TimeoutError):
                raise PrometheusError(
                    "timeout", f"{self.name} did not answer in {self.timeout_seconds:g} s"
                ) from None
            raise PrometheusError("unreachable", f"{self.name} cannot be reached ({cause})") from None
        except (ValueError, EOFError) as error:  # http.client on what is no HTTP
            raise PrometheusError(
                "bad_answer", f"{self.name} does not speak HTTP ({type(error).__name__})"
            ) from None


def _words(body: bytes) -> str:
    """What a server says of an error, short."""
    try:
        said = str(json.loads(body)["error"])
    except (ValueError, KeyError, TypeError):
        said = body.decode("utf-8", "replace")
    said = " ".join(said.split())[:200]
    return f": {said}" if said else ""


def _read(response: Any, deadline: float, name: str) -> bytes:
    """The body, unless it is too long or drips too slowly: a timeout of the socket starts anew with each byte."""
    chunks, size = [], 0
    while chunk := response.read1(_CHUNK_BYTES):
        chunks.append(chunk)
        size += len(chunk)
        if size > _MOST_BYTES:
            raise PrometheusError("bad_answer", f"{name} answered more than {_MOST_BYTES:,} bytes")
        if time.monotonic() > deadline:
            raise TimeoutError
    return b"".join(chunks)
