"""What can be tracked, what cannot and how that is said; what the tracked client is."""

import copy
import inspect
import logging
import pickle
import sys
from unittest import mock

import pytest
from prometheus_client import generate_latest

from tests.conftest import CLAUDE, GPT, done, every, new_claude, new_gpt, value_of
from tracked_inference import PriceTable, TrackedClient, attribute, track
from tracked_inference.errors import (
    AttributionError,
    ConfigurationError,
    TrackedInferenceError,
    UnpricedModelError,
    UnsupportedClientError,
)
from tracked_inference.sinks import default_sinks
from tracked_inference.tracking.subclass import METER

anthropic = pytest.importorskip("anthropic", reason="the Anthropic SDK is not installed")
openai = pytest.importorskip("openai", reason="the OpenAI SDK is not installed")
WORDS = {"feature": "search", "team": "discovery", "sinks": []}


@pytest.mark.parametrize(
    ("given", "hint"),
    [
        (lambda: anthropic.AsyncAnthropic, "it is a class; give it an instance, AsyncAnthropic()"),
        (lambda: anthropic, "it is a module"),
        (lambda: mock.MagicMock(spec=anthropic.AsyncAnthropic), "a mock answers no requests"),
        (lambda: mock.MagicMock(), "a mock answers no requests"),
        (lambda: mock.MagicMock(spec=TrackedClient), "a mock answers no requests"),
        (lambda: "client", "give it a client object"),
        (lambda: None, "give it a client object"),
    ],
    ids=["class", "module", "mock with spec", "mock", "mock of a tracked client", "text", "nothing"],
)
def test_what_is_no_client_is_refused(given, hint):
    """The error says what was given and what to give; it is a TypeError."""
    with pytest.raises(UnsupportedClientError) as refused:
        TrackedClient(given(), **WORDS)

    assert hint in str(refused.value)
    assert isinstance(refused.value, TypeError)


async def test_a_resource_is_no_client(plain_claude):
    """`client.messages` cannot be tracked by itself."""
    with pytest.raises(UnsupportedClientError, match="give it a client object"):
        TrackedClient(plain_claude.messages, **WORDS)


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"prices": {"gpt-4o": 1}}, "prices must be a PriceTable, not 'dict'"),
        ({"sinks": print}, "write sinks="),
        ({"sinks": 3}, "write sinks="),
        ({"sinks": [print, 7]}, "7 is not callable"),
        ({"registry": "metrics"}, "registry must be a CollectorRegistry, not 'str'"),
        ({"model": 4}, "model: 4 is no name"),
        ({"model": ""}, "model: '' is no name"),
        ({"models": 4}, "write models="),
        ({"models": ["gpt-4o", 4]}, "models: 4 is no name"),
        ({"provider": 4}, "provider: 4 is no name"),
        ({"stream_usage": "no"}, "stream_usage must be a bool, not 'str'"),
        ({"config": 4}, "config must be a FeatureRegistry or the path of its file, not 'int'"),
        ({"models": "gpt-4o"}, "write models="),
        ({"on_unpriced": "ignore"}, "use 'count' or 'raise'"),
    ],
    ids=str,
)
async def test_wrong_arguments_are_refused(plain_gpt, wrong, text):
    """Construction says which argument is wrong and how to mend it."""
    with pytest.raises(ConfigurationError) as refused:
        TrackedClient(plain_gpt, **{**WORDS, **wrong})

    assert text in str(refused.value)
    assert isinstance(refused.value, (ValueError, TrackedInferenceError))


