"""
The metric names that queries may use, taken from their definitions: a rename there breaks generation here.

`raw()` checks the metric and every label of its selector.
"""

from __future__ import annotations

from dataclasses import dataclass

from tracked_inference.cloud.orphans.textfile import ORPHAN_METRICS
from tracked_inference.reporting.bill_metrics import BILL_METRICS
from tracked_inference.sinks.catalogue import METRICS

__all__ = ["Raw", "labels_of", "raw"]

_HISTOGRAM_PARTS = ("_bucket", "_count", "_sum")
_BY_NAME = {metric.name: metric for metric in (*METRICS, *BILL_METRICS, *ORPHAN_METRICS)}


def labels_of(name: str) -> tuple[str, ...]:
    """
    The labels that a queried name carries, `le` of a bucket included; labels that scraping adds are not among them.

    Raises:
        LookupError: No metric of the catalogue has this name.

    """
    if name in _BY_NAME and _BY_NAME[name].kind != "histogram":
        return _BY_NAME[name].labels
    for part in _HISTOGRAM_PARTS:
        base = _BY_NAME.get(name.removesuffix(part)) if name.endswith(part) else None
        if base is not None and base.kind == "histogram":
            return (*base.labels, "le") if part == "_bucket" else base.labels
    raise LookupError(
        f"no metric {name!r}: see sinks/catalogue.py, reporting/bill_metrics.py and cloud/orphans/textfile.py"
    )


@dataclass(frozen=True, slots=True)
class Raw:
    """A selector of a metric as the library exports it."""

    name: str
    matchers: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.name}{{{', '.join(self.matchers)}}}" if self.matchers else self.name


def raw(name: str, /, *extra: str, **matchers: str) -> Raw:
    """
    A selector; `raw("ai_inference_calls_total", outcome='="error"')` is `ai_inference_calls_total{outcome="error"}`.

    Args:
        name: As queried, with the `_bucket`, `_count` or `_sum` of a histogram.
        extra: Whole matchers that a deployment adds, on labels that its scraping sets.
        matchers: Operator and quoted value by label.

    Raises:
        LookupError: The catalogue has no such metric or the metric no such label.

    """
    known = labels_of(name)
    for label in matchers:
        if label not in known:
            raise LookupError(f"{name} has no label {label!r}; it has {', '.join(known)}")
    return Raw(name, (*extra, *(f"{label}{matcher}" for label, matcher in matchers.items())))
