"""
How tools of this kind fail, one test for each of the 36 ways that were found in public issues or by running them.

Most are tested at more length where they belong; here each one has a name.
"""

import asyncio
import copy
import gc
import importlib
import inspect
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from tests.conftest import (
    CLAUDE,
    CLAUDE_SAYS,
    CLAUDE_USD,
    GPT,
    GPT_USD,
    done,
    entered,
    every,
    http_of,
    some,
    value_of,
)
from tests.sinks.records import cost, record
from tracked_inference import PriceTable, TrackedClient, attribute
from tracked_inference.loopback import Answer, Reply
from tracked_inference.sinks import catalogue
from tracked_inference.sinks.metrics import MAX_UNKNOWN_MODELS, MetricsSink

anthropic = pytest.importorskip("anthropic", reason="the Anthropic SDK is not installed")
openai = pytest.importorskip("openai", reason="the OpenAI SDK is not installed")
PACKAGE = Path(importlib.import_module("tracked_inference").__file__).parent


# Streams


@pytest.mark.parametrize(
    "way", ["exhaust", "break", "close", "response", "drop", "raise", "next after close"]
)
async def test_01_break_close_or_drop_leaves_one_record(way, claude, records):
    """However a stream is ended there is exactly one record of it."""
    stream = await done(claude.messages.create(**CLAUDE, stream=True))
    if way == "exhaust":
        await every(stream)
    else:
        await some(stream, 2)
    if way in ("close", "next after close"):
        await done(stream.close())
    if way == "next after close":
        with pytest.raises(Exception):  # StopIteration, or the HTTP library's own word for it
            await some(stream, 10)
    if way == "response":
        await done(stream.response.aclose() if hasattr(stream, "__anext__") else stream.response.close())
    if way == "raise":
        with pytest.raises(LookupError):
            async with entered(stream):
                raise LookupError
    del stream
    for _ in range(3):
        gc.collect()
        await asyncio.sleep(0)

    assert records.one.outcome == ("ok" if way == "exhaust" else "abandoned")


@pytest.mark.parametrize("kind", ["async"], indirect=True)
@pytest.mark.parametrize("say", [Reply.hang(), CLAUDE_SAYS.paced(5)], ids=["before headers", "in the stream"])
async def test_02_cancelled_is_a_base_exception(say, claude, records, vendor):
    """A call that `wait_for` cancels is recorded as cancelled."""
    vendor.script(say)

    async def read():
        async for _ in await claude.messages.create(**CLAUDE, stream=True):
            pass

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(read(), 0.2)

    assert records.one.outcome == "cancelled"


async def test_03_no_usage_on_cancel_is_unmeasured_and_not_zero(gpt, records):
    """A chat stream that is left has told no usage: unmeasured, with no cost, rather than $0."""
    stream = await done(gpt.chat.completions.create(**GPT, stream=True))
    await some(stream, 2)
    await done(stream.close())

    assert (records.one.usage, records.one.cost.status, records.one.cost.total_usd) == (
        None,
        "unmeasured",
        None,
    )


async def test_04_placeholder_output_of_a_cut_stream_is_a_lower_bound(claude, records, vendor):
    """The 1 token of output that message_start tells of is a floor, and said to be one."""
    vendor.script(CLAUDE_SAYS.cut(after=1))
    with pytest.raises(http_of(anthropic).RemoteProtocolError):
        await every(claude.messages.create(**CLAUDE, stream=True))

    assert (records.one.usage.output_tokens, records.one.cost.status) == (1, "lower_bound")
    assert records.one.cost.total_usd > 0


async def test_05_explicit_zero_is_not_missing(claude, records, vendor):
    """Zero output tokens are zero, not an estimate: 11 x $3 a million calls."""
    vendor.script(Answer(text="", usage_json={"input_tokens": 11, "output_tokens": 0}))
    await done(claude.messages.create(**CLAUDE))

    assert (records.one.usage.tokens(), str(records.one.cost.total_usd)) == ({"input": 11}, "0.000033")


async def test_06_usage_of_a_message_delta_is_cumulative(claude, records, vendor):
    """The last message_delta has the total; it is not added to what message_start said."""
    await every(claude.messages.create(**CLAUDE, stream=True))

    assert records.one.usage.output_tokens == 7


