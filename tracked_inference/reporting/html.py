"""A report as one page that needs nothing else: no script, no font, no request, charts drawn as SVG in it."""

from __future__ import annotations

from decimal import Decimal
from html import escape
from typing import TYPE_CHECKING

from tracked_inference.reporting.figures import money
from tracked_inference.reporting.query import TIMES
from tracked_inference.reporting.render import NOT_SAID, columns_of, percent, plain, summary_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tracked_inference.reporting.figures import Report

__all__ = ["to_html"]

_MAX_BARS = 20
_MAX_COLOURS = 8
_WIDTH = 880
_STYLE = """
:root { color-scheme: light dark; --ink: #1c2430; --soft: #5d6878; --line: #dfe4ea; --card: #f6f8fa; --page: #fff; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ee; --soft: #9aa5b4; --line: #323a46; --card: #1b212a; --page: #12161c; } }
* { box-sizing: border-box; }
body { margin: 2rem auto; max-width: 960px; padding: 0 1rem; font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--page); }
h1 { font-size: 1.4rem; margin: 0; } h2 { font-size: 1.05rem; margin: 2rem 0 .5rem; } p { margin: .2rem 0; color: var(--soft); }
.cards { display: flex; flex-wrap: wrap; gap: .75rem; margin: 1.25rem 0; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: .6rem .9rem; min-width: 8.5rem; }
.card b { display: block; font-size: 1.3rem; font-variant-numeric: tabular-nums; } .card span { color: var(--soft); font-size: .85rem; }
.note { border-left: 3px solid #c98a00; padding: .2rem .75rem; margin: .4rem 0; color: inherit; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; font-size: .85rem; }
th, td { padding: .3rem .4rem; border-bottom: 1px solid var(--line); text-align: left; white-space: nowrap; }
td { max-width: 20rem; overflow: hidden; text-overflow: ellipsis; }
.n { text-align: right; } tfoot td { font-weight: 600; }
svg { width: 100%; height: auto; display: block; } svg text { fill: var(--ink); font-size: 12px; } svg .soft { fill: var(--soft); }
""".strip()
_COLOURS = ("#3266ad", "#d9822b", "#2f9e6e", "#a04ba8", "#c23d4d", "#1d98b3", "#8a7a1f", "#6b6bd6", "#8894a3")


def to_html(report: Report, title: str = "What AI inference cost") -> str:
    """The whole page as text."""
    now = report.total.now
    cards = [
        ("estimated cost", f"${money(now.known_cost_usd)}" if now.known_cost_usd is not None else "unknown"),
        ("against the period before", percent(report.total.change, sign=True)),
        ("of the plan", percent(report.total.of_plan)),
        ("calls", "-" if now.calls is None else f"{now.calls:,}"),
        ("a call", _dollars(now.cost_per_call_usd)),
        ("a user", _dollars(now.cost_per_user_usd)),
        ("1,000 output tokens", _dollars(now.cost_per_1k_output_tokens_usd)),
        ("without price or usage", f"{now.missing_calls:,}"),
    ]
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">",
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>",
        f"<h1>{escape(title)}</h1>",
        f"<p>{escape(_what(report))}</p>",
        '<div class="cards">',
        *(
            f'<div class="card"><b>{escape(value)}</b><span>{escape(name)}</span></div>'
            for name, value in cards
            if value != "-"
        ),
        "</div>",
        *(f'<p class="note">{escape(note)}</p>' for note in report.notes),
    ]
    times = [index for index, word in enumerate(report.by) if word in TIMES]
    others = [index for index, word in enumerate(report.by) if word not in TIMES]
    if times:
        parts += [f"<h2>Cost by {escape(report.by[times[0]])}</h2>", _columns(report, times[0], others)]
    if others:
        parts += [
            f"<h2>Cost by {escape(', '.join(report.by[index] for index in others))}</h2>",
            _bars(report, others),
        ]
    parts += [
        "<h2>Figures</h2>",
        _table(report),
        *(f"<p>{escape(name)}: {escape(text)}</p>" for name, text in summary_of(report)),
    ]
    return "\n".join([*parts, "</body></html>"]) + "\n"


def _what(report: Report) -> str:
    only = f"Only {', '.join(report.filters)}. " if report.filters else ""
    return f"{report.period}, from {report.source}. {only}Estimated from the vendors' list prices and your overlays; not a bill."


def _dollars(amount: Decimal | None) -> str:
    return "-" if amount is None else f"${money(amount)}"


def _summed(report: Report, indices: Iterable[int]) -> dict[tuple[str, ...], Decimal]:
    """The cost by some of the dimensions, dearest first."""
    indices = list(indices)
    sums: dict[tuple[str, ...], Decimal] = {}
    for row in report.rows:
        key = tuple(NOT_SAID if row.key[index] is None else plain(str(row.key[index])) for index in indices)
        sums[key] = sums.get(key, Decimal(0)) + row.now.cost_usd
    return dict(sorted(sums.items(), key=lambda one: -one[1]))


