"""Reconciliation: the vendors' reports are read as they mean them, and a difference is told apart by its cause."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

pytest.importorskip("duckdb", reason="the extra `report` is not installed")
pytest.importorskip("click", reason="the extra `cli` is not installed")

from click.testing import CliRunner

from tests.reporting.admin_apis import paged, serving
from tests.sinks.test_ledger_line import a_record
from tracked_inference.cli.reconcile import command
from tracked_inference.errors import ConfigurationError, UnavailableError
from tracked_inference.pricing.cost import Cost, CostLine
from tracked_inference.reporting import _http
from tracked_inference.reporting.bill import Bill, Charge, Used, days_of, late, windows
from tracked_inference.reporting.bill_anthropic import AnthropicBill
from tracked_inference.reporting.bill_metrics import BILL_METRICS
from tracked_inference.reporting.bill_openai import OpenAIBill
from tracked_inference.reporting.periods import Period
from tracked_inference.reporting.reconcile import Side, reconcile
from tracked_inference.sinks.ledger import LedgerSink
from tracked_inference.usage import Pass, Usage

KEY = "sk-ant-admin-canary-7f3a"
FIRST, LAST = date(2026, 11, 1), date(2026, 11, 3)
PERIOD = Period(datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 4, tzinfo=UTC))


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch):
    waits = []
    monkeypatch.setattr(_http, "_pause", waits.append)
    return waits


def bucket(day, *results):
    return {
        "starting_at": f"{day}T00:00:00Z",
        "ending_at": f"{day + timedelta(days=1)}T00:00:00Z",
        "results": list(results),
    }


def anthropic_usage(**counts):
    return {
        "uncached_input_tokens": counts.get("input", 0),
        "cache_creation": {
            "ephemeral_1h_input_tokens": counts.get("hour", 0),
            "ephemeral_5m_input_tokens": counts.get("five", 0),
        },
        "cache_read_input_tokens": counts.get("read", 0),
        "output_tokens": counts.get("output", 0),
        "server_tool_use": {"web_search_requests": 0},
        "model": counts.get("model", "claude-sonnet-4-5-20250929"),
        "workspace_id": counts.get("workspace"),
        "api_key_id": None,
        "service_tier": None,
        "context_window": None,
    }


def anthropic_cost(cents, token_type=None, cost_type="tokens", workspace=None):
    return {
        "currency": "USD",
        "amount": cents,
        "workspace_id": workspace,
        "description": "words",
        "cost_type": cost_type,
        "context_window": None,
        "model": "claude-sonnet-4-5-20250929" if cost_type == "tokens" else None,
        "service_tier": "standard",
        "token_type": token_type,
    }


def anthropic(usage, costs):
    def answer(path, asked):
        return paged(usage if path.endswith("/usage_report/messages") else costs, asked)

    return answer


# A day of one million fresh tokens, two million read, half a million written, 100,000 out, and ten searches:
# 3 + 2 x 0.3 + 0.5 x 3.75 + 0.1 x 15 = 6.975 dollars, and 10 cents.
FULL_DAY = [
    anthropic_cost("300.0", "uncached_input_tokens"),
    anthropic_cost("60", "cache_read_input_tokens"),
    anthropic_cost("187.5", "cache_creation.ephemeral_5m_input_tokens"),
    anthropic_cost("150.00", "output_tokens"),
    anthropic_cost("10", cost_type="web_search"),
]
FULL_USAGE = anthropic_usage(input=1_000_000, read=2_000_000, five=500_000, output=100_000)


def test_anthropic_amounts_are_cents(tmp_path):
    """`"300.0"` is three dollars and not three hundred, and `"187.5"` keeps its half cent."""
    with serving(anthropic([bucket(FIRST, FULL_USAGE)], [bucket(FIRST, *FULL_DAY)])) as admin:
        bill = AnthropicBill().read(FIRST, LAST, KEY, admin.url)

    assert {charge.kind: charge.usd for charge in bill.charges} == {
        "input": Decimal(3),
        "cache_read": Decimal("0.6"),
        "cache_write": Decimal("1.875"),
        "output": Decimal("1.5"),
        "other": Decimal("0.1"),
    }


def test_anthropic_pages_and_empty_days_are_read():
    """Five days on three pages, one of them empty: every bucket counts once."""
    days = [FIRST + timedelta(days=number) for number in range(5)]
    usage = [
        bucket(day, *([anthropic_usage(input=10)] if number != 2 else [])) for number, day in enumerate(days)
    ]

    with serving(anthropic(usage, [])) as admin:
        bill = AnthropicBill().read(FIRST, days[-1], KEY, admin.url)

    assert [used.day for used in bill.used] == [day for number, day in enumerate(days) if number != 2]
    assert [asked.get("page") for path, asked, _ in admin.requests if "usage_report" in path] == [
        None,
        ["page_2"],
        ["page_4"],
    ]


def test_anthropic_is_asked_for_what_its_documentation_says():
    """Days, groups, version and key go where the Admin API wants them."""
    with serving(anthropic([], [])) as admin:
        AnthropicBill().read(FIRST, LAST, KEY, admin.url)

    (usage, asked, headers), (cost, asked_cost, _) = admin.requests
    assert (usage, cost) == ("/v1/organizations/usage_report/messages", "/v1/organizations/cost_report")
    assert asked["starting_at"] == ["2026-11-01T00:00:00Z"]
    assert asked["ending_at"] == ["2026-11-03T00:00:00Z"]
    assert asked["group_by[]"] == ["workspace_id", "model"]
    assert asked_cost["group_by[]"] == ["workspace_id", "description"]
    assert (headers["x-api-key"], headers["anthropic-version"]) == (KEY, "2023-06-01")


def test_the_analytics_route_is_read_row_by_row():
    """The newer route has a row for each group, its amounts in cents too, and wants its beta header."""
    span = {"starting_at": "2026-11-01T00:00:00Z", "ending_at": "2026-11-02T00:00:00Z"}
    usage = [
        {
            **span,
            "group": {"model": "m", "workspace_id": "w"},
            "usage": {**anthropic_usage(input=7, hour=5), "total_tokens": 12},
        }
    ]
    group = {"model": "m", "workspace_id": "w", "cost_type": "tokens", "token_type": "uncached_input_tokens"}
    costs = [
        {
            **span,
            "group": group,
            "cost": {"amount": "123.45", "list_amount": "150", "currency": "USD", "requests": None},
        }
    ]

    with serving(lambda path, asked: paged(usage if path.endswith("usage") else costs, asked)) as admin:
        bill = AnthropicBill("analytics").read(FIRST, LAST, KEY, admin.url)

    assert bill.used == [Used(FIRST, "m", "input", 7, "w"), Used(FIRST, "m", "cache_write", 5, "w")]
    assert bill.charges == [Charge(FIRST, "m", "input", Decimal("1.2345"), "w")]
    assert admin.requests[0][2]["anthropic-beta"] == "analytics-usage-cost-2026-08-24"


def openai_bucket(day, *results):
    start = int(datetime.combine(day, datetime.min.time(), UTC).timestamp())
    return {"object": "bucket", "start_time": start, "end_time": start + 86_400, "results": list(results)}


def openai_cost(value, line_item, project=None):
    return {
        "object": "organization.costs.result",
        "amount": {"value": value, "currency": "usd"},
        "line_item": line_item,
        "project_id": project,
        "quantity": None,
        "quantity_unit": None,
    }


def openai(usage, costs):
    def answer(path, asked):
        if path.endswith("/costs"):
            return paged(costs, asked)
        return paged(usage if path.endswith("/completions") else [], asked)

    return answer


def test_openai_input_includes_its_parts():
    """1,000 input tokens of which 600 were cached and 100 written are 300 fresh ones."""
    usage = {
        "object": "organization.usage.completions.result",
        "input_tokens": 1000,
        "input_cached_tokens": 600,
        "input_cache_write_tokens": None,
        "input_cache_write_30m_tokens": 60,
        "input_cache_write_12h_tokens": 40,
        "output_tokens": 50,
        "num_model_requests": 3,
        "model": "gpt-5-2025-08-07",
        "project_id": "proj_1",
    }

    with serving(openai([openai_bucket(FIRST, usage)], [])) as admin:
        bill = OpenAIBill().read(FIRST, LAST, KEY, f"{admin.url}/v1")

    assert {used.kind: used.tokens for used in bill.used} == {
        "input": 300,
        "cache_read": 600,
        "cache_write": 100,
        "output": 50,
    }
    assert {used.account for used in bill.used} == {"proj_1"}
    assert admin.requests[0][2]["authorization"] == f"Bearer {KEY}"
    assert admin.requests[0][1]["start_time"] == ["1793491200"]


def test_openai_amounts_are_dollars_read_from_their_text():
    """0.06 is six cents exactly and not the nearest binary fraction; line items say model and kind, or neither."""
    costs = openai_bucket(
        FIRST,
        openai_cost(0.06, "gpt-5-2025-08-07, input_tokens"),
        openai_cost(0.1, "gpt-5-2025-08-07, cached input"),
        openai_cost(0.2, "gpt-5-2025-08-07, output_tokens"),
        openai_cost(0.3, "gpt-5-2025-08-07, cache_write_tokens"),
        openai_cost(0.4, "web search tool calls"),
        openai_cost(1e-06, None),
    )

    with serving(openai([], [costs])) as admin:
        bill = OpenAIBill().read(FIRST, LAST, KEY, f"{admin.url}/v1")

    assert [(charge.model, charge.kind, charge.usd) for charge in bill.charges] == [
        ("gpt-5-2025-08-07", "input", Decimal("0.06")),
        ("gpt-5-2025-08-07", "cache_read", Decimal("0.1")),
        ("gpt-5-2025-08-07", "output", Decimal("0.2")),
        ("gpt-5-2025-08-07", "cache_write", Decimal("0.3")),
        ("", "other", Decimal("0.4")),
        ("", "other", Decimal("0.000001")),
    ]


def test_openai_parts_of_an_amount_may_be_null():
    """The documented type says so: an amount without a currency is in dollars, one without a value charges nothing."""
    nameless, empty = openai_cost(0.06, "gpt-5, output"), openai_cost(None, "gpt-5, output")
    nameless["amount"]["currency"] = None

    with serving(openai([], [openai_bucket(FIRST, nameless, empty)])) as admin:
        bill = OpenAIBill().read(FIRST, LAST, KEY, f"{admin.url}/v1")

    assert [charge.usd for charge in bill.charges] == [Decimal("0.06")]


@pytest.mark.parametrize("amount", ["NaN", "Infinity", "", "12 USD", None])
def test_an_amount_that_is_no_number_is_an_error_and_no_sum(amount):
    """A report of another shape is said, whichever vendor's."""
    ours = anthropic([], [bucket(FIRST, anthropic_cost(amount, "output_tokens"))])
    theirs = openai([], [openai_bucket(FIRST, openai_cost("NaN" if amount is None else amount, None))])

    with serving(ours) as admin, pytest.raises(UnavailableError, match="a shape that this version"):
        AnthropicBill().read(FIRST, LAST, KEY, admin.url)
    with serving(theirs) as admin, pytest.raises(UnavailableError, match="a shape that this version"):
        OpenAIBill().read(FIRST, LAST, KEY, f"{admin.url}/v1")


