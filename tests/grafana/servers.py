"""Real servers for the tests: on a free loopback port, with a folder of their own, stopped at the end."""

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

if TYPE_CHECKING:
    from collections.abc import Iterator


def free_port() -> int:
    """A port that nothing listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def running(command: list[str], ready: str, seconds: float = 60) -> Iterator[subprocess.Popen]:
    """A server that answers at `ready`; its own words are in the error where it does not."""
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT)
        try:
            deadline = time.monotonic() + seconds
            while True:
                try:
                    with urllib.request.urlopen(ready, timeout=2):
                        break
                except OSError:
                    if process.poll() is not None or time.monotonic() > deadline:
                        said.seek(0)
                        raise RuntimeError(f"{command[0]} did not start: {said.read()[-2000:]}") from None
                    time.sleep(0.05)
            yield process
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextlib.contextmanager
def prometheus(
    data: Path | None = None, config: str = "global: {}\n", *flags: str, port: int = 0
) -> Iterator[str]:
    """A Prometheus; yields its address. Old data is kept for ten years so that any simulated time can be asked for."""
    port = port or free_port()
    folder = Path(tempfile.mkdtemp(prefix="prometheus-"))
    try:
        (folder / "prometheus.yml").write_text(config)
        command = [
            "prometheus",
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={data or folder / 'data'}",
            "--storage.tsdb.retention.time=10y",
            f"--web.listen-address=127.0.0.1:{port}",
            "--log.level=warn",
            *flags,
        ]
        with running(command, f"http://127.0.0.1:{port}/-/ready"):
            yield f"http://127.0.0.1:{port}"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def victoria_metrics(config: str, *flags: str) -> Iterator[str]:
    """A single-node VictoriaMetrics that scrapes by the same configuration; yields its address."""
    port = free_port()
    folder = Path(tempfile.mkdtemp(prefix="victoria-"))
    try:
        (folder / "prometheus.yml").write_text(config)
        command = [
            "victoria-metrics",
            f"-promscrape.config={folder / 'prometheus.yml'}",
            f"-storageDataPath={folder / 'data'}",
            f"-httpListenAddr=127.0.0.1:{port}",
            "-loggerLevel=WARN",
            *flags,
        ]
        with running(command, f"http://127.0.0.1:{port}/health"):
            yield f"http://127.0.0.1:{port}"
    finally:
        shutil.rmtree(folder, ignore_errors=True)
