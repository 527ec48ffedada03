"""The pricing rules, each by its number, with the money written by hand."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal as D

import pytest

from tests.pricing.calls import NOON, chat, claude, gpt
from tracked_inference.pricing import Cost, PriceTable
from tracked_inference.usage import Pass, Usage
from tracked_inference.vendors import openai_usage

SEARCH = {"type": "web_search_call", "status": "completed", "action": {"type": "search", "query": "q"}}
OPEN_PAGE = {"type": "web_search_call", "status": "completed", "action": {"type": "open_page", "url": "u"}}
FAILED = {"type": "web_search_call", "status": "failed", "action": {"type": "search", "query": "q"}}


def money(cost: Cost) -> tuple[D | None, str]:
    return cost.total_usd, cost.status


def day(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


# -- counting tokens ---------------------------------------------------------------------------------------------------


def test_01_anthropic_counts_are_disjoint():
    """Input, cache writes, cache reads and output of a Claude call are billed beside each other."""
    cost = claude(
        "claude-sonnet-5-5",
        {
            "input_tokens": 1000,
            "cache_creation_input_tokens": 4000,
            "cache_creation": {"ephemeral_5m_input_tokens": 4000, "ephemeral_1h_input_tokens": 0},
            "cache_read_input_tokens": 20000,
            "output_tokens": 500,
        },
    )

    # 1000 x 2 + 4000 x 2.50 + 20000 x 0.10 + 500 x 10 = 2000 + 10000 + 2000 + 5000 micro-dollars
    assert money(cost) == (D("0.019"), "exact")


def test_02_openai_counts_include_their_parts():
    """Cached and written tokens of an OpenAI call are taken out of its prompt."""
    cached = gpt("gpt-6-sol", chat(1000, 500, cached_tokens=600))
    written = gpt("gpt-6-sol", chat(1000, 500, cached_tokens=600, cache_write_tokens=300))

    assert money(cached) == (D("0.00592"), "exact")  # 400 x 2 + 600 x 0.2 + 500 x 10
    assert money(written) == (D("0.00607"), "exact")  # 100 x 2 + 600 x 0.2 + 300 x 2.5 + 500 x 10


def test_03_a_missing_split_is_taken_as_five_minutes():
    """Cache writes without a split by lifetime cost the 5-minute rate, and the cost says that this is assumed."""
    cost = claude(
        "claude-opus-4-5", {"input_tokens": 0, "output_tokens": 0, "cache_creation_input_tokens": 1000}
    )

    assert money(cost) == (D("0.00625"), "estimated")
    assert cost.reasons == ("assumed_ttl",)


def test_03_a_split_smaller_than_the_total_leaves_the_rest_at_five_minutes():
    """What the split does not cover is billed as written for five minutes."""
    cost = claude(
        "claude-opus-4-5",
        {
            "input_tokens": 0,
            "output_tokens": 0,
            "cache_creation_input_tokens": 1000,
            "cache_creation": {"ephemeral_5m_input_tokens": 100, "ephemeral_1h_input_tokens": 400},
        },
    )

    assert cost.total_usd == D("0.00775")  # 600 x 6.25 + 400 x 10
    assert cost.reasons == ("assumed_ttl",)


def test_03_a_split_without_a_total_is_the_total():
    """A gateway that sends the split alone is billed by it."""
    usage = {"input_tokens": 0, "output_tokens": 0, "cache_creation": {"ephemeral_1h_input_tokens": 400}}

    assert money(claude("claude-opus-4-5", usage)) == (D("0.004"), "exact")


def test_04_openai_cache_writes_by_lifetime():
    """Writes for 12 hours cost twice those for 30 minutes: 2.5 and 1.25 times the input."""
    usage = {
        "input_tokens": 1000,
        "output_tokens": 0,
        "input_tokens_details": {
            "cached_tokens": 0,
            "cache_write_tokens": 1000,
            "cache_write_tokens_details": {"ttl_30m_tokens": 600, "ttl_12h_tokens": 400},
        },
    }

    cost = gpt("gpt-6.1-terra", usage, operation="responses", status="completed", output=[])

    assert money(cost) == (D("0.00175"), "exact")  # 600 x 1.25 + 400 x 2.50
    assert [line.unit for line in cost.lines] == ["cache_write_12h", "cache_write_30m"]


@pytest.mark.parametrize(
    ("model", "usd"),
    [
        ("claude-fable-5", "1"),
        ("claude-fable-5-1", "0.25"),
        ("claude-opus-5", "0.5"),
        ("claude-opus-5-5", "0.2"),
        ("claude-haiku-4-5", "0.1"),
    ],
)
def test_05_the_cache_read_rate_is_the_models_own(model, usd):
    """A million cached tokens cost what the model's row says, not a share of its input rate."""
    usage = {"input_tokens": 0, "output_tokens": 0, "cache_read_input_tokens": 1_000_000}

    assert claude(model, usage).total_usd == D(usd)


def test_06_reasoning_and_predictions_are_inside_the_output():
    """Reasoning, accepted and rejected prediction tokens cost nothing beside the output they are part of."""
    usage = chat(100, 900)
    usage["completion_tokens_details"] = {
        "reasoning_tokens": 700,
        "accepted_prediction_tokens": 50,
        "rejected_prediction_tokens": 60,
    }

    assert money(gpt("gpt-5.2", usage)) == (D("0.012775"), "exact")  # 100 x 1.75 + 900 x 14


def test_07_more_cached_than_prompted_is_inconsistent_and_bounded():
    """A proxy that sends parts larger than their whole gets an estimate between none and all of the prompt."""
    cost = gpt("gpt-6-sol", chat(1000, 0, cached_tokens=1500))

    assert cost.status == "inconsistent"
    assert cost.total_usd == D("0.0002")  # no more than the 1000 tokens of the prompt, all cached
    assert cost.reasons == ("inconsistent:cached_tokens",)


