"""Creating cloud resources that carry their tags from the first second."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tracked_inference.cloud.extras import load_boto3
from tracked_inference.cloud.tags import validate_tags
from tracked_inference.cloud.vocabulary import DEFAULT_STANDARD, TagStandard
from tracked_inference.errors import InvalidTagsError

if TYPE_CHECKING:
    from tracked_inference.cloud.tags import ResourceTags

__all__ = ["create_tagged_instance"]

# RunInstances makes all three at once. Tags of the instance do not pass on to its volumes and interface,
# and an untagged volume is what is left behind when the instance goes.
_TAGGED_TOGETHER = ("instance", "volume", "network-interface")


def create_tagged_instance(
    instance_type: str,
    tags: ResourceTags,
    ami_id: str,
    subnet_id: str,
    *,
    standard: TagStandard = DEFAULT_STANDARD,
    client: Any = None,
) -> dict[str, Any]:
    """
    Start one EC2 instance whose volumes and network interface carry the same tags.

    Args:
        instance_type: Such as `t3.micro`.
        tags: Whose it is; checked before anything is asked of AWS.
        ami_id: The image.
        subnet_id: Where.
        standard: The tagging standard to hold the tags against.
        client: An EC2 client; the default is boto3's own, from the environment.

    Returns:
        `instance_id`, `tags` and `instance_type`.

    Raises:
        InvalidTagsError: The tags break the standard; no call was made.
        botocore.exceptions.ClientError: AWS refused.

    """
    if problems := validate_tags(tags, standard):
        raise InvalidTagsError(problems)
    ec2 = client if client is not None else load_boto3().client("ec2")
    response = ec2.run_instances(
        ImageId=ami_id,
        InstanceType=instance_type,
        MinCount=1,
        MaxCount=1,
        SubnetId=subnet_id,
        TagSpecifications=[{"ResourceType": kind, "Tags": tags.to_aws_format()} for kind in _TAGGED_TOGETHER],
    )
    return {
        "instance_id": response["Instances"][0]["InstanceId"],
        "tags": tags.to_dict(),
        "instance_type": instance_type,
    }
