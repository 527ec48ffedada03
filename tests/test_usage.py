"""Usage is a partition that can be added up."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from decimal import Decimal

import pytest

from tracked_inference.usage import Pass, Usage, make_pass, make_usage

TWO = Usage(
    (
        Pass({"input": 10, "cache_read": 20, "cache_write_5m": 5, "output": 7, "web_search": 2}),
        Pass({"input": 1, "cache_write_1h": 3, "input_audio": 4, "output": 2, "output_audio": 6}, "other"),
    )
)


def test_tokens_are_summed_by_kind_over_all_passes():
    """Fees are no tokens, and each token is in one kind."""
    assert TWO.tokens() == {
        "input": 11,
        "cache_read": 20,
        "cache_write_5m": 5,
        "cache_write_1h": 3,
        "input_audio": 4,
        "output": 9,
        "output_audio": 6,
    }


def test_totals_are_sums_of_kinds():
    """Input is all that went in, output all that came out."""
    assert (TWO.input_tokens, TWO.output_tokens) == (43, 15)
    assert (TWO.cache_read_tokens, TWO.cache_write_tokens) == (20, 8)


def test_a_quantity_is_that_of_one_unit():
    """Searches, and fractions of seconds, can be asked for by name."""
    assert TWO.quantity("web_search") == 2
    assert TWO.quantity("file_search") == 0
    assert Usage((Pass({"second": Decimal("2.5")}),)).quantity("second") == Decimal("2.5")


def test_the_cheap_makers_make_the_same_objects():
    """What the readers make is a `Usage` like any other: equal, frozen, of the same class."""
    made = make_usage((make_pass({"input": 1}),), service_tier="flex")

    assert made == Usage((Pass({"input": 1}),), service_tier="flex")
    assert type(made) is Usage
    assert type(made.passes[0]) is Pass
    with pytest.raises(FrozenInstanceError):
        made.speed = "fast"  # type: ignore[misc]