def test_08_null_details_are_zero():
    """Optional counters that are null count nothing."""
    usage = {**chat(10, 10), "prompt_tokens_details": None, "completion_tokens_details": None}

    assert money(gpt("gpt-4.1", usage)) == (D("0.0001"), "exact")


def test_08_a_missing_required_counter_is_unknown():
    """A response without its output count is priced in part, and says which counter it lacks."""
    cost = claude("claude-haiku-4-5", {"input_tokens": 1000})

    assert money(cost) == (D("0.001"), "partial")
    assert cost.reasons == ("missing_counter:output_tokens",)


def test_08_no_usage_is_unmeasured():
    """A response without usage has no cost, and not a cost of zero."""
    cost = gpt("gpt-4.1", None)

    assert money(cost) == (None, "unmeasured")


def test_09_an_unknown_counter_is_named():
    """A counter that the table does not know makes the cost partial; the rest is priced."""
    cost = claude("claude-haiku-4-5", {"input_tokens": 1000, "output_tokens": 0, "hologram_tokens": 7})
    nested = gpt("gpt-6-sol", chat(1000, 0, smell_tokens=5))

    assert money(cost) == (D("0.001"), "partial")
    assert cost.reasons == ("unknown_field:hologram_tokens",)
    assert nested.reasons == ("unknown_field:prompt_tokens_details.smell_tokens",)


# -- tiers, modes, places ----------------------------------------------------------------------------------------------


def test_16_anthropic_batches_halve_tokens_and_not_searches():
    """The tier `batch` in the response halves the token rates; a search costs what it costs."""
    cost = claude(
        "claude-sonnet-4-5",
        {
            "input_tokens": 1000,
            "output_tokens": 1000,
            "service_tier": "batch",
            "server_tool_use": {"web_search_requests": 2, "web_fetch_requests": 9},
        },
    )

    assert money(cost) == (D("0.029"), "exact")  # (3000 + 15000) / 2 + 2 x 0.01
    assert {line.unit: line.rules for line in cost.lines}["input"] == ("batch",)
    assert {line.unit: line.rules for line in cost.lines}["web_search"] == ()


def test_16_openai_batches_come_from_the_endpoint():
    """An OpenAI batch line says `default`: the caller knows that it is a batch."""
    cost = gpt("gpt-6-sol", chat(1000, 1000), service_tier="default", batch=True)

    assert money(cost) == (D("0.006"), "exact")  # (2000 + 10000) / 2


def test_16_what_a_batch_row_leaves_out_has_the_factor():
    """The batch table of gpt-4.1 lists no cached rate: cached input is half of the standard one, as an estimate."""
    cost = gpt("gpt-4.1", chat(1000, 1000, cached_tokens=400), batch=True)

    assert cost.total_usd == D("0.0047")  # 600 x 1 + 400 x 0.25 + 1000 x 4
    assert (cost.status, cost.reasons) == ("estimated", ("batch_factor",))


def test_16_a_batch_row_of_its_own_wins():
    """What it names is exact: gpt-4.1 without cached input, and gpt-5.4, whose cached rate is not quite half."""
    plain = gpt("gpt-4.1", chat(1000, 1000), batch=True)
    cached = gpt("gpt-5.4", chat(1000, 1000, cached_tokens=400), batch=True)

    assert (plain.status, plain.total_usd) == ("exact", D("0.005"))  # 1000 x 1 + 1000 x 4
    assert (cached.status, cached.total_usd) == (
        "exact",
        D("0.008302"),
    )  # 600 x 1.25 + 400 x 0.13 + 1000 x 7.5


@pytest.mark.parametrize(
    ("model", "tier", "usd", "status"),
    [
        ("gpt-6-sol", "default", "0.012", "exact"),
        ("gpt-6-sol", "flex", "0.006", "exact"),
        ("gpt-6-sol", "priority", "0.024", "exact"),
        ("gpt-6-sol", "fast", "0.024", "exact"),  # an echo of what was asked for means the same row
        ("gpt-4.1-mini", "priority", "0.0035", "exact"),  # 1.75 times, by its own row: 0.7 and 2.8
        ("gpt-5.5", "priority", "0.0875", "exact"),  # 2.5 times: 12.5 and 75
        ("gpt-6-sol", "scale", "0.012", "partial"),
        ("gpt-6-sol", "warp", "0.012", "partial"),
        ("gpt-6-sol", "regional_host", "0.012", "partial"),  # the name of another rule is no tier
        ("gpt-6-sol", "refusal", "0.012", "partial"),
        ("gpt-5-pro", "priority", "0.135", "partial"),  # the model has no row for it
    ],
)
def test_17_the_tier_that_served_sets_the_rate(model, tier, usd, status):
    """Flex halves, priority has a row of its own, and a tier without a row is a contract, named."""
    cost = gpt(model, chat(1000, 1000), service_tier=tier, request={"service_tier": "auto"})

    assert money(cost) == (D(usd), status)
    assert ("service_tier" in cost.reasons) == (status == "partial")


def test_17_the_response_and_not_the_request_says_the_tier():
    """A request for priority that was served as default costs the default, and both tiers are kept."""
    body = {"model": "gpt-6-sol", "usage": chat(1000, 1000), "service_tier": "default"}
    usage = openai_usage.usage_of(body, operation="chat.completions", request={"service_tier": "priority"})

    cost = PriceTable.bundled().price(usage, provider="openai", model="gpt-6-sol", at=NOON)

    assert (usage.service_tier, usage.requested_tier) == ("default", "priority")
    assert money(cost) == (D("0.012"), "exact")


