"""How slow a target is just now: a moving average that believes bad news at once and good news with time.

Used for the time to the first token. Pure: the caller brings the clock.
"""

from math import exp

__all__ = ["PeakEwma"]


class PeakEwma:
    """A peak-sensitive, exponentially weighted moving average of durations in seconds.

    A sample above the value replaces it; the value then sinks with time constant ``tau`` towards the plain average
    of the samples, and never below it, so that a target which is slow and left alone does not come to look fast.
    Samples are weighted by time, not by count: what was measured long ago counts little once a new sample comes.

    After the load metric of Finagle's "Power of Two Choices: Peak EWMA" balancer, which sinks towards zero instead.

    Args:
        tau: seconds after which 63 % of a difference are forgotten.
    """

    __slots__ = ("_at", "_mean", "_peak", "_tau")

    def __init__(self, tau: float = 10.0) -> None:
        self._tau = tau
        self._mean = 0.0
        self._peak = 0.0
        self._at: float | None = None

    def update(self, seconds: float, now: float) -> None:
        """Take a sample measured at ``now`` (monotonic seconds; an earlier ``now`` than the last counts as the last).

        A call that gave up waiting is a sample too: pass the time it had waited.
        """
        if self._at is None:
            self._mean = self._peak = seconds
            self._at = now
            return
        kept = self._kept(now)
        mean, peak = self._mean, self._peak
        value = mean + (peak - mean) * kept
        if seconds < value:
            sunk = seconds + (peak - seconds) * kept
            self._peak = sunk if sunk < value else value
        else:
            self._peak = seconds
        self._mean = seconds + (mean - seconds) * kept
        if now > self._at:
            self._at = now

    def value(self, now: float) -> float | None:
        """Return the average at ``now`` in seconds, None before the first sample."""
        if self._at is None:
            return None
        return self._mean + (self._peak - self._mean) * self._kept(now)

    def _kept(self, now: float) -> float:
        assert self._at is not None
        return exp((self._at - now) / self._tau) if now > self._at else 1.0
