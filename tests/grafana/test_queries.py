"""Every query of every dashboard, on a real Prometheus that holds two simulated days with the rules run over them."""

from __future__ import annotations

import json
import shutil
import urllib.request
from datetime import UTC, datetime, timedelta

import pytest

from grafana.alerting import alert_groups
from grafana.otel_bridge import bridge_groups
from grafana.pages import dashboards
from grafana.queries import saved_by_cache, yesterday
from grafana.recording import recording_groups
from tests.grafana.backfill import ask, backfill, blocks
from tests.grafana.month import PRICES, STEP_SECONDS, draw, write
from tests.grafana.promtool import DAY, HOUR, World, run, values
from tests.grafana.servers import prometheus, victoria_metrics
from tests.grafana.test_assets import expressions, panels, plain

pytestmark = pytest.mark.skipif(
    shutil.which("prometheus") is None or shutil.which("promtool") is None,
    reason="prometheus is not installed (Debian: prometheus)",
)
UNTIL = datetime(2026, 11, 20, 15, tzinfo=UTC)
DAYS = 2
END = int(UNTIL.timestamp())
# What two quiet days have nothing of: a week before, a thirteenth feature, faults, unmerged workers, missed scrapes.
MAY_BE_EMPTY = ("offset 1w", "unless on (feature) topk", "resets(process_start", "avg_over_time(up")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A Prometheus with the data."""
    folder = tmp_path_factory.mktemp("queries")
    with (folder / "month.txt").open("w") as text:
        write(UNTIL, DAYS, text)
    data = folder / "data"
    data.mkdir()
    blocks(folder / "month.txt", data)
    backfill(data, recording_groups(), END - DAYS * 86400, END, STEP_SECONDS)
    with prometheus(data) as url:
        yield url


@pytest.mark.parametrize("name", sorted(dashboards()))
def test_every_panel_answers(server, name) -> None:
    """Each panel's query is understood and, but for the few that cannot, gives numbers."""
    empty = []
    for panel in panels(dashboards()[name]):
        for target in panel["targets"]:
            query = plain(target["expr"]).replace("[7d]", "[1d]")
            if target["instant"]:
                found = ask(server, "query", query=query, time=END)
            else:
                found = ask(server, "query_range", query=query, start=END - 86400, end=END, step=600)
            numbers = [value for one in found for _, value in one.get("values", [one.get("value")])]
            if all(number == "NaN" for number in numbers):
                empty.append((panel["title"], target["expr"]))

    assert [] == [title for title, expr in empty if not any(part in expr for part in MAY_BE_EMPTY)]


@pytest.mark.parametrize("name", sorted(dashboards()))
def test_every_variable_and_annotation_answers(server, name) -> None:
    """The lists behind variables have values; annotations are understood."""
    for expr in expressions(dashboards()[name]):
        ask(server, "query", query=plain(expr), time=END)
    for variable in dashboards()[name]["templating"]["list"][1:]:
        selector, label = (
            variable["query"]["query"].removeprefix("label_values(").removesuffix(")").rsplit(", ", 1)
        )
        found = ask(server, "query", query=f"count by ({label}) ({plain(selector)})", time=END)

        assert len(found) > 1, variable["name"]


def test_rules_and_bridge_answer(server) -> None:
    """Every rule is understood; recorded series and OpenTelemetry names have numbers."""
    for group in [*recording_groups(), *alert_groups(), *bridge_groups()]:
        for rule in group["rules"]:
            found = ask(server, "query", query=rule["expr"], time=END)

            assert (
                found
                or "alert" in rule
                or "hour_to_date" in rule["record"]
                or "started5m" in rule["record"]
                or "baseline" in rule["record"]
            ), rule


def test_yesterday_is_the_calendar_day(server) -> None:
    """The Yesterday query gives what was drawn between the two midnights, by feature, within half a per cent."""
    truth: dict[str, float] = {}
    midnight = int(UNTIL.replace(hour=0).timestamp())
    for labels, samples in draw(UNTIL, DAYS)["ai_inference_estimated_cost_usd_total"].items():
        feature = labels.split('feature="')[1].split('"')[0]
        at = dict(samples)
        truth[feature] = (
            truth.get(feature, 0)
            + at[midnight]
            - at[int((UNTIL.replace(hour=0) - timedelta(days=1)).timestamp())]
        )

    found = ask(
        server, "query", query=yesterday("ai_inference_estimated_cost_usd_total", "feature"), time=END
    )

    assert {one["metric"]["feature"]: float(one["value"][1]) for one in found} == pytest.approx(
        truth, rel=0.005
    )


def test_day_to_date_is_the_calendar_day(server) -> None:
    """Today's recorded dollars are those drawn since midnight, within two per cent: it is summed from hours."""
    midnight = int(UNTIL.replace(hour=0).timestamp())
    truth = 0.0
    for samples in draw(UNTIL, DAYS)["ai_inference_estimated_cost_usd_total"].values():
        at = dict(samples)
        truth += at[END] - at[midnight]

    found = ask(
        server, "query", query="sum(feature_team:ai_inference_estimated_cost_usd:day_to_date)", time=END
    )

    assert float(found[0]["value"][1]) == pytest.approx(truth, rel=0.02)


