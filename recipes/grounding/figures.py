"""What tells how good a verifier is: areas under curves, their intervals, balanced accuracy. Pure numpy."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

__all__ = ["auroc", "balanced", "error", "interval"]


def auroc(scores: NDArray[np.floating], positive: NDArray[np.bool_]) -> float:
    """Return the chance that a positive row scores above a negative one, ties counting half."""
    order = np.argsort(scores, kind="stable")
    _, first, counts = np.unique(scores[order], return_index=True, return_counts=True)
    ranks = np.empty(len(scores))
    ranks[order] = np.repeat(first + (counts + 1) / 2, counts)
    some, rest = int(positive.sum()), int((~positive).sum())
    return float((ranks[positive].sum() - some * (some + 1) / 2) / (some * rest))


def balanced(said: NDArray[np.integer], labels: NDArray[np.integer]) -> float:
    """Return the mean of the recalls of the labels that there are."""
    return float(np.mean([(said[labels == label] == label).mean() for label in np.unique(labels)]))


def error(chances: NDArray[np.floating], happened: NDArray[np.bool_], parts: int = 10) -> float:
    """Return the expected calibration error: how far shares are from probabilities, in ``parts`` of equal width."""
    places = np.minimum((chances * parts).astype(int), parts - 1)
    total = 0.0
    for part in range(parts):
        some = places == part
        if some.any():
            total += float(some.mean() * abs(chances[some].mean() - happened[some].mean()))
    return total


def interval(
    count: int, figure: Callable[[NDArray[np.integer]], float], rounds: int = 1000, seed: int = 5
) -> tuple[float, float]:
    """Return the 95% bootstrap interval of a figure of rows drawn again and again."""
    rng = np.random.default_rng(seed)
    drawn = [figure(rng.integers(0, count, count)) for _ in range(rounds)]
    low, high = np.percentile(drawn, [2.5, 97.5])
    return float(low), float(high)
