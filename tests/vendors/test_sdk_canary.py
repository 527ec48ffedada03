"""The canary knows all of the installed SDKs, and notices what is planted in them."""

import json
import shutil

import pytest

from tests.sdk_canary.__main__ import KNOWN, learned, main, news
from tests.sdk_canary.reading import KINDS, Sdk

SDKS = ("anthropic", "openai")
NOTED = json.loads(KNOWN.read_text(encoding="utf-8"))


def installed(name):
    pytest.importorskip(name, reason=f"the {name} SDK is not installed")
    return Sdk(name)


@pytest.fixture(params=SDKS)
def copied(request, tmp_path):
    """The source of an SDK, to plant things in."""
    root = installed(request.param).root
    for folder in ("resources", "types"):
        shutil.copytree(root / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    return Sdk(request.param, tmp_path)


@pytest.mark.parametrize("name", SDKS)
def test_nothing_in_the_installed_sdk_is_new(name):
    """Whoever moves to a newer SDK has looked at what it brings."""
    assert news(installed(name), NOTED) == []


@pytest.mark.parametrize("name", SDKS)
def test_it_reads_what_is_there(name):
    """The endpoint, the counters and the events that every call needs are found where the SDK has them."""
    found = installed(name).read()
    path, counter, event = {
        "anthropic": ("/v1/messages", "Usage.output_tokens", "message_delta"),
        "openai": ("/responses", "ResponseUsage.output_tokens", "response.completed"),
    }[name]

    assert found["endpoints"][path].startswith("call ")
    assert counter in found["usage_fields"]
    assert event in found["stream_events"]
    assert all(found[kind] for kind in KINDS)


def test_a_planted_endpoint_field_event_and_block_are_noticed(copied):
    """Each kind of thing that could be a silent hole is told, with what the adapter would take it for."""
    (copied.root / "resources" / "planted.py").write_text(
        'class Planted:\n    def create(self):\n        return self._post("/v1/brand_new/things", cast_to=Thing)\n'
        '    async def create(self):\n        return await self._post(path_template("/v1/things/{id}/run", id=3), cast_to=T)\n'
    )
    (copied.root / "types" / "planted.py").write_text(
        "class PlantedUsage(BaseModel):\n    quantum_tokens: int\n\n"
        'class PlantedEvent(BaseModel):\n    type: Literal["planted.event"]\n\n'
        'class PlantedBlock(BaseModel):\n    type: Optional[Literal["planted_block"]] = None\n'
    )

    assert news(copied, NOTED) == [
        "endpoints: /v1/brand_new/things (unknown)",
        "endpoints: /v1/things/{}/run (unknown)",
        "usage_fields: PlantedUsage.quantum_tokens (planted.py)",
        "stream_events: planted.event (planted.py)",
        "blocks: planted_block (planted.py)",
    ]


def test_an_adapter_that_forgets_an_endpoint_is_noticed(monkeypatch):
    """What was noted as a call and is one no more is told, not only what is new."""
    sdk = installed("openai")
    monkeypatch.setattr(sdk, "taken_for", lambda path: "free")

    assert (
        "endpoints: /embeddings was noted as 'call embeddings', and the adapter takes it for 'free'"
        in news(sdk, NOTED)
    )


def test_the_command_fails_by_what_is_new(monkeypatch, tmp_path, capsys):
    """Exit code 1 and the words for something new; 0 once it was learned."""
    sdk = installed("openai")
    notes = tmp_path / "known.json"
    less = json.loads(KNOWN.read_text(encoding="utf-8"))
    del less["openai"]["endpoints"]["/embeddings"]
    notes.write_text(json.dumps(less))
    monkeypatch.setattr("tests.sdk_canary.__main__.KNOWN", notes)
    first = main([])
    told = capsys.readouterr().out

    assert first == 1
    assert "  endpoints: /embeddings (call embeddings)\n" in told
    assert main(["--learn"]) == 0
    assert main([]) == 0
    assert learned(sdk, less) == json.loads(notes.read_text())


def test_no_sdk_is_bad_usage(monkeypatch):
    """Where nothing is installed nothing was checked, and that is not a pass."""
    monkeypatch.setattr("tests.sdk_canary.reading.importlib.util.find_spec", lambda name: None)

    assert main([]) == 2
