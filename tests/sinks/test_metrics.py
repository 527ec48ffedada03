"""The Prometheus sink: the whole catalogue, series that are born at 0, caps, and values that must never get in."""

import importlib
import logging
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from tests.conftest import value_of
from tests.sinks.records import cost, record
from tracked_inference import PriceTable
from tracked_inference.registry import Feature
from tracked_inference.sinks import _collectors, catalogue, metrics
from tracked_inference.sinks._collectors import collectors_of
from tracked_inference.sinks._rolling import RollingHour
from tracked_inference.sinks.metrics import MAX_FEATURES, MAX_TEAMS, MAX_UNKNOWN_MODELS, MetricsSink

MODEL = {"model": "gpt-4o", "feature": "search"}
TEAM = {**MODEL, "team": "discovery"}


def test_a_record_in_every_metric(registry):
    """What one record of three attempts adds to each metric."""
    MetricsSink(registry)(record())

    def value(name, **labels):
        return value_of(registry, f"ai_inference_{name}", **labels)

    assert value("estimated_cost_usd_total", **TEAM) == pytest.approx(0.0001025)
    assert [
        value("tokens_total", **MODEL, token_type=kind) for kind in ("input", "cache_read", "output")
    ] == [11, 4, 7]
    assert value("reasoning_tokens_total", **MODEL) == 2
    assert value("duration_seconds_sum", **MODEL) == 1.5
    assert value("duration_seconds_bucket", **MODEL, le="2.0") == 1
    assert value("time_to_first_token_seconds_sum", **MODEL) == 0.25
    assert value("cost_per_call_usd_sum", feature="search") == pytest.approx(0.0001025)
    assert value("cost_per_hour_usd", feature="search") == pytest.approx(0.0001025)
    assert value("calls_total", **TEAM, outcome="ok") == 1
    assert value("retries_total", **MODEL) == 2
    assert value("label_overflow_total", label="model") == 0


def test_the_catalogue_is_what_is_exported(registry):
    """Every metric of the catalogue has its name, type, help and labels in the exposition, and nothing else is there."""
    sink = MetricsSink(registry)
    sink(record())
    sink(record(cost=cost("unpriced", None, "unknown_model"), model="new"))
    sink(record(cost=cost("unmeasured", None, "timeout"), usage=None, outcome="error"))
    table = PriceTable.bundled()
    sink.show_table(table.version, table.sha256, table.recorded_at)
    sink.show_prices("gpt-4o", {"input": Decimal("0.0000025")})
    sink.show_feature(Feature(name="search", team="discovery", budget_usd={"month": Decimal(100)}))
    for metric in catalogue.METRICS:  # those that other parts of the package write
        collectors_of(registry).by_name[metric.name].labels(*metric.labels)
    found = {
        family.name: family for family in text_string_to_metric_families(generate_latest(registry).decode())
    }
    names = {name for name in found if not name.endswith("_created")}

    assert names == {metric.name.removesuffix("_total") for metric in catalogue.METRICS}
    for metric in catalogue.METRICS:
        family = found[metric.name.removesuffix("_total")]
        labels = {label for sample in family.samples for label in sample.labels} - {"le"}
        assert (family.type, family.documentation, labels) == (metric.kind, metric.help, set(metric.labels))


def test_nothing_personal_is_in_a_label(registry):
    """Users, request ids, tags and reasons in the vendor's own words are not in the exposition."""
    sink = MetricsSink(registry)
    sink(
        record(tags={"tenant": "t_secret"}, cost=cost("partial", Decimal(1), "unpriced_unit:of some secret"))
    )
    text = generate_latest(registry).decode()

    assert not any(word in text for word in ("u_42", "req_1", "secret"))
    assert value_of(registry, "ai_inference_unpriced_calls_total", **MODEL, reason="unpriced_unit") == 1


def test_declared_series_exist_at_zero(registry):
    """increase() sees the first call of a declared feature, team and model, as its series exist at 0 before."""
    MetricsSink(registry).declare("search", "discovery", ["gpt-4o"])

    assert value_of(registry, "ai_inference_estimated_cost_usd_total", **TEAM) == 0
    for outcome in ("ok", "error", "cancelled", "abandoned"):
        assert value_of(registry, "ai_inference_calls_total", **TEAM, outcome=outcome) == 0
    for kind in ("input", "output"):
        assert value_of(registry, "ai_inference_tokens_total", **MODEL, token_type=kind) == 0
    assert value_of(registry, "ai_inference_duration_seconds_count", **MODEL) == 0
    assert value_of(registry, "ai_inference_retries_total", **MODEL) == 0
    assert value_of(registry, "ai_inference_cost_per_hour_usd", feature="search") == 0
    assert value_of(registry, "ai_inference_calls_in_progress", feature="search") == 0
    assert value_of(registry, "ai_inference_cost_per_call_usd_count", feature="search") == 0


