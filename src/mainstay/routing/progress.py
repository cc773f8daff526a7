"""One call's way through its targets: after each failure, the next step, or none.

Pure: (state, failure) → step. Nothing here waits or sends. Whatever the settings, a call ends: attempts are counted
and capped, each target's retries are bounded by what its error allows, and no step may begin after the deadline.
"""

from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from mainstay.core.errors import ContentFiltered, MainstayError
from mainstay.core.target import Target
from mainstay.routing.fit import larger
from mainstay.routing.signals import Shuts, Signal

__all__ = ["Progress", "Rules", "Step"]

#: Full jitter: a wait is drawn from (0, min(cap, base · 2ⁿ)); seconds.
_BASE: Final = 0.5
_CAP: Final = 8.0


class Rules(msgspec.Struct, frozen=True):
    """What a route allows.

    ``attempts``: upstream calls in all for one request. ``patience``: the longest wait, in seconds, that an upstream
    may ask for before the call goes elsewhere instead. ``filtered_elsewhere``: whether a request that one upstream's
    content filter refused may be shown to another.
    """

    attempts: int = 4
    patience: float = 3.0
    filtered_elsewhere: bool = False


class Step(msgspec.Struct, frozen=True):
    """What to do next: ask ``target`` after ``delay`` seconds; ``cause`` is ``retry`` or ``fallback``."""

    target: Target
    delay: float
    cause: str


class Progress:
    """The state of one call: made when its first attempt failed or could not be made.

    Args:
        rules: the route's.
        order: its targets for this call, best first.
        deadline: monotonic seconds at which the call must have ended.
        draw: returns a number in [0, 1); tests pass their own.
    """

    __slots__ = ("_deadline", "_draw", "_rules", "_times", "attempts", "first_error", "left")

    def __init__(self, rules: Rules, order: Sequence[Target], deadline: float, draw: Callable[[], float]) -> None:
        self._rules = rules
        self._deadline = deadline
        self._draw = draw
        self._times: dict[str, int] = {}
        #: Targets not asked yet, in order.
        self.left = list(order)
        #: Upstream calls made.
        self.attempts = 0
        #: The first cause is what the caller can act on; later ones stand in the record.
        self.first_error: MainstayError | None = None

    def asked(self, target: Target) -> None:
        """An upstream call is made of ``target``."""
        self.attempts += 1
        self._times[target.model] = self._times.get(target.model, 0) + 1
        self.passed(target)

    def passed(self, target: Target) -> None:
        """``target`` is out of the order: it is being asked, or cannot be."""
        if target in self.left:
            self.left.remove(target)

    def failed(
        self,
        target: Target,
        error: MainstayError,
        signal: Signal,
        now: float,
        *,
        usable: Callable[[Target], bool],
        may_retry: Callable[[], bool],
    ) -> Step | None:
        """Return what to do after ``target`` failed with ``error``, or None when the call has failed.

        ``usable`` says which targets are open now; ``may_retry`` takes one retry from the target's budget, if any.
        """
        if self.first_error is None:
            self.first_error = error
        if self.attempts >= self._rules.attempts or now >= self._deadline:
            return None
        others = self._elsewhere(target, error, signal, usable)
        delay = self._wait(target, error, signal)
        if delay is not None and not (signal.away_first and others):
            kept = sum(map(usable, self.left))
            room = self.attempts + kept < self._rules.attempts
            if room and now + delay < self._deadline and _open_after(signal, target, usable) and may_retry():
                return Step(target, delay, "retry")
        return Step(others[0], 0.0, "fallback") if others else None

    def _elsewhere(
        self, target: Target, error: MainstayError, signal: Signal, usable: Callable[[Target], bool]
    ) -> list[Target]:
        """Return the targets that may be asked instead, those that are open before those that are not."""
        allowed = signal.elsewhere or (self._rules.filtered_elsewhere and isinstance(error, ContentFiltered))
        if not allowed:
            return []
        left = self.left
        if signal.larger:
            left = list(larger(left, target))
        return [other for other in left if usable(other)] or left

    def _wait(self, target: Target, error: MainstayError, signal: Signal) -> float | None:
        """Return the seconds to wait before the same target is asked again; None when it must not be."""
        retries = self._times.get(target.model, 0) - 1
        if retries < 0 or retries >= signal.here:
            return None
        asked = error.retry_after or 0.0
        if asked > self._rules.patience:
            return None
        if signal.at_once and retries == 0:
            return 0.0
        spread = min(_CAP, _BASE * 2.0**retries)
        if asked:
            # The upstream's own time is a floor; a little more keeps callers from coming back in step.
            return asked + 0.1 * spread * self._draw()
        if signal.shuts is Shuts.TARGET:
            # A rate limit without a time: never at once.
            return spread * (0.5 + 0.5 * self._draw())
        return spread * self._draw()


def _open_after(signal: Signal, target: Target, usable: Callable[[Target], bool]) -> bool:
    """Return whether ``target`` may be asked again after the wait: a clock will have run out, a breaker will not."""
    return signal.shuts is Shuts.TARGET or usable(target)
