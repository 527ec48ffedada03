"""Whatever a response holds: no exception, no negative or non-finite money, sum of lines = total."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal, localcontext
from itertools import product
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.strategies import ANTHROPIC_FIELDS, OPENAI_FIELDS, hostile_body, hostile_usage, junk
from tracked_inference.pricing import Cost, PriceTable
from tracked_inference.pricing.reasons import REASONS
from tracked_inference.usage import Pass, Usage
from tracked_inference.vendors import anthropic_usage, openai_usage

AT = datetime(2026, 11, 23, tzinfo=UTC)
READERS = ((anthropic_usage, "messages"), (openai_usage, "chat.completions"))
OPERATIONS = (
    "chat.completions",
    "completions",
    "responses",
    "embeddings",
    "images",
    "audio.transcriptions",
    "audio.translations",
    "audio.speech",
    "moderations",
    "videos",
    "nonsense",
)
MODELS = (
    "gpt-6-sol",
    "gpt-4o-audio-preview",
    "gpt-image-1.5",
    "whisper-1",
    "sora-2",
    "tts-1",
    "claude-opus-5-5",
    "x",
)


def sound(cost: Cost) -> None:
    """What holds of every cost."""
    assert "engine_error" not in cost.reasons
    assert {reason.partition(":")[0] for reason in cost.reasons} <= set(REASONS)
    if cost.total_usd is None:
        assert cost.status in ("unpriced", "unmeasured")
        assert cost.lines == ()
        return
    assert cost.total_usd.is_finite()
    assert cost.total_usd >= 0
    with localcontext() as context:
        context.prec = 200
        assert sum((line.amount_usd for line in cost.lines), Decimal(0)) == cost.total_usd
    assert all(line.amount_usd >= 0 and line.rate_usd >= 0 and line.quantity > 0 for line in cost.lines)
    assert cost.list_usd is not None
    assert cost.list_usd >= cost.total_usd


@settings(max_examples=60, deadline=None)
@given(body=hostile_body(ANTHROPIC_FIELDS), request=junk, complete=st.booleans(), batch=st.booleans())
def test_no_anthropic_body_breaks_anything(body, request, complete, batch):
    """Any message at all gives a sound cost."""
    asked = request if isinstance(request, dict) else None
    usage = anthropic_usage.usage_of(
        body, operation="messages", request=asked, complete=complete, batch=batch
    )

    for provider in ("anthropic", "bedrock", "nobody"):
        sound(PriceTable.bundled().price(usage, provider=provider, model="claude-sonnet-4-5", at=AT))


@settings(max_examples=50, deadline=None)
@given(
    body=hostile_body(OPENAI_FIELDS),
    operation=st.sampled_from(OPERATIONS),
    request=junk,
    model=st.one_of(st.sampled_from(MODELS), junk),
    batch=st.booleans(),
)
def test_no_openai_body_breaks_anything(body, operation, request, model, batch):
    """Any answer of any operation gives a sound cost."""
    asked = request if isinstance(request, dict) else None
    usage = openai_usage.usage_of(body, operation=operation, request=asked, batch=batch)

    for provider in ("openai", "azure", "local"):
        name = model if isinstance(model, str) else None
        sound(PriceTable.bundled().price(usage, provider=provider, model=name, at=AT))


@settings(max_examples=50, deadline=None)
@given(start=hostile_usage(ANTHROPIC_FIELDS), delta=hostile_usage(ANTHROPIC_FIELDS))
def test_no_stream_breaks_the_merge(start, delta):
    """Merging any two things gives a mapping whose values are those of one of the two."""
    merged = anthropic_usage.merge_usage(start, delta)

    assert isinstance(merged, dict)
    assert None not in merged.values()


@settings(max_examples=50, deadline=None)
@given(
    counts=st.dictionaries(
        st.sampled_from(["input", "cache_read", "output", "web_search", "second", "nonsense"]),
        st.one_of(
            st.integers(-(10**15), 10**15), st.decimals(allow_nan=False, allow_infinity=False, places=3)
        ),
    ),
    tier=st.one_of(st.none(), st.text(max_size=5), st.sampled_from(["flex", "priority"])),
)
def test_no_usage_made_by_hand_makes_negative_money(counts, tier):
    """Counts below zero are inconsistent, and never take money off."""
    usage = Usage((Pass(counts),), service_tier=tier)

    cost = PriceTable.bundled().price(usage, provider="openai", model="gpt-6-sol", at=AT)

    sound(cost)
    if any(quantity < 0 for quantity in counts.values()):
        assert cost.status in ("inconsistent", "unpriced")


class Explosive:
    """An object whose every attribute raises."""

    def __getattribute__(self, name: str) -> object:
        raise RuntimeError(name)


def test_an_object_that_raises_is_unmeasured_or_inconsistent():
    """Even an object that raises at every touch gives no exception."""
    bodies = (Explosive(), {"usage": Explosive()}, {"usage": {"prompt_tokens": Explosive()}})
    for body, (reader, operation) in product(bodies, READERS):
        usage = reader.usage_of(body, operation=operation)

        sound(PriceTable.bundled().price(usage, provider="openai", model="gpt-6-sol", at=AT))


def test_an_iterator_in_the_request_is_left_alone():
    """Nothing of a request but scalars and lists of tools is looked at; an iterator keeps its items."""
    messages = iter([{"role": "user"}])
    tools = iter([{"type": "web_search"}])
    request = {"model": "gpt-6-sol", "messages": messages, "tools": tools, "input": messages}

    openai_usage.usage_of(
        {"usage": {"input_tokens": 1, "output_tokens": 1}}, operation="responses", request=request
    )
    anthropic_usage.usage_of(
        {"usage": {"input_tokens": 1}, "container": {}}, operation="messages", request=request
    )

    assert next(messages) == {"role": "user"}
    assert next(tools) == {"type": "web_search"}


def test_a_double_with_plain_attributes_is_read():
    """A stand-in that a test makes of plain attributes is read like the SDK's object."""
    body = SimpleNamespace(usage=SimpleNamespace(prompt_tokens=10, completion_tokens=5), service_tier=None)

    usage = openai_usage.usage_of(body, operation="chat.completions")

    assert usage is not None
    assert usage.tokens() == {"input": 10, "output": 5}


@pytest.mark.parametrize("at", [None, "2026-11-23", 5])
def test_a_time_that_is_none_gives_no_price_and_no_exception(at):
    """What is no time at all has no price."""
    usage = Usage((Pass({"input": 1}),))

    cost = PriceTable.bundled().price(usage, provider="openai", model="gpt-6-sol", at=at)

    assert (cost.total_usd, cost.status) == (None, "unpriced")


def test_the_applications_decimal_context_does_not_matter():
    """A cost is exact although the application computes with three digits."""
    with localcontext() as context:
        context.prec = 3
        usage = Usage((Pass({"input": 123_457, "output": 7}),))
        cost = PriceTable.bundled().price(usage, provider="openai", model="gpt-6-sol", at=AT)
        lines = cost.lines

    assert cost.total_usd == Decimal("0.246984")  # 123457 x 2 + 7 x 10
    assert [line.amount_usd for line in lines] == [Decimal("0.246914"), Decimal("0.00007")]
