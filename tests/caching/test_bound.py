"""The upper bound on a mean that holds at every look."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainstay.caching.bound import UpperBound


def _ever_below(mean: float, draws: int, seed: int, alpha: float) -> bool:
    chance, bound = random.Random(seed), UpperBound(alpha)
    for _ in range(draws):
        bound.take(float(chance.random() < mean))
        if bound.bound < mean:
            return True
    return False


@pytest.mark.parametrize("mean", [0.02, 0.3])
def test_the_bound_is_seldom_ever_below_the_true_mean_at_any_of_many_looks(mean: float) -> None:
    missed = sum(_ever_below(mean, 300, seed, 0.1) for seed in range(60))
    # Ten in a hundred are allowed; of 60 runs more than 14 would be a chance of 1 in 1,000.
    assert missed <= 14


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=40), st.floats(0.01, 0.5))
def test_the_bound_never_lies_below_what_was_seen_by_much(values: list[float], alpha: float) -> None:
    bound = UpperBound(alpha)
    for value in values:
        bound.take(value)
    assert 0 < bound.bound <= 1
    assert bound.count == len(values)
    assert bound.mean == pytest.approx(sum(values) / len(values))


@settings(max_examples=25, deadline=None)
@given(st.floats(0.01, 0.5))
def test_surer_bounds_are_wider(alpha: float) -> None:
    loose, sure = UpperBound(alpha), UpperBound(alpha / 2)
    for at in range(120):
        loose.take(float(at % 30 == 0))
        sure.take(float(at % 30 == 0))
    assert loose.bound <= sure.bound


def test_four_hundred_clean_values_show_less_than_one_in_a_hundred() -> None:
    bound = UpperBound(0.05)
    taken = 0
    while bound.bound > 0.01 and taken < 1000:
        bound.take(0.0)
        taken += 1
    assert 299 <= taken <= 420


def test_past_luck_does_not_pay_for_later_errors() -> None:
    bound = UpperBound(0.05)
    for _ in range(5000):
        bound.take(0.0)
    for _ in range(12):
        bound.take(1.0)
    assert bound.bound > 0.01


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan")])
def test_a_value_outside_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        UpperBound().take(value)


@pytest.mark.parametrize("alpha", [0.0, 1.0])
def test_a_chance_outside_is_refused(alpha: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        UpperBound(alpha)
