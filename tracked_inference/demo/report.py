"""What the demo says of itself: as JSON for scripts, and as text and tables for people."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal
from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from tracked_inference.demo.money import exact, readable
from tracked_inference.demo.tally import HOURS_PER_MONTH
from tracked_inference.sinks.log import fields_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType

    from tracked_inference.demo.run import Demo
    from tracked_inference.demo.tally import FeatureTally

__all__ = ["as_json", "ending", "table"]

ROOMY = 90  # columns of the terminal


def as_json(demo: Demo) -> dict[str, Any]:
    """Give the result as docs/reference/demo.md describes it; dollars are exact decimals, as strings."""
    assert demo.check is not None
    check = demo.check
    return {
        "seed": demo.plan.seed,
        "seconds": round(demo.elapsed_seconds, 3),
        "stopped": demo.stopped,
        "price_table": {"version": demo.prices.version, "sha256": demo.prices.sha256},
        "metrics_url": demo.metrics_url,
        "cost_usd": exact(demo.tally.cost_usd),
        "features": [_feature(one, demo) for one in demo.tally.features.values()],
        "check": {
            "ok": not check.faults,
            "calls": check.calls,
            "recorded_usd": exact(check.tracked_usd),
            "billed_usd": exact(check.billed_usd),
            "cut_calls": check.cut_calls,
            "cut_recorded_usd": exact(check.cut_tracked_usd),
            "cut_billed_usd": exact(check.cut_billed_usd),
            "faults": list(check.faults),
        },
    }


def _feature(one: FeatureTally, demo: Demo) -> dict[str, Any]:
    hourly = _per_hour(one.cost_usd, demo)
    return {
        "feature": one.feature,
        "team": one.team,
        "cost_usd": exact(one.cost_usd),
        "cost_per_hour_usd": None if hourly is None else _rounded(hourly),
        "projected_month_usd": None if hourly is None else _rounded(hourly * HOURS_PER_MONTH),
        "calls": one.calls,
        "failed_calls": one.failed,
        "unpriced_calls": one.unpriced,
        "unmeasured_calls": one.unmeasured,
        "retries": one.retries,
        "p95_seconds": None if one.p95_seconds is None else round(one.p95_seconds, 4),
        "tokens": dict(sorted(one.tokens.items())),
        "models": dict(sorted(one.models.items())),
    }


def table(demo: Demo, *, title: str, width: int) -> RenderableType:
    """Draw the features with what they cost so far and, at this rate, in an hour and a month; 80 columns will do."""
    drawn = Table(
        title=title,
        title_justify="left",
        title_style="bold",
        header_style="underline",
        box=None,
        padding=(0, 1 if width < ROOMY else 2, 0, 0),
        pad_edge=False,
    )
    drawn.add_column("feature", no_wrap=True)
    drawn.add_column("team", no_wrap=True)
    features = list(demo.tally.features.values())
    total = _per_hour(demo.tally.cost_usd, demo)
    totals = {
        "cost": readable(demo.tally.cost_usd),
        **(
            {"$/hour": readable(total), "$/month": readable(total * HOURS_PER_MONTH)}
            if total is not None
            else {}
        ),
        "calls": f"{sum(one.calls for one in features):,}",
        "p95": "",
        "unpriced": _count(sum(one.unpriced for one in features)),
    }
    for heading in totals:
        drawn.add_column(heading, justify="right", no_wrap=True)
    for one in features:
        hourly = _per_hour(one.cost_usd, demo)
        drawn.add_row(
            one.feature,
            one.team,
            readable(one.cost_usd),
            *([readable(hourly), readable(hourly * HOURS_PER_MONTH)] if hourly is not None else []),
            f"{one.calls:,}",
            _seconds(one.p95_seconds),
            _count(one.unpriced),
        )
    drawn.add_row("total", "", *totals.values(), style="bold")
    return drawn


def ending(demo: Demo, *, dashboards: bool, width: int) -> RenderableType:
    """Say what each feature cost, whether that is right, and what to do next."""
    return Group(
        table(
            demo, title=f"What each feature cost in {demo.elapsed_seconds:.0f} s, at list prices", width=width
        ),
        "",
        *_notes(demo),
        "",
        *_next_steps(demo, dashboards=dashboards),
    )


def _notes(demo: Demo) -> Iterator[RenderableType]:
    check = demo.check
    assert check is not None
    if check.faults:
        yield Text("The records do NOT agree with what the vendor billed:", style="bold red")
        yield from (Text(f"  {fault}", style="red") for fault in check.faults)
    else:
        yield Text.assemble(
            ("Checked: ", "bold green"),
            f"the vendor billed ${exact(check.billed_usd)} for {_calls(check.calls)};"
            " the records say the same, to the last digit.",
        )
    if check.cut_calls:
        yield Text(
            f"{_calls(check.cut_calls)} cut short, as when a user leaves: the vendor billed"
            f" ${exact(check.cut_billed_usd)} but told the client of only ${exact(check.cut_tracked_usd)};"
            " counted as unmeasured, not as zero."
        )
    retries = sum(one.retries for one in demo.tally.features.values())
    if retries:
        yield Text(
            f"The SDK retried {retries:,} request{'' if retries == 1 else 's'} that hit a rate limit;"
            " each call counts once."
        )
    failed = sum(one.failed for one in demo.tally.features.values())
    if failed:
        yield Text(f"{_calls(failed)} failed and cost nothing.")
    for one in demo.tally.features.values():
        for model, count in sorted(one.unpriced_models.items()):
            yield Text(
                f"{_calls(count)} of {one.feature} went to {model}, which has no price:"
                " counted as unpriced, not as zero."
            )


def _calls(count: int) -> str:
    return f"{count:,} call{'' if count == 1 else 's'}"


def _next_steps(demo: Demo, *, dashboards: bool) -> Iterator[RenderableType]:
    if demo.tally.last is not None:
        line = " ".join(f"{name}={value!r}" for name, value in fields_of(demo.tally.last).items())
        yield Text("Beside its metrics, each call writes a log line:", style="bold")
        yield Text(f"  event='ai.inference.completed' {line}")
        yield ""
    yield Text.assemble(
        ("Metrics ", "bold"), f"were at {demo.metrics_url} while this ran (--seconds 0 runs on)."
    )
    yield Text.assemble(("Next: ", "bold"), "track a client of your own; nothing else in your code changes.")
    yield Text(
        "  client = TrackedClient(AsyncAnthropic(), feature='document_summarisation', team='documents')"
    )
    if dashboards:
        yield Text("  tracked-inference grafana export --to DIR   # the dashboards and alerts")


def _per_hour(cost_usd: Decimal, demo: Demo) -> Decimal | None:
    """Give the dollars an hour at the rate of this run; None where it has none, as one round is as fast as it can be."""
    if demo.plan.once or demo.elapsed_seconds <= 0:
        return None
    return cost_usd * 3600 / Decimal(str(demo.elapsed_seconds))


def _rounded(dollars: Decimal) -> str:
    return exact(dollars.quantize(Decimal("0.000001"), ROUND_HALF_EVEN))


def _seconds(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds:.{2 if seconds < 10 else 1}f} s"


def _count(count: int) -> str:
    return f"[yellow]{count:,}[/yellow]" if count else "0"
