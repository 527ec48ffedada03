"""`tracked-inference prices`, as its users call it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("click", reason="the extra [cli] is not installed")
pytest.importorskip("rich", reason="the extra [cli] is not installed")

from click.testing import CliRunner, Result

from tracked_inference.cli.prices import command
from tracked_inference.pricing import PriceTable

DATA = Path(__file__).parents[2] / "tracked_inference" / "pricing" / "data" / "prices.json"
MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-opus-5-5",
    "content": [{"type": "text", "text": "Hi."}],
    "stop_reason": "end_turn",
    "usage": {
        "input_tokens": 1200,
        "cache_creation_input_tokens": 8000,
        "cache_creation": {"ephemeral_5m_input_tokens": 6000, "ephemeral_1h_input_tokens": 2000},
        "cache_read_input_tokens": 40000,
        "output_tokens": 900,
        "server_tool_use": {"web_search_requests": 1, "web_fetch_requests": 0},
        "speed": "fast",
    },
}


def run(*arguments: object) -> Result:
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


@pytest.fixture
def message(tmp_path: Path) -> Path:
    file = tmp_path / "message.json"
    file.write_text(json.dumps(MESSAGE))
    return file


def test_explain_reads_like_an_invoice(message):
    """Every line has unit, quantity, rate, amount and rule, and the total its status."""
    result = run("explain", message, "--at", "2026-11-23")

    assert result.exit_code == 0
    cells = [
        [cell.strip() for cell in line.split("│")[1:-1]] for line in result.output.splitlines() if "│" in line
    ]
    # fast mode of claude-opus-5-5: 8 in, 40 out, 0.4 read, 10 and 16 written
    assert cells == [
        ["input", "1,200", "8 per 1,000,000", "0.0096", "claude-opus-5-5", "fast"],
        ["cache_read", "40,000", "0.4 per 1,000,000", "0.0160", "claude-opus-5-5", "fast"],
        ["cache_write_5m", "6,000", "10 per 1,000,000", "0.0600", "claude-opus-5-5", "fast"],
        ["cache_write_1h", "2,000", "16 per 1,000,000", "0.0320", "claude-opus-5-5", "fast"],
        ["output", "900", "40 per 1,000,000", "0.0360", "claude-opus-5-5", "fast"],
        ["web_search", "1", "10 per 1,000", "0.0100", "claude-opus-5-5", ""],
    ]
    assert f"Total 0.1636 USD, exact; table {PriceTable.bundled().version}" in result.output


def test_explain_as_json_is_exact_and_documented(message):
    """The JSON has amounts as text, and every key of it is in the reference."""
    result = run("explain", message, "--at", "2026-11-23T10:00:00+01:00", "--json")

    content = json.loads(result.output)
    reference = (DATA.parents[3] / "docs" / "reference" / "prices-json.md").read_text()
    assert (content["total_usd"], content["status"], content["at"]) == (
        "0.1636",
        "exact",
        "2026-11-23T10:00:00+01:00",
    )
    assert content["lines"][0] == {
        "unit": "input",
        "quantity": 1200,
        "rate_usd": "0.000008",
        "amount_usd": "0.0096",
        "model": "claude-opus-5-5",
        "rules": ["fast"],
    }
    for key in (*content, *content["lines"][0]):
        assert f"`{key}`" in reference


@pytest.mark.parametrize(
    ("body", "arguments", "said"),
    [
        (
            {
                "object": "chat.completion",
                "model": "gpt-9",
                "usage": {"prompt_tokens": 1, "completion_tokens": 1},
            },
            (),
            ["Total unknown, unpriced", "unknown_model: a model that the table does not know"],
        ),
        ({"object": "chat.completion", "model": "gpt-4o"}, (), ["Total unknown, unmeasured", "no_usage"]),
        (
            {"text": "Hi", "usage": {"type": "duration", "seconds": 60}},
            ("--model", "whisper-1"),
            ["Total 0.006 USD, exact", "second"],
        ),
        (
            {
                "result": {
                    "type": "succeeded",
                    "message": {**MESSAGE, "usage": {"input_tokens": 1000, "output_tokens": 0}},
                }
            },
            (),
            ["Total 0.002 USD, exact", "batch"],
        ),
        (
            {
                "custom_id": "1",
                "response": {
                    "body": {
                        "object": "response",
                        "model": "gpt-6-sol",
                        "usage": {"input_tokens": 1000, "output_tokens": 0},
                        "output": [],
                    }
                },
            },
            (),
            ["Total 0.001 USD, exact", "batch"],
        ),
        (
            {
                "object": "chat.completion",
                "model": "gpt-4o",
                "usage": {"prompt_tokens": 1000, "completion_tokens": 0},
            },
            ("--provider", "azure"),
            ["azure/gpt-4o", "Total 0.0025 USD, estimated", "deployment_type: Azure's global price"],
        ),
        (
            {
                "object": "chat.completion",
                "created": 1749427200,
                "model": "o3",
                "usage": {"prompt_tokens": 1000, "completion_tokens": 0},
            },
            (),
            ["2025-06-09", "Total 0.01 USD, exact"],  # priced at the time that it carries
        ),
    ],
)
def test_explain_knows_what_it_reads(tmp_path, body, arguments, said):
    """Responses of each vendor, results of batches and their own times are recognised."""
    file = tmp_path / "r.json"
    file.write_text(json.dumps(body))

    result = run("explain", file, *arguments)

    assert result.exit_code == 0, result.output
    assert [text for text in said if text not in result.output] == []


def test_explain_of_an_unpriced_call_says_how_to_mend_it(tmp_path):
    """Without a price there is no empty invoice, but the reason and the way out."""
    file = tmp_path / "r.json"
    file.write_text(
        json.dumps({"object": "chat.completion", "model": "gpt-99", "usage": {"prompt_tokens": 5}})
    )

    result = run("explain", file)

    assert result.exit_code == 0
    assert "│" not in result.output
    assert "Total unknown, unpriced" in result.output
    assert "unknown_model: a model that the table does not know" in result.output
    assert "docs/howto/prices.md" in result.output


@pytest.mark.parametrize(
    ("text", "said"),
    [("{", "is not JSON"), ("[]", "is not one response"), ('{"a": 1}', "name what was called")],
)
def test_explain_of_what_is_no_response_says_so(tmp_path, text, said):
    """Bad input ends with a sentence and code 2."""
    file = tmp_path / "r.json"
    file.write_text(text)

    result = run("explain", file)

    assert result.exit_code == 2
    assert said in result.output
    assert "Traceback" not in result.output


def test_show_gives_every_rate_with_its_source():
    """Standard rates first, then tiers, then the fees of every model; with source and day."""
    result = run("show", "gpt-6-sol", "--at", "2026-11-23")

    assert result.exit_code == 0
    assert "gpt-6-sol on 2026-11-23" in result.output
    assert "4 above 272,000" in result.output
    assert (
        result.output.index("standard")
        < result.output.index("service_tier=flex")
        < result.output.index("any model")
    )
    assert "genai-prices 0.2.3" in result.output
    assert "regional_host" in result.output


def test_show_as_json_has_the_rows_as_the_file_has_them():
    """The rates of the day, with window, recording day and source."""
    before = json.loads(run("show", "o3", "--at", "2025-06-09", "--json").output)
    after = json.loads(run("show", "o3", "--at", "2025-06-10", "--json").output)

    def base(content: dict) -> dict:
        return next(row for row in content["rows"] if row["model"] == "o3" and "when" not in row)

    assert (before["model"], before["provider"]) == ("o3", "openai")
    assert base(before)["rates"] == {"cache_read": "2.5", "input": "10", "output": "40"}
    assert base(after)["rates"] == {"cache_read": "0.5", "input": "2", "output": "8"}
    assert base(after)["effective_from"] == "2025-06-10"
    assert {"recorded_at", "source"} <= set(base(after))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("show", "claude-opus-4-55"), "no price for 'claude-opus-4-55' of anthropic"),
        (("show", "claude-opus-4-55"), "did you mean claude-opus-4-5"),
        (("show", "gpt-4o", "--at", "tomorrow"), "'tomorrow' is no date"),
        (("list", "--provider", "nobody"), "no model of 'nobody'"),
        (("explain", "nowhere.json"), "does not exist"),
        (("show", "gpt-4o", "--prices", "nowhere.toml"), "cannot read the price file nowhere.toml"),
    ],
)
def test_bad_input_ends_with_a_sentence_and_code_2(arguments, said):
    """What is wrong and how to mend it, never a traceback."""
    result = run(*arguments)

    assert result.exit_code == 2
    assert said in " ".join(result.output.split())


def test_show_takes_the_label_of_a_metric():
    """`bedrock/claude-…` is a seller and a model."""
    result = run("show", "bedrock/claude-opus-5-5")

    assert result.exit_code == 0
    assert "place=global" in result.output


def test_list_shows_models_by_seller():
    """A seller without rows of its own lists what it sells at the maker's price."""
    everything = json.loads(run("list", "--json").output)
    azure = json.loads(run("list", "--provider", "azure", "--json").output)
    text = run("list", "--provider", "anthropic")

    assert {one["provider"] for one in everything["models"]} >= {"anthropic", "openai", "bedrock", "vertex"}
    assert "gpt-4o" in {one["model"] for one in azure["models"]}
    assert "claude-opus-5-5" in text.output