@pytest.mark.parametrize(
    ("status", "total", "counted"),
    [
        ("exact", Decimal(2), "cost"),
        ("lower_bound", Decimal(2), "cost unmeasured"),
        ("partial", Decimal(2), "cost unpriced"),
        ("unpriced", None, "unpriced"),
        ("unmeasured", None, "unmeasured"),
        ("free", Decimal(0), ""),
    ],
)
def test_what_a_status_counts_as(status, total, counted, registry):
    """Unpriced and unmeasured calls have counters of their own; their cost is never 0 dollars."""
    MetricsSink(registry)(record(cost=cost(status, total, "why")))

    assert value_of(registry, "ai_inference_estimated_cost_usd_total", **TEAM) == (
        2 if "cost" in counted else total
    )
    assert value_of(registry, "ai_inference_unpriced_calls_total", **MODEL, reason="why") == (
        1 if "unpriced" in counted else None
    )
    assert value_of(registry, "ai_inference_unmeasured_calls_total", **MODEL, reason="why") == (
        1 if "unmeasured" in counted else None
    )
    assert value_of(registry, "ai_inference_cost_per_call_usd_count", feature="search") == ("cost" in counted)


@pytest.mark.parametrize("wrong", ["NaN", "-1", "Infinity"])
def test_no_value_poisons_a_counter(wrong, registry):
    """NaN, infinity and negative amounts do not get into the cost, which NaN would poison for ever."""
    sink = MetricsSink(registry)
    sink(record(cost=cost("exact", Decimal(wrong))))
    sink(record(cost=cost("exact", Decimal(2))))

    assert value_of(registry, "ai_inference_estimated_cost_usd_total", **TEAM) == 2
    assert value_of(registry, "ai_inference_cost_per_hour_usd", feature="search") == 2
    assert value_of(registry, "ai_inference_cost_per_call_usd_sum", feature="search") == 2


def test_a_clock_that_goes_back(registry):
    """Durations below zero count as zero."""
    MetricsSink(registry)(record(duration_seconds=-1.0, time_to_first_token_seconds=-1.0))

    assert value_of(registry, "ai_inference_duration_seconds_sum", **MODEL) == 0
    assert value_of(registry, "ai_inference_time_to_first_token_seconds_sum", **MODEL) == 0


def test_features_are_capped(registry, caplog):
    """Features beyond the cap count as `other`, each call is counted, and the log says so once."""
    sink = MetricsSink(registry)
    with caplog.at_level(logging.WARNING, logger="tracked_inference"):
        for at in range(MAX_FEATURES + 3):
            sink(record(feature=f"f{at}"))
        sink(record(feature=f"f{MAX_FEATURES + 1}"))

    assert value_of(registry, "ai_inference_calls_total", **{**TEAM, "feature": "other"}, outcome="ok") == 4
    assert value_of(registry, "ai_inference_calls_total", **{**TEAM, "feature": "f7"}, outcome="ok") == 1
    assert value_of(registry, "ai_inference_label_overflow_total", label="feature") == 4
    assert value_of(registry, "ai_inference_cost_per_hour_usd", feature="other") == pytest.approx(
        4 * 0.0001025
    )
    assert caplog.text.count("label_overflow") == 1 + caplog.text.count("ai_inference_label_overflow_total")


def test_unknown_models_and_teams_are_capped_and_known_models_are_not(registry):
    """Models with a price need no cap; those without, and teams, have one."""
    sink = MetricsSink(registry)
    for at in range(MAX_UNKNOWN_MODELS + 2):
        sink(record(model=f"m{at}", cost=cost("unpriced", None, "unknown_model")))
    for at in range(MAX_UNKNOWN_MODELS + 2):
        sink(record(model=f"known{at}"))
    for at in range(MAX_TEAMS + 2):
        sink(record(team=f"t{at}"))

    assert (
        value_of(
            registry,
            "ai_inference_unpriced_calls_total",
            model="other",
            feature="search",
            reason="unknown_model",
        )
        == 2
    )
    assert (
        value_of(
            registry,
            "ai_inference_calls_total",
            **{**TEAM, "model": f"known{MAX_UNKNOWN_MODELS + 1}"},
            outcome="ok",
        )
        == 1
    )
    assert value_of(registry, "ai_inference_label_overflow_total", label="model") == 2
    assert (
        value_of(registry, "ai_inference_label_overflow_total", label="team") == 3
    )  # "discovery" was the first


