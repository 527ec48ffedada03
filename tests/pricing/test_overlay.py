"""What a user lays over the bundled prices, and what is said of a wrong file."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal as D
from pathlib import Path

import pytest

from tests.pricing.calls import NOON, chat, claude, gpt
from tracked_inference.errors import ConfigurationError, PriceTableError
from tracked_inference.pricing import PriceTable

FULL = """
assume_snapshots = true

[[models]]
provider = "openai"
model = "gpt-7"
aliases = ["gpt-7-2027-01-01"]
effective_from = 2026-01-01
source = "offer of 2026-10-02"
per_million = { input = "3", cache_read = "0.3", output = 15.5 }
per_thousand = { web_search = "12" }
above = [{ input_tokens = 100_000, per_million = { input = "6", output = "20" } }]

[[self_hosted]]
model = "llama-4"
usd_per_gpu_hour = "2.50"
gpus = 2
tokens_per_hour = 1_000_000

[[discounts]]
name = "commitment"
percent = "12.5"
provider = "openai"
effective_from = 2026-06-01

[azure_deployments]
chat-prod = { model = "gpt-4o-mini", type = "data_zone" }
embeddings = "text-embedding-3-small"

[base_urls]
"https://llm.example.com/v1" = "local"
"https://gateway.example.com/azure" = { provider = "azure", region = "global" }
"""


@pytest.fixture
def full(tmp_path: Path) -> PriceTable:
    file = tmp_path / "prices.toml"
    file.write_text(FULL)
    return PriceTable.bundled().with_overlay(file)


def test_an_added_model_has_its_price_and_the_rules(full):
    """A model of the user's own is matched by its names, has its cliff and the factors of its seller."""
    short = gpt(
        "gpt-7-2027-01-01",
        chat(1000, 1000, cached_tokens=500),
        table=full,
        at=datetime(2026, 2, 1, tzinfo=UTC),
    )
    long = gpt("gpt-7", chat(100_001, 0), table=full, at=datetime(2026, 2, 1, tzinfo=UTC))
    batch = gpt("gpt-7", chat(1000, 0), table=full, at=datetime(2026, 2, 1, tzinfo=UTC), batch=True)

    assert short.total_usd == D("0.01715")  # 500 x 3 + 500 x 0.3 + 1000 x 15.5
    assert long.total_usd == D("0.600006")
    assert batch.total_usd == D("0.0015")
    assert short.model == "gpt-7"


def test_a_price_holds_only_while_it_is_in_force(full):
    """Before its first day the model has no price."""
    cost = gpt("gpt-7", chat(1000, 0), table=full, at=datetime(2025, 12, 31, tzinfo=UTC))

    assert (cost.total_usd, cost.status) == (None, "unpriced")


def test_a_discount_leaves_list_and_net_price(full):
    """Both prices stand on the cost, and each line names the discount."""
    cost = gpt("gpt-6-sol", chat(1000, 1000), table=full)

    assert (cost.list_usd, cost.total_usd) == (D("0.012"), D("0.0105"))
    assert {line.rules for line in cost.lines} == {("discount:commitment",)}
    assert {line.rate_usd for line in cost.lines} == {D("0.000002"), D("0.00001")}  # before the discount


def test_a_discount_has_its_days_and_its_seller(full):
    """Earlier calls and other sellers pay the list price."""
    before = gpt("gpt-4o", chat(1000, 0), table=full, at=datetime(2026, 5, 31, 23, tzinfo=UTC))
    other = claude("claude-haiku-4-5", {"input_tokens": 1000, "output_tokens": 0}, table=full)

    assert before.total_usd == before.list_usd == D("0.0025")
    assert other.total_usd == other.list_usd == D("0.001")


def test_the_most_specific_discount_holds_alone():
    """Discounts do not stack: that of a unit beats that of a model, which beats that of a seller."""
    table = PriceTable.bundled().with_overlay(
        {
            "discounts": [
                {"percent": 10},
                {"percent": 20, "provider": "anthropic"},
                {"percent": 30, "model": "claude-opus-5"},
                {"percent": 50, "unit": "output"},
            ]
        }
    )

    opus = claude("claude-opus-5", {"input_tokens": 1000, "output_tokens": 1000}, table=table)
    haiku = claude("claude-haiku-4-5", {"input_tokens": 1000, "output_tokens": 0}, table=table)

    assert opus.total_usd == D("0.016")  # 5000 x 0.7 + 25000 x 0.5
    assert haiku.total_usd == D("0.0008")


