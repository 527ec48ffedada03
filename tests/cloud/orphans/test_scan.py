"""Whole scans, real boto3 against moto."""

from __future__ import annotations

import io
import re
import threading
from decimal import Decimal
from urllib.parse import parse_qs

import boto3
import botocore.endpoint
import pytest
import structlog
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ClientError
from botocore.stub import Stubber
from moto import mock_aws

from tests.cloud.orphans.estate import NOW, Estate, days_ago
from tracked_inference.cloud import OrphanedResource, OrphanedResourceScanner, PriceBook, Thresholds
from tracked_inference.cloud.orphans.aws import Account, RegionalAws, RegionCache
from tracked_inference.cloud.orphans.detectors import DETECTORS, Detector, ScanContext
from tracked_inference.cloud.orphans.engine import Job, merge, run_jobs
from tracked_inference.cloud.orphans.errors import UndeclaredActionError
from tracked_inference.errors import ConfigurationError


def scanner(*regions, **more):
    return OrphanedResourceScanner(list(regions) or ["us-east-1"], clock=lambda: NOW, **more)


def by_id(resources):
    return {resource.resource_id: resource for resource in resources}


@mock_aws
def test_everything_orphaned_is_found_and_nothing_else():
    """One of each kind is found, with what it costs; what is in use is not."""
    estate = Estate().everything()

    report = scanner().scan()

    found = by_id(report.resources)
    wanted = ["loose", "address", "old", "no-listener", "no-target", "idle", "running", "stopped"]
    assert {name for name, key in estate.ids.items() if key in found} == set(wanted)
    assert len(found) == len(wanted)
    assert report.gaps == ()
    costs = {name: found[estate.ids[name]].monthly_cost_usd for name in wanted}
    assert costs == {
        "loose": Decimal("8.0"),  # 100 GiB gp3 x 0.08
        "address": Decimal("3.65"),  # 730 x 0.005
        "old": Decimal("5.0"),  # 100 GiB x 0.05
        "no-listener": Decimal("16.425"),  # 730 x 0.0225
        "no-target": Decimal("16.425"),
        "idle": Decimal("16.425"),
        "running": Decimal("8.392"),  # 730 x 0.0104 and 8 GiB gp2 x 0.10
        "stopped": Decimal("0.8"),  # 8 GiB gp2 x 0.10
    }
    assert report.total_monthly_usd == Decimal("75.117")
    assert report.by_team() == {"documents": (Decimal("71.467"), 7), "untagged": (Decimal("3.65"), 1)}


@mock_aws
def test_a_balancer_found_twice_is_one_finding_with_both_reasons():
    """A balancer without a listener is idle too: it is counted once."""
    estate = Estate()
    estate.balancer("no-listener")

    (found,) = scanner().scan_all()

    assert found.reason == "Load balancer has no listener; Zero requests in past 14 days"
    assert found.tags == {"team": "documents"}


@mock_aws
def test_redirecting_balancers_have_no_targets_by_design():
    """A balancer that only redirects is found when it is silent, and not when it redirects."""
    estate = Estate()
    for name in ("silent", "redirecting"):
        estate.redirect(estate.balancer(name))
    estate.traffic(estate.ids["redirecting"], "HTTP_Redirect_Count", 3)

    assert scanner().scan_load_balancers_without_targets("us-east-1") == []
    assert [r.resource_id for r in scanner().scan_idle_load_balancers("us-east-1")] == [estate.ids["silent"]]


@mock_aws
def test_idle_is_judged_within_the_window():
    """Traffic before the window does not count; a balancer younger than the window is not judged."""
    estate = Estate()
    for name, age in (("old-traffic", 60), ("young", 13), ("exact", 14)):
        estate.forward(estate.balancer(name, age=age), estate.group(name, target="10.0.0.1"))
    estate.traffic(estate.ids["old-traffic"], "RequestCount", 100, age=20)

    idle = {r.resource_id for r in scanner().scan_idle_load_balancers("us-east-1")}

    assert idle == {estate.ids["old-traffic"], estate.ids["exact"]}


@mock_aws
def test_network_balancers_are_judged_by_their_flows():
    """NewFlowCount keeps a network balancer; without it the balancer is idle."""
    estate = Estate()
    for name in ("quiet", "busy"):
        estate.forward(
            estate.balancer(name, kind="network"),
            estate.group(name, target="10.0.0.1", protocol="TCP"),
            "TCP",
        )
    estate.traffic(estate.ids["busy"], "NewFlowCount", 1, namespace="AWS/NetworkELB")

    (found,) = scanner().scan_idle_load_balancers("us-east-1")

    assert (found.resource_id, found.resource_type) == (estate.ids["quiet"], "network_load_balancer")