@pytest.mark.parametrize(
    ("address", "seller"),
    [
        ("https://user:s3cret@llm.example.com/v1", "llm.example.com"),
        ("https://s3cret@llm.example.com:8443/v1", "llm.example.com:8443"),
        ("https://llm.example.com?key=s3cret", "llm.example.com"),
        ("https://llm.example.com#s3cret", "llm.example.com"),
    ],
)
async def test_a_key_in_an_unknown_address_stays_there(address, seller, registry, capsys):
    """A proxy nobody knows is named by its host; what else stands in its base_url reaches no record, label or log line."""
    seen = []
    answer = {"id": "c", "object": "chat.completion", "created": 1, "model": "gpt-4o", "choices": []}
    client = TrackedClient(
        openai.OpenAI(base_url=address, api_key="any", max_retries=0, http_client=answering(answer)),
        feature="search",
        team="discovery",
        sinks=[*default_sinks(registry), seen.append],
        registry=registry,
        model="gpt-4o",
    )
    client.chat.completions.create(**GPT)

    assert (seen[0].provider, seen[0].model) == (seller, f"{seller}/gpt-4o")
    assert "s3cret" not in repr(seen) + generate_latest(registry).decode() + str(capsys.readouterr())


def answering(body):
    """An HTTP client of OpenAI's that answers every request with this JSON, whichever library the SDK is on."""
    library = sys.modules[openai.DefaultHttpxClient.__mro__[1].__module__.partition(".")[0]]
    return library.Client(transport=library.MockTransport(lambda _: library.Response(200, json=body)))


async def test_the_series_of_a_declared_model_are_there_before_its_first_call(plain_claude, registry, vendor):
    """Nothing that a cached call adds to is born with it: increase() would not see it."""
    client = TrackedClient(
        plain_claude,
        feature="search",
        team="discovery",
        model=CLAUDE["model"],
        provider="anthropic",
        registry=registry,
    )
    counted = (
        "ai_inference_tokens_total",
        "ai_inference_estimated_cost_usd_total",
        "ai_inference_calls_total",
    )
    before = series(registry, counted)
    await done(client.messages.create(**CLAUDE))

    assert set(before.values()) == {0}
    assert series(registry, counted).keys() == before.keys()
    assert {dict(labels).get("token_type") for _, labels in before} >= {
        "input",
        "cache_read",
        "cache_write_5m",
        "cache_write_1h",
        "output",
    }


async def test_a_declared_model_without_a_price_has_no_dollars(plain_gpt, registry):
    """A cost series at 0 would show it as free; that it is called is counted all the same."""
    TrackedClient(
        plain_gpt, **WORDS | {"sinks": None}, registry=registry, model="gpt-none", provider="openai"
    )

    assert value_of(registry, "ai_inference_calls_total", **NONE, team="discovery", outcome="ok") == 0
    assert value_of(registry, "ai_inference_estimated_cost_usd_total", **NONE, team="discovery") is None


async def test_declared_models_of_both_vendors_have_their_series(plain_gpt, registry, tmp_path):
    """A registry file names the models of a feature, whichever vendor's client comes first."""
    file = tmp_path / "tracked-inference.toml"
    file.write_text('[features.search]\nteam = "discovery"\nmodels = ["claude-sonnet-4-6", "gpt-4o"]\n')
    TrackedClient(plain_gpt, feature="search", config=file, registry=registry, provider="openai")

    for model in ("claude-sonnet-4-6", "gpt-4o"):
        words = {"model": model, "feature": "search", "team": "discovery"}
        assert value_of(registry, "ai_inference_estimated_cost_usd_total", **words) == 0


NONE = {"model": "gpt-none", "feature": "search"}


def series(registry, names):
    """The samples of these metrics by name and labels."""
    return {
        (one.name, tuple(sorted(one.labels.items()))): one.value
        for metric in registry.collect()
        for one in metric.samples
        if one.name in names
    }


async def test_a_strict_client_refuses_what_has_no_price(plain_gpt):
    """`on_unpriced="raise"` refuses before money is spent: at construction and in complete()."""
    strict = {**WORDS, "on_unpriced": "raise", "provider": "openai"}
    with pytest.raises(UnpricedModelError, match="gpt-none"):
        TrackedClient(plain_gpt, **strict, model="gpt-none")
    client = TrackedClient(plain_gpt, **strict, model="gpt-4o")

    with pytest.raises(LookupError, match="gpt-none"):
        await done(client.complete([], model="gpt-none"))


