"""What the tracking must never tell: canaries are planted in every field of a call and looked for in every output."""

import json
import logging
import os
import re
import stat
import traceback

import anthropic
import openai
import prometheus_client
import pytest
import structlog

from tracked_inference import TrackedClient, attribute
from tracked_inference.errors import AttributionError
from tracked_inference.sinks import default_sinks
from tracked_inference.sinks.ledger import LedgerSink
from tracked_inference.tracking import faults

CANARY = "CANARY-7f3a"
KEY = "sk-CANARY-7f3a-key"


def http_of(sdk):
    return __import__(sdk.DefaultHttpxClient.__mro__[1].__module__.partition(".")[0])


def anthropic_answer(status=200):
    if status != 200:
        return {"type": "error", "error": {"type": "invalid_request_error", "message": f"{CANARY} in {KEY}"}}
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-5-5",
        "content": [
            {"type": "text", "text": CANARY},
            {"type": "tool_use", "id": "t", "name": CANARY, "input": {CANARY: CANARY}},
        ],
        "stop_reason": "end_turn",
        "stop_sequence": CANARY,
        "usage": {"input_tokens": 10, "output_tokens": 5},
    }


def openai_answer(status=200):
    if status != 200:
        return {
            "error": {
                "message": f"{CANARY} {KEY}",
                "type": "invalid_request_error",
                "code": None,
                "param": None,
            }
        }
    message = {"role": "assistant", "content": CANARY, "refusal": CANARY}
    return {
        "id": "chatcmpl_1",
        "object": "chat.completion",
        "created": 1,
        "model": "gpt-4o",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15},
    }


def made(sdk, answer, status, registry, sinks):
    http = http_of(sdk)
    headers = {"content-type": "application/json", "x-secret": CANARY}
    transport = http.MockTransport(
        lambda _request: http.Response(status, content=json.dumps(answer(status)), headers=headers)
    )
    maker = anthropic.Anthropic if sdk is anthropic else openai.OpenAI
    client = maker(
        api_key=KEY,
        http_client=http.Client(transport=transport),
        max_retries=0,
        default_headers={"x-private": CANARY},
    )
    return TrackedClient(client, feature="search", team="discovery", registry=registry, sinks=sinks)


def asked(client, **more):
    messages = [{"role": "user", "content": CANARY}]
    if isinstance(client, anthropic.Anthropic):
        return client.messages.create(
            model="claude-sonnet-5-5",
            max_tokens=5,
            messages=messages,
            system=CANARY,
            metadata={"user_id": CANARY},
            **more,
        )
    return client.chat.completions.create(model="gpt-4o", messages=messages, user=CANARY, **more)


@pytest.fixture
def outputs(caplog, monkeypatch):
    """Everything that the tracking can write to: structlog, the standard library's logging, the metrics."""
    registry = prometheus_client.CollectorRegistry()
    monkeypatch.setattr(faults, "_logged", set())  # each place is logged once a process
    caplog.set_level(logging.DEBUG, logger="tracked_inference")

    class Outputs:
        lines = []

        @staticmethod
        def everything():
            ours = [record.getMessage() for record in caplog.records if record.name == "tracked_inference"]
            return "\n".join([*Outputs.lines, *ours, prometheus_client.generate_latest(registry).decode()])

    Outputs.registry = registry
    rendered = structlog.processors.JSONRenderer()

    def keep(logger, name, event):
        Outputs.lines.append(rendered(logger, name, event))
        raise structlog.DropEvent

    structlog.configure(processors=[keep])
    yield Outputs
    structlog.reset_defaults()


@pytest.mark.parametrize("sdk", [anthropic, openai], ids=["anthropic", "openai"])
@pytest.mark.parametrize("status", [200, 400])
def test_no_prompt_completion_key_or_header_is_told(sdk, status, outputs):
    """Neither a good call nor an error carries anything of its content into a log line, a metric or a repr."""
    answer = anthropic_answer if sdk is anthropic else openai_answer
    records = []
    client = made(sdk, answer, status, outputs.registry, [*default_sinks(outputs.registry), records.append])
    try:
        asked(client)
    except (anthropic.APIStatusError, openai.APIStatusError):
        assert status == 400

    assert len(outputs.lines) == 1
    told = (
        outputs.everything()
        + repr(records)
        + repr(client)
        + repr(vars(client)["_tracked_meter"].__dict__.get("own"))
    )
    assert CANARY not in told


