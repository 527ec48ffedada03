"""
The errors of this package.

    TrackedInferenceError
    ├── ConfigurationError (ValueError)        a wrong argument, registry file or environment variable
    │   ├── AttributionError                   feature or team missing or not a legal slug
    │   └── PriceTableError                    a price file that cannot be used; says file, key and mend
    ├── UnsupportedClientError (TypeError)     TrackedClient was given something that is no vendor client
    ├── UnpricedModelError (LookupError)       on_unpriced="raise" and the default model has no price
    ├── BudgetExceededError (RuntimeError)     a feature's budget guard refuses before money is spent
    └── UnavailableError (OSError)             a Prometheus or a vendor's report cannot be read just now

Only construction and configuration raise.
A vendor call raises what the vendor's SDK raises, and nothing of ours, unless a budget guard was asked to refuse.
"""

from __future__ import annotations


class TrackedInferenceError(Exception):
    """The root of this package's errors."""


class ConfigurationError(TrackedInferenceError, ValueError):
    """A wrong argument, file or environment variable; the message says which, and how to mend it."""


class AttributionError(ConfigurationError):
    """`feature` or `team` is missing, or is not a legal slug."""


class PriceTableError(ConfigurationError):
    """A price file cannot be used; the message names the file, the key, the fault and the mend."""


class UnsupportedClientError(TrackedInferenceError, TypeError):
    """What was to be tracked is not a client of a vendor SDK."""


class UnpricedModelError(TrackedInferenceError, LookupError):
    """`on_unpriced="raise"` and the default model has no price."""


class BudgetExceededError(TrackedInferenceError, RuntimeError):
    """A feature has spent its budget and its guard refuses the call before money is spent."""


class UnavailableError(TrackedInferenceError, OSError):
    """A Prometheus or a vendor's report cannot be read; the message says which, and what it answered. Never holds a key."""
