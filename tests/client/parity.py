"""Running one case against a plain and against a tracked client, and comparing all that the caller can see."""

import asyncio
import gc
import re
import warnings
from dataclasses import dataclass, field
from typing import Any

import pydantic

from tests.conftest import CLAUDE_SAYS, GPT_SAYS
from tracked_inference.loopback import LoopbackVendor


@dataclass
class Case:
    """
    One way to call an SDK.

    Attributes:
        name: What it is called in the test's id.
        run: Given the client and the vendor, what the caller gets.
        script: What the vendor is told to say, by endpoint.
        expected: What each record says: operation, outcome, tokens by kind (None: unmeasured), cost status, attempts.
        only: `sync` or `async`, where the case exists for one kind of client alone.
        needs: An attribute path of the client without which this SDK cannot do it.
    """

    name: str
    run: Any
    expected: list[tuple[Any, ...]]
    script: list[tuple[Any, str | None]] = field(default_factory=list)
    only: str | None = None
    needs: str | None = None

    def __str__(self) -> str:
        return self.name


def fresh_vendor(case: Case) -> LoopbackVendor:
    vendor = LoopbackVendor()
    vendor.always(CLAUDE_SAYS, endpoint="messages")
    vendor.always(CLAUDE_SAYS, endpoint="messages.batches.item")
    for endpoint in ("chat.completions", "completions", "responses"):
        vendor.always(GPT_SAYS, endpoint=endpoint)
    for say, endpoint in case.script:
        vendor.script(say, endpoint=endpoint)
    return vendor


def can(client: Any, needs: str | None) -> bool:
    for name in needs.split(".") if needs else ():
        if not hasattr(client, name):
            return False
        client = getattr(client, name)
    return True


async def outcome_of(case: Case, client: Any, vendor: LoopbackVendor) -> Any:
    """What the caller sees of a case, in a form that can be compared."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of the SDK's: what a vendor is about to end
            return view(await case.run(client, vendor))
    except (Exception, asyncio.CancelledError) as error:
        text = re.sub(r" at 0x\w+", "", str(error).replace(str(vendor.port), "PORT"))
        return ("raised", type(error), getattr(error, "status_code", None), text)
    finally:
        for _ in range(3):  # the event loop closes the generators of what was dropped
            gc.collect()
            await asyncio.sleep(0)


def view(value: Any) -> Any:
    """A value with its types and, for the SDK's objects, with what the vendor sent and what it left out."""
    if isinstance(value, pydantic.BaseModel):
        said = {name: view(getattr(value, name)) for name in type(value).model_fields}
        return (_name(value), sorted(value.model_fields_set), said, view(value.model_extra))
    if isinstance(value, dict):
        return {key: view(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [view(one) for one in value]
    return (_name(value), re.sub(r"127.0.0.1:\d+", "HOST", repr(value)))


def _name(value: Any) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}"


def summary(records: Any) -> list[tuple[Any, ...]]:
    """The records, as `Case.expected` has them."""
    return [
        (
            record.operation,
            record.outcome,
            None if record.usage is None else record.usage.tokens(),
            record.cost.status,
            record.attempts,
        )
        for record in records
    ]
