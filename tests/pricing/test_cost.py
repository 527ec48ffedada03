"""A cost is a frozen record, although its lines are drawn up only when they are asked for."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from decimal import Decimal

import pytest

from tests.pricing.calls import chat, gpt
from tracked_inference.pricing import Cost, CostLine


def test_a_cost_made_by_the_engine_equals_one_made_by_hand():
    """Lazy lines compare, hash and print like any."""
    cost = gpt("gpt-4o", chat(1000, 0))
    line = CostLine("input", 1000, Decimal("0.0000025"), Decimal("0.0025"), "gpt-4o")
    by_hand = Cost(
        "exact",
        Decimal("0.0025"),
        Decimal("0.0025"),
        "gpt-4o",
        (line,),
        (),
        cost.table_version,
        cost.table_sha256,
    )

    assert cost == by_hand
    assert hash(cost) == hash(by_hand)
    assert repr(cost) == repr(by_hand)


def test_a_cost_can_be_copied_pickled_and_taken_apart():
    """What works on a dataclass works on a cost."""
    cost = gpt("gpt-4o", chat(1000, 10))

    assert pickle.loads(pickle.dumps(cost)) == cost
    assert copy.deepcopy(cost) == copy.copy(cost) == cost
    assert dataclasses.replace(cost, status="estimated").lines == cost.lines
    assert dataclasses.asdict(cost)["lines"][1]["unit"] == "output"


def test_a_cost_cannot_be_changed():
    """Neither the total nor the lines."""
    cost = gpt("gpt-4o", chat(1000, 10))

    for name in ("total_usd", "lines"):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(cost, name, None)


def test_the_lines_are_drawn_up_once():
    """Asking twice gives the same lines."""
    cost = gpt("gpt-4o", chat(1000, 10))

    assert cost.lines is cost.lines