async def test_07_helper_and_final_message_count_once(claude, records):
    """text_stream, then get_final_message, then another call: one record each."""
    async with entered(claude.messages.stream(**CLAUDE)) as stream:
        await every(stream.text_stream)
        await done(stream.get_final_message())
    await done(claude.messages.create(**CLAUDE))

    assert [one.stream for one in records] == [True, False]


async def test_08_raw_and_streaming_responses_are_recorded(gpt, records):
    """Four ways to the bytes, four records with their money."""
    create = gpt.chat.completions
    asked = {"stream": True, "stream_options": {"include_usage": True}}
    (await done(create.with_raw_response.create(**GPT))).parse()
    await every((await done(create.with_raw_response.create(**GPT, **asked))).parse())
    async with entered(create.with_streaming_response.create(**GPT)) as answer:
        await done(answer.parse())
    async with entered(create.with_streaming_response.create(**GPT, **asked)) as answer:
        await every(answer.iter_lines())

    assert [str(one.cost.total_usd) for one in records] == [GPT_USD] * 4


async def test_09_a_stream_stays_of_the_sdks_type(gpt):
    """isinstance of the SDK's stream class holds."""
    stream = await done(gpt.chat.completions.create(**GPT, stream=True))
    await every(stream)

    assert isinstance(stream, (openai.Stream, openai.AsyncStream))


@pytest.mark.parametrize("kind", ["async"], indirect=True)
async def test_10_contexts_of_other_tasks_do_not_matter(claude, records):
    """A stream made in one task under its words and ended in another raises nothing and keeps its words."""

    async def make():
        with attribute(feature="ranking"):
            return await claude.messages.create(**CLAUDE, stream=True)

    stream = await asyncio.create_task(make())
    await asyncio.create_task(every(stream))

    assert records.one.feature == "ranking"


async def test_11_the_usage_chunk_is_hidden_unless_asked_for(gpt):
    """A chunk without choices reaches the caller only where the caller asked for it."""
    plain = await every(gpt.chat.completions.create(**GPT, stream=True))
    asked = await every(
        gpt.chat.completions.create(**GPT, stream=True, stream_options={"include_usage": True})
    )

    assert [len(chunk.choices) for chunk in plain] == [1] * len(plain)
    assert [len(chunk.choices) for chunk in asked] == [1] * len(plain) + [0]


@pytest.mark.parametrize(
    "fields",
    [
        {"choices": None},
        {"usage": None},
        {"model": None},
        {"usage": {"prompt_tokens": "11", "completion_tokens": "7"}},
        {"content": None},
    ],
    ids=str,
)
async def test_12_nulls_and_odd_shapes_lose_nothing(fields, gpt, records, vendor):
    """Null or odd fields in an answer neither raise nor lose the record."""
    vendor.script(Answer.using({"input": 11, "output": 7}, text="x", fields=fields))
    await done(gpt.chat.completions.create(**GPT))

    assert records.one.outcome == "ok"
    assert records.one.model == "gpt-4o"


# The application must not feel us


async def test_13_a_fault_of_ours_does_not_reach_the_application(plain_gpt, faults):
    """A sink that raises is not noticed."""
    client = TrackedClient(plain_gpt, feature="search", team="discovery", sinks=[lambda _: 1 / 0])

    assert (await done(client.chat.completions.create(**GPT))).choices
    assert len(faults) == 1
    faults.clear()


async def test_14_a_guard_does_not_swallow_the_response(plain_gpt, faults, monkeypatch):
    """With every step of the tracking failing, the caller has the very object that the SDK made."""
    made = []
    base = type(plain_gpt)
    before = base.request
    if inspect.iscoroutinefunction(before):

        async def request(self, *args, **kwargs):
            made.append(await before(self, *args, **kwargs))
            return made[-1]
    else:

        def request(self, *args, **kwargs):
            made.append(before(self, *args, **kwargs))
            return made[-1]

    monkeypatch.setattr(base, "request", request)
    client = TrackedClient(plain_gpt, feature="search", team="discovery", sinks=[])
    meter = client.__dict__["_tracked_meter"]

    def fail(*args, **kwargs):
        raise BaseException("x")

    meter.recorder.sinks = (fail, fail)
    meter.vendor = meter.recorder.vendor = type("V", (), {"__getattr__": lambda self, name: 1 / 0})()
    result = await done(client.chat.completions.create(**GPT))

    assert result is made[0]
    assert faults
    faults.clear()


