"""
How near "what did it cost yesterday" comes, in each way of running: what the dashboard said, what the truth was.

The real library counts; processes, scrapes and receivers are played on a clock of their own, one day each, scraped every
15 seconds at a random phase as Prometheus does; the samples go into a real Prometheus and a real VictoriaMetrics, which
answer the dashboards' own query.  The gunicorn case is live: real workers, real recycling, real scrapes.

    python -m tests.benchmarks.accuracy            the whole table, about five minutes
    python -m tests.benchmarks.accuracy --live     the gunicorn case alone
    python -m tests.benchmarks.accuracy --write docs/explanation/accuracy.md
"""

from __future__ import annotations

import argparse
import math
import random
import tempfile
import urllib.request
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry

from grafana.queries import yesterday
from tests.benchmarks.accuracy_live import live
from tests.grafana.backfill import ask, blocks
from tests.grafana.servers import prometheus, victoria_metrics
from tracked_inference.pricing.cost import Cost
from tracked_inference.record import CallRecord
from tracked_inference.sinks.metrics import MetricsSink

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

COST = "ai_inference_estimated_cost_usd_total"
DAY = 86_400.0
MIDNIGHT = datetime(2026, 11, 20, tzinfo=UTC).timestamp()  # the end of the day that is asked for
BEFORE = 6 * 3600.0  # what ran before that day began
SCRAPE = 15.0
FEATURES = 8
MODELS = ("claude-sonnet-4-5", "gpt-5-mini")
START = datetime(2026, 11, 19, tzinfo=UTC)


@dataclass
class Process:
    """One process of the application: its own registry, as the library makes it."""

    feature: str
    instance: str
    born: float
    died: float
    declared: bool
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)

    def __post_init__(self) -> None:
        self.sink = MetricsSink(self.registry)
        if self.declared:
            self.sink.declare(self.feature, "bench", MODELS)
        self._shown = self.registry.restricted_registry([COST])

    def call(self, dollars: float, model: str) -> None:
        """One call that cost this much."""
        cost = Cost("exact", Decimal(repr(dollars)), Decimal(repr(dollars)), model)
        self.sink(
            CallRecord(
                started_at=START,
                duration_seconds=1.0,
                time_to_first_token_seconds=None,
                provider="bench",
                operation="messages",
                requested_model=model,
                model=model,
                stream=False,
                feature=self.feature,
                team="bench",
                user=None,
                usage=None,
                cost=cost,
                outcome="ok",
                error_type=None,
                attempts=1,
                request_id=None,
            )
        )

    def samples(self) -> Iterator[tuple[str, float]]:
        """What a scrape would find of the dollars."""
        for metric in self._shown.collect():
            for sample in metric.samples:
                if sample.name == COST:
                    labels = {**sample.labels, "instance": self.instance, "job": "bench"}
                    yield ",".join(f'{key}="{value}"' for key, value in sorted(labels.items())), sample.value


@dataclass
class Played:
    """A case after its day: samples by labels, and the truth by feature."""

    samples: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    truth: dict[str, float] = field(default_factory=dict)

    def add(self, labels: str, at: float, value: float) -> None:
        """One stored sample."""
        self.samples.setdefault(labels, []).append((at, value))


def _calls(chance: random.Random, a_day: float, start: float, end: float) -> list[tuple[float, float, str]]:
    """Poisson calls with log-normal costs."""
    found, at = [], start
    while True:
        at += chance.expovariate(a_day / DAY)
        if at >= end:
            return found
        found.append((at, math.exp(chance.gauss(-4, 1)), chance.choice(MODELS)))


def served(
    a_day: float, *, lives: float, declared: bool, moves: bool, first: float = -BEFORE
) -> Callable[[], Played]:
    """A service that is scraped; a process lives so many seconds, and the next has its address or (`moves`) a new one."""

    def play() -> Played:
        played = Played()
        for number in range(FEATURES):
            feature, chance = f"feature_{number}", random.Random(f"{a_day} {lives} {number}")
            calls = _calls(chance, a_day, first, DAY)
            played.truth[feature] = sum(dollars for at, dollars, _ in calls if at >= 0)
            born, run = first, 0
            next_scrape = first + chance.uniform(0, SCRAPE)
            while born < DAY:
                died = min(born + lives, DAY + 60)
                process = Process(feature, f"pod-{run}" if moves else "host:8000", born, died, declared)
                mine = [call for call in calls if born <= call[0] < died]
                while next_scrape < died:
                    while mine and mine[0][0] <= next_scrape:
                        process.call(*mine.pop(0)[1:])
                    for labels, value in process.samples():
                        played.add(labels, next_scrape, value)
                    next_scrape += SCRAPE
                born, run = died, run + 1
        return played

    return play


