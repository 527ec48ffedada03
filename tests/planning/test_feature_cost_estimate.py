"""`FeatureCostEstimate`: four numbers and a model, with the keys and the rounding that were promised."""

from decimal import Decimal

import pytest

from tracked_inference import FeatureCostEstimate
from tracked_inference.errors import ConfigurationError, UnpricedModelError


@pytest.fixture
def summary():
    return FeatureCostEstimate(
        feature_name="document_summarisation",
        monthly_active_users=10_000,
        requests_per_user_per_day=3.0,
        description="Summarise uploaded documents on the dashboard",
    )


def test_the_frontier_model_of_the_article_costs_28350_dollars_a_month(summary):
    """10,000 users x 3 a day x 30 days x (8,000 x $0.000003 + 500 x $0.000015) = 900,000 x $0.0315."""
    found = summary.estimate_ai_cost(
        model="claude-sonnet-4-5",
        avg_input_tokens=8000,
        avg_output_tokens=500,
        input_cost_per_token=0.000003,
        output_cost_per_token=0.000015,
    )

    assert found == {
        "feature": "document_summarisation",
        "model": "claude-sonnet-4-5",
        "requests_per_month": 900_000,
        "cost_per_request_usd": 0.0315,
        "monthly_cost_usd": 28_350.00,
        "annual_cost_usd": 340_200.00,
        "cost_per_mau_per_month": 2.835,
    }


def test_the_smaller_model_of_the_article_costs_7560_dollars_a_month(summary):
    """900,000 x (8,000 x $0.0000008 + 500 x $0.000004) = 900,000 x $0.0084."""
    found = summary.estimate_ai_cost("claude-haiku-4-5", 8000, 500, 0.0000008, 0.000004)

    assert (found["monthly_cost_usd"], found["annual_cost_usd"], found["cost_per_mau_per_month"]) == (
        7560.0,
        90_720.0,
        0.756,
    )


def test_the_keys_come_in_the_order_of_the_article_and_are_plain_numbers(summary):
    """The dict can be written as JSON as it is."""
    found = summary.estimate_ai_cost("any", 8000, 500, 0.000003, 0.000015)

    assert [(key, type(value)) for key, value in found.items()] == [
        ("feature", str),
        ("model", str),
        ("requests_per_month", int),
        ("cost_per_request_usd", float),
        ("monthly_cost_usd", float),
        ("annual_cost_usd", float),
        ("cost_per_mau_per_month", float),
    ]


def test_without_rates_the_price_table_says_them(summary):
    """claude-haiku-4-5 is listed at $1 and $5 a million: 900,000 x (0.008 + 0.0025) = $9,450."""
    assert summary.estimate_ai_cost("claude-haiku-4-5", 8000, 500)["monthly_cost_usd"] == 9450.0


def test_one_given_rate_stands_beside_the_listed_other(summary):
    """Output as listed at $15 a million, input free: 900,000 x 500 x $0.000015 = $6,750."""
    found = summary.estimate_ai_cost("claude-sonnet-4-5", 8000, 500, input_cost_per_token=0)

    assert found["monthly_cost_usd"] == 6750.0


def test_a_call_above_the_long_context_threshold_is_dearer_as_a_whole():
    """gpt-6-sol at 272,001 tokens costs twice the input and 1.5 times the output rate of one at 272,000."""
    once = FeatureCostEstimate("long", 1, 1, "")

    short = once.estimate_ai_cost("gpt-6-sol", 272_000, 500)["cost_per_request_usd"]
    long = once.estimate_ai_cost("gpt-6-sol", 272_001, 500)["cost_per_request_usd"]

    # $2 and $10 a million: 272,000 x 2e-6 + 500 x 10e-6; then 272,001 x 4e-6 + 500 x 15e-6
    assert (short, long) == (0.549, 1.095504)


def test_nobody_costs_nothing_for_nobody():
    """Without users there is no cost per user, and nothing is divided by zero."""
    found = FeatureCostEstimate("x", 0, 3.0, "").estimate_ai_cost("m", 8000, 500, 0.1, 0.1)

    assert (found["monthly_cost_usd"], found["cost_per_mau_per_month"]) == (0.0, 0)


def test_the_arithmetic_is_that_of_written_decimals():
    """A tenth of a request is a tenth: 10 users x 0.1 x 30 days is exactly 30 requests, at 3 x $0.1 each $9."""
    found = FeatureCostEstimate("x", 10, 0.1, "").estimate_ai_cost("m", 3, 0, 0.1, 0)

    assert (found["requests_per_month"], found["monthly_cost_usd"]) == (30, 9.0)


def test_a_model_in_house_is_free(summary):
    """`local/` models cost nothing to call."""
    assert summary.estimate_ai_cost("local/qwen2.5-coder-32b", 8000, 500)["monthly_cost_usd"] == 0.0


def test_an_unknown_model_is_refused_with_the_nearest_names(summary):
    """It never costs zero by mistake."""
    with pytest.raises(UnpricedModelError, match="did you mean claude-sonnet-4-5"):
        summary.estimate_ai_cost("claude-sonet-4-5", 8000, 500)


def test_decimal_rates_are_taken_as_they_are(summary):
    """A rate may be exact."""
    found = summary.estimate_ai_cost("m", 8000, 500, Decimal("0.000003"), Decimal("0.000015"))

    assert found["monthly_cost_usd"] == 28_350.0


@pytest.mark.parametrize("tokens", [-1, float("nan"), float("inf"), "8000", True])
def test_what_is_no_count_of_tokens_is_refused(summary, tokens):
    """The message names the argument."""
    with pytest.raises(ConfigurationError, match="avg_input_tokens"):
        summary.estimate_ai_cost("m", tokens, 500, 0.1, 0.1)


def test_numbers_beyond_reason_are_refused_and_the_largest_are_exact():
    """Exact arithmetic ends somewhere, and says where: 10^15 users x 10^15 requests x 30 days of a dollar each."""
    largest = FeatureCostEstimate("x", 10**15, 1e15, "")

    found = largest.estimate_ai_cost("m", 1, 0, 1, 0)

    assert found["requests_per_month"] == 30 * 10**30
    assert found["monthly_cost_usd"] == 3e31
    with pytest.raises(ConfigurationError, match="monthly_active_users=1000000000000001 is more than 10"):
        FeatureCostEstimate("x", 10**15 + 1, 1, "").estimate_ai_cost("m", 1, 0, 1, 0)
