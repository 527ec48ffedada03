"""The vendor's script, its memory, its life and its HTTP, without any SDK."""

import http.client
import json
import socket
import threading
import time

import pytest

from tracked_inference.loopback import Answer, Bill, LoopbackVendor, Reply
from tracked_inference.loopback.imagination import example_of
from tracked_inference.usage import Pass, Usage

CHAT = "/v1/chat/completions"
ASK = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hi"}]}


def ask(
    vendor: LoopbackVendor, path: str = CHAT, body: object = ASK, method: str = "POST"
) -> tuple[int, dict]:
    connection = http.client.HTTPConnection("127.0.0.1", vendor.port, timeout=5)
    connection.request(method, path, json.dumps(body), {"content-type": "application/json"})
    answer = connection.getresponse()
    content = json.loads(answer.read())
    connection.close()
    return answer.status, content


def test_the_script_is_answered_in_order_then_rules_then_defaults(vendor):
    """Scripted answers go first, each once; then the latest standing rule that fits; then what is made up."""
    vendor.always(Answer(text="old"), endpoint="chat.completions")
    vendor.always(Answer(text="rule"), endpoint="chat.completions").script(Answer(text="once"))

    said = [ask(vendor)[1]["choices"][0]["message"]["content"] for _ in range(3)]
    other = ask(vendor, "/v1/embeddings", {"model": "m", "input": "x"})[1]

    assert said == ["once", "rule", "rule"]
    assert other["object"] == "list"


def test_a_script_for_one_endpoint_waits_for_it(vendor):
    """A scripted answer for one endpoint is kept until that endpoint is asked."""
    vendor.script(Reply.json({"mine": True}), endpoint="embeddings")

    assert "mine" not in ask(vendor)[1]
    assert ask(vendor, "/v1/embeddings", {})[1] == {"mine": True}


def test_a_function_decides_when_the_request_is_there(vendor):
    """A function sees the request and gives an answer, a reply, or leaves it to what comes next."""
    seen = []

    def decide(request):
        seen.append(request)
        return None if request.number == 0 else Answer(text=request.content["messages"][0]["content"].upper())

    vendor.script(decide, decide)
    first, second = ask(vendor)[1], ask(vendor)[1]

    assert first["choices"][0]["message"]["content"] != "HI"
    assert second["choices"][0]["message"]["content"] == "HI"
    assert seen[0].model == "gpt-4o-mini"


def test_a_function_that_fails_fails_the_test():
    """What a scripted function raises is a 500 for the client and an error when the vendor closes."""
    vendor = LoopbackVendor().start()
    vendor.always(lambda request: 1 / 0)

    status, body = ask(vendor)

    assert status == 500
    assert "ZeroDivisionError" in body["error"]["message"]
    with pytest.raises(RuntimeError, match="script of the loopback vendor") as raised:
        vendor.close()
    assert isinstance(raised.value.__cause__, ZeroDivisionError)


def test_the_first_error_is_the_one_that_is_raised():
    """An error of the test itself is not hidden by one of the script."""
    with pytest.raises(KeyError), LoopbackVendor() as vendor:
        vendor.always(lambda request: 1 / 0)
        ask(vendor)
        raise KeyError


def test_too_many_chunks_for_the_text_are_a_fault():
    """A text cannot be sent in more pieces than it has characters."""
    with pytest.raises(RuntimeError) as raised, LoopbackVendor() as vendor:
        vendor.script(Answer(text="abc", chunks=5))
        ask(vendor)

    assert "give a longer `text`" in str(raised.value.__cause__)


def test_the_same_request_has_the_same_answer(vendor):
    """What nobody scripted depends on the request alone."""
    first, second = ask(vendor)[1], ask(vendor)[1]
    other = ask(vendor, body={**ASK, "model": "gpt-4o"})[1]

    assert first["choices"] == second["choices"]
    assert first["usage"] == second["usage"]
    assert first["choices"] != other["choices"]