@pytest.mark.parametrize(
    "address", ["ftp://vendor", "vendor", "http://[::1/", "http://vendor:99999", "http://a:9 9/"]
)
def test_an_address_that_is_none_is_wrong_input(address):
    """It is not the vendor who does not answer."""
    for reader in (AnthropicBill(), AnthropicBill("analytics"), OpenAIBill()):
        with pytest.raises(ConfigurationError, match="is no address: say http"):
            reader.read(FIRST, LAST, KEY, address)


def test_keys_are_told_apart_where_a_mapping_names_them():
    """OpenAI's usage and costs, and Anthropic's newer route, are then grouped by key too; a key goes before its project."""
    used = {"input_tokens": 10, "output_tokens": 0, "model": "gpt-5", "project_id": "proj_1"}
    usage = openai_bucket(FIRST, used | {"api_key_id": "key_a"}, used | {"api_key_id": "key_b"})
    costs = openai_bucket(
        FIRST,
        openai_cost(3.0, "gpt-5, input", "proj_1") | {"api_key_id": "key_a"},
        openai_cost(4.0, "gpt-5, input", "proj_1") | {"api_key_id": "key_b"},
    )
    ours = Side(
        {("2026-11-01", "gpt-5", "input", "search"): 10, ("2026-11-01", "gpt-5", "input", "documents"): 5},
        {("2026-11-01", "gpt-5", "input", "search"): Decimal(3), ("2026-11-01", "gpt-5", "input", "documents"): Decimal(2)},
    )  # fmt: skip

    with serving(openai([usage], [costs])) as admin:
        bill = OpenAIBill(by_key=True).read(FIRST, LAST, KEY, f"{admin.url}/v1")
    found = reconcile(
        bill, ours, "openai", PERIOD, lambda model, _: model, {"key_a": "search", "proj_1": "documents"}
    )

    assert all(asked["group_by"][-1] == "api_key_id" for _, asked, _ in admin.requests)
    assert {team: (one.billed_usd, one.coverage) for team, one in found.by_team.items()} == {
        "documents": (Decimal(4), Decimal("0.5")),
        "search": (Decimal(3), Decimal(1)),
    }
    with serving(lambda path, asked: paged([], asked)) as admin:
        AnthropicBill("analytics", by_key=True).read(FIRST, LAST, KEY, admin.url)
    assert all("api_key_id" in asked["group_by[]"] for _, asked, _ in admin.requests)


