"""What counts as orphaned: pure functions over what AWS returns."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from tracked_inference.cloud.orphans.detectors.addresses import judge_address
from tracked_inference.cloud.orphans.detectors.base import KEEP_TAG, ScanContext, is_kept
from tracked_inference.cloud.orphans.detectors.instances import is_development, judge_instance, stopped_at
from tracked_inference.cloud.orphans.detectors.load_balancers import (
    forwarded_groups,
    judge_targets,
    judge_traffic,
    sum_by_balancer,
    traffic_queries,
)
from tracked_inference.cloud.orphans.detectors.snapshots import judge_snapshot, snapshots_in_mappings
from tracked_inference.cloud.orphans.detectors.volumes import judge_volume
from tracked_inference.cloud.orphans.errors import IncompleteMetricsError
from tracked_inference.cloud.orphans.model import Thresholds
from tracked_inference.cloud.orphans.prices import PriceBook

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def context(**thresholds):
    return ScanContext("us-east-1", "123456789012", NOW, PriceBook.bundled(), Thresholds(**thresholds))


def tags(**values):
    return [{"Key": key, "Value": value} for key, value in values.items()]


def volume(days=30, **more):
    return {"VolumeId": "vol-1", "Size": 100, "VolumeType": "gp3", "Iops": 3000, "Throughput": 125,
            "State": "available", "CreateTime": NOW - timedelta(days=days), **more}  # fmt: skip


def snapshot(days=200, **more):
    return {"SnapshotId": "snap-1", "VolumeId": "vol-1", "VolumeSize": 50,
            "StartTime": NOW - timedelta(days=days), **more}  # fmt: skip


def instance(state="running", days=60, **more):
    return {"InstanceId": "i-1", "InstanceType": "t3.micro", "State": {"Name": state},
            "LaunchTime": NOW - timedelta(days=days), "Tags": tags(environment="dev"), **more}  # fmt: skip


def test_an_old_unattached_volume_is_found_with_its_cost():
    """100 GiB of gp3 in us-east-1 cost 100 x 0.08 dollars."""
    found = judge_volume(volume(), context())

    assert (found.resource_id, found.age_days, found.estimated_monthly_cost) == ("vol-1", 30, 8.0)
    assert found.monthly_cost_usd == Decimal("8.0")


@pytest.mark.parametrize(
    "case",
    [
        volume(days=6),
        volume(State="in-use"),
        volume(Operator={"Managed": True, "Principal": "x.amazonaws.com"}),
        volume(Tags=[{"Key": "kubernetes.io/created-for/pvc/name", "Value": "data"}]),
        volume(Tags=[{"Key": KEEP_TAG, "Value": "2026-11-23"}]),
    ],
    ids=["young", "attached", "managed", "kubernetes", "kept"],
)
def test_volumes_that_are_not_orphaned(case):
    """Young, attached, managed, claimed and kept volumes are left alone."""
    assert judge_volume(case, context()) is None


def test_the_age_of_a_volume_counts_from_its_threshold():
    """Seven days old is old enough, and the limit can be moved."""
    assert judge_volume(volume(days=7), context()) is not None
    assert judge_volume(volume(days=7), context(volume_days=8)) is None


def test_claimed_volumes_on_request():
    """Volumes of Kubernetes claims are looked at when asked for."""
    claimed = volume(Tags=[{"Key": "kubernetes.io/created-for/pvc/name", "Value": "data"}])

    assert judge_volume(claimed, context(include_kubernetes_volumes=True)) is not None


@pytest.mark.parametrize(
    ("value", "kept"),
    [("2026-11-23", True), ("2026-11-24", True), ("2026-11-22", False), ("forever", False), ("", False)],
)
def test_a_keep_tag_ends_by_itself(value, kept):
    """A keep tag holds through the day it names; one that names none keeps nothing."""
    assert is_kept({KEEP_TAG: value}, NOW) is kept


def test_a_keep_tag_that_does_not_hold_is_told():
    """The reason says why the tag did not keep it."""
    ended = judge_volume(volume(Tags=[{"Key": KEEP_TAG, "Value": "2026-11-01"}]), context())
    undated = judge_volume(volume(Tags=[{"Key": KEEP_TAG, "Value": "forever"}]), context())

    assert ended.reason.endswith("has ended: 2026-11-01")
    assert undated.reason.endswith("is no date: forever")


def test_an_address_without_association_is_found():
    """0.005 x 730 dollars; AWS keeps no date for it."""
    found = judge_address({"AllocationId": "eipalloc-1", "PublicIp": "198.51.100.1"}, context())

    assert (found.resource_id, found.age_days, found.estimated_monthly_cost) == ("eipalloc-1", None, 3.65)


@pytest.mark.parametrize(
    "more",
    [
        {"AssociationId": "x"},
        {"InstanceId": "i-1"},
        {"ServiceManaged": "alb"},
        {"Tags": tags(**{KEEP_TAG: "2027-01-31"})},
    ],
)
def test_addresses_in_use_are_left_alone(more):
    """Associated, managed and kept addresses are not orphaned."""
    assert (
        judge_address({"AllocationId": "eipalloc-1", "PublicIp": "198.51.100.1", **more}, context()) is None
    )


def test_an_address_one_brought_along_costs_nothing():
    """An address of one's own pool is found, at a known cost of zero."""
    found = judge_address(
        {"AllocationId": "e", "PublicIp": "p", "PublicIpv4Pool": "ipv4pool-ec2-1"}, context()
    )

    assert found.estimated_monthly_cost == 0.0


