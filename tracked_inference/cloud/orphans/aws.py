"""Asking AWS: clients, pages, retries, and the promise to ask only for what was declared and only to read."""

from __future__ import annotations

import re
import threading
from typing import TYPE_CHECKING, Any

from tracked_inference import __version__
from tracked_inference.cloud.extras import botocore
from tracked_inference.cloud.orphans.errors import UndeclaredActionError

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = ["ACTION_PREFIXES", "Account", "RegionCache", "RegionalAws", "client_config"]

# The IAM prefix of each service, where boto3 calls it otherwise.
ACTION_PREFIXES = {"elbv2": "elasticloadbalancing"}

READ_ONLY = re.compile(r"(Describe|Get|List)[A-Z]")

# As many items a page as each operation gives; without a size EC2 tries to return everything at once.
_PAGE_SIZES = {
    "describe_volumes": 500,
    "describe_snapshots": 1000,
    "describe_images": 1000,
    "describe_instances": 1000,
    "describe_launch_templates": 200,
    "describe_launch_template_versions": 200,
    "describe_launch_configurations": 100,
    "describe_load_balancers": 400,
    "describe_target_groups": 400,
    "describe_listeners": 400,
}


def client_config(workers: int) -> Any:
    """Return the configuration of every client: adaptive retries, and a connection for each thread."""
    return botocore("config").Config(
        retries={"mode": "adaptive", "max_attempts": 8},
        connect_timeout=10,
        read_timeout=60,
        max_pool_connections=max(10, workers),
        user_agent_extra=f"tracked-inference/{__version__}",
    )


class Account:
    """
    One account: a boto3 session and the clients made of it.

    Clients may be shared between threads; sessions may not, hence the lock.
    """

    def __init__(self, session: Any, name: str | None, workers: int) -> None:
        self.name = name
        self._session = session
        self._config = client_config(workers)
        self._lock = threading.Lock()
        self._clients: dict[tuple[str, str | None], Any] = {}

    @property
    def region(self) -> str | None:
        """The region that the session is configured for, if any."""
        region: str | None = self._session.region_name
        return region

    def client(self, service: str, region: str | None) -> Any:
        """Return the client of a service in a region."""
        with self._lock:
            key = (service, region)
            if key not in self._clients:
                self._clients[key] = self._session.client(service, region_name=region, config=self._config)
            return self._clients[key]


class RegionCache:
    """What has been read in one region of one account, so that two detectors ask AWS once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: dict[str, _Once] = {}

    def entry(self, key: str) -> _Once:
        """Return the place of one request."""
        with self._lock:
            return self._entries.setdefault(key, _Once())


class _Once:
    """One request: made by the first who asks, while others wait; a failed one may be tried again."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.items: list[dict[str, Any]] | None = None


class RegionalAws:
    """
    What one detector may ask in one region.

    Args:
        account: Whose clients.
        region: Where.
        actions: The IAM actions that were declared; anything else is refused here, before it is sent.
        cache: What was read there already.

    """

    def __init__(self, account: Account, region: str, actions: Collection[str], cache: RegionCache) -> None:
        self._account = account
        self._region = region
        self._actions = actions
        self._cache = cache

    def pages(self, service: str, operation: str, key: str, /, **request: Any) -> list[dict[str, Any]]:
        """
        Return every item under `key` of every page.

        Raises:
            UndeclaredActionError: The operation was not declared, or is not read-only.
            botocore.exceptions.BotoCoreError, ClientError: AWS refused or could not be reached.

        """
        client = self._account.client(service, self._region)
        name = client.meta.method_to_api_mapping[operation]
        action = f"{ACTION_PREFIXES.get(service, service)}:{name}"
        if action not in self._actions or not READ_ONLY.match(name):
            raise UndeclaredActionError(f"{action} is not among the declared read-only actions")
        entry = self._cache.entry(f"{action}|{request!r}")
        with entry.lock:
            if entry.items is None:
                entry.items = _read(client, operation, key, request)
            return entry.items


def _read(client: Any, operation: str, key: str, request: dict[str, Any]) -> list[dict[str, Any]]:
    if not client.can_paginate(operation):
        return list(getattr(client, operation)(**request)[key])
    size = _PAGE_SIZES.get(operation)
    paging = {"PageSize": size} if size else {}
    pages = client.get_paginator(operation).paginate(**request, PaginationConfig=paging)
    return [item for page in pages for item in page.get(key, ())]
