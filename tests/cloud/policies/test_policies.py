"""The standard written for others: golden files, and each read by who is to enforce it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tracked_inference.cloud.policies import POLICY_FORMATS, render_policy
from tracked_inference.cloud.policies.kubernetes import expression
from tracked_inference.cloud.vocabulary import DEFAULT_STANDARD, TagStandard
from tracked_inference.errors import ConfigurationError

GOLDEN = Path(__file__).parent / "golden"
STANDARD = TagStandard(
    environments=("live", "test"), allowed={"team": ("search",)}, label_prefix="cost.example.com/"
)
GOOD = {
    "team": "documents", "service": "summariser", "environment": "production",
    "component": "api", "cost_center": "cc-42", "created_by": "alice@example.com",
}  # fmt: skip


@pytest.mark.parametrize("name", POLICY_FORMATS)
def test_golden(name):
    """Each format is what was reviewed; a change shows as a change of its file."""
    (path,) = GOLDEN.glob(f"{name}.*")

    assert render_policy(name, DEFAULT_STANDARD) == path.read_text()


def test_a_tag_policy_requires_lists_and_spells():
    """Required keys are required for the types, listed values are listed, the optional key is only spelt."""
    tags = json.loads(render_policy("aws-tag-policy", STANDARD, resource_types=["logs:log-group"]))["tags"]

    assert tags["team"] == {
        "tag_key": {"@@assign": "team"},
        "tag_value": {"@@assign": ["search"]},
        "report_required_tag_for": {"@@assign": ["logs:log-group"]},
    }
    assert tags["environment"]["tag_value"] == {"@@assign": ["live", "test"]}
    assert tags["feature"] == {"tag_key": {"@@assign": "feature"}}


def denied(policy, request_tags):
    """Judge a request by the two condition operators the policy uses, as IAM does: a statement's are joined by and."""

    def holds(operator, conditions):
        for key, wanted in conditions.items():
            value = request_tags.get(key.removeprefix("aws:RequestTag/"))
            if operator == "Null" and (value is None) != (wanted == "true"):
                return False
            if operator == "StringNotEquals" and value in wanted:
                return False
        return True

    return [
        statement["Sid"]
        for statement in policy["Statement"]
        if all(holds(operator, conditions) for operator, conditions in statement["Condition"].items())
    ]


def test_the_service_control_policy_denies_what_it_should():
    """A request with all tags passes; one missing tag, or one value not listed, is denied."""
    policy = json.loads(render_policy("scp", DEFAULT_STANDARD))

    assert denied(policy, GOOD) == []
    assert denied(policy, {**GOOD, "feature": "search"}) == []
    for key in GOOD:
        assert denied(policy, {k: v for k, v in GOOD.items() if k != key}) != []
    assert denied(policy, {**GOOD, "environment": "prod"}) == ["ValuesEnvironment"]
    assert {action for statement in policy["Statement"] for action in statement["Action"]} == {
        "ec2:RunInstances",
        "ec2:CreateVolume",
    }


def test_a_service_control_policy_that_would_be_too_large_is_refused():
    """AWS takes 5,120 characters: a larger one is not written."""
    everything = [
        "ec2:instance",
        "ec2:volume",
        "ec2:snapshot",
        "elasticloadbalancing:loadbalancer",
        "lambda:function",
        "rds:db",
    ]
    standard = TagStandard(allowed={"team": tuple(f"team-{number}" for number in range(300))})

    assert len(render_policy("scp", DEFAULT_STANDARD, resource_types=everything)) <= 5120
    with pytest.raises(ConfigurationError, match="5120"):
        render_policy("scp", standard, resource_types=everything)


def test_types_nobody_knows_are_refused():
    """A resource type without a create action, and a type for a format that takes none, are bad input."""
    with pytest.raises(ConfigurationError, match="no create action"):
        render_policy("scp", DEFAULT_STANDARD, resource_types=["ec2:instanse"])
    with pytest.raises(ConfigurationError, match="takes no resource types"):
        render_policy("kyverno", DEFAULT_STANDARD, resource_types=["ec2:instance"])


def test_parliament_finds_no_fault_with_the_service_control_policy():
    """The IAM linter knows every action, resource and condition of it."""
    pytest.importorskip("pkg_resources", reason="parliament needs setuptools<81 (group policy-linters)")
    parliament = pytest.importorskip(
        "parliament", reason="parliament is not installed (group policy-linters)"
    )

    findings = parliament.analyze_policy_string(render_policy("scp", DEFAULT_STANDARD)).findings

    assert [f.issue for f in findings if f.issue != "RESOURCE_STAR"] == []


