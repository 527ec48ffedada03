"""What the article does with these names, done with only the import changed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import boto3
import pytest
from moto import mock_aws
from moto.core import DEFAULT_ACCOUNT_ID
from moto.ec2.models import ec2_backends
from moto.elbv2.models import elbv2_backends

from tracked_inference.cloud import (
    OrphanedResource,
    OrphanedResourceScanner,
    ResourceTags,
    create_tagged_instance,
    validate_tags,
)


@mock_aws
def test_tag_validate_and_create():
    """The article's fields by position and by name, its methods, and what create_tagged_instance returns."""
    tags = ResourceTags("documents", "summariser", "production", "api", "cc-42", "alice@example.com", None)
    ec2 = boto3.client("ec2")
    image = ec2.register_image(Name="image", RootDeviceName="/dev/sda1")["ImageId"]
    subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]

    created = create_tagged_instance(instance_type="t3.micro", tags=tags, ami_id=image, subnet_id=subnet)

    assert validate_tags(tags) == []
    assert list(tags.to_dict()) == [
        "team",
        "service",
        "environment",
        "component",
        "cost_center",
        "created_by",
    ]
    assert tags.to_aws_format()[0] == {"Key": "team", "Value": "documents"}
    assert set(created) == {"instance_id", "tags", "instance_type"}


def test_the_articles_resource():
    """OrphanedResource takes the article's arguments and has its defaults."""
    resource = OrphanedResource(
        resource_id="vol-1", resource_type="ebs_volume", region="us-east-1",
        estimated_monthly_cost=16.0, age_days=9, reason="Volume unattached for 9 days",
    )  # fmt: skip

    assert resource.last_activity is None
    assert resource.estimated_monthly_cost == 16.0


@mock_aws
def test_scan_sort_and_sum():
    """The article's scan: two regions, its two methods and scan_all, sorted, summed as the article sums."""
    old = datetime.now(UTC) - timedelta(days=30)
    for region, size in (("us-east-1", 100), ("eu-west-1", 200)):
        ec2 = boto3.client("ec2", region_name=region)
        volume = ec2.create_volume(AvailabilityZone=f"{region}a", Size=size, VolumeType="gp3")["VolumeId"]
        ec2_backends[DEFAULT_ACCOUNT_ID][region].volumes[volume].create_time = old
    elbv2 = boto3.client("elbv2", region_name="us-east-1")
    subnets = [entry["SubnetId"] for entry in boto3.client("ec2").describe_subnets()["Subnets"]][:2]
    arn = elbv2.create_load_balancer(Name="idle", Subnets=subnets)["LoadBalancers"][0]["LoadBalancerArn"]
    balancer = elbv2_backends[DEFAULT_ACCOUNT_ID]["us-east-1"].load_balancers[arn]
    balancer.created_time = old.strftime("%Y-%m-%dT%H:%M:%S.000Z")
    scanner = OrphanedResourceScanner(regions=["us-east-1", "eu-west-1"])

    volumes = scanner.scan_unattached_ebs_volumes("us-east-1")
    balancers = scanner.scan_idle_load_balancers("us-east-1")
    everything = scanner.scan_all()

    assert [(v.resource_type, v.age_days, v.estimated_monthly_cost) for v in volumes] == [
        ("ebs_volume", 30, 8.0)
    ]
    assert [(b.resource_id, b.resource_type) for b in balancers] == [(arn, "application_load_balancer")]
    assert balancers[0].reason == "Zero requests in past 14 days"
    costs = [resource.estimated_monthly_cost for resource in everything]
    assert costs == sorted(costs, reverse=True)
    assert sum(costs) == pytest.approx(17.6 + 16.425 + 8.0)  # 200 x 0.088, 730 x 0.0225, 100 x 0.08
