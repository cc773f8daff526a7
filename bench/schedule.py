"""When requests are due: ascending offsets in seconds from the start of a run.

An open loop draws its schedule before it knows any answer, so a slow server cannot thin out the load.
"""

import random
from collections.abc import Iterator

__all__ = ["constant", "poisson"]


def constant(rate: float, seconds: float) -> Iterator[float]:
    """Evenly spaced offsets: `rate` per second, from 0 up to but not including `seconds`."""
    _check(rate, seconds)
    for index in range(round(rate * seconds)):
        yield index / rate


def poisson(rate: float, seconds: float, seed: int = 0) -> Iterator[float]:
    """Offsets of a Poisson process of `rate` per second within `seconds`; the same seed gives the same offsets."""
    _check(rate, seconds)
    draw = random.Random(seed)
    offset = draw.expovariate(rate)
    while offset < seconds:
        yield offset
        offset += draw.expovariate(rate)


def _check(rate: float, seconds: float) -> None:
    if rate <= 0 or seconds <= 0:
        raise ValueError("a schedule needs a rate and a duration above zero")
