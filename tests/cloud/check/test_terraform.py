"""Terraform plans."""

from __future__ import annotations

import json
from datetime import date

import pytest

from tracked_inference.cloud.check import check_resources, read_resources
from tracked_inference.cloud.check.resources import UnreadableFileError

TODAY = date(2026, 11, 23)
GOOD = {
    "team": "documents", "service": "summariser", "environment": "production",
    "component": "api", "cost_center": "cc-42", "created_by": "alice@example.com",
}  # fmt: skip


def change(
    address, after, *, unknown=None, sensitive=None, actions=("create",), kind="aws_instance", mode="managed"
):
    return {
        "address": address, "mode": mode, "type": kind, "name": address.rpartition(".")[2],
        "provider_name": "registry.terraform.io/hashicorp/aws",
        "change": {"actions": list(actions), "before": None, "after": after,
                   "after_unknown": unknown or {}, "after_sensitive": sensitive or {}},
    }  # fmt: skip


@pytest.fixture
def run(tmp_path):
    def run(*changes, configuration=None, include_unchanged=False, **plan):
        document = {"format_version": "1.2", "resource_changes": list(changes), **plan}
        if configuration is not None:
            document["configuration"] = configuration
        path = tmp_path / "plan.json"
        path.write_text(json.dumps(document))
        return check_resources(read_resources(path, include_unchanged=include_unchanged), today=TODAY)

    return run


def faults(report):
    return [(f.resource.address, f.key, f.kind, f.status) for f in report.findings]


def test_a_tagged_resource_is_clean(run):
    """tags_all with everything in it has no findings."""
    report = run(change("aws_instance.web", {"tags": GOOD, "tags_all": GOOD}))

    assert (report.findings, report.resources_checked) == ((), 1)


def test_default_tags_count(run):
    """What the provider adds is in tags_all: a resource with one tag of its own is clean."""
    report = run(change("aws_instance.web", {"tags": {"Name": "web"}, "tags_all": {"Name": "web", **GOOD}}))

    assert report.findings == ()


def test_what_is_missing_is_said_in_terraforms_syntax(run):
    """Each missing key is one violation that says what to add."""
    tags = {key: value for key, value in GOOD.items() if key not in {"team", "environment"}}

    report = run(change("aws_instance.web", {"tags": tags, "tags_all": tags}))

    assert faults(report) == [
        ("aws_instance.web", "team", "missing", "violation"),
        ("aws_instance.web", "environment", "missing", "violation"),
    ]
    assert [f.remedy for f in report.findings] == [
        'tags = { team = "<team>" }',
        'tags = { environment = "<production|staging|development>" }',
    ]


def test_a_near_miss_carries_the_right_value_in_its_remedy(run):
    """A value that is nearly right is answered with the right one."""
    tags = {**GOOD, "environment": "prodution"}

    report = run(change("aws_instance.web", {"tags_all": tags}))

    (finding,) = report.findings
    assert finding.remedy == 'tags = { environment = "production" }'


@pytest.mark.parametrize("actions", [["no-op"], ["delete"], ["read"], ["forget"]])
def test_what_is_not_made_or_changed_is_skipped(run, actions):
    """No-ops and deletions are no business of this change."""
    after = None if actions == ["delete"] else {"tags": {}, "tags_all": {}}

    report = run(change("aws_instance.web", after, actions=actions))

    assert (report.findings, report.resources_checked) == ((), 0)


@pytest.mark.parametrize("actions", [["update"], ["delete", "create"], ["create", "delete"]])
def test_updates_and_replacements_are_looked_at(run, actions):
    """Whatever ends in a resource is checked."""
    report = run(change("aws_instance.web", {"tags": {}, "tags_all": {}}, actions=actions))

    assert report.count("violation") == 6


def test_unchanged_resources_can_be_included(run):
    """On request, no-ops are looked at too; deletions never."""
    report = run(
        change("aws_instance.a", {"tags_all": {}}, actions=["no-op"]),
        change("aws_instance.b", None, actions=["delete"]),
        include_unchanged=True,
    )

    assert report.resources_checked == 1