@mock_aws
def test_more_balancers_than_a_metric_call_takes():
    """171 balancers are 513 queries: two calls, and each balancer gets its own answer."""
    estate = Estate()
    arns = [estate.balancer(f"lb-{number}") for number in range(171)]
    estate.traffic(arns[0], "RequestCount", 1)
    estate.traffic(arns[170], "RequestCount", 1)

    idle = {r.resource_id for r in scanner().scan_idle_load_balancers("us-east-1")}

    assert idle == set(arns[1:170])


@mock_aws
def test_a_disabled_image_keeps_its_snapshot():
    """Disabled images are asked for, so that what they need does not look unused."""
    requests = []
    session = boto3.Session()
    session.events.register(
        "provide-client-params.ec2.DescribeImages", lambda params, **_: requests.append(params) or None
    )
    estate = Estate(session=session)
    estate.image("image", estate.snapshot("imaged", estate.volume("v")))
    estate.ec2.disable_image(ImageId=estate.ids["image"])

    found = scanner(session=session).scan_old_snapshots("us-east-1")

    assert [(asked["IncludeDisabled"], asked["IncludeDeprecated"]) for asked in requests] == [(True, True)]
    assert [r.resource_id for r in found if r.resource_id == estate.ids["imaged"]] == []


@mock_aws
def test_every_version_of_a_launch_template_counts():
    """A group may be pinned to an old version, neither the latest nor the default."""
    estate = Estate()
    volume = estate.volume("v")

    def device(snapshot):
        return {"BlockDeviceMappings": [{"DeviceName": "/dev/sda1", "Ebs": {"SnapshotId": snapshot}}]}

    snapshots = [estate.snapshot(f"s{number}", volume) for number in range(4)]
    estate.ec2.create_launch_template(LaunchTemplateName="template", LaunchTemplateData=device(snapshots[0]))
    for snapshot in snapshots[1:3]:
        estate.ec2.create_launch_template_version(
            LaunchTemplateName="template", LaunchTemplateData=device(snapshot)
        )

    found = scanner().scan_old_snapshots("us-east-1")

    assert [r.resource_id for r in found] == [snapshots[3]]


@mock_aws
def test_the_completed_event_has_the_articles_numbers():
    """orphan.scan.completed says how many, how much a month and how much a year."""
    estate = Estate()
    estate.volume("a", size=100)
    estate.volume("b", size=33)

    with structlog.testing.capture_logs() as logs:
        found = scanner().scan_all()

    assert [r.resource_id for r in found] == [estate.ids["a"], estate.ids["b"]]
    (event,) = [entry for entry in logs if entry["event"] == "orphan.scan.completed"]
    assert event["orphaned_resource_count"] == 2
    assert event["estimated_monthly_waste_usd"] == 10.64  # 133 x 0.08
    assert event["estimated_annual_waste_usd"] == 127.68
    assert event["gap_count"] == 0


@mock_aws
def test_without_regions_every_enabled_one_is_scanned():
    """The regions are the account's own."""
    Estate(region="eu-west-1").volume("far")
    enabled = {entry["RegionName"] for entry in boto3.client("ec2").describe_regions()["Regions"]}

    report = OrphanedResourceScanner(clock=lambda: NOW, only=["unattached-volumes"]).scan()

    assert set(report.regions) == enabled
    assert [resource.region for resource in report.resources] == ["eu-west-1"]


@pytest.mark.parametrize("regions", ["us-east-1", ["us-east-1", 3]], ids=str)
def test_regions_are_a_list_of_names(regions):
    """One name alone would be scanned letter by letter."""
    with pytest.raises(ConfigurationError, match="must be a list of names"):
        OrphanedResourceScanner(regions)


@mock_aws
def test_unknown_costs_come_last():
    """A region without rates has unknown costs, after every known one, and out of the sum."""
    Estate().volume("cheap", size=1)
    Estate(region="af-south-1").balancer("unpriced")

    report = scanner("af-south-1", "us-east-1", only=["unattached-volumes", "idle-load-balancers"]).scan()

    assert [r.estimated_monthly_cost for r in report.resources] == [0.08, None]
    assert (report.total_monthly_usd, report.unknown_cost_count) == (Decimal("0.08"), 1)


