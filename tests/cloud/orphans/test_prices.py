"""Prices and what things cost by them."""

from __future__ import annotations

import json
from decimal import Decimal

import boto3
import pytest
from botocore.stub import Stubber
from hypothesis import given
from hypothesis import strategies as st

from tracked_inference.cloud.orphans.costs import (
    instance_cost,
    load_balancer_cost,
    snapshot_cost,
    volume_cost,
)
from tracked_inference.cloud.orphans.live_prices import fetch_rates, read_product
from tracked_inference.cloud.orphans.model import OrphanedResource
from tracked_inference.cloud.orphans.prices import PriceBook
from tracked_inference.errors import PriceTableError

BOOK = PriceBook.bundled()


def volume(kind, size=100, **more):
    return {"VolumeType": kind, "Size": size, **more}


@pytest.mark.parametrize(
    ("described", "region", "usd"),
    [
        (volume("gp3", Iops=3000, Throughput=125), "us-east-1", "8"),  # 100 x 0.08
        (volume("gp3", Iops=4000, Throughput=130), "us-east-1", "13.2"),  # 8 + 1000 x 0.005 + 5 x 0.04
        (volume("gp2"), "us-east-1", "10"),  # 100 x 0.10
        (volume("io1", size=30, Iops=300), "us-east-1", "23.25"),  # 30 x 0.125 + 300 x 0.065
        (volume("st1", size=500), "us-east-1", "22.5"),  # 500 x 0.045
        (volume("sc1", size=500), "us-east-1", "7.5"),  # 500 x 0.015
        (volume("standard", size=20), "us-east-1", "1"),  # 20 x 0.05
        (volume("gp3", Iops=3000, Throughput=125), "eu-west-1", "8.8"),  # 100 x 0.088
        (volume("gp3", Iops=3000, Throughput=125), "sa-east-1", "15.2"),  # 100 x 0.152
    ],
)
def test_volumes_cost_what_they_are_provisioned_for(described, region, usd):
    """Size, and for gp3 and io1 what is above the included amount, at the region's own rates."""
    assert volume_cost(described, region, BOOK).usd == Decimal(usd)


@pytest.mark.parametrize("region", ["xx-north-9", ""])
def test_an_unknown_region_has_unknown_costs(region):
    """Never 0, and never another region's rate."""
    cost = volume_cost(volume("gp3"), region, BOOK)

    assert cost.usd is None
    assert "no rate known" in cost.basis


def test_an_unknown_type_has_an_unknown_cost():
    """One part unknown makes the whole unknown."""
    part = BOOK.with_rates({("xx-north-9", "ebs_gib_month", "gp3"): Decimal("0.1")}, "test")

    assert volume_cost(volume("gp9"), "us-east-1", BOOK).usd is None
    assert volume_cost(volume("gp3", Iops=3000), "xx-north-9", part).usd == Decimal(10)
    assert volume_cost(volume("gp3", Iops=3001), "xx-north-9", part).usd is None


@pytest.mark.parametrize(
    ("more", "usd"),
    [
        ({"Scheme": "internal"}, "16.425"),  # 730 x 0.0225
        ({"Scheme": "internet-facing"}, "23.725"),  # and 2 x 730 x 0.005 for two zones' addresses
        ({"Scheme": "internet-facing", "IpAddressType": "dualstack-without-public-ipv4"}, "16.425"),
        ({"Scheme": "internal", "Type": "network"}, "16.425"),
        ({"Scheme": "internal", "Type": "gateway"}, None),  # its rate is in no source
    ],
)
def test_load_balancers_cost_their_hours_and_addresses(more, usd):
    """Without any traffic a balancer still costs its hours, and one public address in each zone."""
    balancer = {"Type": "application", "AvailabilityZones": [{}, {}], **more}

    assert load_balancer_cost(balancer, "us-east-1", BOOK).usd == (None if usd is None else Decimal(usd))


def test_a_region_whose_sources_disagree_is_unknown():
    """The two extracts give different balancer rates for Cape Town, so none stands."""
    assert load_balancer_cost({"Type": "application"}, "af-south-1", BOOK).usd is None
    assert BOOK.rate("af-south-1", "ebs_gib_month", "gp3") == Decimal("0.1047")


