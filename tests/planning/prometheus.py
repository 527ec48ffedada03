"""A real Prometheus on this machine, for tests; they are skipped where it is not installed."""

import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import pytest

needs_prometheus = pytest.mark.skipif(
    not (shutil.which("prometheus") and shutil.which("promtool")),
    reason="prometheus and promtool are not installed (Debian package prometheus)",
)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def prometheus(folder: Path, config: str = ""):
    """Run one over a folder's `data`; gives its URL."""
    (folder / "prometheus.yml").write_text(config or "global: {}\n")
    port = free_port()
    log = (folder / "prometheus.log").open("wb")
    process = subprocess.Popen(
        [
            shutil.which("prometheus"),
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'data'}",
            "--storage.tsdb.retention.time=100y",
            f"--web.listen-address=127.0.0.1:{port}",
        ],
        stdout=log,
        stderr=subprocess.STDOUT,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_until_ready(process, url, folder)
        yield url
    finally:
        process.terminate()
        process.wait(10)
        log.close()


def _wait_until_ready(process, url, folder):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert process.poll() is None, (folder / "prometheus.log").read_text()
        try:
            with urllib.request.urlopen(f"{url}/-/ready", timeout=1) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.1)
    raise AssertionError((folder / "prometheus.log").read_text())


def wait_for_targets(url, many):
    """Wait until so many targets were scraped: a Prometheus that has just started finds its targets after five seconds."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with urllib.request.urlopen(f"{url}/api/v1/query?query=sum(up)", timeout=5) as answer:
            found = json.load(answer)["data"]["result"]
        if found and int(found[0]["value"][1]) == many:
            return
        time.sleep(0.1)
    raise AssertionError(f"{many} targets were not scraped")


def backfill(folder: Path, samples):
    """Write (name, labels, value, unix seconds) into the folder's `data` as if they had been scraped."""
    by_name = {}
    for name, labels, value, at in samples:
        by_name.setdefault(name, []).append((labels, value, at))
    lines = []
    for name, found in by_name.items():
        kind, base = ("counter", name.removesuffix("_total")) if name.endswith("_total") else ("gauge", name)
        lines.append(f"# TYPE {base} {kind}")
        for labels, value, at in sorted(found, key=lambda one: (sorted(one[0].items()), one[2])):
            words = ",".join(f'{key}="{text}"' for key, text in labels.items())
            lines.append(f"{name}{{{words}}} {value} {at}")
    lines.append("# EOF\n")
    (folder / "samples.om").write_text("\n".join(lines))
    subprocess.run(
        [
            shutil.which("promtool"),
            "tsdb",
            "create-blocks-from",
            "openmetrics",
            folder / "samples.om",
            folder / "data",
        ],
        check=True,
        capture_output=True,
    )
