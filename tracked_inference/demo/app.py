"""What the demo's application does: five features of three teams, each calling a vendor as application code would."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tracked_inference.attribution import attribute
from tracked_inference.registry import Feature, FeatureRegistry

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from random import Random

__all__ = ["FEATURES", "REGISTRY", "DemoFeature"]

CHUNKS_BEFORE_LEAVING = 5


@dataclass(frozen=True, slots=True)
class DemoFeature:
    """
    One feature of the demo.

    Attributes:
        name: The feature.
        team: Who pays.
        vendor: Whose SDK it calls.
        models: The models it calls; the first is the usual one.
        budget_usd: What it may cost in a month.
        every_seconds: The mean time between two turns.
        turns: How many turns `--once` makes of it.
        turn: One turn: what the application does with the tracked client, and chance.
    """

    name: str
    team: str
    vendor: str
    models: tuple[str, ...]
    budget_usd: int
    every_seconds: float
    turns: int
    turn: Callable[[Any, Random], Awaitable[None]]


async def summarise(claude: Any, chance: Random) -> None:
    """Summarise a document: long instructions from the cache, the document fresh, the summary streamed."""
    document = "\n".join(f"Section {number}: ..." for number in range(chance.randint(20, 60)))
    async with claude.messages.stream(
        model="claude-sonnet-5-5",
        max_tokens=1024,
        system=[{"type": "text", "text": "How to summarise: ...", "cache_control": {"type": "ephemeral"}}],
        messages=[{"role": "user", "content": document}],
    ) as stream:
        async for _ in stream.text_stream:
            pass


async def review_contracts(claude: Any, chance: Random) -> None:
    """Review a stack of contracts overnight: one batch, half the price, read when it has ended."""
    requests = [
        {
            "custom_id": f"contract-{number}",
            "params": {
                "model": "claude-haiku-4-5",
                "max_tokens": 2048,
                "messages": [
                    {"role": "user", "content": f"Review contract {chance.randint(1000, 9999)}: ..."}
                ],
            },
        }
        for number in range(6)
    ]
    batch = await claude.messages.batches.create(requests=requests)
    while batch.processing_status != "ended":
        await asyncio.sleep(0.2)
        batch = await claude.messages.batches.retrieve(batch.id)
    async for _ in await claude.messages.batches.results(batch.id):
        pass


async def chat(gpt: Any, chance: Random) -> None:
    """Answer a customer, word by word; now and then the customer leaves in the middle of the answer."""
    leaves = chance.random() < 0.05
    with attribute(user=f"u_{chance.randint(1, 40)}"):
        stream = await gpt.chat.completions.create(
            model="gpt-6-sol",
            messages=[
                {"role": "system", "content": "You are the support desk of a shop. ..."},
                {"role": "user", "content": f"Where is order {chance.randint(10_000, 99_999)}?"},
            ],
            stream=True,
        )
        seen = 0
        async for _ in stream:
            seen += 1
            if leaves and seen == CHUNKS_BEFORE_LEAVING:
                break
        await stream.close()


async def search(gpt: Any, chance: Random) -> None:
    """Search by meaning: embed the question, then let a small model with a web search write the answer."""
    question = f"What is product {chance.randint(1, 500)} good for?"
    await gpt.embeddings.create(model="text-embedding-3-small", input=[question])
    await gpt.responses.create(model="gpt-6-luna", input=question, tools=[{"type": "web_search"}])


async def rewrite(gpt: Any, chance: Random) -> None:
    """Rewrite a query; one in five tries a preview model that no price list knows yet."""
    tries = chance.random() < 0.2
    await gpt.chat.completions.create(
        model="gpt-6-nano-preview" if tries else "gpt-5.4-nano",
        messages=[{"role": "user", "content": f"Rewrite: shoes size {chance.randint(36, 46)}"}],
    )


FEATURES = (
    DemoFeature(
        "document_summarisation", "documents", "anthropic", ("claude-sonnet-5-5",), 30_000, 1.5, 5, summarise
    ),
    DemoFeature(
        "contract_review", "documents", "anthropic", ("claude-haiku-4-5",), 20_000, 8.0, 1, review_contracts
    ),
    DemoFeature("support_chat", "support", "openai", ("gpt-6-sol",), 12_000, 0.4, 15, chat),
    DemoFeature(
        "semantic_search",
        "search",
        "openai",
        ("gpt-6-luna", "text-embedding-3-small"),
        15_000,
        0.7,
        8,
        search,
    ),
    DemoFeature("query_rewriting", "search", "openai", ("gpt-5.4-nano",), 500, 0.5, 15, rewrite),
)
"""The five features, as the application's code has them."""

REGISTRY = FeatureRegistry(
    features={
        one.name: Feature(
            name=one.name,
            team=one.team,
            service="demo",
            environment="development",
            budget_usd={"month": Decimal(one.budget_usd)},
        )
        for one in FEATURES
    }
)
"""The same five as the registry file would declare them, so that owners and budgets show in the metrics."""