def test_instances_and_snapshots():
    """An unknown volume makes its instance unknown."""
    running = {"State": {"Name": "running"}, "InstanceType": "t3.large"}

    assert instance_cost(running, [], "us-east-1", BOOK).usd == Decimal("60.736")  # 730 x 0.0832
    assert instance_cost(running, [volume("gp9")], "us-east-1", BOOK).usd is None
    assert snapshot_cost({"VolumeSize": 100}, "eu-west-2", BOOK).usd == Decimal("5.3")  # 100 x 0.053


def test_the_bundled_table_says_where_it_is_from():
    """A date, and two sources with theirs; dozens of regions."""
    assert BOOK.version == "2026-10-15"
    assert len(BOOK.sources) == 2
    assert all("2026" in source for source in BOOK.sources)
    assert {"us-east-1", "eu-central-1", "ap-northeast-1", "us-gov-west-1"} <= set(BOOK.regions())


@given(st.decimals(min_value=0, max_value=10**8, places=6))
def test_costs_survive_being_floats(usd):
    """A cost of millionths of a dollar comes back exactly from the float."""
    resource = OrphanedResource("x", "ebs_volume", "r", float(usd), 1, "because")

    assert resource.monthly_cost_usd == usd


def test_rates_of_ones_own_stand_over_the_list(tmp_path):
    """A file changes what it names and nothing else; figures may be text or numbers."""
    path = tmp_path / "prices.json"
    path.write_text(
        '{"regions": {"us-east-1": {"ebs_gib_month": {"gp3": 0.05}, "public_ipv4_hour": "0.004"}}}'
    )

    book = BOOK.with_file(path)

    assert book.rate("us-east-1", "ebs_gib_month", "gp3") == Decimal("0.05")
    assert book.rate("us-east-1", "public_ipv4_hour") == Decimal("0.004")
    assert book.rate("us-east-1", "ebs_gib_month", "gp2") == Decimal("0.1")
    assert book.rate("us-east-2", "ebs_gib_month", "gp3") == Decimal("0.08")
    assert BOOK.rate("us-east-1", "ebs_gib_month", "gp3") == Decimal("0.08")
    assert str(path) in book.sources


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", ":1: not valid JSON"),
        ("[]", "needs a mapping 'regions'"),
        ('{"regions": {"r": 1}}', "regions.r must be a mapping"),
        ('{"regions": {"r": {"ebs_gib_mnth": {}}}}', "did you mean 'ebs_gib_month'?"),
        ('{"regions": {"r": {"ebs_gib_month": {"gp33": "0.08"}}}}', "did you mean 'gp3'?"),
        ('{"regions": {"r": {"load_balancer_hour": {"aplication": "0.02"}}}}', "did you mean 'application'?"),
        ('{"regions": {"r": {"ebs_gib_month": 0.1}}}', "must be a mapping such as"),
        ('{"regions": {"r": {"ebs_gib_month": {"gp3": "cheap"}}}}', "'cheap' is no price"),
        ('{"regions": {"r": {"public_ipv4_hour": -1}}}', "is no price"),
        ('{"regions": {"r": {"public_ipv4_hour": "NaN"}}}', "is no price"),
        ('{"regions": {"r": {"public_ipv4_hour": true}}}', "is no price"),
        ('{"regions": {}, "currency": "EUR"}', "'EUR'"),
        ('{"regions": {}, "prices": 1}', "unknown key 'prices'"),
    ],
)  # fmt: skip
def test_bad_price_files_say_what_is_wrong(tmp_path, text, said):
    """The message names the file, the key and the fault."""
    path = tmp_path / "prices.json"
    path.write_text(text)

    with pytest.raises(PriceTableError) as raised:
        BOOK.with_file(path)

    assert said in str(raised.value)
    assert "prices.json" in str(raised.value)


def test_what_is_printed_can_be_read_back(tmp_path):
    """The document of some regions is a price file."""
    path = tmp_path / "prices.json"
    document = BOOK.as_document(["eu-west-2"])
    path.write_text(json.dumps(document))

    assert list(document["regions"]) == ["eu-west-2"]
    assert BOOK.with_file(path).as_document(["eu-west-2"])["regions"] == document["regions"]


