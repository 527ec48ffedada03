"""
Each rule again, on other models and other numbers than its first test, and at its edges.

A rule that holds for one example only is an example. The money is written by hand, in millionths of a dollar: tokens times
the rate for a million of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal as D
from typing import TYPE_CHECKING, Any

import pytest

from tests.pricing.calls import NOON, chat, claude, gpt

if TYPE_CHECKING:
    from tracked_inference.pricing import Cost


@dataclass(frozen=True)
class Case:
    """One call, what it costs in millionths of a dollar, and how sure that is."""

    what: str
    cost: Cost
    micro: str | None
    status: str = "exact"
    reasons: tuple[str, ...] = field(default=())


def written(short: int, long: int, **more: Any) -> dict[str, Any]:
    """Anthropic usage with cache writes split by lifetime."""
    split = {"ephemeral_5m_input_tokens": short, "ephemeral_1h_input_tokens": long}
    usage = {"cache_creation_input_tokens": short + long, "cache_creation": split}
    return {"input_tokens": 0, "output_tokens": 0, **usage, **more}


def plain(into: int, out: int, **more: Any) -> dict[str, Any]:
    """Anthropic usage, or that of OpenAI's Responses."""
    return {"input_tokens": into, "output_tokens": out, **more}


def responses(model: str, usage: dict[str, Any], *output: dict[str, Any], **more: Any) -> Cost:
    """The cost of a finished response of OpenAI's Responses."""
    return gpt(model, usage, operation="responses", status="completed", output=list(output), **more)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}+00:00")


def ask(kind: str, action: str | None = None, status: str = "completed", **more: Any) -> dict[str, Any]:
    """One item of a response's output."""
    return {"type": kind, "status": status, **({"action": {"type": action}} if action else {}), **more}


SEARCH = ask("web_search_call", "search")
PREVIEW = {"tools": [{"type": "web_search_preview"}]}
EDGE = "2026-09-24T00:00:00"