@pytest.mark.parametrize(
    ("volumes", "said"),
    [(set(), "its volume vol-1 is gone"), ({"vol-1"}, "still exists, so it may be the only backup")],
)
def test_an_old_unused_snapshot_says_what_became_of_its_volume(volumes, said):
    """50 GiB at 0.05 dollars is the most it can cost."""
    found = judge_snapshot(snapshot(), context(), used=set(), volumes=volumes)

    assert found.estimated_monthly_cost == 2.5
    assert said in found.reason
    assert "upper bound" in found.cost_basis


@pytest.mark.parametrize(
    "case",
    [
        snapshot(days=89),
        snapshot(Tags=[{"Key": "aws:backup:source-resource", "Value": "x"}]),
        snapshot(Tags=[{"Key": "aws:dlm:lifecycle-policy-id", "Value": "policy-1"}]),
        snapshot(Tags=[{"Key": "dlm:managed", "Value": "true"}]),
        snapshot(Description="This snapshot is created by the AWS Backup service."),
        snapshot(Tags=[{"Key": KEEP_TAG, "Value": "2027-01-31"}]),
    ],
    ids=["young", "backup", "dlm", "dlm-managed", "backup-description", "kept"],
)
def test_snapshots_that_are_not_orphaned(case):
    """Young and kept ones, and those AWS Backup and DLM expire themselves, are left alone."""
    assert judge_snapshot(case, context(), used=set(), volumes=set()) is None


def test_a_used_snapshot_is_left_alone():
    """What an image or a template refers to is in use."""
    used = snapshots_in_mappings([[{"Ebs": {"SnapshotId": "snap-1"}}, {"VirtualName": "ephemeral0"}], None])

    assert used == {"snap-1"}
    assert judge_snapshot(snapshot(), context(), used=used, volumes=set()) is None


def test_the_size_of_a_snapshot_is_used_where_aws_tells_it():
    """10 GiB of blocks in the archive at 0.0125 dollars."""
    found = judge_snapshot(
        snapshot(FullSnapshotSizeInBytes=10 * 2**30, StorageTier="archive"),
        context(),
        used=set(),
        volumes=set(),
    )

    assert found.estimated_monthly_cost == 0.125


@pytest.mark.parametrize(
    ("listeners", "targets", "reason"),
    [
        ([], [], "Load balancer has no listener"),
        ([], [3], "Load balancer has no listener"),
        ([{}], [], None),
        ([{}], [0], "No target is registered in its target group"),
        ([{}], [0, 0], "No target is registered in any of its 2 target groups"),
        ([{}], [0, 1], None),
    ],
)
def test_balancers_that_lead_nowhere(listeners, targets, reason):
    """No listener, or groups that are all empty; without groups it answers by itself, by design."""
    assert judge_targets(listeners, targets) == reason


def test_groups_are_found_in_plain_and_weighted_actions():
    """Both ways of forwarding count; a redirect forwards to nothing."""
    listeners = [
        {"DefaultActions": [{"Type": "forward", "TargetGroupArn": "a"}]},
        {
            "DefaultActions": [
                {"Type": "forward", "ForwardConfig": {"TargetGroups": [{"TargetGroupArn": "b"}]}}
            ]
        },
        {"DefaultActions": [{"Type": "redirect"}]},
    ]

    assert forwarded_groups(listeners) == {"a", "b"}


def test_no_datapoints_are_zero():
    """A silent balancer has no datapoints; one request anywhere is traffic."""
    results = [
        {"Id": "b0_0", "Values": [], "StatusCode": "Complete"},
        {"Id": "b0_1", "Values": [], "StatusCode": "Complete"},
        {"Id": "b1_0", "Values": [0.0, 1.0], "StatusCode": "Complete"},
    ]

    assert sum_by_balancer(results, 2) == [0.0, 1.0]
    assert judge_traffic(0.0, context()) == "Zero requests in past 14 days"
    assert judge_traffic(1.0, context()) is None
    assert judge_traffic(5.0, context(idle_requests=5)).startswith("5 requests in past 14 days")


