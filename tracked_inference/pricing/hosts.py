"""Who sells at a `base_url`: the known hosts, and what the user says of others (rule 33)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Hosts", "bare_url"]


def bare_url(base_url: object) -> str:
    """A `base_url` without its scheme and last slash, in lower case: how two of them are compared."""
    return re.sub(r"^[a-z][a-z0-9+.-]*://", "", str(base_url or "").strip().lower()).rstrip("/")


class Hosts:
    """
    The sellers behind hosts.

    Attributes:
        known: Seller by a pattern of the whole host name; a group `region` says where the host is.
        own: Seller and region by `base_url`, as the user's overlays say; these come first, the longest match wins.
    """

    __slots__ = ("known", "own")

    def __init__(
        self, known: Mapping[str, str], own: Mapping[str, tuple[str, str | None]] | None = None
    ) -> None:
        self.known = dict(known)
        self.own = dict(own or {})

    def find(self, base_url: object) -> tuple[str | None, str | None]:
        """Seller and region of a `base_url`; None for an unknown host, which is never taken for OpenAI."""
        url = bare_url(base_url)
        mine = max(
            (one for one in self.own if url == one or url.startswith(f"{one}/")), key=len, default=None
        )
        if mine is not None:
            return self.own[mine]
        host = url.partition("/")[0].rpartition("@")[2]
        name = re.sub(r":\d+$", "", host)
        if host in self.own or name in self.own:
            return self.own.get(host) or self.own[name]
        for pattern, provider in self.known.items():
            found = re.fullmatch(pattern, name)
            if found is not None:
                region = found.groupdict().get("region")
                return provider, region or ("global" if provider == "vertex" else None)
        return None, None