COUNTING = [
    Case(
        "01: five kinds, one of each",
        claude(
            "claude-opus-4-1", written(11, 13, input_tokens=7, cache_read_input_tokens=17, output_tokens=19)
        ),
        "2151.75",  # 7 x 15 + 11 x 18.75 + 13 x 30 + 17 x 1.50 + 19 x 75
    ),
    Case(
        "02: written and cached are inside the prompt",
        gpt("gpt-5.6-terra", chat(5000, 300, cached_tokens=1000, cache_write_tokens=2000)),
        "12800",  # 2000 x 2 + 1000 x 0.20 + 2000 x 2.50 + 300 x 12
    ),
    Case("02: all of it cached", gpt("gpt-4o", chat(800, 0, cached_tokens=800)), "1000"),  # 800 x 1.25
    Case(
        "02: a null among the details", gpt("gpt-4o", {**chat(100, 1), "prompt_tokens_details": None}), "260"
    ),
    Case(
        "03: no split",
        claude("claude-haiku-4-5", plain(0, 0, cache_creation_input_tokens=800)),
        "1000",  # 800 x 1.25
        "estimated",
        ("assumed_ttl",),
    ),
    Case(
        "03: a split of nulls is none",
        claude(
            "claude-haiku-4-5",
            plain(
                0,
                0,
                cache_creation_input_tokens=800,
                cache_creation={"ephemeral_5m_input_tokens": None, "ephemeral_1h_input_tokens": None},
            ),
        ),
        "1000",
        "estimated",
        ("assumed_ttl",),
    ),
    Case("03: the whole split is for an hour", claude("claude-haiku-4-5", written(0, 800)), "1600"),
    Case(
        "03: more in the split than in the total",
        claude("claude-haiku-4-5", {**written(500, 500), "cache_creation_input_tokens": 800}),
        "1625",  # 500 x 1.25 + 500 x 2: the parts are billed
        "inconsistent",
        ("inconsistent:cache_creation",),
    ),
    Case(
        "04: both lifetimes",
        responses(
            "gpt-5.6-terra",
            plain(
                5000,
                300,
                input_tokens_details={
                    "cached_tokens": 1000,
                    "cache_write_tokens": 2000,
                    "cache_write_tokens_details": {"ttl_30m_tokens": 1500, "ttl_12h_tokens": 500},
                },
            ),
        ),
        "14050",  # 2000 x 2 + 1000 x 0.20 + 1500 x 2.50 + 500 x 5 + 300 x 12
    ),
    Case(
        "04: the lifetimes alone are the total",
        responses(
            "gpt-5.6-terra",
            plain(
                1000,
                0,
                input_tokens_details={
                    "cache_write_tokens_details": {"ttl_30m_tokens": 100, "ttl_12h_tokens": 50}
                },
            ),
        ),
        "2200",  # 850 x 2 + 100 x 2.50 + 50 x 5
    ),
    Case(
        "04: the response's own options say the lifetime",
        responses(
            "gpt-6-luna",
            plain(1000, 0, input_tokens_details={"cached_tokens": 0, "cache_write_tokens": 400}),
            prompt_cache_options={"mode": "implicit", "ttl": "12h"},
        ),
        "160",  # 600 x 0.10 + 400 x 0.25
        "estimated",
        ("assumed_ttl",),
    ),
    Case(
        "04: more written than the total says",
        responses(
            "gpt-6-luna",
            plain(
                1000,
                0,
                input_tokens_details={
                    "cache_write_tokens": 100,
                    "cache_write_tokens_details": {"ttl_30m_tokens": 100, "ttl_12h_tokens": 80},
                },
            ),
        ),
        "112.5",  # 900 x 0.10 + 80 x 0.25 + 20 x 0.125
        "inconsistent",
        ("inconsistent:cache_write_tokens_details",),
    ),
    Case(
        "05: a fortieth here, a twentieth there",
        claude("claude-fable-5-2", plain(0, 0, cache_read_input_tokens=1_000_000)),
        "200000",
    ),
    Case(
        "06: rejected predictions are output already",
        gpt(
            "gpt-4.1-mini",
            {
                **chat(10, 100),
                "completion_tokens_details": {
                    "accepted_prediction_tokens": 20,
                    "rejected_prediction_tokens": 60,
                },
            },
        ),
        "164",  # 10 x 0.40 + 100 x 1.60
    ),
    Case(
        "06: thinking is output already",
        claude("claude-opus-5", plain(10, 100, output_tokens_details={"thinking_tokens": 90})),
        "2550",
    ),
    Case(
        "07: more cached than asked",
        responses("gpt-5-mini", plain(100, 0, input_tokens_details={"cached_tokens": 150})),
        "2.5",  # 100 x 0.025, between nothing and 100 x 0.25
        "inconsistent",
        ("inconsistent:cached_tokens",),
    ),
    Case(
        "07: more cached and written than asked",
        gpt("gpt-6-luna", chat(1000, 0, cached_tokens=800, cache_write_tokens=500)),
        "33",  # 800 x 0.01 + 200 x 0.125
        "inconsistent",
        ("inconsistent:cached_tokens",),
    ),
    Case("08: nothing is null", gpt("gpt-4o", None), None, "unmeasured", ("no_usage",)),
    Case(
        "08: zero is a count",
        claude("claude-opus-5", plain(0, 0, cache_read_input_tokens=None, server_tool_use=None)),
        "0",
    ),
    Case(
        "08: the input is missing",
        claude("claude-opus-5", {"output_tokens": 100}),
        "2500",
        "partial",
        ("missing_counter:input_tokens",),
    ),
    Case(
        "08: the output of a response is missing",
        responses("gpt-5-mini", {"input_tokens": 1000}),
        "250",
        "partial",
        ("missing_counter:completion_tokens",),
    ),
    Case(
        "09: a counter with ratio in its name",
        gpt("gpt-5-mini", {**chat(100, 10), "image_generation_tokens": 7}),
        "45",
        "partial",
        ("unknown_field:image_generation_tokens",),
    ),
    Case(
        "09: one with time in its name, among the details",
        gpt("gpt-5-mini", chat(100, 10, realtime_tokens=7)),
        "45",
        "partial",
        ("unknown_field:prompt_tokens_details.realtime_tokens",),
    ),
    Case(
        "09: a server tool of next year",
        claude("claude-opus-5", plain(100, 10, server_tool_use={"moderation_requests": 2})),
        "750",
        "partial",
        ("unknown_field:server_tool_use.moderation_requests",),
    ),
    Case(
        "09: a lifetime of next year",
        claude(
            "claude-opus-5",
            plain(
                0,
                0,
                cache_creation_input_tokens=100,
                cache_creation={"ephemeral_5m_input_tokens": 100, "ephemeral_24h_input_tokens": 50},
            ),
        ),
        "625",
        "partial",
        ("unknown_field:cache_creation.ephemeral_24h_input_tokens",),
    ),
    Case(
        "09: a part of the output of next year",
        claude(
            "claude-opus-5", plain(100, 10, output_tokens_details={"thinking_tokens": 4, "dream_tokens": 3})
        ),
        "750",
        "partial",
        ("unknown_field:output_tokens_details.dream_tokens",),
    ),
    Case(
        "09: the same in one of several passes",
        claude(
            "claude-opus-5",
            plain(
                100,
                10,
                iterations=[{"type": "message", **plain(100, 10, output_tokens_details={"dream_tokens": 3})}],
            ),
        ),
        "750",
        "partial",
        ("unknown_field:output_tokens_details.dream_tokens",),
    ),
    Case(
        "09: a kind of cached tokens",
        gpt("gpt-5-mini", chat(100, 10, cached_tokens=40, cached_tokens_details={"video_tokens": 40})),
        "36",  # 60 x 0.25 + 40 x 0.025 + 10 x 2
        "partial",
        ("unknown_field:prompt_tokens_details.cached_tokens_details.video_tokens",),
    ),
    Case(
        "09: a lifetime of cache writes, the only one there is",
        gpt("gpt-6-sol", chat(100, 10, cache_write_tokens_details={"ttl_7d_tokens": 40})),
        "300",
        "partial",
        ("unknown_field:prompt_tokens_details.cache_write_tokens_details.ttl_7d_tokens",),
    ),
    Case(
        "09: a hosted tool that counts its work in tokens",
        responses("gpt-5-mini", plain(100, 10), tool_usage={"music_gen": {"output_tokens": 500}}),
        "45",
        "partial",
        ("unknown_field:tool_usage.music_gen.output_tokens",),
    ),
    Case(
        "09: what a search counts beside its requests",
        responses(
            "gpt-5-mini", plain(100, 10), tool_usage={"web_search": {"num_requests": 1, "num_crawls": 9}}
        ),
        "10045",
        "partial",
        ("unknown_field:tool_usage.web_search.num_crawls",),
    ),
    Case(
        "09: details in details, and a list of them",
        gpt(
            "gpt-5-mini",
            {**chat(100, 10), "sensors": {"front": {"lidar_tokens": 5}, "parts": [{"radar_tokens": 2}]}},
        ),
        "45",
        "partial",
        ("unknown_field:sensors.front.lidar_tokens", "unknown_field:sensors.parts.radar_tokens"),
    ),
    Case(
        "09: a counter of a known name, of something unknown",
        claude("claude-opus-5", plain(100, 10, narration={"input_tokens": 30, "output_tokens": 0})),
        "750",
        "partial",
        ("unknown_field:narration.input_tokens",),
    ),
    Case("09: zero of it", gpt("gpt-5-mini", {**chat(100, 10), "image_generation_tokens": 0}), "45"),
    Case(
        "09: times and speeds are no counters",
        gpt(
            "gpt-5-mini",
            {**chat(100, 10), "queue_time": 0.2, "tokens_per_second": 55, "acceptance_rate": 0.4},
        ),
        "45",
    ),
]

