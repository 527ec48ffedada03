"""The FOCUS export: every row holds to the column list, and the costs are the ledger's to the last digit."""

from __future__ import annotations

import csv
import io
import json
from datetime import datetime
from decimal import Decimal

import pytest

pytest.importorskip("duckdb", reason="the extra `report` is not installed")
pytest.importorskip("click", reason="the extra `cli` is not installed")

from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.reporting.month import Truth, month
from tests.sinks.test_ledger_line import a_record
from tracked_inference.cli.export import command
from tracked_inference.pricing.cost import Cost, CostLine
from tracked_inference.reporting.focus_columns import VERSIONS, columns_of_version
from tracked_inference.sinks.ledger import LedgerSink
from tracked_inference.usage import FEE_UNITS, TOKEN_UNITS

# The mandatory columns of the dataset Cost and Usage, from the specification.
MANDATORY_SINCE_1_3 = """BilledCost BillingAccountId BillingAccountName BillingCurrency BillingPeriodEnd BillingPeriodStart ChargeCategory
ChargeClass ChargeDescription ChargePeriodEnd ChargePeriodStart ContractedCost EffectiveCost HostProviderName InvoiceIssuerName ListCost
PricingQuantity PricingUnit ServiceCategory ServiceName ServiceProviderName""".split()


def export(ledger, *more):
    result = CliRunner().invoke(command, ["focus", str(ledger), *more])
    assert result.exit_code == 0, result.output
    return result.stdout


def rows_of(text):
    return list(csv.DictReader(io.StringIO(text)))


def fault(column, text):
    """What is wrong with a value of a column, or None."""
    if text == "":
        return None if column.nullable else "empty"
    if column.allowed and text not in column.allowed:
        return f"{text!r} is not allowed"
    try:
        if column.kind == "decimal":
            return None if Decimal(text).is_finite() and "e" not in text.lower() else "no plain decimal"
        if column.kind == "datetime":
            return None if datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ") else "no time"
        if column.kind == "json":
            return None if isinstance(json.loads(text), dict) else "no object"
        if column.kind == "integer":
            return None if int(text) >= 0 else "negative"
        if column.kind == "boolean":
            return None if text in {"true", "false"} else "no boolean"
    except (ArithmeticError, ValueError) as error:
        return str(error)
    return None


MONEY = st.decimals(0, "0.01", places=12)
LINES = st.lists(
    st.builds(
        CostLine,
        unit=st.sampled_from([*TOKEN_UNITS, *FEE_UNITS, "unheard_of"]),
        quantity=st.integers(1, 10**7),
        rate_usd=MONEY,
        amount_usd=MONEY,
        model=st.sampled_from(["claude-sonnet-4-5", 'odd "model", with comma', "ünïcode"]),
        rules=st.sampled_from([(), ("batch",), ("fast", "long_context")]),
    ),
    max_size=4,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    calls=st.lists(
        st.tuples(
            LINES,
            st.sampled_from(["anthropic", "openai", "bedrock", "my-gateway"]),
            st.text("ab'\"\n,", max_size=4),
        ),
        max_size=4,
    ),
    version=st.sampled_from(VERSIONS),
)
def test_every_row_holds_to_the_columns(tmp_path_factory, calls, version):
    """Whatever was called: the columns are the version's in order, no mandatory value is missing, and the costs are the ledger's."""
    directory = tmp_path_factory.mktemp("ledger")
    sink = LedgerSink(directory)
    expected = Decimal(0)
    for lines, provider, tag in calls:
        total = sum((line.amount_usd for line in lines), Decimal(0)) if lines else Decimal("0.0625")
        expected += total
        sink(
            a_record(
                provider=provider,
                tags={"environment": tag},
                cost=Cost("exact", total, total, "m", tuple(lines), table_version="1"),
            )
        )
    sink(a_record(cost=Cost("unpriced", None, None, "m")))
    sink.close()

    text = export(directory, "--since", "2026-11-22", "--until", "2026-11-22", "--focus-version", version)

    columns = columns_of_version(version)
    rows = rows_of(text)
    assert text.splitlines()[0].split(",") == [one.name for one in columns]
    assert [
        (one.name, fault(one, row[one.name])) for row in rows for one in columns if fault(one, row[one.name])
    ] == []
    assert sum((Decimal(row["BilledCost"]) for row in rows), Decimal(0)) == expected
    assert all(row["ListCost"] == row["BilledCost"] or row["ListUnitPrice"] for row in rows)
    for row in rows:
        # "PricingQuantity MUST NOT be null when ChargeCategory is Usage", and a quantity has its unit.
        assert all(row[f"{what}{part}"] for what in ("Pricing", "Consumed") for part in ("Quantity", "Unit"))
        if row["ListUnitPrice"]:
            assert Decimal(row["ListUnitPrice"]) * Decimal(row["PricingQuantity"]) == Decimal(row["ListCost"])


@pytest.mark.parametrize("version", VERSIONS)
def test_the_mandatory_columns_are_all_there(version):
    """1.4 has the specification's 21; 1.2 has provider and publisher in the place of service and host provider."""
    found = {one.name for one in columns_of_version(version) if one.level == "mandatory"}
    swapped = (
        {"HostProviderName": "PublisherName", "ServiceProviderName": "ProviderName"}
        if version == "1.2"
        else {}
    )

    assert found == {swapped.get(name, name) for name in MANDATORY_SINCE_1_3}


