"""A meter's joules are divided among the calls under way, and none is lost or made up."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.energy.sharing import Sharing


def test_calls_under_way_share_a_moment_equally() -> None:
    sharing = Sharing()
    sharing.sample(0, 0.0, 0)
    sharing.sample(100, 10.0, 2)
    assert sharing.share(0, 100) == 5.0


def test_a_call_gets_the_part_of_a_moment_that_it_was_there_for() -> None:
    sharing = Sharing()
    sharing.sample(0, 0.0, 1)
    sharing.sample(100, 10.0, 1)
    sharing.sample(200, 40.0, 1)
    assert sharing.share(50, 150) == pytest.approx(5.0 + 15.0)


def test_what_nobody_was_busy_with_is_idle() -> None:
    sharing = Sharing()
    sharing.sample(0, 0.0, 0)
    sharing.sample(100, 7.0, 0)
    sharing.sample(200, 9.0, 1)
    assert sharing.idle == 7.0
    assert sharing.share(0, 200) == 2.0


def test_a_time_without_a_reading_is_not_known() -> None:
    sharing = Sharing()
    sharing.sample(0, 0.0, 1)
    sharing.sample(100, 5.0, 1)
    assert sharing.share(100, 120) is None
    assert sharing.share(-50, 0) is None


def test_a_counter_that_fell_and_a_clock_that_went_back_begin_anew() -> None:
    sharing = Sharing()
    sharing.sample(100, 50.0, 1)
    sharing.sample(200, 10.0, 1)
    sharing.sample(150, 20.0, 1)
    assert sharing.share(0, 300) is None
    sharing.sample(250, 30.0, 1)
    assert sharing.share(150, 250) == 10.0


@given(st.lists(st.tuples(st.floats(1, 1000), st.floats(0, 100), st.integers(0, 5)), min_size=1, max_size=30))
def test_shares_and_idle_add_up_to_what_was_counted(moments: list[tuple[float, float, int]]) -> None:
    sharing = Sharing()
    at = counter = 0.0
    sharing.sample(at, counter, 0)
    total = 0.0
    for length, joules, busy in moments:
        at, counter = at + length, counter + joules
        sharing.sample(at, counter, busy)
        # Each of those who were there the whole moment.
        share = sharing.share(at - length, at)
        total += (share or 0.0) * busy
    assert total + sharing.idle == pytest.approx(counter, abs=1e-6)
