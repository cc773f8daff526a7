"""Spending that is out of line is found, and hardly any other: counted over histories made by chance."""

import math
import random
from collections.abc import Callable

import pytest

from mainstay.cost.anomalies import LEAST, find

RHYTHM = (1.2, 1.2, 1.1, 1.1, 1.0, 0.5, 0.4)
DAYS, SINCE = 75, 45
PHASES = [day % 7 for day in range(DAYS)]


def regular(chance: random.Random) -> list[float]:
    return [100 * RHYTHM[day % 7] * math.exp(chance.gauss(0, 0.3)) for day in range(DAYS)]


def growing(chance: random.Random) -> list[float]:
    return [amount * math.exp(0.01 * day) for day, amount in enumerate(regular(chance))]


def lumpy(chance: random.Random) -> list[float]:
    """Return sums of few calls, of which some are dear."""
    counts = [max(0, round(chance.gauss(40 * RHYTHM[day % 7], 6))) for day in range(DAYS)]
    return [sum(chance.lognormvariate(0, 1.2) for _ in range(count)) for count in counts]


def now_and_then(chance: random.Random) -> list[float]:
    return [chance.lognormvariate(0, 1) if chance.random() < 0.4 else 0.0 for _ in range(DAYS)]


def few(chance: random.Random) -> list[float]:
    """Return sums of so few calls that a day may have none."""
    counts = [max(0, round(chance.gauss(3, 1.5))) for _ in range(DAYS)]
    return [sum(chance.lognormvariate(0, 0.5) for _ in range(count)) for count in counts]


@pytest.mark.parametrize(
    ("kind", "most"),
    [(regular, 0.05), (growing, 0.06), (lumpy, 0.25), (now_and_then, 0.05), (few, 0.05)],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_few_months_without_anything_out_of_line_show_anything(
    kind: Callable[[random.Random], list[float]], most: float
) -> None:
    chance = random.Random(11)
    months = 100
    shown = sum(bool(find({(): kind(chance)}, PHASES, SINCE).found) for _ in range(months))
    assert shown / months <= most


def test_ten_quiet_groups_together_show_hardly_more_than_one() -> None:
    chance = random.Random(12)
    shown = sum(len(find({(str(n),): regular(chance) for n in range(10)}, PHASES, SINCE).found) for _ in range(10))
    assert shown <= 2


@pytest.mark.parametrize(("times", "least"), [(5, 0.8), (10, 0.99)])
def test_a_day_of_several_times_the_usual_is_found(times: float, least: float) -> None:
    chance = random.Random(13)
    runs, hits = 60, 0
    for _ in range(runs):
        made = regular(chance)
        made[64] = 100 * RHYTHM[64 % 7] * times
        hits += any(one.place == 64 for one in find({(): made}, PHASES, SINCE).found)
    assert hits / runs >= least


def test_what_is_found_says_what_would_have_been_usual() -> None:
    chance = random.Random(14)
    series = {("a",): regular(chance), ("b",): regular(chance)}
    series["b",][60] = 3000.0
    found = find(series, PHASES, SINCE).found
    assert [(one.keys, one.place, one.spent) for one in found] == [(("b",), 60, 3000.0)]
    assert 25 <= found[0].usual <= 120
    assert found[0].p < 1e-4


def test_a_day_on_which_a_steady_spender_is_silent_is_found() -> None:
    made = [100.0 + day % 5 for day in range(DAYS)]
    made[70] = 0.0
    found = find({(): made}, PHASES, SINCE).found
    assert [(one.place, one.spent) for one in found] == [(70, 0.0)]


def test_a_small_change_of_what_never_changes_is_no_news() -> None:
    made = [100.0] * DAYS
    made[70] = 130.0
    assert find({(): made}, PHASES, SINCE).found == ()


def test_before_there_is_a_history_nothing_is_said_but_that() -> None:
    young = [0.0] * (DAYS - 5) + [1.0, 2.0, 900.0, 1.0, 2.0]
    judged = find({("young",): young, ("idle",): [0.0] * DAYS}, PHASES, SINCE)
    assert (judged.found, judged.looked, judged.silent) == ((), 0, 1)
    assert find({(): [1.0] * LEAST}, [0] * LEAST, 0).looked == 0
    assert find({}, [], 0).found == ()


def test_hours_are_compared_with_the_same_hour() -> None:
    chance = random.Random(15)
    hours = 24 * 21
    phases = [hour % 24 for hour in range(hours)]
    made = [(10.0 if hour % 24 < 7 else 100.0) * math.exp(chance.gauss(0, 0.2)) for hour in range(hours)]
    assert find({(): made}, phases, hours - 48).found == ()
    # What is usual at noon is not at three in the night.
    made[hours - 21] = 100.0
    assert [one.place for one in find({(): made}, phases, hours - 48).found] == [hours - 21]