def test_17_anthropic_priority_is_a_contract():
    """Anthropic's priority tier is bought by contract: the list price is named as a part of the truth."""
    cost = claude("claude-opus-5", {"input_tokens": 1000, "output_tokens": 0, "service_tier": "priority"})

    assert (cost.status, cost.reasons) == ("partial", ("service_tier",))


def test_18_fast_and_us_stack():
    """Fast mode by its own row, times 1.1 for inference in the US; rates of tokens only."""
    cost = claude(
        "claude-opus-5-5",
        {
            "input_tokens": 1000,
            "cache_creation_input_tokens": 2000,
            "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 2000},
            "output_tokens": 500,
            "speed": "fast",
            "inference_geo": "us",
            "server_tool_use": {"web_search_requests": 3},
        },
    )

    assert money(cost) == (D("0.096"), "exact")  # (8000 + 2000 x 16 + 500 x 40) x 1.1 = 66000, and 3 x 0.01


@pytest.mark.parametrize(
    ("model", "geo", "usd"),
    [
        ("claude-opus-4-6", "us", "0.0055"),
        ("claude-opus-4-6", "global", "0.005"),
        ("claude-opus-4-6", "not_available", "0.005"),
        ("claude-opus-4-6", None, "0.005"),
        ("claude-opus-4-5", "us", "0.005"),  # before 4.6 the place makes no difference
    ],
)
def test_18_the_us_cost_a_tenth_more_since_4_6(model, geo, usd):
    """`inference_geo: us` is 1.1 times on 4.6 and later, and nothing on what is older."""
    cost = claude(model, {"input_tokens": 1000, "output_tokens": 0, "inference_geo": geo})

    assert money(cost) == (D(usd), "exact")


def test_18_a_place_or_speed_without_a_row_is_named():
    """A place or speed that the table does not know makes the cost partial."""
    place = claude("claude-opus-5", {"input_tokens": 1000, "output_tokens": 0, "inference_geo": "eu"})
    speed = claude("claude-sonnet-5", {"input_tokens": 1000, "output_tokens": 0, "speed": "fast"})

    assert (place.status, place.reasons) == ("partial", ("inference_geo",))
    assert (speed.status, speed.reasons) == ("partial", ("speed",))


@pytest.mark.parametrize(
    ("model", "region", "usd"),
    [
        ("gpt-5.4", "eu", "0.01925"),  # (1000 x 2.5 + 1000 x 15) x 1.1
        ("gpt-5.4", None, "0.0175"),
        ("gpt-5.2", "eu", "0.01575"),  # released before 2026-03-05
        ("gpt-6-luna", "us", "0.00066"),
    ],
)
def test_19_regional_hosts_cost_a_tenth_more_for_newer_models(model, region, usd):
    """A regional host of OpenAI adds 10 % for models released since 2026-03-05."""
    assert gpt(model, chat(1000, 1000), region=region).total_usd == D(usd)


def test_20_long_context_is_a_cliff_for_the_whole_request():
    """One token above the threshold moves every rate of the request; cached and written tokens count towards it."""
    at = gpt("gpt-6-sol", chat(272_000, 500))
    above = gpt("gpt-6-sol", chat(272_001, 500, cached_tokens=272_000))
    written = gpt("gpt-6-sol", chat(272_001, 0, cache_write_tokens=1))

    assert money(at) == (D("0.549"), "exact")
    assert money(above) == (D("0.116304"), "exact")
    assert written.total_usd == D("1.088005")  # 272000 x 4 + 1 x 5
    assert all(line.rules == ("long_context",) for line in above.lines)


def test_20_anthropic_cache_counts_towards_the_threshold():
    """Sonnet 4.5 costs twice above 200,000 tokens of input, cache reads included."""
    usage = {"input_tokens": 1, "cache_read_input_tokens": 200_000, "output_tokens": 10}

    assert claude("claude-sonnet-4-5", usage).total_usd == D("0.120231")  # 1 x 6 + 200000 x 0.6 + 10 x 22.5


def test_20_each_pass_is_tested_alone():
    """Two passes of 150,000 tokens are not one of 300,000."""
    one = {"type": "message", "input_tokens": 150_000, "output_tokens": 0}
    usage = {"input_tokens": 300_000, "output_tokens": 0, "iterations": [one, one]}

    assert money(claude("claude-sonnet-4-5", usage)) == (D("0.9"), "exact")


# -- more than one model -----------------------------------------------------------------------------------------------


def test_21_an_advisor_is_billed_at_its_own_model():
    """Each entry of `iterations` is billed at its own model, and the top level is not looked at."""
    cost = claude(
        "claude-sonnet-5-5",
        {
            "input_tokens": 1760,
            "output_tokens": 531,
            "iterations": [
                {"type": "message", "input_tokens": 412, "output_tokens": 89},
                {
                    "type": "advisor_message",
                    "model": "claude-opus-5-5",
                    "input_tokens": 823,
                    "output_tokens": 1612,
                },
                {
                    "type": "message",
                    "input_tokens": 1348,
                    "cache_read_input_tokens": 412,
                    "output_tokens": 442,
                },
            ],
        },
    )

    assert money(cost) == (D("0.0444032"), "exact")
    assert cost.model == "claude-sonnet-5-5"
    assert {line.model for line in cost.lines} == {"claude-sonnet-5-5", "claude-opus-5-5"}