def test_diff_shows_added_removed_and_changed(tmp_path):
    """Two table files are compared by the rates in force."""
    content = json.loads(DATA.read_bytes())
    content["rows"] = [row for row in content["rows"] if row["model"] != "tts-1"]
    for row in content["rows"]:
        if row["model"] == "whisper-1":
            row["rates"]["second"] = "0.72"
    other = tmp_path / "other.json"
    other.write_text(json.dumps(content))

    text = run("diff", DATA, other)
    changes = json.loads(run("diff", DATA, other, "--json").output)

    assert text.exit_code == 0
    assert "2 differences" in text.output
    assert [(one["kind"], one["model"], one["unit"], one["old"], one["new"]) for one in changes] == [
        ("removed", "tts-1", None, None, None),
        ("changed", "whisper-1", "second", "0.36", "0.72"),
    ]
    assert "No difference" in run("diff", DATA, DATA).output


def test_check_says_good_or_what_is_wrong(tmp_path):
    """A good file ends with code 0, a wrong one with 1 and its fault."""
    good, wrong = tmp_path / "good.toml", tmp_path / "wrong.toml"
    good.write_text(
        '[[models]]\nprovider = "openai"\nmodel = "gpt-7"\nper_million = { input = "1", output = "2" }\n'
    )
    wrong.write_text("[[discounts]]\npercent = 120\n")

    fine, bad = run("check", good), run("check", wrong)

    assert (fine.exit_code, bad.exit_code) == (0, 1)
    assert "+1 against the bundled table" in fine.output
    assert "discounts[0].percent: 120 is above 100" in bad.output
    assert run("check", DATA).exit_code == 0