def test_a_refused_key_is_said_and_not_shown():
    """A 403 names the variable of the admin key, the vendor's words, and not the key."""

    def answer(path, asked):
        return 403, {"error": {"type": "permission_error", "message": "This key may not."}}, {}

    with (
        serving(answer) as admin,
        pytest.raises(UnavailableError, match=r"403 \(This key may not.\).*ANTHROPIC_ADMIN_KEY") as caught,
    ):
        AnthropicBill().read(FIRST, LAST, KEY, admin.url)

    assert KEY not in str(caught.value)


def test_a_busy_vendor_is_asked_again(_no_waiting):
    """A 429 waits as long as the vendor says, a 500 as long as we think, and then the answer counts."""
    answers = [(429, {"error": "slow"}, {"Retry-After": "7"}), (500, b"oops", {})]

    def answer(path, asked):
        return answers.pop(0) if answers else (200, {"data": [], "has_more": False, "next_page": None}, {})

    with serving(answer) as admin:
        AnthropicBill().read(FIRST, LAST, KEY, admin.url)

    assert _no_waiting == [7.0, 2.0]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ((429, {}, {}), "429"),
        ((302, b"", {"Location": "http://127.0.0.1:9/elsewhere"}), "302"),
        ((200, b"<html>", {}), "no JSON"),
        ((200, {"data": "words"}, {}), "something else than a report"),
        (
            (200, {"data": [{"starting_at": "2026-11-01T00:00:00Z", "results": [{}]}]}, {}),
            "a shape that this version does not know",
        ),
        ((200, {"data": [], "has_more": True, "next_page": "page_1"}, {}), "its own next one"),
    ],
)
def test_what_is_no_report_is_an_error_and_no_zero(answer, message):
    """An answer that cannot be read is never taken for a day without charges, and a key follows no redirect."""
    with serving(lambda path, asked: answer) as admin, pytest.raises(UnavailableError, match=message):
        AnthropicBill().read(FIRST, LAST, KEY, admin.url)


