"""Order statistics and slopes of what a load run measured.

Pure arithmetic: it knows neither sockets nor which gateway the samples came from.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Quantiles", "median", "percentile", "quantiles", "slope"]


@dataclass(frozen=True, slots=True)
class Quantiles:
    """Quantiles of one sample, in the sample's own unit (seconds unless said otherwise)."""

    count: int
    mean: float
    p50: float
    p90: float
    p99: float
    p999: float
    max: float


def percentile(ordered: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` (0 to 1) of the ascending sample does not exceed (nearest rank).

    Raises ValueError for an empty sample or a share outside 0 to 1.
    """
    if not ordered:
        raise ValueError("an empty sample has no percentile")
    if not 0.0 <= share <= 1.0:
        raise ValueError("a share lies between 0 and 1")
    # Rounding first keeps 0.999 * 1000 = 999.0000000000001 from asking for the next rank.
    rank = math.ceil(round(share * len(ordered), 9))
    return ordered[max(rank, 1) - 1]


def quantiles(sample: Sequence[float]) -> Quantiles | None:
    """Summarise a sample in any order; None when it is empty."""
    if not sample:
        return None
    ordered = sorted(sample)
    return Quantiles(
        count=len(ordered),
        mean=math.fsum(ordered) / len(ordered),
        p50=percentile(ordered, 0.50),
        p90=percentile(ordered, 0.90),
        p99=percentile(ordered, 0.99),
        p999=percentile(ordered, 0.999),
        max=ordered[-1],
    )


def median(values: Sequence[float]) -> float:
    """The middle value; the mean of the middle two for an even count. Raises ValueError when empty."""
    if not values:
        raise ValueError("an empty sample has no median")
    ordered = sorted(values)
    half = len(ordered) // 2
    if len(ordered) % 2:
        return ordered[half]
    return (ordered[half - 1] + ordered[half]) / 2


def slope(points: Sequence[tuple[float, float]]) -> float | None:
    """Least-squares slope of y over x; None for fewer than two distinct x."""
    if len(points) < 2:
        return None
    mean_x = math.fsum(x for x, _ in points) / len(points)
    mean_y = math.fsum(y for _, y in points) / len(points)
    spread = math.fsum((x - mean_x) ** 2 for x, _ in points)
    if spread == 0:
        return None
    return math.fsum((x - mean_x) * (y - mean_y) for x, y in points) / spread
