"""From what volume on it is cheaper to build than to buy.

The cost of building rises in steps, one replica at a time, so it may be cheaper within one step and dearer at the
start of the next. The volumes are scanned step by step, not solved for in closed form. Volumes are requests per
month.
"""

import math
import random
from collections.abc import Callable, Sequence

import msgspec

__all__ = ["Bought", "BreakEven", "Built", "Draws", "Payback", "draw", "find_break_even", "payback"]

_MOST_STEPS = 20_000


class Bought(msgspec.Struct, frozen=True, kw_only=True):
    """What buying costs per month: ``fixed``, and ``unit`` for each request, at least ``commitment`` in all units."""

    fixed: float
    unit: float
    commitment: float = 0.0

    def at(self, volume: float) -> float:
        """Return US dollars per month for ``volume`` requests."""
        return self.fixed + max(self.commitment, self.unit * volume)


class Built(msgspec.Struct, frozen=True, kw_only=True):
    """What building costs per month: ``fixed``, ``unit`` for each request, and ``replica`` for each replica.

    One replica carries ``volume`` requests per month as uneven as they come; at least one serves, ``spares`` stand
    by. Of those beyond the mean need, which is ``volume * peak_to_mean`` each, the share ``autoscale`` is not paid
    for.
    """

    fixed: float
    replica: float
    volume: float
    unit: float = 0.0
    spares: int = 0
    autoscale: float = 0.0
    peak_to_mean: float = 1.0

    def serving(self, volume: float) -> int:
        """Return how many replicas serve ``volume`` requests per month at their peak."""
        return max(1, math.ceil(volume / self.volume * (1 - 1e-12)))

    def at(self, volume: float) -> float:
        """Return US dollars per month for ``volume`` requests."""
        serving = self.serving(volume)
        idle = serving - volume / (self.volume * self.peak_to_mean)
        return self.fixed + self.unit * volume + self.replica * (serving + self.spares - self.autoscale * idle)


class BreakEven(msgspec.Struct, frozen=True, kw_only=True):
    """``first`` is the smallest number of requests per month at which building costs no more than buying.

    From ``always`` on it never costs more again; between the two it depends on how full the last replica is. None where
    there is none within 20,000 replicas.
    """

    first: int | None
    always: int | None


def find_break_even(bought: Bought, built: Built, steps: int = _MOST_STEPS) -> BreakEven:
    """Return where building gets cheaper, by a scan over the steps of its cost."""
    first = always = None
    bends = [bought.commitment / bought.unit] if bought.unit > 0 else []
    step = 0
    while step < steps:
        step += 1
        if first is None and step > 2 and _beyond(bought, built, step):
            step = max(step, min(steps, _skipped(bought, built, step)))
        low, high = math.floor((step - 1) * built.volume) + 1, math.floor(step * built.volume)
        if high < low:
            continue
        inside = sorted(math.floor(bend) for bend in bends if low <= bend < high)
        edges = [low, *(each + 1 for each in inside)]
        for start, end in zip(edges, [*inside, high], strict=True):
            begins, ends = _cheaper(bought, built, start, end)
            if begins is None:
                always = None
                continue
            first = begins if first is None else first
            if ends < end:
                always = None
            elif always is None or begins > start:
                always = begins
        # Later steps only repeat this one, so much further on.
        if always is not None and step > 2 and _settled(bought, built, step):
            return BreakEven(first=first, always=always)
        if first is None and step > 2 and _hopeless(bought, built, step):
            return BreakEven(first=None, always=None)
    return BreakEven(first=first, always=None if always is None or _margin(bought, built) < 0 else always)


def _margin(bought: Bought, built: Built) -> float:
    """Return what one full step more saves, once any commitment is passed."""
    shared = built.replica * (1.0 - built.autoscale + built.autoscale / built.peak_to_mean)
    return (bought.unit - built.unit) * built.volume - shared


def _beyond(bought: Bought, built: Built, step: int) -> bool:
    return bought.unit <= 0 or step * built.volume > bought.commitment / bought.unit + 1


def _skipped(bought: Bought, built: Built, step: int) -> int:
    """Return a step before which building is dearer throughout, at least ``step``.

    The gap at the ends of steps grows by the margin each, and no gap within a step is above that at one of its ends.
    """
    margin, gap = _margin(bought, built), bought.at(step * built.volume) - built.at(step * built.volume)
    return step + max(0, math.floor(-gap / margin) - 2) if margin > 0 and gap < 0 else step


