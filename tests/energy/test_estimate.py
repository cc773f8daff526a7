"""A figure comes with its interval, or with the reason why there is none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.energy.estimate import CERTAIN, Estimate, Spread, combine

SPREADS = st.builds(Spread, st.floats(0.01, 1), st.floats(1, 100))


def test_what_is_missing_is_none_with_a_reason_and_never_zero() -> None:
    found = Estimate.missing("Wh", "measured", "accelerator", "no meter")
    assert (found.value, found.low, found.high, found.reason) == (None, None, None, "no meter")


def test_a_value_lies_within_its_interval() -> None:
    found = Estimate.around(2.0, Spread(0.5, 3.0), "g", "modelled", "datacentre")
    assert (found.low, found.value, found.high) == (1.0, 2.0, 6.0)


@given(st.lists(SPREADS, max_size=5))
def test_a_product_spreads_more_than_each_factor_and_less_than_all_extremes_together(spreads: list[Spread]) -> None:
    whole = combine(spreads)
    low = high = 1.0
    for spread in spreads:
        low, high = low * spread.low, high * spread.high
        assert whole.low <= spread.low * (1 + 1e-9)
        assert whole.high >= spread.high * (1 - 1e-9)
    assert whole.low >= low * (1 - 1e-9)
    assert whole.high <= high * (1 + 1e-9)


def test_what_is_certain_adds_nothing() -> None:
    both = combine((CERTAIN, Spread(0.5, 2.0)))
    assert (both.low, both.high) == pytest.approx((0.5, 2.0))