async def test_it_is_the_vendors_client(plain_claude, claude):
    """isinstance, type name, signatures and coroutine functions are the vendor's; the plain client is left alone."""
    assert isinstance(claude, type(plain_claude))
    assert isinstance(claude, TrackedClient)
    assert not isinstance(plain_claude, TrackedClient)
    assert type(claude).__name__ == type(plain_claude).__name__
    assert type(claude).__module__ == type(plain_claude).__module__
    assert inspect.signature(claude.messages.create) == inspect.signature(plain_claude.messages.create)
    assert inspect.signature(type(claude).request) == inspect.signature(type(plain_claude).request)
    assert inspect.iscoroutinefunction(claude.request) == inspect.iscoroutinefunction(plain_claude.request)
    assert claude._client is plain_claude._client
    assert "tracked" not in "".join(vars(plain_claude))


async def test_repr_tells_what_it_is(claude):
    """A tracked client says who it is for."""
    assert "search" in repr(claude) or "Anthropic" in repr(claude)


async def test_deepcopy_and_pickle_fail_as_they_do(plain_claude, claude):
    """What the SDK's client cannot do, the tracked one cannot either, in the same class of error."""
    for work in (copy.deepcopy, pickle.dumps):
        with pytest.raises((TypeError, AttributeError, pickle.PicklingError)):
            work(plain_claude)
        with pytest.raises((TypeError, AttributeError, pickle.PicklingError)):
            work(claude)


async def test_the_plain_client_stays_untracked(plain_gpt, gpt, records):
    """Wrapping a client changes nothing of the original."""
    await done(plain_gpt.chat.completions.create(**GPT))

    assert records == []


async def test_tracking_again_replaces_the_words_and_keeps_the_rest(gpt, records):
    """A client tracked twice makes one record a call, with the newest words, into the same sinks, by the same prices."""
    again = TrackedClient(gpt, feature="ranking")
    await done(again.chat.completions.create(**GPT))

    assert (records.one.feature, records.one.team) == ("ranking", "discovery")
    assert str(records.one.cost.total_usd) == "0.0001025"


async def test_a_new_client_of_the_tracked_class_is_a_plain_one(vendor, kind, gpt, records):
    """`type(client)(...)`, which frameworks write, gives a client that works, as it has no words to be counted under."""
    made = new_gpt(kind, vendor, cls=type(gpt))
    await done(made.chat.completions.create(**GPT))
    await done(made.close())

    assert not isinstance(made, TrackedClient)
    assert records == []


async def test_a_users_own_subclass_is_tracked(vendor, kind, tracked, records):
    """A subclass with an `__init__` of its own is tracked, and its own methods stay."""
    base = anthropic.Anthropic if kind == "sync" else anthropic.AsyncAnthropic

    class Mine(base):
        def __init__(self, mine, **options):
            super().__init__(**options)
            self.mine = mine

        def hello(self):
            return f"hello {self.mine}"

    plain = new_claude(kind, vendor, cls=lambda **options: Mine("world", **options))
    client = tracked(plain, provider="anthropic")
    await done(client.messages.create(**CLAUDE))
    await done(plain.close())

    assert client.hello() == "hello world"
    assert isinstance(client, Mine)
    assert records.one.outcome == "ok"


async def test_a_method_replaced_before_tracking_is_told(plain_gpt, tracked):
    """A mock put on a resource before tracking would silently be gone: a warning says so; put on after, it works."""
    plain_gpt.chat.completions.create = mock.MagicMock(return_value="mocked")
    with pytest.warns(UserWarning, match="Completions.create of this client was replaced"):
        client = tracked(plain_gpt)
    client.chat.completions.create = mock.MagicMock(return_value="mocked")

    assert client.chat.completions.create() == "mocked"


async def test_using_a_client_before_does_not_matter(plain_claude, tracked, records):
    """Resources that the plain client has handed out already do not reach into the tracked one."""
    await done(plain_claude.beta.messages.create(**CLAUDE))
    client = tracked(plain_claude, provider="anthropic")
    await done(client.beta.messages.create(**CLAUDE))

    assert records.one.operation == "messages"


