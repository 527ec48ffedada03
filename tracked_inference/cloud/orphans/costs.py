"""
What a resource costs a month, from its description and the prices; pure functions over plain dicts.

A month is 730 hours, as AWS's own calculator has it.
If one part of a cost has no known rate, the whole is unknown.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tracked_inference.cloud.orphans.model import MonthlyCost

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tracked_inference.cloud.orphans.prices import PriceBook

__all__ = ["address_cost", "instance_cost", "load_balancer_cost", "snapshot_cost", "volume_cost"]

HOURS = Decimal(730)
# gp3 includes these: https://docs.aws.amazon.com/ebs/latest/userguide/general-purpose.html
GP3_INCLUDED_IOPS = 3000
GP3_INCLUDED_MIBPS = 125
# io2 has lower rates above this; the snapshot holds the first tier, so more is an upper bound.
IO2_FIRST_TIER_IOPS = 32_000
_GIB = Decimal(2**30)
_MICRO = Decimal("0.000001")

# (what, how many, rate or None)
_Part = tuple[str, Decimal, Decimal | None]


def volume_cost(volume: Mapping[str, Any], region: str, prices: PriceBook) -> MonthlyCost:
    """Return the cost of a volume as provisioned: size, and IOPS and throughput above what is included."""
    kind = volume.get("VolumeType", "standard")
    iops = volume.get("Iops") or 0
    parts: list[_Part] = [
        (f"GiB {kind}", Decimal(volume["Size"]), prices.rate(region, "ebs_gib_month", kind)),
    ]
    if kind == "gp3" and iops > GP3_INCLUDED_IOPS:
        parts.append(("IOPS", Decimal(iops - GP3_INCLUDED_IOPS), prices.rate(region, "ebs_iops_month", kind)))
    if kind in {"io1", "io2"}:
        parts.append(("IOPS", Decimal(iops), prices.rate(region, "ebs_iops_month", kind)))
    throughput = volume.get("Throughput") or 0
    if kind == "gp3" and throughput > GP3_INCLUDED_MIBPS:
        rate = prices.rate(region, "gp3_throughput_mibps_month")
        parts.append(("MiB/s", Decimal(throughput - GP3_INCLUDED_MIBPS), rate))
    note = "upper bound" if kind == "io2" and iops > IO2_FIRST_TIER_IOPS else ""
    return _add(parts, region, note)


def address_cost(address: Mapping[str, Any], region: str, prices: PriceBook) -> MonthlyCost:
    """Return the cost of a public IPv4 address; addresses that one brought along are free."""
    pool = address.get("PublicIpv4Pool")
    if pool and not str(pool).startswith("amazon"):
        return MonthlyCost(Decimal(0), f"address of your own pool {pool}: not billed")
    return _add([("h public IPv4", HOURS, prices.rate(region, "public_ipv4_hour"))], region)


def snapshot_cost(snapshot: Mapping[str, Any], region: str, prices: PriceBook) -> MonthlyCost:
    """
    Return an upper bound for a snapshot.

    AWS bills the blocks a snapshot does not share with others and does not tell how many those are.
    """
    tier = snapshot.get("StorageTier") or "standard"
    size = snapshot.get("FullSnapshotSizeInBytes")
    gib = Decimal(size) / _GIB if size else Decimal(snapshot.get("VolumeSize") or 0)
    return _add(
        [(f"GiB {tier}", gib, prices.rate(region, "snapshot_gib_month", tier))], region, "upper bound"
    )


def load_balancer_cost(balancer: Mapping[str, Any], region: str, prices: PriceBook) -> MonthlyCost:
    """Return what a load balancer costs without any traffic: its hours, and its public addresses."""
    kind = balancer.get("Type", "application")
    parts: list[_Part] = [(f"h {kind}", HOURS, prices.rate(region, "load_balancer_hour", kind))]
    public = balancer.get("Scheme") == "internet-facing"
    if public and balancer.get("IpAddressType") != "dualstack-without-public-ipv4":
        # One address in each zone: https://docs.aws.amazon.com/vpc/latest/userguide/vpc-ip-addressing.html
        zones = len(balancer.get("AvailabilityZones") or ())
        parts.append(("h public IPv4", HOURS * zones, prices.rate(region, "public_ipv4_hour")))
    return _add(parts, region)


def instance_cost(
    instance: Mapping[str, Any], volumes: Iterable[Mapping[str, Any]], region: str, prices: PriceBook
) -> MonthlyCost:
    """Return what an instance costs: its volumes always, its hours when it runs."""
    parts: list[_Part] = []
    if instance["State"]["Name"] == "running":
        kind = instance["InstanceType"]
        rate = prices.rate(region, "ec2_linux_hour", kind) if _is_plain(instance) else None
        what = f"h {kind}" if _is_plain(instance) else f"h {kind} (not Linux on demand on shared hardware)"
        parts.append((what, HOURS, rate))
    total, basis = _add(parts, region) if parts else MonthlyCost(Decimal(0), ""), []
    if total.basis:
        basis.append(total.basis)
    usd = total.usd
    for volume in volumes:
        cost = volume_cost(volume, region, prices)
        basis.append(cost.basis)
        usd = None if usd is None or cost.usd is None else usd + cost.usd
    return MonthlyCost(usd, "; ".join(basis) or "no volumes")


def _is_plain(instance: Mapping[str, Any]) -> bool:
    details = instance.get("PlatformDetails", "Linux/UNIX")
    tenancy = (instance.get("Placement") or {}).get("Tenancy", "default")
    return details == "Linux/UNIX" and tenancy == "default" and not instance.get("InstanceLifecycle")


def _add(parts: Iterable[_Part], region: str, note: str = "") -> MonthlyCost:
    total = Decimal(0)
    basis = []
    for what, amount, rate in parts:
        if rate is None:
            return MonthlyCost(None, f"no rate known in {region} for {what}")
        total += amount * rate
        basis.append(f"{_plain(amount)} {what} x {_plain(rate)}")
    written = " + ".join(basis) + (f" ({note})" if note else "")
    return MonthlyCost(total.quantize(_MICRO), written)


def _plain(figure: Decimal) -> str:
    text = format(figure.quantize(_MICRO) if figure.as_tuple().exponent < -6 else figure, "f")  # type: ignore[operator]
    return text.rstrip("0").rstrip(".") if "." in text else text