def product(family, usage, usd, unit, *, tiers=(), **attributes):
    dimensions = {"a": {"unit": unit, "beginRange": "0", "pricePerUnit": {"USD": usd}}}
    for number, (begin, figure) in enumerate(tiers):
        dimensions[str(number)] = {"unit": unit, "beginRange": begin, "pricePerUnit": {"USD": figure}}
    return {
        "product": {
            "productFamily": family,
            "attributes": {"usagetype": usage, "locationType": "AWS Region", **attributes},
        },
        "terms": {"OnDemand": {"sku.term": {"priceDimensions": dimensions}}},
    }


@pytest.mark.parametrize(
    ("listed", "read"),
    [
        (product("Storage", "EUC1-EBS:VolumeUsage.gp3", "0.0952", "GB-Mo", volumeApiName="gp3"), ("ebs_gib_month", "gp3", "0.0952")),
        (product("Storage", "EBS:VolumeUsage.gp3", "0.08", "GB-Mo", volumeApiName="gp3"), ("ebs_gib_month", "gp3", "0.08")),
        (product("System Operation", "EUC1-EBS:VolumeP-IOPS.gp3", "0", "IOPS-Mo", tiers=[("3000", "0.006")]), ("ebs_iops_month", "gp3", "0.006")),
        (product("System Operation", "EBS:VolumeP-IOPS.io2.tier2", "0.04", "IOPS-Mo"), None),
        (product("Provisioned Throughput", "EBS:VolumeP-Throughput.gp3", "40.96", "GiBps-mo"), ("gp3_throughput_mibps_month", "", "0.04")),
        (product("Storage Snapshot", "EUW2-EBS:SnapshotUsage", "0.053", "GB-Mo"), ("snapshot_gib_month", "standard", "0.053")),
        (product("Load Balancer-Application", "EUW2-LoadBalancerUsage", "0.02646", "Hrs"), ("load_balancer_hour", "application", "0.02646")),
        (product("Load Balancer-Application", "EUW2-TS-LoadBalancerUsage", "0.0059", "Hrs"), None),
        (product("Load Balancer-Network", "LoadBalancerUsage", "0.0225", "Hrs"), ("load_balancer_hour", "network", "0.0225")),
        (product("", "EUW2-PublicIPv4:IdleAddress", "0.005", "Hrs"), ("public_ipv4_hour", "", "0.005")),
        (product("", "EUW2-PublicIPv4:InUseAddress", "0.005", "Hrs"), None),
        (product("Compute Instance", "EUW2-BoxUsage:t3.large", "0.0944", "Hrs", instanceType="t3.large"), ("ec2_linux_hour", "t3.large", "0.0944")),
        (product("Compute Instance", "EUW2-UnusedBox:t3.large", "0.0944", "Hrs", instanceType="t3.large"), None),
        (product("Storage", "EBS:VolumeUsage.gp3", "0.1", "GB-Mo", volumeApiName="gp3", locationType="AWS Local Zone"), None),
        (product("Storage", "EBS:VolumeUsage.gp3", "0", "GB-Mo", volumeApiName="gp3"), None),
    ],
)  # fmt: skip
def test_products_of_the_price_list_are_read(listed, read):
    """Each rate is told from its neighbours: tiers, zones, capacity reservations."""
    assert read_product(listed) == (None if read is None else (read[0], read[1], Decimal(read[2])))


def test_live_prices_read_every_page():
    """Two pages of one question, asked for the region, through boto3's own client."""
    client = boto3.client("pricing", region_name="us-east-1")
    pages = {
        "Storage": [
            [product("Storage", "EBS:VolumeUsage.gp3", "0.081", "GB-Mo", volumeApiName="gp3")],
            [product("Storage", "EBS:VolumeUsage.gp2", "0.101", "GB-Mo", volumeApiName="gp2")],
        ]
    }
    with Stubber(client) as stub:
        for number, page in enumerate(pages["Storage"]):
            answer = {"PriceList": [json.dumps(entry) for entry in page]}
            stub.add_response("get_products", {**answer, "NextToken": "more"} if number == 0 else answer)
        for _ in range(7):
            stub.add_response("get_products", {"PriceList": []})

        rates = fetch_rates(None, ["us-east-1"], instances=False, client=client)

        stub.assert_no_pending_responses()
    assert rates == {
        ("us-east-1", "ebs_gib_month", "gp3"): Decimal("0.081"),
        ("us-east-1", "ebs_gib_month", "gp2"): Decimal("0.101"),
    }
