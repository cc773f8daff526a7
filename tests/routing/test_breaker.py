"""When a target is left alone, who asks it again, and when its traffic comes back."""

from math import inf

from hypothesis import given
from hypothesis import strategies as st

from mainstay.routing.breaker import Breaker


def make() -> Breaker:
    return Breaker(draw=lambda: 0.5)


def opened(at: float = 0.0) -> Breaker:
    breaker = make()
    for _ in range(3):
        breaker.failure(at)
    return breaker


def test_three_failures_in_a_row_open_it() -> None:
    breaker = make()
    for _ in range(2):
        breaker.failure(0.0)
    assert breaker.state == "closed"
    breaker.failure(0.0)
    assert (breaker.state, breaker.until, breaker.opens) == ("open", 5.0, 1)


def test_a_success_in_between_begins_the_count_anew() -> None:
    breaker = make()
    for _ in range(10):
        breaker.failure(0.0)
        breaker.failure(0.0)
        breaker.success(0.0)
        if breaker.opens:
            break
    assert breaker.opens == 1, "two failures out of three open it by their share in the end"
    mostly_well = make()
    for _ in range(200):
        mostly_well.failure(0.0)
        for _ in range(3):
            mostly_well.success(0.0)
    assert mostly_well.state == "closed"


def test_one_call_probes_when_the_time_is_over_and_the_others_wait() -> None:
    breaker = opened()
    breaker.take(5.0)
    assert (breaker.state, breaker.until) == ("half-open", inf)
    breaker.success(6.0)
    assert breaker.state == "closed"


def test_a_probe_that_fails_opens_it_for_twice_as_long_up_to_a_bound() -> None:
    breaker = opened()
    lengths = []
    for _ in range(6):
        now = breaker.until
        breaker.take(now)
        breaker.failure(now)
        lengths.append(breaker.until - now)
    assert lengths == [10.0, 15.0, 15.0, 15.0, 15.0, 15.0]


def test_a_probe_whose_caller_left_passes_the_turn_on() -> None:
    breaker = opened()
    breaker.take(5.0)
    breaker.unknown(7.0)
    assert (breaker.state, breaker.until) == ("open", 7.0)


def test_a_late_success_of_an_earlier_call_closes_it() -> None:
    breaker = opened()
    breaker.success(1.0)
    assert breaker.state == "closed"
    breaker = opened()
    breaker.success(100.0)
    assert breaker.state == "closed"


def test_late_failures_do_not_keep_it_open_longer() -> None:
    breaker = opened()
    breaker.failure(4.9)
    assert breaker.until == 5.0


def test_after_a_minute_of_health_the_first_pause_is_short_again() -> None:
    breaker = opened()
    breaker.take(5.0)
    breaker.success(5.0)
    for _ in range(3):
        breaker.failure(66.0)
    assert breaker.until == 71.0


@given(st.lists(st.tuples(st.sampled_from(["take", "alive", "success", "failure", "unknown"]), st.floats(0, 20))))
def test_whatever_happens_a_recovered_target_is_asked_again_within_half_a_minute(
    steps: list[tuple[str, float]],
) -> None:
    breaker, now = Breaker(draw=lambda: 0.999), 0.0
    for name, passed in steps:
        now += passed
        getattr(breaker, name)(now)
    if breaker.until == inf:
        breaker.unknown(now)
    assert breaker.until <= now + 30.0
    breaker.take(max(now, breaker.until))
    breaker.success(max(now, breaker.until if breaker.until < inf else now))
    assert breaker.state == "closed"
