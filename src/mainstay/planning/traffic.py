"""The shape of a traffic: how much, how long, how uneven. From figures, or from the records of calls.

Pure: records are handed in as they come from whoever keeps them.
"""

import math
from collections import Counter
from collections.abc import Iterable
from itertools import pairwise

import msgspec

from mainstay.core.errors import ConfigError
from mainstay.core.record import Record

__all__ = ["MONTH_S", "Traffic", "from_records"]

#: Seconds in a month of 30.44 days.
MONTH_S = 30.44 * 86400
_WINDOW_S = 300


class Traffic(msgspec.Struct, frozen=True, kw_only=True):
    """Requests per month (30.44 days) with their means and spreads.

    ``cached_share`` is the share of input tokens that a prompt cache serves, ``peak_to_mean`` the busiest five minutes
    over the mean, ``arrival_cv2`` how bursty arrivals are within such minutes (1: independent of each other),
    ``output_cv2`` how uneven answers are in length.
    """

    requests_per_month: float
    input_tokens: float
    output_tokens: float
    cached_share: float = 0.0
    peak_to_mean: float = 3.0
    arrival_cv2: float = 1.0
    output_cv2: float = 1.0
    #: Where it comes from.
    source: str = "the scenario"

    @property
    def mean_per_s(self) -> float:
        """Return requests per second, on average."""
        return self.requests_per_month / MONTH_S

    @property
    def peak_per_s(self) -> float:
        """Return requests per second in the busiest five minutes."""
        return self.mean_per_s * self.peak_to_mean


def from_records(records: Iterable[Record]) -> Traffic:
    """Return the shape of the calls that were answered with a known usage.

    The month is scaled from the time between the first and the last call. Fewer than 100 calls, or less than an hour,
    tell nothing of a shape.

    Raises:
        ConfigError: there are too few, or over too short a time.
    """
    rows = [(r.at, r.usage) for r in records if r.usage is not None and r.usage.output > 0]
    rows.sort(key=lambda row: row[0])
    if len(rows) < 100:
        raise ConfigError(f"Only {len(rows)} answered calls with a usage were found; a shape needs at least 100.")
    span = (rows[-1][0] - rows[0][0]) / 1000.0
    if span < 3600:
        raise ConfigError("The calls found lie within one hour; a shape needs a longer time: --since 30d.")
    count = len(rows)
    into = sum(usage.input for _, usage in rows)
    outs = [usage.output for _, usage in rows]
    mean_out = sum(outs) / count
    windows = Counter(int(at / 1000 // _WINDOW_S) for at, _ in rows)
    # The 99.5th percentile of windows rather than the very busiest, which grows with how long one looks.
    ranked = sorted(windows.values(), reverse=True)
    total = max(1, math.ceil(span / _WINDOW_S))
    busiest = ranked[min(len(ranked) - 1, total // 200)]
    return Traffic(
        requests_per_month=count * MONTH_S / span,
        input_tokens=into / count,
        output_tokens=mean_out,
        cached_share=sum(usage.cache_read for _, usage in rows) / into if into else 0.0,
        peak_to_mean=max(1.0, busiest / _WINDOW_S / (count / span)),
        arrival_cv2=_burstiness([at for at, _ in rows]),
        output_cv2=sum((out - mean_out) ** 2 for out in outs) / count / mean_out**2,
        source=f"{count:,} records over {span / 86400:.1f} days",
    )


def _burstiness(times: list[int]) -> float:
    """Return the squared coefficient of variation of the gaps, each over the mean gap of its own half hour.

    So the course of the day, which is the peak's matter, does not count as burstiness.
    """
    gaps: dict[int, list[int]] = {}
    for before, after in pairwise(times):
        gaps.setdefault(before // 1_800_000, []).append(after - before)
    sums = [0.0, 0.0]
    for each in gaps.values():
        mean = sum(each) / len(each)
        if len(each) >= 20 and mean > 0:
            sums[0] += sum((gap / mean - 1.0) ** 2 for gap in each)
            sums[1] += len(each) - 1
    return min(25.0, max(0.2, sums[0] / sums[1])) if sums[1] else 1.0
