"""
The newcomer's path, timed: from nothing to "what did document summarisation cost".

    python -m tests.grafana.newcomer

Starts the demo, writes the package's files with `grafana export`, starts a fresh Prometheus on them as they are, and asks
what the Spend dashboard asks until there is an answer; held against what the demo itself counts.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from tests.grafana.backfill import ask
from tests.grafana.servers import free_port, running

FEATURE = "document_summarisation"
PATIENCE_SECONDS = 600


def panel(folder: Path, title: str) -> str:
    """The first query of a panel of the exported Spend dashboard, with its variables chosen as a reader would."""
    model = json.loads((folder / "dashboards/spend.json").read_text())
    expr = next(one["targets"][0]["expr"] for one in model["panels"] if one["title"] == title)
    chosen = {"$__range": "7d", "$feature": FEATURE, "$team": ".*", "$model": ".*"}
    return re.sub("|".join(map(re.escape, chosen)), lambda found: chosen[found[0]], expr)


def counted(metrics: str) -> float:
    """What the application has counted for the feature."""
    with urllib.request.urlopen(metrics) as answer:
        lines = answer.read().decode().splitlines()
    mine = [
        line
        for line in lines
        if line.startswith("ai_inference_estimated_cost_usd_total{") and FEATURE in line
    ]
    return sum(float(line.rpartition(" ")[2]) for line in mine)


def main() -> int:
    """Prints each step with the seconds since the start; exit code 1 where a question stays unanswered."""
    begun = time.monotonic()

    def told(text: str) -> None:
        print(f"{time.monotonic() - begun:6.1f} s  {text}", flush=True)

    app = free_port()
    metrics = f"http://127.0.0.1:{app}/metrics"
    tool = [sys.executable, "-m", "tracked_inference"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        demo = [*tool, "demo", "--seconds", "0", "--port", str(app), "--json"]
        with running(demo, metrics):
            told("the demo serves metrics")
            export = [
                *tool,
                "grafana",
                "export",
                "--to",
                name,
                "--job",
                "demo",
                "--target",
                f"127.0.0.1:{app}",
            ]
            subprocess.run(export, check=True, stdout=subprocess.DEVNULL)
            told("dashboards, rules and configuration are written")
            port = free_port()
            url = f"http://127.0.0.1:{port}"
            command = [
                "prometheus",
                f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{port}",
            ]
            with running(command, f"{url}/-/ready"):
                told("Prometheus is ready")
                open_questions = ["Team, feature, model", "Today so far"]
                while open_questions and time.monotonic() - begun < PATIENCE_SECONDS:
                    for title in list(open_questions):
                        found = ask(url, "query", query=panel(folder, title))
                        said = sum(float(one["value"][1]) for one in found)
                        if said > 0:
                            told(
                                f"{title}: {FEATURE} cost ${said:.4f}; the application counts ${counted(metrics):.4f}"
                            )
                            open_questions.remove(title)
                    time.sleep(1)
                time.sleep(60)
                for title in ("Team, feature, model", "Today so far"):
                    said = sum(
                        float(one["value"][1]) for one in ask(url, "query", query=panel(folder, title))
                    )
                    told(
                        f"{title}, a minute later: ${said:.4f}; the application counts ${counted(metrics):.4f}"
                    )
    return 1 if open_questions else 0


if __name__ == "__main__":
    sys.exit(main())
