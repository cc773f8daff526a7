"""An upper bound on how often hits are wrong that holds at every moment, however often one looks.

A betting confidence sequence for the mean of values in [0, 1] (Waudby-Smith and Ramdas 2024, "Estimating means of
bounded random variables by betting", arXiv 2010.09686): for each candidate mean a bettor's capital, which grows when
the values stay below it; a candidate whose capital has passed ``1/alpha`` is ruled out. By Ville's inequality the true
mean is ever ruled out with a probability of at most ``alpha``, for any bounded values of a constant conditional mean,
at every look. Pure; numbers in, numbers out.
"""

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["UpperBound"]

#: Candidate means: fine at both ends, where limits lie and where most values are.
_FINE: Final = 400
_COARSE: Final = 80
#: Share of what could be staked without ruin that is staked at most.
_BOLD: Final = 0.75
#: How far capital may grow beyond what rules a candidate out (its logarithm). More is thrown away, which only makes the
#: bound wider: so past luck does not pay for what goes wrong later.
_PURSE: Final = 7.0


class UpperBound:
    """Takes values in [0, 1], one by one, and bounds their mean from above.

    Args:
        alpha: the chance that the bound is ever below the true mean.
    """

    def __init__(self, alpha: float = 0.05) -> None:
        import numpy as np

        if not 0 < alpha < 1:
            raise ValueError("the chance of being wrong is between 0 and 1")
        self._limit = -float(np.log(alpha))
        low = np.arange(1, _FINE + 1) / (10 * _FINE)
        middle = 0.1 + np.arange(1, _COARSE) * (0.8 / _COARSE)
        self._means: NDArray[np.float64] = np.concatenate([low, middle, 1 - low[::-1], [1.0]])
        #: Logarithm of the capital against each candidate.
        self._capital = np.zeros_like(self._means)
        self._squares = 0.0
        self.count = 0
        self.total = 0.0
        #: The upper bound; 1 until there is enough to say less.
        self.bound = 1.0

    @property
    def mean(self) -> float:
        """The mean of what was taken; 0 before."""
        return self.total / self.count if self.count else 0.0

    def take(self, value: float) -> None:
        """Take the next value.

        Raises:
            ValueError: it is not in [0, 1].
        """
        import numpy as np

        if not 0 <= value <= 1:
            raise ValueError("a value lies between 0 and 1")
        # The stake on each candidate comes from the values before this one alone.
        seen = self.count + 1
        mean = (self.total + 0.02) / seen
        spread = max(0.0, (self._squares + 0.02) / seen - mean * mean)
        gap = np.maximum(self._means - mean, 0)
        most = _BOLD / np.maximum(1 - self._means, 1e-3)
        stake = np.minimum(gap / (spread + gap * gap + 1e-12), most)
        self._capital = np.minimum(self._capital + np.log1p(stake * (self._means - value)), self._limit + _PURSE)
        self.count, self.total, self._squares = seen, self.total + value, self._squares + value * value
        left = np.flatnonzero(self._capital < self._limit)
        # The next candidate above the largest that is left: the true mean may lie between the two.
        at = int(left[-1]) + 1 if len(left) else 0
        self.bound = float(self._means[min(at, len(self._means) - 1)])