def test_saved_by_cache_is_reads_less_write_surcharge(server) -> None:
    """Dollars saved are cached tokens at the price difference, less what writing cost beyond plain input."""
    variables = {"feature": '="document_summarisation"'}
    window = "1d"
    tokens = 'sum by (model, token_type) (increase(ai_inference_tokens_total{feature="document_summarisation"}[1d]))'
    counted = {
        (one["metric"]["model"], one["metric"]["token_type"]): float(one["value"][1])
        for one in ask(server, "query", query=tokens, time=END)
    }
    truth = 0.0
    for model in ("claude-sonnet-4-5", "claude-haiku-4-5"):
        plain_price, read_price, write_price, _ = (rate / 1e6 for rate in PRICES[model])
        truth += counted[model, "cache_read"] * (plain_price - read_price)
        truth -= counted[model, "cache_write_5m"] * (write_price - plain_price)

    found = ask(server, "query", query=saved_by_cache(variables, window), time=END)

    assert float(found[0]["value"][1]) == pytest.approx(truth, rel=1e-6)


def test_next_run_of_a_job_is_no_change_of_prices(tmp_path) -> None:
    """The annotation marks the version that nothing carried before, once; a nightly job's is new on its first night only."""
    world = World(groups=("processes",), every="1m")
    night = f"1x{HOUR - 1} _x{DAY - HOUR}"
    for version, notation in (("old", f"{night} {night}"), ("new", f"_x{2 * DAY} 1x{HOUR}")):
        world.add("ai_inference_price_table_info", {"version": version, "sha256": "s"}, notation)
    (expr,) = (
        note["expr"] for note in dashboards()["spend"]["annotations"]["list"] if note["name"] == "Price table"
    )

    marked = f"sum by (version) ({expr.replace('$__interval', '1m')})"
    world.value(marked, 0, ({"version": "old"}, 1))
    world.value(marked, 30)
    world.value(marked, DAY)
    world.value(marked, 2 * DAY, ({"version": "new"}, 1))
    world.value(marked, 2 * DAY + 5)
    world.check(tmp_path)


def test_saved_by_cache_of_a_job_that_has_ended(tmp_path) -> None:
    """A nightly job takes its prices along; what its cache saved is still read in the morning: 60,000 tokens at 2.7 per million."""
    world = World(groups=("none",))
    for token_type, dollars in (("input", 3e-6), ("cache_read", 0.3e-6)):
        labels = {"model": "m", "token_type": token_type}
        world.add("ai_inference_price_usd_per_token", labels, f"{dollars}x60")
        world.add("ai_inference_tokens_total", {**labels, "feature": "nightly"}, values(run(HOUR, 1000)))

    world.value(f"round({saved_by_cache({}, '1d')}, 0.01)", 10 * HOUR, ({}, 0.16))
    world.check(tmp_path)


@pytest.fixture(scope="module")
def victoria(server, tmp_path_factory):
    """A VictoriaMetrics with the same samples: the exported ones from the text, the recorded ones from Prometheus."""
    if shutil.which("victoria-metrics") is None:
        pytest.skip("victoria-metrics is not installed (Debian: victoria-metrics)")
    with victoria_metrics("", "-retentionPeriod=100y", "-search.disableCache") as url:
        lines: list[str] = []

        def take(*, last: bool = False) -> None:
            if len(lines) > 50_000 or last:
                with urllib.request.urlopen(f"{url}/api/v1/import/prometheus", "".join(lines).encode()):
                    lines.clear()

        for metric, by_labels in draw(UNTIL, DAYS).items():
            for labels, samples in by_labels.items():
                lines.extend(
                    f"{metric}{{{labels}}} {value:.10g} {second * 1000}\n" for second, value in samples
                )
                take()
        recorded = [rule["record"] for group in recording_groups() for rule in group["rules"]]
        for name in recorded:
            for one in ask(
                server, "query_range", query=name, start=END - DAYS * 86400, end=END, step=STEP_SECONDS
            ):
                labels = ",".join(
                    f"{key}={json.dumps(text)}" for key, text in one["metric"].items() if key != "__name__"
                )
                lines.extend(f"{name}{{{labels}}} {value} {at * 1000:.0f}\n" for at, value in one["values"])
                take()
        take(last=True)
        with urllib.request.urlopen(f"{url}/internal/force_flush"):
            pass
        yield url


@pytest.mark.parametrize("name", sorted(dashboards()))
def test_every_stat_is_the_same_on_victoria_metrics(server, victoria, name) -> None:
    """Each single number of a dashboard comes out alike, within two per cent: the stores extrapolate differently."""
    told = []
    for panel in panels(dashboards()[name]):
        for target in panel["targets"]:
            query = plain(target["expr"]).replace("[7d]", "[1d]")
            one, other = (ask(url, "query", query=query, time=END) for url in (server, victoria))
            if panel["type"] == "stat" and one:
                told.append((panel["title"], float(one[0]["value"][1]), float(other[0]["value"][1])))

    assert told
    for title, here, there in told:
        assert here == pytest.approx(there, rel=0.02, abs=0.002), title


def test_recording_rules_mean_the_same_on_victoria_metrics(server, victoria) -> None:
    """Every rule is understood there and gives the same series, but for quantiles of nothing: NaN here, absent there."""
    for group in [*recording_groups(), *alert_groups()]:
        for rule in group["rules"]:
            here, there = (
                {
                    _labels(one)
                    for one in ask(url, "query", query=rule["expr"], time=END)
                    if one["value"][1] != "NaN"
                }
                for url in (server, victoria)
            )

            assert here == there, rule


def _labels(one: dict) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((key, text) for key, text in one["metric"].items() if key != "__name__"))
