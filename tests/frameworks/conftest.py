"""What the framework tests share: one check for one call."""

from decimal import Decimal

import pytest

from tests.conftest import CLAUDE_USD, GPT_USD


@pytest.fixture
def billed_once(vendor, records):
    """Say that the vendor billed one call, and that its one record has its tokens and its price."""

    def check(maker: str, *, stream: bool | None) -> None:
        record, (bill,) = records.one, vendor.bills
        usd = CLAUDE_USD if maker == "anthropic" else GPT_USD

        assert record.usage.tokens() == bill.usage.tokens()
        assert (record.cost.status, record.cost.total_usd) == ("exact", Decimal(usd))
        assert (record.provider, record.outcome) == (maker, "ok")
        assert stream is None or record.stream is stream
        assert (record.feature, record.team) == ("search", "discovery")

    return check
