"""What `tracked-inference grafana export` writes: the dashboards and rules, and the files around them that load them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from .assets import dashboard_texts, rule_groups, rule_texts
from .settings import Settings
from .yamltext import dump

__all__ = ["FORMATS", "Export", "written"]

FORMATS = ("files", "kubernetes", "terraform")
_NAME = "tracked-inference"


@dataclass(frozen=True, slots=True)
class Export:
    """
    What to export.

    Attributes:
        settings: The thresholds and the selector of the rules.
        job: The `job` label that scraping gives.
        targets: Where to scrape, host and port.
        teams: Teams that get an Alertmanager route of their own.
        namespace: The Kubernetes namespace; none leaves it to `kubectl`.
        otel: Whether the OpenTelemetry names are wanted too.
    """

    settings: Settings = field(default_factory=Settings)
    job: str = "app"
    targets: tuple[str, ...] = ("host.docker.internal:8000",)
    teams: tuple[str, ...] = ()
    namespace: str = ""
    otel: bool = False


def written(form: str, export: Export) -> dict[str, str]:
    """Every file of one format, by its path in the target folder."""
    return {"files": _files, "kubernetes": _kubernetes, "terraform": _terraform}[form](export)


def _rules(export: Export) -> dict[str, str]:
    return rule_texts(export.settings, otel=export.otel)


def _files(export: Export) -> dict[str, str]:
    return {
        **dashboard_texts(),
        **_rules(export),
        "prometheus.yml": dump(_prometheus(export)),
        "alertmanager.yml": _ALERTMANAGER_HEAD + dump(_alertmanager(export)),
        "provisioning/datasources/prometheus.yaml": dump(_DATASOURCE),
        "provisioning/dashboards/tracked-inference.yaml": dump(_PROVIDER),
        "compose.yaml": _COMPOSE,
    }


def _prometheus(export: Export) -> dict[str, Any]:
    return {
        "global": {"scrape_interval": "15s", "evaluation_interval": "1m"},
        "rule_files": ["rules/*.yaml"],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": ["alertmanager:9093"]}]}]},
        "scrape_configs": [{"job_name": export.job, "static_configs": [{"targets": list(export.targets)}]}],
    }


_ALERTMANAGER_HEAD = (
    "# Receivers without an address tell nobody: give each one yours (slack_configs, pagerduty_configs, …).\n"
)


def _alertmanager(export: Export) -> dict[str, Any]:
    page = export.settings.severity_page
    routes = [{"matchers": [f"team={json.dumps(team)}"], "receiver": f"team-{team}"} for team in export.teams]
    ours = {
        "matchers": ['alertname=~"(AIInference|CloudOrphan).+"'],
        "receiver": "ai-inference",
        "group_by": ["team", "feature"],
        "group_wait": "30s",
        "group_interval": "5m",
        "repeat_interval": "12h",
        **({"routes": routes} if routes else {}),
    }
    receivers = ["default", "ai-inference", *(f"team-{team}" for team in export.teams)]
    return {
        "route": {"receiver": "default", "routes": [ours]},
        # Who is paged for a runaway need not read that the same feature also crossed a line.
        "inhibit_rules": [
            {
                "source_matchers": ['alertname="AIInferenceSpendRunaway"', f"severity={json.dumps(page)}"],
                "target_matchers": [
                    'alertname=~"AIInferenceSpendHigh|AIInferenceBudgetBurnHigh|AIInferenceCostPerCallJump"'
                ],
                "equal": ["feature"],
            },
            # Refused calls are what a spent budget has come to.
            {
                "source_matchers": ['alertname="AIInferenceBudgetRefusing"'],
                "target_matchers": ['alertname="AIInferenceBudgetExceeded"'],
                "equal": ["feature", "period"],
            },
        ],
        "receivers": [{"name": name} for name in receivers],
    }


_DATASOURCE = {
    "apiVersion": 1,
    "datasources": [
        {
            "name": "Prometheus",
            "type": "prometheus",
            "access": "proxy",
            "url": "http://prometheus:9090",
            "isDefault": True,
            # Grafana sizes its rate windows by the scrape interval.
            "jsonData": {"timeInterval": "15s", "httpMethod": "POST"},
        }
    ],
}

_PROVIDER = {
    "apiVersion": 1,
    "providers": [
        {
            "name": _NAME,
            "folder": "AI inference",
            "type": "file",
            "disableDeletion": False,
            "updateIntervalSeconds": 30,
            "options": {"path": "/etc/grafana/dashboards"},
        }
    ],
}

_COMPOSE = """\
# Prometheus, Alertmanager and Grafana with the rules and dashboards of this folder: `docker compose up`.
# Grafana is on http://localhost:3000 and asks for no password: for a laptop, not for a network.
services:
  prometheus:
    image: prom/prometheus:v3.5.0
    command: [--config.file=/etc/prometheus/prometheus.yml, --storage.tsdb.retention.time=400d]
    ports: ["127.0.0.1:9090:9090"]
    extra_hosts: ["host.docker.internal:host-gateway"]
    volumes:
      - ./prometheus.yml:/etc/prometheus/prometheus.yml:ro
      - ./rules:/etc/prometheus/rules:ro
      - prometheus:/prometheus
  alertmanager:
    image: prom/alertmanager:v0.28.1
    command: [--config.file=/etc/alertmanager/alertmanager.yml]
    ports: ["127.0.0.1:9093:9093"]
    volumes:
      - ./alertmanager.yml:/etc/alertmanager/alertmanager.yml:ro
  grafana:
    image: grafana/grafana:12.1.1
    ports: ["127.0.0.1:3000:3000"]
    environment:
      GF_AUTH_ANONYMOUS_ENABLED: "true"
      GF_AUTH_ANONYMOUS_ORG_ROLE: Viewer
      GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH: /etc/grafana/dashboards/spend.json
    volumes:
      - ./provisioning:/etc/grafana/provisioning:ro
      - ./dashboards:/etc/grafana/dashboards:ro
