"""What is likely to be spent: how often it comes true, over histories made by chance."""

import math
import random

import pytest

from mainstay.cost.forecast import LEAST, forecast

RHYTHM = (1.2, 1.2, 1.1, 1.1, 1.0, 0.5, 0.4)


def history(chance: random.Random, days: int, *, spread: float, drift: float = 0.0, rhythm: bool = True) -> list[float]:
    """Return daily amounts from a Monday on."""
    level, found = 0.0, []
    for day in range(days):
        level += chance.gauss(0.0, drift)
        noise = math.exp(level + chance.gauss(0.0, spread) - spread**2 / 2)
        found.append(100 * (RHYTHM[day % 7] if rhythm else 1.0) * noise)
    return found


@pytest.mark.parametrize(
    ("known", "spread", "drift", "rhythm"),
    [(60, 0.3, 0.0, True), (60, 0.3, 0.05, True), (28, 0.3, 0.0, True), (28, 0.7, 0.0, False), (17, 0.3, 0.02, True)],
)
def test_four_of_five_days_and_sums_lie_in_their_intervals(
    known: int, spread: float, drift: float, rhythm: bool
) -> None:
    chance = random.Random(7)
    days = sums = 0
    runs, ahead = 40, 10
    for _ in range(runs):
        made = history(chance, known + ahead, spread=spread, drift=drift, rhythm=rhythm)
        found = forecast(made[:known], known % 7, [1.0] * ahead)
        assert found is not None
        days += sum(point.low <= amount <= point.high for point, amount in zip(found.days, made[known:], strict=True))
        sums += found.total.low <= sum(made[known:]) <= found.total.high
    assert 0.68 <= days / (runs * ahead) <= 0.92
    assert 0.62 <= sums / runs <= 0.99


def test_a_week_comes_again() -> None:
    found = forecast([100 * RHYTHM[day % 7] for day in range(56)], 0, [1.0] * 7)
    assert found is not None
    assert [point.likely for point in found.days] == pytest.approx([100 * share for share in RHYTHM], rel=0.1)
    assert found.total.low == pytest.approx(650, rel=0.1)
    assert found.total.high == pytest.approx(650, rel=0.1)


def test_a_new_level_is_followed() -> None:
    chance = random.Random(1)
    made = [chance.gauss(100, 5) for _ in range(40)] + [chance.gauss(300, 5) for _ in range(10)]
    found = forecast(made, 50 % 7, [1.0] * 7)
    assert found is not None
    assert 230 <= found.days[0].likely <= 330


def test_one_day_out_of_line_does_not_come_again() -> None:
    made = [100.0 + day % 3 for day in range(49)]
    made[33] = 5000.0
    found = forecast(made, 0, [1.0] * 7)
    assert found is not None
    assert all(point.likely < 400 for point in found.days)


def test_nothing_is_said_of_a_short_history() -> None:
    assert forecast([5.0] * (LEAST - 1), 0, [1.0]) is None
    assert forecast([], 0, [1.0]) is None
    assert forecast([5.0] * 30, 0, []) is None
    # Days before anything was spent are none of it.
    assert forecast([0.0] * 60 + [5.0] * 5, 0, [1.0]) is None
    assert forecast([0.0] * 60, 0, [1.0]) is None


def test_the_same_history_gives_the_same_forecast_and_never_less_than_nothing() -> None:
    made = [max(0.0, random.Random(day).gauss(1, 5)) for day in range(40)]
    first = forecast(made, 3, [1.0] * 20)
    assert first == forecast(made, 3, [1.0] * 20)
    assert first is not None
    for point in (*first.days, first.total):
        assert 0 <= point.low <= point.likely <= point.high


def test_half_a_day_is_half_as_much() -> None:
    made = [100.0] * 30
    whole, half = forecast(made, 0, [1.0]), forecast(made, 0, [0.5])
    assert whole is not None
    assert half is not None
    assert half.total.likely == pytest.approx(whole.total.likely / 2)


def test_days_on_which_nothing_was_spent_count() -> None:
    found = forecast([10.0, *[0.0] * 40], 0, [1.0] * 7)
    assert found is not None
    assert found.total.likely < 1
