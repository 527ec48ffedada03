"""Other event loops and transports than asyncio and httpx: where the SDK runs on them, so does the tracking."""

import asyncio
import gc
import importlib.util
import json
import os
import subprocess
import sys

import pytest

from tests.conftest import CLAUDE, CLAUDE_SAYS, CLAUDE_USD, GPT, GPT_USD, every, new_claude, new_gpt, some

anthropic = pytest.importorskip("anthropic", reason="the Anthropic SDK is not installed")
openai = pytest.importorskip("openai", reason="the OpenAI SDK is not installed")


class TestTrio:
    """The async SDKs run under trio, as httpx does; so does a tracked client."""

    @pytest.fixture(autouse=True)
    def _trio(self):
        self.trio = pytest.importorskip("trio", reason="trio is not installed")

    def test_calls(self, vendor, tracked, records):
        """A call of each vendor is recorded with its money."""

        async def main():
            async with tracked(new_claude("async", vendor), provider="anthropic") as claude:
                message = await claude.messages.create(**CLAUDE)
            async with tracked(new_gpt("async", vendor), provider="openai") as gpt:
                completion = await gpt.chat.completions.create(**GPT)
            return message.content[0].text, completion.choices[0].message.content

        assert self.trio.run(main) == ("Hello there.", "Hello there.")
        assert [(str(one.cost.total_usd), one.outcome) for one in records] == [
            (CLAUDE_USD, "ok"),
            (GPT_USD, "ok"),
        ]

    @pytest.mark.filterwarnings(
        "ignore:Async generator"
    )  # trio's, of the SDK's own generator, plain or tracked
    @pytest.mark.parametrize("way", ["read", "left"])
    def test_streams(self, way, vendor, tracked, records):
        """A stream that is read, and one that is left after its first event, make one record each."""

        async def main():
            async with tracked(new_claude("async", vendor), provider="anthropic") as claude:
                async with await claude.messages.create(**CLAUDE, stream=True) as stream:
                    if way == "left":
                        await some(stream, 1)
                    else:
                        await every(stream)

        self.trio.run(main)

        assert records.one.outcome == ("ok" if way == "read" else "abandoned")

    def test_a_scope_that_is_cancelled(self, vendor, tracked, records):
        """trio's own cancellation is a cancelled call, not an error of the vendor's."""
        vendor.script(CLAUDE_SAYS.paced(5))

        async def main():
            async with tracked(new_claude("async", vendor), provider="anthropic") as claude:
                with self.trio.move_on_after(0.3):
                    async for _ in await claude.messages.create(**CLAUDE, stream=True):
                        pass

        self.trio.run(main)

        assert (records.one.outcome, records.one.error_type) == ("cancelled", "Cancelled")


@pytest.mark.parametrize("name", ["anthropic", "openai"])
@pytest.mark.filterwarnings(
    "ignore::ResourceWarning"
)  # aiohttp's connector, which the SDKs' transport leaves to the collector
class TestAiohttp:
    """The SDKs' `DefaultAioHttpClient` carries tracked calls."""

    @pytest.fixture
    def client(self, name, vendor, tracked):
        pytest.importorskip("aiohttp", reason="aiohttp is not installed")
        sdk = {"anthropic": anthropic, "openai": openai}[name]
        if not hasattr(sdk, "DefaultAioHttpClient"):
            pytest.skip("this SDK has no transport for aiohttp")
        try:
            http = sdk.DefaultAioHttpClient()
        except RuntimeError as missing:
            pytest.skip(str(missing))
        new = {"anthropic": new_claude, "openai": new_gpt}[name]
        return tracked(new("async", vendor, http_client=http), provider=name, stream_usage=True)

    async def test_calls_and_streams(self, name, client, records):
        """A call, a stream that is read and one that is left: one record each, the money of those that ended."""
        asked = {"anthropic": CLAUDE, "openai": GPT}[name]
        async with client:
            create = client.messages.create if name == "anthropic" else client.chat.completions.create
            await create(**asked)
            async for _ in await create(**asked, stream=True):
                pass
            async with await create(**asked, stream=True) as stream:
                async for _ in stream:
                    break
        gc.collect()

        money = {"anthropic": CLAUDE_USD, "openai": GPT_USD}[name]
        assert [one.outcome for one in records] == ["ok", "ok", "abandoned"]
        assert [str(one.cost.total_usd) for one in records[:2]] == [money] * 2


def test_uvloop(vendor, tracked, records):
    """A call, a stream that is left and one that times out, in uvloop's event loop."""
    uvloop = pytest.importorskip("uvloop", reason="uvloop is not installed")

    async def main():
        async with tracked(new_claude("async", vendor), provider="anthropic") as claude:
            await claude.messages.create(**CLAUDE)
            async with await claude.messages.create(**CLAUDE, stream=True) as stream:
                await some(stream, 1)
            vendor.script(CLAUDE_SAYS.paced(5))
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(every(await claude.messages.create(**CLAUDE, stream=True)), 0.3)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())

    assert [one.outcome for one in records] == ["ok", "abandoned", "cancelled"]


@pytest.mark.skipif(importlib.util.find_spec("gevent") is None, reason="gevent is not installed")
def test_gevent():
    """Synchronous clients under gevent's patches: each greenlet's calls are its own, those that it leaves and times out of too."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "tests.client.gevented"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

    assert json.loads(done.stdout or "null") == {
        "outcomes": {"ok": 8, "abandoned": 8, "cancelled": 8},
        "users": {f"u{number}": 3 for number in range(8)},
        "queued": 24,
        "in progress": 0,
    }, done.stderr