def test_custom_columns_come_last_and_say_that_they_are():
    """The specification wants `x_` before the names of columns that are not its own."""
    levels = [one.level == "custom" for one in columns_of_version("1.4")]

    assert levels == sorted(levels)
    assert all(one.name.startswith("x_") == (one.level == "custom") for one in columns_of_version("1.4"))


def test_a_row_by_hand(tmp_path):
    """1,000 fresh tokens at 3 USD a million on one day."""
    LedgerSink(tmp_path)(a_record(tags={"environment": "production", "request": "r-1"}))

    row = rows_of(export(tmp_path, "--since", "2026-11-22", "--billing-account", "anthropic=org-1"))[0]

    assert row["ConsumedQuantity"] == "1000"
    assert row["ConsumedUnit"] == "Tokens"
    assert row["PricingQuantity"] == "0.001"
    assert row["PricingUnit"] == "1000000 Tokens"
    assert row["ListUnitPrice"] == "3"
    assert row["BilledCost"] == row["EffectiveCost"] == row["ContractedCost"] == row["ListCost"] == "0.003"
    assert row["ChargePeriodStart"] == "2026-11-22T00:00:00Z"
    assert row["ChargePeriodEnd"] == "2026-11-23T00:00:00Z"
    assert (row["BillingPeriodStart"], row["BillingPeriodEnd"]) == (
        "2026-11-01T00:00:00Z",
        "2026-12-01T00:00:00Z",
    )
    assert (row["ServiceProviderName"], row["ServiceName"], row["SkuMeter"]) == (
        "Anthropic",
        "Claude API",
        "Input Tokens",
    )
    assert row["BillingAccountId"] == "org-1"
    assert json.loads(row["Tags"]) == {"feature": "search", "team": "documents", "environment": "production"}
    assert (row["x_Estimated"], row["x_CallCount"], row["x_PriceTableVersion"]) == (
        "true",
        "1",
        "2026-11-20.1",
    )


def test_a_price_for_the_whole_call_is_of_requests(tmp_path):
    """A gateway's own price says what was charged and not for how many tokens: two calls, 3 cents."""
    sink = LedgerSink(tmp_path)
    for dollars in ("0.01", "0.02"):
        sink(a_record(cost=Cost("exact", Decimal(dollars), Decimal(dollars), "m", ())))

    (row,) = rows_of(export(tmp_path, "--since", "2026-11-22"))

    assert (row["PricingQuantity"], row["PricingUnit"]) == ("2", "Requests")
    assert (row["ConsumedQuantity"], row["ConsumedUnit"]) == ("2", "Requests")
    assert (row["BilledCost"], row["ListCost"], row["ListUnitPrice"], row["SkuMeter"]) == (
        "0.03",
        "0.03",
        "",
        "",
    )


def test_a_discount_is_the_difference_of_list_and_billed_cost(tmp_path):
    """List cost is quantity times list price; what is billed is less the discount."""
    line = CostLine("input", 1000, Decimal("0.000003"), Decimal("0.0027"), "m")
    LedgerSink(tmp_path)(a_record(cost=Cost("exact", Decimal("0.0027"), Decimal("0.003"), "m", (line,))))

    row = rows_of(export(tmp_path, "--since", "2026-11-22"))[0]

    assert (row["ListCost"], row["ContractedCost"], row["BilledCost"]) == ("0.003", "0.0027", "0.0027")


def test_parquet_and_csv_say_the_same_as_the_ledger(tmp_path):
    """A month of 2,000 calls comes to the generator's own total in both forms, with types in Parquet."""
    duckdb = pytest.importorskip("duckdb")
    truth, sink = Truth(), LedgerSink(tmp_path / "ledger")
    for record in month(2000):
        truth.add(record)
        sink(record)

    text = export(tmp_path / "ledger", "--since", "2026-10")
    export(tmp_path / "ledger", "--since", "2026-10", "--output", str(tmp_path / "out.parquet"))

    found = duckdb.sql(
        f"SELECT sum(BilledCost), count(*), min(ChargePeriodStart), bool_and(x_Estimated) FROM '{tmp_path}/out.parquet'"
    )
    total, count, first, estimated = found.fetchall()[0]
    assert sum(Decimal(row["BilledCost"]) for row in rows_of(text)) == total == truth.total
    assert count == len(rows_of(text))
    assert first == datetime(2026, 10, 1)
    assert estimated is True


def test_what_is_left_out_is_said_and_strict_exits_3(tmp_path):
    """A call without a price cannot be a row of costs: standard error says so, and --strict makes it an exit code."""
    LedgerSink(tmp_path)(a_record(cost=Cost("unpriced", None, None, "m")))
    arguments = ["focus", str(tmp_path), "--since", "2026-11-22", "--until", "2026-11-22"]

    plain = CliRunner().invoke(command, arguments)
    strict = CliRunner().invoke(command, [*arguments, "--strict"])

    assert "1 calls have no price or no usage" in plain.stderr
    assert (plain.exit_code, strict.exit_code) == (0, 3)


@pytest.mark.parametrize("more", [["--output", "x.txt"], ["--json"], ["--billing-account", "org"]])
def test_wrong_options_exit_2(tmp_path, more):
    """Wrong input is one line and no traceback."""
    LedgerSink(tmp_path)(a_record())

    result = CliRunner().invoke(command, ["focus", str(tmp_path), *more])

    assert result.exit_code == 2
    assert "Traceback" not in result.output
