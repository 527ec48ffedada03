"""Running the demo: a vendor, five features calling it, `/metrics`, and what came of it."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import signal
import time
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any

from tracked_inference import PriceTable, TrackedClient
from tracked_inference.demo.answers import Answers
from tracked_inference.demo.app import FEATURES, REGISTRY
from tracked_inference.demo.audit import Audit
from tracked_inference.demo.tally import Tally
from tracked_inference.errors import ConfigurationError
from tracked_inference.loopback import LoopbackVendor
from tracked_inference.sinks.metrics import MetricsSink

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from prometheus_client import CollectorRegistry

    from tracked_inference.demo.app import DemoFeature
    from tracked_inference.demo.audit import Check

__all__ = ["Demo", "Plan", "require_sdks"]

TICK_SECONDS = 0.5
ONCE_HASTE = 10.0


@dataclass(frozen=True, slots=True)
class Plan:
    """
    What to run.

    Attributes:
        seconds: For how long new calls start; None until the user stops it.
        once: A fixed number of calls instead, one after the other, the vendor ten times faster than in life.
        port: Where `/metrics` is served on 127.0.0.1; 0 takes a free port.
        seed: Of all chance, in the application and in the vendor.
    """

    seconds: float | None = 60.0
    once: bool = False
    port: int = 0
    seed: int = 3


@dataclass(slots=True)
class Demo:
    """
    One run of the demo, under way or over.

    Attributes:
        plan: What to run.
        prices: The bundled price table, whatever the user has laid over it: the demo is the same everywhere.
        tally: What the features have done so far.
        metrics_url: Where the metrics are; they go when the demo ends.
        elapsed_seconds: How long it has run.
        stopped: The name of the signal that ended it early; None if it ran to its end.
        check: What the audit found, when it is over.
    """

    plan: Plan
    prices: PriceTable = field(default_factory=PriceTable.bundled)
    tally: Tally = field(default_factory=lambda: Tally([(one.name, one.team) for one in FEATURES]))
    metrics_url: str = ""
    elapsed_seconds: float = 0.0
    stopped: str | None = None
    check: Check | None = None

    def run(self, on_start: Callable[[Demo], None], on_tick: Callable[[Demo], None]) -> None:
        """
        Run to the end, or until Ctrl-C or SIGTERM; either way everything that was started is stopped.

        Args:
            on_start: Called once, when `/metrics` is served and before the first call.
            on_tick: Called every half second, from the same thread.

        Raises:
            ConfigurationError: The port is taken.
        """
        from prometheus_client import CollectorRegistry

        registry = CollectorRegistry()
        with _metrics_served(self.plan.port, registry) as self.metrics_url, LoopbackVendor() as vendor:
            answers = Answers(self.plan.seed, haste=ONCE_HASTE if self.plan.once else 1.0)
            vendor.always(answers).always(answers, endpoint="messages.batches.item")
            on_start(self)
            asyncio.run(self._live(vendor, registry, on_tick))

    async def _live(
        self, vendor: LoopbackVendor, registry: CollectorRegistry, on_tick: Callable[[Demo], None]
    ) -> None:
        audit = Audit(self.prices)
        closing = asyncio.Event()

        def look() -> None:
            audit.take(vendor.take_bills())
            self.elapsed_seconds = time.monotonic() - started
            if self.plan.seconds is not None and self.elapsed_seconds >= self.plan.seconds:
                closing.set()
            on_tick(self)

        async with _clients(vendor) as plain:
            started = time.monotonic()
            sinks = (MetricsSink(registry), self.tally, audit)
            clients = {one.name: self._track(plain[one.vendor], one, registry, sinks) for one in FEATURES}
            features = [
                asyncio.create_task(self._feature(one, clients[one.name], closing)) for one in FEATURES
            ]
            try:
                with self._stopped_by_signals():
                    while (await asyncio.wait(features, timeout=TICK_SECONDS))[1]:
                        look()
            finally:
                for feature in features:
                    feature.cancel()
                ended = await asyncio.gather(*features, return_exceptions=True)
        await asyncio.to_thread(vendor.wait_idle)
        look()
        self.check = audit.finish(stopped=self.stopped is not None)
        for one in ended:
            if isinstance(one, Exception):
                raise one

    async def _feature(self, feature: DemoFeature, client: Any, closing: asyncio.Event) -> None:
        chance = Random(f"{self.plan.seed} {feature.name}")  # noqa: S311  # a demo's dice
        if self.plan.once:
            for _ in range(feature.turns):
                await _turn(feature, client, chance)
            return
        async with asyncio.TaskGroup() as turns:
            while not closing.is_set():
                turns.create_task(_turn(feature, client, chance))
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(closing.wait(), chance.expovariate(1 / feature.every_seconds))

    def _track(
        self, client: Any, feature: DemoFeature, registry: CollectorRegistry, sinks: tuple[Any, ...]
    ) -> Any:
        return TrackedClient(
            client,
            feature=feature.name,
            team=feature.team,
            models=feature.models,
            prices=self.prices,
            registry=registry,
            sinks=sinks,
            # The loopback vendor stands for the vendors themselves, and sells at their prices.
            provider=feature.vendor,
            stream_usage=True,
            config=REGISTRY,
        )

    @contextlib.contextmanager
    def _stopped_by_signals(self) -> Iterator[None]:
        """Let Ctrl-C and SIGTERM end what is inside, and remember which it was."""
        main, loop = asyncio.current_task(), asyncio.get_running_loop()
        assert main is not None

        def stop(name: str) -> None:
            self.stopped = name
            main.cancel()

        with contextlib.suppress(
            NotImplementedError, RuntimeError, ValueError
        ):  # Windows, or not the main thread
            loop.add_signal_handler(signal.SIGTERM, stop, "SIGTERM")
        try:
            yield
        except asyncio.CancelledError:
            # asyncio.run cancels its task on Ctrl-C; what is left to do is to stop, and to say what it came to.
            self.stopped = self.stopped or "SIGINT"
        finally:
            with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
                loop.remove_signal_handler(signal.SIGTERM)


async def _turn(feature: DemoFeature, client: Any, chance: Random) -> None:
    """Take one turn of a feature; what the vendor refuses, the application lives with."""
    import anthropic
    import openai

    with contextlib.suppress(anthropic.APIError, openai.APIError):
        await feature.turn(client, chance)


@contextlib.asynccontextmanager
async def _clients(vendor: LoopbackVendor) -> AsyncIterator[dict[str, Any]]:
    """Make the vendors' own clients, pointed at the loopback vendor past any proxy that the environment names."""
    import anthropic
    import openai

    key = "loopback"
    direct = (
        anthropic.DefaultAsyncHttpxClient(trust_env=False),
        openai.DefaultAsyncHttpxClient(trust_env=False),
    )
    async with (
        anthropic.AsyncAnthropic(base_url=vendor.anthropic_url, api_key=key, http_client=direct[0]) as claude,
        openai.AsyncOpenAI(base_url=vendor.openai_url, api_key=key, http_client=direct[1]) as gpt,
    ):
        yield {"anthropic": claude, "openai": gpt}


@contextlib.contextmanager
def _metrics_served(port: int, registry: CollectorRegistry) -> Iterator[str]:
    from prometheus_client import start_http_server

    try:
        server, thread = start_http_server(port, addr="127.0.0.1", registry=registry)
    except OSError as error:
        raise ConfigurationError(
            f"cannot serve /metrics on port {port}: {error.strerror}; take another with --port, or 0 for a free one"
        ) from None
    try:
        yield f"http://127.0.0.1:{server.server_port}/metrics"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def require_sdks() -> None:
    """
    Make sure that both SDKs are there.

    Raises:
        ConfigurationError: One is not installed; the message says how to install it.
    """
    missing = [name for name in ("anthropic", "openai") if importlib.util.find_spec(name) is None]
    if missing:
        raise ConfigurationError(
            f"the demo calls through the real SDKs, and {' and '.join(missing)} is not installed;"
            f" install with: pip install 'tracked-inference[{','.join(missing)}]'"
        )
