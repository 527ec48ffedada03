"""
A feature as Prometheus has it, for estimates where there is no ledger.

Prometheus holds no single call, so the ends of the token ranges are those of the daily means: p50 and p95 over the days.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from tracked_inference.errors import ConfigurationError, UnavailableError
from tracked_inference.planning.measured import Distribution, Measured, part, shares, spread
from tracked_inference.prometheus.queries import grown, selector
from tracked_inference.prometheus.store import Prometheus, PrometheusError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["from_prometheus"]

_DAY_SECONDS = 86_400


def from_prometheus(
    url: str,
    feature: str,
    *,
    days: int = 30,
    now: datetime | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> Measured:
    """
    What a feature did on the last whole UTC days; days without a call before the first one are left out.

    Calls that ended in an error are not counted: the vendors do not bill them.

    Args:
        url: The store.
        feature: Which feature.
        days: How many whole days to look back.
        now: Default the clock's.
        progress: Called with the days that are done with and how many there are.

    Raises:
        ConfigurationError: The store has no call of the feature on those days.
        UnavailableError: The store gives no answer.
    """
    midnight = (now or datetime.now(UTC)).astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    try:
        return _Reading(Prometheus(url), feature).measured(midnight, days, progress)
    except PrometheusError as error:
        raise UnavailableError(f"--from-prometheus: {error}") from error


class _Reading:
    """The questions, one a day of history for what is spread, one for the whole for what is summed."""

    def __init__(self, store: Prometheus, feature: str) -> None:
        self._store = store
        self._feature = feature
        self._calls = "ai_inference_calls_total" + selector({"feature": [feature]}, 'outcome!="error"')
        self._tokens = "ai_inference_tokens_total" + selector({"feature": [feature]})

    def measured(
        self, midnight: datetime, days: int, progress: Callable[[int, int], object] | None
    ) -> Measured:
        traffic: Counter[int] = Counter()
        inputs: Counter[int] = Counter()
        outputs: Counter[int] = Counter()
        models: Counter[str] = Counter()
        total: dict[str, Decimal] = {}
        all_calls, first = Decimal(0), None
        for back in range(days, 0, -1):
            end = midnight - timedelta(days=back - 1)
            if progress is not None:
                progress(days - back, days)
            by_model = self._by("model", self._calls, end)
            calls = sum(by_model.values(), Decimal(0))
            if not calls and first is None:
                continue
            first = first or (end - timedelta(days=1)).date()
            traffic[round(calls)] += 1
            if not round(calls):
                continue
            all_calls += calls
            models.update({model: round(count * 1000) for model, count in by_model.items()})
            kinds = self._by("token_type", self._tokens, end)
            for kind, count in kinds.items():
                total[kind] = total.get(kind, Decimal(0)) + count
            _note(inputs, outputs, kinds, calls)
        if first is None or not all_calls:
            raise ConfigurationError(
                f"--from-prometheus: {self._store.name} has no call of feature {self._feature!r} in the {days} whole UTC"
                f" days before {midnight:%Y-%m-%d}"
            )
        read_in = sum((count for kind, count in total.items() if not kind.startswith("output")), Decimal(0))
        put_out = sum((count for kind, count in total.items() if kind.startswith("output")), Decimal(0))
        return Measured(
            feature=self._feature,
            source=f"Prometheus at {self._store.name}",
            first_day=first,
            last_day=(midnight - timedelta(days=1)).date(),
            calls=round(all_calls),
            input_tokens=_with_mean(inputs, read_in, all_calls),
            output_tokens=_with_mean(outputs, put_out, all_calls),
            requests_per_day=spread(traffic),
            cached_share=part(_starting(total, "cache_read"), read_in),
            cache_write_share=part(_starting(total, "cache_write"), read_in),
            batch_share=Decimal(0),
            models=shares({model: count for model, count in models.items() if count}),
            spread_of="daily means; Prometheus knows no single call and no batches",
        )

    def _by(self, label: str, series: str, end: datetime) -> dict[str, Decimal]:
        """How much a counter grew on the day before `end`, by one label."""
        samples = self._store.query(grown(series, [label], _DAY_SECONDS), end)
        return {sample.labels.get(label, ""): max(sample.value, Decimal(0)) for sample in samples}


def _starting(total: dict[str, Decimal], prefix: str) -> Decimal:
    return sum((count for kind, count in total.items() if kind.startswith(prefix)), Decimal(0))


def _note(inputs: Counter[int], outputs: Counter[int], kinds: dict[str, Decimal], calls: Decimal) -> None:
    put_out = _starting(kinds, "output")
    inputs[round((sum(kinds.values(), Decimal(0)) - put_out) / calls)] += 1
    outputs[round(put_out / calls)] += 1


def _with_mean(days: Counter[int], tokens: Decimal, calls: Decimal) -> Distribution:
    """The spread of the daily means, and the mean over all calls, which is not the mean of those."""
    over_days = spread(days)
    return Distribution(over_days.p50, (tokens / calls).quantize(Decimal("0.000001")), over_days.p95)