def test_sorting_is_by_cost_then_by_name():
    """The dearest first, equal ones in a fixed order, unknown ones last."""

    def make(key, cost):
        return OrphanedResource(key, "ebs_volume", "r", cost, 1, "why")

    merged = merge([make("d", None), make("b", 1.0), make("c", 2.0), make("a", 1.0)])

    assert [r.resource_id for r in merged] == ["c", "a", "b", "d"]


@mock_aws
def test_two_roles_of_one_account_find_everything_once():
    """The account, the resource and its reason are not repeated."""
    Estate().volume("here")
    roles = [f"arn:aws:iam::123456789012:role/{name}" for name in ("first", "second")]

    report = scanner(role_arns=roles, only=["unattached-volumes"]).scan()

    assert report.accounts == ("123456789012",)
    assert [resource.reason for resource in report.resources] == ["Volume unattached, created 30 days ago"]


def test_an_unknown_detector_is_refused():
    """A misspelt name is bad input, not a scan of nothing."""
    with pytest.raises(ConfigurationError, match="no detector 'volumes'"):
        OrphanedResourceScanner([], only=["volumes"])


def test_without_credentials_there_is_no_scan(monkeypatch):
    """No credentials at all is bad input and not a report full of gaps."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)

    with pytest.raises(ConfigurationError, match="no usable AWS credentials"):
        scanner().scan()


@pytest.mark.parametrize(
    ("config", "profile", "said"),
    [
        ("", "nobody", "could not be found"),
        ("[profile x", "x", "parse config file"),
        (("[profile x]\nsso_start_url = https://example.awsapps.com/start\nsso_region = us-east-1\n"
         "sso_account_id = 111111111111\nsso_role_name = reader\n"), "x", "SSO Token"),
    ],
    ids=["no such profile", "broken file", "not logged in"],
)  # fmt: skip
def test_credentials_that_cannot_be_used_are_bad_input(monkeypatch, tmp_path, config, profile, said):
    """A profile that is not there, a file that cannot be read, a login that has ended: said, with what to do."""
    (tmp_path / "config").write_text(config)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_PROFILE", profile)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)

    with pytest.raises(ConfigurationError, match=f"no usable AWS credentials.*{said}.*aws sso login"):
        scanner().scan()


@mock_aws
def test_credentials_that_have_ended_are_bad_input():
    """AWS refuses to say whose they are: no report full of gaps."""
    session = boto3.Session()

    def refuse(**_):
        raise ClientError({"Error": {"Code": "ExpiredToken", "Message": "it is over"}}, "GetCallerIdentity")

    session.events.register("provide-client-params.sts.GetCallerIdentity", refuse)

    with pytest.raises(ConfigurationError, match="ExpiredToken"):
        scanner(session=session).scan()


@pytest.mark.parametrize("region", ["us-east-1a", "", "all", "us-east-1 "])
def test_what_can_be_no_region_is_refused(region):
    """Before anything is asked of AWS."""
    with pytest.raises(ConfigurationError, match="is no region"):
        scanner(region)


@pytest.mark.parametrize(
    "arn", ["orphans", "arn:aws:iam::1111:role/orphans", "arn:aws:iam::111111111111:user/x"]
)
def test_what_can_be_no_role_is_refused(arn):
    """Before anything is asked of AWS."""
    with pytest.raises(ConfigurationError, match="is no role"):
        scanner(role_arns=[arn])


@mock_aws
def test_the_regions_are_asked_for_where_the_session_is_configured(monkeypatch):
    """An organization may deny us-east-1, and another partition has none."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    session = boto3.Session()
    asked = []
    session.events.register(
        "before-call.ec2.DescribeRegions", lambda params, **_: asked.append(params["url"])
    )

    OrphanedResourceScanner(session=session, only=["unattached-volumes"]).scan()

    assert asked == ["https://ec2.eu-west-1.amazonaws.com/"]


@mock_aws
def test_ctrl_c_does_not_wait_for_what_hangs():
    """A request can take minutes to fail: an interrupted scan leaves it behind, and starts nothing more."""
    released, ended = threading.Event(), []

    def hang(aws, context):
        released.wait(30)
        ended.append(True)
        yield from ()

    quick, slow = (
        Detector("quick", frozenset(), lambda aws, context: iter(())),
        Detector("slow", frozenset(), hang),
    )

    def interrupt(done, total):
        raise KeyboardInterrupt

    context = ScanContext("us-east-1", None, NOW, PriceBook.bundled(), Thresholds())
    account = Account(boto3.Session(), None, 2)
    jobs = [Job(account, "us-east-1", each, context, RegionCache()) for each in (slow, quick, slow, slow)]

    try:
        with pytest.raises(KeyboardInterrupt):
            run_jobs(jobs, 2, interrupt)

        assert ended == []
        assert all(thread.daemon for thread in threading.enumerate() if thread.name.startswith("orphan-scan"))
    finally:
        released.set()