def test_days_are_asked_for_31_at_a_time():
    """Both vendors answer at most 31 days in one query."""
    assert list(windows(date(2026, 10, 1), date(2026, 12, 5))) == [
        (date(2026, 10, 1), date(2026, 11, 1)),
        (date(2026, 11, 1), date(2026, 12, 2)),
        (date(2026, 12, 2), date(2026, 12, 5)),
    ]


def test_bills_are_of_whole_days_that_are_over():
    """Parts of days and days to come are wrong input; a day that has just ended is doubtful."""
    now = datetime(2026, 11, 4, 1, tzinfo=UTC)

    assert days_of(PERIOD, now=now) == (date(2026, 11, 1), date(2026, 11, 4))
    assert late(date(2026, 11, 4), now=now)
    assert not late(date(2026, 11, 3), now=now)
    with pytest.raises(ConfigurationError, match="whole UTC days"):
        days_of(Period(PERIOD.since, PERIOD.until - timedelta(hours=1)), now=now)
    with pytest.raises(ConfigurationError, match="not over"):
        days_of(PERIOD, now=datetime(2026, 11, 3, tzinfo=UTC))


def compared(billed, ours):
    """`billed` and `ours`: (tokens, dollars) by kind, of one day and model."""
    bill = Bill()
    for kind, (tokens, dollars) in billed.items():
        if tokens:
            bill.used.append(Used(FIRST, "m", kind, tokens))
        bill.charges.append(Charge(FIRST, "m", kind, Decimal(dollars)))
    cells = {(str(FIRST), "m", kind, "t"): values for kind, values in ours.items()}
    side = Side(
        {cell: tokens for cell, (tokens, _) in cells.items() if tokens},
        {cell: Decimal(dollars) for cell, (_, dollars) in cells.items()},
    )
    return reconcile(bill, side, "anthropic", PERIOD, lambda model, day: model)


