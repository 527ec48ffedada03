"""Asking for the usage of streams that report it on request only, without the caller seeing a difference."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tracked_inference.tracking.call import Call

__all__ = ["StreamUsage"]


class StreamUsage:
    """
    Adds `stream_options.include_usage` to requests, and remembers the servers that refuse it.

    Args:
        wanted: Whether to ask; None asks where the seller is known to understand it: OpenAI itself and Azure.
    """

    def __init__(self, wanted: bool | None) -> None:
        self.wanted = wanted
        self._refused_by: set[str] = set()

    def ask(self, client: Any, call: Call, options: Any) -> Any:
        """The options of a request, or a copy that asks for the usage of a stream which reports it on request only."""
        try:
            return self._ask(client, call, options)
        except Exception as error:
            call.faults.note("begin", error)
            return options

    def _ask(self, client: Any, call: Call, options: Any) -> Any:
        if not call.stream or call.operation.name not in call.recorder.vendor.STREAM_USAGE_ON_REQUEST:
            return options
        wanted = self.wanted if self.wanted is not None else call.provider in ("openai", "azure")
        body, asked = call.request, None if call.request is None else call.request.get("stream_options")
        if not wanted or body is None or (isinstance(asked, dict) and "include_usage" in asked):
            return options
        if "stream_options" in (getattr(options, "extra_json", None) or ()):
            return options  # given in `extra_body`, which goes over ours
        headers = options.headers
        if isinstance(headers, dict) and any(name.lower() == "x-stainless-raw-response" for name in headers):
            return options  # this caller sees the bytes
        if str(client.base_url) in self._refused_by:
            return options
        new = options.model_copy() if hasattr(options, "model_copy") else options.copy()
        new.json_data = {
            **body,
            "stream_options": {**(asked if isinstance(asked, dict) else {}), "include_usage": True},
        }
        reader: Any = call.reader
        reader.hide = True
        return new

    def refused(self, client: Any, call: Call, error: Exception) -> bool:
        """Whether a server refused the stream option that we added; it is then not asked again."""
        if getattr(error, "status_code", None) not in (400, 422):
            return False
        text = str(error)
        if "stream_options" not in text and "include_usage" not in text:
            return False
        self._refused_by.add(str(client.base_url))
        reader: Any = call.reader
        reader.hide = False
        return True
