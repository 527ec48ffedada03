"""CloudFormation templates."""

from __future__ import annotations

import json
from datetime import date

import pytest
import yaml

from tracked_inference.cloud.check import check_resources, read_resources
from tracked_inference.cloud.check.cloudformation import taggable_types

TODAY = date(2026, 11, 23)
TAGS = """
        - {Key: team, Value: documents}
        - {Key: service, Value: summariser}
        - {Key: environment, Value: production}
        - {Key: component, Value: api}
        - {Key: cost_center, Value: 42}
        - {Key: created_by, Value: deploy}
"""


@pytest.fixture
def run(tmp_path):
    def run(text, name="stack.yaml", **options):
        path = tmp_path / name
        path.write_text(text)
        return check_resources(read_resources(path, **options), today=TODAY)

    return run


def test_a_tagged_resource_is_clean_and_numbers_are_text(run):
    """A list of keys and values is read; CloudFormation turns the number into text itself."""
    report = run(f"Resources:\n  Web:\n    Type: AWS::EC2::Instance\n    Properties:\n      Tags:{TAGS}")

    assert (report.findings, report.resources_checked) == ((), 1)


def test_an_untagged_resource_is_found_with_its_line(run):
    """A taggable type without Tags fails; a type that takes none does not."""
    report = run(
        "AWSTemplateFormatVersion: 2010-09-09\n"
        "Resources:\n"
        "  Web:\n"
        "    Type: AWS::EC2::Instance\n"
        "  Attachment:\n"
        "    Type: AWS::EC2::VolumeAttachment\n"
    )

    assert report.resources_checked == 1
    assert [f.key for f in report.findings] == [
        "team", "service", "environment", "component", "cost_center", "created_by",
    ]  # fmt: skip
    assert (report.findings[0].resource.address, report.findings[0].resource.line) == ("Web", 4)
    assert report.findings[0].remedy == "Tags: [{Key: team, Value: <team>}]"


def test_map_shaped_tags_and_other_property_names(run):
    """Some types take a map, some under a name of their own, and the remedy follows."""
    report = run(
        "Resources:\n"
        "  Parameter:\n    Type: AWS::SSM::Parameter\n    Properties: {Type: String, Value: x, Tags: {team: documents}}\n"
        "  Files:\n    Type: AWS::EFS::FileSystem\n    Properties: {FileSystemTags: [{Key: team, Value: documents}]}\n"
    )

    remedies = {f.resource.address: f.remedy for f in report.findings if f.key == "service"}
    assert remedies == {
        "Parameter": "Tags: {service: <service>}",
        "Files": "FileSystemTags: [{Key: service, Value: <service>}]",
    }
    assert not [f for f in report.findings if f.key == "team"]


def test_an_autoscaling_group_says_what_its_tags_reach(run):
    """PropagateAtLaunch is required there: without it CloudFormation refuses what the remedy says."""
    report = run("Resources:\n  Group:\n    Type: AWS::AutoScaling::AutoScalingGroup\n")

    assert report.findings[0].remedy == "Tags: [{Key: team, Value: <team>, PropagateAtLaunch: true}]"


def test_a_remedy_is_text_where_yaml_would_read_something_else(run):
    """`no` alone is false in YAML."""
    report = run(
        "Resources:\n  Web:\n    Type: AWS::EC2::Instance\n    Properties:\n"
        "      Tags: [{Key: team, Value: 'NO'}]\n"
    )

    assert report.findings[0].remedy == 'Tags: [{Key: team, Value: "no"}]'


def test_globals_of_a_sam_template_count(run):
    """Tags of Globals reach every function; a function's own are added to them."""
    report = run(
        "Transform: AWS::Serverless-2016-10-31\n"
        "Globals:\n  Function:\n    Tags: {team: documents, service: !Ref Service, environment: prod}\n"
        "Resources:\n  Worker:\n    Type: AWS::Serverless::Function\n"
        "    Properties: {Tags: {environment: production, component: worker, cost_center: cc-42}}\n"
        "  Table:\n    Type: AWS::Serverless::SimpleTable\n"
    )

    assert [(f.key, f.kind) for f in report.findings if f.resource.address == "Worker"] == [
        ("service", "unknown"),
        ("created_by", "missing"),
    ]
    assert len([f for f in report.findings if f.resource.address == "Table"]) == 6


@pytest.mark.skipif(not yaml.__with_libyaml__, reason="PyYAML was built without libyaml")
def test_a_question_mark_in_flow_style_is_text(run):
    """Every scheduled function of SAM has one."""
    report = run(
        "Resources:\n  Rule:\n    Type: AWS::Events::Rule\n"
        "    Properties: {ScheduleExpression: cron(17 6 * * ? *), Tags: [{Key: team, Value: documents}]}\n"
    )

    assert (report.resources_checked, len(report.findings)) == (1, 5)


