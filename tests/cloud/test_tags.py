"""ResourceTags and their validation."""

from __future__ import annotations

import dataclasses
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracked_inference.cloud import ResourceTags, TagStandard, check_tags, validate_tags
from tracked_inference.cloud.vocabulary import SLUG_PATTERN
from tracked_inference.slugs import is_slug, nearest_slug

AWS_VALUE = re.compile(r"[\w .:/=+@-]{0,256}")
KUBERNETES_VALUE = re.compile(r"([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?")
GCP_VALUE = re.compile(r"[a-z0-9_-]{0,63}")
KUBERNETES_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?")

GOOD = ResourceTags(
    team="documents",
    service="summariser",
    environment="production",
    component="api",
    cost_center="cc-42",
    created_by="deploy-pipeline",
    feature="document_summarisation",
)


def test_good_tags_have_no_faults():
    """Tags that keep the standard yield an empty list."""
    assert validate_tags(GOOD) == []


def test_the_feature_may_be_left_out():
    """A resource without a feature is valid, and has no such tag."""
    tags = dataclasses.replace(GOOD, feature=None)

    assert validate_tags(tags) == []
    assert "feature" not in tags.to_dict()


def test_the_articles_messages():
    """What the article checks is said in the article's own words, and in its order."""
    tags = ResourceTags(
        team="", service="", environment="", component="api", cost_center="", created_by="ci", feature=None
    )

    assert validate_tags(tags) == [
        "team tag is required",
        "service tag is required",
        "environment must be production, staging, or development",
        "cost_center tag is required for financial attribution",
    ]


def test_construction_never_raises():
    """Anything at all can be constructed; only validation speaks, one sentence for each fault."""
    tags = ResourceTags(None, 7, "", "  ", "CC 42", "x" * 64, "-")  # type: ignore[arg-type]

    assert [message.split()[0] for message in validate_tags(tags)] == [
        "team", "service", "environment", "component", "cost_center", "created_by", "feature",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("written", "meant"),
    [("prodution", "production"), ("Production", "production"), ("prod", "production"), ("stg", "staging"),
     ("dev", "development"), (" staging ", "staging")],
)  # fmt: skip
def test_a_near_miss_of_an_environment_is_corrected(written, meant):
    """An environment that is nearly one gets the right one suggested."""
    (message,) = validate_tags(dataclasses.replace(GOOD, environment=written))

    assert message.startswith("environment must be production, staging, or development")
    assert f"did you mean {meant!r}?" in message


def test_nothing_is_suggested_for_what_is_near_nothing():
    """An environment unlike any gets no suggestion."""
    (message,) = validate_tags(dataclasses.replace(GOOD, environment="kitchen"))

    assert "did you mean" not in message


def test_environments_are_configurable():
    """A standard with other environments takes those and no others, and names them."""
    standard = TagStandard(environments=("live", "test"))

    assert validate_tags(dataclasses.replace(GOOD, environment="live"), standard) == []
    assert validate_tags(dataclasses.replace(GOOD, environment="production"), standard) == [
        "environment must be live or test: 'production' is not"
    ]


def test_a_list_of_teams_can_be_given():
    """A key with a list of its own takes only those values, and suggests the nearest."""
    standard = TagStandard(allowed={"team": ("documents", "search")})

    (message,) = validate_tags(dataclasses.replace(GOOD, team="document"), standard)

    assert message == "team must be documents or search: 'document' is not, did you mean 'documents'?"


@pytest.mark.parametrize(
    ("written", "suggested"),
    [("Search Team", "search_team"), ("Suchfläche", "suchflache"), ("-search-", "search"), ("a/b", "a_b"),
     ("search\n", "search")],
)  # fmt: skip
def test_an_illegal_slug_gets_the_nearest_legal_one(written, suggested):
    """A value that is no slug is answered with the slug it would be."""
    (message,) = validate_tags(dataclasses.replace(GOOD, team=written))

    assert f"did you mean {suggested!r}?" in message


