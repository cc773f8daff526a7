"""When a call has waited so long for its first token that a second copy should be sent.

Pure bookkeeping for one route: who sends the copies and cancels the loser stands in ``stage.py``. After Dean and
Barroso, "The Tail at Scale" (2013): a copy when the first token is later than nearly all others were, within a budget.
"""

from bisect import bisect_left, insort
from collections import deque
from typing import Final

__all__ = ["Hedge"]

#: First-token times remembered of each target.
_WINDOW: Final = 512
#: Times needed before a target is hedged at all.
_LEARN: Final = 50
_QUANTILE: Final = 0.95
#: A copy goes out when a call is this much later than the quantile: even of tight times only stragglers are.
_MARGIN: Final = 1.2
#: Seconds below which a copy cannot help: the jitter of an event loop and a network.
_FLOOR: Final = 0.02
#: A target counts as slow as a whole when, of the last ``_RECENT`` calls, at least this many were late.
_RECENT: Final = 128
_LATE: Final = 13
#: Calls for which a target that was slow as a whole is not hedged: what was known of it is no longer true.
_REST: Final = 1000
#: Seconds without a call after which what is known of a target is out of date.
_STALE: Final = 600.0


class _Times:
    """The recent first-token times of one target, and which of its recent calls were late."""

    __slots__ = ("_late", "_late_count", "_ordered", "_recent", "_rest", "_seen")

    def __init__(self) -> None:
        self._recent: deque[float] = deque()
        self._ordered: list[float] = []
        self._late: deque[bool] = deque()
        self._late_count = 0
        self._rest = 0
        self._seen: float | None = None

    def begin(self, now: float) -> None:
        if self._seen is not None and now - self._seen > _STALE:
            self._recent.clear()
            self._ordered.clear()
            self._forgive()
            self._rest = 0
        self._seen = now

    def delay(self) -> float | None:
        count = len(self._ordered)
        if self._rest or count < _LEARN:
            return None
        return max(self._ordered[int(count * _QUANTILE)] * _MARGIN, _FLOOR)

    def observe(self, seconds: float) -> None:
        limit = self.delay()
        if self._rest:
            self._rest -= 1
        elif limit is not None and seconds <= limit:
            # A later one was counted when it passed the limit.
            self._count(late=False)
        if len(self._recent) == _WINDOW:
            del self._ordered[bisect_left(self._ordered, self._recent.popleft())]
        self._recent.append(seconds)
        insort(self._ordered, seconds)

    def exceeded(self) -> None:
        if self._rest:
            return
        self._count(late=True)
        if self._late_count >= _LATE:
            self._rest = _REST
            self._forgive()

    def _count(self, *, late: bool) -> None:
        if len(self._late) == _RECENT:
            self._late_count -= self._late.popleft()
        self._late.append(late)
        self._late_count += late

    def _forgive(self) -> None:
        self._late.clear()
        self._late_count = 0


class Hedge:
    """Says when to send a second copy of a call, so that few copies catch most stragglers.

    For each call to a target that could be hedged::

        wait = hedge.delay(target.model, now)            # once per call, when its first attempt is sent
        # no first token after `wait` seconds:
        hedge.exceeded(target.model)
        if hedge.spend(target.model): ...                # send the copy elsewhere; first content wins
        hedge.observe(target.model, seconds)             # once per attempt whose first token came

    An attempt that is cancelled because its copy won is observed with the time it had waited: it is known to have
    been at least that slow. So is one that ran into its time limit. A copy that lost, and attempts that ended in
    another error, say nothing and are not observed.

    A copy goes out at 1.2 times the 95th percentile of the last 512 first-token times. When a tenth of the recent
    calls are that late, the upstream as a whole has become slow and copies would only add to its load: the target is
    not hedged for the next 1,000 calls, while its new times are learnt. Late calls count when they pass the limit,
    not when they end, so this takes 13 calls however slow they are.

    Costs a few microseconds per call; memory is bounded by the number of targets.

    Args:
        budget: copies per call, over all targets; 0 sends none.
        burst: copies that may be saved up while none are needed.
    """

    def __init__(self, budget: float = 0.03, burst: float = 4.0) -> None:
        self._budget = budget
        self._burst = burst
        self._tokens = 0.0
        self._targets: dict[str, _Times] = {}

    def delay(self, target: str, now: float) -> float | None:
        """Return the seconds to wait for the first token of a call that starts at ``now``; None: send no copy.

        Each call earns its share of the budget here.
        """
        self._tokens = min(self._tokens + self._budget, self._burst)
        times = self._targets.get(target)
        if times is None:
            times = self._targets[target] = _Times()
        times.begin(now)
        return times.delay()

    def observe(self, target: str, seconds: float) -> None:
        """Take the time to the first token of an attempt, or the time it had waited when it was given up."""
        times = self._targets.get(target)
        if times is None:
            times = self._targets[target] = _Times()
        times.observe(seconds)

    def exceeded(self, target: str) -> None:
        """Note that a call waits longer than its ``delay``: before :meth:`spend`, whether a copy is sent or not."""
        times = self._targets.get(target)
        if times is not None:
            times.exceeded()

    def spend(self, target: str) -> bool:
        """Return whether a copy of a call to ``target`` may be sent, and take it from the budget."""
        times = self._targets.get(target)
        # A target may have turned out slow as a whole since this call's delay was asked for.
        if self._tokens < 1.0 or times is None or times.delay() is None:
            return False
        self._tokens -= 1.0
        return True