def test_mistyped_models_are_capped(registry):
    """A model name that the vendor refused is any text: it is free and still counts towards the cap."""
    sink = MetricsSink(registry)
    for at in range(MAX_UNKNOWN_MODELS + 5):
        sink(
            record(
                model=f"gpt-4oo{at}", usage=None, outcome="error", cost=cost("free", Decimal(0), "not_billed")
            )
        )

    assert value_of(registry, "ai_inference_calls_total", **{**TEAM, "model": "other"}, outcome="error") == 5


@pytest.mark.parametrize(
    "priced",
    [cost("exact", Decimal("0.1"), "gateway"), cost("free", Decimal(0))],
    ids=["by a gateway", "free of charge"],
)
def test_models_that_the_table_does_not_name_are_capped(priced, registry):
    """A gateway that says what a call cost, and a server of one's own, may call their models anything: each call is counted."""
    sink = MetricsSink(registry)
    for at in range(MAX_UNKNOWN_MODELS + 5):
        sink(record(model=f"local/m{at}", cost=priced))

    other = {**TEAM, "model": "other"}
    assert value_of(registry, "ai_inference_calls_total", **other, outcome="ok") == 5
    assert value_of(registry, "ai_inference_estimated_cost_usd_total", **other) == pytest.approx(
        5 * float(priced.total_usd)
    )
    assert value_of(registry, "ai_inference_label_overflow_total", label="model") == 5


@pytest.mark.parametrize("name", ["\ud800", "m\x1b[2J", "a\nb", "m" * 201], ids=ascii)
@pytest.mark.parametrize("status", ["unpriced", "exact"])
def test_what_is_no_name_is_no_label(status, name, registry):
    """UTF-8 cannot say a lone surrogate, and no scrape would succeed any more; so it and what no model is called is `other`."""
    total = Decimal("0.1") if status == "exact" else None
    sink = MetricsSink(registry)
    sink.show_prices(name, {"input": Decimal("0.000001")})
    sink(record(model=name, cost=cost(status, total)))

    text = generate_latest(registry).decode()
    assert value_of(registry, "ai_inference_calls_total", **{**TEAM, "model": "other"}, outcome="ok") == 1
    assert value_of(registry, "ai_inference_label_overflow_total", label="model") == 1
    assert max(map(len, text.splitlines())) < 400


def test_a_declared_model_needs_no_cap(registry):
    """What was declared keeps its name, whatever else is seen."""
    sink = MetricsSink(registry)
    sink.declare("search", "discovery", ["mine"])
    for at in range(MAX_UNKNOWN_MODELS + 1):
        sink(record(model=f"m{at}", cost=cost("unpriced", None, "unknown_model")))
    sink(record(model="mine", cost=cost("unmeasured", None, "timeout")))

    assert value_of(registry, "ai_inference_calls_total", **{**TEAM, "model": "mine"}, outcome="ok") == 1


def test_two_sinks_share_a_registry(registry):
    """Any number of clients write the same metrics."""
    for sink in (MetricsSink(registry), MetricsSink(registry)):
        sink(record())

    assert value_of(registry, "ai_inference_calls_total", **TEAM, outcome="ok") == 2


def test_registries_are_apart(registry):
    """Each registry has its own."""
    other = CollectorRegistry()
    MetricsSink(registry)(record())
    MetricsSink(other)

    assert value_of(other, "ai_inference_calls_total", **TEAM, outcome="ok") is None


def test_reloading_does_not_register_twice(registry):
    """importlib.reload, which notebooks and development servers do, finds the metrics that are there."""
    MetricsSink(registry)(record())
    try:
        for module in (catalogue, _collectors, metrics):
            importlib.reload(module)
        metrics.MetricsSink(registry)(record())
    finally:
        for module in (catalogue, _collectors, metrics):
            importlib.reload(module)

    assert value_of(registry, "ai_inference_calls_total", **TEAM, outcome="ok") == 2


