"""The budget guard alone: a clock that is set by hand, a source that says what it is told."""

import contextlib
import os
import pickle
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from types import SimpleNamespace

import pytest
import structlog

from tracked_inference.errors import BudgetExceededError
from tracked_inference.planning import BudgetGuard
from tracked_inference.planning.spend import Answer
from tracked_inference.prometheus.store import PrometheusError
from tracked_inference.registry import Feature

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC).timestamp()
SEARCH = Feature(
    name="search",
    team="discovery",
    owner="discovery on call",
    budget_usd={"month": Decimal(100)},
    on_budget="refuse",
)


class Clock:
    def __init__(self, now=NOON):
        self.now = now

    def __call__(self):
        return self.now


class Source:
    """Says what it was told to say, and notes what it was asked."""

    name = "Prometheus at prometheus:9090"

    def __init__(self, spent=0, seen_until=float("inf"), error=None):
        self.spent, self.seen_until, self.error = spent, seen_until, error
        self.asked = []

    def __call__(self, period, features, start, at):
        self.asked.append((period, sorted(features), start, at))
        if self.error is not None:
            raise self.error
        return Answer(dict.fromkeys(features, Decimal(self.spent)), dict.fromkeys(features, self.seen_until))


def record(dollars, feature="search"):
    return SimpleNamespace(
        feature=feature, cost=SimpleNamespace(total_usd=None if dollars is None else Decimal(str(dollars)))
    )


@pytest.fixture
def guarded():
    """Makes guards whose thread never gets to ask by itself, so that the test says when."""
    made = []

    def make(source=None, feature=SEARCH, clock=None, **more):
        guard = BudgetGuard(source, refresh_seconds=30, clock=clock or Clock(), **more)
        guard._thread = threading.current_thread()
        made.append(guard)
        guard.watch(feature, "tracked-inference.toml")
        return guard

    yield make
    for guard in made:
        guard.close()


def test_a_feature_below_its_budget_is_called(guarded):
    """And one that nobody watches, always."""
    guard = guarded()
    guard.note(record("99.99"))

    assert guard.refusal("search") is None
    assert guard.refusal("other") is None


def test_a_spent_budget_refuses_and_says_who_how_much_until_when_and_whom_to_ask(guarded):
    """The message is all that whoever is woken by it needs; the data is on the error, too."""
    guard = guarded(Source(spent="100.4"))
    guard.refresh()

    error = guard.refusal("search")

    assert isinstance(error, BudgetExceededError)
    assert str(error) == (
        "feature 'search' of team 'discovery' has spent $100.40 of its budget of $100.00 for November 2026 (by Prometheus"
        " at prometheus:9090); its calls are refused until 2026-12-01 00:00 UTC: ask discovery on call, or raise budget_usd"
        " of [features.search] in tracked-inference.toml"
    )
    assert (error.feature, error.team, error.owner, error.period) == (
        "search",
        "discovery",
        "discovery on call",
        "month",
    )
    assert (error.budget_usd, error.spent_usd) == (Decimal(100), Decimal("100.4"))
    assert error.until == datetime(2026, 12, 1, tzinfo=UTC)


def test_a_small_budget_is_told_in_the_digits_that_it_has(guarded):
    """A budget for a test or for a cheap model: $0.00 of $0.00 tells nobody anything."""
    small = replace(SEARCH, budget_usd={"month": Decimal("0.001")})
    guard = guarded(feature=small)
    guard.note(record("0.0012063"))

    assert "has spent $0.001206 of its budget of $0.001 for" in str(guard.refusal("search"))


def test_the_error_can_be_sent_to_another_process():
    """Task queues pickle what is raised."""
    error = BudgetExceededError("spent", feature="search", budget_usd=Decimal(5))

    copy = pickle.loads(pickle.dumps(error))

    assert (str(copy), copy.feature, copy.budget_usd) == ("spent", "search", Decimal(5))


def test_spending_exactly_the_budget_spends_it(guarded):
    """To the cent; the next call is one too many."""
    guard = guarded()
    guard.note(record(100))

    assert guard.refusal("search") is not None