MODES = [
    Case(
        "16: half for tokens, all for searches",
        claude(
            "claude-opus-4-7",
            plain(1000, 100, service_tier="batch", server_tool_use={"web_search_requests": 2}),
        ),
        "23750",  # 1000 x 2.50 + 100 x 12.50 + 2 x 10000
    ),
    Case(
        "16: and a tenth more in the US",
        claude(
            "claude-opus-4-7",
            plain(
                1000,
                100,
                service_tier="batch",
                inference_geo="us",
                server_tool_use={"web_search_requests": 2},
            ),
        ),
        "24125",  # 3750 x 1.1 + 20000
    ),
    Case("16: the endpoint says so", claude("claude-3-5-haiku", plain(1000, 100), batch=True), "600"),
    Case(
        "16: half of the long rates",
        claude("claude-sonnet-4-5", plain(200_001, 100, service_tier="batch")),
        "601128",  # 200001 x 3 + 100 x 11.25
    ),
    Case(
        "16: a batch of OpenAI's",
        gpt("gpt-5.2", chat(1000, 100, cached_tokens=400), batch=True, service_tier="default"),
        "1260",  # 600 x 0.875 + 400 x 0.0875 + 100 x 7
    ),
    Case(
        "16: its searches cost what they cost",
        responses("gpt-5-mini", plain(1000, 100), SEARCH, batch=True),
        "10225",  # 1000 x 0.125 + 100 x 1 + 10000
    ),
    Case("16: at once, for all that", gpt("gpt-5.2", chat(1000, 100), service_tier="default"), "3150"),
    Case("17: priority", gpt("gpt-4o", chat(1000, 100), service_tier="priority"), "5950"),
    Case("17: fast is priority", gpt("gpt-4o", chat(1000, 100), service_tier="fast"), "5950"),
    Case("17: flex", gpt("o4-mini", chat(1000, 100, cached_tokens=500), service_tier="flex"), "564"),
    Case("17: auto is the standard", gpt("gpt-4o", chat(1000, 100), service_tier="auto"), "3500"),
    Case(
        "17: scale is a contract",
        gpt("gpt-4o", chat(1000, 100), service_tier="scale"),
        "3500",
        "partial",
        ("service_tier",),
    ),
    Case(
        "17: a tier of next year",
        gpt("gpt-4o", chat(1000, 100), service_tier="hyperfast"),
        "3500",
        "partial",
        ("service_tier",),
    ),
    Case(
        "17: ultrafast where it has no price",
        gpt("gpt-5.6-sol", chat(1000, 100), service_tier="ultrafast"),
        "6000",
        "partial",
        ("service_tier",),
    ),
    Case(
        "17: ultrafast where it has one, on a long request",
        gpt("gpt-6-astra", chat(300_000, 100), service_tier="ultrafast"),
        "36045000",  # 300000 x 120 + 100 x 450
    ),
    Case(
        "17: asked for flex, served as default",
        gpt("o4-mini", chat(1000, 0), service_tier="default", request={"service_tier": "flex"}),
        "1100",
    ),
    Case(
        "17: priority of Anthropic's",
        claude("claude-haiku-4-5", plain(1000, 100, service_tier="priority")),
        "1500",
        "partial",
        ("service_tier",),
    ),
    Case(
        "18: fast, in the US, with two lifetimes and a search",
        claude(
            "claude-opus-5",
            {
                **written(200, 300, input_tokens=100, cache_read_input_tokens=400, output_tokens=50),
                "speed": "fast",
                "inference_geo": "us",
                "server_tool_use": {"web_search_requests": 1},
            },
        ),
        "23640",  # (100 x 10 + 200 x 12.50 + 300 x 20 + 400 x 1 + 50 x 50) x 1.1 + 10000
    ),
    Case("18: fast by its own row", claude("claude-fable-5-2", plain(10, 10, speed="fast")), "960"),
    Case(
        "18: old models cost the same in the US",
        claude("claude-haiku-4-5", plain(10, 10, inference_geo="us")),
        "60",
    ),
    Case("18: new ones do not", claude("claude-mythos-5-1", plain(10, 10, inference_geo="us")), "660"),
    Case(
        "18: not_available is anywhere",
        claude("claude-opus-5", plain(10, 10, inference_geo="not_available")),
        "300",
    ),
    Case(
        "18: a place without a price",
        claude("claude-opus-5", plain(10, 10, inference_geo="eu")),
        "300",
        "partial",
        ("inference_geo",),
    ),
    Case(
        "18: a model without a fast price",
        claude("claude-sonnet-5-5", plain(10, 10, speed="fast")),
        "120",
        "partial",
        ("speed",),
    ),
    Case("19: a new model in the EU", gpt("gpt-6-luna", chat(1000, 100), region="eu"), "165"),
    Case("19: on flex", gpt("gpt-6-luna", chat(1000, 100), region="us", service_tier="flex"), "82.5"),
    Case("19: a model of 2025", gpt("gpt-5.2", chat(1000, 100), region="eu"), "3150"),
    Case("19: a model of the day itself", gpt("gpt-5.4", chat(1000, 100), region="eu"), "4400"),
    Case(
        "19: a search costs the same everywhere",
        responses("gpt-6-luna", plain(1000, 100), SEARCH, region="eu"),
        "10165",
    ),
    Case("20: at the threshold", gpt("gpt-5.4", chat(272_000, 100)), "681500"),  # 272000 x 2.50 + 100 x 15
    Case(
        "20: one above, most of it cached",
        gpt("gpt-5.4", chat(272_001, 100, cached_tokens=200_000)),
        "462255",  # 72001 x 5 + 200000 x 0.50 + 100 x 22.50
    ),
    Case(
        "20: one above, all of it written",
        gpt("gpt-5.6-luna", chat(272_001, 0, cache_write_tokens=272_001)),
        "136000.5",  # 272001 x 0.50
    ),
    Case(
        "20: another threshold, exactly",
        claude("claude-haiku-5-5", plain(1, 1, cache_read_input_tokens=99_999)),
        "1000.59",  # 1 x 0.10 + 99999 x 0.01 + 1 x 0.50
    ),
    Case(
        "20: and one above",
        claude("claude-haiku-5-5", plain(1, 1, cache_read_input_tokens=100_000)),
        "5003",  # 1 x 0.50 + 100000 x 0.05 + 1 x 2.50
    ),
    Case(
        "20: writes count",
        claude("claude-haiku-5-5", written(50_001, 0, input_tokens=50_000)),
        "56250.625",  # 50000 x 0.50 + 50001 x 0.625
    ),
    Case("20: output does not", claude("claude-haiku-5-5", plain(100_000, 64_000)), "42000"),
    Case(
        "20: long and batch and regional",
        gpt("gpt-6-astra", chat(272_001, 10), batch=True, region="us"),
        "2992423.5",  # (272001 x 10 + 10 x 37.50) x 1.1
    ),
]

