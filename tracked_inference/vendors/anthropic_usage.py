"""
Usage of Anthropic responses, as disjoint counts.

Rule numbers are those of docs/explanation/pricing-rules.md.
Field meanings: https://platform.claude.com/docs/en/api/messages and the docstrings of `anthropic.types.beta.BetaUsage`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tracked_inference.usage import make_pass, make_usage
from tracked_inference.vendors._gateway import gateway_cost
from tracked_inference.vendors._shapes import count, fields, is_count, items, text, unknown_counters

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracked_inference.usage import Pass, Usage

__all__ = ["merge_usage", "usage_of"]

_KNOWN = frozenset(
    {
        "cache_creation",
        "cache_creation_input_tokens",
        "cache_read_input_tokens",
        "fallback_credit",
        "inference_geo",
        "input_tokens",
        "iterations",
        "output_tokens",
        "output_tokens_details",
        "server_tool_use",
        "service_tier",
        "speed",
        "cost",
        "is_byok",
        # Written by gateways that speak both wire formats; each repeats a counter above.
        "completion_tokens",
        "prompt_tokens",
        "total_tokens",
        "prompt_tokens_details",
        "completion_tokens_details",
    }
)
_KNOWN_SERVER_TOOLS = frozenset(
    # Fetches and tool searches are free beyond their tokens (rule 26).
    {"web_search_requests", "web_fetch_requests", "tool_search_requests", "code_execution_requests"}
)
_KNOWN_OUTPUT_DETAILS = frozenset({"reasoning_tokens", "thinking_tokens"})  # inside the output (rule 6)
_KNOWN_SPLIT = frozenset({"ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens"})
_CODE_EXECUTION = frozenset(
    {
        "code_execution_tool_result",
        "bash_code_execution_tool_result",
        "text_editor_code_execution_tool_result",
    }
)
_PLAIN_BLOCKS = frozenset({"text", "thinking", "tool_use", "redacted_thinking"})


def usage_of(
    body: object,
    *,
    operation: str,
    request: Mapping[str, Any] | None = None,
    batch: bool = False,
    complete: bool = True,
) -> Usage | None:
    """
    What a response of Anthropic's used; None where it does not say (unmeasured, never zero).

    Args:
        body: The response: an SDK object, its JSON, or the merged state of a stream in the shape of the final response.
        operation: `messages`, or `completions`, whose responses have never carried usage.
        request: The request's body; only scalars and `tools` are looked at.
        batch: The response is a result of a message batch (rule 16); the response says so too, since 2024.
        complete: False where a stream ended before its last `message_delta`: output is a floor (rule 13).

    Never raises.
    """
    try:
        return _read(body, operation, request, batch=batch, complete=complete)
    except Exception:  # a shape nobody thought of: unmeasured is what is known of it
        return None


def merge_usage(start: object, delta: object) -> dict[str, Any]:
    """
    The usage of a stream so far: `message_start`'s, overwritten by `message_delta`'s (rule 10).

    Both are cumulative, so nothing is added up.
    The delta lacks fields that the start has (the split by lifetime, tier, place, speed): what it lacks, or gives as null, stays.
    Never raises.
    """
    try:
        merged = {name: value for name, value in fields(start).items() if value is not None}
        for name, value in fields(delta).items():
            if value is None:
                continue
            before = merged.get(name)
            if before is not None and not isinstance(value, (str, int, float, list, tuple)):
                inner = {key: part for key, part in fields(value).items() if part is not None}
                merged[name] = {**fields(before), **inner}
            else:
                merged[name] = value
    except Exception:  # as above: what cannot be read adds nothing
        return {}
    return merged


def _read(
    body: object, operation: str, request: Mapping[str, Any] | None, *, batch: bool, complete: bool
) -> Usage | None:
    if operation != "messages":
        return None
    message = fields(body)
    raw = message.get("usage")
    if raw is None:
        return None
    usage = fields(raw)
    iterations = items(usage.get("iterations"))
    if (
        not iterations
        and not is_count(usage.get("input_tokens"))
        and not is_count(usage.get("output_tokens"))
    ):
        return None
    notes: list[str] = []
    fees: dict[str, int] = {}
    tools = usage.get("server_tool_use")
    looped = tools is not None and _server_tools(fields(tools), fees, notes)
    blocks = _blocks(message)
    if blocks is not None or message.get("container") is not None:
        looped = _code_execution(message, blocks or (), request, notes) or looped
    hops = _hops(blocks) if blocks else ()
    refusal = None
    if message.get("stop_reason") == "refusal":
        refusal = text(fields(message.get("stop_details")).get("category")) or ""  # rule 23
    served = hops[-1][1] if hops else None  # rule 14

    if iterations:
        asked = text(request.get("model")) if request else text(message.get("model"))
        passes = _iterations(iterations, asked, hops, refusal, notes)
        served = next((one.model for one in reversed(passes) if one.kind == "fallback_message"), served)
        if fees:
            passes += (make_pass(fees, served, "server_tools"),)
    else:
        if looped:
            notes.append("summed_passes")  # rule 38
        counts = _counts(usage, notes)
        passes = (make_pass({**counts, **fees} if fees else counts, served, "message", refusal),)
    if not _KNOWN.issuperset(usage):
        unknown_counters(usage, _KNOWN, notes)
    credit = usage.get("fallback_credit")
    if credit is not None:
        outcome = fields(credit)
        status = outcome.get("status", outcome)
        if "redeemed" in (status, fields(status).get("type")):
            notes.append("fallback_credit")  # rule 24
    reasoning = usage.get("output_tokens_details")
    return make_usage(
        passes,
        count(fields(reasoning).get("thinking_tokens"), "thinking_tokens", notes)
        if reasoning is not None
        else 0,
        text(usage.get("service_tier")),
        text(request.get("service_tier")) if request else None,
        text(usage.get("speed")),
        text(usage.get("inference_geo")),
        batch,
        complete,
        tuple(notes),
        gateway_cost(usage),  # rule 32: gateways that speak Anthropic's format print their cost too
        None,
        served,
    )


def _counts(usage: Mapping[str, Any], notes: list[str]) -> dict[str, int]:
    """The four disjoint counts of one pass (rule 1), zero ones left out."""
    counts: dict[str, int] = {}
    value = usage.get("input_tokens")
    if value is None:
        notes.append("missing_counter:input_tokens")  # rule 8
    elif value or type(value) is not int:
        counts["input"] = count(value, "input_tokens", notes)
    value = usage.get("cache_read_input_tokens")
    if value:
        counts["cache_read"] = count(value, "cache_read_input_tokens", notes)
    value = usage.get("cache_creation_input_tokens")
    split = usage.get("cache_creation")
    if value or split is not None:
        _cache_writes(value, split, counts, notes)
    value = usage.get("output_tokens")
    if value is None:
        notes.append("missing_counter:output_tokens")
    elif value or type(value) is not int:
        counts["output"] = count(value, "output_tokens", notes)
    details = usage.get("output_tokens_details")
    if details is not None:
        unknown_counters(fields(details), _KNOWN_OUTPUT_DETAILS, notes, "output_tokens_details.")
    return counts


def _cache_writes(flat: object, split: object, counts: dict[str, int], notes: list[str]) -> None:
    """
    Cache writes by lifetime: the flat field and the split are the same tokens (rules 3 and 37).

    Without a split all are at the 5-minute rate; where the split covers less than the flat field, as it does with
    server tools, the rest is at the 5-minute rate: both are assumptions, and noted.
    """
    parts = fields(split)
    short = count(parts.get("ephemeral_5m_input_tokens"), "ephemeral_5m_input_tokens", notes)
    long = count(parts.get("ephemeral_1h_input_tokens"), "ephemeral_1h_input_tokens", notes)
    total = count(flat, "cache_creation_input_tokens", notes)
    if not _KNOWN_SPLIT.issuperset(parts):
        unknown_counters(parts, _KNOWN_SPLIT, notes, "cache_creation.")
    if flat is not None and short + long > total:
        notes.append("inconsistent:cache_creation")  # parts larger than their whole: bill the parts
    elif total > short + long:
        notes.append("assumed_ttl")
        short = total - long
    if short:
        counts["cache_write_5m"] = short
    if long:
        counts["cache_write_1h"] = long


def _server_tools(tools: Mapping[str, Any], fees: dict[str, int], notes: list[str]) -> bool:
    """Searches are billed each, fetches are free, code execution by container time (rule 26); whether any ran."""
    searches = count(tools.get("web_search_requests"), "web_search_requests", notes)
    if searches:
        fees["web_search"] = searches
    if count(tools.get("code_execution_requests"), "code_execution_requests", notes):
        notes.append("code_execution")
    unknown_counters(tools, _KNOWN_SERVER_TOOLS, notes, "server_tool_use.")
    return any(tools.values())


def _blocks(message: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]] | None:
    """The content blocks that are not plain text, thinking or client tool use; None where there are none."""
    found: list[tuple[str, dict[str, Any]]] | None = None
    for block in items(message.get("content")):
        inner = fields(block)
        kind = inner.get("type")
        if isinstance(kind, str) and kind not in _PLAIN_BLOCKS:
            found = found or []
            found.append((kind, inner))
    return found


def _code_execution(
    message: Mapping[str, Any],
    blocks: list[tuple[str, dict[str, Any]]] | tuple[()],
    request: Mapping[str, Any] | None,
    notes: list[str],
) -> bool:
    """
    Code execution is billed by container time, which no response gives: name it, never invent it (rule 26).

    It is free where the web search or web fetch tool of 2026 brings it along
    (https://platform.claude.com/docs/en/agents-and-tools/tool-use/code-execution-tool#usage-and-pricing).
    Returns whether the response looped through tools on the server (rule 38).
    """
    looped = any(kind.endswith(("_tool_use", "_tool_result")) for kind, _ in blocks)
    if "code_execution" in notes:
        return True
    if message.get("container") is None and not any(kind in _CODE_EXECUTION for kind, _ in blocks):
        return looped
    for tool in items(request.get("tools")) if request else ():
        kind = text(fields(tool).get("type")) or ""
        if kind.startswith(("web_search_", "web_fetch_")) and kind[-8:] >= "20260209":
            return looped
    notes.append("code_execution")
    return True


def _hops(blocks: list[tuple[str, dict[str, Any]]]) -> tuple[tuple[str | None, str | None, str], ...]:
    """The fallbacks of a response: from which model, to which, and the category of the refusal (rules 14 and 22)."""
    return tuple(
        (
            text(fields(block.get("from", block.get("from_"))).get("model")),
            text(fields(block.get("to")).get("model")),
            text(fields(block.get("trigger")).get("category")) or "",
        )
        for kind, block in blocks
        if kind == "fallback"
    )


def _iterations(
    iterations: list[Any] | tuple[Any, ...],
    asked: str | None,
    hops: tuple[tuple[str | None, str | None, str], ...],
    refusal: str | None,
    notes: list[str],
) -> tuple[Pass, ...]:
    """
    The passes of a response that lists them; the top-level counts are then not looked at (rule 21).

    Compaction and advisor passes are not in those counts, and declined fallback hops are billed too (rule 22).
    """
    entries = [fields(entry) for entry in iterations]
    kinds = [text(entry.get("type")) or "message" for entry in entries]
    serving_at = kinds.index("fallback_message") if "fallback_message" in kinds else -1
    serving = text(entries[serving_at].get("model")) if serving_at >= 0 else None
    declined_by = {hop[0]: hop[2] for hop in hops}
    refused_at = (
        max((at for at, kind in enumerate(kinds) if kind in _ANSWERS), default=-1)
        if refusal is not None
        else -1
    )
    passes: list[Pass] = []
    for at, (entry, kind) in enumerate(zip(entries, kinds, strict=True)):
        model = text(entry.get("model"))
        refused = refusal if at == refused_at else None
        if serving is None:
            if kind == "message" and at < refused_at and model is not None and model in declined_by:
                refused = declined_by[model]  # every hop declined, and the last one's refusal is the answer
        elif at < serving_at and kind == "message" and (model is None or model != serving):
            # A hop that declined; where its entry names no model it ran on the one that was asked for.
            refused = declined_by.get(model, hops[0][2] if hops else "")
            model = model or (hops[0][0] if hops else asked)
        if not _KNOWN_ITERATION.issuperset(entry):
            unknown_counters(entry, _KNOWN_ITERATION, notes, "iterations.")
        passes.append(make_pass(_counts(entry, notes), model, kind, refused))
    return tuple(passes)


_ANSWERS = ("message", "fallback_message")
_KNOWN_ITERATION = _KNOWN | {"model", "type"}