def test_data_sources_and_what_cannot_be_tagged_are_left_alone(run):
    """Only managed resources with a tag attribute are taggable."""
    report = run(
        change("data.aws_ami.x", {"tags": {}}, mode="data"),
        change("aws_iam_role_policy.x", {"policy": "{}"}, kind="aws_iam_role_policy"),
    )

    assert report.resources_checked == 0


def test_one_value_known_after_apply_is_unknown(run):
    """A key whose value is decided when applied is the third state, not a violation."""
    tags = {key: value for key, value in GOOD.items() if key != "created_by"}

    report = run(
        change(
            "aws_instance.web", {"tags": tags, "tags_all": tags}, unknown={"tags_all": {"created_by": True}}
        )
    )

    assert faults(report) == [("aws_instance.web", "created_by", "unknown", "unknown")]
    assert report.failures() == ()
    assert len(report.failures(strict=True)) == 1


def test_all_tags_known_after_apply_are_unknown(run):
    """Where the tags as a whole are decided when applied, every required key is unknown."""
    report = run(change("aws_instance.web", {}, unknown={"tags": True, "tags_all": True}))

    assert (report.count("unknown"), report.count("violation")) == (6, 0)


def test_an_untagged_resource_is_not_excused_by_tags_all_known_after_apply(run):
    """Without default tags nothing can fill tags_all: the plan's configuration tells, and it is a violation."""
    untagged = change("aws_instance.web", {"tags": None}, unknown={"id": True, "tags_all": True})

    report = run(untagged, configuration={"provider_config": {"aws": {"name": "aws", "expressions": {}}}})

    assert (report.count("violation"), report.count("unknown")) == (6, 0)


def test_default_tags_decided_later_leave_it_unknown(run):
    """With default tags in the configuration, an unknown tags_all may yet hold every key."""
    untagged = change(
        "module.a.aws_instance.web[0]", {"tags": {"team": "documents"}}, unknown={"tags_all": True}
    )
    configuration = {
        "provider_config": {
            "aws": {"name": "aws", "full_name": "registry.terraform.io/hashicorp/aws",
                    "expressions": {"default_tags": [{"tags": {"references": ["local.tags"]}}]}},
        }
    }  # fmt: skip

    report = run(untagged, configuration=configuration)

    assert (report.count("violation"), report.count("unknown")) == (0, 5)


def test_the_default_tags_of_another_alias_excuse_nobody(run):
    """Each resource is held against its own provider: through modules, instances and keys with brackets in them."""
    full_name = "registry.terraform.io/hashicorp/aws"
    tagged = {"default_tags": [{"tags": {"references": ["local.tags"]}}]}
    configuration = {
        "provider_config": {
            "aws": {"name": "aws", "full_name": full_name, "expressions": tagged},
            "aws.bare": {"name": "aws", "full_name": full_name, "alias": "bare", "expressions": {}},
        },
        "root_module": {
            "resources": [{"address": "aws_instance.tagged", "provider_config_key": "aws"}],
            "module_calls": {
                "a": {"module": {"module_calls": {"b": {"module": {
                    "resources": [{"address": "aws_instance.bare", "provider_config_key": "aws.bare"}],
                }}}}},
            },
        },
    }  # fmt: skip
    bare = 'module.a["x]."].module.b[0].aws_instance.bare["y"]'

    report = run(
        change("aws_instance.tagged[0]", {"tags": None}, unknown={"tags_all": True}),
        change(bare, {"tags": None}, unknown={"tags_all": True}),
        configuration=configuration,
    )

    assert {(f.resource.address, f.status) for f in report.findings} == {
        ("aws_instance.tagged[0]", "unknown"),
        (bare, "violation"),
    }


def test_without_a_configuration_in_the_plan_nothing_is_claimed(run):
    """A plan cut down to its changes cannot tell, so it is unknown."""
    report = run(change("aws_instance.web", {"tags": None}, unknown={"tags_all": True}))

    assert report.count("unknown") == 6


def test_sensitive_values_are_never_shown(run):
    """Neither message nor remedy holds a sensitive value, or a suggestion made of it."""
    tags = {**GOOD, "cost_center": "Hunter2 Secret", "environment": "Prodd"}

    report = run(
        change("aws_instance.web", {"tags_all": tags}, sensitive={"tags_all": {"cost_center": True}})
    )

    hidden = next(f for f in report.findings if f.key == "cost_center")
    assert "hunter2" not in (hidden.message + hidden.remedy).lower()
    assert hidden.remedy == 'tags = { cost_center = "<cost_center>" }'
    whole = run(change("aws_instance.web", {"tags_all": tags}, sensitive={"tags_all": True}))
    assert all(
        "hunter2" not in (f.message + f.remedy).lower() and "Prodd" not in f.message for f in whole.findings
    )


