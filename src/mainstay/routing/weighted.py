"""``choose: weighted``: each target gets its share of calls."""

import random
from collections.abc import Callable, Sequence
from itertools import accumulate

from mainstay.core.call import Call
from mainstay.core.target import Target

__all__ = ["Weighted"]


class Weighted:
    """Draws the first target with a probability proportional to its weight; the others follow by weight.

    Args:
        draw: returns a number in [0, 1); tests pass their own.
    """

    def __init__(self, draw: Callable[[], float] = random.random) -> None:
        self._draw = draw

    def order(self, call: Call, targets: Sequence[Target]) -> Sequence[Target]:
        """Return ``targets`` with the drawn one first and the rest heaviest first."""
        if len(targets) == 1:
            return targets
        bounds = list(accumulate(target.weight for target in targets))
        mark = self._draw() * bounds[-1]
        drawn = next((i for i, bound in enumerate(bounds) if mark < bound), len(targets) - 1)
        rest = sorted((t for i, t in enumerate(targets) if i != drawn), key=lambda t: -t.weight)
        return (targets[drawn], *rest)