def test_21_compaction_is_not_in_the_top_level():
    """A compaction pass is billed beside the message."""
    cost = claude(
        "claude-opus-5-5",
        {
            "input_tokens": 23_000,
            "output_tokens": 1000,
            "iterations": [
                {"type": "compaction", "input_tokens": 180_000, "output_tokens": 3500},
                {"type": "message", "input_tokens": 23_000, "output_tokens": 1000},
            ],
        },
    )

    assert money(cost) == (D("0.902"), "exact")


def test_21_searches_are_billed_beside_the_iterations():
    """Iterations carry no searches: the top level's are billed too."""
    usage = {
        "input_tokens": 10,
        "output_tokens": 1,
        "server_tool_use": {"web_search_requests": 1},
        "iterations": [{"type": "message", "input_tokens": 1000, "output_tokens": 0}],
    }

    assert money(claude("claude-haiku-4-5", usage)) == (D("0.011"), "exact")


def test_21_an_unknown_advisor_is_named_and_the_rest_is_priced():
    """A pass whose model has no price makes the cost partial."""
    usage = {
        "input_tokens": 0,
        "output_tokens": 0,
        "iterations": [
            {"type": "message", "input_tokens": 1000, "output_tokens": 0},
            {"type": "advisor_message", "model": "claude-next", "input_tokens": 1000, "output_tokens": 0},
        ],
    }

    cost = claude("claude-haiku-4-5", usage)

    assert money(cost) == (D("0.001"), "partial")
    assert cost.reasons == ("unknown_model",)


FALLBACK = {
    "type": "fallback",
    "from": {"model": "claude-fable-5-1"},
    "to": {"model": "claude-opus-5"},
    "trigger": {"type": "refusal", "category": "cyber"},
}


def declined(output: int) -> dict:
    return {
        "input_tokens": 1000,
        "output_tokens": 100,
        "iterations": [
            {"type": "message", "model": "claude-fable-5-1", "input_tokens": 1000, "output_tokens": output},
            {
                "type": "fallback_message",
                "model": "claude-opus-5",
                "input_tokens": 1000,
                "output_tokens": 100,
            },
        ],
    }


def test_22_a_hop_that_declined_mid_output_is_billed():
    """What the declining model wrote is billed at its rate, and the fallback at its own."""
    cost = claude("claude-fable-5-1", declined(300), content=[FALLBACK])

    assert money(cost) == (D("0.0325"), "exact")
    assert cost.model == "claude-opus-5"  # rule 14: the model that served


def test_22_a_hop_that_declined_before_any_output_goes_by_the_refusal_rule():
    """Declined for `cyber` before any output costs nothing; for `bio` it is billed."""
    bio = {**FALLBACK, "trigger": {"type": "refusal", "category": "bio"}}

    free = claude("claude-fable-5-1", declined(1), content=[FALLBACK])
    billed = claude("claude-fable-5-1", declined(1), content=[bio])

    assert money(free) == (D("0.0075"), "exact")  # 1000 x 5 + 100 x 25
    assert money(billed) == (D("0.01755"), "exact")  # and 1000 x 10 + 1 x 50


def test_14_the_fallback_block_names_the_model_that_served():
    """Without iterations the block says who wrote the rest, whatever the message says."""
    cost = claude("claude-fable-5-1", {"input_tokens": 1000, "output_tokens": 100}, content=[FALLBACK])

    assert cost.model == "claude-opus-5"
    assert cost.total_usd == D("0.0075")


@pytest.mark.parametrize(
    ("category", "at", "output", "usd", "status"),
    [
        ("cyber", "2026-11-01", 1, "0", "free"),
        (None, "2026-11-01", 1, "0", "free"),
        ("bio", "2026-09-24", 1, "0.00505", "exact"),
        ("frontier_llm", "2026-11-01", 0, "0.005", "exact"),
        ("reasoning_extraction", "2026-11-01", 1, "0.00505", "exact"),
        ("bio", "2026-09-23", 1, "0", "free"),
        ("cyber", "2026-11-01", 2, "0.0051", "exact"),  # refused mid-output
    ],
)
def test_23_a_refusal_before_any_output(category, at, output, usd, status):
    """A refusal is free unless it wrote something, or is of a billed category since 2026-09-24."""
    usage = {"input_tokens": 500, "output_tokens": output}

    cost = claude(
        "claude-fable-5",
        usage,
        at=day(at),
        stop_reason="refusal",
        stop_details={"type": "refusal", "category": category},
    )

    assert money(cost) == (D(usd), status)


def test_24_a_redeemed_credit_makes_an_upper_bound():
    """The true cost is lower by a credit that the body does not give."""
    usage = {"input_tokens": 1000, "output_tokens": 0}

    redeemed = claude("claude-opus-5", {**usage, "fallback_credit": {"type": "redeemed"}})
    refused = claude(
        "claude-opus-5", {**usage, "fallback_credit": {"type": "not_applied", "reason": "expired"}}
    )

    assert (redeemed.status, redeemed.reasons) == ("upper_bound", ("fallback_credit",))
    assert refused.status == "exact"


def test_25_the_image_tool_bills_at_its_own_model():
    """Tokens of the image tool cost what the model in `tools[].model` costs."""
    cost = gpt(
        "gpt-6-sol",
        {"input_tokens": 1000, "output_tokens": 100},
        operation="responses",
        status="completed",
        tools=[{"type": "image_generation", "model": "gpt-image-1.5"}],
        output=[{"type": "image_generation_call", "status": "completed"}],
        tool_usage={
            "image_gen": {
                "input_tokens": 300,
                "input_tokens_details": {"image_tokens": 200, "text_tokens": 100},
                "output_tokens": 1000,
                "output_tokens_details": {"image_tokens": 1000, "text_tokens": 0},
                "total_tokens": 1300,
            },
            "web_search": {"num_requests": 0},
        },
    )

    # 1000 x 2 + 100 x 10, and 100 x 5 + 200 x 8 + 1000 x 32
    assert money(cost) == (D("0.0371"), "exact")