def jobs(way: str) -> Callable[[], Played]:
    """Two hundred jobs a day of 45 seconds at the median, each of some calls, by the way their dollars are collected."""

    def play() -> Played:
        played = Played()
        for number in range(FEATURES):
            feature, chance = f"feature_{number}", random.Random(f"jobs {number}")
            starts = sorted(chance.uniform(-BEFORE, DAY) for _ in range(int(200 * (1 + BEFORE / DAY))))
            together: dict[str, float] = {}
            played.truth[feature] = 0.0
            pushed: list[tuple[float, dict[str, float]]] = []
            for run, born in enumerate(starts):
                died = born + 45 * math.exp(chance.gauss(0, 0.6))
                process = Process(feature, f"job-{run}", born, died, declared=True)
                calls = _calls(chance, DAY / 5, born, died)
                played.truth[feature] += sum(dollars for at, dollars, _ in calls if 0 <= at < DAY)
                if way == "scraped":
                    at = born + chance.uniform(0, SCRAPE)
                    while at < died:
                        while calls and calls[0][0] <= at:
                            process.call(*calls.pop(0)[1:])
                        for labels, value in process.samples():
                            played.add(labels, at, value)
                        at += SCRAPE
                    continue
                for _, dollars, model in calls:
                    process.call(dollars, model)
                final = dict(process.samples())
                if way == "import":
                    for labels, value in final.items():
                        played.add(labels, born, 0.0)
                        played.add(labels, died, value)
                else:
                    gateway = {
                        labels.replace(f'instance="job-{run}"', 'instance="gateway"'): value
                        for labels, value in final.items()
                    }
                    pushed.append((died, gateway))
            pushed.sort(key=lambda one: one[0])
            if way == "aggregating":
                for place, (died, gateway) in enumerate(pushed):
                    for labels, value in gateway.items():
                        together[labels] = together.get(labels, 0.0) + value
                    pushed[place] = (died, dict(together))
            for tick in range(int((BEFORE + DAY) / SCRAPE) if pushed else 0):
                at = -BEFORE + tick * SCRAPE
                while len(pushed) > 1 and pushed[1][0] <= at:
                    pushed.pop(0)
                if pushed[0][0] <= at:
                    for labels, value in pushed[0][1].items():
                        played.add(labels, at, value)
        return played

    return play


LONG, TEN_MINUTES = 3 * DAY, 600.0
CASES: dict[str, Callable[[], Played]] = {
    "3 calls a day, running for long": served(3, lives=LONG, declared=True, moves=False),
    "50 calls a day, running for long": served(50, lives=LONG, declared=True, moves=False),
    "2,000 calls a day, running for long": served(2000, lives=LONG, declared=True, moves=False),
    "50 calls a day, started that noon, declared": served(
        50, lives=LONG, declared=True, moves=True, first=DAY / 2
    ),
    "50 calls a day, started that noon, not declared": served(
        50, lives=LONG, declared=False, moves=True, first=DAY / 2
    ),
    "3 calls a day, one deploy, not declared": served(3, lives=DAY, declared=False, moves=True),
    "3 calls a day, restarts every 10 min, same address": served(
        3, lives=TEN_MINUTES, declared=True, moves=False
    ),
    "50 calls a day, restarts every 10 min, same address": served(
        50, lives=TEN_MINUTES, declared=True, moves=False
    ),
    "2,000 calls a day, restarts every 10 min, same address": served(
        2000, lives=TEN_MINUTES, declared=True, moves=False
    ),
    "50 calls a day, restarts every 10 min, not declared": served(
        50, lives=TEN_MINUTES, declared=False, moves=False
    ),
    "2,000 calls a day, a new pod every 10 min": served(2000, lives=TEN_MINUTES, declared=True, moves=True),
    "2,000 calls a day, a new pod every hour": served(2000, lives=3600, declared=True, moves=True),
    "200 jobs a day of 45 s, scraped": jobs("scraped"),
    "200 jobs a day, pushed to a Pushgateway": jobs("pushgateway"),
    "200 jobs a day, pushed to an aggregating gateway": jobs("aggregating"),
    "200 jobs a day, Pusher(way='import')": jobs("import"),
}
QUERIES = {
    "increase": f"sum by (feature) (increase({COST}[1d]))",
    "Yesterday panel": yesterday(COST, "feature"),
}


