"""The bundled table is what the script makes of its pinned source, and the source's every model is in it."""

from __future__ import annotations

import ast
import json
import re
import tomllib
from decimal import Decimal
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.pricing.calls import NOON
from tracked_inference.pricing import PriceTable
from tracked_inference.pricing._canonical import canonical_bytes, sha256_of
from tracked_inference.pricing.units import UNITS
from tracked_inference.usage import FEE_UNITS, TOKEN_UNITS

DATA = Path(__file__).parents[2] / "tracked_inference" / "pricing" / "data" / "prices.json"
CONTENT = json.loads(DATA.read_bytes())


def test_the_file_is_what_the_script_makes():
    """The same source and the same stated facts make the same bytes, twice."""
    pytest.importorskip("genai_prices", reason="genai-prices (dependency group `prices`) is not installed")
    build = pytest.importorskip("tracked_inference.pricing.build")
    if version("genai-prices") != "0.2.3":
        pytest.skip("another genai-prices than the pinned one is installed")

    made = canonical_bytes(build.build_table())

    assert made == canonical_bytes(build.build_table())
    assert made == DATA.read_bytes()
    assert build.main(["--check"]) == 0


def test_every_model_of_the_source_has_a_price():
    """No Anthropic or OpenAI model of genai-prices is lost, by any exact name that it has there."""
    data = pytest.importorskip("genai_prices.data", reason="genai-prices is not installed")
    source = pytest.importorskip("tracked_inference.pricing._source")
    table = PriceTable.bundled()
    ours = {name for one in CONTENT["models"] for name in (one["model"], *one["aliases"])}

    for provider in data.providers:
        if provider.id not in ("anthropic", "openai"):
            continue
        for info in provider.models:
            names, patterns = source.exact_names(info.match)
            fine_tune = any(info.is_match(f"{name}-0") for name in ours)
            assert patterns or fine_tune or any(info.is_match(name) for name in ours), info.id
            for name in names:
                assert table.knows(provider.id, name, NOON), name


def test_the_file_is_canonical():
    """Read and written again it is the same, so its hash is that of its content."""
    assert canonical_bytes(CONTENT) == DATA.read_bytes()
    assert PriceTable.bundled().sha256 == sha256_of(DATA.read_bytes())


def test_the_file_can_be_read_by_people():
    """A row a line, keys sorted, rates as decimal text without exponents."""
    lines = DATA.read_text().splitlines()

    assert sum('"rates":' in line for line in lines) == len(CONTENT["rows"])
    for row in CONTENT["rows"]:
        for rates in (row["rates"], *row.get("above", {}).values()):
            assert all(re.fullmatch(r"\d+(\.\d*[1-9])?", rate) for rate in rates.values()), row


def test_each_row_says_where_it_comes_from_and_since_when():
    """Window, recording day and source stand on every row."""
    for row in CONTENT["rows"]:
        assert {
            "provider",
            "model",
            "effective_from",
            "effective_to",
            "recorded_at",
            "source",
            "rates",
        } <= set(row)
        assert re.fullmatch(r"\d{4}-\d{2}-\d{2}", row["recorded_at"])
        assert row["source"]
        assert (row["effective_from"] or "") < (row["effective_to"] or "9999")


def test_no_two_rows_hold_at_the_same_time():
    """For a seller, model and mode one row holds at any instant."""
    windows: dict[tuple[str, str, str], list[tuple[str, str]]] = {}
    for row in CONTENT["rows"]:
        key = (row["provider"], row["model"], str(row.get("when")))
        window = (row["effective_from"] or "", row["effective_to"] or "9999")
        others = windows.setdefault(key, [])
        assert all(window[1] <= start or end <= window[0] for start, end in others), row
        others.append(window)