def test_a_new_month_lets_calls_through_again(guarded):
    """A budget is for a calendar month in UTC: the last second of it refuses, the first of the next does not."""
    clock = Clock(datetime(2026, 11, 30, 23, 59, 59, tzinfo=UTC).timestamp())
    guard = guarded(clock=clock)
    guard.note(record(100))
    refused = guard.refusal("search")

    clock.now += 1

    assert refused is not None
    assert guard.refusal("search") is None
    assert guard.spent_usd("search") == {"month": 0}


def test_the_answer_about_last_month_is_dropped(guarded):
    """A source that answers across midnight answers about a month that is over."""
    clock = Clock(datetime(2026, 11, 30, 23, 59, 59, tzinfo=UTC).timestamp())

    class Slow(Source):
        def __call__(self, *asked):
            answer = super().__call__(*asked)
            clock.now += 2
            guard.note(record(1))  # of December
            return answer

    guard = guarded(Slow(spent=500), clock=clock)

    guard.refresh()

    assert guard.refusal("search") is None
    assert guard.spent_usd("search") == {"month": 1}


def test_a_day_has_a_budget_of_its_own(guarded):
    """The day is spent and the month is not: calls pass again at midnight."""
    daily = Feature(
        "search", "discovery", budget_usd={"month": Decimal(100), "day": Decimal(10)}, on_budget="refuse"
    )
    guard = guarded(feature=daily)
    guard.note(record(10))

    error = guard.refusal("search")

    assert (error.period, error.until) == ("day", datetime(2026, 11, 24, tzinfo=UTC))


def test_of_two_spent_budgets_the_longer_one_is_told(guarded):
    """Until when is the later end."""
    daily = Feature(
        "search", "discovery", budget_usd={"day": Decimal(10), "month": Decimal(10)}, on_budget="refuse"
    )
    guard = guarded(feature=daily)
    guard.note(record(10))

    assert guard.refusal("search").period == "month"


def test_what_the_source_has_not_seen_yet_is_added(guarded):
    """All spent 90, seen until noon; this process spent 6 before, which is in it, and 7 after, which is not."""
    clock = Clock(NOON - 60)
    guard = guarded(Source(spent=90, seen_until=NOON), clock=clock)
    guard.note(record(6))
    clock.now = NOON + 5
    guard.note(record(7))

    guard.refresh()

    assert guard.spent_usd("search") == {"month": 97}


def test_what_this_process_spent_is_a_floor(guarded):
    """A process that is never scraped still knows what it spent."""
    clock = Clock(NOON - 60)
    guard = guarded(Source(spent=0, seen_until=NOON), clock=clock)
    guard.note(record(100))
    clock.now = NOON + 60

    guard.refresh()

    assert guard.refusal("search") is not None


def test_spending_counts_while_nobody_answers_for_long(guarded):
    """Two thousand seconds without an answer lose nothing, and cost a bounded memory."""
    clock = Clock()
    guard = guarded(Source(spent=1, seen_until=NOON - 1), clock=clock)
    guard.refresh()

    for _ in range(2000):
        clock.now += 1
        guard.note(record("0.01"))

    assert guard.spent_usd("search") == {"month": Decimal("21.00")}
    assert len(guard.accounts["search"].books[0].recent) <= 1200


def test_every_period_is_asked_about_once_for_all_features(guarded):
    """One question a period, however many features."""
    source = Source()
    guard = guarded(source)
    guard.watch(Feature("ask", "docs", budget_usd={"month": Decimal(5), "day": Decimal(1)}, on_budget="warn"))

    guard.refresh()

    at = datetime(2026, 11, 23, 12, tzinfo=UTC)
    assert sorted(source.asked) == [
        ("day", ["ask"], datetime(2026, 11, 23, tzinfo=UTC), at),
        ("month", ["ask", "search"], datetime(2026, 11, 1, tzinfo=UTC), at),
    ]


