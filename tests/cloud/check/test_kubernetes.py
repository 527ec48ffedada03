"""Kubernetes manifests."""

from __future__ import annotations

from datetime import date

import pytest

from tracked_inference.cloud.check import check_resources, read_resources
from tracked_inference.cloud.vocabulary import TagStandard

TODAY = date(2026, 11, 23)
LABELS = "{team: documents, service: summariser, environment: production, component: api, cost_center: cc-42, created_by: deploy}"
CONTAINERS = "spec: {containers: [{name: a, image: b}]}"


@pytest.fixture
def run(tmp_path):
    def run(text, prefix=""):
        path = tmp_path / "manifest.yaml"
        path.write_text(text)
        standard = TagStandard(label_prefix=prefix)
        return check_resources(read_resources(path, label_prefix=prefix), standard, today=TODAY)

    return run


def places(report):
    return sorted({f.resource.address for f in report.findings})


def test_a_deployment_is_checked_itself_and_in_its_pod_template(run):
    """Labels of a workload do not reach its pods: both places are looked at."""
    report = run(
        f"apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web, namespace: shop, labels: {LABELS}}}\n"
        f"spec:\n  template:\n    metadata: {{labels: {{team: documents}}}}\n    {CONTAINERS}\n"
    )

    assert report.resources_checked == 2
    assert places(report) == ["Deployment/shop/web (spec.template)"]
    assert len(report.findings) == 5
    assert report.findings[0].remedy == "spec.template.metadata.labels: {service: <service>}"
    assert report.findings[0].resource.line == 6


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job"])
def test_the_template_of_a_workload_is_of_pods_whatever_is_in_it(kind, run):
    """Nothing checked is no violation: a workload that leaves its containers out must not pass for that."""
    report = run(
        f"apiVersion: apps/v1\nkind: {kind}\nmetadata: {{name: web, labels: {LABELS}}}\n"
        "spec: {template: {metadata: {labels: {team: documents}}}}\n"
    )

    assert report.resources_checked == 2
    assert places(report) == [f"{kind}/web (spec.template)"]


def test_a_cron_jobs_pods_are_one_level_deeper(run):
    """CronJob keeps its pod template under spec.jobTemplate.spec.template."""
    report = run(
        f"apiVersion: batch/v1\nkind: CronJob\nmetadata: {{name: nightly, labels: {LABELS}}}\n"
        f"spec:\n  jobTemplate:\n    spec:\n      template:\n        metadata: {{labels: {LABELS}}}\n        {CONTAINERS}\n"
        "---\n"
        f"apiVersion: batch/v1\nkind: CronJob\nmetadata: {{name: bare, labels: {LABELS}}}\n"
        f"spec:\n  jobTemplate:\n    spec:\n      template:\n        {CONTAINERS}\n"
    )

    assert places(report) == ["CronJob/bare (spec.jobTemplate.spec.template)"]
    assert len(report.findings) == 6


def test_what_costs_nothing_is_left_alone(run):
    """Config maps, roles and cluster-internal services are not held to the standard; load balancers and claims are."""
    report = run(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n---\n"
        "apiVersion: v1\nkind: Service\nmetadata: {name: inside}\nspec: {type: ClusterIP}\n---\n"
        "apiVersion: v1\nkind: Service\nmetadata: {name: outside}\nspec: {type: LoadBalancer}\n---\n"
        "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: disk}\n---\n"
        "---\n"
    )

    assert places(report) == ["PersistentVolumeClaim/disk", "Service/outside"]


def test_stateful_sets_claim_volumes(run):
    """The claims of a StatefulSet are places of their own."""
    report = run(
        f"apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {{name: db, labels: {LABELS}}}\n"
        f"spec:\n  template: {{metadata: {{labels: {LABELS}}}, {CONTAINERS}}}\n"
        "  volumeClaimTemplates: [{metadata: {name: data}}]\n"
    )

    assert places(report) == ["StatefulSet/db (spec.volumeClaimTemplates[0])"]


def test_lists_are_opened(run):
    """A List, as kubectl get writes it, is read item by item."""
    report = run(
        "apiVersion: v1\nkind: List\nitems:\n"
        f"  - {{apiVersion: v1, kind: Pod, metadata: {{name: a, labels: {LABELS}}}, {CONTAINERS}}}\n"
        f"  - {{apiVersion: v1, kind: Pod, metadata: {{name: b}}, {CONTAINERS}}}\n"
    )

    assert places(report) == ["Pod/b"]


def test_keys_may_have_a_prefix(run):
    """With a prefix, only prefixed labels count, and remedies are prefixed."""
    prefixed = LABELS.replace("{", "{cost.example.com/").replace(", ", ", cost.example.com/")

    assert (
        run(
            f"apiVersion: v1\nkind: Pod\nmetadata: {{name: a, labels: {prefixed}}}\n", "cost.example.com/"
        ).findings
        == ()
    )
    report = run(f"apiVersion: v1\nkind: Pod\nmetadata: {{name: a, labels: {LABELS}}}\n", "cost.example.com/")
    assert report.findings[0].remedy == "metadata.labels: {cost.example.com/team: <team>}"


def test_an_address_must_be_an_annotation(run):
    """created_by as an address is legal as an annotation, and a violation as a label."""
    without = LABELS.replace(", created_by: deploy", "")
    noted = f"apiVersion: v1\nkind: Pod\nmetadata: {{name: a, labels: {without}, annotations: {{created_by: a@example.com}}}}\n"
    labelled = f"apiVersion: v1\nkind: Pod\nmetadata: {{name: a, labels: {LABELS.replace('deploy', 'a@example.com')}}}\n"

    assert run(noted).findings == ()
    (finding,) = run(labelled).findings
    assert (finding.key, finding.kind) == ("created_by", "illegal")
    assert finding.remedy == "metadata.annotations: {created_by: a@example.com}"


def test_numbers_must_be_quoted(run):
    """A label that YAML reads as a number is refused by Kubernetes, and here."""
    (finding,) = run(
        f"apiVersion: v1\nkind: Pod\nmetadata: {{name: a, labels: {LABELS.replace('cc-42', '42')}}}\n"
    ).findings

    assert finding.message == "cost_center must be text, not int: put it in quotes"


def test_custom_workloads_with_a_pod_template_are_checked(run):
    """Any kind that starts pods from spec.template is a workload."""
    report = run(
        f"apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nmetadata: {{name: r, labels: {LABELS}}}\nspec: {{template: {{{CONTAINERS}}}}}\n"
    )

    assert places(report) == ["Rollout/r (spec.template)"]


def test_an_address_is_refused_once_and_only_where_the_key_is_asked_for(tmp_path):
    """A label with an address has one fault, whatever its case; a standard without the key has none."""
    path = tmp_path / "pod.yaml"
    path.write_text(
        f"apiVersion: v1\nkind: Pod\nmetadata: {{name: x, labels: {LABELS.replace('deploy', 'Alice@Example.com')}}}\n"
    )
    resources = read_resources(path)

    assert [f.key for f in check_resources(resources, today=TODAY).findings] == ["created_by"]
    assert check_resources(resources, TagStandard(required=("team",)), today=TODAY).findings == ()
