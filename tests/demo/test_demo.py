"""`tracked-inference demo`: what it prints, serves and leaves behind."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from decimal import Decimal
from pathlib import Path

import pytest

pytest.importorskip("click", reason="click is not installed: pip install 'tracked-inference[cli]'")
pytest.importorskip("rich", reason="rich is not installed: pip install 'tracked-inference[cli]'")
pytest.importorskip("anthropic", reason="the Anthropic SDK is not installed")
pytest.importorskip("openai", reason="the OpenAI SDK is not installed")

from tracked_inference.cli import main
from tracked_inference.demo.answers import Answers
from tracked_inference.demo.app import FEATURES
from tracked_inference.demo.audit import Check
from tracked_inference.demo.report import as_json
from tracked_inference.demo.run import Demo, Plan
from tracked_inference.loopback import LoopbackVendor, Request

DOCS = Path(__file__).parents[2] / "docs" / "reference" / "demo.md"


def nothing(demo):
    pass


@pytest.fixture(scope="module")
def once():
    """One round of the demo, run once for all."""
    demo = Demo(Plan(once=True))
    demo.run(nothing, nothing)
    return demo


def test_one_round_has_calls_of_every_feature_and_team(once):
    """Five features of three teams call both vendors, each the number of times it is to."""
    made = {one.feature: one.calls for one in once.tally.features.values()}

    assert made == {
        "document_summarisation": 5,
        "contract_review": 6,
        "support_chat": 15,
        "semantic_search": 16,
        "query_rewriting": 15,
    }
    assert {one.team for one in once.tally.features.values()} == {"documents", "support", "search"}


def test_one_round_shows_what_the_library_is_for(once):
    """Caches, retries, a stream that was left, a batch and a model without a price are all in one round."""
    features = once.tally.features

    assert features["document_summarisation"].tokens["cache_read"] > 0
    assert features["document_summarisation"].tokens["cache_write_5m"] > 0
    assert features["support_chat"].retries > 0
    assert features["support_chat"].unmeasured == 1
    assert (
        features["query_rewriting"].unpriced == features["query_rewriting"].models["gpt-6-nano-preview"] > 0
    )
    assert features["contract_review"].p95_seconds is None


def test_the_records_agree_with_the_vendors_bill(once):
    """Every call that was not cut is recorded at what the vendor billed, to the last digit; of a cut one less is known."""
    check = once.check

    assert check.faults == ()
    assert check.calls == 56
    assert check.tracked_usd == check.billed_usd == once.tally.cost_usd > 0
    assert check.cut_calls == 1
    assert check.cut_tracked_usd <= check.cut_billed_usd > 0


def test_the_same_seed_costs_the_same(once):
    """A round is the same each time in all but its times."""
    same = Demo(Plan(once=True))
    same.run(nothing, nothing)

    def money(demo):
        return {one.feature: (one.cost_usd, one.tokens) for one in demo.tally.features.values()}

    assert money(same) == money(once)


def test_another_seed_costs_something_else():
    """The seed decides what the vendor answers."""
    request = Request.read(0, "POST", "/v1/messages", {}, b'{"model": "claude-sonnet-5-5"}')

    assert Answers(3)(request).usage == Answers(3)(request).usage != Answers(4)(request).usage


def test_a_batch_costs_half(once):
    """The contracts of the round are billed at half of claude-haiku-4-5's 1 and 5 dollars a million tokens."""
    review = once.tally.features["contract_review"]

    assert review.cost_usd == (review.tokens["input"] + 5 * review.tokens["output"]) * Decimal("0.0000005")


def test_json_is_as_the_reference_says(capsys):
    """`--once --json` prints one JSON object whose fields are those of the reference page, dollars as exact strings."""
    code = main(["demo", "--once", "--json"])
    printed = json.loads(capsys.readouterr().out)

    assert code == 0
    told = re.findall(r"^\| `([\w.\[\]]+)` \|", DOCS.read_text(), re.MULTILINE)
    assert sorted(told) == sorted(paths(printed))
    assert printed["check"]["ok"] is True
    assert Decimal(printed["cost_usd"]) == sum(Decimal(one["cost_usd"]) for one in printed["features"])
    assert printed["features"][0]["cost_per_hour_usd"] is None


