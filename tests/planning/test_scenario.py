"""Scenarios and what comes of them: shares, ranges, mixes, growth, sensitivity."""

from dataclasses import replace
from decimal import Decimal, getcontext, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.planning.tables import AT, bundled
from tracked_inference.errors import ConfigurationError, UnpricedModelError
from tracked_inference.planning import Range, Scenario, compare


def scenario(**changes):
    words = {
        "feature": "document_summarisation",
        "models": "claude-sonnet-4-5",
        "monthly_users": 10_000,
        "requests_per_user_per_day": 3,
        "input_tokens": 8000,
        "output_tokens": 500,
    }
    return Scenario(**{**words, **changes})


def month(**changes):
    return scenario(**changes).estimate(bundled(), AT).per_month_usd


def test_every_unit_of_time_and_of_people():
    """900,000 calls at $0.0315 a month; a user has 90 of them, a day 30,000, a year twelve months."""
    found = scenario().estimate(bundled(), AT)

    assert [
        one.expected
        for one in (
            found.calls_per_month,
            found.per_call_usd,
            found.per_user_month_usd,
            found.per_day_usd,
            found.per_month_usd,
            found.per_year_usd,
        )
    ] == [900_000, Decimal("0.0315"), Decimal("2.835"), 945, 28_350, 340_200]


@pytest.mark.parametrize(
    ("changes", "dollars"),
    [
        ({"daily_share": 0.2}, 5670),  # a fifth of 28,350
        ({"cached_share": 0.75}, 13_770),  # 900,000 x (2,000 x 3e-6 + 6,000 x 0.3e-6 + 500 x 15e-6)
        ({"cache_write_share": 0.5}, 31_050),  # 900,000 x (4,000 x 3e-6 + 4,000 x 3.75e-6 + 0.0075)
        ({"cache_write_share": 0.5, "cache_lifetime": "1h"}, 39_150),  # 4,000 x 6e-6 instead
        ({"batch_share": 1}, 14_175),  # half of 28,350
        ({"batch_share": 0.5}, 21_262.5),  # the mean of whole and half
        ({"retry_rate": 0.05}, 29_767.5),  # 28,350 x 1.05
        (
            {"models": {"claude-sonnet-4-5": 0.2, "claude-haiku-4-5": 0.8}},
            13_230,
        ),  # 0.2 x 28,350 + 0.8 x 9,450
        ({"days": 31}, 29_295),  # 31 x 945
        ({"monthly_users": None, "requests_per_user_per_day": None, "requests_per_day": 1000}, 945),
    ],
)
def test_each_assumption_moves_the_month_by_what_it_says(changes, dollars):
    """Worked out by hand from $3, $0.30, $3.75, $6 and $15 a million."""
    assert month(**changes).expected == Decimal(str(dollars))


def test_a_year_grows_month_by_month():
    """With 10 % growth a month, twelve months are 21.384283767210 first months."""
    found = scenario(growth_per_month=0.1).estimate(bundled(), AT)

    assert found.per_year_usd.expected == 28_350 * Decimal("21.38428376721")
    assert found.per_month_usd.expected == 28_350


def test_a_range_goes_through_to_the_result():
    """4,000, 8,000 and 20,000 tokens in: 900,000 x $0.0195, $0.0315, $0.0675."""
    assert month(input_tokens=(4000, 8000, 20_000)) == Range(
        Decimal(17_550), Decimal(28_350), Decimal(60_750)
    )


def test_the_cheap_end_of_a_share_that_saves_is_its_high_end():
    """More from the cache is cheaper: the low month has three quarters cached, the high one nothing."""
    assert month(cached_share=(0, 0.5, 0.75)) == Range(Decimal(13_770), Decimal(18_630), Decimal(28_350))


def test_the_cheap_end_of_a_mix_leans_to_the_cheap_model():
    """Between 60 and 90 % on the model at $9,450, the rest on the one at $28,350."""
    found = month(models={"claude-sonnet-4-5": (0.1, 0.2, 0.4), "claude-haiku-4-5": (0.6, 0.8, 0.9)})

    # 0.9 x 9,450 + 0.1 x 28,350; 0.8 and 0.2; 0.6 and 0.4
    assert found == Range(Decimal(11_340), Decimal(13_230), Decimal(17_010))


def test_a_range_that_crosses_a_long_context_threshold_says_so():
    """The dear end is not the rate times the tokens; it is a dearer rate, and the estimate names the model."""
    found = scenario(models="gpt-6-sol", input_tokens=(1000, 200_000, 272_001)).estimate(bundled(), AT)

    assert found.per_call_usd.high == Decimal("1.095504")
    assert found.remarks == (
        "gpt-6-sol: a call of 272,001 input tokens is above the long-context threshold, which makes all of it dearer",
    )


def test_what_was_not_said_is_said():
    """An assumption that nobody made is printed with the estimate; one that was made is not."""
    silent, told = scenario(), scenario(daily_share=0.2, cached_share=0, retry_rate=0, growth_per_month=0)

    assert (
        "every monthly user comes every day (say daily_share)" in silent.estimate(bundled(), AT).assumptions
    )
    assert told.estimate(bundled(), AT).assumptions == ()