@pytest.mark.parametrize(
    ("provider", "model", "called"),
    [
        ("anthropic", "claude-haiku-4-5-20251001", "claude-haiku-4-5"),
        ("anthropic", "Claude-Haiku-4-5", "claude-haiku-4-5-20251001"),
        ("bedrock", "claude-haiku-4-5", "global.anthropic.claude-haiku-4-5-20251001-v1:0"),
        ("foundry", "claude-haiku-4-5-latest", "claude-haiku-4-5"),
        ("tenant", "house-model", "house-model"),
    ],
)
def test_a_discount_knows_its_model_by_any_of_its_names(provider, model, called):
    """What stands in the overlay is the name that somebody knows: an alias, a snapshot, a model of the same overlay."""
    own = {"provider": "tenant", "model": "house-model", "per_million": {"input": 1}}
    discount = {"percent": 50, "provider": provider, "model": model}
    table = PriceTable.bundled().with_overlay({"models": [own], "discounts": [discount]})

    cost = claude(called, {"input_tokens": 1000, "output_tokens": 0}, provider=provider, table=table)

    assert (cost.list_usd, cost.total_usd) == (D("0.001"), D("0.0005"))


def test_a_discount_on_tokens_spares_the_fees():
    """`tokens` and `fees` name all units of a kind."""
    table = PriceTable.bundled().with_overlay({"discounts": [{"percent": 50, "unit": "tokens"}]})
    usage = {"input_tokens": 1000, "output_tokens": 0, "server_tool_use": {"web_search_requests": 1}}

    assert claude("claude-haiku-4-5", usage, table=table).total_usd == D("0.0105")


def test_a_machine_of_ones_own_costs_its_hours_over_its_tokens(full):
    """Two GPUs at 2.50 an hour that do a million tokens in it: 5 USD per million, as an estimate."""
    cost = gpt("llama-4", chat(600, 400), provider="local", table=full)

    assert (cost.total_usd, cost.status) == (D("0.005"), "estimated")
    assert (cost.model, cost.reasons) == ("local/llama-4", ("self_hosted_rate",))
    assert gpt("other", chat(1, 1), provider="local", table=full).status == "free"


def test_azure_deployments_are_models(full):
    """A deployment's name stands for its model, and its type settles the price."""
    answered = gpt(
        "gpt-4o-mini-2024-07-18", chat(1000, 0), provider="azure", requested="chat-prod", table=full
    )
    unnamed = gpt(
        None,
        {"prompt_tokens": 1000, "total_tokens": 1000},
        operation="embeddings",
        provider="azure",
        requested="embeddings",
        table=full,
    )

    assert (answered.total_usd, answered.status) == (D("0.000165"), "exact")
    assert unnamed.total_usd == D("0.00002")
    assert unnamed.model == "azure/text-embedding-3-small"


def test_a_base_url_has_the_seller_that_the_user_says(full):
    """The user's map comes first, with or without a path; what is in no map is unknown."""
    assert full.provider_for("https://llm.example.com/v1/") == "local"
    assert full.provider_for("https://gateway.example.com/azure/openai") == "azure"
    assert full.region_for("https://gateway.example.com/azure/openai") == "global"
    assert full.provider_for("https://gateway.example.com/other") is None
    assert full.provider_for("https://api.openai.com/v1") == "openai"


def test_an_unlisted_snapshot_has_a_price_only_on_request(full):
    """`assume_snapshots` takes a snapshot at its model's price, and the cost says so."""
    without = gpt("gpt-4.1-2026-01-01", chat(1000, 0))
    with_it = gpt("gpt-4.1-2026-01-01", chat(1000, 0), table=full, at=datetime(2026, 5, 1, tzinfo=UTC))

    assert without.status == "unpriced"
    assert (with_it.total_usd, with_it.status, with_it.reasons) == (
        D("0.002"),
        "estimated",
        ("assumed_alias",),
    )


def test_an_overlay_changes_version_and_hash_and_not_the_table_below(full):
    """Every layer is in the hash; the bundled table stays what it is."""
    bundled = PriceTable.bundled()
    same = PriceTable.bundled().with_overlay({"discounts": [{"percent": 1}]})
    again = PriceTable.bundled().with_overlay({"discounts": [{"percent": 1}]})
    other = PriceTable.bundled().with_overlay({"discounts": [{"percent": 2}]})

    assert len({table.sha256 for table in (bundled, full, same, other)}) == 4
    assert same.sha256 == again.sha256
    assert same.version.startswith(f"{bundled.version}+")
    assert not bundled.knows("openai", "gpt-7", NOON)


def test_layers_lie_over_each_other(full):
    """Code over file over bundled: the last layer's price of a model holds."""
    table = full.with_overlay(
        {"models": [{"provider": "openai", "model": "gpt-7", "per_million": {"input": "1", "output": "1"}}]}
    )

    assert gpt("gpt-7", chat(1000, 0), table=table).list_usd == D("0.001")
    assert len(table.layers) == 2


