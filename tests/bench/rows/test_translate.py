import pytest
from bench.rows.translate import dearest
from bench.translate import CALLERS, VENDORS, measure


def test_of_each_vendor_the_dearest_caller_counts() -> None:
    found = {"event": {"chat to a": 1.0, "messages to a": 3.0, "chat to b": 2.0}}
    assert dearest(found) == {"event_a": pytest.approx(3e-6), "event_b": pytest.approx(2e-6)}


def test_every_pair_is_measured() -> None:
    found = measure(1)
    pairs = {f"{caller} to {vendor}" for caller in CALLERS for vendor in VENDORS}
    assert set(found["request"]) == set(found["event"]) == pairs
    assert min(found["request"].values()) > 0