def test_created_by_takes_an_email_address_in_lower_case():
    """created_by is a slug or an e-mail address; capitals are corrected."""
    assert validate_tags(dataclasses.replace(GOOD, created_by="alice@example.com")) == []
    (message,) = validate_tags(dataclasses.replace(GOOD, created_by="Alice@Example.com"))
    assert "did you mean 'alice@example.com'?" in message
    assert validate_tags(dataclasses.replace(GOOD, team="alice@example.com")) != []


def test_a_key_in_the_wrong_case_is_named():
    """A missing key says which other key was probably meant."""
    tags = {**GOOD.to_dict(), "CostCenter": "cc-42", "Team": "documents"}
    del tags["cost_center"], tags["team"]

    assert [problem.message for problem in check_tags(tags)] == [
        "team tag is required; 'Team' is not it, rename it to 'team'",
        "cost_center tag is required for financial attribution; 'CostCenter' is not it, rename it to 'cost_center'",
    ]


def test_the_discreet_message_holds_nothing_of_the_value():
    """The text for values that must not be printed does not contain them, nor anything made of them."""
    (problem,) = check_tags({**GOOD.to_dict(), "team": "Hunter2 Secret"})

    assert "hunter2" not in problem.discreet.lower()


def test_aws_format_goes_there_and_back():
    """What is written for AWS reads back as the same tags, among tags of others."""
    written = GOOD.to_aws_format()

    assert written[0] == {"Key": "team", "Value": "documents"}
    assert ResourceTags.from_aws_format([{"Key": "Name", "Value": "x"}, *written]) == GOOD
    assert ResourceTags.from_aws_format([]) == ResourceTags("", "", "", "", "", "")


def test_an_email_address_becomes_an_annotation():
    """In Kubernetes an address is no legal label value: it is an annotation, everything else a label."""
    tags = dataclasses.replace(GOOD, created_by="alice@example.com")

    assert "created_by" not in tags.to_kubernetes_labels()
    assert tags.to_kubernetes_annotations("cost.example.com/") == {
        "cost.example.com/created_by": "alice@example.com"
    }
    assert GOOD.to_kubernetes_labels("cost.example.com")["cost.example.com/created_by"] == "deploy-pipeline"
    assert GOOD.to_kubernetes_annotations() == {}


@given(st.text(max_size=80))
def test_every_slug_is_legal_everywhere_and_every_suggestion_is_a_slug(value):
    """A slug satisfies the grammars of AWS, Kubernetes and GCP; what is suggested is a slug."""
    if is_slug(value):
        assert AWS_VALUE.fullmatch(value)
        assert KUBERNETES_VALUE.fullmatch(value)
        assert GCP_VALUE.fullmatch(value)
    suggestion = nearest_slug(value)
    assert not suggestion or is_slug(suggestion)
    assert is_slug(value) == (re.fullmatch(SLUG_PATTERN, value) is not None)


@given(st.from_regex(r"[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?", fullmatch=True))
def test_a_slug_is_its_own_suggestion(value):
    """Suggesting changes nothing of what is legal already, but for the ends."""
    assert is_slug(value)
    assert nearest_slug(value) == value


def test_the_keys_are_legal_names_everywhere():
    """Every key is a legal Kubernetes label name and GCP label key."""
    for key in GOOD.to_dict():
        assert KUBERNETES_NAME.fullmatch(key)
        assert re.fullmatch("[a-z][a-z0-9_-]{0,62}", key)


def test_a_feature_of_blanks_is_no_feature_left_out():
    """It would be sent as it stands: an optional tag is absent or legal."""
    tags = ResourceTags("documents", "summariser", "production", "api", "cc-42", "deploy", "  ")

    (fault,) = validate_tags(tags)
    assert fault.startswith("feature must be a slug")
    assert validate_tags(dataclasses.replace(tags, feature="")) == []