def test_an_answer_keeps_to_the_limit_of_the_request(vendor):
    """No answer that is made up is longer than `max_tokens`."""
    usage = ask(vendor, body={**ASK, "max_tokens": 5})[1]["usage"]

    assert 1 <= usage["completion_tokens"] <= 5


def test_requests_and_bills_are_remembered_until_reset(vendor):
    """Requests and bills can be read, taken and forgotten."""
    vendor.script(Answer.using({"input": 3, "output": 4}))
    ask(vendor)

    assert vendor.requests_to("chat.completions")[0].content == ASK
    assert vendor.requests[0].headers["content-type"] == "application/json"
    assert vendor.take_bills()[0].usage.tokens() == {"input": 3, "output": 4}
    assert vendor.bills == ()
    ask(vendor)
    vendor.reset()
    assert vendor.requests == vendor.bills == ()


def test_what_nobody_serves_is_not_found(vendor):
    """Unknown paths and methods say what was asked for."""
    for method, path in (("POST", "/v1/nothing"), ("GET", CHAT), ("POST", "/nothing")):
        status, body = ask(vendor, path, method=method)

        assert status == 404
        assert f"does not serve {method} {path}" in body["error"]["message"]


def test_a_port_can_be_chosen_and_must_be_free(vendor):
    """A taken port is an OSError at once; a closed vendor frees its own and may start again."""
    with pytest.raises(OSError):
        LoopbackVendor(port=vendor.port).start()

    with LoopbackVendor() as other:
        port = other.port
    with LoopbackVendor(port=port) as again:
        assert ask(again)[0] == 200


def test_closing_leaves_no_thread_and_drops_what_is_open():
    """Closing ends the thread, also while an answer hangs, and can be done twice."""
    vendor = LoopbackVendor().start()
    vendor.script(Reply.hang())
    connection = http.client.HTTPConnection("127.0.0.1", vendor.port, timeout=5)
    connection.request("POST", CHAT, json.dumps(ASK))
    while not vendor.requests:
        pass

    with pytest.raises(TimeoutError):
        vendor.wait_idle(timeout_seconds=0.01)
    vendor.close()
    vendor.close()

    with pytest.raises((ConnectionError, http.client.HTTPException)):
        connection.getresponse()
    connection.close()
    assert "loopback-vendor" not in [thread.name for thread in threading.enumerate()]


def talk(vendor: LoopbackVendor, *sent: bytes, reads_after: float = 0.0) -> bytes:
    """What comes back for bytes sent one after the other, until the vendor closes the connection."""
    with socket.create_connection(("127.0.0.1", vendor.port), timeout=5) as connection:
        for part in sent:
            connection.sendall(part)
        time.sleep(reads_after)
        received = b""
        while part := connection.recv(65536):
            received += part
    return received


BODY = json.dumps(ASK).encode()
PLAIN = b"POST %b HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (CHAT.encode(), len(BODY), BODY)


def test_pipelined_and_scattered_requests_are_answered_in_turn(vendor):
    """Requests may come several at once or byte by byte; slow answers keep the order."""
    vendor.script(Answer(text="one").after(0.01), Answer(text="two"), Answer(text="three"))
    halves = [PLAIN[:10], PLAIN[10:70], PLAIN[70:]]

    with socket.create_connection(("127.0.0.1", vendor.port), timeout=5) as connection:
        for part in (PLAIN + PLAIN, *halves):
            connection.sendall(part)
        received = b""
        while received.count(b'"total_tokens"') < 3:
            received += connection.recv(65536)

    assert received.index(b'"one"') < received.index(b'"two"') < received.index(b'"three"')


def test_chunked_requests_are_read(vendor):
    """A body of unknown length comes in chunks."""
    chunks = (
        b"".join(b"%x;ext=1\r\n%b\r\n" % (len(part), part) for part in (BODY[:7], BODY[7:])) + b"0\r\n\r\n"
    )
    head = b"POST %b HTTP/1.1\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n" % CHAT.encode()

    received = talk(vendor, head, chunks[:5], chunks[5:])

    assert received.startswith(b"HTTP/1.1 200 OK")
    assert vendor.requests[0].content == ASK


