"""Asking OpenAI's chat streams for their usage: where it is done, where not, and that the caller does not see it."""

import json

import pytest

from tests.conftest import GPT, GPT_SAYS, GPT_USD, done, every, http_of, new_gpt
from tracked_inference.loopback import Answer, Reply

openai = pytest.importorskip("openai", reason="the OpenAI SDK is not installed")
CHUNK = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o"}
HELLO = {**CHUNK, "choices": [{"index": 0, "delta": {"content": "hi"}, "finish_reason": None}]}
LAST = {**CHUNK, "choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}}


def mocked(base_url, chunks, seen, **options):
    """An OpenAI client at any address, answered in this process."""
    http = http_of(openai)

    def answer(request):
        seen.append(json.loads(request.content))
        body = (
            b"".join(b"data: %b\n\n" % json.dumps(chunk).encode() for chunk in chunks) + b"data: [DONE]\n\n"
        )
        return http.Response(200, headers={"content-type": "text/event-stream"}, content=body)

    client = http.Client(transport=http.MockTransport(answer))
    return openai.OpenAI(api_key="k", base_url=base_url, http_client=client, **options)


@pytest.mark.parametrize(
    ("base_url", "asked"),
    [
        ("https://api.openai.com/v1", True),
        ("https://eu.api.openai.com/v1", True),
        ("https://openrouter.ai/api/v1", False),
        ("http://localhost:8000/v1", False),
        ("https://example.com/v1", False),
    ],
)
def test_only_known_hosts_are_asked(base_url, asked, tracked, records):
    """OpenAI's own hosts are asked for usage; others may refuse the option and are left alone."""
    seen = []
    client = tracked(mocked(base_url, [HELLO], seen))
    list(client.chat.completions.create(**GPT, stream=True))
    client.close()

    assert ("stream_options" in seen[0]) is asked
    assert records.one.outcome == "ok"
    assert records.one.cost.status in ("unmeasured", "unpriced")


@pytest.mark.parametrize(("say", "asked"), [(True, True), (False, False)])
def test_the_user_decides(say, asked, tracked, records):
    """`stream_usage=` goes before the host."""
    for base_url in ("https://api.openai.com/v1", "https://example.com/v1"):
        seen = []
        client = tracked(mocked(base_url, [HELLO], seen), stream_usage=say)
        list(client.chat.completions.create(**GPT, stream=True))
        client.close()

        assert ("stream_options" in seen[0]) is asked


def test_a_usage_chunk_that_comes_unasked_is_the_callers(tracked, records):
    """A server that sends usage by itself is read, and nothing of it is hidden: 5 x $2.50 + 2 x $10 a million calls."""
    client = tracked(
        mocked("https://example.com/v1", [HELLO, LAST], []), provider="openai", stream_usage=False
    )
    chunks = list(client.chat.completions.create(**GPT, stream=True))
    client.close()

    assert len(chunks) == 2
    assert chunks[1].usage.total_tokens == 7
    assert str(records.one.cost.total_usd) == "0.0000325"


def test_an_empty_chunk_without_usage_is_shown(tracked, records):
    """Azure's first chunk has no choices and no usage: it is the caller's."""
    first = {**CHUNK, "choices": [], "prompt_filter_results": []}
    client = tracked(mocked("https://api.openai.com/v1", [first, {**HELLO, "usage": None}, LAST], []))
    chunks = list(client.chat.completions.create(**GPT, stream=True))
    client.close()

    assert [len(chunk.choices) for chunk in chunks] == [0, 1]
    assert "usage" not in chunks[1].model_fields_set
    assert records.one.usage.output_tokens == 2


@pytest.mark.parametrize("status", [400, 422])
async def test_a_server_that_refuses_the_option(status, gpt, vendor, records):
    """It is asked again without, and never again with; the caller sees one call that works."""

    def refuse(request):
        if "stream_options" in (request.json or {}):
            return Reply.error(status, "Unknown parameter: 'stream_options'")
        return None

    vendor.always(refuse)
    first = await every(gpt.chat.completions.create(**GPT, stream=True))
    await every(gpt.with_options(timeout=5).chat.completions.create(**GPT, stream=True))

    assert len(first) > 1
    assert [("stream_options" in request.json) for request in vendor.requests] == [True, False, False]
    assert [record.outcome for record in records] == ["ok", "ok"]
    assert {record.cost.status for record in records} == {"unmeasured"}


async def test_another_refusal_is_the_callers(gpt, vendor, records):
    """A 400 for another reason is raised, after one request."""
    vendor.script(Reply.error(400, "no such model"))
    with pytest.raises(openai.BadRequestError, match="no such model"):
        await done(gpt.chat.completions.create(**GPT, stream=True))

    assert len(vendor.requests) == 1
    assert records.one.cost.status == "free"


async def test_the_second_error_does_not_show_the_first(gpt, vendor, records):
    """Where the server refuses without the option as well, its error comes as if it were the only one."""
    vendor.script(Reply.error(400, "stream_options?"), Reply.error(401, "no key"))
    with pytest.raises(openai.AuthenticationError) as raised:
        await done(gpt.chat.completions.create(**GPT, stream=True))
    seen = raised.value
    while seen is not None:
        assert "stream_options" not in str(seen)
        seen = seen.__cause__ or seen.__context__

    assert len(records) == 1


async def test_azure_is_asked(vendor, kind, tracked, records):
    """Azure sells OpenAI's models and takes the option: 11 x $2.50 + 4 x $1.25 + 7 x $10 a million calls."""
    cls = openai.AzureOpenAI if kind == "sync" else openai.AsyncAzureOpenAI
    client = tracked(
        new_gpt(
            kind,
            vendor,
            cls=lambda base_url, **more: cls(
                azure_endpoint=vendor.url, api_version="2025-04-01-preview", **more
            ),
        )
    )
    await every(client.chat.completions.create(**GPT, stream=True))
    await done(client.close())

    assert vendor.requests[0].json["stream_options"] == {"include_usage": True}
    assert (records.one.provider, records.one.model) == ("azure", "azure/gpt-4o")
    assert str(records.one.cost.total_usd) == GPT_USD


@pytest.mark.parametrize("broken", ["choices", "delta"])
async def test_nulls_in_chunks(broken, gpt, vendor, records):
    """Null where an object is due neither breaks the stream nor loses its usage."""
    fields = {"choices": None} if broken == "choices" else {"choices": [{"index": 0, "delta": None}]}
    vendor.script(Answer.using({"input": 11, "output": 7}, text="hi", fields=fields))
    chunks = await every(gpt.chat.completions.create(**GPT, stream=True))

    assert chunks
    assert records.one.usage.output_tokens == 7


async def test_several_choices_are_one_call(gpt, vendor, records):
    """`n=2` has one usage."""
    vendor.script(GPT_SAYS)
    await every(gpt.chat.completions.create(**GPT, stream=True, n=2))

    assert records.one.usage.output_tokens == 7