def test_refresh_writes_only_what_it_may(tmp_path):
    """Against a table with more models it refuses, unless told; it shows the difference either way."""
    pytest.importorskip("genai_prices", reason="genai-prices (dependency group `prices`) is not installed")
    content = json.loads(DATA.read_bytes())
    row = next(row for row in content["rows"] if row["model"] == "tts-1")
    content["rows"].append({**row, "model": "tts-9"})
    before, after = tmp_path / "before.json", tmp_path / "after.json"
    before.write_text(json.dumps(content))

    refused = run("refresh", "--from", before, "--output", after)
    dry = run("refresh", "--from", before, "--output", after, "--allow-shrink", "--dry-run")
    assert not after.exists()
    written = run("refresh", "--from", before, "--output", after, "--allow-shrink")

    assert (refused.exit_code, dry.exit_code, written.exit_code) == (1, 0, 0)
    assert "1 models would be gone: openai tts-9" in refused.output
    assert "tts-9" in written.output
    assert PriceTable.bundled().with_overlay(after).knows("openai", "tts-1", PriceTable.bundled().recorded_at)


def test_refresh_without_its_source_says_what_to_install(monkeypatch, tmp_path):
    """genai-prices is no dependency: without it the command says so."""
    monkeypatch.setattr("tracked_inference.pricing.build.import_module", _missing)

    result = run("refresh", "--output", tmp_path / "x.json")

    assert result.exit_code == 2
    assert "pip install genai-prices" in result.output


def _missing(name: str) -> object:
    raise ImportError(name)
