"""The published method of EcoLogits 0.11, for figures that compare with others made by it.

Written from the method's description (ecologits.ai, methodology for language models; the figures are its own). It
counts output tokens only, has 64 requests in a batch on H100 cards and knows no interval but that of a model's size.
Pure.
"""

from math import ceil, exp, log2
from typing import Final

import msgspec

__all__ = ["VERSION", "Impacts", "impacts", "token_seconds"]

#: Of the package whose results these equal.
VERSION: Final = "0.11.3"
_BATCH: Final = 64
#: Wh of one card per output token: ``slope * exp(decay * batch) * active + floor``, active parameters in billions.
_SLOPE, _DECAY, _FLOOR = 1.1665273170451914e-06, -0.011205921025579175, 4.052928146734005e-05
#: Seconds per output token: ``by size * active + by batch * batch + floor``.
_SIZE_S, _BATCH_S, _FLOOR_S = 0.0006785088094353663, 0.0003119310311688259, 0.019473717579473387
_CARD_GB: Final = 80
_BITS: Final = 16
#: Weights and what serving them takes beside.
_ROOM: Final = 1.2
_CARDS_OF_SERVER: Final = 8
#: Of a server without its cards.
_SERVER_KW: Final = 1.2
_SERVER_KG, _CARD_KG = 5700, 273
#: Three years, in seconds.
_LIFE: Final = 3 * 365 * 24 * 3600


class Impacts(msgspec.Struct, frozen=True):
    """What one request takes: kWh, kg CO2e of using and of making the hardware, litres."""

    energy_kwh: float
    usage_kg: float
    embodied_kg: float
    water_l: float


def impacts(
    active_b: float,
    total_b: float,
    output: float,
    *,
    pue: float,
    wue: float,
    grid_kg: float,
    grid_l: float = 0.0,
    seconds: float | None = None,
) -> Impacts:
    """Return the impacts of a request that wrote ``output`` tokens.

    Args:
        active_b: parameters used for a token, in billions; ``total_b``: all of them.
        output: tokens written.
        pue: of the data centre; ``wue``: its water on site, L per kWh of computing.
        grid_kg: kg CO2e per kWh of electricity; ``grid_l``: litres per kWh.
        seconds: what the request took, as measured; a longer modelled time is cut to it.
    """
    took = output * token_seconds(active_b)
    if seconds is not None and seconds < took:
        took = seconds
    cards = 2 ** ceil(log2(ceil(_ROOM * total_b * _BITS / 8 / _CARD_GB)))
    card_kwh = output * ((_SLOPE * exp(_DECAY * _BATCH) * active_b + _FLOOR) / 1000)
    server_kwh = took / 3600 * _SERVER_KW * (cards / _CARDS_OF_SERVER) / _BATCH
    computing = server_kwh + cards * card_kwh
    energy = pue * computing
    made_kg = cards / _CARDS_OF_SERVER * _SERVER_KG + cards * _CARD_KG
    return Impacts(
        energy,
        energy * grid_kg,
        took * made_kg / (_LIFE * _BATCH),
        computing * (wue + pue * grid_l),
    )


def token_seconds(active_b: float) -> float:
    """Return the seconds that a token takes, for a model of ``active_b`` billion active parameters."""
    return _SIZE_S * active_b + _BATCH_S * _BATCH + _FLOOR_S