async def test_context_managers_close_it(vendor, kind, tracked):
    """`with` and `async with` give the tracked client and close it."""
    client = tracked(new_claude(kind, vendor))
    if kind == "async":
        async with client as inside:
            assert inside is client
    else:
        with client as inside:
            assert inside is client

    assert client.is_closed()


def platforms():
    """Every client class that can be made without a cloud's credentials, how to make it, and who sells."""
    for prefix in ("", "Async"):
        kind = "async" if prefix else "sync"

        def claude(name, seller, prefix=prefix, kind=kind, **options):
            return pytest.param(kind, anthropic, prefix + name, options, seller, id=f"{kind}-{name}")

        def gpt(name, seller, prefix=prefix, kind=kind, **options):
            return pytest.param(kind, openai, prefix + name, options, seller, id=f"{kind}-{name}")

        keys = {"aws_access_key": "k", "aws_secret_key": "s", "aws_region": "us-east-1"}
        yield claude("AnthropicBedrock", "bedrock", base_url="url", **keys)
        yield claude(
            "AnthropicVertex",
            "vertex",
            base_url="vertex_url",
            region="us-east5",
            project_id="p",
            access_token="t",
        )
        yield claude("AnthropicFoundry", "foundry", base_url="foundry_url", api_key="k")
        yield claude("AnthropicBedrockMantle", "bedrock", base_url="foundry_url", **keys)
        yield claude("AnthropicAWS", "anthropic", base_url="anthropic_url", workspace_id="w", **keys)
        yield claude(
            "AnthropicGoogleCloud",
            "anthropic",
            base_url="anthropic_url",
            project="p",
            location="us-east5",
            workspace_id="w",
            skip_auth=True,
        )
        yield gpt("AzureOpenAI", "azure", azure_endpoint="url", api_key="k", api_version="2025-04-01-preview")
        yield gpt("BedrockOpenAI", "bedrock", base_url="openai_url", api_key="k")


@pytest.mark.parametrize(("kind", "sdk", "name", "options", "seller"), list(platforms()))
async def test_platform(kind, sdk, name, options, seller, vendor, tracked, records):
    """Calls, streams and copies of the clients of other clouds are tracked, with the seller that their class tells."""
    if not hasattr(sdk, name):
        pytest.skip(f"this SDK has no {name}")
    if name == "AnthropicVertex":
        pytest.importorskip("google.auth", reason="google-auth is not installed")
    known = inspect.signature(getattr(sdk, name).__init__).parameters
    options = {
        key: getattr(vendor, value) if key in ("base_url", "azure_endpoint") else value
        for key, value in options.items()
    }
    given = {key: value for key, value in options.items() if key in known}
    try:
        plain = getattr(sdk, name)(**given, max_retries=0)
    except (TypeError, ValueError, sdk.OpenAIError if sdk is openai else sdk.AnthropicError) as error:
        pytest.skip(f"{name} cannot be made here: {error}")
    client = tracked(plain)

    async def call(client, **more):
        create = client.messages.create if sdk is anthropic else client.chat.completions.create
        return await done(create(**(CLAUDE if sdk is anthropic else GPT), **more))

    await call(client)
    await every(call(client, stream=True))
    copied = client.with_options(timeout=9)  # some SDKs give the copy an HTTP client of its own
    await call(copied)
    await call(copy.copy(client))
    for one in (copied, client, plain):
        await done(one.close())

    assert [record.provider for record in records] == [seller] * 4
    assert [record.outcome for record in records] == ["ok"] * 4
    assert [record.usage.output_tokens if record.usage else None for record in records] == [
        7,
        7 if sdk is anthropic or seller == "azure" else None,
        7,
        7,
    ]