def test_a_price_of_ones_own_replaces_the_list_price():
    """A negotiated rate for a known model holds for its tokens; its fees stay."""
    table = PriceTable.bundled().with_overlay(
        {
            "models": [
                {
                    "provider": "anthropic",
                    "model": "claude-haiku-4-5",
                    "per_million": {"input": "0.5", "output": "2"},
                }
            ]
        }
    )
    usage = {"input_tokens": 1000, "output_tokens": 1000, "server_tool_use": {"web_search_requests": 1}}

    assert claude("claude-haiku-4-5-20251001", usage, table=table).total_usd == D("0.0125")


def test_the_default_table_reads_the_file_that_the_environment_names(tmp_path, monkeypatch):
    """`TRACKED_INFERENCE_PRICES` names the overlay of the process."""
    file = tmp_path / "prices.json"
    file.write_text(json.dumps({"discounts": [{"percent": 100}]}))
    monkeypatch.setenv("TRACKED_INFERENCE_PRICES", str(file))

    cost = gpt("gpt-4o", chat(1000, 0), table=PriceTable.default())

    assert (cost.total_usd, cost.list_usd, cost.status) == (D(0), D("0.0025"), "free")
    assert PriceTable.default() is PriceTable.default()
    monkeypatch.delenv("TRACKED_INFERENCE_PRICES")
    assert PriceTable.default() is PriceTable.bundled()


WRONG = [
    ({"model": []}, "model: is not a key that is known here; did you mean 'models'?"),
    ({"models": {}}, "models: is no list of tables; write [[models]]"),
    ({"models": [{"model": "x", "per_million": {"input": 1}}]}, "models[0].provider: missing"),
    ({"models": [{"provider": "p", "model": "x"}]}, "models[0]: no rate; add per_million"),
    (
        {"models": [{"provider": "p", "model": "x", "per_million": {"imput": 1}}]},
        "models[0].per_million.imput: 'imput' is no unit that is sold so; did you mean 'input'?",
    ),
    (
        {"models": [{"provider": "p", "model": "x", "per_million": {"web_search": 1}}]},
        "models[0].per_million.web_search: 'web_search' is no unit that is sold so",
    ),
    (
        {"models": [{"provider": "p", "model": "x", "per_million": {"input": "-1"}}]},
        "models[0].per_million.input: -1 is no price; prices are finite and not negative",
    ),
    (
        {"models": [{"provider": "p", "model": "x", "per_million": {"input": float("nan")}}]},
        "models[0].per_million.input: nan is no price",
    ),
    (
        {"models": [{"provider": "p", "model": "x", "per_million": {"input": "two"}}]},
        "models[0].per_million.input: 'two' is no number; write a decimal",
    ),
    (
        {"models": [{"provider": "p", "model": "x", "per_million": {"input": 10_000_000}}]},
        "models[0].per_million.input: 10000000 is above 1,000,000; check the unit",
    ),
    (
        {"models": [{"provider": "p", "model": "x", "per_million": {"input": 1}, "effective_from": "soon"}]},
        "models[0].effective_from: 'soon' is no date; write 2026-12-01",
    ),
    (
        {
            "models": [
                {
                    "provider": "p",
                    "model": "x",
                    "per_million": {"input": 1},
                    "effective_from": "2026-02-01",
                    "effective_to": "2026-01-01",
                }
            ]
        },
        "models[0].effective_to: not after effective_from",
    ),
    (
        {"models": [{"provider": "p", "model": "x", "per_million": {"input": 1}}] * 2},
        "models: p x: two rows hold at the same time; close the older one with effective_to",
    ),
    (
        {"models": [{"provider": "p", "model": "x", "per_million": {"input": 1}, "aliases": "y"}]},
        "models[0].aliases: 'y' is no list of names",
    ),
    (
        {
            "models": [
                {"provider": "p", "model": "x", "per_million": {"input": 1}, "above": [{"input_tokens": 0}]}
            ]
        },
        "models[0].above[0].input_tokens: 0 is no count of tokens",
    ),
    ({"discounts": [{}]}, "discounts[0].percent: missing; write a decimal"),
    ({"discounts": [{"percent": 101}]}, "discounts[0].percent: 101 is above 100"),
    (
        {"discounts": [{"percent": 1, "unit": "outputs"}]},
        "discounts[0].unit: 'outputs' is no unit; did you mean 'output'?",
    ),
    ({"self_hosted": [{"model": "m", "usd_per_gpu_hour": 1}]}, "self_hosted[0].tokens_per_hour: missing"),
    (
        {"self_hosted": [{"model": "m", "usd_per_gpu_hour": 1, "tokens_per_hour": 0}]},
        "self_hosted[0].tokens_per_hour: not above 0",
    ),
    (
        {"self_hosted": [{"model": "m", "usd_per_gpu_hour": 1, "tokens_per_hour": 1, "aliases": 5}]},
        "self_hosted[0].aliases: 5 is no list of names",
    ),
    (
        {"discounts": [{"percent": 1}, {"percent": 10, "model": "claude-opus-55"}]},
        "discounts[1].model: no model 'claude-opus-55' has a price; did you mean 'claude-opus-5-5'?",
    ),
    (
        {"discounts": [{"percent": 10, "provider": "anthropic", "model": "gpt-4o"}]},
        "discounts[0].model: no model 'gpt-4o' has a price at anthropic",
    ),
    (
        {"discounts": [{"percent": 10, "provider": "opnai"}]},
        "discounts[0].provider: 'opnai' sells nothing here; did you mean 'openai'?",
    ),
    ({"azure_deployments": {"d": 5}}, "azure_deployments.d: 5 names no model"),
    (
        {"azure_deployments": {"d": {"model": "gpt-4o", "type": "zone"}}},
        "azure_deployments.d.type: 'zone' is no type; write one of global, data_zone, regional",
    ),
    ({"base_urls": {"http://x": ""}}, "base_urls.http://x: '' names no provider"),
    ({"base_urls": []}, "base_urls: is no table"),
    ({"assume_snapshots": "yes"}, "assume_snapshots: 'yes' is no boolean; write true or false"),
]