def test_15_prometheus_itself_raising_is_ours_to_bear(registry):
    """Negative amounts and durations, which prometheus_client refuses, never get that far."""
    MetricsSink(registry)(record(cost=cost("exact", Decimal(-1)), duration_seconds=-1.0))

    assert (
        value_of(
            registry,
            "ai_inference_calls_total",
            model="gpt-4o",
            feature="search",
            team="discovery",
            outcome="ok",
        )
        == 1
    )


def test_16_nan_does_not_poison_a_counter(registry):
    """NaN, which prometheus_client accepts, is kept out."""
    sink = MetricsSink(registry)
    sink(record(cost=cost("exact", Decimal("NaN"))))
    sink(record(cost=cost("exact", Decimal(1))))

    assert (
        value_of(
            registry,
            "ai_inference_estimated_cost_usd_total",
            model="gpt-4o",
            feature="search",
            team="discovery",
        )
        == 1
    )


async def test_17_iterators_in_arguments_are_not_consumed(gpt, vendor):
    """A generator of messages arrives whole at the vendor."""
    await done(gpt.chat.completions.create(model="gpt-4o", messages=(one for one in GPT["messages"])))

    assert vendor.requests[0].json["messages"] == GPT["messages"]


async def test_18_there_is_no_state_in_which_calls_are_blocked(gpt, monkeypatch):
    """Calls go on when the tracking has no thread and no price table any more."""
    monkeypatch.setattr("tracked_inference.tracking.handover._thread", None)
    gpt.__dict__["_tracked_meter"].recorder.sinks = ()

    assert (await done(gpt.chat.completions.create(**GPT))).choices


async def test_19_registering_twice_is_no_error(plain_gpt, registry):
    """Two clients and a reload of the module share the metrics."""
    from tracked_inference.sinks import metrics

    for _ in range(2):
        TrackedClient(plain_gpt, feature="search", team="discovery", registry=registry)
        importlib.reload(metrics)

    assert MetricsSink(registry)


# SDKs move


def test_20_no_private_function_of_an_sdk_is_needed():
    """Private names of the SDKs are only looked up behind hasattr or getattr: `request` and `copy` are all that must be there."""
    for name in ("_prepare_options", "_process_response", "_sleep_for_retry"):
        text = (PACKAGE / "tracking" / "subclass.py").read_text()

        assert f'hasattr(base, "{name}")' in text
    for path in PACKAGE.rglob("*.py"):
        text = path.read_text()
        assert "accumulate_event" not in text
        assert "from anthropic._" not in text
        assert "from openai._" not in text


@pytest.mark.parametrize("name", ["_prepare_options", "_process_response", "_sleep_for_retry"])
async def test_20_an_sdk_without_a_hook_loses_a_detail_and_no_record(
    name, kind, vendor, tracked, records, monkeypatch
):
    """Each of the three hooks may disappear from an SDK."""
    from tests.conftest import new_gpt
    from tracked_inference.tracking import subclass as module

    made = new_gpt(kind, vendor)
    hooks = module._hooks

    def without(base):
        found = hooks(base)
        found.pop(name, None)
        return found

    monkeypatch.setattr(module, "_hooks", without)
    monkeypatch.setattr(module, "_made", {})
    client = tracked(made, provider="openai")
    vendor.script(Reply.error(429, retry_after_ms=1))
    await done(client.chat.completions.create(**GPT))
    vendor.script(Reply.error(400))
    with pytest.raises(openai.BadRequestError):
        await done(client.chat.completions.create(**GPT))
    await done(made.close())

    assert [one.outcome for one in records] == ["ok", "error"]


