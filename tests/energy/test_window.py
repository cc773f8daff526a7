"""Work that can wait is done when the grid is cleanest, and never too late."""

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainstay.energy.port import Point
from mainstay.energy.window import Slice, best_slices, best_start, cost, saving

HOUR = 3600.0
#: A day ahead, hour by hour, as of a grid with much sun.
DAY = [420, 410, 400, 390, 385, 390, 400, 380, 330, 270, 220, 180, 150, 140, 150, 190, 250, 330, 410, 450, 470, 460]


def hours(grams: Sequence[float], start: float = 0.0) -> list[Point]:
    return [Point(start + place * HOUR, float(value)) for place, value in enumerate(grams)]


@st.composite
def tasks(draw: st.DrawFn) -> tuple[list[Point], float, float, float]:
    points = hours(draw(st.lists(st.integers(0, 900), min_size=1, max_size=30)))
    now = draw(st.integers(-2, 20)) * HOUR / 2
    seconds = draw(st.integers(1, 16)) * HOUR / 4
    deadline = now + draw(st.integers(0, 60)) * HOUR / 4
    return points, seconds, now, deadline


@given(tasks())
@settings(max_examples=300)
def test_no_start_within_the_deadline_is_better_than_the_one_chosen(
    task: tuple[list[Point], float, float, float],
) -> None:
    points, seconds, now, deadline = task
    start = best_start(points, seconds, now, deadline)
    latest = max(now, deadline - seconds)
    assert now <= start <= latest
    # Every quarter of an hour is enough: intensities change at full hours, and lengths are whole quarters.
    steps = int((latest - now) // (HOUR / 4))
    best = min(cost(points, now + step * HOUR / 4, seconds) for step in range(steps + 1))
    assert cost(points, start, seconds) == pytest.approx(best, abs=1e-3)


@given(tasks())
@settings(max_examples=300)
def test_slices_are_the_cleanest_quarters_there_are_and_all_end_in_time(
    task: tuple[list[Point], float, float, float],
) -> None:
    points, seconds, now, deadline = task
    slices = best_slices(points, seconds, now, deadline)
    assert sum(each.end - each.start for each in slices) == pytest.approx(seconds)
    assert all(each.start < each.end for each in slices)
    assert all(before.end < after.start for before, after in pairwise(slices))
    assert slices[0].start >= now
    assert slices[-1].end <= max(deadline, now + seconds) + 1e-6
    quarters = int((max(deadline, now + seconds) - now) // (HOUR / 4))
    costs = sorted(cost(points, now + step * HOUR / 4, HOUR / 4) for step in range(quarters))
    best = sum(costs[: int(seconds // (HOUR / 4))])
    assert sum(cost(points, each.start, each.end - each.start) for each in slices) == pytest.approx(best, abs=1e-3)


def test_two_hours_are_moved_to_noon_and_the_saving_is_told() -> None:
    points = hours(DAY)
    start = best_start(points, 2 * HOUR, 0.0, 22 * HOUR)
    assert start == 12 * HOUR
    assert saving(points, 2 * HOUR, 0.0, [Slice(start, start + 2 * HOUR)]) == pytest.approx(1 - 290 / 830)


def test_without_a_forecast_or_with_no_time_to_lose_it_begins_now() -> None:
    assert best_start([], HOUR, 50.0, 1e9) == 50.0
    assert best_start(hours(DAY), 10 * HOUR, 50.0, HOUR) == 50.0
    assert best_slices([], HOUR, 50.0, 1e9) == (Slice(50.0, 50.0 + HOUR),)
    assert best_slices(hours(DAY), 0.0, 50.0, 1e9) == ()


def test_where_all_hours_are_alike_nothing_waits() -> None:
    assert best_start(hours([300] * 24), HOUR, 100.0, 23 * HOUR) == 100.0
    assert saving(hours([0] * 3), HOUR, 0.0, [Slice(0.0, HOUR)]) == 0.0
