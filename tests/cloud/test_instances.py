"""create_tagged_instance, against moto."""

from __future__ import annotations

import dataclasses
import subprocess
import sys

import boto3
import pytest
from moto import mock_aws

from tracked_inference.cloud import ResourceTags, create_tagged_instance
from tracked_inference.errors import InvalidTagsError

TAGS = ResourceTags(
    team="documents", service="summariser", environment="production", component="api",
    cost_center="cc-42", created_by="alice@example.com", feature="document_summarisation",
)  # fmt: skip


class NoCalls:
    """An EC2 client that must not be used."""

    def __getattr__(self, name: str) -> object:
        raise AssertionError(f"AWS was called: {name}")


class Recorder:
    """An EC2 client that keeps what it was asked."""

    def run_instances(self, **request: object) -> dict:
        self.request = request
        return {"Instances": [{"InstanceId": "i-1"}]}


@mock_aws
def test_the_instance_and_its_volumes_carry_the_tags():
    """What RunInstances makes is tagged: the instance and its volume, read back from AWS."""
    ec2 = boto3.client("ec2")
    image = ec2.register_image(Name="image", RootDeviceName="/dev/sda1")["ImageId"]
    subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]

    made = create_tagged_instance("t3.micro", TAGS, image, subnet)

    assert made == {"instance_id": made["instance_id"], "tags": TAGS.to_dict(), "instance_type": "t3.micro"}
    (reservation,) = ec2.describe_instances(InstanceIds=[made["instance_id"]])["Reservations"]
    (instance,) = reservation["Instances"]
    assert ResourceTags.from_aws_format(instance["Tags"]) == TAGS
    (volume,) = ec2.describe_volumes(
        Filters=[{"Name": "attachment.instance-id", "Values": [made["instance_id"]]}]
    )["Volumes"]
    assert ResourceTags.from_aws_format(volume["Tags"]) == TAGS


def test_the_network_interface_is_asked_for_with_the_tags():
    """The request tags instance, volumes and network interface alike, in one call for exactly one instance."""
    client = Recorder()

    create_tagged_instance("t3.micro", TAGS, "ami-1", "subnet-1", client=client)

    specifications = client.request["TagSpecifications"]
    assert [entry["ResourceType"] for entry in specifications] == ["instance", "volume", "network-interface"]
    assert all(entry["Tags"] == TAGS.to_aws_format() for entry in specifications)
    assert (client.request["MinCount"], client.request["MaxCount"]) == (1, 1)


def test_invalid_tags_are_refused_before_any_call():
    """Tags that break the standard raise with every fault, and AWS is not called at all."""
    tags = dataclasses.replace(TAGS, team="", environment="prod")

    with pytest.raises(InvalidTagsError) as raised:
        create_tagged_instance("t3.micro", tags, "ami-1", "subnet-1", client=NoCalls())

    assert len(raised.value.problems) == 2
    assert "team tag is required" in str(raised.value)
    assert isinstance(raised.value, ValueError)


def test_importing_loads_neither_boto3_nor_yaml():
    """Importing the package of cloud parts loads no optional dependency."""
    code = (
        "import sys, tracked_inference.cloud;"
        "print([m for m in ('boto3', 'botocore', 'yaml', 'click') if m in sys.modules])"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
