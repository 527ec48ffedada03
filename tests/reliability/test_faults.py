"""Everything that tracking leans on is broken in turn: the caller has the SDK's own object, the fault is counted, and passes."""

import pytest

pytest.importorskip("anthropic", reason="the Anthropic SDK is not installed")

from tests.reliability.faults import FAULTS, exercise
from tests.reliability.station import Station


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
@pytest.mark.parametrize(
    ("how", "calls"),
    [("call", 1), ("call_async", 3), ("call_in_threads", 24)],
    ids=["plain", "async", "threads"],
)
def test_a_fault_is_counted_and_passes(fault, how, calls, tmp_path, faults):
    """In a fault each call gives the SDK's object, is counted once as a fault and reaches the other sinks."""
    folder = tmp_path / "ledger"
    folder.mkdir()
    station = Station(folder)

    assert exercise(fault, station, getattr(station, how), calls) == []
    faults.clear()
