"""Tests of whether a route's input has changed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

np = pytest.importorskip("numpy", reason="the extra 'guards' is not installed")

from mainstay.guardrails.drift import benjamini_hochberg, kolmogorov_smirnov, mean_discrepancy  # noqa: E402


def test_the_gap_of_kolmogorov_and_smirnov_is_that_of_a_case_made_by_hand() -> None:
    gap, p_value = kolmogorov_smirnov([1, 2, 3, 4], [3, 4, 5, 6])
    assert gap == 0.5
    assert 0.3 < p_value < 0.8
    assert kolmogorov_smirnov([1, 2, 3], [1, 2, 3]) == (0.0, 1.0)


def test_the_p_values_agree_with_a_known_point_of_the_distribution() -> None:
    # Two samples of 1,000 with a gap of 0.0608 stand at the five-percent point (1.36 / sqrt(500)).
    first = np.arange(1000) / 1000
    _, p_value = kolmogorov_smirnov(first, first + 0.0608)
    assert abs(p_value - 0.05) < 0.005


def test_both_tests_see_a_change_and_seldom_one_that_is_not_there() -> None:
    rng = np.random.default_rng(1)
    alarms = [0, 0]
    for _ in range(40):
        rows = rng.normal(size=(120, 8)).astype(np.float32)
        alarms[0] += mean_discrepancy(rows[:60], rows[60:])[1] <= 0.05
        alarms[1] += kolmogorov_smirnov(rows[:60, 0], rows[60:, 0])[1] <= 0.05
    assert max(alarms) <= 7
    moved = rows[60:] + 0.7
    assert mean_discrepancy(rows[:60], moved)[1] < 0.01
    assert mean_discrepancy(rows[:60], moved)[0] > mean_discrepancy(rows[:60], rows[60:])[0]
    assert kolmogorov_smirnov(rows[:60, 0], moved[:, 0])[1] < 0.05


def test_large_sides_are_drawn_from_and_the_same_seed_gives_the_same_answer() -> None:
    rows = np.random.default_rng(2).normal(size=(1300, 4)).astype(np.float32)
    assert mean_discrepancy(rows[:700], rows[700:], 3) == mean_discrepancy(rows[:700], rows[700:], 3)


def test_sides_that_are_too_small_are_refused_in_words() -> None:
    with pytest.raises(ValueError, match="both sides"):
        kolmogorov_smirnov([], [1.0])
    with pytest.raises(ValueError, match="both sides"):
        mean_discrepancy(np.ones((1, 2), np.float32), np.ones((5, 2), np.float32))


def test_benjamini_and_hochberg_find_what_their_paper_finds() -> None:
    # The example of the paper of 1995: four of fifteen at a rate of 0.05.
    paper = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528]
    assert sum(benjamini_hochberg([*paper, 0.7590, 1.0])) == 4
    assert benjamini_hochberg([]) == []
    assert benjamini_hochberg([0.9, 0.001]) == [False, True]


@given(p_values=st.lists(st.floats(0, 1), max_size=12))
def test_findings_are_the_smallest_p_values(p_values: list[float]) -> None:
    found = benjamini_hochberg(p_values)
    worst = max((p for p, is_found in zip(p_values, found, strict=True) if is_found), default=-1.0)
    assert all(is_found == (p <= worst) for p, is_found in zip(p_values, found, strict=True))