def test_a_mark_on_tags_hides_their_copy_in_tags_all(run):
    """The provider copies tags to tags_all without their marks: a value that is sensitive in one is in both."""
    tags = {**GOOD, "cost_center": "Hunter2 Secret"}
    after = {"tags": tags, "tags_all": tags}

    one = run(change("aws_instance.web", after, sensitive={"tags": {"cost_center": True}, "tags_all": {}}))
    whole = run(change("aws_instance.web", after, sensitive={"tags": True, "tags_all": {}}))

    for report in (one, whole):
        (finding,) = report.findings
        assert "hunter2" not in (finding.message + finding.remedy).lower()


def test_autoscaling_groups_carry_tag_blocks(run):
    """An autoscaling group's tags are blocks, and the remedy is one; a value known later is unknown."""
    blocks = [
        {"key": key, "value": value, "propagate_at_launch": True}
        for key, value in GOOD.items()
        if key != "team"
    ]
    blocks[0] = {"key": "service", "propagate_at_launch": True}
    marks = [{"value": True}] + [{}] * (len(blocks) - 1)

    report = run(
        change(
            "aws_autoscaling_group.web", {"tag": blocks}, unknown={"tag": marks}, kind="aws_autoscaling_group"
        )
    )

    assert [(f.key, f.kind) for f in report.findings] == [("team", "missing"), ("service", "unknown")]
    assert report.findings[0].remedy.splitlines() == [
        "tag {", '  key                 = "team"', '  value               = "<team>"',
        "  propagate_at_launch = true", "}",
    ]  # fmt: skip


def test_launch_templates_are_checked_for_what_they_start(run):
    """Each tag_specifications block is a place of its own, beside the template's own tags."""
    after = {
        "tags": GOOD, "tags_all": GOOD,
        "tag_specifications": [
            {"resource_type": "instance", "tags": GOOD},
            {"resource_type": "volume", "tags": {"team": "documents"}},
        ],
    }  # fmt: skip

    report = run(change("aws_launch_template.web", after, kind="aws_launch_template"))

    assert report.resources_checked == 3
    assert {f.resource.address for f in report.findings} == {
        "aws_launch_template.web (tag_specifications of volume)"
    }
    assert len(report.findings) == 5
    assert 'resource_type = "volume"' in report.findings[0].remedy


def test_tag_specifications_decided_later_are_unknown(run):
    """Blocks that are written only when applied are not passed over."""
    after = {"tags": GOOD, "tags_all": GOOD}

    report = run(
        change(
            "aws_launch_template.web", after, unknown={"tag_specifications": True}, kind="aws_launch_template"
        )
    )

    assert (report.resources_checked, report.count("unknown"), report.count("violation")) == (2, 6, 0)


def test_lists_of_key_and_value_are_tags_too(run):
    """The awscc provider writes tags as a list."""
    entries = [{"key": key, "value": value} for key, value in GOOD.items()]

    assert run(change("awscc_s3_bucket.x", {"tags": entries}, kind="awscc_s3_bucket")).findings == ()
    report = run(change("awscc_s3_bucket.x", {"tags": entries[1:]}, kind="awscc_s3_bucket"))
    assert report.findings[0].remedy == 'tags = [{ key = "team", value = "<team>" }]'
    report = run(change("awscc_s3_bucket.x", {"tags": None}, kind="awscc_s3_bucket"))
    assert report.findings[0].remedy == 'tags = [{ key = "team", value = "<team>" }]'


def test_google_labels_are_tags_too(run):
    """The labels in effect are read, and the remedy writes labels."""
    labels = {**GOOD, "created_by": "deploy"}
    after = {"labels": None, "terraform_labels": labels, "effective_labels": labels}

    assert run(change("google_storage_bucket.x", after, kind="google_storage_bucket")).findings == ()
    report = run(change("google_storage_bucket.x", {"labels": {}}, kind="google_storage_bucket"))
    assert report.findings[0].remedy == 'labels = { team = "<team>" }'


