"""Price tables for tests: a few models with round prices, so that the expected money can be worked out by hand."""

from datetime import UTC, datetime

from tracked_inference.pricing import PriceTable

AT = datetime(2026, 11, 23, 12, tzinfo=UTC)


def bundled() -> PriceTable:
    """The table that ships; the models used in these tests have had the same price for long."""
    return PriceTable.bundled()