def test_no_name_means_two_models():
    """A name is listed once for a maker, and patterns do not catch the names of other models."""
    for maker in ("anthropic", "openai"):
        models = [one for one in CONTENT["models"] if one["provider"] == maker]
        names = [name.lower() for one in models for name in (one["model"], *one["aliases"])]
        assert len(names) == len(set(names))
        for one in models:
            for pattern in one.get("patterns", ()):
                caught = {name for name in names if re.fullmatch(pattern, name)}
                assert caught <= {one["model"], *one["aliases"]}


def test_every_unit_is_known_and_has_its_number():
    """The units of the rows are those of usage, and each says how many a rate is for."""
    units = {unit.partition("@")[0] for row in CONTENT["rows"] for unit in row["rates"]}

    assert units <= {*TOKEN_UNITS, *FEE_UNITS}
    assert set(UNITS) == {*TOKEN_UNITS, *FEE_UNITS}
    assert CONTENT["units"] == UNITS


def test_long_requests_never_cost_less():
    """A threshold raises rates, or leaves them."""
    for row in CONTENT["rows"]:
        for rates in row.get("above", {}).values():
            assert all(Decimal(rate) >= Decimal(row["rates"].get(unit, 0)) for unit, rate in rates.items()), (
                row
            )


def test_the_versions_and_sources_are_named():
    """Version, day and provenance stand at the top."""
    table = PriceTable.bundled()

    assert table.version == "2026-11-23.1"
    assert f"{table.recorded_at:%Y-%m-%d}" == "2026-11-23"
    assert [(one["name"], one.get("version")) for one in table.sources] == [
        ("genai-prices", "0.2.3"),
        ("stated.toml", None),
    ]


def test_local_is_an_explicit_free_row():
    """A free model is free because a row says so, and not for want of one."""
    local = [row for row in CONTENT["rows"] if row["provider"] == "local"]

    assert [(row["model"], row["free"], row["rates"]) for row in local] == [("*", True, {})]


def test_every_model_that_the_sdks_name_has_a_price_or_a_reason_for_none():
    """The names in the installed SDKs' own types are priced, or listed in stated.toml as unpriced, and why."""
    stated = tomllib.loads(DATA.with_name("stated.toml").read_text())
    unpriced = {(one["provider"], name): one["why"] for one in stated["unpriced"] for name in one["models"]}
    table = PriceTable.bundled()
    named = {(maker, name) for maker in ("anthropic", "openai") for name in names_of_sdk(maker)}

    without = {pair for pair in named if not table.knows(*pair, NOON)}

    assert len(named) > 100
    assert without <= set(unpriced)
    assert all(unpriced.values())
    assert not any(table.knows(*pair, NOON) for pair in unpriced), "priced by now: take it off the list"


def names_of_sdk(maker: str) -> set[str]:
    """What stands in the `Literal`s of an SDK's fields, aliases and parameters that hold models."""
    pytest.importorskip(maker, reason=f"the SDK of {maker} is not installed")
    root = Path(find_spec(maker).origin).parent / "types"
    names = set()
    for text in (file.read_text() for file in root.rglob("*.py")):
        if not QUOTED_MODEL.search(text):
            continue
        for node in ast.walk(ast.parse(text)):
            holder = ""
            if isinstance(node, ast.AnnAssign):
                holder = getattr(node.target, "id", "")
            if "model" not in holder.lower():
                continue
            for part in ast.walk(node.annotation if holder[0].islower() else node):
                if isinstance(part, ast.Subscript) and getattr(part.value, "id", "") == "Literal":
                    names |= {one.value for one in ast.walk(part.slice) if isinstance(one, ast.Constant)}
    return {name for name in names if isinstance(name, str) and MODEL.match(name)}


QUOTED_MODEL = re.compile(
    r"""["'](claude|gpt|chatgpt|o\d|dall|sora|tts|whisper|text|omni|codex|computer|babbage)-"""
)
MODEL = re.compile(
    r"(claude-\w|gpt-|chatgpt-|o\d|dall-e|sora|tts-|whisper|text-|omni-|codex-|computer-use-preview|babbage-|davinci-)"
)
