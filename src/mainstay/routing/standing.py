"""What one worker knows of one target: whether it may be asked, how it has done, what is under way.

Kept across changes of the configuration. No I/O; what happens is told with its time.
"""

import random
from collections.abc import Callable
from math import inf
from typing import Final

from mainstay.core.clock import monotonic
from mainstay.core.errors import MainstayError, UpstreamTimeout
from mainstay.core.target import Target
from mainstay.routing.admission import Admission
from mainstay.routing.breaker import Breaker
from mainstay.routing.peak_ewma import PeakEwma
from mainstay.routing.signals import Shuts, Signal, Verdict

__all__ = ["Credential", "Standing"]

#: Retries may be this share of the calls of the last seconds, and a few whatever their number.
_RETRY_SHARE: Final = 0.1
_RETRY_WINDOW: Final = 10.0
_RETRY_FLOOR: Final = 10.0
#: Seconds for which a credential that was refused is left alone, doubled each time up to the cap.
_REFUSED: Final = 15.0
_REFUSED_CAP: Final = 600.0
#: The longest time that an upstream may shut itself for, in seconds.
_SHUT_CAP: Final = 3600.0
#: Seconds over which the measure of first-token times forgets.
_TAU: Final = 10.0


class Credential:
    """One key with one vendor: when it is refused, all models behind it are shut."""

    __slots__ = ("_level", "until")

    def __init__(self) -> None:
        self.until = 0.0
        self._level = 0

    def refuse(self, now: float) -> None:
        """The vendor refused the key; try again after a while, lest every call finds it out anew."""
        if now >= self.until:
            self.until = now + min(_REFUSED_CAP, _REFUSED * 2.0**self._level)
            self._level = min(self._level + 1, 8)

    def accept(self) -> None:
        """The vendor took the key."""
        self.until = 0.0
        self._level = 0


class Standing:
    """One target's health and load, as this worker sees them."""

    __slots__ = (
        "_budget",
        "_budget_at",
        "_first",
        "admission",
        "breaker",
        "clock",
        "credential",
        "in_flight",
        "outstanding",
        "target",
    )

    def __init__(
        self,
        target: Target,
        credential: Credential,
        admission: Admission | None = None,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self.target = target
        self.credential = credential
        #: The door that bounds how many calls are in flight; None lets everyone through.
        self.admission = admission
        self.breaker = Breaker(draw)
        #: Monotonic seconds before which the upstream wants no call (its ``retry-after``).
        self.clock = 0.0
        self.in_flight = 0
        self.outstanding = 0
        self._first = PeakEwma(_TAU)
        self._budget = _RETRY_FLOOR
        self._budget_at = 0.0

    @property
    def first_token(self) -> float | None:
        """Seconds until the first token, as a peak-sensitive moving average; None when nothing was measured yet."""
        return self._first.value(monotonic())

    @property
    def asked(self) -> float:
        """Monotonic second at which it was last asked something; 0 when it never was."""
        return self._budget_at

    def usable(self, now: float) -> bool:
        """Whether a call may go to the target now."""
        return now >= self.breaker.until and now >= self.clock and now >= self.credential.until

    def state(self, now: float) -> str:
        """Return how the target is: ``up``, ``refused`` (the credential), ``failing`` or ``limited`` (the rate)."""
        if now < self.credential.until:
            return "refused"
        if self.breaker.until:
            return "failing"
        return "limited" if now < self.clock else "up"

    def describe(self, now: float) -> str:
        """Return how the target is, in a few words: ``up``, or what keeps calls from it."""
        state = self.state(now)
        if state == "refused":
            return f"credential refused; asked again in {self.credential.until - now:.0f} s"
        if state == "limited":
            return f"limits the rate; asked again in {self.clock - now:.0f} s"
        if state == "failing" and self.breaker.state == "half-open":
            return "failing; being probed"
        return f"failing; asked again in {max(0.0, self.breaker.until - now):.0f} s" if state == "failing" else state

    def throttled(self, now: float) -> float:
        """Seconds for which the upstream itself wants no call."""
        return max(0.0, self.clock - now)

    def badness(self, now: float) -> float:
        """How little a call to a target that is not usable promises: smaller is better."""
        wait = max(self.breaker.until, self.credential.until) - now
        return _SHUT_CAP if wait == inf else wait

    def begin(self, tokens: int, now: float) -> None:
        """A call of about ``tokens`` tokens goes to the target."""
        self.in_flight += 1
        self.outstanding += tokens
        self.breaker.take(now)
        # The bucket of retries fills with calls, and slowly by itself.
        passed = now - self._budget_at
        self._budget_at = now
        filled = self._budget + _RETRY_SHARE + passed * _RETRY_FLOOR / _RETRY_WINDOW
        self._budget = filled if filled < _RETRY_FLOOR else _RETRY_FLOOR

    def end(self, tokens: int) -> None:
        """That call is over."""
        self.in_flight -= 1
        self.outstanding -= tokens

    def answered(self, first_token: float | None, now: float) -> None:
        """The target answered in full; ``first_token`` is in seconds where it was seen."""
        self.breaker.success(now)
        if self.credential.until:
            self.credential.accept()
        if first_token is not None:
            self._first.update(first_token, now)

    def began(self, now: float) -> None:
        """The first token came; the answer is not complete yet."""
        self.breaker.alive(now)

    def failed(self, error: MainstayError, signal: Signal, now: float, waited: float = 0.0) -> None:
        """An attempt failed with ``error``, which means ``signal``, after ``waited`` seconds."""
        if isinstance(error, UpstreamTimeout):
            # It would have taken at least so long.
            self._first.update(waited, now)
        if signal.verdict is Verdict.FAILED:
            self.breaker.failure(now)
        elif signal.verdict is Verdict.ALIVE:
            self.breaker.alive(now)
        else:
            self.breaker.unknown(now)
        if signal.shuts is Shuts.CREDENTIAL:
            self.credential.refuse(now)
        elif error.retry_after and signal.verdict is not Verdict.UNKNOWN:
            self.clock = max(self.clock, now + min(error.retry_after, _SHUT_CAP))

    def left(self, now: float) -> None:
        """The caller went before the target had answered: nothing was learnt."""
        self.breaker.unknown(now)

    def may_retry(self) -> bool:
        """Whether the budget of retries has room for one more; takes it when it has."""
        if self._budget < 1.0:
            return False
        self._budget -= 1.0
        return True
