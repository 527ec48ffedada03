"""How a table follows another: rows are closed and added, never edited; what must not pass does not."""

from __future__ import annotations

import copy
import json
from decimal import Decimal
from pathlib import Path

import pytest

from tracked_inference.errors import PriceTableError
from tracked_inference.pricing import PriceTable
from tracked_inference.pricing.revise import differences, objections, succeed

TODAY = "2026-12-24"
BUNDLED = json.loads(
    (Path(__file__).parents[2] / "tracked_inference" / "pricing" / "data" / "prices.json").read_bytes()
)


@pytest.fixture
def made() -> dict:
    """A copy of the bundled table, as a later source would make it."""
    return copy.deepcopy(BUNDLED)


def rows(table: dict, model: str, provider: str = "openai") -> list[dict]:
    return [
        row
        for row in table["rows"]
        if (row["provider"], row["model"]) == (provider, model) and not row.get("when")
    ]


def test_nothing_new_changes_nothing(made):
    """The same source makes the same table, version and all."""
    assert succeed(BUNDLED, made, TODAY) == BUNDLED


def test_a_price_that_changed_closes_its_row_and_adds_one(made):
    """Calls before today keep their price; the new row says when it was recorded."""
    rows(made, "gpt-4.1")[0]["rates"]["input"] = "1"

    after = succeed(BUNDLED, made, TODAY)

    old, new = rows(after, "gpt-4.1")
    assert (old["rates"]["input"], old["effective_to"], old["recorded_at"]) == ("2", TODAY, "2026-11-23")
    assert (new["rates"]["input"], new["effective_from"], new["recorded_at"]) == ("1", TODAY, TODAY)
    assert after["version"] == f"{TODAY}.1"
    assert [(one.model, one.unit, one.old, one.new) for one in differences(BUNDLED, after, TODAY)] == [
        ("gpt-4.1", "input", Decimal(2), Decimal(1))
    ]


def test_a_dated_change_keeps_its_date(made):
    """Where the source says from when, the old row is closed at that day."""
    (row,) = rows(made, "gpt-4.1")
    made["rows"].append({**row, "effective_from": "2026-12-01", "rates": {**row["rates"], "input": "1"}})
    row["effective_to"] = "2026-12-01"

    old, new = rows(succeed(BUNDLED, made, TODAY), "gpt-4.1")

    assert (old["effective_to"], old["recorded_at"]) == ("2026-12-01", "2026-11-23")
    assert (new["effective_from"], new["recorded_at"]) == ("2026-12-01", TODAY)


def test_an_announced_change_that_was_cancelled_stays_explainable(made):
    """A row that the source takes back is closed, and not forgotten."""
    (row,) = rows(made, "gpt-4.1")
    announced = succeed(
        BUNDLED,
        {
            **made,
            "rows": [
                *[one for one in made["rows"] if one is not row],
                {**row, "effective_to": "2027-01-01"},
                {**row, "effective_from": "2027-01-01", "rates": {**row["rates"], "input": "9"}},
            ],
        },
        TODAY,
    )

    cancelled = succeed(announced, BUNDLED, "2026-12-30")

    kept = rows(cancelled, "gpt-4.1")
    assert [(one["effective_from"], one["effective_to"], one["rates"]["input"]) for one in kept] == [
        (None, None, "2"),
        ("2027-01-01", "2026-12-30", "9"),
    ]
    assert not differences(BUNDLED, cancelled, "2027-02-01")


def test_a_model_that_is_gone_is_closed(made):
    """A vanished model keeps its price until today."""
    made["rows"] = [row for row in made["rows"] if row["model"] != "gpt-4.1"]

    after = succeed(BUNDLED, made, TODAY)

    assert [row["effective_to"] for row in rows(after, "gpt-4.1")] == [TODAY]


def test_a_second_table_of_a_day_has_the_next_serial(made):
    """Versions of one day differ."""
    rows(made, "gpt-4.1")[0]["rates"]["input"] = "1"

    assert succeed(BUNDLED, made, BUNDLED["recorded_at"])["version"] == "2026-11-23.2"