@pytest.mark.parametrize("sdk", [anthropic, openai], ids=["anthropic", "openai"])
def test_a_fault_of_the_tracking_does_not_tell_what_it_stumbled_over(sdk, outputs, faults):
    """A sink that raises with the content in its message is named by type and place alone."""
    answer = anthropic_answer if sdk is anthropic else openai_answer

    def broken(_record):
        raise ValueError(f"{CANARY} {KEY}")

    asked(made(sdk, answer, 200, outputs.registry, [broken]))

    assert [stage for stage, _ in faults] == ["sink"]
    assert "ValueError" in outputs.everything()
    assert CANARY not in outputs.everything()
    faults.clear()


def test_a_user_is_told_to_the_log_and_never_to_a_metric(outputs):
    """A user id belongs into logs and ledgers; a metric label would keep it for ever."""
    client = made(anthropic, anthropic_answer, 200, outputs.registry, default_sinks(outputs.registry))
    with attribute(user="u_42", ticket="T-1"):
        asked(client)

    assert json.loads(outputs.lines[0])["user"] == "u_42"
    exposed = prometheus_client.generate_latest(outputs.registry).decode()
    assert "u_42" not in exposed
    assert "T-1" not in exposed


@pytest.mark.parametrize(
    "model",
    ['x"} 1\nevil_metric 1', "x\n\nevil 1", "ümläut \\ back", "\x00\x1b[31m", "\ud800", "m" * 10_000],
    ids=ascii,
)
def test_a_model_name_cannot_forge_a_metric_or_a_log_line(model, outputs):
    """Whatever a gateway calls its model, it stays one label value and one field."""

    def answer(_status):
        return {**anthropic_answer(), "model": model, "content": []}

    asked(made(anthropic, answer, 200, outputs.registry, default_sinks(outputs.registry)))

    samples = [
        line
        for line in prometheus_client.generate_latest(outputs.registry).decode().splitlines()
        if not line.startswith("#")
    ]
    assert all(line.startswith("ai_inference_") for line in samples)
    assert all("\n" not in line for line in outputs.lines)
    assert json.loads(outputs.lines[0])["event"] == "ai.inference.completed"


INJECTED = "u_42\nevent=ai.inference.completed user=admin\r\x1b[2J\u2028x"


@pytest.mark.parametrize(
    "renderer",
    [
        structlog.dev.ConsoleRenderer(colors=False),
        structlog.processors.KeyValueRenderer(),
        structlog.processors.LogfmtRenderer(),
        structlog.processors.JSONRenderer(ensure_ascii=False),
    ],
    ids=lambda one: type(one).__name__,
)
def test_nothing_from_outside_begins_a_line_of_its_own(renderer, outputs):
    """A user id, a tag or a gateway's model name with line breaks stays in its one line, however that is rendered."""
    lines = []

    def render(logger, name, event):
        lines.append(renderer(logger, name, event))
        raise structlog.DropEvent

    def answer(_status):
        usage = {"input_tokens": 1, "output_tokens": 1, "service_tier": INJECTED}
        return {**anthropic_answer(), "model": INJECTED, "content": [], "usage": usage}

    structlog.configure(processors=[render])
    client = made(anthropic, answer, 200, outputs.registry, default_sinks(outputs.registry))
    with attribute(user=INJECTED, ticket=INJECTED):
        asked(client)

    assert len(lines) == 2  # the call, and once that its model has no price
    assert [line for line in lines if len(line.splitlines()) != 1 or "\x1b" in line] == []
    assert "u_42" in lines[0]
    assert "service_tier" in lines[0]


@pytest.mark.parametrize(
    "words", [{"feature": INJECTED}, {"team": 'x"} 1\nevil 1'}, {"feature": "a b"}], ids=str
)
def test_a_feature_or_team_that_is_no_slug_is_no_label(words, outputs):
    """What becomes a label is refused before it is one."""
    with pytest.raises(AttributionError):
        with attribute(**words):
            pass

    assert "evil" not in outputs.everything()


