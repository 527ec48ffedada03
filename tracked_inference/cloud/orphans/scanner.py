"""`OrphanedResourceScanner`: run daily, review weekly, clean up monthly."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import structlog

from tracked_inference.cloud.orphans import engine
from tracked_inference.cloud.orphans.aws import Account, RegionalAws, RegionCache
from tracked_inference.cloud.orphans.detectors import DETECTORS, ScanContext
from tracked_inference.cloud.orphans.model import Gap, OrphanedResource, ScanReport, Thresholds
from tracked_inference.cloud.orphans.output import cents
from tracked_inference.cloud.orphans.prices import PriceBook
from tracked_inference.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from tracked_inference.cloud.orphans.detectors import Detector

__all__ = ["OrphanedResourceScanner"]

log = structlog.get_logger("tracked_inference.cloud.orphans")


class OrphanedResourceScanner:
    """
    Finds resources that are likely orphaned, and changes nothing.

    Args:
        regions: Where to look; by default wherever the account has a region enabled.
        role_arns: Roles to take, one for each account; by default the account of the credentials.
        external_id: Given with each of the roles.
        prices: What things cost; the default is the snapshot that comes with this package.
        thresholds: From when on a resource counts as orphaned.
        only: Names of the detectors to run; the default is all of them.
        workers: Threads.
        session: A boto3 session; the default is boto3's own, from the environment.
        extra_gaps: What could not be seen before the scan began; it stands in the report.
        clock: Gives the time, aware UTC.

    Raises:
        ConfigurationError: A detector's name is not known, `regions` is no list of regions, or a role is none.

    """

    def __init__(
        self,
        regions: Sequence[str] | None = None,
        *,
        role_arns: Sequence[str] = (),
        external_id: str | None = None,
        prices: PriceBook | None = None,
        thresholds: Thresholds | None = None,
        only: Iterable[str] = (),
        workers: int = 8,
        session: Any = None,
        extra_gaps: Sequence[Gap] = (),
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        if isinstance(regions, str) or (
            regions is not None and not all(isinstance(one, str) for one in regions)
        ):
            raise ConfigurationError(
                f'regions={regions!r} must be a list of names, ["us-east-1"] for instance; None scans all that are enabled'
            )
        engine.check_names(regions or (), role_arns)
        self.regions = list(regions) if regions is not None else None
        self._role_arns = tuple(role_arns)
        self._external_id = external_id
        self._prices = prices if prices is not None else PriceBook.bundled()
        self._thresholds = thresholds if thresholds is not None else Thresholds()
        self._detectors = _select(only)
        self._workers = max(1, workers)
        self._session = session
        self._extra_gaps = tuple(extra_gaps)
        self._clock = clock

    def scan_all(self) -> list[OrphanedResource]:
        """
        Return everything found, the dearest first and those of unknown cost last.

        What could not be seen is logged as `orphan.scan.gap`, and is in the report that `scan` returns.
        """
        return list(self.scan().resources)

    def scan(self, on_progress: Callable[[int, int], None] | None = None) -> ScanReport:
        """
        Scan, and return what was found and what could not be seen.

        Args:
            on_progress: Called with the number of finished and of all steps.

        Raises:
            ConfigurationError: There are no credentials, or they cannot be used.
            MissingExtraError: boto3 is not installed.

        """
        started = self._clock()
        accounts, gaps = engine.open_accounts(
            self._open_session(), self._role_arns, self._external_id, self._workers
        )
        jobs: list[engine.Job] = []
        for account in accounts:
            regions = self.regions
            if regions is None:
                regions, more = engine.enabled_regions(account)
                gaps += more
            for region in dict.fromkeys(regions):
                cache = RegionCache()
                context = self._context(region, account.name, started)
                jobs += [engine.Job(account, region, each, context, cache) for each in self._detectors]
        found, more = engine.run_jobs(jobs, self._workers, on_progress)
        report = ScanReport(
            resources=engine.merge(found),
            gaps=(*self._extra_gaps, *gaps, *more),
            started_at=started,
            accounts=tuple(dict.fromkeys(account.name for account in accounts if account.name)),
            regions=tuple(dict.fromkeys(job.region for job in jobs)),
            prices_version=self._prices.version,
        )
        _log(report)
        return report

    def scan_unattached_ebs_volumes(self, region: str) -> list[OrphanedResource]:
        """Return the volumes of a region that are attached to nothing; raises what AWS raises."""
        return self._scan_one("unattached-volumes", region)

    def scan_unassociated_elastic_ips(self, region: str) -> list[OrphanedResource]:
        """Return the addresses of a region that are associated with nothing; raises what AWS raises."""
        return self._scan_one("unassociated-addresses", region)

    def scan_old_snapshots(self, region: str) -> list[OrphanedResource]:
        """Return the old snapshots of a region that nothing uses; raises what AWS raises."""
        return self._scan_one("old-snapshots", region)

    def scan_load_balancers_without_targets(self, region: str) -> list[OrphanedResource]:
        """Return the load balancers of a region that lead nowhere; raises what AWS raises."""
        return self._scan_one("load-balancers-without-targets", region)

    def scan_idle_load_balancers(self, region: str) -> list[OrphanedResource]:
        """Return the load balancers of a region without traffic; raises what AWS raises."""
        return self._scan_one("idle-load-balancers", region)

    def scan_development_instances(self, region: str) -> list[OrphanedResource]:
        """Return the development instances of a region that outstay; raises what AWS raises."""
        return self._scan_one("development-instances", region)

    def _scan_one(self, name: str, region: str) -> list[OrphanedResource]:
        (chosen,) = _select([name])
        aws = RegionalAws(
            Account(self._open_session(), None, self._workers), region, chosen.actions, RegionCache()
        )
        return list(engine.merge(chosen.scan(aws, self._context(region, None, self._clock()))))

    def _context(self, region: str, account: str | None, now: datetime) -> ScanContext:
        return ScanContext(region, account, now, self._prices, self._thresholds)

    def _open_session(self) -> Any:
        return self._session if self._session is not None else engine.open_session()


def _select(only: Iterable[str]) -> tuple[Detector, ...]:
    wanted = set(only)
    if unknown := wanted - {each.name for each in DETECTORS}:
        known = ", ".join(each.name for each in DETECTORS)
        raise ConfigurationError(f"no detector {min(unknown)!r}; there are {known}")
    return tuple(each for each in DETECTORS if not wanted or each.name in wanted)


def _log(report: ScanReport) -> None:
    for gap in report.gaps:
        log.warning(
            "orphan.scan.gap", account=gap.account, region=gap.region, scan=gap.scan, error=gap.error,
            message=gap.message,
        )  # fmt: skip
    waste = report.total_monthly_usd
    log.info(
        "orphan.scan.completed",
        orphaned_resource_count=len(report.resources),
        estimated_monthly_waste_usd=float(cents(waste)),
        estimated_annual_waste_usd=float(cents(waste * 12)),
        unknown_cost_count=report.unknown_cost_count,
        gap_count=len(report.gaps),
    )