def test_missed_calls_are_told_from_wrong_prices():
    """
    The vendor: 1,000 tokens in for 4 dollars, 100 out for 2, searches for 1; we: 750 in at 3 dollars a thousand, all out, no search.

    Seen is 3 + 2 of 6, so 1 dollar was missed; what we saw we priced 2.25 + 2 instead of 5, 0.75 too low; 1 has no tokens.
    """
    found = compared(
        {"input": (1000, "4"), "output": (100, "2"), "other": (0, "1")},
        {"input": (750, "2.25"), "output": (100, "2")},
    ).total

    assert (found.seen_usd, found.missed_usd, found.price_usd, found.other_usd) == (5, 1, Decimal("0.75"), 1)
    assert found.coverage == Decimal(5) / 6
    assert found.price_error == Decimal("-0.15")
    assert found.billed_usd - found.recorded_usd == found.missed_usd + found.price_usd + found.other_usd


def test_more_records_than_bill_is_a_coverage_above_one():
    """What nobody billed is valued at our own price and is negative in what was missed."""
    found = compared({"input": (1000, "3")}, {"input": (1000, "3"), "output": (100, "1.5")})

    assert found.total.missed_usd == Decimal("-1.5")
    assert found.total.coverage == Decimal("1.5")
    assert found.outside(Decimal("0.02")) == ["coverage is 150.00%"]


def test_a_bill_that_agrees_is_confirmed():
    """Within the tolerance nothing is told."""
    found = compared({"input": (1000, "3.00")}, {"input": (990, "2.97")})

    assert found.outside(Decimal("0.02")) == []
    assert found.outside(Decimal("0.005")) == ["coverage is 99.00%"]


def test_models_that_cancel_out_confirm_nothing():
    """Of two models at a dollar each for 100 tokens, one was recorded by half and the other half too much, 1 dollar in all."""
    one, two = ("2026-11-01", "one", "input", ""), ("2026-11-01", "two", "input", "")
    bill = Bill(
        [Used(FIRST, model, "input", 100) for model in ("one", "two")],
        [Charge(FIRST, model, "input", Decimal(1)) for model in ("one", "two")],
    )
    missed = Side({one: 50, two: 150}, {one: Decimal("0.5"), two: Decimal("1.5")})
    mispriced = Side({one: 100, two: 100}, {one: Decimal("0.5"), two: Decimal("1.5")})

    def outside(ours):
        return reconcile(bill, ours, "anthropic", PERIOD, lambda model, _: model).outside(Decimal("0.02"))

    assert outside(missed) == ["coverage is right in total and not by model: 50.00% cancel out"]
    assert outside(mispriced) == ["price error is right in total and not by model: 50.00% cancel out"]


