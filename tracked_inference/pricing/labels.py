"""How models are named in metrics and logs."""

from __future__ import annotations

__all__ = ["MAKERS", "clean", "label_of"]

MAKERS = ("anthropic", "openai")
"""Sellers of their own models: their label carries no seller."""


def label_of(provider: str, model: str) -> str:
    """A model's id, with the seller before it where that is not the maker."""
    return model if provider in MAKERS else f"{provider}/{model}"


def clean(name: object) -> str:
    """A name as a label can carry it; a fine-tune without its organisation (rule 34)."""
    if not isinstance(name, str) or not name:
        return "unknown"
    if name.startswith("ft:"):
        name = ":".join(name.split(":")[:2])
    return name[:200]
