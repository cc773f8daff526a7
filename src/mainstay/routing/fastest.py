"""``choose: fastest``: whoever will probably begin to answer first."""

import random
from collections.abc import Callable, Sequence
from typing import Final

from mainstay.core.call import Call
from mainstay.core.target import Target
from mainstay.routing.port import Loads

__all__ = ["Fastest"]

#: Share of the calls that go to an idle target which is not the fastest, so that one that has recovered is noticed.
_EXPLORE: Final = 0.01
#: With more targets than this, two of the best are drawn: many workers that all know the one best would herd on it.
_FEW: Final = 4
#: Costs within this factor of the least count as among the best.
_NEAR: Final = 2.0


class Fastest:
    """Orders targets by their time to the first token (peak-sensitive average), times the calls that would be there.

    A target of which nothing is known goes first while no call is with it, and last while one is: one probe at a
    time. A failed probe must leave a trace (a sample, or a breaker that takes the target out), or it is repeated.

    Args:
        loads: what is known of the targets; one that is missing counts as idle and unmeasured.
        draw: returns a number in [0, 1); tests pass their own.
    """

    def __init__(self, loads: Loads, draw: Callable[[], float] = random.random) -> None:
        self._loads = loads
        self._draw = draw

    def order(self, call: Call, targets: Sequence[Target]) -> Sequence[Target]:
        """Return ``targets``, the one expected to answer first at the head."""
        if len(targets) == 1:
            return targets
        unknown: list[Target] = []
        probed: list[tuple[float, int, Target]] = []
        measured: list[tuple[float, int, Target]] = []
        idle: set[str] = set()
        for place, target in enumerate(targets):
            load = self._loads.get(target.model)
            if load is None:
                unknown.append(target)
                continue
            if not load.in_flight:
                idle.add(target.model)
            seconds = load.first_token
            if seconds is not None:
                measured.append((seconds * (load.in_flight + 1), place, target))
            elif load.in_flight:
                probed.append((load.in_flight, place, target))
            else:
                unknown.append(target)
        measured.sort()
        known = [target for _, _, target in measured]
        if len(unknown) > 1:
            # Other workers begin with nothing, too: they should not all begin at the same target.
            unknown.insert(0, unknown.pop(int(self._draw() * len(unknown))))
        elif not unknown and len(known) > 1:
            self._lead(measured, known, idle)
        probed.sort()
        return (*unknown, *known, *[target for _, _, target in probed])

    def _lead(self, measured: list[tuple[float, int, Target]], known: list[Target], idle: set[str]) -> None:
        """Move the target that serves to the head of ``known``, which is sorted by cost."""
        lead = 0
        if self._draw() < _EXPLORE:
            others = [place for place in range(1, len(known)) if known[place].model in idle]
            if others:
                lead = others[int(self._draw() * len(others))]
        elif len(known) > _FEW:
            most = measured[0][0] * _NEAR
            near = sum(1 for cost, _, _ in measured if cost <= most)
            if near > 1:
                one = int(self._draw() * near)
                other = int(self._draw() * (near - 1))
                lead = min(one, other + (other >= one))
        if lead:
            known.insert(0, known.pop(lead))
