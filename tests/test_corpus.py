"""Recorded vendor responses, replayed to the real SDKs: what each call cost, against an oracle decided apart from this code."""

import base64
import collections
import gzip
import json
from datetime import datetime
from pathlib import Path

import pytest

anthropic = pytest.importorskip("anthropic")
openai = pytest.importorskip("openai")

from anthropic.types import Message, RawMessageStreamEvent
from openai.types import Completion, CreateEmbeddingResponse, ImagesResponse
from openai.types.audio import Transcription
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import Response, ResponseStreamEvent

from tests.pricing.test_corpus import EXPLAINED as explained_of_the_engine
from tracked_inference import TrackedClient
from tracked_inference.tracking import call as tracked_call

CORPUS = Path(__file__).parents[2] / "shared" / "corpus"
WIRES = {
    "chat.completions": ("/chat/completions", ChatCompletion, ChatCompletionChunk),
    "responses": ("/responses", Response, ResponseStreamEvent),
    "responses.compact": ("/responses/compact", object, object),
    "completions": ("/completions", Completion, Completion),
    "embeddings": ("/embeddings", CreateEmbeddingResponse, object),
    "images.generations": ("/images/generations", ImagesResponse, object),
    "images.edits": ("/images/edits", ImagesResponse, object),
    "audio.transcriptions": ("/audio/transcriptions", Transcription, object),
}
OURS = ("anthropic", "openai")
STRONG = ("consensus", "vendor", "rule")
EXPLAINED = {
    **explained_of_the_engine,
    "3c69c057dcfb": "the SDK raises on this gateway's stream before the event that carries the cost",
}

pytestmark = pytest.mark.skipif(
    not (CORPUS / "open.jsonl.gz").exists(), reason="no recorded responses beside the project"
)


def lines(name):
    with gzip.open(CORPUS / name, "rt", encoding="utf-8", errors="surrogatepass") as file:
        return [json.loads(line) for line in file]


def http_of(sdk):
    """The HTTP library that an SDK is built on: httpx, or httpx2."""
    return __import__(sdk.DefaultHttpxClient.__mro__[1].__module__.partition(".")[0])


def client_of(row):
    recorded = row["response"]
    text = recorded.get("body")
    body = (
        base64.b64decode(recorded.get("body_b64") or "")
        if text is None
        else text.encode("utf-8", "surrogatepass")
    )
    media = {"sse": "text/event-stream", "json": "application/json"}.get(
        row["kind"], "application/octet-stream"
    )
    sdk = anthropic if row["endpoint"] == "messages" else openai
    http = http_of(sdk)
    transport = http.MockTransport(
        lambda _request: http.Response(recorded["status"], headers={"content-type": media}, content=body)
    )
    host = row["host"].replace("REDACTED", "example")
    common = {"api_key": "k", "http_client": http.Client(transport=transport), "max_retries": 0}
    if sdk is anthropic:
        return anthropic.Anthropic(base_url=f"https://{host}", **common), anthropic.Stream
    if row["vendor"] == "azure-openai":
        return openai.AzureOpenAI(api_version="v", azure_endpoint=f"https://{host}", **common), openai.Stream
    return openai.OpenAI(base_url=f"https://{host}/v1", **common), openai.Stream


def replay(row):
    """Make the recorded call and return its records."""
    records = []
    client, stream = client_of(row)
    tracked = TrackedClient(client, feature="corpus", team="tests", sinks=[records.append])
    path, whole, event = WIRES.get(row["endpoint"], ("/v1/messages", Message, RawMessageStreamEvent))
    asked = row["request"].get("json") or {}
    body = {**asked.get("_multipart", {}), **asked}
    try:
        if row["stream"]:
            for _ in tracked.post(path, cast_to=whole, body=body, stream=True, stream_cls=stream[event]):
                pass
        else:
            tracked.post(path, cast_to=whole, body=body)
    except Exception:  # what the SDK makes of a recording is the SDK's; what it cost is ours
        pass
    return records


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
def test_every_recorded_call_is_one_record_with_the_right_dollars(monkeypatch):
    """Where the oracle is sure we agree to the digit or say that we have no price; where it is not, we never say exact."""
    oracle = {row["id"]: row for row in lines("oracle.open.jsonl.gz")}
    wrong, seen = [], collections.Counter()
    for row in lines("open.jsonl.gz"):
        truth = oracle.get(row["id"])
        if truth is None or not (row["endpoint"] in WIRES or row["endpoint"] == "messages"):
            continue
        instant = row.get("recorded_at") or row["recorded"] + "T12:00:00Z"
        monkeypatch.setattr(tracked_call, "time", datetime.fromisoformat(instant).timestamp)
        records = replay(row)
        if '"status": "queued"' in (row["response"].get("body") or "") and not row["stream"]:
            seen["background"] += 1
            wrong += [(row["id"], "a queued response is no finished call")] if records else []
            continue
        if len(records) != 1:
            wrong.append((row["id"], f"{len(records)} records"))
            continue
        cost, basis, expected = records[0].cost, truth.get("expected_basis"), truth.get("expected_usd")
        seen[f"{basis}: {cost.status}"] += 1
        if basis in STRONG:
            no_price = row["vendor"] not in OURS and cost.status in ("unpriced", "unmeasured")
            agrees = cost.total_usd is not None and float(cost.total_usd) == pytest.approx(
                expected, rel=1e-6, abs=1e-9
            )
            if not agrees and not no_price and row["id"] not in EXPLAINED:
                wrong.append(
                    (row["id"], row["vendor"], basis, expected, cost.total_usd, cost.status, cost.reasons)
                )
        elif basis in ("lower_bound", "ambiguous", "inconsistent", "disputed") and cost.status == "exact":
            wrong.append((row["id"], row["vendor"], basis, "must not be exact"))
    print(dict(sorted(seen.items())))

    assert not wrong, "\n".join(map(str, wrong))
    assert seen.total() > 1000