@pytest.mark.parametrize("sdk", [anthropic, openai], ids=["anthropic", "openai"])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_no_report_file_or_traceback_has_content(sdk, stream, outputs, tmp_path, monkeypatch, capsys):
    """The ledger, each report over it and the export are searched for what the call said."""
    pytest.importorskip("duckdb", reason="the extra `report` is not installed")
    from tracked_inference.cli import main

    answer = anthropic_answer if sdk is anthropic else openai_answer
    records = []
    sinks = [*default_sinks(outputs.registry), LedgerSink(tmp_path / "ledger"), records.append]
    client = made(sdk, answer, 200, outputs.registry, sinks)
    if stream:
        with pytest.raises(
            Exception
        ):  # the vendor's answer is no stream: the paths of failure are searched too
            list(asked(client, stream=True))
            raise LookupError
    else:
        asked(
            client,
            extra_headers={"x-private": CANARY},
            extra_query={"q": CANARY},
            extra_body={CANARY: CANARY},
        )
    monkeypatch.setenv("TRACKED_INFERENCE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("OPENAI_ADMIN_KEY", KEY)
    monkeypatch.setenv("ANTHROPIC_ADMIN_KEY", KEY)
    ledger, page, focus = str(tmp_path / "ledger"), str(tmp_path / "page.html"), str(tmp_path / "focus.csv")
    commands = [
        ["report", ledger, "--since", "2020-01-01", "--by", "user", "--format", form]
        for form in ("table", "json", "csv", "markdown")
    ]
    commands.append(["report", ledger, "--since", "2020-01-01", "--html", page])
    commands.append(["export", "focus", ledger, "--since", "2020-01-01", "--output", focus])
    codes = [main(command) for command in commands]
    told = capsys.readouterr()

    assert len(records) == 1
    assert codes == [0] * len(commands), told.err
    files = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert any(b"search" in content for content in files)
    everything = [
        outputs.everything().encode(),
        repr(records).encode(),
        *files,
        told.out.encode(),
        told.err.encode(),
    ]
    assert [content for content in everything if CANARY.encode() in content] == []


def test_an_admin_key_is_in_no_error(monkeypatch, tmp_path):
    """A proxy that answers with the very request it got does not get the key into what the command says."""
    pytest.importorskip("duckdb", reason="the extra `report` is not installed")
    from tests.reporting.admin_apis import serving
    from tracked_inference.errors import UnavailableError
    from tracked_inference.reporting._http import fetch_json

    def echo(_path, _query):
        return 401, {"error": {"message": f"no such key: Bearer {KEY}, x-api-key {KEY}"}}, {}

    with serving(echo) as admin, pytest.raises(UnavailableError) as raised:
        fetch_json(f"{admin.url}/v1", headers={"Authorization": f"Bearer {KEY}", "x-api-key": KEY})

    assert "no such key" in str(raised.value)
    assert KEY not in "".join(traceback.format_exception(raised.value))


def test_admin_keys_come_from_their_variable_alone():
    """No option of a command takes a key: it would be in the shell's history and in the list of processes."""
    pytest.importorskip("click", reason="the extra `cli` is not installed")
    from tracked_inference.cli.reconcile import command

    options = [name for one in command.params for name in getattr(one, "opts", ())]

    assert [name for name in options if re.search("key|token|secret|password", name)] == []


@pytest.mark.parametrize("umask", [0o027, 0], ids=oct)
def test_what_is_written_is_for_its_owner(umask, tmp_path):
    """A ledger, which has user ids, can be read by nobody else, whatever the umask; a textfile as the umask says."""
    from tests.sinks.records import record
    from tracked_inference.reporting.bill_metrics import write_textfile

    before = os.umask(umask)
    try:
        LedgerSink(tmp_path / "new" / "ledger")(record())
        write_textfile(tmp_path / "bill.prom", "")
        write_textfile(tmp_path / "mine.prom", "")
        (tmp_path / "mine.prom").chmod(0o604)
        write_textfile(tmp_path / "mine.prom", "x")
    finally:
        os.umask(before)
    modes = {
        path.relative_to(tmp_path).as_posix(): stat.S_IMODE(path.stat().st_mode)
        for path in tmp_path.rglob("*")
    }

    assert modes == {
        "new": 0o700,
        "new/ledger": 0o700,
        "new/ledger/ledger-2026-11-23.jsonl": 0o600,
        "bill.prom": 0o640 if umask else 0o644,
        "mine.prom": 0o604,
    }
