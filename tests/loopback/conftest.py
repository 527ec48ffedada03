"""A loopback vendor a test, and clients of the installed SDKs, blocking and async."""

import inspect
from collections.abc import Iterator
from typing import Any

import pytest

from tracked_inference.loopback import LoopbackVendor

anthropic = pytest.importorskip("anthropic", reason="the Anthropic SDK is not installed")
openai = pytest.importorskip("openai", reason="the OpenAI SDK is not installed")


@pytest.fixture
def vendor() -> Iterator[LoopbackVendor]:
    with LoopbackVendor() as vendor:
        yield vendor


@pytest.fixture(params=["sync", "async"])
def kind(request) -> str:
    return request.param


@pytest.fixture
async def claude(vendor, kind):
    client = of_kind(kind, anthropic, "Anthropic")(
        base_url=vendor.anthropic_url, api_key="any", max_retries=2
    )
    yield client
    await done(client.close())


@pytest.fixture
async def gpt(vendor, kind):
    client = of_kind(kind, openai, "OpenAI")(base_url=vendor.openai_url, api_key="any", max_retries=2)
    yield client
    await done(client.close())


def of_kind(kind: str, sdk: Any, name: str) -> Any:
    """The class of a client, of either kind, without the tenth of a second that TLS certificates take to load, past any proxy."""
    make = getattr(sdk, name if kind == "sync" else f"Async{name}")
    transport = sdk.DefaultHttpxClient if kind == "sync" else sdk.DefaultAsyncHttpxClient
    return lambda **given: make(**given, http_client=transport(verify=False, trust_env=False))


async def done(value: Any) -> Any:
    """What a call gives, of either kind of client."""
    return await value if inspect.isawaitable(value) else value


async def every(stream: Any) -> list[Any]:
    """All that a stream gives, of either kind of client."""
    stream = await done(stream)
    return [item async for item in stream] if hasattr(stream, "__aiter__") else list(stream)


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
