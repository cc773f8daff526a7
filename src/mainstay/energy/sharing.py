"""Who a meter's joules belong to: calls under way share each moment, and what nobody was busy with is idle.

A meter counts a machine or a card, never one call. It is read several times a second; between two readings the calls
that were under way get equal parts of what was counted, and a call that was there for a part of that time a part of its
part. What was counted while there was none stays apart: it is real, and nobody's. Pure.
"""

from collections import deque
from typing import Final

__all__ = ["Sharing"]

#: Readings that are remembered: an hour of five a second.
_MOST: Final = 18_000


class Sharing:
    """Remembers the readings of one meter, and divides what was counted."""

    __slots__ = ("_at", "_counter", "_moments", "idle")

    def __init__(self) -> None:
        self._at: float | None = None
        self._counter = 0.0
        #: End, length (both in ms), joules and calls under way of each moment.
        self._moments: deque[tuple[float, float, float, int]] = deque(maxlen=_MOST)
        #: Joules while no call was under way.
        self.idle = 0.0

    def sample(self, at: float, joules: float, busy: int) -> None:
        """Note that the meter stands at ``joules`` at millisecond ``at``, and that ``busy`` calls are under way.

        A counter that fell, or a clock that went back, begins anew.
        """
        if self._at is not None and at > self._at and joules >= self._counter:
            passed = joules - self._counter
            if busy:
                self._moments.append((at, at - self._at, passed, busy))
            else:
                self.idle += passed
        self._at, self._counter = at, joules

    def share(self, start: float, end: float) -> float | None:
        """Return the joules of one call that was under way from ``start`` to ``end``, in ms.

        None when no reading falls into that time: it was too short, or too long ago.
        """
        joules, seen = 0.0, False
        for at, length, passed, busy in reversed(self._moments):
            if at <= start:
                break
            begun = at - length
            overlap = min(at, end) - max(begun, start)
            if overlap > 0:
                seen = True
                joules += passed * overlap / length / busy
        return joules if seen else None
