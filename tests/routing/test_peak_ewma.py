"""A peak-sensitive average: bad news at once, good news with time."""

from itertools import accumulate

from hypothesis import given
from hypothesis import strategies as st

from mainstay.routing.peak_ewma import PeakEwma

SECONDS = st.floats(0.0, 1000.0)
SAMPLES = st.lists(st.tuples(st.floats(0.0, 100.0), SECONDS), min_size=1, max_size=30)


def fed(samples: list[tuple[float, float]], tau: float = 10.0) -> tuple[PeakEwma, float]:
    average = PeakEwma(tau)
    times = list(accumulate(gap for gap, _ in samples))
    for now, (_, seconds) in zip(times, samples, strict=True):
        average.update(seconds, now)
    return average, times[-1]


def at(average: PeakEwma, now: float) -> float:
    value = average.value(now)
    assert value is not None
    return value


def test_nothing_is_known_before_the_first_sample() -> None:
    assert PeakEwma().value(5.0) is None


def test_a_slow_answer_counts_at_once_and_fades_to_what_is_usual() -> None:
    average, now = fed([(0.1, 0.5)] * 200)
    average.update(8.0, now)
    assert average.value(now) == 8.0
    assert 3.0 < at(average, now + 10.0) < 3.5
    assert at(average, now + 100.0) < 0.6


def test_a_target_that_is_always_slow_does_not_come_to_look_fast_by_waiting() -> None:
    average, now = fed([(0.1, 5.0)] * 50)
    assert abs(at(average, now + 1e6) - 5.0) < 1e-9


def test_one_good_answer_after_a_long_time_is_believed() -> None:
    average, now = fed([(0.1, 5.0)] * 50)
    average.update(0.2, now + 100.0)
    assert at(average, now + 100.0) < 0.21


def test_one_good_answer_among_many_slow_ones_is_not() -> None:
    average, now = fed([(0.1, 5.0)] * 50)
    average.update(0.2, now + 0.1)
    assert at(average, now + 0.1) > 4.9


@given(SAMPLES, SECONDS)
def test_a_higher_sample_is_the_value_and_a_lower_one_never_raises_it(
    samples: list[tuple[float, float]], seconds: float
) -> None:
    average, now = fed(samples)
    before = at(average, now)
    average.update(seconds, now)
    if seconds >= before:
        assert at(average, now) == seconds
    else:
        assert at(average, now) <= before * (1 + 1e-9) + 1e-9


@given(SAMPLES, st.floats(0.0, 1000.0), st.floats(0.0, 1000.0))
def test_the_value_only_sinks_with_time_and_stays_among_the_samples(
    samples: list[tuple[float, float]], sooner: float, later: float
) -> None:
    average, now = fed(samples)
    seen = [seconds for _, seconds in samples]
    first, second = at(average, now + sooner), at(average, now + sooner + later)
    assert second <= first * (1 + 1e-9) + 1e-9
    assert min(seen) - 1e-6 <= second
    assert first <= max(seen) + 1e-6


@given(SAMPLES)
def test_a_clock_that_goes_back_does_no_harm(samples: list[tuple[float, float]]) -> None:
    average, now = fed(samples)
    before = at(average, now)
    assert average.value(now - 50.0) == before
    average.update(before / 2, now - 50.0)
    assert at(average, now) <= before * (1 + 1e-9)