FABLE_TO_OPUS = {
    "type": "fallback",
    "from": {"model": "claude-fable-5-2"},
    "to": {"model": "claude-opus-5-5"},
}


def hop(out: int, category: str | None, *, at: datetime = NOON) -> Cost:
    """A fable that declined after `out` tokens, and the opus that answered."""
    entries = [
        {"type": "message", "model": "claude-fable-5-2", "input_tokens": 500, "output_tokens": out},
        {"type": "fallback_message", "model": "claude-opus-5-5", "input_tokens": 500, "output_tokens": 40},
    ]
    block = {**FABLE_TO_OPUS, "trigger": {"type": "refusal", "category": category}}
    return claude("claude-fable-5-2", plain(500, 40, iterations=entries), content=[block], at=at)


def refused(model: str, out: int, category: str | None, at: str = EDGE) -> Cost:
    return claude(
        model,
        plain(1000, out),
        stop_reason="refusal",
        stop_details={"type": "refusal", "category": category},
        at=utc(at),
    )


SEVERAL = [
    Case(
        "21: an advisor, a search, and a place that only one of the two pays for",
        claude(
            "claude-haiku-4-5",
            plain(
                9,
                9,
                inference_geo="us",
                server_tool_use={"web_search_requests": 1},
                iterations=[
                    {"type": "message", "input_tokens": 100, "output_tokens": 10},
                    {
                        "type": "advisor_message",
                        "model": "claude-fable-5-2",
                        "input_tokens": 1000,
                        "output_tokens": 100,
                    },
                    {"type": "message", "input_tokens": 200, "output_tokens": 20},
                ],
            ),
        ),
        "23650",  # 300 x 1 + 30 x 5 + (1000 x 8 + 100 x 40) x 1.1 + 10000
    ),
    Case(
        "21: a compaction in a batch",
        claude(
            "claude-sonnet-4-6",
            plain(
                10,
                10,
                service_tier="batch",
                iterations=[
                    {"type": "compaction", "input_tokens": 100_000, "output_tokens": 1000},
                    {
                        "type": "message",
                        "input_tokens": 10,
                        "output_tokens": 10,
                        "cache_creation_input_tokens": 100,
                        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 100},
                        "cache_read_input_tokens": 1000,
                    },
                ],
            ),
        ),
        "158040",  # (100010 x 3 + 1010 x 15 + 100 x 6 + 1000 x 0.30) / 2
    ),
    Case(
        "21: an empty list is none",
        claude("claude-sonnet-4-6", plain(10, 10, iterations=[])),
        "180",
    ),
    Case(
        "21: two passes, neither above the threshold",
        claude(
            "claude-haiku-5-5",
            plain(
                0,
                0,
                iterations=[
                    {"type": "message", "input_tokens": 100_000, "output_tokens": 0},
                    {"type": "message", "input_tokens": 100_001, "output_tokens": 0},
                ],
            ),
        ),
        "60000.5",  # 100000 x 0.10 + 100001 x 0.50: but one
    ),
    Case("22: declined after some output", hop(30, "cyber"), "8000"),  # 500 x 8 + 30 x 40 + 500 x 4 + 40 x 20
    Case("22: declined before, of a free category", hop(1, "cyber"), "2800", reasons=("refusal_not_billed",)),
    Case("22: declined before, of a billed one", hop(1, "frontier_llm"), "6840"),
    Case(
        "22: of a billed one, the day before it was",
        hop(1, "frontier_llm", at=utc("2026-09-23T23:59:59")),
        "2800",
        reasons=("refusal_not_billed",),
    ),
    Case(
        "22: every hop declined before any output, of a free category",
        claude(
            "claude-opus-5-5",
            plain(
                500,
                1,
                iterations=[
                    {"type": "message", "model": "claude-fable-5-2", "input_tokens": 500, "output_tokens": 1},
                    {"type": "message", "model": "claude-opus-5-5", "input_tokens": 500, "output_tokens": 1},
                ],
            ),
            content=[{**FABLE_TO_OPUS, "trigger": {"type": "refusal", "category": "cyber"}}],
            stop_reason="refusal",
            stop_details={"type": "refusal", "category": "cyber"},
        ),
        "0",
        "free",
        ("refusal_not_billed",),
    ),
    Case(
        "22: the first of them after some output",
        claude(
            "claude-opus-5-5",
            plain(
                500,
                1,
                iterations=[
                    {
                        "type": "message",
                        "model": "claude-fable-5-2",
                        "input_tokens": 500,
                        "output_tokens": 30,
                    },
                    {"type": "message", "model": "claude-opus-5-5", "input_tokens": 500, "output_tokens": 1},
                ],
            ),
            content=[{**FABLE_TO_OPUS, "trigger": {"type": "refusal", "category": "cyber"}}],
            stop_reason="refusal",
            stop_details={"type": "refusal", "category": "cyber"},
        ),
        "5200",  # 500 x 8 + 30 x 40
        reasons=("refusal_not_billed",),
    ),
    Case("23: billed from that midnight", refused("claude-opus-5", 1, "reasoning_extraction"), "5025"),
    Case(
        "23: free until then",
        refused("claude-opus-5", 1, "reasoning_extraction", "2026-09-23T23:59:59"),
        "0",
        "free",
        ("refusal_not_billed",),
    ),
    Case(
        "23: general_harms is free",
        refused("claude-opus-5", 0, "general_harms"),
        "0",
        "free",
        ("refusal_not_billed",),
    ),
    Case("23: no category is free", refused("claude-opus-5", 1, None), "0", "free", ("refusal_not_billed",)),
    Case(
        "23: after two tokens it is billed",
        refused("claude-opus-5", 2, "cyber", "2026-01-01T00:00:00"),
        "5050",
    ),
    Case(
        "24: redeemed, as the SDK has it",
        claude("claude-opus-5", plain(10, 10, fallback_credit={"status": {"type": "redeemed"}})),
        "300",
        "upper_bound",
        ("fallback_credit",),
    ),
    Case(
        "24: redeemed, in a word",
        claude("claude-opus-5", plain(10, 10, fallback_credit={"status": "redeemed"})),
        "300",
        "upper_bound",
        ("fallback_credit",),
    ),
    Case(
        "24: not applied",
        claude(
            "claude-opus-5",
            plain(10, 10, fallback_credit={"status": {"type": "not_applied", "reason": "expired"}}),
        ),
        "300",
    ),
    Case(
        "25: pictures at the model of the tool",
        responses(
            "gpt-5-mini",
            plain(100, 10),
            ask("image_generation_call"),
            tools=[{"type": "image_generation", "model": "gpt-image-2"}],
            tool_usage={
                "image_gen": {
                    "input_tokens": 300,
                    "input_tokens_details": {"image_tokens": 200, "text_tokens": 100},
                    "output_tokens": 1000,
                    "total_tokens": 1300,
                },
                "web_search": {"num_requests": 0},
            },
        ),
        "32145",  # 45 + 100 x 5 + 200 x 8 + 1000 x 30
    ),
]

