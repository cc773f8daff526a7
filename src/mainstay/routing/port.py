"""How a route orders its targets for one call, and what a worker knows of a target while it does."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from mainstay.core.call import Call
from mainstay.core.target import Target

__all__ = ["Chooser", "Load", "Loads"]


class Load(Protocol):
    """What this worker knows of one target right now."""

    @property
    def first_token(self) -> float | None:
        """Seconds until the first token, as a peak-sensitive moving average; None when nothing was measured yet."""
        ...

    @property
    def outstanding(self) -> int:
        """Tokens of the calls in flight, estimated when each was sent."""
        ...

    @property
    def in_flight(self) -> int:
        """Calls in flight."""
        ...


#: By the name of the model.
Loads = Mapping[str, Load]


class Chooser(Protocol):
    """Orders targets. Pure: the same call, targets, loads and random numbers give the same order."""

    def order(self, call: Call, targets: Sequence[Target]) -> Sequence[Target]:
        """Return ``targets`` (at least one), best first, none left out."""
        ...
