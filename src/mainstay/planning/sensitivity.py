"""What matters: how far an outcome moves when one input at a time goes to its low and its high end.

Knows neither the inputs nor the outcome.
"""

from collections.abc import Callable, Mapping

import msgspec

__all__ = ["Swing", "tornado"]


class Swing(msgspec.Struct, frozen=True):
    """One bar of a tornado chart; an outcome is None where there is none, such as a break-even that never comes."""

    name: str
    low: float
    high: float
    at_low: float | None
    at_high: float | None

    @property
    def width(self) -> float:
        """Return how far apart the outcomes are; infinity where one of them is missing."""
        if self.at_low is None or self.at_high is None:
            return 0.0 if self.at_low is self.at_high else float("inf")
        return abs(self.at_high - self.at_low)


def tornado(
    outcome: Callable[[Mapping[str, float]], float | None],
    ranges: Mapping[str, tuple[float, float]],
) -> list[Swing]:
    """Return a swing per input of ``ranges`` (name: low, high), the widest first.

    ``outcome`` is called with the one input that is moved; all others stay as they are.
    """
    swings = [
        Swing(name, low, high, outcome({name: low}), outcome({name: high})) for name, (low, high) in ranges.items()
    ]
    return sorted(swings, key=lambda swing: -swing.width)
