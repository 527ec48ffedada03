"""What a scan finds, what it could not see, and the limits it judges by."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

__all__ = ["UNTAGGED", "Gap", "MonthlyCost", "OrphanedResource", "ScanReport", "Thresholds"]

UNTAGGED = "untagged"


@dataclass(frozen=True, slots=True)
class MonthlyCost:
    """
    What a resource costs in a month of 730 hours, at the prices given.

    Attributes:
        usd: Exact; None where a rate is not known.
        basis: How it was reckoned, or which rate is missing.

    """

    usd: Decimal | None
    basis: str


@dataclass(frozen=True, slots=True)
class OrphanedResource:
    """
    One resource that is likely orphaned.

    Attributes:
        resource_id: As AWS names it; the ARN for load balancers.
        resource_type: `ebs_volume`, `ebs_snapshot`, `elastic_ip`, `application_load_balancer`,
            `network_load_balancer`, `gateway_load_balancer` or `ec2_instance`.
        region: Where it is.
        estimated_monthly_cost: US dollars; None, never 0, where a rate is not known.
        age_days: Whole days since it was made (or stopped); None where AWS does not keep that.
        reason: Why it is here, one sentence.
        last_activity: When it was last known to be used, where AWS tells.
        tags: Its tags.
        account: The account it is in, where that is known.
        cost_basis: How the cost was reckoned, or why it is not known.

    """

    resource_id: str
    resource_type: str
    region: str
    estimated_monthly_cost: float | None
    age_days: int | None
    reason: str
    last_activity: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    account: str | None = None
    cost_basis: str = ""

    @property
    def monthly_cost_usd(self) -> Decimal | None:
        """
        The cost as an exact number, for adding up.

        Costs are rounded to a millionth of a dollar before they become floats, and a float of at most 15
        digits gives back the decimal it was made from.
        """
        return None if self.estimated_monthly_cost is None else Decimal(repr(self.estimated_monthly_cost))

    @property
    def team(self) -> str:
        """Who owns it by its tag, or `untagged`."""
        return (self.tags or {}).get("team") or UNTAGGED


@dataclass(frozen=True, slots=True)
class Gap:
    """
    Something the scan could not see; what is there is unknown, not absent.

    Attributes:
        account: The account, or the role that could not be taken.
        region: The region; `*` where it concerns them all.
        scan: Which detector was incomplete, or `regions`, `account`, `prices`.
        error: AWS's error code, or the class of the exception.
        message: The error's own words.

    """

    account: str | None
    region: str
    scan: str
    error: str
    message: str


@dataclass(frozen=True, slots=True)
class Thresholds:
    """
    From when on a resource counts as orphaned.

    Attributes:
        volume_days: Age of an unattached volume; how long it has been unattached is not in the API.
        snapshot_days: Age of a snapshot that nothing uses.
        idle_days: How long a load balancer must have been without traffic, and at least as old.
        idle_requests: Requests, or new flows, in that time that still count as none.
        running_days: How long a development instance may run.
        stopped_days: How long a development instance may be stopped with its volumes still billed.
        development_environments: Values of the tag `environment` that mean development.
        include_kubernetes_volumes: Look at volumes that Kubernetes made for a claim, too.

    """

    volume_days: int = 7
    snapshot_days: int = 90
    idle_days: int = 14
    idle_requests: int = 0
    running_days: int = 30
    stopped_days: int = 14
    development_environments: tuple[str, ...] = ("development", "dev", "test", "sandbox")
    include_kubernetes_volumes: bool = False


@dataclass(frozen=True, slots=True)
class ScanReport:
    """
    The outcome of a scan.

    Attributes:
        resources: What is likely orphaned, the dearest first, those of unknown cost last.
        gaps: What could not be seen; a report with gaps is incomplete.
        started_at: When the scan began, aware UTC.
        accounts: The accounts looked at.
        regions: The regions looked at.
        prices_version: The date of the price table.

    """

    resources: tuple[OrphanedResource, ...]
    gaps: tuple[Gap, ...]
    started_at: datetime
    accounts: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    prices_version: str = ""

    @property
    def total_monthly_usd(self) -> Decimal:
        """The sum of all costs that are known."""
        return sum((resource.monthly_cost_usd or Decimal(0) for resource in self.resources), Decimal(0))

    @property
    def unknown_cost_count(self) -> int:
        """How many resources have no known cost, and so are not in the sum."""
        return sum(resource.estimated_monthly_cost is None for resource in self.resources)

    def by_team(self) -> dict[str, tuple[Decimal, int]]:
        """Return for each team the known monthly cost and the number of resources, the dearest first."""
        costs: dict[str, Decimal] = defaultdict(Decimal)
        counts: dict[str, int] = defaultdict(int)
        for resource in self.resources:
            costs[resource.team] += resource.monthly_cost_usd or Decimal(0)
            counts[resource.team] += 1
        teams = sorted(counts, key=lambda team: (-costs[team], team))
        return {team: (costs[team], counts[team]) for team in teams}
