"""
What must not type-check: each line marked `error:` is refused by every checker, with mypy's code for it.

`(not ty)`: ty lets a keyword pass that an unpacked TypedDict does not have.
"""

from __future__ import annotations

import anthropic
import openai

from tracked_inference import CallRecord, TrackedClient, attribute, track

claude = TrackedClient(anthropic.AsyncAnthropic(), feature="search", team="discovery")
gpt = TrackedClient(openai.OpenAI(), feature="search", team="discovery")


def wrong_sink(record: CallRecord, more: int, /) -> None:
    print(record, more)


# The constructor.
TrackedClient(anthropic.AsyncAnthropic())  # error: call-overload
TrackedClient(openai.OpenAI(), team="discovery")  # error: call-overload
TrackedClient(openai.OpenAI(), feature=1)  # error: call-overload
TrackedClient(openai.OpenAI(), feature=None)  # error: call-overload
TrackedClient(openai.OpenAI(), feature="search", team=7)  # error: call-overload
TrackedClient(openai.OpenAI(), feature="search", teem="discovery")  # error: call-overload (not ty)
TrackedClient(openai.OpenAI(), feature="search", on_unpriced="ignore")  # error: call-overload
TrackedClient(openai.OpenAI(), feature="search", sinks=[wrong_sink])  # error: list-item
TrackedClient(openai.OpenAI(), feature="search", prices={"gpt-5.2": 1})  # error: call-overload
TrackedClient(openai.OpenAI(), feature="search", config=7)  # error: call-overload
TrackedClient(object(), feature="search")  # error: call-overload
TrackedClient("claude-sonnet-4-5", feature="search")  # error: call-overload
TrackedClient(openai, feature="search")  # error: arg-type
TrackedClient(openai.OpenAI(), "search")  # error: call-overload
track(openai.OpenAI())  # error: call-arg
track(openai.OpenAI(), feature=1)  # error: arg-type

# The vendor's client is the vendor's, with what it lacks.
claude.chat  # error: attr-defined
gpt.messages  # error: attr-defined
claude.messages.nope  # error: attr-defined
gpt.chat.completions.create(model="gpt-5.2")  # error: call-overload
gpt.chat.completions.create(model="gpt-5.2", messages="why")  # error: arg-type
gpt.chat.completions.create(model="gpt-5.2", messages=[]).nope  # error: attr-defined
gpt.with_options(nope=1)  # error: call-arg
gpt.with_attribution(feature=1)  # error: arg-type
not_async: openai.AsyncOpenAI = gpt  # error: assignment
not_openai: openai.OpenAI = claude  # error: assignment

# complete()
gpt.complete()  # error: call-arg
gpt.complete("why")  # error: arg-type
gpt.complete([{"role": "user", "content": "why"}]).text  # error: attr-defined
text: str = gpt.complete([{"role": "user", "content": "why"}])  # error: assignment


async def awaited() -> None:
    await gpt.complete([{"role": "user", "content": "why"}])  # error: misc
    await gpt.chat.completions.create(model="gpt-5.2", messages=[])  # error: misc
    (await claude.messages.create(model="m", max_tokens=1, messages=[])).nope  # error: attr-defined
    claude.messages.create(model="m", max_tokens=1, messages=[]).usage  # error: attr-defined


# attribute
@attribute(feature="search")
def plain(question: str) -> int:
    return len(question)


plain(7)  # error: arg-type
plain("why").upper()  # error: attr-defined
attribute(feature=7)  # error: arg-type
attribute("search")  # error: call-arg