@mock_aws
def test_several_accounts_by_role():
    """Each role is an account of its own; one that cannot be taken is a gap, the others are scanned."""
    Estate().volume("here")
    role = "arn:aws:iam::222222222222:role/orphans"
    other = boto3.client("sts").assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
    session = boto3.Session(other["AccessKeyId"], other["SecretAccessKey"], other["SessionToken"])
    Estate(session=session, account="222222222222").volume("there", size=20)
    mine = boto3.Session()

    def refuse(params, **_):
        if "333333333333" in str(params):
            raise RuntimeError("AccessDenied: not yours")

    mine.events.register("provide-client-params.sts.AssumeRole", refuse)

    report = scanner(
        role_arns=[role, "arn:aws:iam::333333333333:role/orphans", "arn:aws:iam::123456789012:role/orphans"],
        external_id="secret", session=mine, only=["unattached-volumes"],
    ).scan()  # fmt: skip

    assert [(r.account, r.estimated_monthly_cost) for r in report.resources] == [
        ("222222222222", 1.6),
        ("123456789012", 0.8),
    ]
    assert [(gap.account, gap.region, gap.scan) for gap in report.gaps] == [
        ("arn:aws:iam::333333333333:role/orphans", "*", "account")
    ]


# 2,000 volumes over many pages, throttled, and one region denied


def volumes_xml(region, first, last, token):
    entries = "".join(
        f"<item><volumeId>vol-{region}-{number:05d}</volumeId><size>{10 if region == 'us-east-1' else 5}</size>"
        f"<status>available</status><createTime>{(days_ago(3 if number % 100 == 0 else 40)).isoformat()}</createTime>"
        f"<volumeType>{'gp3' if region == 'us-east-1' else 'gp2'}</volumeType>"
        f"<tagSet><item><key>team</key><value>{'search' if number % 2 else 'documents'}</value></item></tagSet></item>"
        for number in range(first, last)
    )
    more = f"<nextToken>{token}</nextToken>" if token else ""
    return f'<DescribeVolumesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><volumeSet>{entries}</volumeSet>{more}</DescribeVolumesResponse>'


def error_xml(code, message):
    return f"<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors><RequestID>r</RequestID></Response>"


class Raw(io.BytesIO):
    def stream(self, **_):
        yield self.read()


class BigEstate:
    """Answers DescribeVolumes on the wire: 100 volumes a page, every fifth request throttled once, one region denied."""

    counts = {"us-east-1": 1200, "eu-west-1": 800}

    def __init__(self):
        self.pages = 0
        self.throttled = 0
        self._lock = threading.Lock()

    def __call__(self, request, **_):
        region = re.search(r"ec2\.([a-z0-9-]+)\.amazonaws", request.url)[1]
        body = parse_qs(request.body if isinstance(request.body, str) else request.body.decode())
        first = int(body.get("NextToken", ["0"])[0])
        assert int(body["MaxResults"][0]) == 500  # a page size is asked for
        if region == "ap-southeast-2":
            return self._respond(request, 403, error_xml("UnauthorizedOperation", "You are not authorized"))
        with self._lock:
            if self.pages + self.throttled in {0, 7}:
                self.throttled += 1
                return self._respond(
                    request, 503, error_xml("RequestLimitExceeded", "Request limit exceeded.")
                )
            self.pages += 1
        last = first + 100
        token = str(last) if last < self.counts[region] else ""
        return self._respond(request, 200, volumes_xml(region, first, last, token))

    def _respond(self, request, status, text):
        return AWSResponse(request.url, status, {"content-type": "text/xml"}, Raw(text.encode()))


