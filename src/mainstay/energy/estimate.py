"""What a figure of this room is: a value within an interval, of a unit, by a named method, up to a named boundary.

A figure that cannot be had is None with a reason, never 0. Does not know how a figure is found.
"""

from collections.abc import Sequence
from math import exp, log, sqrt
from typing import Final, Literal

import msgspec

__all__ = ["CERTAIN", "Boundary", "Estimate", "Method", "Spread", "combine"]

#: ``measured``: a meter on our own hardware. ``modelled``: fitted to hardware, batch and tokens, all known.
#: ``assumed``: hardware, batch or size are not known. ``ecologits``: by that project's published method.
Method = Literal["measured", "modelled", "assumed", "ecologits"]
#: What a figure takes in: the chips that compute; their servers too; cooling, power supply and idle spares too.
Boundary = Literal["accelerator", "server", "datacentre"]


class Spread(msgspec.Struct, frozen=True):
    """Factors from a likely value to the ends of its 80 % interval: ``low`` is at most 1, ``high`` at least 1."""

    low: float = 1.0
    high: float = 1.0


#: Of what is known exactly.
CERTAIN: Final = Spread()


def combine(spreads: Sequence[Spread]) -> Spread:
    """Return the spread of a product of independent factors: their logarithms add like standard deviations."""
    return Spread(
        exp(-sqrt(sum(log(spread.low) ** 2 for spread in spreads))),
        exp(sqrt(sum(log(spread.high) ** 2 for spread in spreads))),
    )


class Estimate(msgspec.Struct, frozen=True):
    """One figure. ``low`` and ``high`` bound an interval that holds the truth four times of five."""

    value: float | None
    low: float | None
    high: float | None
    #: ``Wh``, ``g`` (of CO2 equivalent) or ``mL``.
    unit: str
    method: Method
    boundary: Boundary
    #: Why there is no value; "" where there is one.
    reason: str = ""

    @classmethod
    def around(cls, value: float, spread: Spread, unit: str, method: Method, boundary: Boundary) -> "Estimate":
        """Return ``value`` within ``spread``."""
        return cls(value, value * spread.low, value * spread.high, unit, method, boundary)

    @classmethod
    def missing(cls, unit: str, method: Method, boundary: Boundary, reason: str) -> "Estimate":
        """Return that there is no value, and why."""
        return cls(None, None, None, unit, method, boundary, reason)
