"""
Runs the recording rules over data that is already stored, as if they had been loaded all along.

`promtool tsdb create-blocks-from rules` does not see rules that read other rules; this goes level by level.
"""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
import urllib.parse
import urllib.request
from pathlib import Path

from tests.grafana.servers import prometheus

_POINTS = 10_000  # Prometheus answers at most 11,000 for each series


def levels(groups: list[dict]) -> list[dict[str, str]]:
    """Expressions by recorded name, so that each level reads only earlier ones."""
    rules = {rule["record"]: rule["expr"] for group in groups for rule in group["rules"]}
    left, made = dict(rules), []
    while left:
        ready = {
            name: expr
            for name, expr in left.items()
            if not any(
                re.search(rf"(?<![\w:]){re.escape(other)}(?![\w:])", expr) for other in left if other != name
            )
        }
        if not ready:
            raise ValueError(f"rules that read each other: {sorted(left)}")
        made.append(ready)
        left = {name: expr for name, expr in left.items() if name not in ready}
    return made


def ask(url: str, path: str, **arguments: object) -> list[dict]:
    """What Prometheus answers; its own words where it answers with an error."""
    body = urllib.parse.urlencode(arguments).encode()
    try:
        with urllib.request.urlopen(f"{url}/api/v1/{path}", body) as answer:
            return json.load(answer)["data"]["result"]
    except urllib.error.HTTPError as error:
        raise ValueError(f"{arguments}: {error.read().decode()}") from error


def blocks(text: Path, data: Path) -> None:
    """Stores OpenMetrics text in a Prometheus's data folder."""
    command = [
        "promtool",
        "tsdb",
        "create-blocks-from",
        "openmetrics",
        "--max-block-duration=960h",
        "-q",
        text,
        data,
    ]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise ValueError(f"{text}: {done.stderr}")


def backfill(data: Path, groups: list[dict], start: int, end: int, step: int) -> None:
    """Evaluates the rules every `step` seconds and stores what they record."""
    for rules in levels(groups):
        with tempfile.TemporaryDirectory() as folder, prometheus(data) as url:
            text = Path(folder) / "recorded.txt"
            with text.open("w") as out:
                for name, expr in rules.items():
                    out.write(f"# TYPE {name} unknown\n")
                    # `a or b` gives a series under both names; a rule gives both its own, so here they are one.
                    series: dict[str, list[tuple[float, str]]] = {}
                    for first in range(start, end + 1, _POINTS * step):
                        last = min(end, first + (_POINTS - 1) * step)
                        for one in ask(url, "query_range", query=expr, start=first, end=last, step=step):
                            labels = ",".join(
                                f"{k}={json.dumps(v)}" for k, v in one["metric"].items() if k != "__name__"
                            )
                            series.setdefault(labels, []).extend((at, value) for at, value in one["values"])
                    for labels, samples in series.items():
                        out.writelines(f"{name}{{{labels}}} {value} {at}\n" for at, value in sorted(samples))
                out.write("# EOF\n")
            blocks(text, data)