async def test_scoped_clients_stay_tracked(vendor, kind, tracked, records):
    """Copies with another base_url, key or HTTP client are tracked; who sells follows the address."""
    client = tracked(new_claude(kind, vendor))
    await done(client.messages.create(**CLAUDE))
    elsewhere = client.with_options(base_url=f"http://localhost:{vendor.port}", api_key="other")
    await done(elsewhere.messages.create(**CLAUDE))
    await done(client.messages.create(**CLAUDE))
    await done(client.close())
    here, there, again = (record.provider for record in records)

    assert (here, again) == (f"127.0.0.1:{vendor.port}",) * 2
    assert there == f"localhost:{vendor.port}"
    assert {record.cost.status for record in records} == {"unpriced"}


async def test_settings_of_the_tracked_client_work(vendor, gpt):
    """`client.api_key = …` on the tracked client is what is sent."""
    gpt.api_key = "changed"
    await done(gpt.chat.completions.create(**GPT))

    assert vendor.requests[0].headers["authorization"] == "Bearer changed"


def test_track_is_the_same_under_another_name(vendor):
    """`track(client, …)` returns what `TrackedClient(client, …)` returns."""
    plain = new_gpt("sync", vendor)

    assert type(track(plain, **WORDS)) is type(TrackedClient(plain, **WORDS))
    plain.close()


async def test_request_replaced_on_the_instance_goes_on(plain_gpt, tracked, records, kind):
    """Other instrumentation that replaced `client.request` of this one object is called, and the call is recorded."""
    seen, before = [], plain_gpt.request

    def spy(*args, **kwargs):
        seen.append(args[1].url)
        return before(*args, **kwargs)

    plain_gpt.request = spy
    client = tracked(plain_gpt, provider="openai")
    await done(client.chat.completions.create(**GPT))

    assert seen == ["/chat/completions"]
    assert records.one.outcome == "ok"


async def test_request_replaced_on_the_class_by_a_plain_function(vendor, kind, tracked, records):
    """Other instrumentation may wrap `request` of the class in a function that is no coroutine function."""
    base = openai.OpenAI if kind == "sync" else openai.AsyncOpenAI

    class Instrumented(base):
        def request(self, *args, **kwargs):
            return super().request(*args, **kwargs)

    plain = new_gpt(kind, vendor, cls=Instrumented)
    client = tracked(plain, provider="openai")
    await done(client.chat.completions.create(**GPT))
    await done(client.close())

    assert (records.one.outcome, records.one.usage.output_tokens) == ("ok", 7)


async def test_opentelemetry_of_the_vendor_sees_one_call_and_so_do_we(vendor, kind, tracked, records):
    """The spans that the newer Anthropic SDKs make themselves and our record stand side by side."""
    sdk_trace = pytest.importorskip("opentelemetry.sdk.trace", reason="opentelemetry-sdk is not installed")
    export = pytest.importorskip("opentelemetry.sdk.trace.export.in_memory_span_exporter")
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor

    if "open_telemetry" not in inspect.signature(anthropic.Anthropic).parameters:
        pytest.skip("this SDK makes no spans")
    exporter = export.InMemorySpanExporter()
    provider = sdk_trace.TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    plain = new_claude(kind, vendor, open_telemetry={"tracer_provider": provider})
    client = tracked(plain, provider="anthropic")
    with provider.get_tracer("test").start_as_current_span("outer") as span:
        await done(client.messages.create(**CLAUDE))
        trace_id = format(span.get_span_context().trace_id, "032x")
    await every(client.messages.create(**CLAUDE, stream=True))
    await done(client.close())

    assert [record.outcome for record in records] == ["ok", "ok"]
    assert records[0].trace_id == trace_id
    assert len(exporter.get_finished_spans()) >= 2


