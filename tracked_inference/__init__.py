"""See what every LLM call costs, per feature and team, while it happens."""

__version__ = "0.1.0"