# The command.


def a_day(input_tokens=1_000_000):
    lines = (
        CostLine(
            "input",
            input_tokens,
            Decimal("0.000003"),
            input_tokens * Decimal("0.000003"),
            "claude-sonnet-4-5",
        ),
        CostLine("cache_read", 2_000_000, Decimal("0.0000003"), Decimal("0.6"), "claude-sonnet-4-5"),
        CostLine("cache_write_5m", 500_000, Decimal("0.00000375"), Decimal("1.875"), "claude-sonnet-4-5"),
        CostLine("output", 100_000, Decimal("0.000015"), Decimal("1.5"), "claude-sonnet-4-5"),
        CostLine("web_search", 10, Decimal("0.01"), Decimal("0.1"), "claude-sonnet-4-5"),
    )
    total = sum(line.amount_usd for line in lines)
    return a_record(
        started_at=datetime(2026, 11, 1, 12, tzinfo=UTC),
        usage=Usage((Pass({line.unit: line.quantity for line in lines}),)),
        cost=Cost("exact", total, total, "claude-sonnet-4-5", lines),
    )


def run(admin, ledger, *more, env=None):
    arguments = [
        str(ledger),
        "--vendor",
        "anthropic",
        "--since",
        "2026-11-01",
        "--until",
        "2026-11-03",
        "--base-url",
        admin.url,
        *more,
    ]
    return CliRunner().invoke(command, arguments, env={"ANTHROPIC_ADMIN_KEY": KEY} | (env or {}))


def test_a_confirmed_bill_exits_0(tmp_path):
    """The ledger has the same tokens and dollars as the bill, under the vendor's dated name of the model."""
    LedgerSink(tmp_path / "ledger")(a_day())

    with serving(anthropic([bucket(FIRST, FULL_USAGE)], [bucket(FIRST, *FULL_DAY)])) as admin:
        result = run(admin, tmp_path / "ledger", "--json", "--textfile", str(tmp_path / "bill.prom"))

    found = json.loads(result.stdout)
    assert result.exit_code == 0, result.output
    assert found["confirmed"] is True
    assert found["total"]["billed_usd"] == found["total"]["recorded_usd"] == "7.075"
    assert found["total"]["coverage"] == 1.0
    assert found["by_model"]["claude-sonnet-4-5"]["recorded_tokens"] == 3_600_000
    assert (
        'ai_inference_bill_coverage_ratio{vendor="anthropic"} 1.0\n' in (tmp_path / "bill.prom").read_text()
    )
    assert KEY not in result.output


def test_a_bill_with_calls_that_were_not_seen_exits_1(tmp_path):
    """Half of the fresh input is missing: 1.50 of 6.975 dollars was not seen, and the table says which model and day."""
    LedgerSink(tmp_path / "ledger")(a_day(500_000))

    with serving(anthropic([bucket(FIRST, FULL_USAGE)], [bucket(FIRST, *FULL_DAY)])) as admin:
        result = run(admin, tmp_path / "ledger")

    assert result.exit_code == 1
    assert "outside 2%: coverage is 78.49%" in result.stdout
    assert "1.50" in result.stdout
    assert "calls outside the wrapper" in result.stdout
    assert "2026-11-01" in result.stdout