@mock_aws
def test_two_thousand_volumes_over_many_pages_with_throttling_and_a_denied_region(monkeypatch):
    """The report is complete but for the denied region, sorted, and its sums are those by hand."""
    monkeypatch.setattr(botocore.endpoint.time, "sleep", lambda seconds: None)
    big = BigEstate()
    session = boto3.Session()
    session.events.register_first("before-send.ec2.DescribeVolumes", big)

    report = scanner(
        "us-east-1", "eu-west-1", "ap-southeast-2", session=session, only=["unattached-volumes"]
    ).scan()

    assert (big.pages, big.throttled) == (20, 2)
    # Every hundredth is three days old: 1,188 of 10 GiB gp3 at 0.08, and 792 of 5 GiB gp2 at 0.11 in Ireland.
    assert len(report.resources) == 1188 + 792
    assert report.total_monthly_usd == 1188 * Decimal("0.80") + 792 * Decimal("0.55") == Decimal("1386.00")
    costs = [resource.estimated_monthly_cost for resource in report.resources]
    assert costs == sorted(costs, reverse=True)
    assert report.by_team() == {
        # Odd numbers are search's: half of each region, and the young ones are all even.
        "search": (600 * Decimal("0.80") + 400 * Decimal("0.55"), 1000),
        "documents": (588 * Decimal("0.80") + 392 * Decimal("0.55"), 980),
    }
    assert [(gap.region, gap.scan, gap.error) for gap in report.gaps] == [
        ("ap-southeast-2", "unattached-volumes", "UnauthorizedOperation")
    ]


@mock_aws
def test_throttling_that_does_not_end_is_a_gap_and_what_was_seen_before_counts():
    """Stubbed to throttle on the second of two regions: the first is reported, the second is a gap."""
    session = boto3.Session()
    Estate(session=session).volume("seen")
    real = session.client

    def client(service, **more):
        made = real(service, **more)
        if service == "ec2" and more.get("region_name") == "eu-west-1":
            stub = Stubber(made)
            stub.add_client_error("describe_volumes", "RequestLimitExceeded", "Request limit exceeded.", 503)
            stub.activate()
        return made

    session.client = client

    report = scanner("us-east-1", "eu-west-1", session=session, only=["unattached-volumes"]).scan()

    assert [r.region for r in report.resources] == ["us-east-1"]
    assert [(gap.region, gap.error) for gap in report.gaps] == [("eu-west-1", "RequestLimitExceeded")]


@mock_aws
def test_a_fault_of_ours_is_a_gap_too():
    """A detector that breaks half-way leaves a gap; what it found before stands."""

    def broken(aws, context):
        yield OrphanedResource("a", "ebs_volume", context.region, 1.0, 1, "why")
        raise KeyError("Size")

    subject = scanner()
    subject._detectors = (Detector("broken", frozenset(), broken), *DETECTORS[:1])

    report = subject.scan()

    assert [r.resource_id for r in report.resources] == ["a"]
    assert [(gap.scan, gap.error) for gap in report.gaps] == [("broken", "KeyError")]


@mock_aws
def test_the_regions_not_being_known_is_a_gap():
    """When the account's regions cannot be listed, nothing is claimed."""
    session = boto3.Session()

    def refuse(**_):
        raise RuntimeError("no")

    session.events.register("provide-client-params.ec2.DescribeRegions", refuse)

    report = OrphanedResourceScanner(session=session).scan()

    assert (report.resources, [gap.scan for gap in report.gaps]) == ((), ["regions"])


@mock_aws
def test_undeclared_operations_are_refused_before_they_are_sent():
    """A detector can ask for what it declared alone, and never for what is not read-only."""
    account = Account(boto3.Session(), None, 1)
    aws = RegionalAws(account, "us-east-1", {"ec2:DescribeVolumes", "ec2:DeleteVolume"}, RegionCache())

    assert aws.pages("ec2", "describe_volumes", "Volumes") == []
    with pytest.raises(UndeclaredActionError):
        aws.pages("ec2", "describe_addresses", "Addresses")
    with pytest.raises(UndeclaredActionError):
        aws.pages("ec2", "delete_volume", "x", VolumeId="vol-1")


@mock_aws
def test_two_detectors_ask_aws_once():
    """What one detector has read in a region is not read again."""
    calls = []
    session = boto3.Session()
    session.events.register(
        "before-call.elastic-load-balancing-v2.DescribeLoadBalancers", lambda **more: calls.append(1)
    )
    Estate().balancer("x")

    scanner(session=session).scan()

    assert len(calls) == 1


@mock_aws
def test_progress_is_told():
    """Each finished step is told, up to all of them."""
    told = []

    scanner("us-east-1", "eu-west-1").scan(lambda done, total: told.append((done, total)))

    assert told == [(number, 12) for number in range(1, 13)]
