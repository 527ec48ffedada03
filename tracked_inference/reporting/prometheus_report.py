"""
A report from Prometheus, or anything that answers its queries (Thanos, Mimir, VictoriaMetrics).

Counters are sampled, so this is an estimate of an estimate, and says so; a ledger is exact.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tracked_inference.errors import ConfigurationError, UnavailableError
from tracked_inference.prometheus.queries import COST, grown, selector
from tracked_inference.prometheus.store import TOKEN_VARIABLE, Prometheus, PrometheusError
from tracked_inference.reporting.figures import Figures
from tracked_inference.reporting.ledger_report import assembled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from tracked_inference.reporting.figures import Report
    from tracked_inference.reporting.periods import Period

__all__ = ["prometheus_report"]

_TIMEOUT_SECONDS = 60.0
_CALLS = "ai_inference_calls_total"
_TOKENS = "ai_inference_tokens_total"
_OTHERS = {
    "reasoning_tokens": "ai_inference_reasoning_tokens_total",
    "unpriced_calls": "ai_inference_unpriced_calls_total",
    "unmeasured_calls": "ai_inference_unmeasured_calls_total",
    "retries": "ai_inference_retries_total",
}
_LABELS = {COST: {"model", "feature", "team"}, _CALLS: {"model", "feature", "team", "outcome"}}
_OTHER_LABELS = {"model", "feature"}
_DIMENSIONS = ("feature", "team", "model", "day")

_UNKNOWN = Figures(**dict.fromkeys(Figures.__dataclass_fields__))  # type: ignore[arg-type]  # cost is set below

NOTE = (
    "From Prometheus: sampled counters, within about 2 % for services that are scraped. What a process spends after its last"
    " scrape is not seen, a restart that no scrape noticed can hide spending, and several workers behind one /metrics without"
    " PROMETHEUS_MULTIPROC_DIR are counted many times over. A ledger is exact."
)


def prometheus_report(
    url: str,
    period: Period,
    by: Sequence[str] = ("feature",),
    *,
    only: Mapping[str, Sequence[str]] | None = None,
    compare: bool = True,
    limit: int | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> Report:
    """
    What calls cost during a period, as Prometheus has seen it.

    Args:
        url: The server, `http://localhost:9090`; with the path before `/api/v1` where there is one.
        period: The period.
        by: `feature`, `team`, `model`, `day`.
        only: Values that calls must have, by dimension.
        compare: Whether to ask for the period before, too.
        limit: How many rows to keep.
        progress: Called with how many questions are answered and how many there are.

    Raises:
        ConfigurationError: A dimension that Prometheus does not have.
        UnavailableError: The server does not answer, or refuses.
    """
    for word in [*by, *(only or {})]:
        if word not in _DIMENSIONS or (word == "day" and word in (only or {})):
            raise ConfigurationError(
                f"Prometheus does not know the {word} of a call: ask a ledger, or group by {', '.join(_DIMENSIONS)}"
            )
    if period.until > datetime.now(UTC):
        period = replace(period, until=datetime.now(UTC).replace(microsecond=0))
    ask = _Asker(url, only or {})
    spans = period.days() if "day" in by else [period]
    steps = len(spans) + ("day" in by) + compare
    labels = [word for word in by if word != "day"]
    now: dict[tuple[str | None, ...] | None, Figures] = {}
    for done, span in enumerate(spans, 1):
        for key, figures in ask.figures(labels, span).items():
            if key is not None:
                whole = dict(zip(labels, key, strict=True)) | {"day": f"{span.since:%Y-%m-%d}"}
                now[tuple(whole[word] for word in by)] = figures
            elif "day" not in by:
                now[None] = figures
        if progress is not None:
            progress(done, steps)
    if "day" in by:
        now[None] = ask.figures([], period)[None]
    before: dict[tuple[str | None, ...] | None, Figures] | None = None
    if compare:
        before = ask.figures(labels, period.previous)
        if "day" in by:
            before = {None: before[None]}
    notes = [NOTE]
    if now[None].unpriced_calls or now[None].unmeasured_calls:
        notes.append("A call with two reasons for having no price, or no usage, counts twice here.")
    if progress is not None:
        progress(steps, steps)
    return assembled(period, by, now, before, source=ask.where, notes=notes, only=only, limit=limit)


class _Asker:
    def __init__(self, url: str, only: Mapping[str, Sequence[str]]) -> None:
        self._store = Prometheus(url, _TIMEOUT_SECONDS)
        self.where = f"Prometheus at {self._store.name}"
        self._only = only

    def figures(self, labels: Sequence[str], period: Period) -> dict[tuple[str | None, ...] | None, Figures]:
        """The figures by label values, and under None those of all."""
        found: dict[tuple[str | None, ...] | None, dict[str, Any]] = {}
        for keys in ([*labels], []):
            for key, name, value in self._sums(keys, period):
                place = tuple(key[label] or None for label in keys) if keys else None
                figures = found.setdefault(place, {})
                figures[name] = figures.get(name, Decimal(0)) + value
            if not labels:
                break
        told = {
            key: _figures(figures, labels if key is not None else [], self._only)
            for key, figures in found.items()
        }
        told.setdefault(None, _figures({}, [], self._only))
        return {key: one for key, one in told.items() if key is None or one.calls or one.cost_usd}

    def _sums(self, labels: Sequence[str], period: Period) -> Iterable[tuple[dict[str, str], str, Decimal]]:
        for key, value in self._grown(COST, labels, period):
            yield key, "cost_usd", value
        for key, value in self._grown(_CALLS, [*labels, "outcome"], period):
            yield key, "calls", value
            name = {"error": "failed_calls", "cancelled": "cut_calls", "abandoned": "cut_calls"}.get(
                key["outcome"]
            )
            if name:
                yield key, name, value
        if not {*labels, *self._only} <= _OTHER_LABELS:
            return
        for key, value in self._grown(_TOKENS, [*labels, "token_type"], period):
            kind = key["token_type"]
            yield key, "output_tokens" if kind.startswith("output") else "input_tokens", value
            for prefix in ("cache_read", "cache_write"):
                if kind.startswith(prefix):
                    yield key, f"{prefix}_tokens", value
        for name, metric in _OTHERS.items():
            for key, value in self._grown(metric, labels, period):
                yield key, name, value

    def _grown(
        self, metric: str, labels: Sequence[str], period: Period
    ) -> Iterable[tuple[dict[str, str], Decimal]]:
        query = grown(metric + selector(self._only), labels, max(1, round(period.seconds)))
        try:
            samples = self._store.query(query, period.until)
        except PrometheusError as error:
            hint = _HINTS.get(error.status, "")
            raise UnavailableError(f"{error}{f': {hint}' if hint else ''}") from None
        for sample in samples:
            yield {label: sample.labels.get(label, "") for label in labels}, sample.value


_HINTS = {
    401: f"set {TOKEN_VARIABLE}",
    403: f"set {TOKEN_VARIABLE}",
    404: "is this the address of a Prometheus?",
}


def _figures(
    sums: Mapping[str, Decimal], labels: Sequence[str], only: Mapping[str, Sequence[str]]
) -> Figures:
    """Sums as figures: counts are whole again, and what this grouping cannot say is None and not zero."""
    known: dict[str, Any] = {"cost_usd": sums.get("cost_usd", Decimal(0))}
    for name in ("calls", "failed_calls", "cut_calls"):
        known[name] = round(sums.get(name, Decimal(0)))
    if {*labels, *only} <= _OTHER_LABELS:
        for name in ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", *_OTHERS):
            known[name] = round(sums.get(name, Decimal(0)))
        # What a call without a price is missing in: every other call has its share of the cost.
        known["priced_calls"] = max(0, known["calls"] - known["unpriced_calls"] - known["unmeasured_calls"])
        known["priced_output_tokens"] = known["output_tokens"]
    return replace(_UNKNOWN, **known)
