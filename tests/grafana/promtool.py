"""Writes promtool unit tests and runs them: series in a short notation, and what should be firing when."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from grafana.alerting import alert_groups
from grafana.recording import recording_groups
from grafana.yamltext import dump

if TYPE_CHECKING:
    from pathlib import Path

needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is not installed (Debian: prometheus)"
)

HOUR, DAY = 60, 24 * 60


def run(minutes: int, per_minute: float = 0.0) -> tuple[str, int, float]:
    """The counter grows evenly."""
    return ("run", minutes, per_minute)


def gap(minutes: int) -> tuple[str, int, float]:
    """Nothing is scraped."""
    return ("gap", minutes, 0.0)


RESET = ("reset", 0, 0.0)


def values(*parts: tuple[str, int, float], start: float = 0.0) -> str:
    """Samples of a counter, one a minute, in promtool's notation; n minutes are n samples."""
    now, out = start, []
    for kind, minutes, rate in parts:
        if kind == "reset":
            now = 0.0
        elif kind == "gap":
            out.append(f"_x{minutes}")
        elif minutes:
            out.append(f"{now:.9g}+{rate:.9g}x{minutes - 1}")
            now += rate * minutes
    return " ".join(out)


def scaled(parts: tuple[tuple[str, int, float], ...], by: float) -> tuple[tuple[str, int, float], ...]:
    """The same course of another counter."""
    return tuple((kind, minutes, rate * by) for kind, minutes, rate in parts)


@dataclass
class World:
    """One promtool test: its series, the rules it loads and what is expected."""

    groups: tuple[str, ...] = ()
    leave_out: tuple[str, ...] = ()
    every: str = "5m"
    series: list[dict[str, str]] = field(default_factory=list)
    expressions: list[dict[str, object]] = field(default_factory=list)
    texts: list[dict[str, object]] = field(default_factory=list)

    def add(self, name: str, labels: dict[str, str], notation: str) -> None:
        """A series as it is scraped from one instance."""
        text = ",".join(
            f'{key}="{value}"' for key, value in {"instance": "a", "job": "api", **labels}.items()
        )
        self.series.append({"series": f"{name}{{{text}}}", "values": notation})

    def spend(
        self, feature: str, *parts: tuple[str, int, float], calls_per_usd: float = 60, **labels: str
    ) -> None:
        """A feature whose dollars run as given, and its calls in proportion."""
        common = {"model": "m", "feature": feature, "team": "core", **labels}
        self.add("ai_inference_estimated_cost_usd_total", common, values(*parts))
        self.add(
            "ai_inference_calls_total", {**common, "outcome": "ok"}, values(*scaled(parts, calls_per_usd))
        )

    def calls(
        self, feature: str, *parts: tuple[str, int, float], outcome: str = "ok", team: str = "core"
    ) -> None:
        """Calls alone."""
        labels = {"model": "m", "feature": feature, "team": team, "outcome": outcome}
        self.add("ai_inference_calls_total", labels, values(*parts))

    def budget(
        self, feature: str, usd: float, minutes: int, period: str = "month", team: str = "core"
    ) -> None:
        """The budget as two processes export it."""
        for instance in ("a", "b"):
            labels = {"feature": feature, "team": team, "period": period, "instance": instance}
            self.add("ai_inference_budget_usd", labels, f"{usd:g}x{minutes}")

    def firing(self, alert: str, minute: int, *expected: dict[str, str]) -> None:
        """Exactly these alerts are firing at this minute, by feature, team and severity where they have them."""
        labels = "feature, team, severity, period, reason, model, stage, label, version, vendor"
        self.value(
            f'count by ({labels}) (ALERTS{{alertname="{alert}", alertstate="firing"}})',
            minute,
            *((one, 1.0) for one in expected),
        )

    def value(self, expr: str, minute: int, *expected: tuple[dict[str, str], float]) -> None:
        """A query's whole answer."""
        samples = [
            {
                "labels": "{" + ",".join(f"{key}={json.dumps(text)}" for key, text in labels.items()) + "}",
                "value": value,
            }
            for labels, value in expected
        ]
        self.expressions.append({"expr": expr, "eval_time": f"{minute}m", "exp_samples": samples})

    def says(self, alert: str, minute: int, labels: dict[str, str], summary: str, description: str) -> None:
        """The one alert that fires, word for word."""
        annotations = {
            "summary": summary,
            "description": description,
            "runbook_url": f"docs/runbooks/{alert}.md",
        }
        expected = [{"exp_labels": labels, "exp_annotations": annotations}]
        self.texts.append({"eval_time": f"{minute}m", "alertname": alert, "exp_alerts": expected})

    def check(self, folder: Path) -> None:
        """Runs promtool; fails with its words."""
        groups = [*recording_groups(), *alert_groups()]
        if self.groups:
            groups = [
                group for group in groups if group["name"].removeprefix("tracked-inference.") in self.groups
            ]
        for group in groups:
            group["rules"] = [
                rule
                for rule in group["rules"]
                if not str(rule.get("record", "")).endswith(self.leave_out or ("-",))
            ]
        (folder / "rules.yaml").write_text(dump({"groups": groups}))
        test = {
            "interval": "1m",
            "input_series": self.series,
            "promql_expr_test": self.expressions,
            "alert_rule_test": self.texts,
        }
        # Without an order promtool shuffles the groups, and with five minutes between evaluations that is a long lag.
        document = {
            "rule_files": ["rules.yaml"],
            "evaluation_interval": self.every,
            "group_eval_order": [group["name"] for group in groups],
            "tests": [test],
        }
        (folder / "test.json").write_text(json.dumps(document))
        done = subprocess.run(
            ["promtool", "test", "rules", "test.json"],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )

        assert done.returncode == 0, done.stdout + done.stderr
