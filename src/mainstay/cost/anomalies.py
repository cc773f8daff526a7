"""Spending that is out of line: hours or days that cost far more, or far less, than what came before lets expect.

Each is compared on a logarithmic scale with the median of those before it, after what is usual for its weekday or hour
is taken out; how far it may be off is the median absolute deviation. What is that far off by chance is bounded by
Benjamini and Hochberg's procedure (J. R. Stat. Soc. B 57, 1995) over everything that was looked at. Pure.
"""

import math
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Final

import msgspec

__all__ = ["LEAST", "RATE", "Anomaly", "Judged", "find"]

#: Spans of history that one needs before it to be judged.
LEAST: Final = 14
#: Share of those shown that may be by chance.
RATE: Final = 0.05
#: Spans before it that say what is usual, at most: two or three weeks of days, two weeks of hours.
_WINDOW: Final = {7: 21, 24: 14 * 24}
#: Of a normal distribution's standard deviation, what the median absolute deviation is.
_MAD: Final = 0.6745
#: And what nine of ten stay under.
_NINTH: Final = 1.645
#: Nothing is so regular that a tenth more is news.
_FLOOR: Final = 0.1
#: Degrees of freedom of Student's distribution: spending has heavier tails than a normal one. Even, for its formula.
_FREEDOM: Final = 12
#: What one needs to be worth a look, however unlikely it is: this many times what is usual, or the inverse.
_TIMES: Final = 1.5
#: How far below the usual, on the logarithmic scale, the least of those before may lie where an idle one is news.
_STEADY: Final = math.log(2.5)
#: Where at least this share of spans has any spending, an idle one is worth a look, too.
_REGULAR: Final = 0.7


class Anomaly(msgspec.Struct, frozen=True):
    """One span of one group that is out of line; ``place`` is that of the span. ``p`` is its chance, alone."""

    keys: tuple[str, ...]
    place: int
    spent: float
    usual: float
    p: float


class Judged(msgspec.Struct, frozen=True):
    """What was found, the unlikeliest first; ``looked`` counts what was judged, ``silent`` groups with too little."""

    found: tuple[Anomaly, ...]
    looked: int
    silent: int


def find(
    series: Mapping[tuple[str, ...], Sequence[float]], phases: Sequence[int], since: int, rate: float = RATE
) -> Judged:
    """Return which spans from place ``since`` on are out of line with those before them.

    ``series`` has for each group one amount for each span, oldest first; ``phases`` what rhythm each span is at: its
    weekday (0 to 6) or its hour (0 to 23).
    """
    tests: list[Anomaly] = []
    silent = 0
    for keys, amounts in series.items():
        judged = _judge(keys, amounts, phases, since)
        silent += judged is None and any(amounts[since:])
        tests += judged or []
    tests.sort(key=lambda one: one.p)
    last = 0
    for rank, one in enumerate(tests, 1):
        if one.p <= rank * rate / len(tests):
            last = rank
    worth = [one for one in tests[:last] if not 1 / _TIMES < _ratio(one) < _TIMES]
    return Judged(tuple(worth), len(tests), silent)


def _ratio(one: Anomaly) -> float:
    return one.spent / one.usual if one.usual else math.inf


def _judge(keys: tuple[str, ...], amounts: Sequence[float], phases: Sequence[int], since: int) -> list[Anomaly] | None:
    """Return every span of one group with its chance; None when nothing can be said of it."""
    first = next((place for place, amount in enumerate(amounts) if amount > 0), len(amounts))
    active = [amount for amount in amounts[first:] if amount > 0]
    if len(active) < LEAST:
        return None
    regular = len(active) >= _REGULAR * (len(amounts) - first)
    # Idle spans of who spends now and then say nothing; of who spends always, they count as next to nothing.
    places = [place for place in range(first, len(amounts)) if regular or amounts[place] > 0]
    least = median(active) / 20
    logs = [math.log(amounts[place] + least) for place in places]
    window = _WINDOW[24 if max(phases) > 6 else 7]
    rhythm = _rhythm(logs, [phases[place] for place in places]) if regular else {}
    flat = [value - rhythm.get(phases[place], 0.0) for value, place in zip(logs, places, strict=True)]
    levels = [median(flat[max(0, n - window) : n]) if n >= LEAST else None for n in range(len(flat))]
    off = [value - level for value, level in zip(flat, levels, strict=True) if level is not None]
    if not off:
        return None
    distances = sorted(abs(value) for value in off)
    # The larger of two that agree where deviations are normal: a tenth may be out of line, and heavy tails show.
    spread = max(median(distances) / _MAD, distances[int(len(distances) * 0.9)] / _NINTH, _FLOOR)
    judged = []
    for n, place in enumerate(places):
        level = levels[n]
        if level is None or place < since:
            continue
        if not amounts[place] and min(flat[max(0, n - window) : n]) < level - _STEADY:
            # Whoever often spends next to nothing may as well spend nothing.
            continue
        usual = math.exp(level + rhythm.get(phases[place], 0.0)) - least
        p = _tail((flat[n] - level) / spread)
        judged.append(Anomaly(keys, place, amounts[place], max(0.0, usual), p))
    return judged


def _rhythm(logs: Sequence[float], phases: Sequence[int]) -> dict[int, float]:
    """Return how far each weekday or hour is from the middle one; nothing where fewer than three of each are known."""
    by_phase: dict[int, list[float]] = {}
    centre = median(logs)
    for value, phase in zip(logs, phases, strict=True):
        by_phase.setdefault(phase, []).append(value - centre)
    return {phase: median(values) for phase, values in by_phase.items() if len(values) >= 3}


def _tail(t: float) -> float:
    """Return the chance that Student's t is at least as far from 0 (Abramowitz and Stegun 26.7.4, even freedom)."""
    angle = math.atan(t / math.sqrt(_FREEDOM))
    term, total = 1.0, 1.0
    for k in range(1, _FREEDOM // 2):
        term *= (2 * k - 1) / (2 * k) * math.cos(angle) ** 2
        total += term
    return max(0.0, 1.0 - abs(math.sin(angle) * total))
