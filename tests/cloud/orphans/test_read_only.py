"""The scan changes nothing, asks for what it declares, and needs no more than that."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator  # noqa: TC003

import boto3
import pytest
from moto import mock_aws
from moto.core import set_initial_no_auth_action_count

from tests.cloud.orphans.estate import NOW, Estate
from tracked_inference.cloud import OrphanedResourceScanner
from tracked_inference.cloud.orphans.aws import ACTION_PREFIXES
from tracked_inference.cloud.orphans.detectors import DETECTORS
from tracked_inference.cloud.orphans.iam import declared_actions, iam_policy

# moto judges CloudWatch by its old signing name; AWS itself by cloudwatch:.
MOTO_NAMES = {"cloudwatch:GetMetricData": "monitoring:GetMetricData"}


def recorded(session: boto3.Session) -> set[str]:
    """Keep every operation that leaves this session, as IAM calls it."""
    seen: set[str] = set()

    def keep(model, **_):
        service = model.service_model.service_name
        seen.add(f"{ACTION_PREFIXES.get(service, service)}:{model.name}")

    session.events.register("before-call", keep)
    return seen


@pytest.fixture(scope="module")
def estate() -> Iterator[Estate]:
    """One estate for every test here: none of them can change it."""
    with mock_aws():
        yield Estate(session=boto3.Session("testing", "testing", region_name="us-east-1")).everything()


def user_with(policy: dict) -> boto3.Session:
    iam = boto3.client("iam")
    name = f"scanner-{uuid.uuid4()}"
    iam.create_user(UserName=name)
    iam.put_user_policy(UserName=name, PolicyName="scan", PolicyDocument=json.dumps(policy))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return boto3.Session(key["AccessKeyId"], key["SecretAccessKey"], region_name="us-east-1")


def generated_policy(without: str | None = None) -> dict:
    policy = json.loads(iam_policy(declared_actions()))
    (statement,) = policy["Statement"]
    actions = [action for action in statement["Action"] if action != without]
    statement["Action"] = [MOTO_NAMES.get(action, action) for action in actions]
    return policy


def test_a_full_scan_reads_only_and_exactly_what_is_declared(estate):
    """Every operation of a scan of everything is Describe, Get or List, and together they are the declared set."""
    session = boto3.Session()
    seen = recorded(session)

    def two_regions(parsed, **_):
        parsed["Regions"] = [
            entry for entry in parsed["Regions"] if entry["RegionName"] in {"us-east-1", "eu-west-1"}
        ]

    session.events.register("after-call.ec2.DescribeRegions", two_regions)

    report = OrphanedResourceScanner(session=session, clock=lambda: NOW).scan()

    assert len(report.resources) == 8
    assert report.regions == ("eu-west-1", "us-east-1")
    assert seen == declared_actions()
    assert all(re.match(r"[a-z0-9]+:(Describe|Get|List)[A-Z]", action) for action in seen)


def test_with_only_the_generated_policy_the_scan_succeeds_and_can_delete_nothing(estate):
    """IAM, enforced by moto: the policy is enough for the scan and for nothing that changes anything."""
    session = user_with(generated_policy())

    @set_initial_no_auth_action_count(0)
    def scan():
        found = OrphanedResourceScanner(["us-east-1"], session=session, clock=lambda: NOW).scan()
        with pytest.raises(Exception, match=r"UnauthorizedOperation|AccessDenied"):
            session.client("ec2").delete_volume(VolumeId=estate.ids["loose"])
        return found

    report = scan()

    assert report.gaps == ()
    assert len(report.resources) == 8


@pytest.mark.parametrize(
    "action", sorted(declared_actions() - {"sts:GetCallerIdentity", "ec2:DescribeRegions"})
)
def test_with_one_action_removed_what_needs_it_is_a_gap(estate, action):
    """No declared action is to spare: without it every detector that declares it, and no other, leaves a gap."""
    session = user_with(generated_policy(without=action))

    @set_initial_no_auth_action_count(0)
    def scan():
        return OrphanedResourceScanner(["us-east-1"], session=session, clock=lambda: NOW).scan()

    report = scan()

    assert {gap.scan for gap in report.gaps} == {each.name for each in DETECTORS if action in each.actions}
    assert all(re.search("Unauthorized|AccessDenied", gap.error + gap.message) for gap in report.gaps)


def test_a_policy_for_some_detectors_is_smaller():
    """A scan of volumes alone needs three actions, and roles are named one by one."""
    policy = json.loads(iam_policy(declared_actions(["unattached-volumes"]), ["arn:aws:iam::1:role/b"]))

    scan, roles = policy["Statement"]
    assert scan["Action"] == ["ec2:DescribeRegions", "ec2:DescribeVolumes", "sts:GetCallerIdentity"]
    assert roles == {
        "Sid": "OrphanScanRoles", "Effect": "Allow", "Action": "sts:AssumeRole", "Resource": ["arn:aws:iam::1:role/b"],
    }  # fmt: skip
    assert "pricing:GetProducts" in declared_actions(live_prices=True) - declared_actions()
