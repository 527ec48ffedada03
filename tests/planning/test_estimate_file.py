"""The estimate kept beside a feature: what it says, and how it says what is wrong with it."""

from decimal import Decimal

import pytest

from tests.planning.tables import AT, bundled
from tracked_inference.errors import ConfigurationError
from tracked_inference.planning.estimate_file import EstimateFile
from tracked_inference.planning.ranges import Range

GOOD = """
[feature]
name = "document_summarisation"
team = "documents"
description = "Summarise uploaded documents on the dashboard"

[traffic]
monthly_users = 10_000
daily_share = { low = 0.1, expected = 0.2, high = 0.4 }
requests_per_user_per_day = 3

[shape]
models = { "claude-sonnet-4-5" = 0.2, "claude-haiku-4-5" = 0.8 }
input_tokens = [4_000, 8_000, 20_000]
output_tokens = 500
cached_share = 0.1

[compare]
models = ["gpt-5-mini"]
"""


@pytest.fixture
def written(tmp_path):
    def write(text):
        path = tmp_path / "estimate.toml"
        path.write_text(text)
        return path

    return write


def test_a_file_is_a_scenario(written):
    """Ranges as lists and tables, shares of models, exact numbers."""
    found = EstimateFile.load(written(GOOD))
    scenario = found.scenario()

    assert (scenario.feature, scenario.team, found.compare) == (
        "document_summarisation",
        "documents",
        ("gpt-5-mini",),
    )
    assert scenario.daily_share == Range(Decimal("0.1"), Decimal("0.2"), Decimal("0.4"))
    assert scenario.input_tokens == Range(Decimal(4000), Decimal(8000), Decimal(20000))
    # 180,000 calls x (7,200 x 1.4e-6 + 800 x 0.14e-6 + 500 x 7e-6), the rates being 0.2 and 0.8 of $3/$1, 0.3/0.1 and 15/5
    assert scenario.estimate(bundled(), AT).per_month_usd.expected == Decimal("2464.56")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[feature\n", "is not TOML"),
        (
            GOOD.replace("monthly_users", "monthly_user"),
            r"estimate.toml:8: \[traffic\] monthly_user is not known; did you mean 'monthly_users'",
        ),
        (
            GOOD.replace("[traffic]", "[trafic]"),
            r"estimate.toml:7: \[trafic\] is not known; did you mean 'traffic'",
        ),
        (
            "traffic = 3\n" + GOOD.replace("[traffic]", "[shape.x]"),
            "estimate.toml:1: traffic must be a table",
        ),
        (GOOD.replace("10_000", '"many"'), "monthly_users='many' is not a number"),
        (GOOD.replace("output_tokens = 500\n", ""), r"needs \[shape\] output_tokens"),
        (GOOD.replace('["gpt-5-mini"]', '"gpt-5-mini"'), r"\[compare\] models must be a list"),
        (GOOD.replace('"documents"', "7"), r"estimate.toml:4: \[feature\] team must be text"),
        (GOOD.replace("0.1\n", "0.1\nmodel = 5\n"), r"\[shape\] model is not known; did you mean 'models'"),
    ],
)
def test_what_is_wrong_is_said_with_file_and_line(written, text, words):
    """And how to mend it."""
    with pytest.raises(ConfigurationError, match=words):
        EstimateFile.load(written(text)).scenario()


def test_a_file_that_is_not_there_is_no_traceback(tmp_path):
    """It is a wrong argument."""
    with pytest.raises(ConfigurationError, match="cannot be read"):
        EstimateFile.load(tmp_path / "none.toml")
