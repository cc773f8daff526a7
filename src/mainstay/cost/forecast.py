"""What will be spent: a level that drifts, a weekly rhythm, and intervals from the errors that this would have made.

The local-level model of simple exponential smoothing (Hyndman and Athanasopoulos, *Forecasting*, 3rd ed., 8.1) on
days divided by what is usual for their weekday. Its interval is simulated from its own errors of one step, drawn with
replacement. Pure Python and deterministic: the same history gives the same forecast. Does not know what was bought.
"""

import math
import random
from collections.abc import Sequence
from statistics import median
from typing import Final

import msgspec

__all__ = ["LEAST", "Forecast", "Point", "forecast"]

#: Days of history below which nothing is said: two of each weekday.
LEAST: Final = 14
#: Of those before, what a level was then says little.
_MOST: Final = 120
#: Of the interval: one tenth of the paths lie below it and one tenth above.
_TENTH: Final = 0.1
_PATHS: Final = 1500
_STEPS: Final = (0.02, 0.05, 0.1, 0.2, 0.3, 0.45, 0.6, 0.8)
#: How many ordinary days a weekday's own share weighs against.
_PRIOR: Final = 0.5


class Point(msgspec.Struct, frozen=True):
    """An amount: as many paths lie below ``likely`` as above, and four of five between ``low`` and ``high``."""

    likely: float
    low: float
    high: float


class Forecast(msgspec.Struct, frozen=True):
    """``days`` to come, and the ``total`` of them all, whose interval is narrower than the days' added up."""

    days: tuple[Point, ...]
    total: Point


def forecast(history: Sequence[float], weekday: int, shares: Sequence[float]) -> Forecast | None:
    """Return what comes after ``history``, amounts of whole days, oldest first; None when it is too short to say.

    ``weekday`` is that of the first day to come. ``shares`` has one entry for each day to come, 1 for a whole one and
    less for one of which a part is over. What comes before the first day on which anything was spent does not count.
    """
    first = next((place for place, amount in enumerate(history) if amount > 0), len(history))
    known = [max(0.0, float(amount)) for amount in history[first:]][-_MOST:]
    if len(known) < LEAST or not shares:
        return None
    rhythm = _rhythm(known, weekday)
    begin = (weekday - len(known)) % 7
    level, step, errors = _smoothed([amount / rhythm[(begin + n) % 7] for n, amount in enumerate(known)])
    factors = [rhythm[(weekday + n) % 7] * share for n, share in enumerate(shares)]
    paths = _paths(level, step, errors, factors)
    days = tuple(_point([path[n] for path in paths]) for n in range(len(shares)))
    return Forecast(days, _point([math.fsum(path) for path in paths]))


def _rhythm(known: Sequence[float], weekday: int) -> list[float]:
    """Return how a Monday, Tuesday … compares with a mean day."""
    ratios: list[list[float]] = [[] for _ in range(7)]
    for place, amount in enumerate(known):
        # The week around it, so that growth is not taken for a rhythm.
        start = min(max(0, place - 3), len(known) - 7)
        around = math.fsum(known[start : start + 7]) / 7
        if around > 0:
            ratios[(weekday - len(known) + place) % 7].append(amount / around)
    # The middle one: a single day out of line should not come again every week.
    found = [(median(one) * len(one) + _PRIOR) / (len(one) + _PRIOR) if one else 1.0 for one in ratios]
    mean = math.fsum(found) / 7
    return [max(one / mean, 0.02) for one in found]


def _smoothed(values: Sequence[float]) -> tuple[float, float, list[float]]:
    """Return the last level, how fast it follows, and its errors of one step; the speed that errs least is taken."""
    begin = min(7, len(values) // 2)
    best: tuple[float, float, float, list[float]] | None = None
    for step in _STEPS:
        level = math.fsum(values[:begin]) / begin
        errors = []
        for value in values[begin:]:
            errors.append(value - level)
            level += step * errors[-1]
        loss = math.fsum(error * error for error in errors)
        if best is None or loss < best[0]:
            best = (loss, level, step, errors)
    assert best is not None
    return best[1], best[2], best[3]


def _paths(level: float, step: float, errors: Sequence[float], factors: Sequence[float]) -> list[list[float]]:
    # The speed and the rhythm were chosen to fit: errors to come are larger than those that were.
    count = len(errors)
    wider = math.sqrt((count + 5) / max(1, count - 1))
    middle = math.fsum(errors) / count
    drawn = [(error - middle) * wider for error in errors]
    # The level itself is known only so well: as the mean of as many days as it listens to.
    spread = math.sqrt(math.fsum(error * error for error in drawn) / count)
    doubt = spread * math.sqrt(max(step, 1.0 / count))
    chance = random.Random(0)  # noqa: S311  # simulates, guards nothing
    paths = []
    for _ in range(_PATHS):
        now = level + chance.gauss(0.0, doubt)
        path = []
        for factor in factors:
            error = chance.choice(drawn)
            path.append(max(0.0, now + error) * factor)
            now = max(0.0, now + step * error)
        paths.append(path)
    return paths


def _point(values: Sequence[float]) -> Point:
    ordered = sorted(values)
    at = len(ordered) - 1
    return Point(ordered[at // 2], ordered[round(at * _TENTH)], ordered[round(at * (1 - _TENTH))])