# -- not tokens --------------------------------------------------------------------------------------------------------


def test_26_code_execution_is_named_and_never_invented():
    """Container time is in no response: the tokens are priced, the rest is named; a fetch is free."""
    counted = claude(
        "claude-haiku-4-5",
        {
            "input_tokens": 1000,
            "output_tokens": 0,
            "server_tool_use": {"code_execution_requests": 1, "web_fetch_requests": 4},
        },
    )
    seen = claude(
        "claude-haiku-4-5",
        {"input_tokens": 1000, "output_tokens": 0},
        content=[{"type": "server_tool_use", "name": "bash"}, {"type": "bash_code_execution_tool_result"}],
    )

    assert money(counted) == money(seen) == (D("0.001"), "partial")
    assert counted.reasons == seen.reasons == ("code_execution",)


def test_26_code_execution_that_a_search_tool_brings_is_free():
    """The search and fetch tools of 2026 run code without a charge of its own."""
    cost = claude(
        "claude-haiku-4-5",
        {"input_tokens": 1000, "output_tokens": 0},
        content=[{"type": "code_execution_tool_result"}],
        container={"id": "c"},
        request={"tools": [{"type": "web_search_20260209", "name": "web_search"}]},
    )

    assert cost.status == "exact"


def test_27_openai_searches_are_counted_by_their_action():
    """Opened pages and failed searches cost nothing."""
    cost = gpt(
        "gpt-6-sol",
        {"input_tokens": 1000, "output_tokens": 500},
        operation="responses",
        status="completed",
        tools=[{"type": "web_search"}],
        output=[SEARCH, SEARCH, SEARCH, OPEN_PAGE, FAILED],
    )

    assert money(cost) == (D("0.037"), "exact")


def test_27_tool_usage_knows_best():
    """The number of billed searches in the body wins over counting them."""
    cost = gpt(
        "gpt-6-sol",
        {"input_tokens": 1000, "output_tokens": 500},
        operation="responses",
        status="completed",
        tools=[{"type": "web_search"}],
        output=[SEARCH, SEARCH, SEARCH],
        tool_usage={"web_search": {"num_requests": 1}},
    )

    assert cost.total_usd == D("0.017")


@pytest.mark.parametrize(
    ("model", "tool", "usd"),
    [
        ("gpt-4o", "web_search_preview", "0.025"),
        ("gpt-4.1-mini", "web_search_preview_2025_03_11", "0.025"),
        ("o4-mini", "web_search_preview", "0.01"),
        ("gpt-4o", "web_search", "0.01"),
        ("gpt-4o", "web_search_2025_08_26", "0.01"),
    ],
)
def test_27_the_preview_tool_costs_more_on_models_that_do_not_reason(model, tool, usd):
    """25 USD per 1,000 for the preview tool on non-reasoning models, 10 otherwise (rule 39)."""
    cost = gpt(
        model,
        {"input_tokens": 0, "output_tokens": 0},
        operation="responses",
        status="completed",
        tools=[{"type": tool}],
        output=[SEARCH],
    )

    assert cost.total_usd == D(usd)


def test_28_file_search_per_call_and_containers_named():
    """A file search costs a quarter of a cent; a code interpreter session is named."""
    cost = gpt(
        "gpt-5-mini",
        {"input_tokens": 1000, "output_tokens": 0},
        operation="responses",
        status="completed",
        output=[{"type": "file_search_call", "status": "completed"}, {"type": "code_interpreter_call"}],
    )

    assert money(cost) == (D("0.00275"), "partial")
    assert cost.reasons == ("code_interpreter",)


def test_29_transcriptions_by_the_second():
    """A minute of whisper-1 costs 0.6 cents, and a fraction of a second its fraction."""
    minute = gpt("whisper-1", {"type": "duration", "seconds": 60}, operation="audio.transcriptions")
    short = gpt("whisper-1", {"type": "duration", "seconds": 2.5}, operation="audio.transcriptions")

    assert money(minute) == (D("0.006"), "exact")
    assert money(short) == (D("0.00025"), "exact")


@pytest.mark.parametrize(
    ("model", "day", "usd"),
    [
        ("gpt-4o-transcribe", "2026-05-12", "0.001025"),  # 10 x 2.5 + 100 x 6 + 40 x 10
        ("gpt-4o-transcribe", "2026-05-13", "0.000675"),  # 110 x 2.5 + 40 x 10: one rate for all input
        ("gpt-4o-transcribe-diarize", "2026-11-23", "0.000675"),
        ("gpt-4o-mini-transcribe", "2026-03-17", "0.0005125"),  # 10 x 1.25 + 100 x 3 + 40 x 5
        ("gpt-4o-mini-transcribe", "2026-11-23", "0.0003375"),  # 110 x 1.25 + 40 x 5
    ],
)
def test_29_transcriptions_by_the_token(model, day, usd):
    """Token-billed transcriptions read the singular `input_token_details`."""
    usage = {
        "type": "tokens",
        "input_tokens": 110,
        "input_token_details": {"audio_tokens": 100, "text_tokens": 10},
        "output_tokens": 40,
        "total_tokens": 150,
    }

    cost = gpt(
        model, usage, operation="audio.transcriptions", at=datetime.fromisoformat(f"{day}T00:00:00+00:00")
    )

    assert cost.total_usd == D(usd)
    assert (cost.status, cost.reasons) == ("estimated", ("disputed_rate",))  # public tables disagree on it