def test_a_warning_is_given_once_a_period(guarded):
    """One line, with everything in it; the calls pass."""
    clock = Clock()
    warned = Feature(
        "search", "discovery", owner="on call", budget_usd={"month": Decimal(100)}, on_budget="warn"
    )
    guard = guarded(Source(spent="100.5"), feature=warned, clock=clock)
    with structlog.testing.capture_logs() as lines:
        guard.refresh()
        guard.refresh()
        guard.note(record(1))
        clock.now = datetime(2026, 12, 1, tzinfo=UTC).timestamp()
        guard.refresh()

    spent = [line for line in lines if line["event"] == "ai.inference.budget_spent"]
    assert guard.refusal("search") is None
    assert [line["until"] for line in spent] == ["2026-12-01T00:00:00+00:00", "2027-01-01T00:00:00+00:00"]
    assert spent[0] == {
        "event": "ai.inference.budget_spent",
        "log_level": "warning",
        "feature": "search",
        "team": "discovery",
        "owner": "on call",
        "period": "month",
        "budget_usd": 100.0,
        "spent_usd": 100.5,
        "until": "2026-12-01T00:00:00+00:00",
        "on_budget": "warn",
        "source": "Prometheus at prometheus:9090",
    }


def test_a_call_before_the_first_answer_passes_and_says_so_once(guarded):
    """Nobody waits for Prometheus."""
    guard = guarded(Source(spent=500))

    with structlog.testing.capture_logs() as lines:
        first, second = guard.refusal("search"), guard.refusal("search")

    assert (first, second) == (None, None)
    assert [line["event"] for line in lines] == ["ai.inference.budget_not_known_yet"]


def test_without_a_store_the_budget_is_that_of_the_process_and_says_so(guarded):
    """A budget that is not shared must not look as if it were."""
    with structlog.testing.capture_logs() as lines:
        guard = guarded()
    guard.note(record(100))

    assert lines[0]["event"] == "ai.inference.budget_of_this_process"
    assert "by the records of this process alone" in str(guard.refusal("search"))


def test_an_unreachable_store_lets_calls_pass_unless_told_otherwise(guarded):
    """By what this process knows; it is counted every time and told once, and its return is told, too."""
    source = Source(error=PrometheusError("unreachable", "prometheus:9090 cannot be reached"))
    reasons = []
    guard = guarded(source, count_failure=reasons.append)
    with structlog.testing.capture_logs() as lines:
        guard.refresh()
        guard.refresh()
        passed = guard.refusal("search")
        guard.note(record(100))
        source.error = None
        guard.refresh()

    assert passed is None
    assert reasons == ["unreachable", "unreachable"]
    assert [line["event"] for line in lines if "source" in line["event"]] == [
        "ai.inference.budget_source_unreachable",
        "ai.inference.budget_source_back",
    ]
    assert guard.refusal("search") is not None


def test_an_unreachable_store_refuses_when_told_to(guarded):
    """Only then, only features that refuse, and only until it answers."""
    source = Source(error=PrometheusError("timeout", "no answer in 10 s"))
    guard = guarded(source, when_unreachable="refuse")
    guard.watch(Feature("ask", "docs", budget_usd={"month": Decimal(5)}, on_budget="warn"))
    before = guard.refusal("search")

    guard.refresh()
    during, warned = guard.refusal("search"), guard.refusal("ask")
    source.error = None
    guard.refresh()

    assert before is None
    assert "gives no answer (timeout)" in str(during)
    assert (during.spent_usd, during.until, during.budget_usd) == (None, None, Decimal(100))
    assert warned is None
    assert guard.refusal("search") is None


def test_a_store_that_misses_one_answer_is_not_unreachable_yet(guarded):
    """Its last answer holds for three refreshes, even when told to refuse."""
    source, clock = Source(spent=1), Clock()
    guard = guarded(source, when_unreachable="refuse", clock=clock)
    guard.refresh()
    source.error = PrometheusError("timeout", "no answer")

    clock.now += 90
    guard.refresh()
    within = guard.refusal("search")
    clock.now += 1
    guard.refresh()

    assert within is None
    assert guard.refusal("search") is not None


