"""``choose: least-loaded``: the better of two targets drawn by weight."""

import random
from collections.abc import Callable, Sequence

from mainstay.core.call import Call
from mainstay.core.target import Target
from mainstay.routing.port import Load, Loads

__all__ = ["LeastLoaded", "burden"]


def burden(load: Load | None, target: Target) -> float:
    """Return the outstanding tokens of ``target`` per unit of its weight."""
    return load.outstanding / target.weight if load is not None else 0.0


class LeastLoaded:
    """Draws two targets by weight and takes the one with fewer outstanding tokens per weight; a tie goes to the first.

    Two draws keep within a call or two of the least loaded target and, unlike taking the least, do not herd when
    many gateways each see only their own calls (Mitzenmacher, "The power of two choices in randomized load
    balancing", 2001). Drawing by weight lets a heavy target be met as often as it deserves.

    The caller reserves the call's tokens right after :meth:`order`, with no ``await`` in between.

    Args:
        loads: what is known of the targets; one that is missing counts as idle.
        draw: returns a number in [0, 1); tests pass their own.
    """

    def __init__(self, loads: Loads, draw: Callable[[], float] = random.random) -> None:
        self._loads = loads
        self._draw = draw

    def order(self, call: Call, targets: Sequence[Target]) -> Sequence[Target]:
        """Return ``targets``, the lighter of the two drawn first and the rest lightest first."""
        if len(targets) == 1:
            return targets
        burdens = [burden(self._loads.get(target.model), target) for target in targets]
        weights = [target.weight for target in targets]
        first = self._pick(weights)
        weights[first] = 0.0
        second = self._pick(weights)
        lead = second if burdens[second] < burdens[first] else first
        rest = sorted((i for i in range(len(targets)) if i != lead), key=burdens.__getitem__)
        return (targets[lead], *[targets[i] for i in rest])

    def _pick(self, weights: list[float]) -> int:
        mark = self._draw() * sum(weights)
        picked = 0
        for place, weight in enumerate(weights):
            if weight <= 0.0:
                continue
            picked = place
            mark -= weight
            if mark < 0.0:
                break
        return picked