def paths(value, prefix=""):
    for name, inner in value.items():
        path = f"{prefix}{name}"
        yield path
        if isinstance(inner, dict) and name not in ("tokens", "models"):
            yield from paths(inner, f"{path}.")
        elif name == "features":
            yield from paths(inner[0], f"{path}[].")


def test_without_a_terminal_there_is_a_table_at_the_end(capsys):
    """In a pipe there is no live table: the URL at the start, then what each feature cost and what to do next."""
    code = main(["demo", "--seconds", "0.5"])
    out = capsys.readouterr().out

    assert code == 0
    assert re.search(r"^Metrics: http://127\.0\.0\.1:\d+/metrics$", out, re.MULTILINE)
    assert "What each feature cost in" in out
    assert out.count("document_summarisation ") == 1
    assert "the records say the same, to the last digit" in out
    assert "event='ai.inference.completed'" in out
    assert "$/month" in out
    assert "\x1b[" not in out


def test_on_a_terminal_the_table_is_live(monkeypatch, capsys):
    """A terminal sees the table again and again, under the time that has passed, and the summary in its place at the end."""
    monkeypatch.setenv("FORCE_COLOR", "1")

    code = main(["demo", "--seconds", "1.2"])
    out = capsys.readouterr().out

    assert code == 0
    assert out.count("of 1 s") >= 2
    assert out.count("What each feature cost in") == 1
    assert out.index("of 1 s") < out.index("What each feature cost in")


@pytest.mark.parametrize(
    ("title", "arguments"), [("one round", ["--once"]), ("until Ctrl-C", ["--seconds", "0"])]
)
def test_the_live_table_says_how_long_it_will_be(title, arguments, monkeypatch, capsys):
    """A round and an endless run say so."""
    monkeypatch.setenv("FORCE_COLOR", "1")

    def run(demo, start, tick):
        tick(demo)
        demo.check = Check(0, Decimal(0), Decimal(0), 0, Decimal(0), Decimal(0), ())

    monkeypatch.setattr(Demo, "run", run)

    assert main(["demo", *arguments]) == 0
    assert title in capsys.readouterr().out


@pytest.fixture
def interruptible():
    """Ctrl-C as a terminal gives it: a shell starts what runs in its background with SIGINT ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_a_signal_ends_the_run_with_what_is_known(name, code, monkeypatch, capsys):
    """A signal stops every feature; the calls that it cut are counted, and the summary is whole."""
    live, sent = Demo.run, []

    def run(demo, start, tick):
        def stop(demo):
            if not sent and demo.tally.features["query_rewriting"].calls:
                sent.append(name)
                os.kill(os.getpid(), getattr(signal, name))
            tick(demo)

        live(demo, start, stop)

    monkeypatch.setattr(Demo, "run", run)

    assert main(["demo", "--seconds", "0", "--json"]) == code
    printed = json.loads(capsys.readouterr().out)
    assert printed["stopped"] == name
    assert printed["check"]["ok"] is True


def test_metrics_are_served_while_it_runs_and_no_longer():
    """`/metrics` has every feature, its budget and its dollars from the start of the demo to its end."""
    scraped = []

    def look(demo):
        with urllib.request.urlopen(demo.metrics_url, timeout=5) as answer:
            scraped.append(answer.read().decode())

    demo = Demo(Plan(seconds=1))
    demo.run(nothing, look)

    for one in FEATURES:
        assert f'ai_inference_cost_per_hour_usd{{feature="{one.name}"}}' in scraped[0]
        assert (
            f'ai_inference_budget_usd{{feature="{one.name}",period="month",team="{one.team}"}}' in scraped[0]
        )
    assert (
        'ai_inference_estimated_cost_usd_total{feature="support_chat",model="gpt-6-sol",team="support"}'
        in scraped[-1]
    )
    with pytest.raises(urllib.error.URLError):
        look(demo)


def test_a_taken_port_is_said_so(capsys):
    """A port that is taken ends with 2 and one line that says what to do."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        code = main(["demo", "--once", "--port", str(taken.getsockname()[1])])

    assert code == 2
    assert "take another with --port" in capsys.readouterr().err