def test_c7n_left_passes_the_good_and_fails_the_bad(tmp_path):
    """cloud-custodian's own engine, over Terraform source."""
    pytest.importorskip("c7n_left", reason="c7n-left is not installed (group policy-linters)")
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "tags.yaml").write_text(render_policy("c7n-left", DEFAULT_STANDARD))
    (tmp_path / "tf").mkdir()
    good = ", ".join(f'{key} = "{value}"' for key, value in GOOD.items())
    (tmp_path / "tf" / "main.tf").write_text(
        f'resource "aws_instance" "good" {{\n  tags = {{ {good} }}\n}}\n'
        'resource "aws_instance" "bad" {\n  tags = { team = "No Slug", environment = "prod", feature = "-" }\n}\n'
    )
    out = tmp_path / "out.json"

    subprocess.run(
        [str(Path(sys.executable).with_name("c7n-left")), "run", "-p", str(tmp_path / "policies"),
         "-d", str(tmp_path / "tf"), "-o", "json", "--output-file", str(out)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    results = json.loads(out.read_text())["results"]
    assert {result["policy"]["name"] for result in results} == {
        f"tagging-standard-{key.replace('_', '-')}" for key in (*GOOD, "feature")
    }
    assert {result["resource"]["__tfmeta"]["path"] for result in results} == {"aws_instance.bad"}


@pytest.mark.parametrize("name", ["tflint", "terraform-default-tags"])
def test_the_hcl_is_hcl(name):
    """The two files for Terraform parse."""
    hcl2 = pytest.importorskip("hcl2", reason="python-hcl2 is not installed (group policy-linters)")

    document = hcl2.loads(render_policy(name, DEFAULT_STANDARD))

    assert set(document) >= ({"plugin", "rule"} if name == "tflint" else {"variable", "provider"})


@pytest.mark.skipif(shutil.which("terraform") is None, reason="terraform is not installed")
def test_terraform_refuses_illegal_tags(tmp_path):
    """Terraform itself judges the variable, without the provider that it would have to download."""
    text = render_policy("terraform-default-tags", DEFAULT_STANDARD)
    (tmp_path / "main.tf").write_text(
        text[: text.index('provider "aws"')] + 'output "tags" {\n  value = var.tags\n}\n'
    )

    def plan(tags):
        return subprocess.run(
            ["terraform", "plan", "-input=false", "-no-color", f"-var=tags={json.dumps(tags)}"],
            cwd=tmp_path, capture_output=True, text=True, check=False,
        )  # fmt: skip

    assert plan(GOOD).returncode == 0
    bad = plan({**GOOD, "environment": "prod", "created_by": "x y"})
    assert bad.returncode == 1
    assert "Tag environment must be one of production, staging, development." in bad.stderr
    assert "Tag created_by" in bad.stderr
    assert "Tag team" not in bad.stderr


def test_kyverno_is_two_policies_of_the_stable_kind():
    """Pods, with Kyverno's generation for what starts them, and volume claims; one message for each key."""
    pods, claims = yaml.safe_load_all(render_policy("kyverno", STANDARD))

    assert (pods["apiVersion"], pods["kind"]) == ("policies.kyverno.io/v1", "ValidatingPolicy")
    assert pods["spec"]["matchConstraints"]["resourceRules"][0]["resources"] == ["pods"]
    assert "cronjobs" in pods["spec"]["autogen"]["podControllers"]["controllers"]
    assert claims["spec"]["matchConstraints"]["resourceRules"][0]["resources"] == ["persistentvolumeclaims"]
    assert len(pods["spec"]["validations"]) == 7
    assert (
        pods["spec"]["validations"][2]["message"]
        == "label cost.example.com/environment must be one of live, test"
    )


def test_the_rest_of_kyvernos_policy_is_a_valid_admission_policy():
    """ValidatingPolicy is a superset of Kubernetes' own kind: what is left of it without Kyverno's fields validates."""
    kubernetes_validate = pytest.importorskip(
        "kubernetes_validate", reason="group policy-linters is not installed"
    )
    for policy in yaml.safe_load_all(render_policy("kyverno", DEFAULT_STANDARD)):
        spec = {
            key: value for key, value in policy["spec"].items() if key not in {"validationActions", "autogen"}
        }
        own = {
            **policy,
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingAdmissionPolicy",
            "spec": spec,
        }

        assert (
            kubernetes_validate.validate(own, kubernetes_validate.latest_version(), strict=True) is not False
        )


def test_kyvernos_expressions_say_what_the_standard_says():
    """The CEL expressions, run by a CEL engine, judge pods as check_tags does."""
    celpy = pytest.importorskip("celpy", reason="cel-python is not installed (group policy-linters)")
    environment = celpy.Environment()

    def judge(key, metadata, standard=DEFAULT_STANDARD):
        program = environment.program(environment.compile(expression(key, standard)))
        return bool(program.evaluate({"object": celpy.json_to_cel({"metadata": metadata})}))

    assert judge("team", {"labels": {"team": "documents"}})
    assert not judge("team", {"labels": {"team": "No Slug"}})
    assert not judge("team", {"labels": {}})
    assert not judge("team", {})
    assert judge("environment", {"labels": {"environment": "staging"}})
    assert not judge("environment", {"labels": {"environment": "stagingx"}})
    assert judge("feature", {})
    assert not judge("feature", {"labels": {"feature": "-"}})
    assert judge("created_by", {"annotations": {"created_by": "alice@example.com"}})
    assert judge("created_by", {"labels": {"created_by": "deploy"}})
    assert not judge("created_by", {"labels": {"created_by": "alice@example.com"}})
    assert judge("team", {"labels": {"cost.example.com/team": "search"}}, STANDARD)
    assert not judge("team", {"labels": {"team": "search"}}, STANDARD)


def test_patterns_are_anchored_and_python_reads_them():
    """Every expression in the golden files compiles and refuses what is longer than it should be."""
    from tracked_inference.cloud.policies.patterns import value_pattern

    for key in DEFAULT_STANDARD.keys:
        assert not re.fullmatch(value_pattern(key, DEFAULT_STANDARD), "x" * 64)
