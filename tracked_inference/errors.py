"""
The errors of this package.

    TrackedInferenceError
    ├── ConfigurationError (ValueError)        a wrong argument, registry file or environment variable
    │   ├── AttributionError                   feature or team missing or not a legal slug
    │   ├── PriceTableError                    a price file that cannot be used; says file, key and mend
    │   ├── InvalidTagsError                   resource tags that break the tagging standard; nothing was created
    │   └── MissingExtraError                  a part of this package whose optional dependency is not installed
    ├── UnsupportedClientError (TypeError)     TrackedClient was given something that is no vendor client
    ├── UnpricedModelError (LookupError)       on_unpriced="raise" and the default model has no price
    ├── BudgetExceededError (RuntimeError)     a feature's budget guard refuses before money is spent
    └── UnavailableError (OSError)             a Prometheus or a vendor's report cannot be read just now

Only construction and configuration raise.
A vendor call raises what the vendor's SDK raises, and nothing of ours, unless a budget guard was asked to refuse.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime
    from decimal import Decimal


class TrackedInferenceError(Exception):
    """The root of this package's errors."""


class ConfigurationError(TrackedInferenceError, ValueError):
    """A wrong argument, file or environment variable; the message says which, and how to mend it."""


class AttributionError(ConfigurationError):
    """`feature` or `team` is missing, or is not a legal slug."""


class PriceTableError(ConfigurationError):
    """A price file cannot be used; the message names the file, the key, the fault and the mend."""


class InvalidTagsError(ConfigurationError):
    """
    Resource tags break the tagging standard, so nothing was done with them.

    Attributes:
        problems: One sentence for each fault, as `validate_tags` gives them.
    """

    def __init__(self, problems: list[str]) -> None:
        super().__init__("the tags are not valid, nothing was created: " + "; ".join(problems))
        self.problems = problems


class MissingExtraError(ConfigurationError):
    """An optional dependency is not installed; the message names the extra that brings it."""


class UnsupportedClientError(TrackedInferenceError, TypeError):
    """What was to be tracked is not a client of a vendor SDK."""


class UnpricedModelError(TrackedInferenceError, LookupError):
    """`on_unpriced="raise"` and the default model has no price."""


class BudgetExceededError(TrackedInferenceError, RuntimeError):
    """
    A feature has spent its budget and its guard refuses the call before money is spent.

    Attributes:
        feature: The feature whose budget it is.
        team: Who pays.
        owner: Whom to ask; empty if the registry does not say.
        period: `month` or `day`, a calendar one in UTC.
        budget_usd: What it may spend in the period.
        spent_usd: What it has spent; None where nobody knows, because the store that does gives no answer.
        until: When calls are let through again: the end of the period; None where that depends on the store.
    """

    def __init__(
        self,
        message: str,
        *,
        feature: str = "",
        team: str = "",
        owner: str = "",
        period: str = "",
        budget_usd: Decimal | None = None,
        spent_usd: Decimal | None = None,
        until: datetime | None = None,
    ) -> None:
        super().__init__(message)
        self.feature = feature
        self.team = team
        self.owner = owner
        self.period = period
        self.budget_usd = budget_usd
        self.spent_usd = spent_usd
        self.until = until


class UnavailableError(TrackedInferenceError, OSError):
    """A Prometheus or a vendor's report cannot be read; the message says which, and what it answered. Never holds a key."""
