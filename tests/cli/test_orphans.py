"""The command `orphans`, against moto as a server."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterator  # noqa: TC003  # beside what must run before moto is imported
from datetime import UTC, datetime, timedelta

import pytest

os.environ["MOTO_EC2_LOAD_DEFAULT_AMIS"] = "false"  # moto reads it when it is imported
pytest.importorskip("click", reason="click is not installed: pip install 'tracked-inference[cli]'")
pytest.importorskip("flask", reason="moto's server is not installed: group test")

import boto3
from click.testing import CliRunner
from moto.core import DEFAULT_ACCOUNT_ID
from moto.ec2.models import ec2_backends
from moto.server import ThreadedMotoServer

from tracked_inference.cli.orphans import command


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto.start()
    host, port = moto.get_host_and_port()
    yield f"http://{host}:{port}"
    moto.stop()


@pytest.fixture
def aws(server, monkeypatch):
    """An empty account behind the server, and the credentials for it."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ENDPOINT_URL", server)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    yield server
    boto3.DEFAULT_SESSION = None
    ec2_backends.reset()


def volume(size, region="us-east-1", team="documents"):
    made = boto3.Session().client("ec2", region_name=region).create_volume(
        AvailabilityZone=f"{region}a", Size=size, VolumeType="gp3",
        TagSpecifications=[{"ResourceType": "volume", "Tags": [{"Key": "team", "Value": team}]}],
    )["VolumeId"]  # fmt: skip
    backend = ec2_backends[DEFAULT_ACCOUNT_ID][region]
    backend.volumes[made].create_time = datetime.now(UTC) - timedelta(days=30)
    return made


def run(*arguments):
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


def scan(*arguments):
    return run("scan", "--region", "us-east-1", "--only", "unattached-volumes", *arguments)


def test_a_scan_prints_the_dearest_first_with_totals(aws):
    """Sorted by cost, a subtotal for each team, the sum a month and a year; exit 0."""
    small, large = volume(10), volume(100, team="search")

    result = scan()

    assert result.exit_code == 0, result.output
    assert result.stdout.index(large) < result.stdout.index(small)
    assert "2 resources, $8.80 a month, $105.60 a year" in result.stdout
    assert "search" in result.stdout


def test_nothing_is_cut_off(aws):
    """Names are folded: one that is cut off could not be looked up."""
    made = volume(10, team="t" * 200)

    result = scan()

    assert made in result.stdout
    assert "\N{HORIZONTAL ELLIPSIS}" not in result.stdout


def test_formats_for_machines(aws):
    """JSON and CSV on standard output are nothing but that."""
    made = volume(100)

    document = json.loads(scan("--format", "json").stdout)
    rows = list(csv.DictReader(io.StringIO(scan("--format", "csv").stdout)))

    assert document["complete"] is True
    assert document["estimated_monthly_waste_usd"] == "8.0"
    assert [row["resource_id"] for row in rows] == [made]
    assert made in scan("--format", "markdown").stdout


def test_fail_over(aws):
    """Above the limit exits 1 and says so; at the limit does not."""
    volume(100)

    assert scan("--fail-over", "8.00").exit_code == 0
    over = scan("--fail-over", "7.99")
    assert over.exit_code == 1
    assert "8.00 > 7.99" in over.stderr


def test_a_gap_exits_3_whatever_the_cost(aws, monkeypatch):
    """A region that cannot be read: exit 3, the gap on standard error, what was seen on standard output."""
    made = volume(100)
    # The server of the second region does not answer.
    real = boto3.Session.client

    def client(self, service, **more):
        if more.get("region_name") == "eu-west-1":
            more["endpoint_url"] = "http://127.0.0.1:9"
        return real(self, service, **more)

    monkeypatch.setattr(boto3.Session, "client", client)
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda seconds: None)

    result = scan("--region", "eu-west-1", "--fail-over", "1")

    assert result.exit_code == 3
    assert made in result.stdout
    assert "eu-west-1 unattached-volumes: EndpointConnectionError" in result.stderr


def test_prices_of_ones_own_and_metrics(aws, tmp_path):
    """--prices changes the cost, --textfile writes it as metrics."""
    volume(100)
    prices = tmp_path / "prices.json"
    prices.write_text('{"regions": {"us-east-1": {"ebs_gib_month": {"gp3": "0.05"}}}}')
    metrics = tmp_path / "orphans.prom"

    result = scan("--prices", prices, "--textfile", metrics)

    assert "$5.00 a month" in result.stdout
    assert (
        'cloud_orphaned_resource_monthly_cost_usd{kind="ebs_volume",region="us-east-1",team="documents"} 5.0'
        in metrics.read_text()
    )


def test_a_metrics_file_that_cannot_be_written_costs_no_report(aws, tmp_path):
    """Exit 2, after what the scan has found."""
    made = volume(100)

    result = scan("--textfile", tmp_path / "none" / "orphans.prom")

    assert result.exit_code == 2
    assert "cannot be written" in result.stderr
    assert made in result.stdout


def test_nothing_found_is_said(aws):
    """An account without orphans: exit 0 and a sum of nothing."""
    result = scan()

    assert result.exit_code == 0
    assert "0 resources, $0.00 a month" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["scan", "--only", "volumes"], "no detector 'volumes'"),
        (["scan", "--fail-over", "much"], "is no sum of US dollars"),
        (["scan", "--prices", "none.json"], "none.json: cannot be read"),
        (["scan", "--textfile", "metrics.txt"], "ending in .prom"),
        (["scan", "--region", "us-east-1a"], "'us-east-1a' is no region"),
        (["scan", "--role-arn", "orphans"], "'orphans' is no role"),
        (["scan", "--live-prices"], "needs --region"),
        (["policy", "--only", "x"], "no detector 'x'"),
        (["policy", "--role-arn", "orphans"], "'orphans' is no role"),
        (["prices", "--region", "xx-north-9"], "no rates for 'xx-north-9'"),
    ],
)
def test_bad_input_exits_2(aws, arguments, said):
    """What cannot be used is named, without a traceback."""
    result = run(*arguments)

    assert result.exit_code == 2
    assert said in result.output


def test_without_credentials(aws, monkeypatch):
    """No credentials: exit 2 and what to do."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")

    result = scan()

    assert result.exit_code == 2
    assert "no usable AWS credentials" in result.output


def test_the_policy_and_the_prices_are_printed():
    """Both are documents to be used as they are."""
    policy = json.loads(run("policy").stdout)
    prices = json.loads(run("prices", "--region", "eu-west-2").stdout)

    assert policy["Statement"][0]["Resource"] == "*"
    assert "ec2:DescribeVolumes" in policy["Statement"][0]["Action"]
    assert prices["regions"]["eu-west-2"]["snapshot_gib_month"]["standard"] == "0.053"
    assert prices["version"] == "2026-10-15"
