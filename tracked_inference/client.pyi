# The static types of `tracked_inference.client`.
#
# A tracked client is an instance of the vendor's own class, and Python cannot say "this class and that one" of a type
# parameter: so each vendor class that is known here has a declared subclass, and `__new__` an overload that returns it.
# The SDKs are optional.
# The parameters are therefore protocols, which hold without an SDK, where an unknown class would match every argument;
# only what is returned names the vendors' classes.

import os
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import (
    Any,
    Literal,
    Protocol,
    Required,
    Self,
    TypedDict,
    TypeVar,
    Unpack,
    overload,
    type_check_only,
)

import anthropic
import openai
from anthropic.lib.bedrock import AnthropicBedrock, AsyncAnthropicBedrock
from anthropic.lib.vertex import AnthropicVertex, AsyncAnthropicVertex
from prometheus_client import CollectorRegistry

from tracked_inference.pricing import PriceTable
from tracked_inference.record import InferenceResult, Sink
from tracked_inference.registry import FeatureRegistry

__all__ = ["TrackedClient", "track"]

_C = TypeVar("_C")

@type_check_only
class _Options(TypedDict, total=False):
    feature: Required[str]
    team: str | None  # the registry file may name it instead
    model: str | None
    models: Iterable[str]
    prices: PriceTable | None
    registry: CollectorRegistry | None
    sinks: Iterable[Sink] | None
    provider: str | None
    stream_usage: bool | None
    on_unpriced: Literal["count", "raise"]
    config: FeatureRegistry | str | os.PathLike[str] | None
    budget_usd: Mapping[str, float | Decimal] | None
    on_budget: Literal["none", "warn", "refuse"] | None

def track(client: _C, **options: Unpack[_Options]) -> _C: ...

# What is told apart of a client that is given: the vendor by a resource, async by `close`, the platform by a setting of its own.

@type_check_only
class _Anthropic(Protocol):
    @property
    def messages(self) -> Any: ...
    def close(self) -> None: ...

@type_check_only
class _AsyncAnthropic(Protocol):
    @property
    def messages(self) -> Any: ...
    async def close(self) -> None: ...

@type_check_only
class _AnthropicBedrock(_Anthropic, Protocol):
    @property
    def aws_secret_key(self) -> Any: ...

@type_check_only
class _AsyncAnthropicBedrock(_AsyncAnthropic, Protocol):
    @property
    def aws_secret_key(self) -> Any: ...

@type_check_only
class _AnthropicVertex(_Anthropic, Protocol):
    @property
    def project_id(self) -> Any: ...

@type_check_only
class _AsyncAnthropicVertex(_AsyncAnthropic, Protocol):
    @property
    def project_id(self) -> Any: ...

@type_check_only
class _OpenAI(Protocol):
    @property
    def chat(self) -> Any: ...
    def close(self) -> None: ...

@type_check_only
class _AsyncOpenAI(Protocol):
    @property
    def chat(self) -> Any: ...
    async def close(self) -> None: ...

@type_check_only
class _AzureOpenAI(_OpenAI, Protocol):
    @property
    def _azure_endpoint(self) -> Any: ...

@type_check_only
class _AsyncAzureOpenAI(_AsyncOpenAI, Protocol):
    @property
    def _azure_endpoint(self) -> Any: ...

# A platform's clients match the plain protocol as well; the first overload that matches is meant.

class TrackedClient:
    @overload
    def __new__(  # type: ignore[overload-overlap, unused-ignore]
        cls, client: _AsyncAnthropicBedrock, **options: Unpack[_Options]
    ) -> _TrackedAsyncAnthropicBedrock: ...
    @overload
    def __new__(  # type: ignore[overload-overlap, unused-ignore]
        cls, client: _AnthropicBedrock, **options: Unpack[_Options]
    ) -> _TrackedAnthropicBedrock: ...
    @overload
    def __new__(  # type: ignore[overload-overlap, unused-ignore]
        cls, client: _AsyncAnthropicVertex, **options: Unpack[_Options]
    ) -> _TrackedAsyncAnthropicVertex: ...
    @overload
    def __new__(  # type: ignore[overload-overlap, unused-ignore]
        cls, client: _AnthropicVertex, **options: Unpack[_Options]
    ) -> _TrackedAnthropicVertex: ...
    @overload
    def __new__(cls, client: _AsyncAnthropic, **options: Unpack[_Options]) -> _TrackedAsyncAnthropic: ...
    @overload
    def __new__(cls, client: _Anthropic, **options: Unpack[_Options]) -> _TrackedAnthropic: ...
    @overload
    def __new__(cls, client: _AsyncAzureOpenAI, **options: Unpack[_Options]) -> _TrackedAsyncAzureOpenAI: ...
    @overload
    def __new__(cls, client: _AzureOpenAI, **options: Unpack[_Options]) -> _TrackedAzureOpenAI: ...
    @overload
    def __new__(cls, client: _AsyncOpenAI, **options: Unpack[_Options]) -> _TrackedAsyncOpenAI: ...
    @overload
    def __new__(cls, client: _OpenAI, **options: Unpack[_Options]) -> _TrackedOpenAI: ...
    def with_attribution(
        self, *, feature: str | None = None, team: str | None = None, user: str | None = None, **tags: object
    ) -> Self: ...

# `__init__` stands between `TrackedClient` and the vendors' classes: pyright checks it on what `__new__` returns, where it
# would be the vendor's; on `TrackedClient` itself mypy would prefer it to `__new__`.

@type_check_only
class _Async(TrackedClient):
    def __init__(self, client: object, **options: Unpack[_Options]) -> None: ...
    async def complete(
        self, messages: Iterable[Mapping[str, object]], *, model: str | None = None, **options: Any
    ) -> InferenceResult: ...

@type_check_only
class _Sync(TrackedClient):
    def __init__(self, client: object, **options: Unpack[_Options]) -> None: ...
    def complete(
        self, messages: Iterable[Mapping[str, object]], *, model: str | None = None, **options: Any
    ) -> InferenceResult: ...

@type_check_only
class _TrackedAsyncAnthropic(_Async, anthropic.AsyncAnthropic): ...

@type_check_only
class _TrackedAnthropic(_Sync, anthropic.Anthropic): ...

@type_check_only
class _TrackedAsyncAnthropicBedrock(_Async, AsyncAnthropicBedrock): ...

@type_check_only
class _TrackedAnthropicBedrock(_Sync, AnthropicBedrock): ...

@type_check_only
class _TrackedAsyncAnthropicVertex(_Async, AsyncAnthropicVertex): ...

@type_check_only
class _TrackedAnthropicVertex(_Sync, AnthropicVertex): ...

@type_check_only
class _TrackedAsyncOpenAI(_Async, openai.AsyncOpenAI): ...

@type_check_only
class _TrackedOpenAI(_Sync, openai.OpenAI): ...

@type_check_only
class _TrackedAsyncAzureOpenAI(_TrackedAsyncOpenAI, openai.AsyncAzureOpenAI): ...

@type_check_only
class _TrackedAzureOpenAI(_TrackedOpenAI, openai.AzureOpenAI): ...
