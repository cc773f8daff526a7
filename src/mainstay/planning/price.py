"""What a million tokens cost: on devices by the hour, against how busy they are, and from a vendor's price list.

Estimates, in floating point: what was really spent is the ledger's matter and is kept in decimals there.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from mainstay.planning.throughput import Interval

__all__ = ["UTILISATIONS", "PriceList", "blended", "per_million", "per_million_by_use", "per_request", "useful_share"]

#: Shares of time that a table shows costs for.
UTILISATIONS: Final = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


class PriceList(msgspec.Struct, frozen=True, kw_only=True):
    """A vendor's prices in US dollars per million tokens; cached ones default to the price of input."""

    input: float
    output: float
    cache_read: float | None = None
    cache_write: float | None = None
    per_request: float = 0.0


def per_million(devices: int, usd_per_hour: float, tokens_per_s: Interval, busy: float = 1.0) -> Interval:
    """Return US dollars per million tokens written: ``n $h / (3600 X u) 1e6``.

    ``busy`` is the share of time in which the devices do what they can.
    """
    return tokens_per_s.inverse(devices * usd_per_hour / 3600.0 / busy * 1e6)


def per_million_by_use(
    devices: int, usd_per_hour: float, tokens_per_s: Interval, shares: Sequence[float] = UTILISATIONS
) -> list[tuple[float, Interval]]:
    """Return the cost of a million tokens for each share of time that devices are busy."""
    return [(share, per_million(devices, usd_per_hour, tokens_per_s, share)) for share in shares]


def useful_share(busiest: float, peak_to_mean: float, autoscale: float = 0.0) -> float:
    """Return how busy paid devices are on average: ``u_max / PMR`` without scaling, ``u_max`` with perfect scaling.

    ``autoscale`` is the share of the replicas beyond the mean that are given back when they are not needed.
    """
    paid = peak_to_mean - autoscale * (peak_to_mean - 1.0)
    return busiest / paid


def per_request(
    prices: PriceList, input_tokens: float, output_tokens: float, *, cached: float = 0.0, written: float = 0.0
) -> float:
    """Return US dollars for one call; ``cached`` and ``written`` are parts of ``input_tokens``, never extras.

    Raises:
        ValueError: the parts are more than the whole.
    """
    if cached + written > input_tokens * (1 + 1e-9):
        raise ValueError("tokens read from and written to the cache are parts of the input, not extras")
    read = prices.input if prices.cache_read is None else prices.cache_read
    write = prices.input if prices.cache_write is None else prices.cache_write
    fresh = max(0.0, input_tokens - cached - written)
    tokens = prices.input * fresh + read * cached + write * written + prices.output * output_tokens
    return tokens / 1e6 + prices.per_request


def blended(prices: PriceList, ratio: float, hit_rate: float = 0.0) -> float:
    """Return US dollars per million tokens in and out together, ``ratio`` tokens in for one out."""
    read = prices.input if prices.cache_read is None else prices.cache_read
    return (ratio * ((1.0 - hit_rate) * prices.input + hit_rate * read) + prices.output) / (ratio + 1.0)
