"""Running every detector in every region of every account, and keeping what fails as a gap."""

from __future__ import annotations

import queue
import re
import threading
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from tracked_inference.cloud.extras import botocore, load_boto3
from tracked_inference.cloud.orphans.aws import Account, RegionalAws, RegionCache, client_config
from tracked_inference.cloud.orphans.model import Gap, OrphanedResource
from tracked_inference.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from tracked_inference.cloud.orphans.detectors import Detector, ScanContext

__all__ = [
    "ENGINE_ACTIONS",
    "Job",
    "check_names",
    "enabled_regions",
    "gap_of",
    "merge",
    "open_accounts",
    "open_session",
    "run_jobs",
]

# What the engine itself asks, beside the detectors: whose account this is, and which regions it has.
ENGINE_ACTIONS = frozenset({"sts:GetCallerIdentity", "ec2:DescribeRegions"})

_HOME_REGION = "us-east-1"  # where nothing else is configured: has every service, and cannot be switched off
_REGION = re.compile(r"[a-z]+(-[a-z]+)+-\d+")
_ROLE = re.compile(r"arn:[a-z-]+:iam::\d{12}:role/.+")
_BROKEN_CREDENTIALS = frozenset({"ExpiredToken", "InvalidClientTokenId", "SignatureDoesNotMatch"})


class Job(NamedTuple):
    """One detector in one region of one account."""

    account: Account
    region: str
    detector: Detector
    context: ScanContext
    cache: RegionCache


_Outcome = tuple[list[OrphanedResource], list[Gap]]


def check_names(regions: Sequence[str], role_arns: Sequence[str]) -> None:
    """Raise ConfigurationError for what can be no region or role, which would else be asked of AWS in vain."""
    for region in regions:
        if not _REGION.fullmatch(region):
            raise ConfigurationError(
                f"{region!r} is no region; one is written us-east-1, without a zone's letter"
            )
    for arn in role_arns:
        if not _ROLE.fullmatch(arn):
            raise ConfigurationError(
                f"{arn!r} is no role; one is written arn:aws:iam::111111111111:role/orphans"
            )


def open_session() -> Any:
    """
    Return boto3's own session, from the environment.

    Raises:
        ConfigurationError: There is no such profile, or AWS's configuration files cannot be read.

    """
    boto3 = load_boto3()
    try:
        return boto3.DEFAULT_SESSION or boto3.Session()
    except Exception as error:
        _refuse_without_credentials(error)
        raise


def open_accounts(
    session: Any, role_arns: Sequence[str], external_id: str | None, workers: int
) -> tuple[list[Account], list[Gap]]:
    """
    Return the accounts to scan: that of the credentials, or those of the roles.

    Raises:
        ConfigurationError: There are no credentials at all, or they are broken or have ended.

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
        exceptions.ConfigParseError,
        exceptions.SSOError,
        exceptions.TokenRetrievalError,
    )
    if isinstance(error, missing) or _code(error) in _BROKEN_CREDENTIALS:
        raise ConfigurationError(
            f"no usable AWS credentials: {error}; see `aws configure` or `aws sso login`"
        ) from error


def enabled_regions(account: Account) -> tuple[list[str], list[Gap]]:
    """Return the regions an account has enabled, or the gap of not knowing them."""
    try:
        ec2 = account.client("ec2", account.region or _HOME_REGION)
        regions = ec2.describe_regions()["Regions"]  # without AllRegions: those that are enabled; no pages
    except Exception as error:
        return [], [gap_of(error, account=account.name, region="*", scan="regions")]
    return sorted(region["RegionName"] for region in regions), []


def run_jobs(
    jobs: Sequence[Job], workers: int, on_progress: Callable[[int, int], None] | None
) -> tuple[list[OrphanedResource], list[Gap]]:
    """Run the jobs in a bounded number of threads; what comes out does not depend on their timing."""
    # No executor: it waits for its threads when the process ends, and Ctrl-C would last as long as a request that
    # hangs. Daemon threads end with the process, whatever they are waiting for.
    waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
    finished: queue.SimpleQueue[tuple[int, _Outcome | BaseException]] = queue.SimpleQueue()

    def work() -> None:
        with suppress(queue.Empty):
            while True:
                index = waiting.get_nowait()
                try:
                    finished.put((index, run_job(jobs[index])))
                except BaseException as error:  # raised again by who waits for it
                    finished.put((index, error))

    for index in range(len(jobs)):
        waiting.put(index)
    for number in range(min(workers, len(jobs))):
        threading.Thread(target=work, name=f"orphan-scan-{number}", daemon=True).start()
    outcomes: list[_Outcome] = [([], [])] * len(jobs)
    try:
        for done in range(1, len(jobs) + 1):
            index, outcome = finished.get()
            if isinstance(outcome, BaseException):
                raise outcome
            outcomes[index] = outcome
            if on_progress is not None:
                on_progress(done, len(jobs))
    finally:  # after Ctrl-C: do not start what has not begun
        with suppress(queue.Empty):
            while True:
                waiting.get_nowait()
    found = [resource for resources, _ in outcomes for resource in resources]
    return found, [gap for _, gaps in outcomes for gap in gaps]


def run_job(job: Job) -> _Outcome:
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
    return Gap(
        account=account,
        region=region,
        scan=scan,
        error=_code(error) or type(error).__name__,
        message=str(error),
    )


def _code(error: Exception) -> str | None:
    """Return AWS's own code of an error, if it is one of AWS's."""
    response = getattr(error, "response", None)
    return response.get("Error", {}).get("Code") if isinstance(response, dict) else None


def merge(resources: Iterable[OrphanedResource]) -> tuple[OrphanedResource, ...]:
    """Return each resource once, with every reason, the dearest first and those of unknown cost last."""
    merged: dict[tuple[str | None, str, str], OrphanedResource] = {}
    for resource in resources:
        key = (resource.account, resource.region, resource.resource_id)
        first = merged.get(key)
        if first is None:
            merged[key] = resource
        elif resource.reason not in first.reason:  # two roles of one account find the same
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
