"""What OpenAI's hosted tools bill beside tokens: searches, containers, pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tracked_inference.usage import make_pass
from tracked_inference.vendors._shapes import count, fields, items, text, unknown_counters

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracked_inference.usage import Pass

__all__ = ["chat_search", "hosted_tools"]

_FREE_ITEMS = frozenset(
    # Items of a Responses output that cost nothing but their tokens: messages, reasoning, and tools the caller runs.
    {
        "apply_patch_call",
        "compaction",
        "computer_call",
        "custom_tool_call",
        "function_call",
        "local_shell_call",
        "mcp_call",
        "mcp_list_tools",
        "message",
        "reasoning",
        "tool_search_call",
    }
)
_KNOWN_TOOLS = frozenset({"image_gen", "web_search"})  # of `tool_usage`
_KNOWN_SEARCH = frozenset({"num_requests"})
_DEFAULT_IMAGE_MODEL = "gpt-image-1"
"""The image tool's model where `tools[].model` is absent: https://platform.openai.com/docs/api-reference/responses/create."""


def hosted_tools(
    answer: Mapping[str, Any], request: Mapping[str, Any], counts: dict[str, int], notes: list[str]
) -> tuple[Pass, ...]:
    """
    Add what hosted tools bill to the counts and notes of a response; the passes of other models they ran.

    Web search is billed per search action, not per opened page nor per failed search, and `tool_usage` knows best (rule 27).
    Azure leaves finished searches at `searching` (rule 39).
    After a tool that runs at OpenAI the model reads its input again, and the usage is a sum (rule 38).
    File search is billed per call; the code interpreter and the hosted shell by container session, which no body
    gives (rule 28).
    """
    output = items(answer.get("output"))
    searches = files = pictures = 0
    looped = False
    for item in output:
        inner = fields(item)
        kind = inner.get("type")
        if not isinstance(kind, str):
            continue
        if kind in _FREE_ITEMS:
            looped = looped or kind == "mcp_call" or inner.get("execution") == "server"
            continue
        if kind == "shell_call" and fields(inner.get("environment")).get("type") == "local":
            continue  # the caller's own machine
        looped = looped or kind.endswith("_call")
        status = inner.get("status")
        if kind == "web_search_call":
            action = text(fields(inner.get("action")).get("type"))
            searches += status not in ("failed", "incomplete", "in_progress") and action in (None, "search")
        elif kind == "file_search_call":
            files += status not in ("failed", "incomplete")
        elif kind in ("code_interpreter_call", "shell_call"):
            _once("code_interpreter", notes)
        elif kind == "image_generation_call":
            pictures += status != "failed"
        elif kind.endswith("_call"):
            _once(f"unknown_tool:{kind[:60]}", notes)
    if looped:
        notes.append("summed_passes")  # rule 38
    usage = answer.get("tool_usage")
    if usage is None and not (searches or files or pictures):
        return ()
    tools = [fields(tool) for tool in items(answer.get("tools")) or items(request.get("tools"))]
    passes: tuple[Pass, ...] = ()
    if usage is not None:
        by_tool = fields(usage)
        search = fields(by_tool.get("web_search"))
        counted = search.get("num_requests")
        if counted is not None:
            searches = count(counted, "num_requests", notes)
        unknown_counters(search, _KNOWN_SEARCH, notes, "tool_usage.web_search.")
        unknown_counters(by_tool, _KNOWN_TOOLS, notes, "tool_usage.")
        passes = _pictures(fields(by_tool.get("image_gen")), tools, notes)
    if pictures and not passes:
        notes.append("image_generation")  # rule 43: not computable from the body
    if searches:
        counts[_search_unit(tools)] = searches
    if files:
        counts["file_search"] = files
    if searches and not looped:
        notes.append("summed_passes")  # rule 38, of a body whose items were left out
    return passes


def _once(note: str, notes: list[str]) -> None:
    if note not in notes:
        notes.append(note)


def _search_unit(tools: list[dict[str, Any]]) -> str:
    """The preview tool has a price of its own on models that do not reason; the tool `web_search` has not (rules 27, 39)."""
    kinds = [text(tool.get("type")) or "" for tool in tools]
    if any(kind == "web_search" or kind.startswith("web_search_2") for kind in kinds):
        return "web_search"
    return (
        "web_search_preview" if any(kind.startswith("web_search_preview") for kind in kinds) else "web_search"
    )


def _pictures(usage: Mapping[str, Any], tools: list[dict[str, Any]], notes: list[str]) -> tuple[Pass, ...]:
    """The image tool's tokens, billed at the model named in `tools[].model` (rule 25)."""
    total_in = count(usage.get("input_tokens"), "image_gen.input_tokens", notes)
    total_out = count(usage.get("output_tokens"), "image_gen.output_tokens", notes)
    if not total_in and not total_out:
        return ()
    model = next((text(tool.get("model")) for tool in tools if tool.get("type") == "image_generation"), None)
    if model is None:
        notes.append("assumed_image_model")
    details = fields(usage.get("input_tokens_details"))
    images = min(count(details.get("image_tokens"), "image_gen.image_tokens", notes), total_in)
    cached = fields(usage.get("cached_tokens_details"))
    read_images = min(
        count(cached.get("cached_image_tokens"), "image_gen.cached_image_tokens", notes), images
    )
    read_total = count(usage.get("cached_tokens"), "image_gen.cached_tokens", notes)
    read_text = min(max(read_total - read_images, 0), total_in - images)
    outputs = fields(usage.get("output_tokens_details"))
    words = min(count(outputs.get("text_tokens"), "image_gen.text_tokens", notes), total_out)
    unknown_counters(
        usage,
        frozenset(
            {
                "cached_tokens",
                "cached_tokens_details",
                "input_tokens",
                "input_tokens_details",
                "output_tokens",
                "output_tokens_details",
                "total_tokens",
            }
        ),
        notes,
        "image_gen.",
    )
    counts = {
        "input": total_in - images - read_text,
        "cache_read": read_text,
        "input_image": images - read_images,
        "cache_read_image": read_images,
        "output": words,
        "output_image": total_out - words,
    }
    kept = {unit: quantity for unit, quantity in counts.items() if quantity}
    return (make_pass(kept, model or _DEFAULT_IMAGE_MODEL, "image_generation"),)


def chat_search(answer: Mapping[str, Any], request: Mapping[str, Any], notes: list[str]) -> None:
    """
    The search models of chat completions bill searches that their usage does not count: name them, never invent them.

    https://platform.openai.com/docs/guides/tools-web-search?api-mode=chat
    """
    model = text(answer.get("model")) or text(request.get("model")) or ""
    if "-search-preview" in model or "-search-api" in model:
        notes.append("chat_search")