def test_29_a_model_measured_in_another_unit_is_unpriced():
    """whisper-1 is sold by the second: tokens of it have no price, and not a price of zero."""
    tokens = {"type": "tokens", "input_tokens": 100, "output_tokens": 10}

    wrong = gpt("whisper-1", tokens, operation="audio.transcriptions")
    reverse = gpt("gpt-4o-transcribe", {"type": "duration", "seconds": 60}, operation="audio.transcriptions")

    assert money(wrong) == money(reverse) == (None, "unpriced")
    assert reverse.reasons == ("unpriced_unit:second",)


def test_30_pictures_by_text_and_picture_tokens():
    """The model of pictures comes from the request."""
    usage = {
        "input_tokens": 300,
        "input_tokens_details": {"text_tokens": 100, "image_tokens": 200},
        "output_tokens": 1000,
        "total_tokens": 1300,
    }

    cost = gpt(None, usage, operation="images", requested="gpt-image-1", created=1, data=[{}])

    assert money(cost) == (D("0.0425"), "exact")  # 100 x 5 + 200 x 10 + 1000 x 40


def test_30_pictures_by_size_and_quality():
    """Models before gpt-image-1 are sold by the picture."""
    two = gpt(
        None,
        None,
        operation="images",
        requested="dall-e-3",
        data=[{}, {}],
        request={"size": "1792x1024", "quality": "hd"},
    )
    odd = gpt(None, None, operation="images", requested="dall-e-3", data=[{}], request={"size": "9x9"})

    assert money(two) == (D("0.24"), "exact")
    assert money(odd) == (None, "unpriced")


def test_30_speech_by_the_character_or_token():
    """tts-1 by the characters of the request; a token model that reports none is unpriced."""
    spoken = {"input": "x" * 1000}

    characters = gpt("tts-1", None, operation="audio.speech", request=spoken)
    hd = gpt("tts-1-hd", None, operation="audio.speech", request=spoken)
    silent = gpt("gpt-4o-mini-tts", None, operation="audio.speech", request=spoken)
    streamed = gpt("gpt-4o-mini-tts", {"input_tokens": 10, "output_tokens": 93}, operation="audio.speech")

    assert money(characters) == (D("0.015"), "exact")
    assert money(hd) == (D("0.03"), "exact")
    assert money(silent) == (None, "unpriced")
    assert money(streamed) == (D("0.001122"), "exact")  # 10 x 0.6 + 93 x 12


@pytest.mark.parametrize(
    ("model", "size", "status", "usd", "kind"),
    [
        ("sora-2", "1280x720", "completed", "0.8", "exact"),
        ("sora-2-pro", "1024x1792", "completed", "4", "exact"),
        ("sora-2", "1280x720", "failed", "0", "free"),
        ("sora-2", "1280x720", "in_progress", None, "unmeasured"),
        ("sora-2", "1024x1792", "completed", None, "unpriced"),
    ],
)
def test_30_videos_by_second_and_size_once_they_are_done(model, size, status, usd, kind):
    """Eight seconds of video cost by their size, and only when completed."""
    cost = gpt(model, None, operation="videos", status=status, seconds="8", size=size)

    assert money(cost) == (D(usd) if usd else None, kind)


def test_31_embeddings_and_moderations():
    """Embeddings cost their input; moderations are free, a true zero."""
    usage = {"prompt_tokens": 1000, "total_tokens": 1000}

    embedding = gpt("text-embedding-3-small", usage, operation="embeddings")
    moderation = gpt("omni-moderation-latest", None, operation="moderations")

    assert money(embedding) == (D("0.00002"), "exact")
    assert money(moderation) == (D(0), "free")


def test_31_a_background_response_has_no_usage_yet():
    """A queued response is unmeasured; its end is what bills."""
    queued = gpt("gpt-6-sol", None, operation="responses", status="queued")

    assert queued.status == "unmeasured"


@pytest.mark.parametrize(
    ("usage", "usd"),
    [
        ({**chat(10, 10), "cost": 0.00042}, "0.00042"),
        ({**chat(10, 10), "cost": {"total_cost": 0.005}}, "0.005"),
        ({**chat(10, 10), "cost_in_usd_ticks": 2733250}, "0.000273325"),
        (
            {
                **chat(10, 10),
                "cost": 0.0001,
                "is_byok": True,
                "cost_details": {"upstream_inference_cost": 0.002},
            },
            "0.0021",
        ),
    ],
)
def test_32_the_gateways_own_cost_wins(usage, usd):
    """What OpenRouter, Perplexity or xAI print is the cost, known model or not."""
    cost = gpt("meta/whatever", usage, provider="openrouter")

    assert money(cost) == (D(usd), "exact")
    assert cost.reasons == ("gateway",)
    assert sum(line.amount_usd for line in cost.lines) == cost.total_usd


# -- who is selling ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answered", "requested", "usd", "status"),
    [
        ("claude-haiku-4-5-20251001", "us.anthropic.claude-haiku-4-5-20251001-v1:0", "0.0011", "exact"),
        ("claude-haiku-4-5-20251001", "global.anthropic.claude-haiku-4-5-20251001-v1:0", "0.001", "exact"),
        ("claude-haiku-4-5-20251001", "anthropic.claude-haiku-4-5-20251001-v1:0", "0.0011", "exact"),
        ("claude-haiku-4-5-20251001", None, "0.0011", "estimated"),
        ("anthropic.claude-3-5-sonnet-20241022-v2:0", None, "0.003", "exact"),
        ("eu.anthropic.claude-opus-4-6-v1", None, "0.0055", "exact"),
        (
            "claude-sonnet-4-5-20250929",
            "arn:aws:bedrock:us-east-1:1234:inference-profile/global.anthropic.claude-sonnet-4-5-20250929-v1:0",
            "0.003",
            "exact",
        ),
    ],
)
def test_33_bedrock_by_its_profile(answered, requested, usd, status):
    """A regional profile costs a tenth more than the global one; an unknown one is an estimate."""
    cost = claude(
        answered, {"input_tokens": 1000, "output_tokens": 0}, provider="bedrock", requested=requested
    )

    assert money(cost) == (D(usd), status)
    assert cost.model.startswith("bedrock/claude-")


