"""The how-to page about the loopback vendor runs, and prints what it says it prints."""

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "howto" / "test-without-a-vendor.md"


def test_the_example_prints_what_the_page_says(capsys):
    """The example of the page, run as it stands."""
    example, printed = re.findall(r"```(?:python)?\n(.*?)```", PAGE.read_text(), re.DOTALL)[:2]

    exec(compile(example, PAGE, "exec"), {})

    assert capsys.readouterr().out == printed