@pytest.mark.parametrize(("content", "said"), WRONG, ids=[said[:40] for _, said in WRONG])
def test_a_wrong_overlay_says_what_where_and_how_to_mend_it(content, said):
    """The message names the key, the fault and the mend."""
    with pytest.raises(PriceTableError) as caught:
        PriceTable.bundled().with_overlay(content)

    assert str(caught.value).startswith(f"mapping: {said}")
    assert isinstance(caught.value, (ConfigurationError, ValueError))


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.toml", "[[models]\n", "line 1"),
        ("a.json", '{\n"models": [\n', "line 3"),
        ("a.json", "[]", "holds no table"),
        ("a.toml", "\xff", "is not TOML"),
        ("a.toml", '[[discounts]]\npercent = "x"\n', "discounts[0].percent: 'x' is no number"),
    ],
)
def test_a_wrong_file_is_named(tmp_path, name, text, said):
    """A file that cannot be read says which file, and where in it."""
    file = tmp_path / name
    file.write_text(text)

    with pytest.raises(PriceTableError) as caught:
        PriceTable.bundled().with_overlay(file)

    assert str(file) in str(caught.value)
    assert said in str(caught.value)


@pytest.mark.parametrize("source", [3, None, ["prices.toml"]], ids=str)
def test_what_is_neither_a_path_nor_a_mapping(source):
    """The error is ours and says what to give."""
    with pytest.raises(PriceTableError, match="an overlay is the path of a TOML or JSON file or"):
        PriceTable.bundled().with_overlay(source)


def test_a_missing_file_is_named(tmp_path):
    """A path that is not there says so, and what is wanted."""
    with pytest.raises(PriceTableError, match=r"cannot read the price file .*nowhere\.toml: No such file"):
        PriceTable.bundled().with_overlay(tmp_path / "nowhere.toml")


def test_a_whole_table_can_lie_under_an_overlay(tmp_path):
    """`table` puts another table file under the overlay; the same file by itself is used as it is."""
    bundled = Path(__file__).parents[2] / "tracked_inference/pricing/data/prices.json"
    content = json.loads(bundled.read_text())
    for row in content["rows"]:
        if row["model"] == "gpt-4o" and not row.get("when"):
            row["rates"]["input"] = "3"
    (tmp_path / "mine.json").write_text(json.dumps(content))
    (tmp_path / "over.toml").write_text('table = "mine.json"\n[[discounts]]\npercent = 50\n')

    alone = PriceTable.bundled().with_overlay(tmp_path / "mine.json")
    under = PriceTable.bundled().with_overlay(tmp_path / "over.toml")

    assert gpt("gpt-4o", chat(1000, 0), table=alone).total_usd == D("0.003")
    assert gpt("gpt-4o", chat(1000, 0), table=under).total_usd == D("0.0015")
    with pytest.raises(PriceTableError, match="another table can only be the first layer"):
        alone.with_overlay({"assume_snapshots": False}).with_overlay(tmp_path / "over.toml")