volumes:
  prometheus: {}
"""


def _kubernetes(export: Export) -> dict[str, str]:
    def manifest(version: str, kind: str, name: str, labels: dict[str, str], **body: Any) -> str:
        metadata: dict[str, Any] = {"name": name, "labels": {"app.kubernetes.io/part-of": _NAME, **labels}}
        if export.namespace:
            metadata["namespace"] = export.namespace
        return dump({"apiVersion": version, "kind": kind, "metadata": metadata, **body})

    groups = [group for listed in rule_groups(export.settings, otel=export.otel).values() for group in listed]
    files = {
        "prometheusrule.yaml": manifest(
            "monitoring.coreos.com/v1", "PrometheusRule", _NAME, {}, spec={"groups": groups}
        ),
        "servicemonitor.yaml": manifest(
            "monitoring.coreos.com/v1",
            "ServiceMonitor",
            _NAME,
            {},
            spec={
                "selector": {"matchLabels": {"app": export.job}},
                "endpoints": [{"port": "metrics", "path": "/metrics", "interval": "15s"}],
            },
        ),
    }
    for path, text in dashboard_texts().items():
        name = path.removeprefix("dashboards/").removesuffix(".json")
        files[f"dashboard-{name}.yaml"] = manifest(
            "v1",
            "ConfigMap",
            f"{_NAME}-{name}",
            {"grafana_dashboard": "1"},
            data={f"{_NAME}-{name}.json": text},
        )
    listed = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": sorted(files),
    }
    return {**files, "kustomization.yaml": dump(listed)}


_TERRAFORM = """\
# The Grafana provider's address and token come from GRAFANA_URL and GRAFANA_AUTH, or from your own provider block.
terraform {
  required_providers {
    grafana = {
      source = "grafana/grafana"
    }
  }
}

resource "grafana_folder" "tracked_inference" {
  title = "AI inference"
  uid   = "tracked-inference"
}

resource "grafana_dashboard" "tracked_inference" {
  for_each = fileset("${path.module}/dashboards", "*.json")

  folder      = grafana_folder.tracked_inference.uid
  config_json = file("${path.module}/dashboards/${each.value}")
  overwrite   = true
}

# Prometheus takes its rules from files: rules/*.yaml, wherever your Prometheus, Mimir or Thanos reads them.
output "rule_files" {
  value = [for name in fileset("${path.module}/rules", "*.yaml") : "${path.module}/rules/${name}"]
}
"""


def _terraform(export: Export) -> dict[str, str]:
    return {"main.tf": _TERRAFORM, **dashboard_texts(), **_rules(export)}
