"""What a limit learns from one call after another; how it does under load is in ``test_admission_load``."""

from hypothesis import given
from hypothesis import strategies as st

from mainstay.routing.limit import Aimd, Auto, Fixed, Gradient, Limit, Outcome, Sample


def sample(
    outcome: Outcome = Outcome.OK,
    sent: float = 0.0,
    left: float = 1.0,
    in_flight: int = 1,
    first_token: float | None = None,
    tokens_in: int | None = 100,
    tokens_out: int | None = 100,
    lag: float = 0.0,
) -> Sample:
    return Sample(outcome, sent, left, in_flight, first_token, left - sent, tokens_in, tokens_out, lag)


def rounds(
    limit: Limit, times: int, first_token: float, rest: float = 1.0, start: float = 0.0, lag: float = 0.0
) -> float:
    """Feed whole round trips with the limit full; return the time after them."""
    now = start
    for _ in range(times):
        size = limit.size
        for _ in range(size):
            left = now + first_token + rest
            limit.settle(sample(sent=now + 1e-6, left=left, in_flight=size, first_token=first_token, lag=lag))
        now += first_token + rest
    return now


def test_a_number_stays_what_it_is() -> None:
    limit = Fixed(4)
    limit.settle(sample(Outcome.DROPPED))
    assert limit.size == 4
    assert Fixed(0).size == 1


def test_before_the_first_loss_the_limit_doubles_with_each_round_trip() -> None:
    limit = Aimd(10)
    for _ in range(10):
        limit.settle(sample(in_flight=10))
    assert 18 <= limit.size <= 20


def test_a_success_adds_one_to_the_limit_per_round_trip_after_a_loss() -> None:
    limit = Aimd(100)
    limit.settle(sample(Outcome.DROPPED, left=1.0, in_flight=100))
    assert limit.size == 90
    for _ in range(90):
        limit.settle(sample(sent=0.5, left=2.0, in_flight=90))
    assert limit.size in (90, 91)
    for _ in range(90):
        limit.settle(sample(sent=0.5, left=2.0, in_flight=90))
    assert limit.size in (91, 92)


def test_a_limit_that_is_not_used_does_not_grow() -> None:
    for limit in (Aimd(10), Gradient(10), Auto(10)):
        for number in range(1000):
            limit.settle(sample(sent=float(number), left=number + 1.0, in_flight=5, first_token=0.2))
        assert limit.size == 10


def test_losses_of_one_round_trip_count_once() -> None:
    limit = Aimd(100)
    for left in (1.0, 1.1, 1.2, 1.3):
        limit.settle(sample(Outcome.DROPPED, sent=0.5, left=left, in_flight=100))
    assert limit.size == 90
    limit.settle(sample(Outcome.DROPPED, sent=1.05, left=1.4, in_flight=90))
    assert limit.size == 81


def test_a_loss_far_below_the_limit_cuts_to_where_it_happened_and_by_half_at_most() -> None:
    limit = Aimd(64)
    limit.settle(sample(Outcome.DROPPED, sent=0.0, left=1.0, in_flight=40))
    assert limit.size == 36
    limit.settle(sample(Outcome.DROPPED, sent=2.0, left=3.0, in_flight=1))
    assert limit.size == 16


def test_growth_gathers_speed_while_nothing_is_lost() -> None:
    limit = Aimd(100)
    limit.settle(sample(Outcome.DROPPED, in_flight=100))
    trips = 0
    while limit.size < 200:
        size = limit.size
        for _ in range(size):
            limit.settle(sample(sent=trips + 2.0, left=trips + 3.0, in_flight=size))
        trips += 1
    assert 8 <= trips <= 14


def test_a_limit_keeps_within_its_bounds() -> None:
    limit = Aimd(4, least=2, most=8)
    for number in range(20):
        limit.settle(sample(Outcome.DROPPED, sent=number + 0.5, left=number + 1.0, in_flight=4))
    assert limit.size == 2
    for number in range(1000):
        limit.settle(sample(sent=30.0 + number, left=31.0 + number, in_flight=limit.size))
    assert limit.size == 8


