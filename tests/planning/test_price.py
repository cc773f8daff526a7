import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.planning.price import PriceList, blended, per_million, per_million_by_use, per_request, useful_share
from mainstay.planning.throughput import Interval

LIST = PriceList(input=2.0, output=8.0, cache_read=0.5, cache_write=2.5)


def test_the_published_cost_of_a_million_tokens() -> None:
    # 5,147 tokens/s on one device at $2.50 an hour: $0.135 per million.
    assert per_million(1, 2.5, Interval(5147, 5147, 5147)).mid == pytest.approx(0.135, abs=5e-4)


def test_a_tenth_as_busy_costs_ten_times_as_much() -> None:
    rows = dict(per_million_by_use(2, 3.0, Interval(100, 200, 300)))
    assert rows[0.1].mid == pytest.approx(10 * rows[1.0].mid)
    assert rows[1.0].low < rows[1.0].mid < rows[1.0].high


def test_cached_tokens_are_inside_the_prompt() -> None:
    assert per_request(LIST, 1000, 100) == pytest.approx(0.0028)
    assert per_request(LIST, 1000, 100, cached=400) == pytest.approx((600 * 2 + 400 * 0.5 + 800) / 1e6)
    assert per_request(LIST, 1000, 100, cached=400, written=100) == pytest.approx((500 * 2 + 200 + 250 + 800) / 1e6)


def test_parts_larger_than_the_prompt_are_refused() -> None:
    with pytest.raises(ValueError, match="parts of the input"):
        per_request(LIST, 100, 10, cached=90, written=20)


def test_a_list_without_a_cached_price_charges_the_full_one() -> None:
    full = PriceList(input=2.0, output=8.0)
    assert per_request(full, 1000, 100, cached=900) == per_request(full, 1000, 100)


def test_a_blend_lies_between_its_prices() -> None:
    assert blended(LIST, 5.5) == pytest.approx((5.5 * 2 + 8) / 6.5)
    assert blended(LIST, 5.5, hit_rate=1.0) == pytest.approx((5.5 * 0.5 + 8) / 6.5)


@given(st.floats(0.1, 1), st.floats(1, 50), st.floats(0, 1))
def test_scaling_makes_devices_more_useful(busiest: float, peak: float, autoscale: float) -> None:
    none, some, all_ = (useful_share(busiest, peak, each) for each in (0.0, autoscale, 1.0))
    assert busiest / peak == pytest.approx(none)
    assert none <= some * (1 + 1e-9)
    assert some <= all_ * (1 + 1e-9)
    assert all_ == pytest.approx(busiest)