@pytest.mark.parametrize("missing", [["openai"], ["anthropic", "openai"]])
def test_a_missing_sdk_is_named_with_its_extra(missing, monkeypatch, capsys):
    """Without an SDK the demo says which, and how to install it."""
    import importlib.util

    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *more: None if name in missing else real(name, *more)
    )

    assert main(["demo"]) == 2
    err = capsys.readouterr().err
    assert f"{' and '.join(missing)} is not installed" in err
    assert f"pip install 'tracked-inference[{','.join(missing)}]'" in err


def test_a_missing_prometheus_is_said_so(monkeypatch, capsys):
    """Without the program, `--prometheus` ends with 2 before anything starts."""
    monkeypatch.setattr(shutil, "which", lambda name: None)

    assert main(["demo", "--prometheus"]) == 2
    assert "--prometheus needs the program `prometheus` on PATH" in capsys.readouterr().err


def test_records_that_do_not_agree_end_with_1(monkeypatch, capsys):
    """If the records and the bill differ, the demo says how, and fails."""
    monkeypatch.setattr(LoopbackVendor, "take_bills", lambda self: ())

    assert main(["demo", "--seconds", "0.2"]) == 1
    out = capsys.readouterr().out
    assert "do NOT agree" in out
    assert "calls recorded that were not billed" in out


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_stopping_it_midway_prints_the_summary_and_leaves_nothing(sent, code):
    """Ctrl-C and SIGTERM end it at once with the summary so far, and no process, port or directory stays."""
    arguments = ["--seconds", "0", "--json"]
    with_prometheus = shutil.which("prometheus") is not None
    process = subprocess.Popen(
        [sys.executable, "-m", "tracked_inference", "demo", *arguments, *["--prometheus"] * with_prometheus],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert process.stderr is not None
    first = process.stderr.readline()
    urls = [re.search(r"http://[\d.:]+", first)[0]]
    if with_prometheus:
        urls.append(re.search(r"http://[\d.:]+", process.stderr.readline())[0])
    # The first call is on its way when its feature's gauge has moved.
    while "ai_inference_calls_in_progress" not in scrape(urls[0]) or not moving(scrape(urls[0])):
        assert process.poll() is None

    process.send_signal(sent)
    out, err = process.communicate(timeout=30)

    assert process.returncode == code, err
    assert json.loads(out)["stopped"] == sent.name
    assert json.loads(out)["check"]["ok"] is True
    assert "Traceback" not in err
    for url in urls:
        with pytest.raises(urllib.error.URLError):
            urllib.request.urlopen(url, timeout=1)


def scrape(url):
    with urllib.request.urlopen(f"{url}/metrics", timeout=5) as answer:
        return answer.read().decode()


def moving(metrics):
    calls = re.findall(r"^ai_inference_calls_(?:total|in_progress)\{[^}]*\} (\S+)$", metrics, re.MULTILINE)
    return any(float(value) > 0 for value in calls)


def test_what_a_feature_raises_is_not_hidden(monkeypatch):
    """A fault in the demo itself ends it with that fault, when all has been stopped."""
    from tracked_inference.demo import run

    async def broken(client, chance):
        raise ZeroDivisionError

    import dataclasses

    monkeypatch.setattr(run, "FEATURES", (dataclasses.replace(FEATURES[0], turn=broken),))

    with pytest.raises(ZeroDivisionError):
        Demo(Plan(once=True)).run(nothing, nothing)


def test_the_result_is_json_from_the_library_too(once):
    """What the command prints is what `as_json` gives."""
    assert as_json(once)["cost_usd"] == f"{once.tally.cost_usd.normalize():f}"