def test_an_unlabelled_google_resource_is_not_excused_by_labels_known_after_apply(run):
    """Without default labels nothing can fill effective_labels; with them, an unknown value may hold every key."""
    unlabelled = change(
        "google_storage_bucket.x", {"labels": None}, kind="google_storage_bucket",
        unknown={"effective_labels": True, "terraform_labels": True},
    )  # fmt: skip
    unlabelled["provider_name"] = "registry.terraform.io/hashicorp/google"
    google = {"name": "google", "full_name": "registry.terraform.io/hashicorp/google"}
    defaults = {**google, "expressions": {"default_labels": {"references": ["local.labels"]}}}

    bare = run(unlabelled, configuration={"provider_config": {"google": google}})
    filled = run(unlabelled, configuration={"provider_config": {"google": defaults}})

    assert (bare.count("violation"), bare.count("unknown")) == (6, 0)
    assert (filled.count("violation"), filled.count("unknown")) == (0, 6)


@pytest.mark.parametrize("network_tags", [["http-server"], [], None])
def test_network_tags_of_google_are_no_tags(run, network_tags):
    """What a firewall rule matches says nothing of who pays: labels do, before provider 5.0 as well."""
    labels = {**GOOD, "created_by": "deploy"}
    after = {"tags": network_tags, "labels": {key: labels[key] for key in labels if key != "team"}}

    report = run(change("google_compute_instance.x", after, kind="google_compute_instance"))

    assert [(f.key, f.remedy) for f in report.findings] == [("team", 'labels = { team = "<team>" }')]


def test_tags_that_are_names_alone_are_left_alone(run):
    """Some providers' tags are a list of names, in which there is no place for ours."""
    report = run(change("datadog_monitor.x", {"tags": ["team:search"]}, kind="datadog_monitor"))

    assert report.resources_checked == 0


def test_google_takes_no_address_as_a_label(run):
    """An e-mail address is legal as an AWS tag, and Google refuses it: the remedy is its nearest slug."""
    report = run(change("google_storage_bucket.x", {"labels": GOOD}, kind="google_storage_bucket"))

    (finding,) = report.findings
    assert (finding.key, finding.kind) == ("created_by", "illegal")
    assert finding.remedy == 'labels = { created_by = "alice_example_com" }'


def test_a_sensitive_address_is_refused_without_showing_it(run):
    """The value of a sensitive label is in neither message nor remedy."""
    sensitive = {"labels": {"created_by": True}}
    report = run(
        change("google_storage_bucket.x", {"labels": GOOD}, kind="google_storage_bucket", sensitive=sensitive)
    )

    (finding,) = report.findings
    assert "alice" not in finding.message + finding.remedy


@pytest.mark.parametrize(
    ("plan", "said"),
    [({"format_version": "2.0"}, "2.0"), ({"errored": True}, "incomplete")],
)  # fmt: skip
def test_plans_that_cannot_be_judged_are_refused(run, plan, said):
    """Another major format and a failed plan are bad input."""
    with pytest.raises(UnreadableFileError, match=said):
        run(**plan)


@pytest.mark.parametrize(
    "state",
    [
        {"format_version": "1.0", "terraform_version": "1.11.4", "values": {"root_module": {}}},
        {"format_version": "1.0"},  # of an empty state
        {"version": 4, "terraform_version": "1.11.4", "serial": 1, "lineage": "a-b", "resources": []},
    ],
    ids=["terraform show -json", "empty", "terraform.tfstate"],
)
def test_a_state_is_told_from_a_plan(tmp_path, state):
    """terraform show -json without a plan file gives a state; that and the state file are refused by name."""
    path = tmp_path / "state.json"
    path.write_text(json.dumps(state))

    with pytest.raises(
        UnreadableFileError, match="this is a state, not a plan: terraform show -json PLANFILE"
    ):
        read_resources(path)


def test_a_plan_redirected_by_powershell_is_read(tmp_path):
    """UTF-16 with a byte order mark is read like UTF-8."""
    path = tmp_path / "plan.json"
    path.write_text(json.dumps({"format_version": "1.2", "resource_changes": []}), encoding="utf-16")

    assert read_resources(path) == []
