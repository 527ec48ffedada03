"""An AWS that lives in this process: moto, with made-up credentials and none of its default images."""

from __future__ import annotations

import functools
import importlib.util
import os
from collections.abc import Iterator  # noqa: TC003

import pytest

# moto reads this when it is imported; without it every account owns 1,166 snapshots of Amazon's images.
os.environ["MOTO_EC2_LOAD_DEFAULT_AMIS"] = "false"

MISSING = [name for name in ("boto3", "moto", "yaml") if importlib.util.find_spec(name) is None]
collect_ignore_glob = ["*"] if MISSING else []


def pytest_report_header() -> str | None:
    return f"tests/cloud is left out: {', '.join(MISSING)} not installed" if MISSING else None


@pytest.fixture(autouse=True, scope="session")
def one_loader() -> Iterator[None]:
    """Read the descriptions of AWS's services once and not for every session: it is what takes the time."""
    import botocore.loaders

    original = botocore.loaders.create_loader
    botocore.loaders.create_loader = functools.cache(original)
    yield
    botocore.loaders.create_loader = original


@pytest.fixture(autouse=True)
def aws_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