def test_calls_in_progress(registry):
    """The gauge goes up when a call starts and down when it ends."""
    sink, call = MetricsSink(registry), record()
    sink.call_started(call)
    up = value_of(registry, "ai_inference_calls_in_progress", feature="search")
    sink.call_ended(call)

    assert (up, value_of(registry, "ai_inference_calls_in_progress", feature="search")) == (1, 0)


def test_a_forked_child_has_none_of_its_parents_calls_in_progress(registry):
    """They end in the parent; one that ends in the child all the same takes nothing from the child's own."""
    sink = MetricsSink(registry)
    call = type("Call", (), {"feature": "search", "team": "discovery"})()
    sink.call_started(call)
    collectors_of(registry).forget_parent()  # what a fork does in the child
    sink.call_ended(call)
    sink.call_started(call)

    assert value_of(registry, "ai_inference_calls_in_progress", feature="search") == 1


def test_exemplars_carry_the_trace(registry):
    """A record with a trace leaves it as an exemplar on its cost and durations, in OpenMetrics."""
    trace = "0af7651916cd43dd8448eb211c80319c"
    MetricsSink(registry)(record(trace_id=trace))
    text = openmetrics.generate_latest(registry).decode()
    marked = {line.partition("{")[0] for line in text.splitlines() if trace in line}

    assert marked == {
        "ai_inference_estimated_cost_usd_total",
        "ai_inference_duration_seconds_bucket",
        "ai_inference_time_to_first_token_seconds_bucket",
        "ai_inference_cost_per_call_usd_bucket",
    }


def test_the_rolling_hour_decays(registry):
    """A dollar counts for 59 to 60 minutes of the given clock and then is gone, whether or not anybody calls."""
    clock = {"now": 30.0}
    hour = RollingHour(clock=lambda: clock["now"])
    hour.add(4.0)
    clock["now"] += 59 * 60
    late = hour.total()
    hour.add(1.0)
    clock["now"] += 60
    later = hour.total()
    clock["now"] += 10 * 3600

    assert (late, later, hour.total()) == (4.0, 1.0, 0.0)


def test_the_rolling_hour_gauge_is_read_when_scraped(registry):
    """In one process nothing has to happen for the gauge to fall."""
    sink = MetricsSink(registry)
    sink(record(cost=cost("exact", Decimal(4))))
    hour = sink._all.rolling_hour("search")
    before = value_of(registry, "ai_inference_cost_per_hour_usd", feature="search")
    at = hour._clock()
    hour._clock = lambda: at + 2 * 3600

    assert (before, value_of(registry, "ai_inference_cost_per_hour_usd", feature="search")) == (4, 0)


def test_the_age_of_the_table_is_read_when_scraped(registry):
    """The table's age goes from the day its prices were recorded."""
    sink = MetricsSink(registry)
    sink.show_table("v1", "abc", datetime(2020, 1, 1, tzinfo=UTC))
    labels = {"version": "v1", "sha256": "abc"}

    assert value_of(registry, "ai_inference_price_table_info", **labels) == 1
    assert value_of(registry, "ai_inference_price_table_age_seconds", **labels) > 5 * 365 * 86400


def test_a_fork_keeps_the_parents_dollars_with_the_parent(registry):
    """What a parent spent in the last hour is not the child's."""
    sink = MetricsSink(registry)
    sink(record(cost=cost("exact", Decimal(4))))
    _collectors._after_fork()

    assert value_of(registry, "ai_inference_cost_per_hour_usd", feature="search") == 0


def test_the_price_of_a_token_is_that_of_tokens(registry):
    """Searches, seconds and characters have prices too; they are none of a token and have no place in that gauge."""
    sink = MetricsSink(registry)
    sink.show_prices(
        "gpt-4o", {"input": Decimal("0.0000025"), "web_search": Decimal("0.01"), "second": Decimal(1)}
    )

    shown = [line for line in generate_latest(registry).decode().splitlines() if "usd_per_token{" in line]
    assert shown == ['ai_inference_price_usd_per_token{model="gpt-4o",token_type="input"} 2.5e-06']


def test_a_model_without_a_price_has_no_dollars_not_even_none_at_all(registry):
    """A cost series at 0 would show an unpriced model as free: there is none until the model has a price."""
    sink = MetricsSink(registry)
    sink(record(cost=cost("unpriced", None, "unknown_model"), model="new"))
    before = generate_latest(registry).decode()
    sink(record(cost=cost("exact", "0.5"), model="new"))

    assert 'ai_inference_estimated_cost_usd_total{feature="search",model="new"' not in before
    assert 'model="new",team="discovery"} 0.5' in generate_latest(registry).decode()
