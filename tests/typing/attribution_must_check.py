"""What must type-check without any SDK: `attribute` keeps the signature of what it decorates."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_type

from tracked_inference import TrackedClient, attribute

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator


@attribute(feature="search", team="discovery", user="u_42", tenant="acme")
async def answer(question: str, *, words: int = 10) -> str:
    return question * words


@attribute(feature="search")
def plain(question: str) -> int:
    return len(question)


@attribute(feature="search")
def pieces(question: str) -> Iterator[str]:
    yield question


@attribute(feature="search")
async def later(question: str) -> AsyncIterator[str]:
    yield question


class Service:
    @attribute(feature="search")
    def answer(self, question: str) -> str:
        return question


async def attributed() -> None:
    assert_type(await answer("why", words=3), str)
    assert_type(plain("why"), int)
    assert_type(list(pieces("why")), list[str])
    assert_type([text async for text in later("why")], list[str])
    assert_type(Service().answer("why"), str)
    with attribute(user="u_42"):
        await answer("why")
    async with attribute(team="discovery") as inside:
        assert_type(inside, attribute)


def narrowed(client: object) -> TrackedClient | None:
    return client.with_attribution(user="u_42") if isinstance(client, TrackedClient) else None
