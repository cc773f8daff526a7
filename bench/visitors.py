"""Requests at a scripted upstream: what is noted of each, and how they wait when only so many are served at once."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

__all__ = ["Line", "Place", "Visitor", "Watch"]


@dataclass(slots=True)
class Visitor:
    """One request that reached the upstream, in `time.perf_counter()` seconds.

    `ended` is set once it was answered in full or its connection was closed before; `left` says which, `until` when.
    """

    body: bytes
    at: float
    until: float = 0.0
    left: bool = False
    ended: asyncio.Event = field(default_factory=asyncio.Event)


Watch = Callable[[Visitor], None]


@dataclass(slots=True, eq=False)
class Place:
    """Somebody's place in a line; `begin` is called when it is their turn."""

    begin: Callable[[], None]
    served: bool = False
    gone: bool = False


class Line:
    """Serves at most `slots` at once, the others in the order in which they came; 0 serves all."""

    def __init__(self, slots: int = 0) -> None:
        self.slots = slots
        self._served = 0
        self._waiting: deque[Place] = deque()

    def enter(self, begin: Callable[[], None]) -> Place:
        """Take a place; its turn may be now."""
        place = Place(begin)
        self._waiting.append(place)
        self._go_on()
        return place

    def leave(self, place: Place) -> None:
        """Give the place up, served or not; the second time nothing happens."""
        if place.gone:
            return
        place.gone = True
        if place.served:
            self._served -= 1
            self._go_on()

    def _go_on(self) -> None:
        while self._waiting and (not self.slots or self._served < self.slots):
            place = self._waiting.popleft()
            if not place.gone:
                place.served = True
                self._served += 1
                place.begin()