def test_teams_are_compared_where_a_mapping_names_them(tmp_path):
    """A workspace of a team is that team's part of the bill; workspaces that nobody mapped are named."""
    LedgerSink(tmp_path / "ledger")(a_day())
    (tmp_path / "map.toml").write_text('[accounts]\nwrkspc_1 = "documents"\n')
    usage = [
        bucket(
            FIRST,
            FULL_USAGE | {"workspace_id": "wrkspc_1"},
            anthropic_usage(input=1000, workspace="wrkspc_2"),
        )
    ]
    costs = [bucket(FIRST, *(row | {"workspace_id": "wrkspc_1"} for row in FULL_DAY))]

    with serving(anthropic(usage, costs)) as admin:
        result = run(admin, tmp_path / "ledger", "--json", "--mapping", str(tmp_path / "map.toml"))

    found = json.loads(result.stdout)
    assert found["by_team"]["documents"]["billed_usd"] == "7.075"
    assert found["by_team"]["documents"]["coverage"] == 1.0
    assert any("wrkspc_2" in note for note in found["notes"])


def test_other_sellers_are_not_on_this_bill(tmp_path):
    """A call through Bedrock is on Amazon's bill."""
    sink = LedgerSink(tmp_path / "ledger")
    sink(a_day())
    sink(a_record(provider="bedrock", started_at=datetime(2026, 11, 1, 12, tzinfo=UTC)))

    with serving(anthropic([bucket(FIRST, FULL_USAGE)], [bucket(FIRST, *FULL_DAY)])) as admin:
        result = run(admin, tmp_path / "ledger", "--json")

    assert json.loads(result.stdout)["total"]["recorded_usd"] == "7.075"


def test_a_vendor_that_refuses_exits_3(tmp_path):
    """What cannot be read is incomplete and no confirmed bill; the key is nowhere."""
    LedgerSink(tmp_path / "ledger")(a_day())

    with serving(lambda path, asked: (403, {"error": {"message": "no"}}, {})) as admin:
        result = run(admin, tmp_path / "ledger")

    assert result.exit_code == 3
    assert "Traceback" not in result.output
    assert KEY not in result.output


@pytest.mark.parametrize(
    ("more", "env", "message"),
    [
        ((), {"ANTHROPIC_ADMIN_KEY": ""}, "set ANTHROPIC_ADMIN_KEY"),
        (("--tolerance", "much"), {}, "say 2% or 0.02"),
        (("--since", "24h", "--until", "now"), {}, "whole UTC days"),
        (("--mapping", "nowhere.toml"), {}, "nowhere.toml"),
        ((), {"ANTHROPIC_ADMIN_KEY": f"{KEY}\nX-Other: 1"}, "a character that no key has"),
        ((), {"ANTHROPIC_ADMIN_KEY": f"{KEY}\u201d"}, "a character that no key has"),
        (("--base-url", "ftp://vendor"), {}, "is no address"),
        (("--mapping", "KEYS"), {}, "say --route analytics"),
    ],
)
def test_wrong_input_exits_2(tmp_path, more, env, message):
    """Each fault is one line that says what to do; the key is in none."""
    LedgerSink(tmp_path / "ledger")(a_day())
    (tmp_path / "KEYS").write_text('[accounts]\napikey_1 = "documents"\n')
    more = [str(tmp_path / word) if word == "KEYS" else word for word in more]

    with serving(lambda path, asked: (500, {}, {})) as admin:
        result = run(admin, tmp_path / "ledger", *more, env=env)

    assert result.exit_code == 2
    assert message in result.output
    assert "Traceback" not in result.output
    assert KEY not in result.output


def test_the_gauges_are_those_that_are_defined(tmp_path):
    """Names, types and helps in the file are the table's."""
    prometheus_client = pytest.importorskip("prometheus_client.parser")
    LedgerSink(tmp_path / "ledger")(a_day())
    with serving(anthropic([bucket(FIRST, FULL_USAGE)], [bucket(FIRST, *FULL_DAY)])) as admin:
        run(admin, tmp_path / "ledger", "--textfile", str(tmp_path / "bill.prom"))

    families = list(prometheus_client.text_string_to_metric_families((tmp_path / "bill.prom").read_text()))

    assert [(one.name, one.type, one.documentation) for one in families] == [
        (one.name, one.kind, one.help) for one in BILL_METRICS
    ]
