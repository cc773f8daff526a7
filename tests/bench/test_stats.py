import pytest
from bench.stats import median, percentile, quantiles, slope
from hypothesis import given
from hypothesis import strategies as st

_NUMBERS = st.floats(min_value=-1e9, max_value=1e9)


def test_percentiles_of_one_to_a_thousand_are_the_numbers_themselves() -> None:
    found = quantiles([float(number) for number in range(1000, 0, -1)])
    assert found is not None
    assert (found.p50, found.p90, found.p99, found.p999, found.max) == (500, 900, 990, 999, 1000)
    assert (found.count, found.mean) == (1000, 500.5)


def test_a_single_value_is_every_percentile() -> None:
    assert {percentile([7.0], share) for share in (0.0, 0.5, 0.999, 1.0)} == {7.0}


def test_one_slow_answer_in_a_hundred_shows_above_p99_only() -> None:
    found = quantiles([0.001] * 99 + [1.0])
    assert found is not None
    assert (found.p99, found.p999) == (0.001, 1.0)


@given(st.lists(_NUMBERS, min_size=1), st.floats(min_value=0, max_value=1))
def test_a_percentile_is_a_value_of_the_sample_that_enough_others_do_not_exceed(
    sample: list[float], share: float
) -> None:
    ordered = sorted(sample)
    found = percentile(ordered, share)
    assert found in ordered
    assert sum(value <= found for value in ordered) >= share * len(ordered) - 1e-6


@pytest.mark.parametrize(("sample", "share"), [([], 0.5), ([1.0], 1.1), ([1.0], -0.1)])
def test_a_percentile_of_nothing_or_outside_the_scale_is_refused(sample: list[float], share: float) -> None:
    with pytest.raises(ValueError, match=r"sample|share"):
        percentile(sample, share)


def test_an_empty_sample_has_no_quantiles_and_no_median() -> None:
    assert quantiles([]) is None
    with pytest.raises(ValueError, match="median"):
        median([])


def test_the_median_of_an_even_count_lies_between_the_middle_two() -> None:
    assert median([4.0, 1.0, 3.0, 2.0]) == 2.5
    assert median([3.0, 1.0, 2.0]) == 2.0


def test_the_slope_of_a_line_is_found_and_that_of_a_point_is_not() -> None:
    assert slope([(0, 1.0), (1, 3.0), (2, 5.0)]) == pytest.approx(2.0)
    assert slope([(5, 1.0)]) is None
    assert slope([(5, 1.0), (5, 9.0)]) is None
