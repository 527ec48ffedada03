"""Exemptions and baselines."""

from __future__ import annotations

import json
from datetime import date

import pytest

from tracked_inference.cloud.check.engine import check_resources
from tracked_inference.cloud.check.exemptions import read_baseline, read_exemptions, write_baseline
from tracked_inference.cloud.check.resources import TaggedResource, UnreadableFileError

TODAY = date(2026, 11, 23)


def resource(address="aws_instance.web[0]", **tags):
    return TaggedResource(
        address, "aws_instance", "plan.json", None, "terraform", tags, lambda tags: f"tags = {tags}"
    )


GOOD = {
    "team": "a",
    "service": "b",
    "environment": "staging",
    "component": "c",
    "cost_center": "d",
    "created_by": "e",
}


def exemptions(tmp_path, text):
    path = tmp_path / "exemptions.yaml"
    path.write_text(text)
    return read_exemptions(path)


def test_an_exemption_holds_through_its_last_day(tmp_path):
    """Until the end of its last day the findings it covers do not fail, and carry its reason."""
    given = exemptions(
        tmp_path, "exemptions:\n- {address: 'aws_instance.web[0]', reason: moving, expires: 2026-11-23}\n"
    )

    report = check_resources([resource()], today=TODAY, exemptions=given)

    assert (report.count("exempt"), report.failures(strict=True)) == (6, ())
    assert {f.reason for f in report.findings} == {"moving"}


def test_an_expired_exemption_fails_even_when_nothing_is_wrong(tmp_path):
    """The day after, the exemption itself is a violation, and no longer covers anything."""
    given = exemptions(
        tmp_path, "exemptions:\n- {address: 'aws_*', keys: [team], reason: moving, expires: 2026-11-22}\n"
    )

    clean = check_resources([resource(**GOOD)], today=TODAY, exemptions=given)
    faulty = check_resources([resource(**{**GOOD, "team": ""})], today=TODAY, exemptions=given)

    assert [(f.kind, f.status) for f in clean.findings] == [("expired", "violation")]
    assert sorted(f.kind for f in faulty.failures()) == ["expired", "missing"]


def test_an_expired_exemption_does_not_hide_one_that_holds(tmp_path):
    """Of two that cover a finding the one that holds counts, and is not said to be unused."""
    given = exemptions(
        tmp_path,
        "exemptions:\n- {address: 'aws_*', reason: old, expires: 2026-11-22}\n"
        "- {address: 'aws_instance.*', reason: new, expires: 2027-01-31}\n",
    )

    report = check_resources([resource()], today=TODAY, exemptions=given)

    assert [f.kind for f in report.failures()] == ["expired"]
    assert (report.count("exempt"), report.unused_exemptions) == (6, ())


def test_an_exemption_is_for_its_keys_and_addresses_alone(tmp_path):
    """Other keys and other resources still fail; brackets in an address mean themselves."""
    given = exemptions(
        tmp_path,
        "exemptions:\n- {address: 'aws_instance.web[0]', keys: [team], reason: x, expires: 2027-01-31}\n"
        "- {address: 'gone.*', reason: x, expires: '2027-01-31'}\n",
    )

    report = check_resources(
        [resource(service="s"), resource("aws_instance.web0", **{**GOOD, "team": ""})],
        today=TODAY,
        exemptions=given,
    )

    assert [(f.resource.address, f.key) for f in report.findings if f.status == "exempt"] == [
        ("aws_instance.web[0]", "team")
    ]
    assert ("aws_instance.web0", "team") in [(f.resource.address, f.key) for f in report.failures()]
    assert report.unused_exemptions == ("gone.*",)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[]", "under the key 'exemptions'"),
        ("", "under the key 'exemptions'"),
        ("exemptions:\n- {reason: x, expires: 2027-01-01}", ":2: an exemption needs 'address'"),
        ("exemptions:\n- {address: x, expires: 2027-01-01}", "needs 'reason'"),
        ("exemptions:\n- {address: x, reason: ' ', expires: 2027-01-01}", "needs 'reason'"),
        ("exemptions:\n- {address: x, reason: y}", "needs 'expires'"),
        ("exemptions:\n- {address: x, reason: y, expires: never}", "needs 'expires'"),
        ("exemptions:\n- {address: x, reason: y, expires: 2027-01-01, keys: [owner]}", "'keys' is a list"),
        ("exemptions:\n- {address: x, reason: y, expires: 2027-01-01, until: x}", "unknown key 'until'"),
        ("exemptions:\n- x", "is a mapping"),
    ],
)  # fmt: skip
def test_bad_exemptions_say_what_is_wrong(tmp_path, text, said):
    """A reason and an end are not optional."""
    with pytest.raises(UnreadableFileError) as raised:
        exemptions(tmp_path, text)

    assert said in str(raised.value)


def test_with_a_baseline_only_what_is_new_fails(tmp_path):
    """An old estate passes as it is; one fault more fails; a mended one is told."""
    path = tmp_path / "baseline.json"
    old = check_resources([resource(service="s")], today=TODAY)
    assert write_baseline(path, old) == 5

    same = check_resources([resource(service="s")], today=TODAY, baseline=read_baseline(path))
    worse = check_resources(
        [resource(), resource("aws_instance.new")], today=TODAY, baseline=read_baseline(path)
    )
    better = check_resources([resource(**GOOD)], today=TODAY, baseline=read_baseline(path))

    assert (same.failures(), same.count("baseline")) == ((), 5)
    assert len(worse.failures()) == 7  # service of the old one, six of the new one
    assert len(better.mended_baseline) == 5


def test_a_missing_key_in_the_baseline_does_not_excuse_an_illegal_value(tmp_path):
    """Known as missing is not known as illegal."""
    path = tmp_path / "baseline.json"
    write_baseline(path, check_resources([resource()], today=TODAY))

    report = check_resources([resource(team="No Slug")], today=TODAY, baseline=read_baseline(path))

    assert [(f.key, f.kind) for f in report.failures()] == [("team", "illegal")]


@pytest.mark.parametrize("text", ["{", "[]", '{"known": [1]}'])
def test_a_bad_baseline_is_bad_input(tmp_path, text):
    """A file that is no baseline is named."""
    path = tmp_path / "baseline.json"
    path.write_text(text)

    with pytest.raises(UnreadableFileError, match="baseline"):
        read_baseline(path)


def test_the_baseline_is_stable_text(tmp_path):
    """The same findings write the same file, so that it can be reviewed."""
    first, second = tmp_path / "a", tmp_path / "b"
    write_baseline(first, check_resources([resource(), resource("aws_instance.b")], today=TODAY))
    write_baseline(second, check_resources([resource("aws_instance.b"), resource()], today=TODAY))

    assert first.read_text() == second.read_text()
    assert json.loads(first.read_text())["version"] == 1