FEES = [
    Case(
        "26: three searches and nine fetches",
        claude(
            "claude-sonnet-5-5",
            plain(10, 10, server_tool_use={"web_search_requests": 3, "web_fetch_requests": 9}),
        ),
        "30120",
    ),
    Case(
        "27: two searches, a page, a find, one failed, one that Azure left",
        responses(
            "o4-mini",
            plain(1000, 0),
            SEARCH,
            ask("web_search_call", "open_page"),
            ask("web_search_call", "find_in_page"),
            ask("web_search_call", "search", "failed"),
            ask("web_search_call", "search", "searching"),
        ),
        "21100",
    ),
    Case(
        "27: none of them billed, says the vendor",
        responses("o4-mini", plain(1000, 0), SEARCH, SEARCH, tool_usage={"web_search": {"num_requests": 0}}),
        "1100",
    ),
    Case(
        "27: the preview tool on one that reasons", responses("o3", plain(0, 0), SEARCH, **PREVIEW), "10000"
    ),
    Case("27: on one that does not", responses("gpt-4.1-nano", plain(0, 0), SEARCH, **PREVIEW), "25000"),
    Case(
        "27: a dated preview tool on a fine-tune",
        responses(
            "ft:gpt-4o-2024-08-06:acme::1",
            plain(0, 0),
            SEARCH,
            tools=[{"type": "web_search_preview_2025_03_11"}],
        ),
        "25000",
    ),
    Case(
        "28: two file searches, and a session",
        responses(
            "gpt-4.1-mini",
            plain(1000, 0),
            ask("file_search_call"),
            ask("file_search_call"),
            ask("code_interpreter_call"),
        ),
        "5400",  # 1000 x 0.40 + 2 x 2500
        "partial",
        ("code_interpreter",),
    ),
    Case(
        "28: a shell on the caller's own machine",
        responses("gpt-4.1-mini", plain(1000, 0), ask("shell_call", environment={"type": "local"})),
        "400",
    ),
    Case(
        "29: a fraction of a second",
        gpt(
            None,
            {"type": "duration", "seconds": 7.5},
            operation="audio.transcriptions",
            requested="gpt-transcribe",
            request={"model": "gpt-transcribe"},
        ),
        "562.5",  # 7.5 x 0.27 / 3600
    ),
    Case(
        "29: seconds of what is sold by the token",
        gpt(
            None,
            {"type": "duration", "seconds": 7},
            operation="audio.transcriptions",
            requested="gpt-4o-transcribe",
        ),
        None,
        "unpriced",
        ("unpriced_unit:second",),
    ),
    Case(
        "30: a square picture that is high definition",
        gpt(
            None,
            None,
            operation="images",
            requested="dall-e-3",
            request={"model": "dall-e-3", "quality": "hd"},
            data=[{"url": "u"}, {"url": "v"}],
        ),
        "160000",
    ),
    Case(
        "30: twelve seconds of a wide video",
        gpt("sora-2-pro", None, operation="videos", status="completed", seconds="12", size="1792x1024"),
        "6000000",
    ),
    Case(
        "31: an embedding",
        gpt("text-embedding-3-large", {"prompt_tokens": 10, "total_tokens": 10}, operation="embeddings"),
        "1.3",
    ),
    Case(
        "32: a gateway's own figure, on a model that is known",
        gpt("gpt-4o", {**chat(1000, 100), "cost": 0.00123}, provider="openrouter"),
        "1230",
        reasons=("gateway",),
    ),
    Case(
        "32: nothing, says the gateway",
        gpt("gpt-4o", {**chat(1000, 100), "cost": 0}, provider="openrouter"),
        "0",
        "free",
        ("gateway",),
    ),
]