def test_shrinkage_negative_rates_and_jumps_are_refused(made):
    """Each objection names what it is about, and what to say if it is right."""
    made["rows"] = [row for row in made["rows"] if row["model"] != "gpt-4o"]
    rows(made, "gpt-4.1")[0]["rates"]["input"] = "-2"
    rows(made, "gpt-5")[0]["rates"]["input"] = "12.50"
    rows(made, "gpt-5.2")[0]["rates"]["output"] = "0"
    rows(made, "gpt-5.1")[0]["rates"]["output"] = "50"  # five-fold, and no more
    del rows(made, "gpt-5-mini")[0]["rates"]["cache_read"]
    made["rows"] = [
        row
        for row in made["rows"]
        if (row["model"], row.get("when")) != ("gpt-5-nano", {"service_tier": "flex"})
    ]

    found = objections(BUNDLED, made, TODAY)

    assert found == [
        "1 models would be gone: openai gpt-4o; pass --allow-shrink if that is right",
        (
            "4 rates would be gone: openai gpt-5-mini cache_read, openai gpt-5-nano cache_read (service_tier=flex),"
            " openai gpt-5-nano input (service_tier=flex), openai gpt-5-nano output (service_tier=flex);"
            " pass --allow-shrink if that is right"
        ),
        "openai gpt-4.1: input would cost -2: prices are finite and not negative",
        "openai gpt-5: input would go from 1.25 to 12.50, more than 5-fold; pass --allow-jumps if that is right",
        "openai gpt-5.2: output would go from 14 to 0; pass --allow-jumps if that is right",
    ]
    assert objections(BUNDLED, made, TODAY, allow_shrink=True, allow_jumps=True) == found[2:3]


def changed(path: str, value: object) -> dict:
    """The bundled table with one thing in it changed, or with `...` taken out."""
    content = json.loads(json.dumps(BUNDLED))
    *way, last = (int(step) if step.isdigit() else step for step in path.split("/"))
    inner = content
    for step in way:
        inner = inner[step]
    if value is ...:
        del inner[last]
    else:
        inner[last] = value
    return content


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("format", 2, "format: 2 is not 1; update this package to read it"),
        ("rows", ..., "rows: missing; this is no price table"),
        ("seller_names", ..., "seller_names: missing; this is no price table"),
        ("rows", 5, "rows: 5 is no list"),
        ("hosts", [], "hosts: [] is no table"),
        ("recorded_at", "soon", "recorded_at: Invalid isoformat string: 'soon'"),
        ("version", 7, "version: 7 is no text"),
        ("units/input", "x", "units.input: invalid literal"),
        ("rows/5", "x", "rows[5]: 'x' is no table"),
        ("rows/5/provider", ..., "rows[5]: 'provider' is missing"),
        ("rows/5/effective_from", "garbage", "rows[5]: Invalid isoformat string: 'garbage'"),
        ("rows/5/effective_to", 3, "rows[5]: "),
        ("rows/5/above", {"long": {}}, "rows[5]: invalid literal"),
        ("rows/5/rates", {"inputz": "3"}, "rows[5].rates.inputz: no such unit; units are "),
        (
            "rows/5/rates/input",
            "-3",
            "rows[5].rates.input: -3 is no price; rates are finite and not negative",
        ),
        ("rows/5/rates/input", "NaN", "rows[5].rates.input: NaN is no price"),
        ("rows/5/rates/input", "two", "rows[5].rates.input: 'two' is no price; rates are decimals as text"),
        ("rows/5/rates/input", None, "rows[5].rates.input: None is no price"),
        ("models/3/aliases", 5, "models[3]: "),
        ("models/3/patterns", ["("], "models[3]: missing ), unterminated subpattern at position 0"),
        ("models/3/model", ..., "models[3]: 'model' is missing"),
        ("rules/0", {}, "rules[0]: 'rule' is missing"),
        ("rules/0/factor", "half", "rules[0]: "),
        ("sellers/azure", 5, "sellers.azure: 5 is no table"),
        ("hosts", {"(": "x"}, "hosts.(: missing )"),
    ],
)
def test_a_file_that_is_no_table_says_so(tmp_path, path, value, said):
    """A wrong part is named when the file is read, with the file, and not found by some call later."""
    file = tmp_path / "t.json"
    file.write_text(json.dumps(changed(path, value)))

    with pytest.raises(PriceTableError) as caught:
        PriceTable.bundled().with_overlay(file)

    assert str(caught.value).startswith(f"{file}: {said}")