def _text(played: Played, unit: int) -> Iterator[str]:
    for labels, samples in played.samples.items():
        for at, value in samples:
            yield f"{COST}{{{labels}}} {value!r} {(MIDNIGHT - DAY + at) * unit:.{3 if unit == 1 else 0}f}\n"


def _ask_prometheus(played: Played) -> dict[str, dict[str, float]]:
    with tempfile.TemporaryDirectory() as folder:
        text, data = Path(folder) / "day.txt", Path(folder) / "data"
        data.mkdir()
        with text.open("w") as out:
            out.write(f"# TYPE {COST.removesuffix('_total')} counter\n")
            out.writelines(_text(played, 1))
            out.write("# EOF\n")
        blocks(text, data)
        with prometheus(data) as url:
            return {name: _by_feature(url, query) for name, query in QUERIES.items()}


def _ask_victoria(played: Played) -> dict[str, dict[str, float]]:
    with victoria_metrics("", "-retentionPeriod=100y", "-search.disableCache") as url:
        lines = list(_text(played, 1000))
        for first in range(0, len(lines), 100_000):
            body = "".join(lines[first : first + 100_000]).encode()
            with urllib.request.urlopen(f"{url}/api/v1/import/prometheus", body):
                pass
        with urllib.request.urlopen(f"{url}/internal/force_flush"):
            pass
        return {name: _by_feature(url, query) for name, query in QUERIES.items()}


def _by_feature(url: str, query: str) -> dict[str, float]:
    # A minute after midnight, as somebody would ask; the query itself goes back to midnight.
    at = MIDNIGHT if "[1d:1d]" not in query else MIDNIGHT + 60
    return {
        one["metric"]["feature"]: float(one["value"][1]) for one in ask(url, "query", query=query, time=at)
    }


def errors(said: dict[str, float], truth: dict[str, float]) -> tuple[float, float]:
    """The error of the sum, and the largest of any feature, as shares of the truth."""
    total = sum(said.get(name, 0.0) for name in truth) / sum(truth.values()) - 1
    each = [said.get(name, 0.0) / true - 1 for name, true in truth.items() if true]
    return total, max(each, key=abs)


def main() -> None:
    """Prints the table; `--write` puts it between the markers of a page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--live", action="store_true")
    parser.add_argument("--only", default="")
    parser.add_argument("--write", type=Path)
    chosen = parser.parse_args()
    rows = []
    for case, play in ({} if chosen.live else CASES).items():
        if chosen.only not in case:
            continue
        played = play()
        truth = sum(played.truth.values())
        row = [case, f"{truth:.4f}"]
        for store in (_ask_prometheus, _ask_victoria):
            for said in store(played).values():
                total, worst = errors(said, played.truth)
                row.append(f"{total:+.2%} ({worst:+.1%})")
        rows.append(row)
        print(" | ".join(row), flush=True)
    if not chosen.only:
        for row in live():
            rows.append(row)
            print(" | ".join(row), flush=True)
    if chosen.write:
        head = [
            "case",
            "truth, USD",
            "Prometheus `increase`",
            "Prometheus, Yesterday panel",
            "VictoriaMetrics `increase`",
            "VictoriaMetrics, Yesterday panel",
        ]
        table = "\n".join(f"| {' | '.join(line)} |" for line in (head, ["---"] * len(head), *rows))
        page = chosen.write.read_text()
        start, end = "<!-- table -->\n", "<!-- /table -->"
        before, _, rest = page.partition(start)
        chosen.write.write_text(f"{before}{start}{table}\n{end}{rest.partition(end)[2]}")


if __name__ == "__main__":
    main()
