"""A circuit breaker: a target that keeps failing is left alone, and asked again by one call at a time.

Pure state with an explicit clock. ``until`` tells all: 0 while closed, a time while open, infinity while a probe is
under way. One per target and credential and worker.
"""

import random
from collections.abc import Callable
from math import inf
from typing import Final

__all__ = ["Breaker"]

#: Failures in a row that open it.
_STREAK: Final = 3
#: Or this share of at least so many attempts, with a weight that halves about every ten attempts.
_SHARE: Final = 0.5
_SMOOTH: Final = 0.07
_LEAST: Final = 20
#: Seconds it stays open; doubled each time it opens again soon, up to the cap. Twice the cap is the longest that a
#: recovered upstream waits for its traffic.
_OPEN: Final = 5.0
_CAP: Final = 15.0
#: Seconds of health after which the next opening counts as the first again.
_FORGET: Final = 60.0


class Breaker:
    """Decides whether a target may be asked; ``now`` is in monotonic seconds, and never goes back."""

    __slots__ = ("_draw", "_level", "_opened", "_seen", "_share", "_streak", "opens", "until")

    def __init__(self, draw: Callable[[], float] = random.random) -> None:
        #: When the next call may go: the past while closed, infinity while a probe is under way.
        self.until = 0.0
        #: How often it has opened.
        self.opens = 0
        self._draw = draw
        self._streak = 0
        self._share = 0.0
        self._seen = 0
        self._level = 0
        self._opened = -inf

    @property
    def state(self) -> str:
        """``closed``, ``open`` or ``half-open``."""
        return "closed" if not self.until else "half-open" if self.until == inf else "open"

    @property
    def flaps(self) -> bool:
        """Whether it opened the last time soon after the time before."""
        return self._level > 0

    def take(self, now: float) -> None:
        """A call goes now; when it is open and its time is over, that call is the probe."""
        if self.until and now >= self.until:
            self.until = inf

    def alive(self, now: float) -> None:
        """The target answered, or began to: a breaker that was waiting for that closes."""
        if self.until:
            self.until = 0.0
            self._streak = self._seen = 0
            self._share = 0.0

    def success(self, now: float) -> None:
        """The target answered in full."""
        if self.until:
            self.alive(now)
        self._streak = 0
        self._seen += 1
        self._share -= self._share * _SMOOTH

    def failure(self, now: float) -> None:
        """The target failed."""
        if self.until == inf:
            self._open(now)
            return
        if self.until:
            # A call sent before it opened, or for want of anything better: known already.
            return
        self._streak += 1
        self._seen += 1
        self._share += (1 - self._share) * _SMOOTH
        if self._streak >= _STREAK or (self._seen >= _LEAST and self._share >= _SHARE):
            self._open(now)

    def unknown(self, now: float) -> None:
        """The call ended without telling anything; if it was the probe, the next one is."""
        if self.until == inf:
            self.until = now

    def hold(self, until: float) -> None:
        """While it is open, let no call be the probe before ``until``: somebody else finds out by then."""
        if self.until and self.until < until:
            self.until = until

    def _open(self, now: float) -> None:
        self._level = 0 if now - self._opened > _FORGET else self._level + 1
        self._opened = now
        self.opens += 1
        # Jitter keeps workers and gateways from probing in step.
        self.until = now + min(_CAP, _OPEN * 2.0 ** min(self._level, 8)) * (0.9 + 0.2 * self._draw())
