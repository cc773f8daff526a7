"""One coarse timer for all waits of a transport, instead of one timer per wait.

While anything is watched, a tick every 50 ms looks at all of it; a limit therefore fires between 0 and 100 ms late,
never early. Stands under ``runtime.connection``; knows nothing of sockets.
"""

import asyncio
from collections.abc import Callable
from typing import Protocol

__all__ = ["TICK", "Sweep", "Watched"]

#: Seconds between two looks.
TICK = 0.05


class Watched(Protocol):
    """Something with limits."""

    def expire(self, now: float) -> None:
        """Act if a limit lies before ``now`` (the loop's clock)."""
        ...


class Sweep:
    """Watches things with limits.

    ``now`` is the loop's clock, at most one tick old while anything is watched: what is stamped with it must allow
    one ``TICK`` more than its limit. ``housekeeping`` is called every ``tidy_every`` seconds, with nothing watched
    too as long as it returns True.
    """

    __slots__ = ("_fast", "_handle", "_housekeeping", "_loop", "_tidy_at", "_tidy_every", "_watched", "now")

    def __init__(
        self, loop: asyncio.AbstractEventLoop, housekeeping: Callable[[float], bool], tidy_every: float = 5.0
    ) -> None:
        self._loop = loop
        self._tidy_every = tidy_every
        self._housekeeping = housekeeping
        self._watched: set[Watched] = set()
        self._handle: asyncio.TimerHandle | None = None
        self._fast = False
        self.now = loop.time()
        self._tidy_at = self.now + tidy_every

    def watch(self, thing: Watched) -> None:
        """Look at ``thing`` at each tick, from now on."""
        self._watched.add(thing)
        if not self._fast:
            self.now = self._loop.time()
            self._schedule(TICK)
            self._fast = True

    def forget(self, thing: Watched) -> None:
        """Look at it no more; no error when it was not watched."""
        self._watched.discard(thing)

    def watched(self) -> list[Watched]:
        """Return what is watched now."""
        return list(self._watched)

    def stop(self) -> None:
        """End the ticking."""
        self._watched.clear()
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
        self._fast = False

    def _schedule(self, delay: float) -> None:
        if self._handle is not None:
            self._handle.cancel()
        self._handle = self._loop.call_later(delay, self._tick)

    def _tick(self) -> None:
        self._handle = None
        self.now = now = self._loop.time()
        for thing in list(self._watched):
            thing.expire(now)
        more = True
        if now >= self._tidy_at:
            self._tidy_at = now + self._tidy_every
            more = self._housekeeping(now)
        self._fast = bool(self._watched)
        if self._fast:
            self._schedule(TICK)
        elif more:
            self._schedule(self._tidy_every)
