"""Budgets where they matter: on tracked clients, before a request is sent."""

from decimal import Decimal

import pytest
from prometheus_client import CollectorRegistry

from tracked_inference import TrackedClient, attribute
from tracked_inference.errors import BudgetExceededError, ConfigurationError, TrackedInferenceError
from tracked_inference.planning import _guards
from tracked_inference.registry import FeatureRegistry

anthropic = pytest.importorskip("anthropic", reason="the Anthropic SDK is not installed")
openai = pytest.importorskip("openai", reason="the OpenAI SDK is not installed")

# 1,000,000 input tokens of claude-haiku-4-5 cost one dollar.
A_DOLLAR = {"input_tokens": 1_000_000, "output_tokens": 0}
REGISTRY = """
[features.search]
team = "discovery"
owner = "discovery on call"
budget_usd = { month = 2 }
on_budget = "refuse"

[features.ask]
team = "documents"
budget_usd = { day = 1 }
on_budget = "warn"

[features.free]
team = "documents"
"""


@pytest.fixture(autouse=True)
def own_guards(monkeypatch):
    """Each test begins as a new process would."""
    monkeypatch.setattr(_guards, "_guards", {})
    monkeypatch.delenv("TRACKED_INFERENCE_PROMETHEUS_URL", raising=False)


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "tracked-inference.toml"
    path.write_text(REGISTRY)
    return path


class Vendor:
    """Counts the requests that reach it; every answer costs a dollar."""

    def __init__(self, sdk=anthropic):
        self.http = __import__(sdk.DefaultHttpxClient.__mro__[1].__module__.partition(".")[0])
        self.requests = []

    def __call__(self, request):
        self.requests.append(request.url.path)
        if request.url.path.endswith("/batches"):
            return self.http.Response(
                200, json={"id": "batch_1", "processing_status": "in_progress", "status": "validating"}
            )
        return self.http.Response(
            200,
            json={
                "id": "msg_1",
                "type": "message",
                "role": "assistant",
                "model": "claude-haiku-4-5",
                "content": [{"type": "text", "text": "ok"}],
                "stop_reason": "end_turn",
                "usage": A_DOLLAR,
            },
        )

    def client(self, **words):
        http_client = self.http.Client(transport=self.http.MockTransport(self))
        made = anthropic.Anthropic(api_key="k", http_client=http_client, max_retries=0)
        return TrackedClient(made, registry=words.pop("registry", CollectorRegistry()), **words)


def ask(client):
    return client.messages.create(
        model="claude-haiku-4-5", max_tokens=1, messages=[{"role": "user", "content": "x"}]
    )


def test_the_call_after_the_budget_is_refused_before_it_is_sent(config):
    """Two dollars, two calls; the third never leaves."""
    vendor, registry = Vendor(), CollectorRegistry()
    client = vendor.client(feature="search", config=config, registry=registry)
    ask(client)
    ask(client)

    with pytest.raises(BudgetExceededError, match=r"has spent \$2.00 of its budget of \$2.00") as caught:
        ask(client)

    assert isinstance(caught.value, TrackedInferenceError)
    assert len(vendor.requests) == 2
    labels = {"feature": "search", "team": "discovery", "period": "month"}
    assert registry.get_sample_value("ai_inference_budget_refused_calls_total", labels) == 1
    assert registry.get_sample_value("ai_inference_calls_in_progress", {"feature": "search"}) == 0


def test_the_series_of_refused_calls_exists_at_0(config):
    """Or Prometheus would miss the first."""
    registry = CollectorRegistry()
    Vendor().client(feature="search", config=config, registry=registry)

    labels = {"feature": "search", "team": "discovery", "period": "month"}
    assert registry.get_sample_value("ai_inference_budget_refused_calls_total", labels) == 0


