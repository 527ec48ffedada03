"""
List prices of today, from the AWS Price List Query API.

https://docs.aws.amazon.com/awsaccountbilling/latest/aboutv2/using-price-list-query-api.html
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tracked_inference.cloud.orphans.aws import client_config

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tracked_inference.cloud.orphans.prices import Rates

__all__ = ["LIVE_PRICE_ACTIONS", "fetch_rates", "read_product"]

LIVE_PRICE_ACTIONS = frozenset({"pricing:GetProducts"})
_ENDPOINT_REGION = "us-east-1"  # one of the few regions that have the service; it knows the prices of all

# Service code and the filters of each question, beside the region.
_QUESTIONS: tuple[tuple[str, Mapping[str, str]], ...] = (
    ("AmazonEC2", {"productFamily": "Storage"}),
    ("AmazonEC2", {"productFamily": "System Operation"}),
    ("AmazonEC2", {"productFamily": "Provisioned Throughput"}),
    ("AmazonEC2", {"productFamily": "Storage Snapshot"}),
    ("AWSELB", {"productFamily": "Load Balancer-Application"}),
    ("AWSELB", {"productFamily": "Load Balancer-Network"}),
    ("AWSELB", {"productFamily": "Load Balancer-Gateway"}),
    ("AmazonVPC", {"group": "VPCPublicIPv4Address"}),
)
_INSTANCES = {
    "productFamily": "Compute Instance",
    "operatingSystem": "Linux",
    "tenancy": "Shared",
    "preInstalledSw": "NA",
    "capacitystatus": "Used",
    "licenseModel": "No License required",
}
_BALANCERS = {
    "Load Balancer-Application": "application",
    "Load Balancer-Network": "network",
    "Load Balancer-Gateway": "gateway",
}
_IOPS = {"EBS:VolumeP-IOPS.gp3": "gp3", "EBS:VolumeP-IOPS.piops": "io1", "EBS:VolumeP-IOPS.io2": "io2"}
_SNAPSHOTS = {"EBS:SnapshotUsage": "standard", "EBS:SnapshotArchiveStorage": "archive"}


def fetch_rates(session: Any, regions: Iterable[str], *, instances: bool = True, client: Any = None) -> Rates:
    """
    Return the list prices of some regions.

    Args:
        session: A boto3 session.
        regions: Which regions.
        instances: Ask for the rates of instances too, which are a dozen pages a region.
        client: A pricing client, in place of the session's.

    Raises:
        botocore.exceptions.BotoCoreError, ClientError: AWS refused or could not be reached.

    """
    pricing = client or session.client("pricing", region_name=_ENDPOINT_REGION, config=client_config(1))
    questions = [*_QUESTIONS, *([("AmazonEC2", _INSTANCES)] if instances else [])]
    rates: Rates = {}
    for region in regions:
        for service, filters in questions:
            for product in _products(pricing, service, {**filters, "regionCode": region}):
                if (read := read_product(product)) is not None:
                    name, kind, figure = read
                    rates[region, name, kind] = figure
    return rates


def _products(pricing: Any, service: str, filters: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    wanted = [{"Type": "TERM_MATCH", "Field": field, "Value": value} for field, value in filters.items()]
    paginator = pricing.get_paginator("get_products")
    for page in paginator.paginate(ServiceCode=service, Filters=wanted, FormatVersion="aws_v1"):
        for text in page.get("PriceList", ()):
            yield json.loads(text, parse_float=Decimal)


def read_product(product: Mapping[str, Any]) -> tuple[str, str, Decimal] | None:
    """Return name, type and figure of the rate that a product of the price list is, or None for any other."""
    attributes = product.get("product", {}).get("attributes", {})
    if attributes.get("locationType", "AWS Region") != "AWS Region":
        return None  # Outposts, Local Zones and Wavelength Zones have rates of their own
    family = product.get("product", {}).get("productFamily", "")
    named = _name(family, attributes)
    figure = _on_demand(product.get("terms", {}).get("OnDemand", {}))
    if named is None or figure is None:
        return None
    name, kind = named
    usd, unit = figure
    # Throughput is listed by the GiB/s and spoken of by the MiB/s.
    return name, kind, usd / 1024 if unit.lower().startswith("gibps") else usd


def _name(family: str, attributes: Mapping[str, str]) -> tuple[str, str] | None:
    usage = attributes.get("usagetype", "")
    # A region's code stands before the usage: EUC1-EBS:VolumeUsage.gp3; us-east-1 has none.
    bare = usage.partition("-")[2] if _has_region_code(usage) else usage
    if family == "Storage" and bare.startswith("EBS:VolumeUsage") and attributes.get("volumeApiName"):
        return "ebs_gib_month", attributes["volumeApiName"]
    if family == "System Operation" and bare in _IOPS:
        return "ebs_iops_month", _IOPS[bare]
    if family == "Provisioned Throughput" and bare == "EBS:VolumeP-Throughput.gp3":
        return "gp3_throughput_mibps_month", ""
    if family == "Storage Snapshot" and bare in _SNAPSHOTS:
        return "snapshot_gib_month", _SNAPSHOTS[bare]
    if family in _BALANCERS and bare == "LoadBalancerUsage":
        return "load_balancer_hour", _BALANCERS[family]
    if bare == "PublicIPv4:IdleAddress":
        return "public_ipv4_hour", ""
    if family.startswith("Compute Instance") and bare.startswith("BoxUsage"):
        return "ec2_linux_hour", attributes.get("instanceType", "")
    return None


def _has_region_code(usage: str) -> bool:
    head, dash, _ = usage.partition("-")
    return bool(dash) and head.isalnum() and head.isupper() and ":" not in head


def _on_demand(terms: Mapping[str, Any]) -> tuple[Decimal, str] | None:
    """Return the first figure above zero and its unit; a first tier of zero is a free allowance."""
    for term in terms.values():
        dimensions = sorted(
            term.get("priceDimensions", {}).values(), key=lambda entry: Decimal(entry.get("beginRange") or 0)
        )
        for dimension in dimensions:
            usd = dimension.get("pricePerUnit", {}).get("USD")
            if usd is not None and Decimal(usd) > 0:
                return Decimal(usd), str(dimension.get("unit", ""))
    return None