def test_the_callers_own_faults_say_nothing() -> None:
    for limit in (Aimd(), Gradient(), Auto()):
        before = limit.size
        for number in range(200):
            limit.settle(sample(Outcome.IGNORED, sent=float(number), left=number + 100.0, in_flight=before))
        assert limit.size == before


def test_while_the_first_token_comes_as_soon_as_ever_the_limit_grows() -> None:
    limit = Gradient(16)
    rounds(limit, 5, first_token=0.2)
    assert limit.size >= 100


def test_first_tokens_that_queue_cut_the_limit_to_what_is_served() -> None:
    limit = Gradient(32)
    now = rounds(limit, 1, first_token=0.2, rest=1.8)
    assert limit.size == 48
    # Half of each call's time is queueing: half of the calls are served.
    rounds(limit, 1, first_token=2.2, rest=1.8, start=now)
    assert 22 <= limit.size <= 24


def test_what_this_process_itself_lets_lie_is_no_queue_of_the_upstream() -> None:
    limits = []
    for lag in (0.0, 0.01):
        limit = Gradient(16)
        now = rounds(limit, 1, first_token=0.005, rest=0.0)
        for busy in (0.01, 0.02, 0.03):
            now = rounds(limit, 1, first_token=busy, rest=0.0, start=now, lag=lag)
        limits.append(limit.size)
    assert limits[0] < 16 < limits[1]


def test_when_fewer_calls_are_as_slow_slowness_is_the_new_base() -> None:
    limit = Gradient(32)
    now = rounds(limit, 1, first_token=0.2, rest=1.8)
    now = rounds(limit, 2, first_token=1.2, rest=1.8, start=now)
    assert limit.size < 40
    rounds(limit, 6, first_token=1.2, rest=1.8, start=now)
    assert limit.size >= 64


def test_long_answers_are_no_sign_of_a_queue() -> None:
    limit = Gradient(16)
    now = 0.0
    for trip in range(12):
        size = limit.size
        for number in range(size):
            tokens = 10 + (number * 37 + trip * 11) % 100 * (1 + trip)
            limit.settle(sample(sent=now + 1e-6, left=now + 0.2 + 0.02 * tokens, in_flight=size, tokens_out=tokens))
        now += 30.0
    assert limit.size >= 128


def test_long_prompts_are_no_sign_of_a_queue() -> None:
    limit = Gradient(16)
    now = 0.0
    for trip in range(12):
        size = limit.size
        for number in range(size):
            tokens = 100 + (number * 37 + trip * 11) % 100 * 10 * (1 + trip)
            first = 0.1 + 0.0005 * tokens
            limit.settle(
                sample(sent=now + 1e-6, left=now + first + 1, in_flight=size, first_token=first, tokens_in=tokens)
            )
        now += 30.0
    assert limit.size >= 128


def test_a_small_pool_may_have_a_limit_of_one() -> None:
    limit = Gradient(4, least=1)
    now = rounds(limit, 3, first_token=0.1)
    for _ in range(40):
        queue = (limit.size - 1) * 1.1
        now = rounds(limit, 1, first_token=0.1 + queue, start=now)
    assert limit.size <= 2


def test_the_smaller_of_both_limits_holds() -> None:
    limit = Auto(16)
    limit.settle(sample(Outcome.DROPPED, in_flight=16))
    assert limit.size == 14
    limit = Auto(32)
    now = rounds(limit, 1, first_token=0.2, rest=1.8)
    rounds(limit, 1, first_token=2.2, rest=1.8, start=now)
    assert 22 <= limit.size <= 24


@given(
    st.lists(
        st.builds(
            Sample,
            st.sampled_from(Outcome),
            st.floats(0, 1e6),
            st.floats(0, 1e6),
            st.integers(1, 20_000),
            st.none() | st.floats(0, 1e5),
            st.floats(0, 1e5),
            st.none() | st.integers(0, 10**7),
            st.none() | st.integers(0, 10**7),
        ),
        max_size=200,
    ),
    st.integers(1, 100),
)
def test_no_sample_drives_a_limit_out_of_its_bounds(samples: list[Sample], start: int) -> None:
    for limit in (Aimd(start, most=1000), Gradient(start, most=1000), Auto(start, most=1000)):
        for each in samples:
            limit.settle(each)
            assert 1 <= limit.size <= 1000
