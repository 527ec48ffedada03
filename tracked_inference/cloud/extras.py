"""Where boto3 and PyYAML are imported: at use, with a message that says what to install."""

from __future__ import annotations

import importlib
from typing import Any

from tracked_inference.errors import MissingExtraError

__all__ = ["botocore", "load_boto3", "load_yaml"]


def load_boto3() -> Any:
    """Return the boto3 module, or raise MissingExtraError."""
    return _load("boto3")


def botocore(module: str) -> Any:
    """Return `botocore.<module>`, or raise MissingExtraError."""
    return _load(f"botocore.{module}")


def load_yaml() -> Any:
    """Return the yaml module, or raise MissingExtraError."""
    return _load("yaml")


def _load(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            f"this needs {name.partition('.')[0]}: install it with pip install 'tracked-inference[aws]'",
        ) from error
