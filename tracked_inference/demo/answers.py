"""What the demo's vendor answers: usage as such features have it, with rate limits, faults and slow streams among it."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from tracked_inference.loopback import Answer, Reply

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracked_inference.loopback import Request

__all__ = ["Answers"]


class Answers:
    """
    Decides what the vendor answers, by model; the same seed gives the same answers in the same order.

    Args:
        seed: Of all chance.
        haste: How many times faster than in life the vendor is.
    """

    def __init__(self, seed: int, *, haste: float = 1.0) -> None:
        self._seed = seed
        self._haste = haste
        self._chance: dict[str, Random] = {}

    def __call__(self, request: Request) -> Answer | Reply | None:
        """Answer a request of the demo; leave what is not billed to the vendor."""
        model = request.model or ""
        answer = self._BY_MODEL.get(model)
        if answer is None:
            return None
        chance = self._chance.setdefault(model, Random(f"{self._seed} {model}"))  # noqa: S311  # a demo's dice
        return answer(self, request, chance)

    def _summary(self, request: Request, chance: Random) -> Answer:  # noqa: ARG002
        cached = 3200
        written = chance.random() < 0.1  # the cache has expired
        counts = {
            "input": chance.randint(1500, 5000),
            "cache_write_5m" if written else "cache_read": cached,
            "output": chance.randint(300, 700),
        }
        answer = Answer.using(counts, chunks=25)
        return answer.after(self._wait(chance, 0.3)).paced(0.03 / self._haste)

    def _review(self, request: Request, chance: Random) -> Answer:  # noqa: ARG002
        return Answer.using({"input": chance.randint(6000, 14_000), "output": chance.randint(500, 1200)})

    def _chat(self, request: Request, chance: Random) -> Answer | Reply:
        limited = chance.random() < 0.08
        if limited and request.headers.get("x-stainless-retry-count", "0") == "0":
            return Reply.error(429, "Rate limit reached", retry_after_ms=self._wait(chance, 0.2) * 1000)
        slow = chance.random() < 0.05
        counts = {
            "input": chance.randint(150, 900),
            "cache_read": 1024,
            "output": chance.randint(80, 320),
        }
        answer = Answer.using(counts, chunks=30, service_tier="default")
        return answer.after(self._wait(chance, 0.15)).paced((0.08 if slow else 0.015) / self._haste)

    def _embedding(self, request: Request, chance: Random) -> Answer:  # noqa: ARG002
        return Answer.using({"input": chance.randint(8, 40)}).after(self._wait(chance, 0.03))

    def _answer(self, request: Request, chance: Random) -> Answer | Reply:  # noqa: ARG002
        if chance.random() < 0.02:
            return Reply.error(500, "The server had an error", headers={"x-should-retry": "false"})
        reasoning = chance.randint(100, 900)
        counts = {
            "input": chance.randint(1500, 5000),
            "output": reasoning + chance.randint(100, 300),
            "web_search": chance.choice((0, 0, 0, 1)),
        }
        given = {unit: count for unit, count in counts.items() if count}
        answer = Answer.using(given, reasoning_tokens=reasoning, service_tier="default")
        return answer.after(self._wait(chance, 0.5))

    def _query(self, request: Request, chance: Random) -> Answer:  # noqa: ARG002
        counts = {"input": chance.randint(60, 140), "output": chance.randint(10, 30)}
        return Answer.using(counts, service_tier="default").after(self._wait(chance, 0.12))

    def _wait(self, chance: Random, mean_seconds: float) -> float:
        """Give a time that is mostly near the mean and sometimes far above it, as latencies are."""
        return round(mean_seconds * chance.lognormvariate(-0.1, 0.45) / self._haste, 4)

    _BY_MODEL: dict[str, Callable[[Answers, Request, Random], Answer | Reply]] = {  # noqa: RUF012
        "claude-sonnet-5-5": _summary,
        "claude-haiku-4-5": _review,
        "gpt-6-sol": _chat,
        "text-embedding-3-small": _embedding,
        "gpt-6-luna": _answer,
        "gpt-5.4-nano": _query,
        "gpt-6-nano-preview": _query,
    }
