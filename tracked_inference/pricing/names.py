"""
Which model of the table a name means: an exact id, a listed alias, or a pattern anchored at both ends; never a prefix.

`claude-opus-4-55` is not `claude-opus-4-5`, and `gpt-4o-2024-05-13` costs twice `gpt-4o`: nothing is stripped from a name
to make it fit, unless the user asks for that (`assume_snapshots` in an overlay), and then the price says so.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

__all__ = ["Match", "Names", "is_snapshot", "seller_name"]

# As text: compiling them, which few calls need, takes a fifth of what the whole table takes to load.
_SNAPSHOT = r"(.+?)[-@](\d{4}-?\d{2}-?\d{2})"
_BEDROCK = r"(?:(?P<place>global|[a-z]{2}|apac|us-gov)\.)?(?:(?P<maker>anthropic|openai)\.)?(?P<name>.+?)(?:-v\d+(?:[:-]\d+)?|-\d+:\d+)?"
_ARN = r"arn:[^/]*:(?P<kind>[a-z-]+)/(?P<name>[^/]+)"


class Match:
    """
    A model of the table.

    Attributes:
        maker: Whose model it is: the table's rows for it stand under this or under the seller.
        model: Its id in the table.
        place: On Bedrock, `global` or `regional`; None where the name does not say or it does not matter.
        assumed: Why the match is an assumption, if it is one.
    """

    __slots__ = ("assumed", "maker", "model", "place")

    def __init__(
        self,
        maker: str,
        model: str,
        place: str | None = None,
        assumed: str | None = None,
    ) -> None:
        self.maker = maker
        self.model = model
        self.place = place
        self.assumed = assumed


class Names:
    """The names of a table by maker or seller, and how they are looked up."""

    __slots__ = ("assume_snapshots", "deployments", "exact", "patterns", "seller_aliases")

    def __init__(
        self,
        exact: dict[str, dict[str, str]] | None = None,
        patterns: dict[str, list[tuple[str, str]]] | None = None,
        seller_aliases: dict[str, dict[str, str]] | None = None,
        deployments: dict[str, dict[str, str]] | None = None,
        assume_snapshots: bool = False,
    ) -> None:
        self.exact = {} if exact is None else exact
        self.patterns = {} if patterns is None else patterns
        self.seller_aliases = {} if seller_aliases is None else seller_aliases
        self.deployments = {} if deployments is None else deployments
        self.assume_snapshots = assume_snapshots

    def add(self, provider: str, model: str, aliases: Iterable[str], patterns: Sequence[str] = ()) -> None:
        """List a model and its names."""
        exact = self.exact.setdefault(provider, {})
        for alias in (model, *aliases):
            exact[alias.lower()] = model
        for pattern in patterns:
            self.patterns.setdefault(provider, []).append((pattern, model))

    def copy(self) -> Names:
        """The same names, to be added to."""
        return Names(
            {provider: dict(exact) for provider, exact in self.exact.items()},
            {provider: list(patterns) for provider, patterns in self.patterns.items()},
            self.seller_aliases,
            {provider: dict(known) for provider, known in self.deployments.items()},
            self.assume_snapshots,
        )

    def find(
        self, provider: str, name: str, requested: str | None, sold: Sequence[str], at: datetime
    ) -> Match | None:
        """
        The model that `name` means when `provider` sells it.

        Args:
            provider: The seller.
            name: The model that answered, or that was asked for where the answer names none.
            requested: The model that was asked for; on Bedrock its prefix says the place.
            sold: The makers whose models the seller sells, or the seller itself.
            at: The instant of the call: a snapshot of a later day cannot have answered.
        """
        name = self.deployments.get(provider, {}).get(name, name)
        plain, place, assumed = seller_name(provider, name, requested)
        plain = self.seller_aliases.get(provider, {}).get(plain, plain)
        for maker in sold:
            model = self._of_maker(maker, plain, at)
            if model is not None:
                return Match(maker, model, place, assumed)
        if self.assume_snapshots and (found := re.fullmatch(_SNAPSHOT, plain)):
            for maker in sold:
                model = self._of_maker(maker, found[1], at)
                if model is not None:
                    return Match(maker, model, place, "assumed_alias")
        return None

    def _of_maker(self, maker: str, name: str, at: datetime) -> str | None:
        exact = self.exact.get(maker)
        if exact is not None and (model := exact.get(name.lower())) is not None:
            return model
        for pattern, model in self.patterns.get(maker, ()):
            if re.fullmatch(pattern, name, re.IGNORECASE) and not _later(name, at):
                return model
        return None


def is_snapshot(name: str) -> bool:
    """Whether a name ends in a date."""
    return re.fullmatch(_SNAPSHOT, name) is not None


def _later(name: str, at: datetime) -> bool:
    found = re.fullmatch(_SNAPSHOT, name)
    return found is not None and found[2].replace("-", "") > f"{at:%Y%m%d}"


def seller_name(provider: str, name: str, requested: str | None) -> tuple[str, str | None, str | None]:
    """
    A seller's name for a model as its maker's, the place it says, and what is assumed.

    Bedrock writes `us.anthropic.claude-…-v1:0` (rule 33), but answers with the maker's own name: the place is then that of
    the requested name. Vertex writes `claude-…@20250929`. A fine-tune is looked up without its organisation (rule 34).
    """
    if name.startswith("ft:"):
        return ":".join(name.split(":")[:2]), None, None
    if provider == "vertex":
        return name.removesuffix("@default").removesuffix("@latest").replace("@", "-"), None, None
    if provider != "bedrock":
        return name, None, None
    plain, place = _bedrock(name)
    if place is None and requested and requested != name:
        place = _bedrock(requested)[1]
    return plain, place or "regional", None if place else "inference_profile"


def _bedrock(name: str) -> tuple[str, str | None]:
    arn = re.fullmatch(_ARN, name)
    if arn is not None:
        name = arn["name"]
    found = re.fullmatch(_BEDROCK, name)
    if found is None:
        return name, None
    if found["place"] is not None:
        return found["name"], "global" if found["place"] == "global" else "regional"
    return found["name"], "regional" if found["maker"] else None
