"""What fuzzing found, and what it starts from, tried again: no promise is broken."""

from pathlib import Path

import pytest

pytest.importorskip("anthropic", reason="the Anthropic SDK is not installed")
pytest.importorskip("openai", reason="the OpenAI SDK is not installed")
pytest.importorskip("click", reason="the extra `cli` is not installed")
pytest.importorskip("duckdb", reason="the extra `report` is not installed")

from tests.fuzz.targets import TARGETS, seeds

CASES = sorted((Path(__file__).parent / "cases").glob("*-*"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_crash_of_old_is_none(case):
    """Each input that once broke a promise keeps it."""
    TARGETS[case.name.partition("-")[0]](case.read_bytes())


@pytest.mark.parametrize("name", TARGETS)
def test_the_seeds_hold(name):
    """What fuzzing starts from is itself sound; a target that cannot run is noticed here."""
    for seed in seeds(name):
        TARGETS[name](seed)