@pytest.mark.parametrize(
    ("provider", "region", "usd", "status"),
    [
        ("vertex", "global", "0.004", "exact"),
        ("vertex", "europe-west1", "0.0044", "exact"),
        ("vertex", None, "0.004", "estimated"),
        ("foundry", None, "0.004", "exact"),
    ],
)
def test_33_vertex_and_foundry(provider, region, usd, status):
    """Vertex's regional endpoints cost a tenth more; Foundry sells at Anthropic's price."""
    usage = {"input_tokens": 1000, "output_tokens": 0}

    cost = claude("claude-opus-5-5", usage, provider=provider, region=region)

    assert money(cost) == (D(usd), status)
    assert cost.model == f"{provider}/claude-opus-5-5"


def test_33_azure_is_an_estimate_unless_the_deployment_is_known():
    """Global, data zone and regional deployments differ by a tenth, and no response says which it was."""
    unknown = gpt("gpt-4o-2024-08-06", chat(1000, 0), provider="azure")
    known = gpt("gpt-4o-2024-08-06", chat(1000, 0), provider="azure", region="data_zone")

    assert money(unknown) == (D("0.0025"), "estimated")
    assert (unknown.model, unknown.reasons) == ("azure/gpt-4o", ("deployment_type",))
    assert money(known) == (D("0.00275"), "exact")


def test_33_foundry_sells_openai_models_as_azure_does():
    """At Foundry, too, OpenAI's models have deployment types, and Anthropic's have not."""
    unknown = gpt("gpt-5-nano", chat(1000, 0), provider="foundry")
    zone = gpt("gpt-5-nano", chat(1000, 0), provider="foundry", region="data_zone")

    assert (unknown.total_usd, unknown.reasons) == (D("0.00005"), ("deployment_type",))
    assert money(zone) == (D("0.000055"), "exact")


def test_33_an_unknown_seller_is_never_billed_as_openai():
    """A gpt-4o behind somebody's own URL has no price until the user gives it one."""
    cost = gpt("gpt-4o", chat(1000, 0), provider="llm.example.com")

    assert money(cost) == (None, "unpriced")
    assert (cost.model, cost.reasons) == ("llm.example.com/gpt-4o", ("unknown_seller",))


def test_33_local_is_free_because_the_user_says_so():
    """`local` is an explicit zero."""
    cost = gpt("llama-4", chat(1000, 1000), provider="local")

    assert money(cost) == (D(0), "free")
    assert cost.model == "local/llama-4"


def test_34_fine_tunes_cost_their_own_rate_and_lose_their_organisation():
    """`ft:base:org::id` is billed at the base's fine-tune rates; its label names no organisation."""
    cost = gpt("ft:gpt-4o-mini-2024-07-18:acme:summaries:9abc", chat(1000, 1000))
    unknown = gpt("ft:gpt-9:acme::9abc", chat(1000, 1000))

    assert money(cost) == (D("0.0015"), "exact")  # 1000 x 0.3 + 1000 x 1.2
    assert cost.model == "ft:gpt-4o-mini"
    assert (unknown.model, unknown.status) == ("ft:gpt-9", "unpriced")


@pytest.mark.parametrize(
    ("model", "at", "usd"),
    [
        ("o3", "2025-06-09", "0.0334"),  # 600 x 10 + 400 x 2.50 + 660 x 40
        ("o3", "2025-06-10", "0.00668"),  # 600 x 2 + 400 x 0.50 + 660 x 8
        ("gpt-5.6-luna", "2026-07-29", "0.0046"),  # 600 x 1 + 400 x 0.10 + 660 x 6
        ("gpt-5.6-luna", "2026-07-30", "0.00092"),  # a fifth of it
        ("claude-opus-4-6", "2026-03-12", "0.0199"),
    ],
)
def test_36_the_price_is_that_of_the_day(model, at, usd):
    """Before a price change the old rate holds, to the day in UTC."""
    if model.startswith("claude"):
        cost = claude(model, {"input_tokens": 680, "output_tokens": 660}, at=day(at))
    else:
        cost = gpt(model, chat(1000, 660, cached_tokens=400), at=day(at))

    assert money(cost) == (D(usd), "exact")


def test_36_a_long_context_price_that_was_dropped():
    """Opus 4.6 cost twice above 200,000 tokens until 2026-03-13."""
    usage = {"input_tokens": 200_001, "output_tokens": 0}

    before = claude("claude-opus-4-6", usage, at=day("2026-03-12"))
    after = claude("claude-opus-4-6", usage, at=day("2026-03-13"))

    assert (before.total_usd, after.total_usd) == (D("2.00001"), D("1.000005"))


def test_36_a_tier_before_it_was_recorded_is_carried_back():
    """Priority rates before the day they were verified are those of that day, as an estimate."""
    early = gpt("gpt-4o", chat(14, 8), service_tier="priority", at=day("2026-03-11"))
    flex = gpt("gpt-5", chat(53, 469), service_tier="flex", at=day("2025-09-16"))

    assert money(early) == (D("0.0001955"), "estimated")  # 14 x 4.25 + 8 x 17
    assert early.reasons == ("tier_history",)
    assert money(flex) == (
        D("0.002378125"),
        "exact",
    )  # half of 53 x 1.25 + 469 x 10: documented since it exists