def _settled(bought: Bought, built: Built, step: int) -> bool:
    start = math.floor(step * built.volume) + 1
    gap = bought.at(start) - built.at(start)
    return _beyond(bought, built, step) and _margin(bought, built) >= 0 and gap >= 0


def _hopeless(bought: Bought, built: Built, step: int) -> bool:
    return _beyond(bought, built, step) and _margin(bought, built) <= 0


def _cheaper(bought: Bought, built: Built, low: int, high: int) -> tuple[int | None, int]:
    """Return the first and last whole volume from ``low`` to ``high`` at which building costs no more.

    Both costs are straight lines between them.
    """

    def gap(volume: int) -> float:
        return bought.at(volume) - built.at(volume)

    left, right = gap(low), gap(high)
    if left >= 0 and right >= 0:
        return low, high
    if left < 0 and right < 0:
        return None, low
    crossing = low + (high - low) * left / (left - right)
    guess = min(high, max(low, math.floor(crossing)))
    if left < 0:
        while guess > low and gap(guess - 1) >= 0:
            guess -= 1
        while gap(guess) < 0:
            guess += 1
        return guess, high
    while guess < high and gap(guess + 1) >= 0:
        guess += 1
    while gap(guess) < 0:
        guess -= 1
    return low, guess


class Payback(msgspec.Struct, frozen=True, kw_only=True):
    """Cumulative cost per month on both sides; ``month`` is when building has paid for itself, None within them."""

    month: int | None
    bought: list[float]
    built: list[float]


def payback(
    bought: Callable[[int, float], float],
    built: Callable[[int, float], float],
    *,
    volume: float,
    growth: float,
    months: int,
    once_bought: float = 0.0,
    once_built: float = 0.0,
) -> Payback:
    """Return the course of both costs over ``months``; each side is asked for a month (from 0) and its volume.

    Paid for itself means that it stays so to the end.
    """
    totals: tuple[list[float], list[float]] = ([], [])
    one, other = once_bought, once_built
    for month in range(months):
        now = volume * (1.0 + growth) ** month
        one += bought(month, now)
        other += built(month, now)
        totals[0].append(one)
        totals[1].append(other)
    behind = [index for index in range(months) if totals[1][index] > totals[0][index]]
    since = behind[-1] + 1 if behind else 0
    return Payback(month=since + 1 if since < months else None, bought=totals[0], built=totals[1])


class Draws(msgspec.Struct, frozen=True, kw_only=True):
    """What many draws of the uncertain inputs gave.

    ``cheaper`` is the share in which building is cheaper at the volume in question, ``low``, ``mid``, ``high`` the
    10th, 50th and 90th percentile of the break-even, None where it never comes.
    """

    cheaper: float
    low: int | None
    mid: int | None
    high: int | None
    count: int


def draw(
    sides: Callable[[dict[str, float]], tuple[Bought, Built]],
    ranges: dict[str, tuple[float, float]],
    volume: float,
    *,
    count: int = 400,
    seed: int = 1,
) -> Draws:
    """Return the spread of the break-even when every input is drawn at once, each between its low and its high.

    Draws are triangular around 1 in the logarithm: ranges are factors.
    """
    source = random.Random(seed)  # noqa: S311 - a simulation, nothing secret
    found: list[float] = []
    wins = 0
    for _ in range(count):
        factors = {
            name: math.exp(source.triangular(math.log(low), math.log(high), min(math.log(high), max(math.log(low), 0))))
            for name, (low, high) in ranges.items()
        }
        bought, built = sides(factors)
        wins += built.at(volume) <= bought.at(volume)
        first = find_break_even(bought, built, 2_000).first
        found.append(math.inf if first is None else first)
    found.sort()
    low, mid, high = (_whole(found, share) for share in (0.1, 0.5, 0.9))
    return Draws(cheaper=wins / count, low=low, mid=mid, high=high, count=count)


def _whole(ranked: Sequence[float], share: float) -> int | None:
    value = ranked[min(len(ranked) - 1, int(share * len(ranked)))]
    return None if math.isinf(value) else int(value)
