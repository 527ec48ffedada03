"""The Prometheus that the demo starts."""

import json
import shutil
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

import pytest

from tracked_inference.demo.prometheus import require_prometheus, scraping
from tracked_inference.errors import ConfigurationError

needs_prometheus = pytest.mark.skipif(
    shutil.which("prometheus") is None, reason="prometheus is not installed: apt-get install prometheus"
)


def ask(url, query):
    with urllib.request.urlopen(
        f"{url}/api/v1/query?{urllib.parse.urlencode({'query': query})}", timeout=5
    ) as answer:
        return json.load(answer)["data"]["result"]


@needs_prometheus
def test_it_scrapes_every_second_and_is_gone_afterwards():
    """What the demo serves can be queried, the package's rules are loaded, and nothing answers when it is over."""
    from prometheus_client import CollectorRegistry, Counter, start_http_server

    registry = CollectorRegistry()
    Counter("dollars", "Dollars.", registry=registry).inc(4)
    server, thread = start_http_server(0, addr="127.0.0.1", registry=registry)

    with scraping(require_prometheus(), f"127.0.0.1:{server.server_port}") as url:
        end = time.monotonic() + 15
        while not (found := ask(url, "dollars_total")) and time.monotonic() < end:
            time.sleep(0.1)
        with urllib.request.urlopen(f"{url}/api/v1/rules", timeout=5) as answer:
            groups = json.load(answer)["data"]["groups"]
    server.shutdown()
    server.server_close()
    thread.join()

    assert found[0]["value"][1] == "4"
    assert found[0]["metric"]["job"] == "tracked-inference-demo"
    assert {rule["type"] for group in groups for rule in group["rules"]} == {"recording", "alerting"}
    with pytest.raises(urllib.error.URLError):
        ask(url, "up")


def test_one_that_does_not_start_is_said_so(tmp_path):
    """The message holds what the program said last."""
    program = tmp_path / "prometheus"
    program.write_text(f"#!{sys.executable}\nprint('first'); print('no space left'); raise SystemExit(1)\n")
    program.chmod(0o755)

    with pytest.raises(ConfigurationError, match="it said last: no space left"):
        with scraping(str(program), "127.0.0.1:1"):
            pass


def test_one_that_does_not_stop_is_killed(tmp_path, monkeypatch):
    """A program that ignores being asked to stop is made to."""
    program = tmp_path / "prometheus"
    program.write_text(
        f"#!{sys.executable}\n"
        "import http.server, signal, sys\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "host, _, port = sys.argv[3].partition('=')[2].partition(':')\n"
        "class Ready(http.server.BaseHTTPRequestHandler):\n"
        "    def do_GET(self):\n"
        "        self.send_response(200); self.send_header('Content-Length', '0'); self.end_headers()\n"
        "http.server.HTTPServer((host, int(port)), Ready).serve_forever()\n"
    )
    program.chmod(0o755)
    monkeypatch.setattr("tracked_inference.demo.prometheus.STOPS_WITHIN_SECONDS", 0.1)

    with scraping(str(program), "127.0.0.1:1") as url:
        pass

    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(f"{url}/-/ready", timeout=1)
