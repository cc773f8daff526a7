"""How a route orders its targets for one call."""

from collections.abc import Sequence
from typing import Protocol

from mainstay.core.call import Call
from mainstay.core.target import Target

__all__ = ["Chooser"]


class Chooser(Protocol):
    """Orders targets. Pure: the same call, targets and random numbers give the same order."""

    def order(self, call: Call, targets: Sequence[Target]) -> Sequence[Target]:
        """Return ``targets`` (at least one), best first, none left out."""
        ...
