"""A generated month of calls with its own truth: what the ledger and the report must come to, to the last digit."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from tracked_inference.pricing.cost import Cost, CostLine
from tracked_inference.record import CallRecord
from tracked_inference.usage import Pass, Usage

if TYPE_CHECKING:
    from collections.abc import Iterator

START = datetime(2026, 10, 1, tzinfo=UTC)
DAYS = 31

FEATURES = {
    "document_summarisation": "documents",
    "contract_review": "documents",
    "semantic_search": "search",
    "query_rewriting": "search",
    "support_answers": "support",
    "ticket_triage": "support",
    "call_notes": "support",
    "code_review": "platform",
    "test_generation": "platform",
    "invoice_reading": "finance",
    "fraud_notes": "finance",
    "month_end_report": "finance",
}

# USD per million tokens: input, cache read, cache write, output. Invented, so that no table is needed here.
MODELS = {
    "claude-sonnet-4-5": ("anthropic", "3", "0.3", "3.75", "15"),
    "claude-haiku-4-5": ("anthropic", "1", "0.1", "1.25", "5"),
    "gpt-5-mini": ("openai", "0.25", "0.025", "0.3125", "2"),
}
RATES = {
    model: dict(
        zip(
            ("input", "cache_read", "cache_write_5m", "output"),
            (Decimal(rate) / 1_000_000 for rate in rates),
            strict=True,
        )
    )
    for model, (_, *rates) in MODELS.items()
}


@dataclass
class Truth:
    """What the generator knows, added up by itself with integers and decimals."""

    calls: Counter[str] = field(default_factory=Counter)
    cost: dict[tuple[str, str], Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    total: Decimal = Decimal(0)
    tokens: Counter[str] = field(default_factory=Counter)
    unpriced: int = 0
    unmeasured: int = 0
    cut: int = 0
    retries: int = 0
    users: set[str] = field(default_factory=set)
    cache_savings: Decimal = Decimal(0)

    def add(self, record: CallRecord) -> None:
        total = record.cost.total_usd
        keys = {
            "feature": record.feature,
            "team": record.team,
            "model": record.model,
            "user": record.user or "",
            "day": record.started_at.date().isoformat(),
            "provider": record.provider,
            "outcome": record.outcome,
        }
        self.calls["all"] += 1
        for dimension, value in keys.items():
            self.calls[f"{dimension}={value}"] += 1
            if total is not None:
                self.cost[dimension, value] += total
        if total is None:
            self.unpriced += record.cost.status == "unpriced"
            self.unmeasured += record.cost.status == "unmeasured"
        else:
            self.total += total
        if record.usage is not None:
            self.tokens.update(record.usage.tokens())
        self.cut += record.outcome in {"cancelled", "abandoned"}
        self.retries += record.attempts - 1
        if record.user is not None:
            self.users.add(record.user)
        for line in record.cost.lines:
            if line.unit.startswith("cache"):
                self.cache_savings += line.quantity * (RATES[line.model]["input"] - line.rate_usd)


def month(calls: int, seed: int = 7) -> Iterator[CallRecord]:
    """That many calls over October 2026: 12 features, 5 teams, 3 priced models, one without a price, cut and failed ones."""
    rng = random.Random(seed)
    names = list(FEATURES)
    weights = [2 ** (-index / 3) for index in range(len(names))]
    models = list(MODELS)
    step = timedelta(days=DAYS) / calls
    for index in range(calls):
        started = START + step * index
        feature = rng.choices(names, weights)[0]
        dice = rng.random()
        model = models[int(dice * 1000) % 3]
        unpriced, unmeasured, cut, failed = (
            dice < 0.004,
            0.004 <= dice < 0.008,
            0.008 <= dice < 0.018,
            0.018 <= dice < 0.026,
        )
        counts = {"input": rng.randrange(50, 9000), "output": rng.randrange(1, 900)}
        if dice > 0.6:
            counts["cache_read"] = rng.randrange(1000, 30000)
        if dice > 0.95:
            counts["cache_write_5m"] = rng.randrange(1000, 30000)
        usage: Usage | None = Usage((Pass(counts),), complete=not cut)
        if unpriced:
            model = "house-model-1"
            cost = Cost(
                "unpriced", None, None, model, reasons=("unknown_model",), table_version="2026-10-01.1"
            )
        elif unmeasured or failed:
            usage = None if unmeasured else Usage((), free="not_billed")
            status = "unmeasured" if unmeasured else "free"
            amount = None if unmeasured else Decimal(0)
            cost = Cost(
                status,
                amount,
                amount,
                model,
                reasons=("no_usage",) if unmeasured else (),
                table_version="2026-10-01.1",
            )
        else:
            rates = RATES[model]
            lines = tuple(
                CostLine(unit, count, rates[unit], count * rates[unit], model)
                for unit, count in counts.items()
            )
            total = sum((line.amount_usd for line in lines), Decimal(0))
            cost = Cost(
                "lower_bound" if cut else "exact",
                total,
                total,
                model,
                lines,
                ("cut_stream",) if cut else (),
                "2026-10-01.1",
                "5f" * 32,
            )
        yield CallRecord(
            started_at=started,
            duration_seconds=rng.randrange(200, 30000) / 1000,
            time_to_first_token_seconds=rng.randrange(100, 2000) / 1000 if dice > 0.5 else None,
            provider=MODELS[model][0] if model in MODELS else "openai",
            operation="messages" if model.startswith("claude") else "responses",
            requested_model=model,
            model=model,
            stream=dice > 0.5,
            feature=feature,
            team=FEATURES[feature],
            user=f"u_{rng.randrange(4000)}" if dice < 0.9 else None,
            usage=usage,
            cost=cost,
            outcome="abandoned" if cut else "error" if failed else "ok",
            error_type="RateLimitError" if failed else None,
            attempts=3 if failed else 1,
            request_id=f"req_{index:012d}",
            tags={"environment": "production" if index % 10 else "staging"},
        )
