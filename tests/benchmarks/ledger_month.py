"""
A generated month written through the real ledger and reported by every dimension: is it exact, and how long does it take?

    python -m tests.benchmarks.ledger_month --calls 1000000

Exits 1 where a sum is not the generator's own, to the last digit. The suite has the same with 50,000 calls.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

from tests.reporting.month import DAYS, START, Truth, month
from tracked_inference.reporting.ledger_report import ledger_report
from tracked_inference.reporting.periods import Period
from tracked_inference.sinks.ledger import LedgerSink

DIMENSIONS = ("feature", "team", "model", "user", "day", "provider", "outcome")


def written(calls: int, place: Path) -> Truth:
    """Write the month and say how long a line took, in processor time and on the clock."""
    truth, sink, clock, took = Truth(), LedgerSink(place), time.perf_counter, []
    spent = 0.0
    for record in month(calls):
        truth.add(record)
        before, cpu = clock(), time.thread_time()
        sink(record)
        spent += time.thread_time() - cpu
        took.append(clock() - before)
    took.sort()
    percentiles = ", ".join(
        f"p{share:g} {took[int(calls * share / 100) - 1] * 1e6:,.0f}" for share in (50, 99, 99.9)
    )
    print(
        f"{calls:,} lines: {spent / calls * 1e6:.0f} us of processor time each; on the clock, in us: {percentiles}, max {took[-1] * 1e6:,.0f}"
    )
    return truth


def right(truth: Truth, place: Path, dimension: str) -> bool:
    """Whether the report by a dimension is the truth, and how long it took."""
    before, cpu = time.perf_counter(), time.process_time()
    report = ledger_report([place], Period(START, START + timedelta(days=DAYS)), (dimension,), compare=False)
    print(
        f"by {dimension}: {time.perf_counter() - before:.2f} s, {time.process_time() - cpu:.2f} s of processor time, {len(report.rows):,} rows"
    )
    found = {row.key[0] or "": row.now.cost_usd for row in report.rows if row.now.cost_usd}
    expected = {value: cost for (name, value), cost in truth.cost.items() if name == dimension and cost}
    return found == expected and report.total.now.cost_usd == sum(found.values(), Decimal(0)) == truth.total


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--calls", type=int, default=1_000_000)
    parser.add_argument("--single-file", action="store_true", help="One file instead of one a day.")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["TRACKED_INFERENCE_CACHE"] = f"{scratch}/cache"
        place = Path(scratch) / ("calls.jsonl" if given.single_file else "ledger")
        truth = written(given.calls, place)
        wrong = [dimension for dimension in DIMENSIONS if not right(truth, place, dimension)]
        yesterday = Period(START + timedelta(days=29), START + timedelta(days=30))
        before = time.perf_counter()
        ledger_report([place], yesterday, only={"feature": ["document_summarisation"]})
        print(f"what did document summarisation cost on one day: {time.perf_counter() - before:.2f} s")
        print(
            f"wrong: {', '.join(wrong)}"
            if wrong
            else f"all {len(DIMENSIONS)} dimensions come to {truth.total} USD exactly"
        )
        raise SystemExit(bool(wrong))


if __name__ == "__main__":
    main()
