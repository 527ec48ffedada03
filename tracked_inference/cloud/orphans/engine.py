"""Running every detector in every region of every account, and keeping what fails as a gap."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from tracked_inference.cloud.extras import botocore, load_boto3
from tracked_inference.cloud.orphans.aws import Account, RegionalAws, RegionCache, client_config
from tracked_inference.cloud.orphans.model import Gap, OrphanedResource
from tracked_inference.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from tracked_inference.cloud.orphans.detectors import Detector, ScanContext

__all__ = ["ENGINE_ACTIONS", "Job", "enabled_regions", "gap_of", "merge", "open_accounts", "run_jobs"]

# What the engine itself asks, beside the detectors: whose account this is, and which regions it has.
ENGINE_ACTIONS = frozenset({"sts:GetCallerIdentity", "ec2:DescribeRegions"})

_HOME_REGION = "us-east-1"  # has every service that is asked here, and cannot be switched off


class Job(NamedTuple):
    """One detector in one region of one account."""

    account: Account
    region: str
    detector: Detector
    context: ScanContext
    cache: RegionCache


def open_accounts(
    session: Any, role_arns: Sequence[str], external_id: str | None, workers: int
) -> tuple[list[Account], list[Gap]]:
    """
    Return the accounts to scan: that of the credentials, or those of the roles.

    Raises:
        ConfigurationError: There are no credentials at all, or they are broken.

    """
    if not role_arns:
        name, gaps = _identity(session, workers)
        return [Account(session, name, workers)], gaps
    accounts, gaps = [], []
    for arn in role_arns:
        try:
            taken = _assume(session, arn, external_id, workers)
        except Exception as error:
            _refuse_without_credentials(error)
            gaps.append(gap_of(error, account=arn, region="*", scan="account"))
        else:
            accounts.append(Account(taken, arn.split(":")[4], workers))
    return accounts, gaps


def _identity(session: Any, workers: int) -> tuple[str | None, list[Gap]]:
    try:
        sts = _sts(session, workers)
        return sts.get_caller_identity()["Account"], []
    except Exception as error:
        _refuse_without_credentials(error)
        return None, [gap_of(error, account=None, region="*", scan="account")]


def _sts(session: Any, workers: int) -> Any:
    region = session.region_name or _HOME_REGION
    return session.client("sts", region_name=region, config=client_config(workers))


def _assume(session: Any, arn: str, external_id: str | None, workers: int) -> Any:
    sts = _sts(session, workers)
    more = {"ExternalId": external_id} if external_id else {}
    credentials = sts.assume_role(RoleArn=arn, RoleSessionName="tracked-inference-orphans", **more)[
        "Credentials"
    ]
    return load_boto3().Session(
        aws_access_key_id=credentials["AccessKeyId"],
        aws_secret_access_key=credentials["SecretAccessKey"],
        aws_session_token=credentials["SessionToken"],
        region_name=session.region_name,
    )


def _refuse_without_credentials(error: Exception) -> None:
    exceptions = botocore("exceptions")
    missing = (
        exceptions.NoCredentialsError,
        exceptions.PartialCredentialsError,
        exceptions.CredentialRetrievalError,
        exceptions.ProfileNotFound,
    )
    if isinstance(error, missing):
        raise ConfigurationError(f"no usable AWS credentials: {error}; see `aws configure`") from error


def enabled_regions(account: Account) -> tuple[list[str], list[Gap]]:
    """Return the regions an account has enabled, or the gap of not knowing them."""
    try:
        ec2 = account.client("ec2", _HOME_REGION)
        regions = ec2.describe_regions()["Regions"]  # without AllRegions: those that are enabled; no pages
    except Exception as error:
        return [], [gap_of(error, account=account.name, region="*", scan="regions")]
    return sorted(region["RegionName"] for region in regions), []


def run_jobs(
    jobs: Sequence[Job], workers: int, on_progress: Callable[[int, int], None] | None
) -> tuple[list[OrphanedResource], list[Gap]]:
    """Run the jobs in a bounded pool of threads; what comes out does not depend on their timing."""
    outcomes: list[tuple[list[OrphanedResource], list[Gap]]] = [([], [])] * len(jobs)
    with ThreadPoolExecutor(max_workers=workers, thread_name_prefix="orphan-scan") as pool:
        futures = {pool.submit(run_job, job): index for index, job in enumerate(jobs)}
        try:
            for done, future in enumerate(as_completed(futures), start=1):
                outcomes[futures[future]] = future.result()
                if on_progress is not None:
                    on_progress(done, len(jobs))
        except BaseException:  # Ctrl-C: do not start what has not begun
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    found = [resource for resources, _ in outcomes for resource in resources]
    return found, [gap for _, gaps in outcomes for gap in gaps]


def run_job(job: Job) -> tuple[list[OrphanedResource], list[Gap]]:
    """Run one job; what it found before it failed counts, and the failure is a gap."""
    aws = RegionalAws(job.account, job.region, job.detector.actions, job.cache)
    found: list[OrphanedResource] = []
    try:
        for resource in job.detector.scan(aws, job.context):
            found.append(resource)  # noqa: PERF402  # what was found before a failure counts
    except Exception as error:
        return found, [gap_of(error, account=job.account.name, region=job.region, scan=job.detector.name)]
    return found, []


def gap_of(error: Exception, *, account: str | None, region: str, scan: str) -> Gap:
    """Return an exception as the gap it leaves."""
    response = getattr(error, "response", None)
    details = response.get("Error", {}) if isinstance(response, dict) else {}
    return Gap(
        account=account,
        region=region,
        scan=scan,
        error=details.get("Code") or type(error).__name__,
        message=str(error),
    )


def merge(resources: Iterable[OrphanedResource]) -> tuple[OrphanedResource, ...]:
    """Return each resource once, with every reason, the dearest first and those of unknown cost last."""
    merged: dict[tuple[str | None, str, str], OrphanedResource] = {}
    for resource in resources:
        key = (resource.account, resource.region, resource.resource_id)
        first = merged.get(key)
        if first is None:
            merged[key] = resource
        else:
            merged[key] = replace(first, reason=f"{first.reason}; {resource.reason}")
    return tuple(
        sorted(
            merged.values(),
            key=lambda resource: (
                resource.estimated_monthly_cost is None,
                -(resource.estimated_monthly_cost or 0),
                resource.resource_type,
                resource.region,
                resource.resource_id,
            ),
        )
    )
