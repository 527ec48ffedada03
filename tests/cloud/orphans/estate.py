"""An estate in moto: of each kind one that is orphaned and one that is not, with ages set."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
from moto.core import DEFAULT_ACCOUNT_ID
from moto.ec2.models import ec2_backends
from moto.elbv2.models import elbv2_backends

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
TAGS = [{"Key": "team", "Value": "documents"}]
DEVELOPMENT = [*TAGS, {"Key": "environment", "Value": "development"}]


def days_ago(days: int) -> datetime:
    return NOW - timedelta(days=days)


@dataclass
class Estate:
    """Builds things in one region and keeps their ids by name."""

    region: str = "us-east-1"
    account: str = DEFAULT_ACCOUNT_ID
    session: Any = None
    ids: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        session = self.session or boto3.Session()
        self.ec2 = session.client("ec2", region_name=self.region)
        self.elbv2 = session.client("elbv2", region_name=self.region)
        self.cloudwatch = session.client("cloudwatch", region_name=self.region)
        self.autoscaling = session.client("autoscaling", region_name=self.region)
        self.backend = ec2_backends[self.account][self.region]
        self.balancers = elbv2_backends[self.account][self.region]
        self.subnets = [entry["SubnetId"] for entry in self.ec2.describe_subnets()["Subnets"]][:2]
        self.vpc = self.ec2.describe_vpcs()["Vpcs"][0]["VpcId"]

    def volume(
        self, name: str, *, age: int = 30, size: int = 10, kind: str = "gp3", tags: list | None = None, **more
    ):
        made = self.ec2.create_volume(
            AvailabilityZone=f"{self.region}a", Size=size, VolumeType=kind, **more,
            TagSpecifications=[{"ResourceType": "volume", "Tags": tags or TAGS}],
        )  # fmt: skip
        self.backend.volumes[made["VolumeId"]].create_time = days_ago(age)
        self.ids[name] = made["VolumeId"]
        return made["VolumeId"]

    def snapshot(
        self, name: str, volume: str, *, age: int = 200, tags: list | None = None, description: str = "mine"
    ):
        made = self.ec2.create_snapshot(
            VolumeId=volume, Description=description,
            TagSpecifications=[{"ResourceType": "snapshot", "Tags": tags or TAGS}],
        )["SnapshotId"]  # fmt: skip
        self.backend.snapshots[made].start_time = days_ago(age)
        self.ids[name] = made
        return made

    def image(self, name: str, snapshot: str) -> str:
        devices = [{"DeviceName": "/dev/sda1", "Ebs": {"SnapshotId": snapshot}}]
        made = self.ec2.register_image(Name=name, RootDeviceName="/dev/sda1", BlockDeviceMappings=devices)[
            "ImageId"
        ]
        # moto makes an image a snapshot of its own; here it is to be the one that was given.
        self.backend.amis[made].ebs_snapshot = self.backend.snapshots[snapshot]
        self.ids[name] = made
        return made

    def balancer(
        self,
        name: str,
        *,
        age: int = 60,
        kind: str = "application",
        tags: list | None = None,
        scheme="internal",
    ):
        made = self.elbv2.create_load_balancer(
            Name=name, Subnets=self.subnets, Type=kind, Scheme=scheme, Tags=tags or TAGS
        )["LoadBalancers"][0]["LoadBalancerArn"]
        self.balancers.load_balancers[made].created_time = days_ago(age).strftime("%Y-%m-%dT%H:%M:%S.000Z")
        self.ids[name] = made
        return made

    def group(self, name: str, *, target: str | None = None, protocol: str = "HTTP") -> str:
        kind = "ip" if target else "instance"
        made = self.elbv2.create_target_group(
            Name=name, Protocol=protocol, Port=80, VpcId=self.vpc, TargetType=kind
        )["TargetGroups"][0]["TargetGroupArn"]
        if target:
            self.elbv2.register_targets(TargetGroupArn=made, Targets=[{"Id": target, "Port": 80}])
        return made

    def forward(self, balancer: str, group: str, protocol: str = "HTTP") -> None:
        actions = [{"Type": "forward", "TargetGroupArn": group}]
        self.elbv2.create_listener(
            LoadBalancerArn=balancer, Protocol=protocol, Port=80, DefaultActions=actions
        )

    def redirect(self, balancer: str) -> None:
        actions = [{"Type": "redirect", "RedirectConfig": {"Protocol": "HTTPS", "StatusCode": "HTTP_301"}}]
        self.elbv2.create_listener(LoadBalancerArn=balancer, Protocol="HTTP", Port=80, DefaultActions=actions)

    def traffic(
        self, balancer: str, metric: str, value: float, *, age: int = 2, namespace="AWS/ApplicationELB"
    ):
        dimension = {"Name": "LoadBalancer", "Value": balancer.partition("loadbalancer/")[2]}
        self.cloudwatch.put_metric_data(
            Namespace=namespace,
            MetricData=[
                {"MetricName": metric, "Dimensions": [dimension], "Value": value, "Timestamp": days_ago(age)}
            ],
        )

    def instance(
        self, name: str, *, age: int = 60, stopped: int | None = None, tags: list | None = None
    ) -> str:
        image = (
            self.ids.get("image") or self.ec2.register_image(Name=name, RootDeviceName="/dev/sda1")["ImageId"]
        )
        made = self.ec2.run_instances(
            ImageId=image, InstanceType="t3.micro", MinCount=1, MaxCount=1, SubnetId=self.subnets[0],
            TagSpecifications=[{"ResourceType": "instance", "Tags": tags or DEVELOPMENT}],
        )["Instances"][0]["InstanceId"]  # fmt: skip
        if stopped is not None:
            self.ec2.stop_instances(InstanceIds=[made])
            when = days_ago(stopped).strftime("%Y-%m-%d %H:%M:%S GMT")
            self.backend.get_instance(made)._reason = f"User initiated ({when})"
        self.backend.get_instance(made).launch_time = days_ago(age)
        self.ids[name] = made
        return made

    def everything(self) -> Estate:
        """One of each kind that is orphaned, and beside it one that is not: every operation has something to read."""
        loose = self.volume("loose", size=100)
        self.volume("young", age=2)
        self.ids["address"] = self.ec2.allocate_address(Domain="vpc")["AllocationId"]
        self.snapshot("old", loose)
        self.image("image", self.snapshot("imaged", loose))
        devices = [{"DeviceName": "/dev/sda1", "Ebs": {"SnapshotId": self.snapshot("templated", loose)}}]
        self.ec2.create_launch_template(
            LaunchTemplateName="template", LaunchTemplateData={"BlockDeviceMappings": devices}
        )
        self.autoscaling.create_launch_configuration(
            LaunchConfigurationName="old-way", ImageId=self.ids["image"], InstanceType="t3.micro",
            BlockDeviceMappings=[{"DeviceName": "/dev/sdb", "Ebs": {"SnapshotId": self.snapshot("configured", loose)}}],
        )  # fmt: skip
        self.balancer("no-listener")
        self.forward(self.balancer("no-target"), self.group("empty"))
        self.forward(self.balancer("idle"), self.group("full", target="10.0.0.1"))
        busy = self.balancer("busy")
        self.forward(busy, self.group("fuller", target="10.0.0.2"))
        self.traffic(busy, "RequestCount", 1)
        self.instance("running")
        self.instance("stopped", age=200, stopped=100)
        return self
