"""What a unit of electricity means where it is drawn: grams of CO2 and litres of water; and where vendors compute.

Rows stand in ``data/`` with their sources and licences and are read when something first asks. They are averages of a
year and of a place; what an hour is like is for ``intensity.py``.
"""

import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from mainstay.core.errors import ConfigError
from mainstay.core.names import closest

__all__ = ["Vendor", "Zone", "all_zones", "find_vendor", "find_zone", "world_intensity"]

_DATA = Path(__file__).with_name("data")
Triple = tuple[float, float, float]


class Zone(msgspec.Struct, frozen=True):
    """A country's grid, or that of a cloud's region.

    ``grams`` of CO2 equivalent per kWh, the average of ``year``; ``water_l`` litres per kWh that cooling power stations
    takes, ``reservoir_l`` those that evaporate from reservoirs of hydropower (contested, so kept apart).
    """

    name: str
    place: str
    country: str
    grams: float
    year: int
    water_l: float
    reservoir_l: float


class Vendor(msgspec.Struct, frozen=True):
    """What a vendor, or its cloud, says of its data centres; ``pue`` and ``wue`` are low, likely, high."""

    name: str
    pue: Triple
    wue: Triple
    source: str
    #: Where most of it is assumed to stand, as a zone's name, or "".
    zone: str = ""
    #: Grams per kWh after contracts, where the vendor says it.
    market: float | None = None


@cache
def _table(name: str) -> dict[str, Any]:
    with (_DATA / f"{name}.toml").open("rb") as file:
        return tomllib.load(file)


@cache
def all_zones() -> dict[str, Zone]:
    """Return every zone by its name: countries by their three letters, regions as ``cloud:region``."""
    table = _table("grid")
    zones = {
        code: Zone(code, name, code, grams, year, water, reservoir)
        for code, (_, name, grams, year, water, reservoir) in table["countries"].items()
    }
    for name, (country, place, grams, year) in table["regions"].items():
        of = zones[country]
        zones[name] = Zone(name, place, country, grams, year, of.water_l, of.reservoir_l)
    return zones


@cache
def _short() -> dict[str, str]:
    """Return the code of a country by its two letters and by its name."""
    rows = _table("grid")["countries"].items()
    return {row[1].upper(): code for code, row in rows} | {row[0]: code for code, row in rows}


def find_zone(name: str) -> Zone:
    """Return the zone called ``name``: ``DE``, ``deu``, ``Germany``, ``aws:us-east-1``.

    Raises:
        ConfigError: there is none; the message gives the nearest.
    """
    zones = all_zones()
    upper = name.strip().upper()
    found = zones.get(name.strip().lower()) or zones.get(_short().get(upper, upper))
    if found is not None:
        return found
    near = closest(name, [*zones, *(zone.place for zone in zones.values())])
    hint = f"did you mean {' or '.join(near)}?" if near else "write a country (DE) or a cloud's region (aws:us-east-1)."
    raise ConfigError(f"There is no zone '{name[:64]}' in the table: {hint}")


def world_intensity() -> float:
    """Return the grams of CO2 per kWh of all the world's electricity."""
    return float(_table("grid")["world"]["intensity"])


def find_vendor(kind: str) -> Vendor:
    """Return what is known of the data centres behind providers of ``kind``; if nothing, what is usual."""
    table = _table("vendors")
    cloud = table["vendors"].get(kind, "unknown")
    row = table[cloud]
    pue, wue = (tuple(float(number) for number in row[name]) for name in ("pue", "wue"))
    assert len(pue) == len(wue) == 3
    return Vendor(cloud, pue, wue, row["source"], row.get("zone", ""), row.get("market"))