async def test_declared_words_come_from_the_registry_file(tmp_path, plain_gpt, records):
    """With a registry file the team is known, also of the features that `attribute()` names."""
    path = tmp_path / "features.toml"
    path.write_text('[features.search]\nteam = "discovery"\n[features.ranking]\nteam = "relevance"\n')
    client = TrackedClient(
        plain_gpt,
        feature="search",
        config=path,
        sinks=[records],
        provider="openai",
        prices=PriceTable.bundled(),
    )
    await done(client.chat.completions.create(**GPT))
    with attribute(feature="ranking"):
        await done(client.chat.completions.create(**GPT))

    assert [(record.feature, record.team) for record in records] == [
        ("search", "discovery"),
        ("ranking", "relevance"),
    ]


async def test_calls_for_an_undeclared_feature_are_tracked_as_themselves_with_one_warning(
    tmp_path, plain_gpt, records, caplog
):
    """A typing error in `attribute()` would else be a cost that nobody looks for; a call never fails for it."""
    path = tmp_path / "features.toml"
    path.write_text('[features.search]\nteam = "discovery"\n')
    client = TrackedClient(plain_gpt, feature="search", config=path, sinks=[records], provider="openai")
    with attribute(feature="serch"):
        for _ in range(2):
            await done(client.chat.completions.create(**GPT))
    with attribute(user="u_1"):
        await done(client.chat.completions.create(**GPT))

    assert [(record.feature, record.team) for record in records] == [
        ("serch", "discovery"),
        ("serch", "discovery"),
        ("search", "discovery"),
    ]
    (warning,) = [one.getMessage() for one in caplog.records if one.name == "tracked_inference"]
    assert "feature='serch' is not declared" in warning
    assert "did you mean 'search'?" in warning


async def test_nothing_of_an_ordinary_call_is_logged_as_a_fault(claude, caplog):
    """An ordinary call writes nothing to the library's own logger."""
    with caplog.at_level(logging.DEBUG, logger="tracked_inference"):
        await done(claude.messages.create(**CLAUDE))

    assert [one for one in caplog.records if one.name == "tracked_inference"] == []


async def test_signatures_are_those_of_what_is_called(plain_claude, plain_gpt):
    """`help(TrackedClient)` and an editor name its arguments; the class of a tracked client takes the vendor's."""
    assert inspect.signature(TrackedClient) == inspect.signature(track)
    for plain in (plain_claude, plain_gpt):
        client = TrackedClient(plain, **WORDS)

        assert inspect.signature(type(client)) == inspect.signature(type(plain))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            {"team": "discovery"},
            "feature is missing: give a name, feature='document_summarisation' for instance",
        ),
        ({"feature": "search"}, "team is missing: give a name, team='documents' for instance"),
    ],
)
async def test_an_untagged_client_is_refused(plain_claude, words, message):
    """A client must say what its calls are for and who pays; without, the error says which word is missing."""
    with pytest.raises(AttributionError) as refused:
        TrackedClient(plain_claude, **words, sinks=[])

    assert str(refused.value) == message


async def test_who_sells_follows_the_address(plain_gpt, records, vendor):
    """Setting `base_url` later is noticed, and so is a `base_url` that a class of the application's makes up each time."""
    sdk = type(plain_gpt)

    class Elsewhere(sdk):
        here = True

        @property
        def base_url(self):
            return super().base_url if self.here else "http://127.0.0.2:9/v1/"

        @base_url.setter
        def base_url(self, url):
            sdk.base_url.fset(self, url)

    meter = TrackedClient(plain_gpt, feature="search", team="discovery", sinks=[records]).__dict__[METER]
    client = Elsewhere(api_key="k", base_url="http://127.0.0.1:9/v1")
    sellers = [meter.seller(client)[0]]
    client.here = False
    sellers.append(meter.seller(client)[0])
    client.here = True
    sellers.append(meter.seller(client)[0])
    plain_gpt.base_url = "https://api.openai.com/v1"
    sellers += [meter.seller(plain_gpt)[0], meter.seller(plain_gpt)[0]]
    plain_gpt.base_url = "https://openrouter.ai/api/v1"
    sellers.append(meter.seller(plain_gpt)[0])

    assert sellers == ["127.0.0.1:9", "127.0.0.2:9", "127.0.0.1:9", "openai", "openai", "openrouter"]