SELLERS = [
    Case(
        "33: a regional profile of a model of this year",
        claude(
            "claude-fable-5-1", plain(100, 10), provider="bedrock", requested="eu.anthropic.claude-fable-5-1"
        ),
        "1650",
    ),
    Case(
        "33: its global one",
        claude(
            "claude-fable-5-1",
            plain(100, 10),
            provider="bedrock",
            requested="global.anthropic.claude-fable-5-1",
        ),
        "1500",
    ),
    Case(
        "33: Vertex at large",
        claude("claude-haiku-4-5@20251001", plain(100, 10), provider="vertex", region="global"),
        "150",
    ),
    Case(
        "33: Vertex in one place",
        claude("claude-haiku-4-5@20251001", plain(100, 10), provider="vertex", region="europe-west1"),
        "165",
    ),
    Case(
        "33: Azure in a data zone",
        gpt("gpt-4.1-mini", chat(1000, 0), provider="azure", region="data_zone"),
        "440",
    ),
    Case(
        "33: somebody's own address",
        gpt("gpt-6-sol", chat(1000, 0), provider="llm.example.com"),
        None,
        "unpriced",
        ("unknown_seller",),
    ),
    Case(
        "34: a fine-tune of a small model",
        gpt("ft:gpt-4.1-mini-2025-04-14:acme:support:abc", chat(1000, 100, cached_tokens=500)),
        "820",  # 500 x 0.80 + 500 x 0.20 + 100 x 3.20
    ),
    Case(
        "34: of a base without a fine-tune price",
        gpt("ft:gpt-6-sol:acme::abc", chat(1000, 100)),
        None,
        "unpriced",
        ("unknown_model",),
    ),
    Case(
        "36: a price of yesterday", gpt("gpt-5.6-terra", chat(1000, 0), at=utc("2026-07-29T23:59:59")), "2500"
    ),
    Case(
        "36: and of that midnight", gpt("gpt-5.6-terra", chat(1000, 0), at=utc("2026-07-30T00:00:00")), "2000"
    ),
    Case(
        "36: cached o3 on its last dear day",
        gpt("o3", chat(1000, 0, cached_tokens=1000), at=utc("2025-06-09T23:59:59")),
        "2500",
    ),
    Case(
        "37: most of the writes outside the split",
        claude(
            "claude-sonnet-4-6",
            plain(
                0,
                0,
                cache_creation_input_tokens=12_174,
                cache_creation={"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 291},
                server_tool_use={"web_fetch_requests": 1},
            ),
        ),
        "46307.25",  # 11883 x 3.75 + 291 x 6
        "estimated",
        ("assumed_ttl",),
    ),
    Case(
        "38: a sum over fetches",
        claude("claude-haiku-5-5", plain(450_000, 0, server_tool_use={"web_fetch_requests": 5})),
        "45000",
        "estimated",
        ("summed_passes",),
    ),
    Case(
        "38: a sum over calls to a remote server",
        responses("gpt-6-luna", plain(300_000, 0), ask("mcp_call")),
        "30000",
        "estimated",
        ("summed_passes",),
    ),
    Case(
        "38: a call of the caller's own is no loop",
        responses("gpt-6-luna", plain(300_000, 0), ask("function_call")),
        "60000",
    ),
    Case(
        "38: below the threshold it is exact",
        responses("gpt-6-luna", plain(200_000, 0), ask("mcp_call")),
        "20000",
    ),
    Case(
        "43: a picture that the body does not count",
        responses("gpt-5-mini", plain(100, 10), ask("image_generation_call")),
        "45",
        "partial",
        ("image_generation",),
    ),
]


@pytest.mark.parametrize(
    "case", [*COUNTING, *MODES, *SEVERAL, *FEES, *SELLERS], ids=lambda case: case.what.replace(" ", "_")
)
def test_the_rule_holds_for_others(case):
    """Money, status and reasons of the call are those that the rule gives."""
    expected = None if case.micro is None else D(case.micro).scaleb(-6)

    assert (case.cost.total_usd, case.cost.status, case.cost.reasons) == (expected, case.status, case.reasons)
