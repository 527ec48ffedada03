"""Hypothesis strategies: usages as vendors report them, and as nobody should."""

from __future__ import annotations

from hypothesis import strategies as st

counts = st.integers(0, 2_000_000)

junk = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(10**30), 10**30),
        st.floats(allow_nan=True, allow_infinity=True),
        st.text(max_size=8),
        st.sampled_from(["12", "-3", "1e400", "NaN", " 7 ", "1_000", "٣", "0x10", "", "9" * 60]),
        st.binary(max_size=4),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=6), inner, max_size=3), st.tuples(inner)
    ),
    max_leaves=6,
)

ANTHROPIC_FIELDS = (
    "input_tokens",
    "output_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
    "cache_creation",
    "server_tool_use",
    "output_tokens_details",
    "iterations",
    "service_tier",
    "speed",
    "inference_geo",
    "fallback_credit",
    "cost",
)
OPENAI_FIELDS = (
    "prompt_tokens",
    "completion_tokens",
    "input_tokens",
    "output_tokens",
    "total_tokens",
    "prompt_tokens_details",
    "completion_tokens_details",
    "input_tokens_details",
    "output_tokens_details",
    "input_token_details",
    "seconds",
    "cost",
    "cost_in_usd_ticks",
    "is_byok",
    "prompt_cache_hit_tokens",
)
DETAIL_FIELDS = (
    "cached_tokens",
    "cache_write_tokens",
    "cache_write_tokens_details",
    "audio_tokens",
    "image_tokens",
    "text_tokens",
    "reasoning_tokens",
    "ttl_12h_tokens",
    "ephemeral_5m_input_tokens",
    "ephemeral_1h_input_tokens",
    "web_search_requests",
    "code_execution_requests",
    "thinking_tokens",
    "cached_tokens_details",
    "total_cost",
    "type",
    "num_requests",
)


def _of(names: tuple[str, ...], values: st.SearchStrategy) -> st.SearchStrategy:
    return st.dictionaries(
        st.one_of(st.sampled_from(names), st.text(max_size=6)), values, max_size=len(names)
    )


_details = _of(DETAIL_FIELDS, st.one_of(counts, junk))
_entry = _of((*ANTHROPIC_FIELDS, "type", "model"), st.one_of(counts, junk, _details))


def hostile_usage(names: tuple[str, ...]) -> st.SearchStrategy:
    """A usage object of these fields, each with anything in it."""
    return st.one_of(
        junk, _of(names, st.one_of(counts, counts, junk, _details, st.lists(_entry, max_size=3)))
    )


def hostile_body(names: tuple[str, ...]) -> st.SearchStrategy:
    """A body with such a usage, and anything in the other fields that the readers look at."""
    items = st.lists(
        st.one_of(
            junk,
            st.fixed_dictionaries(
                {
                    "type": st.one_of(
                        junk,
                        st.sampled_from(
                            [
                                "web_search_call",
                                "file_search_call",
                                "shell_call",
                                "fallback",
                                "text",
                                "x_call",
                            ]
                        ),
                    )
                },
                optional={"action": junk, "status": junk, "from": junk, "to": junk, "trigger": junk},
            ),
        ),
        max_size=3,
    )
    return st.one_of(
        junk,
        st.fixed_dictionaries(
            {"usage": hostile_usage(names)},
            optional={
                "model": st.one_of(junk, st.sampled_from(["gpt-6-sol", "claude-opus-5-5", "ft:gpt-4o::x"])),
                "content": st.one_of(junk, items),
                "output": st.one_of(junk, items),
                "tools": st.one_of(junk, items),
                "tool_usage": st.one_of(
                    junk, st.fixed_dictionaries({"image_gen": hostile_usage(OPENAI_FIELDS)})
                ),
                "container": junk,
                "service_tier": st.one_of(junk, st.sampled_from(["flex", "priority", "batch"])),
                "status": st.one_of(junk, st.sampled_from(["completed", "failed", "queued"])),
                "stop_reason": st.one_of(junk, st.just("refusal")),
                "stop_details": junk,
                "seconds": junk,
                "size": junk,
                "data": junk,
                "svg_usage": junk,
            },
        ),
    )