@pytest.mark.parametrize(
    "resource",
    [
        "Web:\n    Type: AWS::EC2::Instance\n    Properties: {'Fn::Transform': {Name: 'AWS::Include'}}",
        "Fn::Transform: {Name: 'AWS::Include'}",
        "Fn::ForEach::Topics: [X, [a], {'T${X}': {Type: 'AWS::SNS::Topic'}}]",
        "Web:\n    Type: AWS::EC2::LaunchTemplate\n    Properties: {LaunchTemplateData: {TagSpecifications: !If [a, b, c]}}",
    ],
)
def test_what_a_macro_or_function_may_bring_is_unknown(run, resource):
    """Neither missing nor passed over."""
    report = run(f"Resources:\n  {resource}\n  Filler: {{Type: 'AWS::IAM::Policy'}}\n")

    assert (report.count("unknown"), report.count("violation")) == (6, 0)


@pytest.mark.parametrize(
    "value", ["!Ref Team", "!Sub '${Team}'", "{Ref: Team}", "{'Fn::Sub': x}", "!If [a, b, c]"]
)
def test_intrinsics_are_unknown(run, value):
    """What a function will yield is not guessed."""
    tags = (
        TAGS.replace("Value: documents", f"Value: {value}")
        if "[" not in value
        else TAGS.replace("- {Key: team, Value: documents}", f"- Key: team\n          Value: {value}")
    )

    report = run(f"Resources:\n  Web:\n    Type: AWS::EC2::Instance\n    Properties:\n      Tags:{tags}")

    assert [(f.key, f.kind, f.status) for f in report.findings] == [("team", "unknown", "unknown")]


@pytest.mark.parametrize(
    "tags",
    ["!FindInMap [a, b, c]", "[!If [a, {Key: team, Value: x}, !Ref AWS::NoValue]]", "[{Key: !Ref K, Value: x}]",
     "{'Fn::Transform': {Name: x}}"],
)  # fmt: skip
def test_tags_that_are_themselves_decided_later_leave_all_open(run, tags):
    """Where entries, keys or the whole list come from a function, missing keys are unknown."""
    report = run(f"Resources:\n  Web:\n    Type: AWS::EC2::Instance\n    Properties:\n      Tags: {tags}\n")

    assert (report.count("unknown"), report.count("violation")) == (6, 0)


def test_stack_tags_count(run):
    """Tags of the stack reach its resources; the resource's own win."""
    text = "Resources:\n  Web:\n    Type: AWS::EC2::Instance\n    Properties:\n      Tags: [{Key: team, Value: No!}]\n"
    stack = {
        "team": "documents",
        "service": "s",
        "environment": "staging",
        "component": "c",
        "cost_center": "x",
        "created_by": "d",
    }

    report = run(text, stack_tags=stack)

    assert [(f.key, f.kind) for f in report.findings] == [("team", "illegal")]


def test_launch_templates_are_checked_for_what_they_start(run):
    """Tag specifications of the launch data are places of their own, and stack tags do not reach them."""
    text = (
        "Resources:\n  Template:\n    Type: AWS::EC2::LaunchTemplate\n    Properties:\n      LaunchTemplateData:\n"
        "        TagSpecifications:\n          - ResourceType: instance\n            Tags: [{Key: team, Value: documents}]\n"
    )

    report = run(text, stack_tags={"service": "x"})

    assert (
        report.findings[0].resource.address == "Template (LaunchTemplateData.TagSpecifications of instance)"
    )
    assert next(f.key for f in report.findings) == "service"


def test_json_templates_are_read(run):
    """The same template in JSON, intrinsics as mappings."""
    template = {
        "Resources": {
            "Table": {
                "Type": "AWS::DynamoDB::Table",
                "Properties": {
                    "Tags": [
                        {"Key": "team", "Value": {"Ref": "Team"}},
                        {"Key": "environment", "Value": "prod"},
                    ]
                },
            }
        }
    }

    report = run(json.dumps(template), "stack.json")

    assert ("team", "unknown") in [(f.key, f.kind) for f in report.findings]
    assert next(f for f in report.findings if f.key == "environment").remedy.endswith("Value: production}]")


def test_loops_are_unknown(run):
    """Fn::ForEach writes resources when the stack is made: unknown, not passed over."""
    report = run(
        "Transform: AWS::LanguageExtensions\nAWSTemplateFormatVersion: 2010-09-09\n"
        "Resources:\n  'Fn::ForEach::Topics': [Name, [a, b], {'Topic${Name}': {Type: 'AWS::SNS::Topic'}}]\n"
    )

    assert (report.count("unknown"), report.count("violation")) == (6, 0)


def test_a_custom_type_is_checked_where_it_has_tags(run):
    """A type that is not in the list is checked if it is tagged, and left alone if it is not."""
    report = run(
        "Resources:\n  A: {Type: 'Custom::X', Properties: {Tags: {team: documents}}}\n  B: {Type: 'Custom::Y'}\n"
    )

    assert {f.resource.address for f in report.findings} == {"A"}


def test_the_list_of_types_is_whole():
    """The data file holds the types everyone uses, in their shapes."""
    types = taggable_types()

    assert types["AWS::EC2::Instance"] == ("Tags", "list")
    assert types["AWS::SSM::Parameter"] == ("Tags", "map")
    assert types["AWS::AutoScaling::AutoScalingGroup"] == ("Tags", "list")
    assert "AWS::EC2::VolumeAttachment" not in types
    assert len(types) > 1200
    assert {shape for _, shape in types.values()} == {"list", "map"}