def test_partial_answers_of_cloudwatch_are_not_zero():
    """An answer that ends unfinished raises; one that is finished on a later page does not."""
    unfinished = [{"Id": "b0_0", "Values": [], "StatusCode": "InternalError"}]
    continued = [
        {"Id": "b0_0", "Values": [1.0], "StatusCode": "PartialData"},
        {"Id": "b0_0", "Values": [2.0], "StatusCode": "Complete"},
    ]

    with pytest.raises(IncompleteMetricsError, match="InternalError"):
        sum_by_balancer(unfinished, 1)
    assert sum_by_balancer(continued, 1) == [3.0]


def test_redirects_count_as_traffic():
    """An application balancer is asked for redirects and fixed responses too, a network one for open flows."""
    queries = traffic_queries(
        [{"Type": "application", "LoadBalancerArn": "arn:x:loadbalancer/app/a/1"},
         {"Type": "network", "LoadBalancerArn": "arn:x:loadbalancer/net/b/2"}]
    )  # fmt: skip

    asked = [(query["Id"], query["MetricStat"]["Metric"]["MetricName"]) for query in queries]
    assert asked == [
        ("b0_0", "RequestCount"), ("b0_1", "HTTP_Redirect_Count"), ("b0_2", "HTTP_Fixed_Response_Count"),
        ("b1_0", "NewFlowCount"), ("b1_1", "ActiveFlowCount"),
    ]  # fmt: skip
    assert queries[3]["MetricStat"]["Metric"]["Dimensions"] == [{"Name": "LoadBalancer", "Value": "net/b/2"}]


def test_a_long_running_development_instance_costs_hours_and_volumes():
    """t3.micro: 0.0104 x 730 = 7.592 dollars, and 8 GiB of gp3 at 0.08."""
    found = judge_instance(instance(), [volume(Size=8)], context())

    assert found.monthly_cost_usd == Decimal("8.232")
    assert found.reason == "Development instance running for 60 days"


def test_a_stopped_development_instance_costs_its_volumes():
    """Only the volumes are billed; when it stopped is in AWS's sentence."""
    stopped = instance("stopped", days=300, StateTransitionReason="User initiated (2026-10-24 08:15:00 GMT)")

    found = judge_instance(stopped, [volume(Size=8)], context())

    assert (found.age_days, found.monthly_cost_usd) == (30, Decimal("0.64"))
    assert found.last_activity == "2026-10-24T08:15:00+00:00"
    assert stopped_at({"StateTransitionReason": ""}) is None


@pytest.mark.parametrize(
    "case",
    [
        instance(days=29),
        instance("stopped", days=300, StateTransitionReason="User initiated (2026-11-20 08:15:00 GMT)"),
        instance("terminated"),
        instance("pending"),
        instance(Tags=tags(environment="dev", **{KEEP_TAG: "2027-01-31"})),
        instance(Operator={"Managed": True}),
    ],
    ids=["young", "stopped-lately", "terminated", "pending", "kept", "managed"],
)
def test_development_instances_that_are_left_alone(case):
    """Within its time, gone, kept or managed."""
    assert judge_instance(case, [volume()], context()) is None


def test_a_stopped_instance_without_volumes_costs_nothing():
    """Instance store alone: nothing is billed, so nothing is found."""
    assert judge_instance(instance("stopped", days=300), [], context()) is None


@pytest.mark.parametrize(
    ("written", "development"),
    [(tags(environment="development"), True), (tags(Environment="DEV"), True), (tags(env="sandbox"), True),
     (tags(environment="production"), False), (tags(Name="dev"), False), ([], False)],
)  # fmt: skip
def test_development_is_read_from_the_tags(written, development):
    """The environment tag says it, in whatever case; without one, it is not known to be development."""
    assert is_development({tag["Key"]: tag["Value"] for tag in written}, context()) is development


@pytest.mark.parametrize(
    "more",
    [{"PlatformDetails": "Windows"}, {"Placement": {"Tenancy": "dedicated"}}, {"InstanceLifecycle": "spot"},
     {"InstanceType": "x99.nano"}],
)  # fmt: skip
def test_instances_that_list_prices_do_not_fit_have_no_known_cost(more):
    """Windows, dedicated hardware, spot and unknown types: unknown, not Linux on demand."""
    found = judge_instance(instance(**more), [volume()], context())

    assert found.estimated_monthly_cost is None
    assert "no rate known" in found.cost_basis
