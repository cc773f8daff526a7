"""What is known of one model's computing, and what had to be assumed: its size, its devices, its place.

Puts the configuration, the tables of core and those of this room together. Whatever the configuration does not say and
no table knows becomes an assumption with a wide interval, and the method says so. Pure.
"""

from collections.abc import Sequence
from math import ceil, log2
from typing import Final

import msgspec

from mainstay.core.hardware import Accelerator, find_accelerator
from mainstay.core.sizes import ModelSize, guess_size
from mainstay.energy.config import EnergyConfig, ModelEnergyConfig, PlaceConfig
from mainstay.energy.estimate import CERTAIN, Method, Spread, combine
from mainstay.energy.grid import Triple, Zone, find_vendor, find_zone
from mainstay.energy.modelled import Deployment, Machine, Size, TokenEnergy, token_energy

__all__ = ["Place", "Profile", "Served", "profile"]

#: Devices that answer to the fit as the B200 does, and those that were measured.
_LATER: Final = ("B200", "GB200", "B300")
_FITTED: Final = ("H100 SXM", "B200")
#: Watts that serve of the most a device may draw, where nobody measured it: 500 of 700 for H100, 799 of 1000 for B200.
_BUSY: Final = 0.75
#: A batch that nobody gave: low, likely, high energy. 64 is usual in published comparisons.
_BATCHES: Final = (256.0, 64.0, 8.0)
#: A model whose size nobody knows, in billions: (total, active).
_SIZES: Final = ((20.0, 5.0), (200.0, 40.0), (1000.0, 200.0))
#: Watts of a server for each of its devices: 1.2 kW for eight (EcoLogits 0.11, methodology).
_HOST_W: Final = 150.0
_HOST: Final = Spread(0.5, 1.7)
#: Idle spares: 10 of 83 parts (Elsworth et al. 2025, arXiv 2508.15734).
_IDLE: Final = 0.12
_IDLE_SPREAD: Final = Spread(0.4, 4.0)
#: A device that nobody named, against the H100 that stands in: from the newest to those of two generations ago.
_UNKNOWN_DEVICE: Final = Spread(0.35, 2.2)
_WEIGHTS_AND_ROOM: Final = 1.2
#: Tokens before the one that is written, when a guess is compared with another.
_CONTEXT: Final = 1000.0


class Place(msgspec.Struct, frozen=True):
    """Where it is computed. ``zone`` is None when it is not known, with ``reason`` saying what to do."""

    zone: Zone | None
    pue: Triple
    wue: Triple
    market: float | None
    #: Whether the zone was said, not assumed.
    said: bool
    reason: str = ""
    market_reason: str = ""


class Profile(msgspec.Struct, frozen=True):
    """One model as its energy is found. ``watts`` is set for a local engine that is modelled from its time instead."""

    model: str
    method: Method
    deployment: Deployment
    tokens: TokenEnergy
    active: Triple
    total: Triple
    #: Low, likely and high of servers' and of idle energy, each for a unit of the devices'.
    host: Triple
    idle: Triple
    place: Place
    device: Accelerator
    watts: float | None = None
    #: What was assumed, in words.
    assumed: tuple[str, ...] = ()


class Served(msgspec.Struct, frozen=True):
    """A model as the configuration has it.

    ``upstream`` is the provider's name for it, ``kind`` the kind of provider, ``region`` a zone that the provider's own
    settings name or "", ``local`` whether it runs on this machine, ``cores`` how many are busy then.
    """

    model: str
    upstream: str
    provider: str
    kind: str
    region: str = ""
    local: bool = False
    cores: int = 1


def profile(served: Served, energy: EnergyConfig, own: ModelEnergyConfig | None = None) -> Profile:
    """Return what is known of ``served``."""
    given = own or ModelEnergyConfig()
    assumed: list[str] = []
    total, active = _size(served, given, assumed)
    device = _device(served, given, assumed)
    batch = _batch(served, given, assumed)
    machine = _machine(device)

    def deployment(size: int, many: int) -> Deployment:
        of = Size(total[size], active[size], given.bits)
        return Deployment(of, machine, given.count or _count(of, device), batch[many])

    likely = deployment(1, 1)
    # What is guessed apart is off apart: the largest size does not come with the smallest batch.
    others = [(deployment(0, 1), deployment(2, 1)), (deployment(1, 0), deployment(1, 2))]
    guessed = given.accelerator is None and not served.local
    tokens = _widened(
        token_energy(likely),
        _UNKNOWN_DEVICE if guessed else CERTAIN,
        [(token_energy(low), token_energy(high)) for low, high in others],
    )
    host = _HOST_W / machine.busy_w if device.kind == "gpu" else 0.0
    by_time = served.local and given.accelerator is None
    return Profile(
        served.model,
        "assumed" if assumed else "modelled",
        likely,
        tokens,
        active,
        total,
        _around(given.host, host, _HOST),
        _around(given.idle, 0.0 if served.local else _IDLE, _IDLE_SPREAD),
        _place(served, energy),
        device,
        (given.cores or served.cores) * given.watts_per_core if by_time else None,
        tuple(assumed),
    )


