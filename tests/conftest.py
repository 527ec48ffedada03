"""What the tests share: a loopback vendor, clients of the installed SDKs, and the records that tracking makes of them."""

import gc
import inspect
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from prometheus_client import CollectorRegistry

from tracked_inference import PriceTable, TrackedClient
from tracked_inference.loopback import Answer, LoopbackVendor
from tracked_inference.sinks import log
from tracked_inference.tracking import background, handover
from tracked_inference.tracking import faults as faults_of_tracking

# A busy machine is no failure: no test goes by the clock.
settings.register_profile("project", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("project")

try:
    import anthropic
except ImportError:
    anthropic = None
try:
    import openai
except ImportError:
    openai = None

CLAUDE = {
    "model": "claude-sonnet-4-6",
    "max_tokens": 64,
    "messages": [{"role": "user", "content": "Say something."}],
}
GPT = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Say something."}]}

# What the vendor bills for one call to each, and what that costs by the vendors' price lists:
# 11 x $3 + 3 x $0.30 + 2 x $3.75 + 7 x $15 = $146.40 a million calls to claude-sonnet-4-6,
# 11 x $2.50 + 4 x $1.25 + 7 x $10 = $102.50 a million calls to gpt-4o.
CLAUDE_SAYS = Answer.using(
    {"input": 11, "cache_read": 3, "cache_write_5m": 2, "output": 7}, text="Hello there.", chunks=3
)
CLAUDE_USD = "0.0001464"
GPT_SAYS = Answer.using({"input": 11, "cache_read": 4, "output": 7}, text="Hello there.", chunks=3)
GPT_USD = "0.0001025"


def pytest_collection_finish():
    """Let the garbage collector, which many tests call, look at what tests make and not at the SDKs' modules."""
    gc.collect()
    gc.freeze()


def pytest_unconfigure():
    """Let what was kept out of its way be collected at the end, lest extension modules complain of leaks."""
    gc.unfreeze()


class Records(list):
    """The records that a client made, as a sink."""

    def __call__(self, record: Any, /) -> None:
        self.append(record)

    @property
    def one(self) -> Any:
        """The only record there is."""
        assert len(self) == 1, [f"{record.operation} {record.outcome}" for record in self]
        return self[0]

    def take(self) -> list[Any]:
        """What there is, once."""
        taken = list(self)
        self.clear()
        return taken


@pytest.fixture(autouse=True)
def _clean(monkeypatch):
    """No settings from outside, and no memory of the background calls and unpriced models of other tests."""
    for name in (
        "TRACKED_INFERENCE_CONFIG",
        "TRACKED_INFERENCE_PRICES",
        "TRACKED_INFERENCE_PROMETHEUS_URL",
        "PROMETHEUS_MULTIPROC_DIR",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(background, "background", background.Background())
    monkeypatch.setattr(log, "_told", set())


@pytest.fixture(autouse=True)
def _patient(monkeypatch):
    """On a busy machine a finalizer's work may take longer than a program should wait for it, but not than a test should."""
    monkeypatch.setattr(handover, "_PATIENCE_SECONDS", 20.0)


@pytest.fixture(autouse=True)
def faults(monkeypatch):
    """The faults of the tracking, as stage and exception; a test that does not take them out fails by them."""
    seen = []
    fault = faults_of_tracking.Faults.note

    def note(self, stage, error):
        seen.append((stage, error))
        fault(self, stage, error)

    monkeypatch.setattr(faults_of_tracking, "_logged", set())
    monkeypatch.setattr(faults_of_tracking.Faults, "note", note)
    yield seen
    if seen:
        stage, error = seen[0]
        raise AssertionError(f"{len(seen)} faults of the tracking, the first at {stage}") from error


@pytest.fixture
def vendor() -> Iterator[LoopbackVendor]:
    with LoopbackVendor() as vendor:
        vendor.always(CLAUDE_SAYS, endpoint="messages")
        vendor.always(GPT_SAYS, endpoint="chat.completions")
        vendor.always(GPT_SAYS, endpoint="completions")
        vendor.always(GPT_SAYS, endpoint="responses")
        yield vendor


@pytest.fixture(params=["sync", "async"])
def kind(request) -> str:
    return request.param


@pytest.fixture
def records() -> Records:
    return Records()


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def tracked(records):
    """Track a client, with words that do not matter, into `records`."""

    def track(client, **words):
        words = {
            "feature": "search",
            "team": "discovery",
            "sinks": [records],
            "prices": PriceTable.bundled(),
            **words,
        }
        return TrackedClient(client, **words)

    return track


@pytest.fixture
async def plain_claude(vendor, kind):
    """Anthropic's client as it comes."""
    pytest.importorskip("anthropic", reason="the Anthropic SDK is not installed")
    client = new_claude(kind, vendor)
    yield client
    await done(client.close())


@pytest.fixture
async def plain_gpt(vendor, kind):
    """OpenAI's client as it comes."""
    pytest.importorskip("openai", reason="the OpenAI SDK is not installed")
    client = new_gpt(kind, vendor)
    yield client
    await done(client.close())


@pytest.fixture
def claude(plain_claude, tracked):
    return tracked(plain_claude, provider="anthropic")


@pytest.fixture
def gpt(plain_gpt, tracked):
    return tracked(plain_gpt, provider="openai", stream_usage=True)


def new_claude(kind: str, vendor: LoopbackVendor, cls: Any = None, **options: Any) -> Any:
    """A client of Anthropic's that talks to the vendor; it reads no certificates, which takes longer than most tests."""
    cls = cls or (anthropic.Anthropic if kind == "sync" else anthropic.AsyncAnthropic)
    http = (anthropic.DefaultHttpxClient if kind == "sync" else anthropic.DefaultAsyncHttpxClient)(
        verify=False
    )
    options = {
        "base_url": vendor.anthropic_url,
        "api_key": "any",
        "max_retries": 2,
        "http_client": http,
        **options,
    }
    return cls(**options)


def new_gpt(kind: str, vendor: LoopbackVendor, cls: Any = None, **options: Any) -> Any:
    """A client of OpenAI's that talks to the vendor."""
    cls = cls or (openai.OpenAI if kind == "sync" else openai.AsyncOpenAI)
    http = (openai.DefaultHttpxClient if kind == "sync" else openai.DefaultAsyncHttpxClient)(verify=False)
    options = {
        "base_url": vendor.openai_url,
        "api_key": "any",
        "max_retries": 2,
        "http_client": http,
        **options,
    }
    return cls(**options)


async def done(value: Any) -> Any:
    """What a call gives, of either kind of client."""
    return await value if inspect.isawaitable(value) else value


async def every(stream: Any) -> list[Any]:
    """All that a stream gives, of either kind of client."""
    stream = await done(stream)
    return [item async for item in stream] if hasattr(stream, "__aiter__") else list(stream)


async def some(stream: Any, count: int) -> list[Any]:
    """The first events of a stream, of either kind of client; the stream stays open."""
    if hasattr(stream, "__anext__"):
        return [await stream.__anext__() for _ in range(count)]
    return [next(stream) for _ in range(count)]


class entered:
    """The context of a stream helper, of either kind of client."""

    def __init__(self, manager: Any) -> None:
        self.manager = manager

    async def __aenter__(self) -> Any:
        if hasattr(self.manager, "__aenter__"):
            return await self.manager.__aenter__()
        return self.manager.__enter__()

    async def __aexit__(self, *error: object) -> None:
        if hasattr(self.manager, "__aexit__"):
            await self.manager.__aexit__(*error)
        else:
            self.manager.__exit__(*error)


def http_of(sdk: Any) -> Any:
    """The HTTP library of an SDK: httpx in the older generations, httpx2 in the newer ones."""
    module = next(one for one in sdk.Timeout.__mro__ if one is not object)
    name = "httpx2" if "httpx2" in sys.modules and module is sys.modules["httpx2"].Timeout else "httpx"
    return sys.modules[name]


def value_of(registry: CollectorRegistry, name: str, **labels: str) -> float | None:
    """A sample of a registry; None where there is no such series."""
    return registry.get_sample_value(name, labels)
