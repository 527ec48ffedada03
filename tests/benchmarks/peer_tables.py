"""The tables of docs/benchmarks.md: what their columns are, and what stands in a cell."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.benchmarks import peer_checks
from tests.benchmarks.vendor_calls import KINDS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

AT_ONCE = 100
SDK_NAMES = {"anthropic": "Anthropic", "openai": "OpenAI"}
SHAPES = ("call", "stream")
TIMED = {
    "call": ("sync-call", 1),
    "call, async": ("async-call", 1),
    "100 calls at once": ("async-call", AT_ONCE),
    "stream": ("sync-stream", 1),
    "stream, async": ("async-stream", 1),
    "100 streams at once": ("async-stream", AT_ONCE),
}
"""Column: scenario without its SDK, and how many at once."""

COUNTED = {
    f"{shape}{', async' if kind == 'async' else ''}": f"{kind}-{shape}" for shape in SHAPES for kind in KINDS
}
"""Column: scenario without its SDK."""

AIMS = {"anthropic": {"call": 1.04, "stream": 1.015}, "openai": {"call": 1.02, "stream": 1.005}}
"""What ours may cost at most, as a ratio of instructions to the bare SDK."""

START = ("library", "CPU time, ms", "memory, MiB", "modules")
PRICING = (
    "library",
    "gpt-4o, us",
    "dollars",
    "claude-sonnet-4-6, us",
    "dollars",
    "import and first price, ms",
    "memory, MiB",
)
RETAINED = ("what", "how many", "memory, KiB", "objects", "traced memory, bytes")
LOOP = ("step", "the loop was late, ms", "CPU time of its thread, ms")

SECTIONS = ("instructions", "times", "records", "start", "pricing", "retained", "loop")


@dataclass(frozen=True, slots=True)
class Line:
    """One row before it is a row: which library with which SDK, and a figure (or why there is none) for each column."""

    library: str
    sdk: str
    cells: Mapping[str, Any] = field(default_factory=dict)
    note: str | None = None


def head_of(section: str, sdk: str = "") -> tuple[str, ...]:
    """The columns of a table."""
    match section:
        case "instructions":
            return ("library", "SDK", *COUNTED)
        case "times":
            return ("library", "SDK", *TIMED)
        case "records":
            return ("library", "SDK", *peer_checks.CASES[sdk])
        case "start":
            return START
        case "pricing":
            return PRICING
        case "retained":
            return RETAINED
    return LOOP


def rows_of(section: str, sdk: str, lines: Sequence[Line]) -> list[list[str]]:
    """The rows of a table that has a column for each figure."""
    columns = head_of(section, sdk)[2:]
    rows = []
    for line in lines:
        if line.note is not None:
            rows.append([line.library, line.sdk, line.note, *[""] * (len(columns) - 1)])
        else:
            rows.append([line.library, line.sdk, *(str(line.cells.get(column, "-")) for column in columns)])
    return rows


# Cells.


def ratio(rounds: Sequence[Mapping[str, float]], way: str) -> str:
    """The median of the rounds' ratios to the bare SDK."""
    return f"{statistics.median(one[way] / one['bare'] for one in rounds):.3f}"


def microseconds(rounds: Sequence[Mapping[str, float]]) -> str:
    """The bare SDK's own time."""
    return f"{statistics.median(one['bare'] for one in rounds):,.0f} us"


def counts_of(order: Sequence[Sequence[Any]], totals: Sequence[int]) -> dict[str, dict[str, float | str]]:
    """
    Instructions of one call by way and scenario, or why there are none.

    What was counted is in the order of the totals; what broke was not counted.  The count of nothing is what switching costs.
    """
    left = list(totals)
    found: dict[str, dict[str, float | str]] = {}
    nothing = 0
    for way, scenario, times, broken in order:
        if broken is not None:
            found.setdefault(way, {})[scenario] = broken
            continue
        total = left.pop(0)
        if scenario == "nothing":
            nothing = total
        else:
            found.setdefault(way, {})[scenario] = (total - nothing) / times
    if left:
        raise ValueError(f"{len(left)} counts are left over")
    return found


def added(bare: float | str, watched: float | str) -> str:
    """The ratio to the bare SDK, and thousands of instructions more."""
    if isinstance(bare, str) or isinstance(watched, str):
        return watched if isinstance(watched, str) else str(bare)
    return f"{watched / bare:.3f} ({(watched - bare) / 1000:+,.0f}k)"


def against_aims(sdk: str, lines: Sequence[Line]) -> str:
    """Where ours, with the newest SDK, costs more than it should."""
    own = next(line for line in lines if line.library.startswith("**"))
    over = []
    for column in COUNTED:
        said, aim = str(own.cells.get(column, "-")).partition(" (")[0], AIMS[sdk][column.partition(",")[0]]
        try:
            missed = float(said) > aim
        except ValueError:  # not a figure
            missed = True
        if missed:
            over.append(f"{column} {said} (at most {aim})")
    return f"**Ours is over its aim**: {'; '.join(over)}." if over else "Ours is within its aims."


def price_row(name: str, version: str, found: Mapping[str, Any]) -> list[str]:
    """One engine."""
    cells = []
    for vendor in ("openai", "anthropic"):
        one = found[vendor]
        if "broken" in one:
            cells += [f"no price: {one['broken']}", "-"]
        else:
            cells += [f"{one['us']:.1f}", "right" if one["right"] else f"wrong: {one['usd']:.6f}"]
    return [f"{name} {version}".strip(), *cells, f"{found['first_ms']:,.0f}", f"{found['mib']:.0f}"]


def median_of(runs: Sequence[Mapping[str, float]], name: str) -> float:
    """The median of one figure over several runs."""
    return statistics.median(run[name] for run in runs)
