"""What an answer says where nobody wrote it down: made up from the request, the same each time."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import cycle, islice, pairwise
from typing import TYPE_CHECKING, Any

from tracked_inference.loopback.answer import ToolCall
from tracked_inference.loopback.framing import compact
from tracked_inference.usage import Pass, Usage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracked_inference.loopback.answer import Answer
    from tracked_inference.loopback.request import Request

__all__ = ["PromptCaches", "Spoken", "billed", "count_tokens", "example_of", "speak", "words"]

CHARACTERS_PER_TOKEN = 4
SMALLEST_CACHED_PROMPT = 1024  # both vendors cache nothing shorter, in tokens
_SENTENCE = (
    "the cost of each call is known when it ends because every answer says what it used and the price"
    " of that day is on the list so nobody has to wait for the bill to learn which feature spent it"
)
_WORDS = _SENTENCE.split()
_SILENT_KEYS = frozenset(
    {"type", "role", "model", "id", "data", "url", "image_url", "file_data", "media_type"}
)


@dataclass(frozen=True, slots=True)
class Spoken:
    """
    An answer with nothing left open.

    Attributes:
        pieces: The text as a stream sends it; joined they are the text.
        thinking: What goes before the text.
        tool_calls: What goes after it.
        usage: What is billed.
        model: The model that answers.
    """

    pieces: tuple[str, ...]
    thinking: str | None
    tool_calls: tuple[ToolCall, ...]
    usage: Usage
    model: str

    @property
    def text(self) -> str:
        """The whole text."""
        return "".join(self.pieces)


def speak(request: Request, answer: Answer, prompt: Usage, *, model: str) -> Spoken:
    """Settle what is said; `prompt` is what the request itself uses, where the answer does not say."""
    seed = zlib.crc32(request.body)
    tool_calls = answer.tool_calls
    text = answer.text
    if text is None and not tool_calls:
        tool_calls = tuple(_forced_tool(request.content))
    if text is None and not tool_calls:
        schema = _wanted_schema(request.content)
        text = (
            compact(example_of(schema))
            if schema is not None
            else words(_length(request.content, answer, seed), seed)
        )
    text = text or ""
    usage = answer.usage or billed(
        prompt, output=_spoken_tokens(text, answer.thinking, tool_calls, answer.chunks)
    )
    return Spoken(_pieces(text, answer.chunks), answer.thinking, tool_calls, usage, answer.model or model)


def billed(prompt: Usage, *, output: int) -> Usage:
    """Add output to what the prompt uses."""
    return replace(prompt, passes=(Pass(counts={**prompt.passes[0].counts, "output": output}),))


def count_tokens(value: object) -> int:
    """Count the tokens of a prompt: a quarter of the characters of all that is text in it, at least 1."""
    return max(1, sum(len(text) for text in _texts(value)) // CHARACTERS_PER_TOKEN)


@lru_cache(maxsize=512)
def words(count: int, seed: int) -> str:
    """Write so many words; the seed says where to begin."""
    start = seed % len(_WORDS)
    return " ".join(islice(cycle(_WORDS[start:] + _WORDS[:start]), count))


def example_of(schema: Any) -> Any:
    """Give the smallest value that a JSON schema allows, references within it followed."""
    return _example(schema, schema)


def _example(schema: Any, root: Any) -> Any:
    if not isinstance(schema, dict):
        return None
    if "$ref" in schema:
        target = root
        for step in str(schema["$ref"]).removeprefix("#/").split("/"):
            target = target[step]
        return _example(target, root)
    for key in ("const", "default"):
        if key in schema:
            return schema[key]
    if schema.get("enum"):
        return schema["enum"][0]
    for key in ("anyOf", "oneOf", "allOf"):
        if schema.get(key):
            return _example(schema[key][0], root)
    kind = schema.get("type")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object" or "properties" in schema:
        return {name: _example(part, root) for name, part in schema.get("properties", {}).items()}
    if kind == "array":
        return [_example(schema.get("items"), root) for _ in range(schema.get("minItems", 0))]
    if kind in ("integer", "number"):
        return schema.get("minimum", 1)
    if kind == "string":
        return "x" * max(4, schema.get("minLength", 0))
    return True if kind == "boolean" else None


class PromptCaches:
    """
    What the vendor remembers of earlier prompts, so that cached tokens appear as they do in life.

    Anthropic caches up to the marks that the caller sets.
    OpenAI caches what two long prompts have in common at their beginning, in steps of 128 tokens.
    """

    STEP = 128

    def __init__(self) -> None:
        self._marked: set[int] = set()
        self._prompts: dict[tuple[str, str], str] = {}

    def anthropic(self, model: str | None, content: dict[str, Any]) -> dict[str, int]:
        """Count the input of a Messages request by unit, and remember its prompt."""
        parts = [content.get("tools"), content.get("system"), content.get("messages")]
        total = count_tokens(parts)
        if total < SMALLEST_CACHED_PROMPT:
            return {"input": total}
        read = upto = seen = 0
        prefix = zlib.crc32((model or "").encode())
        unit = "cache_write_5m"
        marks: list[int] = []
        for block in _blocks(parts):
            seen += sum(len(text) for text in _texts(block))
            prefix = zlib.crc32(compact(_unmarked(block)).encode(), prefix)
            mark = block.get("cache_control") if isinstance(block, dict) else None
            if mark:
                upto = min(total, seen // CHARACTERS_PER_TOKEN)
                unit = "cache_write_1h" if mark.get("ttl") == "1h" else "cache_write_5m"
                read = upto if prefix in self._marked else read
                marks.append(prefix)
        if upto < SMALLEST_CACHED_PROMPT:
            return {"input": total}
        self._marked.update(marks)
        return _without_zeros({"input": total - upto, "cache_read": read, unit: upto - read})

    def openai(self, model: str | None, content: dict[str, Any]) -> dict[str, int]:
        """Count the input of a chat or Responses request by unit, and remember its prompt."""
        prompt = "".join(
            _texts([content.get(key) for key in ("instructions", "tools", "messages", "input", "prompt")])
        )
        total = max(1, len(prompt) // CHARACTERS_PER_TOKEN)
        if total < SMALLEST_CACHED_PROMPT:
            return {"input": total}
        key = (model or "", str(content.get("prompt_cache_key") or prompt[:256]))
        common = _common_length(prompt, self._prompts.get(key, "")) // CHARACTERS_PER_TOKEN
        self._prompts[key] = prompt
        cached = common // self.STEP * self.STEP if common >= SMALLEST_CACHED_PROMPT else 0
        return _without_zeros({"input": total - cached, "cache_read": cached})


def _common_length(one: str, other: str) -> int:
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[:middle] == other[:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _without_zeros(counts: dict[str, int]) -> dict[str, int]:
    return {unit: count for unit, count in counts.items() if count}


def _blocks(parts: list[Any]) -> Iterator[Any]:
    for part in parts:
        for item in part if isinstance(part, list) else [part]:
            inner = item.get("content") if isinstance(item, dict) else None
            yield from inner if isinstance(inner, list) else [item]


def _unmarked(block: Any) -> Any:
    return (
        {key: value for key, value in block.items() if key != "cache_control"}
        if isinstance(block, dict)
        else block
    )


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            if key not in _SILENT_KEYS:
                yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)


def _length(content: dict[str, Any], answer: Answer, seed: int) -> int:
    limits = (content.get(key) for key in ("max_tokens", "max_completion_tokens", "max_output_tokens"))
    limit = next((value for value in limits if isinstance(value, int)), 10_000)
    tokens_per_word = 5 / CHARACTERS_PER_TOKEN
    return answer.chunks or max(1, min(20 + seed % 100, int(limit / tokens_per_word)))


def _pieces(text: str, chunks: int | None) -> tuple[str, ...]:
    """Cut a text into so many pieces of about the same length, of a few words if nobody says how many."""
    if not text:
        return ()
    count = chunks or -(-len(text) // 24)
    if count > len(text):
        raise ValueError(
            f"a text of {len(text)} characters cannot be sent in {count} chunks; give a longer `text`"
        )
    edges = [len(text) * index // count for index in range(count + 1)]
    return tuple(text[start:end] for start, end in pairwise(edges))


def _spoken_tokens(
    text: str, thinking: str | None, tool_calls: tuple[ToolCall, ...], chunks: int | None
) -> int:
    said = (
        len(text)
        + len(thinking or "")
        + sum(len(call.name) + len(compact(call.arguments)) for call in tool_calls)
    )
    return max(chunks or 1, said // CHARACTERS_PER_TOKEN)


def _wanted_schema(content: dict[str, Any]) -> Any:
    """Find the JSON schema that an answer has to keep to, where each vendor's API puts it."""
    for holder in (
        content.get("response_format"),
        content.get("text"),
        content.get("output_config"),
        content,
    ):
        if not isinstance(holder, dict):
            continue
        for wanted in (holder, holder.get("format"), holder.get("output_format")):
            if isinstance(wanted, dict) and wanted.get("type") == "json_schema":
                return (wanted.get("json_schema") or wanted).get("schema")
            if isinstance(wanted, dict) and wanted.get("type") == "json_object":
                return {"type": "object"}
    return None


def _forced_tool(content: dict[str, Any]) -> Iterator[ToolCall]:
    """Call the tool that the request insists on, with the smallest arguments it takes."""
    choice, tools = content.get("tool_choice"), content.get("tools")
    forced = choice.get("type") if isinstance(choice, dict) else choice
    if not isinstance(tools, list) or not tools or forced not in ("any", "tool", "required", "function"):
        return
    name = (
        (choice.get("name") or (choice.get("function") or {}).get("name"))
        if isinstance(choice, dict)
        else None
    )
    for tool in tools:
        described = tool.get("function", tool) if isinstance(tool, dict) else {}
        if described.get("name") and name in (None, described["name"]):
            schema = described.get("input_schema") or described.get("parameters") or {}
            yield ToolCall(described["name"], example_of(schema) or {})
            return