def test_a_fault_of_the_source_is_no_fault_of_the_caller(guarded):
    """Whatever it raises; the text of an unknown error is not logged, as nobody knows what it says."""
    guard = guarded(Source(error=RuntimeError("secret")))

    with structlog.testing.capture_logs() as lines:
        guard.refresh()

    assert guard.refusal("search") is None
    assert [(line["reason"], line["error"]) for line in lines] == [("failed", "RuntimeError")]


def test_calls_without_a_price_change_nothing(guarded):
    """What they cost is not known; that is counted elsewhere."""
    guard = guarded()
    guard.note(record(None))
    guard.note(record(0))
    guard.note(record(500, feature="other"))

    assert guard.spent_usd("search") == {"month": 0}


def test_a_budget_that_is_raised_lets_calls_through(guarded):
    """The newest word counts, and what was spent stays spent."""
    guard = guarded()
    guard.note(record(100))
    refused = guard.refusal("search")

    guard.watch(
        Feature("search", "discovery", budget_usd={"month": Decimal(200)}, on_budget="refuse"),
        "tracked-inference.toml",
    )

    assert refused is not None
    assert guard.refusal("search") is None
    assert guard.spent_usd("search") == {"month": 100}


def test_the_thread_asks_by_itself():
    """A call never does: the answer is there a moment after the guard was told to watch."""
    asked = threading.Event()

    class Signals(Source):
        def __call__(self, *words):
            asked.set()
            return super().__call__(*words)

    guard = BudgetGuard(Signals(spent=500), refresh_seconds=0.01)
    guard.watch(SEARCH)
    try:
        assert asked.wait(5)
        deadline = time.monotonic() + 5
        while guard.refusal("search") is None and time.monotonic() < deadline:
            time.sleep(0.005)

        assert guard.refusal("search") is not None
    finally:
        guard.close()


def test_a_source_that_hangs_delays_no_call():
    """The thread waits, the calls do not: a thousand of them in well under the time that the source takes."""
    release = threading.Event()

    class Hangs(Source):
        def __call__(self, *words):
            release.wait(10)
            return super().__call__(*words)

    guard = BudgetGuard(Hangs(), refresh_seconds=1)
    guard.watch(SEARCH)
    try:
        started = time.perf_counter()
        refusals = {guard.refusal("search") for _ in range(1000)}
        for _ in range(100):
            guard.note(record("0.01"))
        took = time.perf_counter() - started

        assert refusals == {None}
        assert took < 8  # it would be 10 if anything waited for the source
    finally:
        release.set()
        guard.close()


def test_many_threads_lose_no_cent(guarded):
    """Eight threads note a thousand cents each while others look."""
    guard = guarded(
        feature=Feature("search", "discovery", budget_usd={"month": Decimal(1000)}, on_budget="refuse")
    )

    def work():
        for _ in range(1000):
            guard.note(record("0.01"))
            guard.refusal("search")

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert guard.spent_usd("search") == {"month": Decimal("80.00")}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:This process.*multi-threaded:DeprecationWarning")
def test_a_forked_child_starts_with_its_own_thread_and_spends_its_own_money():
    """Even when the parent held the lock; the answer about all processes still holds."""
    source = Source(spent=60, seen_until=NOON)
    guard = BudgetGuard(source, refresh_seconds=0.01, clock=Clock(NOON + 10))
    guard.watch(SEARCH)
    deadline = time.monotonic() + 5
    while guard.spent_usd("search") != {"month": 60} and time.monotonic() < deadline:
        time.sleep(0.005)
    guard.note(record(30))
    read, write = os.pipe()
    with guard._lock:
        child = os.fork()
        if child == 0:  # pragma: no cover  # the child is not measured
            said = "failed"
            with contextlib.suppress(BaseException):
                guard.note(record(5))
                guard.refusal("search")
                alive = guard._thread is not None and guard._thread.is_alive()
                said = f"{guard.spent_usd('search')['month']} {alive}"
            os.write(write, said.encode())
            os._exit(0)
    os.waitpid(child, 0)
    guard.close()

    assert os.read(read, 100).decode() == "65 True"
    assert guard.spent_usd("search") == {"month": 90}
    os.close(read)
    os.close(write)
