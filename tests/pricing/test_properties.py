"""Arithmetic that holds for every model: additive, monotone, sum of lines = total."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tracked_inference.pricing import Cost, PriceTable
from tracked_inference.usage import FEE_UNITS, TOKEN_UNITS, Pass, Usage
from tracked_inference.vendors import anthropic_usage, openai_usage

AT = datetime(2026, 11, 23, tzinfo=UTC)
TABLE = PriceTable.bundled()
SOLD = [pair for pair in TABLE.models() if pair[0] != "local"]
counts = st.integers(0, 1_000_000)
models = st.sampled_from(SOLD)
units = st.dictionaries(st.sampled_from([*TOKEN_UNITS, *FEE_UNITS]), st.integers(1, 400_000), min_size=1)
modes = st.fixed_dictionaries(
    {},
    optional={
        "service_tier": st.sampled_from(["flex", "priority", "default", "scale"]),
        "speed": st.just("fast"),
        "inference_geo": st.sampled_from(["us", "global"]),
        "batch": st.booleans(),
    },
)


def priced(pair: tuple[str, str], counts: dict, **mode) -> Cost:
    return TABLE.price(Usage((Pass(counts),), **mode), provider=pair[0], model=pair[1], at=AT)


@settings(max_examples=50, deadline=None)
@given(pair=models, counts=units, mode=modes, unit=st.sampled_from(TOKEN_UNITS), more=st.integers(1, 500_000))
def test_more_tokens_never_cost_less(pair, counts, mode, unit, more):
    """Adding tokens of any kind to a call of any model in any mode leaves its cost or raises it."""
    less = priced(pair, counts, **mode)
    greater = priced(pair, {**counts, unit: counts.get(unit, 0) + more}, **mode)

    assert (less.total_usd or 0) <= (greater.total_usd or 0)


@settings(max_examples=50, deadline=None)
@given(pair=models, counts=units, mode=modes)
def test_the_lines_sum_to_the_total(pair, counts, mode):
    """The invoice's lines add up to its total, exactly."""
    cost = priced(pair, counts, **mode)

    assert sum((line.amount_usd for line in cost.lines), Decimal(0)) == (cost.total_usd or 0)
    assert all(line.quantity * line.rate_usd == line.amount_usd for line in cost.lines)


@settings(max_examples=50, deadline=None)
@given(pair=models, first=units, second=units, mode=modes)
def test_two_passes_cost_what_two_calls_cost(pair, first, second, mode):
    """Passes are billed each by itself, so a call of two costs the sum of two calls of one."""
    one, two = priced(pair, first, **mode), priced(pair, second, **mode)
    both = TABLE.price(Usage((Pass(first), Pass(second)), **mode), provider=pair[0], model=pair[1], at=AT)

    assert (both.total_usd or 0) == (one.total_usd or 0) + (two.total_usd or 0)


@settings(max_examples=50, deadline=None)
@given(pair=models, counts=units, factor=st.integers(2, 9))
def test_below_every_threshold_cost_is_linear(pair, counts, factor):
    """Without a cliff between them, n times the tokens cost n times as much."""
    assume(factor * sum(counts.values()) <= 100_000)

    once = priced(pair, counts).total_usd
    often = priced(pair, {unit: factor * quantity for unit, quantity in counts.items()}).total_usd

    assert often == (None if once is None else factor * once)


@settings(max_examples=50, deadline=None)
@given(prompt=counts, cached=counts, written=counts, audio=counts, images=counts, out=counts)
def test_openai_counts_are_a_partition(prompt, cached, written, audio, images, out):
    """Whatever the details say, the kinds of input add up to the prompt, and those of output to the completion."""
    details = {
        "cached_tokens": cached,
        "cache_write_tokens": written,
        "audio_tokens": audio,
        "image_tokens": images,
    }
    body = {"usage": {"prompt_tokens": prompt, "completion_tokens": out, "prompt_tokens_details": details}}

    usage = openai_usage.usage_of(body, operation="chat.completions")

    assert usage is not None
    assert usage.input_tokens == prompt
    assert usage.output_tokens == out
    assert all(quantity > 0 for quantity in usage.passes[0].counts.values())


@settings(max_examples=50, deadline=None)
@given(plain=counts, written=counts, short=counts, long=counts, read=counts, out=counts)
def test_anthropic_cache_writes_are_never_lost(plain, written, short, long, read, out):
    """The writes that are billed are the flat field or, where it is larger, the split."""
    usage = anthropic_usage.usage_of(
        {
            "usage": {
                "input_tokens": plain,
                "cache_creation_input_tokens": written,
                "cache_creation": {"ephemeral_5m_input_tokens": short, "ephemeral_1h_input_tokens": long},
                "cache_read_input_tokens": read,
                "output_tokens": out,
            }
        },
        operation="messages",
    )

    assert usage is not None
    assert usage.cache_write_tokens == max(written, short + long)
    assert usage.input_tokens == plain + read + max(written, short + long)


@settings(max_examples=50, deadline=None)
@given(pair=models, counts=units, percent=st.integers(0, 100))
def test_a_discount_takes_its_share_off_every_line(pair, counts, percent):
    """List price less discount is net price; a rate by the hour is a rounded one by the second, at the 24th place."""
    table = TABLE.with_overlay({"discounts": [{"percent": percent}]})
    listed = priced(pair, counts)

    cost = table.price(Usage((Pass(counts),)), provider=pair[0], model=pair[1], at=AT)

    assert cost.list_usd == listed.total_usd
    if listed.total_usd is not None:
        assert abs(cost.total_usd - listed.total_usd * (100 - percent) / 100) < Decimal("1e-15")