def _size(served: Served, given: ModelEnergyConfig, assumed: list[str]) -> tuple[Triple, Triple]:
    if given.params is not None:
        active = given.active or given.params
        return (given.params,) * 3, (active,) * 3
    row: ModelSize | None = guess_size(served.upstream or served.model) or guess_size(served.model)
    if row is None:
        assumed.append("its size is not known")
        totals, actives = zip(*_SIZES, strict=True)
        return _triple(totals), _triple(actives)
    if row.closed:
        assumed.append("its vendor does not publish its size")
    elif row.total_range is not None:
        assumed.append("its size is what its name says")
    low, high = row.total_interval()
    least, most = row.active_interval()
    return (low, row.total_b, high), (least, row.active_b, most)


def _triple(numbers: tuple[float, ...]) -> Triple:
    low, likely, high = numbers
    return low, likely, high


def _device(served: Served, given: ModelEnergyConfig, assumed: list[str]) -> Accelerator:
    if given.accelerator is not None:
        return find_accelerator(given.accelerator)
    if served.local:
        return find_accelerator("CPU")
    assumed.append("its devices are not known: H100 taken")
    return find_accelerator("H100")


def _batch(served: Served, given: ModelEnergyConfig, assumed: list[str]) -> Triple:
    if given.batch is not None:
        return (given.batch,) * 3
    if served.local:
        return (1.0, 1.0, 1.0)
    assumed.append("its batch is not known: 64 taken")
    return _BATCHES


def _count(size: Size, device: Accelerator) -> int:
    """Return the devices that the weights and what serving takes beside need, a power of two."""
    if device.kind != "gpu":
        return 1
    return int(2 ** ceil(log2(ceil(_WEIGHTS_AND_ROOM * size.total_b * size.bits / 8 / device.memory_gib))))


def _machine(device: Accelerator) -> Machine:
    # A device whose makers keep its power to themselves is taken as one of the common ones.
    limit = device.tdp_w or 700.0
    busy = device.typical_w[1] if device.typical_w is not None else limit * _BUSY
    return Machine(
        device.bandwidth_gbs,
        device.peak("bf16"),
        busy,
        limit,
        float(device.name in _LATER),
        device.name in _FITTED,
    )


def _widened(likely: TokenEnergy, device: Spread, others: Sequence[tuple[TokenEnergy, TokenEnergy]]) -> TokenEnergy:
    """Return ``likely``, its intervals wide enough for another ``device`` and for both ends of what was guessed."""

    def ratio(low: float, middle: float, high: float) -> Spread:
        return Spread(min(1.0, low / middle), max(1.0, high / middle))

    wrote = likely.joules(0.0, 1.0, _CONTEXT)
    reads = [ratio(low.input_j, likely.input_j, high.input_j) for low, high in others]
    writes = [ratio(low.joules(0.0, 1.0, _CONTEXT), wrote, high.joules(0.0, 1.0, _CONTEXT)) for low, high in others]
    return msgspec.structs.replace(
        likely,
        read_spread=combine((likely.read_spread, device, *reads)),
        spread=combine((likely.spread, device, *writes)),
    )


def _around(given: float | None, usual: float, spread: Spread) -> Triple:
    if given is not None:
        return (given,) * 3
    return usual * spread.low, usual, usual * spread.high


def _place(served: Served, energy: EnergyConfig) -> Place:
    own = energy.providers.get(served.provider)
    if served.local:
        own = own or PlaceConfig(zone=energy.zone, pue=energy.pue, wue=energy.wue, market=energy.market)
        vendor = find_vendor("")
        hint = "say where it is: energy.zone"
    else:
        own = own or PlaceConfig()
        vendor = find_vendor(served.kind)
        hint = f"say where the provider computes: energy.providers.{served.provider}.zone"
    said = own.zone or served.region
    zone = find_zone(said or vendor.zone) if said or vendor.zone else None
    market = own.market if own.market is not None else vendor.market
    return Place(
        zone,
        (own.pue,) * 3 if own.pue is not None else vendor.pue,
        (own.wue,) * 3 if own.wue is not None else vendor.wue,
        market,
        bool(said),
        "" if zone is not None else hint,
        "" if market is not None else "no figure after contracts is known; give one as 'market'",
    )