def test_the_sensitivity_list_says_what_a_thousand_tokens_are_worth():
    """900,000 calls x 1,000 tokens x $0.000003 = $2,700 a month, and so on; the largest first."""
    found = {one.change: one.per_month_usd for one in scenario().estimate(bundled(), AT).sensitivity()}

    assert found == {
        "+1 request per user and day": 9450,
        "+1,000 monthly users": 2835,
        "10 points fewer of the monthly users on a day": -2835,
        "+1,000 input tokens": 2700,
        "10 points more of the input read from a cache": -1944,  # 900,000 x 800 x $2.7e-6
        "10 points more of the calls in batches": Decimal("-1417.5"),
        "+100 output tokens": 1350,
        "1 point more of the calls made twice": Decimal("283.5"),
    }
    assert [abs(value) for value in found.values()] == sorted(map(abs, found.values()), reverse=True)


def test_ten_times_the_users_cost_ten_times_as_much_a_month_and_the_same_each():
    """No rate depends on how many people there are."""
    found = scenario().estimate(bundled(), AT).times(10)

    assert found.per_month_usd.expected == 283_500
    assert found.per_user_month_usd.expected == Decimal("2.835")


def test_models_are_compared_cheapest_first():
    """The same calls on each model, by hand: gpt-5-mini 0.25/2, gpt-5 1.25/10, claude-opus-5-5 4/20 dollars a million."""
    found = compare(scenario(), ["claude-opus-5-5", "gpt-5", "gpt-5-mini"], bundled(), AT)

    assert [(one.models[0].model, one.per_month_usd.expected) for one in found] == [
        ("gpt-5-mini", 2700),
        ("gpt-5", 13_500),
        ("claude-opus-5-5", 37_800),
    ]


def test_an_estimate_names_its_table():
    """Which prices an estimate was made with can be told later."""
    found = scenario().estimate(bundled(), AT)

    assert (found.price_table, found.price_table_sha256, found.at) == (
        bundled().version,
        bundled().sha256,
        AT,
    )


def test_the_context_of_the_application_does_not_round_it():
    """An application that works with six digits gets the same cents."""
    with localcontext() as context:
        context.prec = 6
        found = month(monthly_users=12_345_678)

        assert getcontext().prec == 6
    # 12,345,678 x 90 x 0.0315
    assert found.expected == Decimal("34999997.13")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"daily_share": 20}, "20 per cent is 0.2"),
        ({"cached_share": 0.7, "cache_write_share": 0.4}, "parts of the same input"),
        ({"input_tokens": (8000, 4000, 20_000)}, "must rise from low over expected to high"),
        ({"input_tokens": (1, 2)}, "must be one number, or three"),
        ({"input_tokens": {"low": 1, "high": 2}}, "low, expected and high"),
        ({"output_tokens": -1}, "output_tokens=-1"),
        ({"models": {"claude-sonnet-4-5": 0.5, "gpt-5": 0.4}}, "must add up to 1"),
        ({"models": {}}, "models is empty"),
        ({"requests_per_day": 5}, "say the traffic once"),
        ({"monthly_users": None}, "needs monthly_users"),
        ({"cache_lifetime": "2h", "cache_write_share": 0.1}, "cache_lifetime='2h'"),
        ({"days": 0}, "no month"),
    ],
)
def test_a_contradiction_is_refused(changes, words):
    """The message says which words contradict each other."""
    with pytest.raises(ConfigurationError, match=words):
        month(**changes)


def test_a_kind_of_token_without_a_price_is_not_left_out_of_the_sum():
    """OpenAI sells no five-minute caches: the estimate refuses instead of pricing the rest."""
    with pytest.raises(UnpricedModelError, match="cache_write_5m"):
        month(models="gpt-5", cache_write_share=0.5, cache_lifetime="5m")


amounts = st.integers(0, 200_000)
parts = st.integers(0, 50).map(lambda number: Decimal(number) / 100)
models = st.sampled_from(
    ["claude-sonnet-4-5", "claude-haiku-5-5", "gpt-5", "gpt-6-sol", "bedrock/claude-sonnet-4-5"]
)


@given(models, st.tuples(amounts, amounts), st.integers(0, 10_000), parts, parts)
def test_more_is_never_cheaper(model, tokens, more, cached, batched):
    """More tokens, calls or retries never lower a month; a cached or batched share never raises it above list."""
    tokens_in, tokens_out = tokens
    base = scenario(models=model, input_tokens=tokens_in, output_tokens=tokens_out)
    plain = base.estimate(bundled(), AT).per_month_usd.expected
    saved = (
        replace(base, cached_share=cached, batch_share=batched).estimate(bundled(), AT).per_month_usd.expected
    )
    longer = replace(base, input_tokens=tokens_in + more).estimate(bundled(), AT).per_month_usd.expected
    chattier = replace(base, output_tokens=tokens_out + more).estimate(bundled(), AT).per_month_usd.expected

    assert saved <= plain <= min(longer, chattier)


@given(st.integers(0, 100_000), st.integers(0, 100_000))
def test_users_add_up(some, others):
    """Two groups of users cost together what they cost apart."""
    apart = month(monthly_users=some).expected + month(monthly_users=others).expected

    assert month(monthly_users=some + others).expected == apart


@given(st.tuples(amounts, amounts, amounts).map(sorted), st.tuples(parts, parts, parts).map(sorted), models)
def test_the_ends_enclose_what_is_expected(tokens, shares, model):
    """Low is never above expected and expected never above high."""
    found = month(models=model, input_tokens=tokens, cached_share=shares, batch_share=shares)

    assert found.low <= found.expected <= found.high