async def test_an_async_client_and_its_streams_are_refused_alike(config):
    """Before the first event as before the answer."""
    vendor = Vendor()
    client = vendor.client(feature="search", config=config)
    ask(client)
    ask(client)
    http_client = vendor.http.AsyncClient(transport=vendor.http.MockTransport(vendor))
    twin = TrackedClient(
        anthropic.AsyncAnthropic(api_key="k", http_client=http_client),
        feature="search",
        config=config,
        registry=CollectorRegistry(),
    )
    words = {"model": "claude-haiku-4-5", "max_tokens": 1, "messages": [{"role": "user", "content": "x"}]}

    with pytest.raises(BudgetExceededError):
        await twin.messages.create(**words)
    with pytest.raises(BudgetExceededError):
        await twin.messages.create(**words, stream=True)
    with pytest.raises(BudgetExceededError):
        async with twin.messages.stream(**words):
            pass
    with pytest.raises(BudgetExceededError):
        await twin.messages.with_raw_response.create(**words)
    with pytest.raises(BudgetExceededError):
        await twin.complete(words["messages"], model="claude-haiku-4-5", max_tokens=1)
    assert len(vendor.requests) == 2


def test_making_a_batch_counts_as_spending(config):
    """Its lines are billed later; looking at one is free."""
    vendor = Vendor()
    client = vendor.client(feature="search", config=config)
    ask(client)
    client.messages.batches.create(requests=[])
    ask(client)

    with pytest.raises(BudgetExceededError):
        client.messages.batches.create(requests=[])
    client.messages.batches.retrieve("batch_1")
    client.messages.count_tokens(model="claude-haiku-4-5", messages=[{"role": "user", "content": "x"}])

    assert vendor.requests == [
        "/v1/messages",
        "/v1/messages/batches",
        "/v1/messages",
        "/v1/messages/batches/batch_1",
        "/v1/messages/count_tokens",
    ]


def test_openai_batches_are_refused_and_moderations_are_not():
    """A moderation is a call and costs nothing."""
    vendor = Vendor(openai)

    def answer(request):
        vendor.requests.append(request.url.path)
        if request.url.path.endswith("/moderations"):
            return vendor.http.Response(
                200, json={"id": "m", "model": "omni-moderation-latest", "results": []}
            )
        usage = {"prompt_tokens": 4_000_000, "completion_tokens": 0, "total_tokens": 4_000_000}
        return vendor.http.Response(
            200,
            json={
                "id": "c",
                "object": "chat.completion",
                "created": 1,
                "model": "gpt-5-mini",
                "choices": [],
                "usage": usage,
            },
        )

    http_client = vendor.http.Client(transport=vendor.http.MockTransport(answer))
    client = TrackedClient(
        openai.OpenAI(api_key="k", http_client=http_client),
        feature="search",
        team="discovery",
        budget_usd={"day": 1},
        on_budget="refuse",
        registry=CollectorRegistry(),
    )
    client.chat.completions.create(model="gpt-5-mini", messages=[])  # 4,000,000 tokens at $0.25 a million

    with pytest.raises(BudgetExceededError):
        client.chat.completions.create(model="gpt-5-mini", messages=[])
    with pytest.raises(BudgetExceededError):
        client.batches.create(completion_window="24h", endpoint="/v1/responses", input_file_id="f")
    client.moderations.create(input="x")

    assert vendor.requests == ["/v1/chat/completions", "/v1/moderations"]


def test_a_feature_that_only_warns_and_one_without_a_budget_are_called(config):
    """Refusing is for those who asked for it."""
    vendor = Vendor()
    client = vendor.client(feature="ask", config=config)

    for _ in range(3):
        ask(client)
    with attribute(feature="free"):
        ask(client)

    assert len(vendor.requests) == 4


def test_the_budget_is_the_features_and_not_the_clients(config):
    """Two clients of a feature share it, and `attribute()` chooses whose it is."""
    vendor = Vendor()
    one, other = (vendor.client(feature="search", config=config) for _ in range(2))
    free = vendor.client(feature="free", config=config)
    ask(one)
    ask(other)

    with pytest.raises(BudgetExceededError):
        ask(one)
    with pytest.raises(BudgetExceededError), attribute(feature="search"):
        ask(free)
    with attribute(feature="search"), pytest.raises(BudgetExceededError):
        free.messages.batches.create(requests=[])
    with attribute(feature="free"):
        ask(one)
    with pytest.raises(BudgetExceededError):
        ask(free.with_attribution(feature="search"))

    assert len(vendor.requests) == 3


