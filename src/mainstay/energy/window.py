"""When to do what can wait: the start, or the moments, at which it draws the cleanest electricity before its deadline.

Works on a series of intensities that each hold until the next (an hour, a quarter of one). A deadline is never missed:
where there is no choice left, or nothing is known ahead, the answer is now. Pure.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import msgspec

from mainstay.energy.port import Point

__all__ = ["Slice", "best_slices", "best_start", "cost", "saving"]

#: A gain that is less than this part is not worth waiting for.
_WORTH: Final = 1e-9


class Slice(msgspec.Struct, frozen=True):
    """From ``start`` to ``end``, in seconds since 1970."""

    start: float
    end: float


def cost(points: Sequence[Point], start: float, seconds: float) -> float:
    """Return the intensity times time of working from ``start`` for ``seconds``, in g/kWh x seconds.

    Before the first point its value holds, after the last one its.
    """
    end, total = start + seconds, 0.0
    for begins, ends, grams in _steps(points):
        lap = min(end, ends) - max(start, begins)
        if lap > 0:
            total += lap * grams
    return total


def best_start(points: Sequence[Point], seconds: float, now: float, deadline: float) -> float:
    """Return when to begin work of ``seconds`` without a break so that it ends by ``deadline``; of equals the earliest.

    The cost of a start is a broken line whose corners are where the work begins or ends at a change of intensity: only
    these, now and the last moment can be best.
    """
    latest = deadline - seconds
    if latest <= now or not points:
        return now
    starts = {now, latest}
    for point in points:
        starts.update(start for start in (point.at, point.at - seconds) if now < start < latest)
    first = cost(points, now, seconds)
    best, least = now, first
    for start in sorted(starts):
        found = cost(points, start, seconds)
        if found < least - abs(first) * _WORTH:
            best, least = start, found
    return best


def best_slices(points: Sequence[Point], seconds: float, now: float, deadline: float) -> tuple[Slice, ...]:
    """Return when to work, in order, for work of ``seconds`` that may be broken off and taken up again.

    The cleanest moments are taken first, the earlier of equals; slices that touch are one.
    """
    if deadline - now <= seconds or not points:
        return (Slice(now, now + seconds),) if seconds > 0 else ()
    free = [
        (grams, max(begins, now), min(ends, deadline))
        for begins, ends, grams in _steps(points)
        if min(ends, deadline) > max(begins, now)
    ]
    taken: list[Slice] = []
    left = seconds
    for _, begins, ends in sorted(free):
        if left <= 0:
            break
        taken.append(Slice(begins, min(ends, begins + left)))
        left -= taken[-1].end - taken[-1].start
    merged: list[Slice] = []
    for each in sorted(taken, key=lambda one: one.start):
        if merged and merged[-1].end >= each.start:
            merged[-1] = Slice(merged[-1].start, each.end)
        else:
            merged.append(each)
    return tuple(merged)


def saving(points: Sequence[Point], seconds: float, now: float, slices: Sequence[Slice]) -> float:
    """Return the part of the emissions of working at once that ``slices`` saves: 0.3 is 30 % less."""
    at_once = cost(points, now, seconds)
    then = sum(cost(points, each.start, each.end - each.start) for each in slices)
    return 1 - then / at_once if at_once > 0 else 0.0


def _steps(points: Sequence[Point]) -> list[tuple[float, float, float]]:
    """Return begin, end and intensity of each step, the first from ever, the last for ever."""
    if not points:
        return []
    found = [(now.at, after.at, now.grams) for now, after in pairwise(points)]
    found.append((points[-1].at, float("inf"), points[-1].grams))
    found[0] = (float("-inf"), *found[0][1:])
    return found
