"""A Prometheus of its own for the demo, when one is installed: started, waited for, and gone when the demo is."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

from tracked_inference.errors import ConfigurationError
from tracked_inference.grafana.assets import rule_texts

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["require_prometheus", "scraping"]

READY_WITHIN_SECONDS = 20.0
STOPS_WITHIN_SECONDS = 10.0


def require_prometheus() -> str:
    """
    Find the `prometheus` program.

    Raises:
        ConfigurationError: It is not on PATH; the message says where to get it.
    """
    found = shutil.which("prometheus")
    if found is None:
        raise ConfigurationError(
            "--prometheus needs the program `prometheus` on PATH, and it is not there; install it"
            " (apt-get install prometheus, brew install prometheus, or https://prometheus.io/download/),"
            " or leave --prometheus out and let your own scrape the URL that the demo prints"
        )
    return found


@contextlib.contextmanager
def scraping(program: str, target: str) -> Iterator[str]:
    """
    Run a Prometheus that scrapes `host:port` every second, and give its URL once it answers.

    It has the package's recording rules and alerts, so that the dashboards can be pointed at it; its data lie in a directory that goes with it.

    Raises:
        ConfigurationError: It does not start; the message holds what it said last.
    """
    with tempfile.TemporaryDirectory(prefix="tracked-inference-demo-") as directory:
        home = Path(directory)
        for path, text in rule_texts(otel=False).items():
            (home / path).parent.mkdir(exist_ok=True)
            (home / path).write_text(text)
        (home / "prometheus.yml").write_text(
            "global: {scrape_interval: 1s, evaluation_interval: 5s}\n"
            "rule_files: [rules/*.yaml]\n"
            "scrape_configs:\n"
            f"  - {{job_name: tracked-inference-demo, static_configs: [{{targets: ['{target}']}}]}}\n"
        )
        address = f"127.0.0.1:{_free_port()}"
        with (home / "output").open("w+") as output:
            process = subprocess.Popen(  # noqa: S603  # the program found on PATH, with arguments of our own
                [
                    program,
                    f"--config.file={home / 'prometheus.yml'}",
                    f"--storage.tsdb.path={home / 'data'}",
                    f"--web.listen-address={address}",
                ],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for the demo, which then stops this
            )
            try:
                _wait_ready(process, f"http://{address}", home / "output")
                yield f"http://{address}"
            finally:
                process.terminate()
                try:
                    process.wait(STOPS_WITHIN_SECONDS)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port


def _wait_ready(process: subprocess.Popen[bytes], url: str, output: Path) -> None:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    end = time.monotonic() + READY_WITHIN_SECONDS
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError), direct.open(f"{url}/-/ready", timeout=1):
            return
        time.sleep(0.1)
    said = output.read_text(errors="replace").strip().splitlines()
    raise ConfigurationError(f"prometheus did not start; it said last: {said[-1] if said else 'nothing'}")
