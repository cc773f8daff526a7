from itertools import pairwise

import pytest
from bench.schedule import constant, poisson


def test_a_constant_schedule_is_evenly_spaced_and_holds_its_rate() -> None:
    offsets = list(constant(200, 2.5))
    assert len(offsets) == 500
    assert offsets[0] == 0
    assert all(later - earlier == pytest.approx(0.005) for earlier, later in pairwise(offsets))


def test_a_poisson_schedule_rises_within_its_time_and_comes_near_its_rate() -> None:
    offsets = list(poisson(1000, 10, seed=3))
    assert all(earlier < later for earlier, later in pairwise(offsets))
    assert offsets[0] > 0
    assert offsets[-1] < 10
    assert len(offsets) == pytest.approx(10_000, rel=0.04)


def test_gaps_of_a_poisson_schedule_vary_as_much_as_they_last() -> None:
    gaps = [later - earlier for earlier, later in pairwise(poisson(1000, 10, seed=5))]
    mean = sum(gaps) / len(gaps)
    deviation = (sum((gap - mean) ** 2 for gap in gaps) / len(gaps)) ** 0.5
    assert deviation == pytest.approx(mean, rel=0.1)


def test_the_same_seed_draws_the_same_schedule() -> None:
    assert list(poisson(50, 1, seed=9)) == list(poisson(50, 1, seed=9))
    assert list(poisson(50, 1, seed=9)) != list(poisson(50, 1, seed=8))


@pytest.mark.parametrize("make", [constant, poisson])
def test_a_schedule_without_rate_or_time_is_refused(make: object) -> None:
    assert callable(make)
    for rate, seconds in ((0, 1), (1, 0), (-1, 1)):
        with pytest.raises(ValueError, match="above zero"):
            list(make(rate, seconds))