def _bars(report: Report, indices: list[int]) -> str:
    """Horizontal bars, the dearest on top; what does not fit is one bar."""
    sums = list(_summed(report, indices).items())
    bars = [(" / ".join(key), cost) for key, cost in sums[:_MAX_BARS]]
    if len(sums) > _MAX_BARS:
        bars.append(
            (f"{len(sums) - _MAX_BARS:,} more", sum((cost for _, cost in sums[_MAX_BARS:]), Decimal(0)))
        )
    largest = max((cost for _, cost in bars), default=Decimal(0))
    left, height, room = 280, 22, _WIDTH - 280 - 110
    drawn = []
    for number, (name, cost) in enumerate(bars):
        y = number * height
        length = float(cost / largest) * room if largest > 0 else 0.0
        short = name if len(name) <= 40 else f"{name[:39]}…"
        drawn.append(
            f'<g><title>{escape(name)}: ${money(cost)}</title><text x="{left - 8}" y="{y + 15}" text-anchor="end">{escape(short)}</text>'
            f'<rect class="bar" x="{left}" y="{y + 3}" width="{length:.1f}" height="{height - 6}" rx="2" fill="{_COLOURS[0]}"/>'
            f'<text class="soft" x="{left + length + 6:.1f}" y="{y + 15}">${money(cost)}</text></g>'
        )
    return f'<svg viewBox="0 0 {_WIDTH} {max(1, len(bars)) * height}" role="img" aria-label="Cost by row">{"".join(drawn)}</svg>'


def _columns(report: Report, time: int, others: list[int]) -> str:
    """A column for each time, in it the dearest few of the other dimensions and the rest."""
    dearest = list(_summed(report, others))[:_MAX_COLOURS] if others else [()]
    stacks: dict[str, dict[tuple[str, ...], Decimal]] = {}
    for (moment, *key), cost in _summed(report, [time, *others]).items():
        stack = stacks.setdefault(moment, {})
        name = tuple(key) if tuple(key) in dearest else ("others",)
        stack[name] = stack.get(name, Decimal(0)) + cost
    moments = sorted(stacks)
    names = [*dearest, *([("others",)] if any(("others",) in stack for stack in stacks.values()) else [])]
    largest = max((sum(stack.values(), Decimal(0)) for stack in stacks.values()), default=Decimal(0))
    left, top, height = 70, 10, 220
    step = (_WIDTH - left) / max(1, len(moments))
    drawn = [
        f'<text class="soft" x="{left - 8}" y="{top + 10}" text-anchor="end">${money(largest)}</text>',
        f'<line x1="{left}" x2="{_WIDTH}" y1="{top + height}" y2="{top + height}" stroke="currentColor" stroke-opacity=".3"/>',
    ]
    for number, moment in enumerate(moments):
        y = float(top + height)
        x = left + number * step + step * 0.1
        for colour, name in enumerate(names):
            cost = stacks[moment].get(name, Decimal(0))
            size = float(cost / largest) * height if largest > 0 else 0.0
            if size <= 0:
                continue
            y -= size
            label = f"{moment} {' / '.join(name)}: ${money(cost)}"
            drawn.append(
                f'<rect class="column" x="{x:.1f}" y="{y:.2f}" width="{step * 0.8:.1f}" height="{size:.2f}"'
                f' fill="{_COLOURS[colour]}"><title>{escape(label)}</title></rect>'
            )
        if number % max(1, -(-len(moments) // 10)) == 0:
            drawn.append(f'<text class="soft" x="{x:.1f}" y="{top + height + 18}">{escape(moment)}</text>')
    legend = []
    if others:
        for colour, name in enumerate(names):
            x, y = left + (colour % 3) * 265, top + height + 44 + (colour // 3) * 20
            text = " / ".join(name)
            text = text if len(text) <= 34 else f"{text[:33]}…"
            legend.append(
                f'<rect x="{x}" y="{y - 10}" width="12" height="12" rx="2" fill="{_COLOURS[colour]}"/><text x="{x + 18}" y="{y}">{escape(text)}</text>'
            )
    tall = top + height + 30 + (20 * (-(-len(names) // 3)) + 10 if others else 0)
    return f'<svg viewBox="0 0 {_WIDTH} {tall}" role="img" aria-label="Cost over time">{"".join(drawn + legend)}</svg>'


def _table(report: Report) -> str:
    columns = columns_of(report)
    css = [' class="n"' if one.number else "" for one in columns]

    def row(cells: Iterable[str], tag: str) -> str:
        return (
            "<tr>"
            + "".join(f"<{tag}{kind}>{escape(cell)}</{tag}>" for kind, cell in zip(css, cells, strict=True))
            + "</tr>"
        )

    head = row((one.title for one in columns), "th")
    body = (
        "".join(row((one.text(line) for one in columns), "td") for line in report.shown) if report.by else ""
    )
    foot = row((one.text(report.total) for one in columns), "td")
    more = f"<p>{report.left_out:,} rows more.</p>" if report.left_out else ""
    return f'<div class="scroll"><table><thead>{head}</thead><tbody>{body}</tbody><tfoot>{foot}</tfoot></table></div>{more}'