def test_21_neither_http_library_is_imported():
    """Importing the package imports no SDK and no HTTP library."""
    script = "import sys, tracked_inference; print([n for n in ('httpx', 'httpx2', 'anthropic', 'openai', 'opentelemetry', 'click', 'rich') if n in sys.modules])"
    out = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        cwd=PACKAGE.parent,
        timeout=60,
    )

    assert out.stdout.strip() == "[]"


def test_22_no_upper_bounds_on_dependencies():
    """A resolver answers an upper bound by silently picking an old release: there is none on an SDK."""
    import tomllib

    project = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text())["project"]
    needed = [
        *project["dependencies"],
        *(one for extra in project["optional-dependencies"].values() for one in extra),
    ]

    assert not [one for one in needed if "<" in one or "==" in one or "~=" in one]


async def test_23_stacked_with_other_instrumentation_is_one_record(plain_gpt, tracked, records):
    """A wrapper around `create`, another TrackedClient and a wrapper around `request`: one record."""
    seen, before = [], plain_gpt.request
    plain_gpt.request = lambda *args, **kwargs: seen.append("request") or before(*args, **kwargs)
    client = tracked(tracked(plain_gpt, provider="openai"), feature="outer")
    create = client.chat.completions.create
    client.chat.completions.create = lambda **given: seen.append("create") or create(**given)
    await done(client.chat.completions.create(**GPT))

    assert seen == ["create", "request"]
    assert records.one.feature == "outer"


async def test_24_copies_keep_tracking(gpt, records):
    """with_options, copy, copy.copy and the cached raw accessor all track."""
    for client in (
        gpt.with_options(timeout=5),
        gpt.copy(),
        copy.copy(gpt),
        gpt.with_options().with_options(max_retries=1),
    ):
        await done(client.chat.completions.create(**GPT))
    await done(gpt.with_raw_response.chat.completions.create(**GPT))

    assert len(records) == 5


async def test_25_attribution_is_no_argument_of_create(plain_gpt, gpt):
    """The signature of create is the SDK's: words of ours are not taken there."""
    create = gpt.chat.completions.create

    assert inspect.signature(create) == inspect.signature(plain_gpt.chat.completions.create)
    with pytest.raises(TypeError):
        await done(create(**GPT, feature="search"))


# Money and counting


async def test_26_cache_tokens_are_neither_lost_nor_counted_twice(claude, gpt, records):
    """Anthropic's counts exclude cached tokens and OpenAI's include them; both are billed right."""
    await done(claude.messages.create(**CLAUDE))
    await done(gpt.chat.completions.create(**GPT))
    from_claude, from_gpt = records

    assert (from_claude.usage.input_tokens, str(from_claude.cost.total_usd)) == (16, CLAUDE_USD)
    assert (from_gpt.usage.input_tokens, str(from_gpt.cost.total_usd)) == (15, GPT_USD)


async def test_27_a_missing_price_is_not_zero_dollars(plain_gpt, registry):
    """An unpriced call adds nothing to the cost and one to its own counter."""
    client = TrackedClient(
        plain_gpt,
        feature="search",
        team="discovery",
        registry=registry,
        provider="openai",
        prices=PriceTable.bundled(),
    )
    await done(client.chat.completions.create(model="gpt-99", messages=[]))

    assert (
        value_of(
            registry,
            "ai_inference_unpriced_calls_total",
            model="gpt-99",
            feature="search",
            reason="unknown_model",
        )
        == 1
    )
    assert value_of(registry, "ai_inference_cost_per_call_usd_count", feature="search") == 0


async def test_28_retries_are_one_operation(plain_gpt, registry, vendor):
    """Cost and tokens once for the operation, attempts in their own counter, duration with the waiting in it."""
    client = TrackedClient(
        plain_gpt,
        feature="search",
        team="discovery",
        registry=registry,
        provider="openai",
        prices=PriceTable.bundled(),
    )
    vendor.script(*[Reply.error(429, retry_after_ms=50)] * 2)
    await done(client.chat.completions.create(**GPT))

    assert value_of(registry, "ai_inference_retries_total", model="gpt-4o", feature="search") == 2
    assert (
        value_of(
            registry,
            "ai_inference_calls_total",
            model="gpt-4o",
            feature="search",
            team="discovery",
            outcome="ok",
        )
        == 1
    )
    assert value_of(registry, "ai_inference_duration_seconds_sum", model="gpt-4o", feature="search") > 0.1


