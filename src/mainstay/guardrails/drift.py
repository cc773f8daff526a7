"""Whether the mix of what a route is asked has changed: tests of two samples, and of many routes at once.

Two tests: the largest gap between two distributions of a number (Kolmogorov-Smirnov, with Stephens' 1970 correction for
small samples) for scores such as novelty or length, and the maximum mean discrepancy of two sets of vectors (Gretton et
al. 2012, Gaussian kernel of median width, permuted) for the mix itself. Benjamini and Hochberg's procedure (1995) keeps
the share of false alarms among all routes and tenants. Pure, no I/O.
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["benjamini_hochberg", "kolmogorov_smirnov", "mean_discrepancy"]

#: Vectors of each side that are compared; drawn when there are more. Time grows with the square.
_MOST: Final = 500
_PERMUTATIONS: Final = 200
#: Terms of the sum; the next is below 1e-12 where the p-value is below 1.
_TERMS: Final = 100


def kolmogorov_smirnov(before: Sequence[float], after: Sequence[float]) -> tuple[float, float]:
    """Return the largest gap between the two distributions, and its p-value.

    Raises:
        ValueError: a side is empty.
    """
    import numpy as np

    if not len(before) or not len(after):
        raise ValueError("a comparison needs numbers on both sides")
    first, second = np.sort(np.asarray(before, float)), np.sort(np.asarray(after, float))
    every = np.concatenate([first, second])
    shares = (np.searchsorted(side, every, side="right") / len(side) for side in (first, second))
    gap = float(np.abs(next(shares) - next(shares)).max())
    size = math.sqrt(len(first) * len(second) / (len(first) + len(second)))
    scaled = (size + 0.12 + 0.11 / size) * gap
    if scaled < 0.2:
        return gap, 1.0
    total = sum((-1) ** (term - 1) * math.exp(-2 * (term * scaled) ** 2) for term in range(1, _TERMS))
    return gap, min(1.0, max(0.0, 2 * total))


def mean_discrepancy(before: "NDArray[np.float32]", after: "NDArray[np.float32]", seed: int = 0) -> tuple[float, float]:
    """Return the squared discrepancy of two sets of vectors in rows (about 0 if alike), and its p-value.

    Raises:
        ValueError: a side has fewer than two.
    """
    import numpy as np

    if len(before) < 2 or len(after) < 2:
        raise ValueError("a comparison needs at least two requests on both sides")
    rng = np.random.default_rng(seed)
    sides = [
        side if len(side) <= _MOST else side[rng.choice(len(side), _MOST, replace=False)] for side in (before, after)
    ]
    count = len(sides[0])
    every = np.concatenate(sides).astype(np.float64)
    squares = (every**2).sum(axis=1)
    apart = np.maximum(squares[:, None] + squares[None, :] - 2 * every @ every.T, 0.0)
    width = float(np.median(apart[~np.eye(len(every), dtype=bool)])) or 1.0
    kernel = np.exp(-apart / width)
    np.fill_diagonal(kernel, 0.0)
    # Of each order of the rows the first are one side: sums over a side follow from one product.
    sides_of = np.zeros((_PERMUTATIONS + 1, len(every)))
    sides_of[0, :count] = 1.0
    for row in sides_of[1:]:
        row[rng.permutation(len(every))[:count]] = 1.0
    rest = len(every) - count
    within = np.einsum("ij,jk,ik->i", sides_of, kernel, sides_of, optimize=True)
    toward = sides_of @ kernel.sum(axis=1)
    across, other = toward - within, kernel.sum() - 2 * toward + within
    found = within / (count * (count - 1)) + other / (rest * (rest - 1)) - 2 * across / (count * rest)
    return float(found[0]), float((1 + (found[1:] >= found[0]).sum()) / (_PERMUTATIONS + 1))


def benjamini_hochberg(p_values: Sequence[float], rate: float = 0.05) -> list[bool]:
    """Return which of the p-values are findings, so that at most ``rate`` of the findings are false on average."""
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    last = -1
    for place, at in enumerate(order):
        if p_values[at] <= rate * (place + 1) / len(p_values):
            last = place
    found = [False] * len(p_values)
    for at in order[: last + 1]:
        found[at] = True
    return found