@pytest.mark.parametrize(
    "nonsense",
    [
        b"nonsense\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: many\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"x" * 70_000,
    ],
)
def test_what_is_no_http_is_refused(vendor, nonsense):
    """Nonsense gets a 400 and the end of the connection."""
    received = talk(vendor, nonsense)

    assert received.startswith(b"HTTP/1.1 400 ")
    assert vendor.requests == ()


def test_a_client_that_reads_slowly_gets_everything(vendor):
    """A large stream waits for its reader instead of piling up."""
    frame = b"x" * 1_000_000
    vendor.script(Reply.stream([frame] * 16, content_type="audio/mpeg").paced(0.0001))

    received = talk(vendor, PLAIN.replace(b"Host: x", b"Connection: close"), reads_after=0.1)

    assert received.count(frame) == 16
    assert received.endswith(b"0\r\n\r\n")


@pytest.mark.parametrize(
    ("sent", "total", "output", "whole"),
    [(0, 10, 0, False), (1, 10, 1, False), (5, 10, 4, False), (10, 10, 7, True)],
)
def test_a_cut_bill_has_its_share_of_output_rounded_up(sent, total, output, whole):
    """A cut answer is billed all its input and that share of its output, rounded up."""
    usage = Usage(passes=(Pass({"input": 11, "output": 7, "web_search": 1}),))

    bill = Bill(0, "openai", "responses", "m", "m", usage).cut(sent, total)

    assert bill.usage.passes[0].counts == {"input": 11, "output": output, "web_search": 1}
    assert bill.whole is whole
    assert bill.usage.complete is whole


def test_a_body_that_is_no_json_is_remembered_as_it_came(vendor):
    """A body need not be JSON; it has no content then, and is answered all the same."""
    head = b"POST %b HTTP/1.1\r\nConnection: close\r\nContent-Length: 3\r\n\r\n" % CHAT.encode()

    received = talk(vendor, head + b"not")

    assert received.startswith(b"HTTP/1.1 200 OK")
    assert vendor.requests[0].body == b"not"
    assert vendor.requests[0].json is None
    assert vendor.requests[0].content == {}


def test_an_error_says_when_to_try_again():
    """The wait is in seconds or milliseconds, in the header that both SDKs read."""
    assert Reply.error(429, retry_after_seconds=1.5).headers["retry-after"] == "1.5"
    assert Reply.error(529, retry_after_ms=20).headers["retry-after-ms"] == "20"
    assert b"overloaded_error" in Reply.error(529).body


def test_a_schema_that_says_nothing_allows_null():
    """The smallest value of what is no schema, or of a type nobody knows, is null."""
    assert example_of({"type": "object", "properties": {"any": True, "odd": {"type": "odd"}}}) == {
        "any": None,
        "odd": None,
    }
    assert example_of({"type": "string", "minLength": 6}) == "xxxxxx"
    assert example_of({"default": 3}) == 3


def test_a_vendor_that_runs_for_long_forgets_its_oldest_responses(vendor, monkeypatch):
    """Only so many responses can be retrieved."""
    monkeypatch.setattr("tracked_inference.loopback.openai_responses.REMEMBERED", 2)
    made = [ask(vendor, "/v1/responses", {"model": "m", "input": "Hi"})[1]["id"] for _ in range(3)]

    assert [ask(vendor, f"/v1/responses/{one}", method="GET")[0] for one in made] == [404, 200, 200]


def test_a_finished_response_cannot_be_cancelled(vendor):
    """Cancelling what is done leaves it as it is."""
    made = ask(vendor, "/v1/responses", {"model": "m", "input": "Hi"})[1]

    status, body = ask(vendor, f"/v1/responses/{made['id']}/cancel", {})

    assert status == 200
    assert body["status"] == "completed"