async def test_29_asking_again_above_the_sdk_is_two_calls(gpt, records):
    """What a framework asks again is billed again."""
    await done(gpt.chat.completions.create(**GPT))
    await done(gpt.chat.completions.create(**GPT))

    assert len(records) == 2


async def test_30_counting_and_looking_are_no_calls(claude, gpt, records):
    """count_tokens, lists and retrieves of what was counted leave nothing."""
    await done(claude.messages.count_tokens(model=CLAUDE["model"], messages=CLAUDE["messages"]))
    await every(gpt.models.list())
    made = await done(gpt.responses.create(model="gpt-4o", input="x"))
    await done(gpt.responses.retrieve(made.id))

    assert records.one.operation == "responses"


async def test_31_one_level_carries_the_usage(gpt, records):
    """complete(), and a parse on top of create, are the one call below them."""
    await done(gpt.complete([], model="gpt-4o"))

    assert len(records) == 1


# Prometheus


def test_32_labels_do_not_explode(registry):
    """Mistyped models become `other`; users are no label anywhere."""
    sink = MetricsSink(registry)
    for at in range(MAX_UNKNOWN_MODELS + 10):
        sink(record(model=f"typo{at}", cost=cost("unpriced", None, "unknown_model"), user=f"u_{at}"))
    models = {
        sample.labels["model"]
        for family in registry.collect()
        for sample in family.samples
        if "model" in sample.labels
    }

    assert len(models) == MAX_UNKNOWN_MODELS + 1
    assert not any("user" in metric.labels for metric in catalogue.METRICS)


def test_33_workers_do_not_share_a_series_in_one_registry():
    """Every counter is of its process or of a shared file; no series is written by two registries (multiprocess: tests/sinks)."""
    one, other = CollectorRegistry(), CollectorRegistry()
    MetricsSink(one)(record())
    MetricsSink(other)(record())

    for registry in (one, other):
        assert (
            value_of(
                registry,
                "ai_inference_calls_total",
                model="gpt-4o",
                feature="search",
                team="discovery",
                outcome="ok",
            )
            == 1
        )


def test_34_gauges_say_how_processes_are_joined():
    """Each gauge names a multiprocess mode, as the default would grow a `pid` label."""
    modes = {metric.name: metric.multiprocess_mode for metric in catalogue.METRICS if metric.kind == "gauge"}

    assert set(modes.values()) <= {"livesum", "mostrecent", "max"}
    assert modes["ai_inference_cost_per_hour_usd"] == "livesum"


async def test_35_series_are_born_at_zero(plain_gpt, registry):
    """A client's declared series stand at 0 before its first call; the same for the client of another feature."""
    client = TrackedClient(
        plain_gpt,
        feature="search",
        team="discovery",
        model="gpt-4o",
        models=["gpt-4o-mini"],
        registry=registry,
        provider="openai",
    )
    client.with_attribution(feature="ranking")

    for feature in ("search", "ranking"):
        for model in ("gpt-4o", "gpt-4o-mini"):
            assert (
                value_of(
                    registry,
                    "ai_inference_estimated_cost_usd_total",
                    model=model,
                    feature=feature,
                    team="discovery",
                )
                == 0
            )


def test_36_a_budget_is_a_number(registry, tmp_path):
    """Budgets come from the registry file as finite dollars; a feature without one has no series (the rules that read it are tested with promtool)."""
    from tracked_inference.registry import registry_in_force

    path = tmp_path / "features.toml"
    path.write_text(
        '[features.search]\nteam = "discovery"\nbudget_usd = { month = 4000 }\n[features.ranking]\nteam = "relevance"\n'
    )
    sink = MetricsSink(registry)
    for feature in registry_in_force(path).features.values():
        sink.show_feature(feature)

    assert (
        value_of(registry, "ai_inference_budget_usd", feature="search", team="discovery", period="month")
        == 4000
    )
    assert (
        value_of(registry, "ai_inference_budget_usd", feature="ranking", team="relevance", period="month")
        is None
    )