# -- from recorded responses -------------------------------------------------------------------------------------------


def test_37_a_split_of_zeros_does_not_lose_the_writes():
    """With server tools the split covers only a part of the writes: the flat field is what is billed."""
    cost = claude(
        "claude-3-haiku-20240307",
        {
            "input_tokens": 0,
            "output_tokens": 0,
            "cache_creation_input_tokens": 12_174,
            "cache_creation": {"ephemeral_5m_input_tokens": 291, "ephemeral_1h_input_tokens": 0},
        },
    )

    assert cost.total_usd == D("0.0036522")  # 12174 x 0.3


def test_38_a_sum_over_passes_is_not_tested_against_the_cliff():
    """A server-tool loop reports more tokens than the model can read: base rates, as an estimate."""
    usage = {
        "input_tokens": 950_648,
        "output_tokens": 0,
        "server_tool_use": {"web_search_requests": 10, "web_fetch_requests": 0},
    }

    cost = claude("claude-sonnet-4-5", usage)

    assert money(cost) == (D("2.951944"), "estimated")  # 950648 x 3 + 10 x 0.01
    assert cost.reasons == ("summed_passes",)


def test_39_azure_leaves_searches_searching():
    """A search that Azure leaves at `searching` is a search."""
    cost = gpt(
        "gpt-5-mini",
        {"input_tokens": 0, "output_tokens": 0},
        operation="responses",
        provider="azure",
        region="global",
        status="completed",
        tools=[{"type": "web_search"}],
        output=[{**SEARCH, "status": "searching"}],
    )

    assert money(cost) == (D("0.01"), "exact")


def test_41_reasoning_outside_the_completion_is_added():
    """xAI's chat counts reasoning beside `completion_tokens`; `total_tokens` tells."""
    usage = {
        "prompt_tokens": 10,
        "completion_tokens": 20,
        "total_tokens": 130,
        "completion_tokens_details": {"reasoning_tokens": 100},
    }

    read = openai_usage.usage_of({"usage": usage}, operation="chat.completions")

    assert read.tokens() == {"input": 10, "output": 120}
    assert read.reasoning_tokens == 100


@pytest.mark.parametrize("operation", ["audio.transcriptions", "audio.translations"])
def test_42_a_bare_string_is_unmeasured(operation):
    """Text formats return no usage: unmeasured, not zero."""
    assert openai_usage.usage_of("Hello.", operation=operation, request={"model": "whisper-1"}) is None


def test_43_pictures_without_usage_are_named():
    """An image tool whose tokens the body does not give makes the cost a part, named."""
    cost = gpt(
        "gpt-5",
        {"input_tokens": 1000, "output_tokens": 0},
        operation="responses",
        status="completed",
        output=[{"type": "image_generation_call", "status": "completed"}],
    )

    assert money(cost) == (D("0.00125"), "partial")
    assert cost.reasons == ("image_generation",)


def test_13_a_stream_that_was_cut_is_a_lower_bound():
    """What is known of a cut stream is a floor."""
    cost = claude("claude-haiku-4-5", {"input_tokens": 1000, "output_tokens": 1}, complete=False)

    assert money(cost) == (D("0.001005"), "lower_bound")
    assert cost.reasons == ("incomplete",)


def test_both_bounds_make_an_estimate():
    """A floor of what is at most too high is neither."""
    usage = {"input_tokens": 1000, "output_tokens": 1, "fallback_credit": {"type": "redeemed"}}

    assert claude("claude-haiku-4-5", usage, complete=False).status == "estimated"


# -- names -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "known"),
    [
        ("claude-opus-4-5", True),
        ("claude-opus-4-5-20251101", True),
        ("CLAUDE-OPUS-4-5", True),
        ("claude-opus-4-55", False),
        ("claude-opus-4-5-20991231", False),
        ("gpt-4o-2024-05-13", True),
        ("gpt-4o-2025-01-01", False),
        ("gpt-6-sol-2026-10-01", True),  # the source lists the pattern
        ("gpt-6-sol-2027-01-01", False),  # a snapshot of a day that has not been
        ("gpt-6-solar", False),
        ("", False),
        (None, False),
    ],
)
def test_a_name_is_matched_whole(model, known):
    """An exact id, a listed alias or an anchored pattern; never a prefix."""
    provider = "anthropic" if model and model.lower().startswith("claude") else "openai"

    assert PriceTable.bundled().knows(provider, model, NOON) is known


def test_a_snapshot_may_cost_more_than_its_family():
    """gpt-4o-2024-05-13 costs twice gpt-4o."""
    assert gpt("gpt-4o-2024-05-13", chat(1000, 0)).total_usd == 2 * gpt("gpt-4o", chat(1000, 0)).total_usd


def test_zero_usage_costs_nothing_exactly():
    """No tokens, no dollars, and that is exact."""
    cost = PriceTable.bundled().price(
        Usage((Pass({}),)), provider="anthropic", model="claude-haiku-4-5", at=NOON
    )

    assert money(cost) == (D(0), "exact")


def test_the_result_carries_its_table():
    """Version and hash of the table stand on every cost, known or not."""
    table = PriceTable.bundled()

    for cost in (gpt("gpt-4o", chat(1, 1)), gpt("gpt-4o", None), gpt("gpt-none", chat(1, 1))):
        assert (cost.table_version, cost.table_sha256) == (table.version, table.sha256)


def test_a_naive_time_is_named():
    """A time without its zone is taken as UTC, and the cost says so."""
    cost = gpt("gpt-4o", chat(1000, 0), at=datetime(2026, 11, 23, 12))

    assert money(cost) == (D("0.0025"), "estimated")
    assert cost.reasons == ("naive_time",)