def test_a_budget_can_be_given_in_code():
    """Without a registry file; its metrics are exported as a declared one's are."""
    vendor, registry = Vendor(), CollectorRegistry()
    client = vendor.client(
        feature="search",
        team="discovery",
        budget_usd={"month": Decimal(1)},
        on_budget="refuse",
        registry=registry,
    )
    ask(client)

    with pytest.raises(BudgetExceededError, match="ask team discovery, or raise budget_usd of the client"):
        ask(client)
    labels = {"feature": "search", "team": "discovery", "period": "month"}
    assert registry.get_sample_value("ai_inference_budget_usd", labels) == 1


def test_code_wins_over_the_registry_and_keeps_the_rest_of_it(config):
    """`on_budget` alone changes what happens, not how much may be spent."""
    vendor, registry = Vendor(), CollectorRegistry()
    client = vendor.client(feature="ask", config=config, on_budget="refuse", registry=registry)
    ask(client)

    with pytest.raises(BudgetExceededError, match=r"budget of \$1.00"):
        ask(client)
    info = [sample.labels["team"] for metric in registry.collect() for sample in metric.samples
            if sample.name == "ai_inference_feature_info" and sample.labels["feature"] == "ask"]  # fmt: skip
    assert info == ["documents"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"budget_usd": {"year": 1}}, "must name its periods"),
        ({"budget_usd": {}}, "must name its periods"),
        ({"budget_usd": 4000}, "must name its periods"),
        ({"budget_usd": {"month": -1}}, "0 or more"),
        ({"budget_usd": {"month": 0}}, "above 0"),
        ({"on_budget": "refuse"}, "without a budget"),
        ({"on_budget": "stop", "budget_usd": {"month": 1}}, "use 'warn', 'refuse' or 'none'"),
    ],
)
def test_a_budget_that_cannot_be_is_refused_where_the_client_is_made(words, said):
    """And not when the money is gone."""
    with pytest.raises(ConfigurationError, match=said):
        Vendor().client(feature="search", team="discovery", **words)


def test_a_fault_of_the_guard_lets_the_call_pass(config, faults):
    """It is counted as any fault of the tracking is."""
    vendor, registry = Vendor(), CollectorRegistry()
    client = vendor.client(feature="search", config=config, registry=registry)
    guard = client.__dict__["_tracked_meter"].guard
    guard.refusal = None  # not callable; and the account is not open yet, so that it is asked
    guard.note = None

    assert ask(client).content[0].text == "ok"
    assert registry.get_sample_value("ai_inference_tracking_errors_total", {"stage": "budget"}) == 2
    assert [stage for stage, _ in faults] == ["budget", "budget"]
    faults.clear()


def test_no_guard_is_made_where_no_feature_has_one(tmp_path):
    """A registry without guarded budgets costs nothing on a call."""
    path = tmp_path / "tracked-inference.toml"
    path.write_text('[features.search]\nteam = "discovery"\nbudget_usd = { month = 5 }\n')
    client = Vendor().client(feature="search", config=FeatureRegistry.load(path))

    assert client.__dict__["_tracked_meter"].guard is None


def test_a_feature_in_order_pays_a_look_into_a_dictionary_and_no_more(config):
    """No lock, no clock, no question to the store; docs/howto/budgets.md has the figure in nanoseconds."""
    client = Vendor().client(feature="search", config=config)
    guard = client.__dict__["_tracked_meter"].guard
    assert guard.refusal("search") is None

    class Untouched:
        def __getattr__(self, name):
            raise AssertionError(f"a call in order used {name}")

        def __call__(self, *args):
            raise AssertionError("a call in order used the clock")

    for part in ("_lock", "_clock", "_source", "_log", "_stop"):
        setattr(guard, part, Untouched())
    for _ in range(100):
        assert guard.refusal("search") is None
