"""The footprint of a call, found when its record settles: energy, carbon both ways, hardware's share, and water.

Everything that does not depend on the call is worked out beforehand, once per model; what is left is arithmetic on a
few numbers. Pure; knows nothing of records.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from mainstay.core.usage import Usage
from mainstay.energy import ecologits
from mainstay.energy.estimate import CERTAIN, Boundary, Estimate, Method, Spread, combine
from mainstay.energy.grid import Triple, world_intensity
from mainstay.energy.profile import Profile

__all__ = ["Footprint", "Footprints", "Row", "estimates"]

_JOULES: Final = 3600.0
#: Years that hardware serves, in seconds, and the share of them that it works.
_LIFE_S: Final = 4 * 365.25 * 86400
_WORKING: Final = 0.5
#: Of a server without its devices, for each of eight (EcoLogits 0.11, methodology).
_SERVER_KG: Final = 5700 / 8
#: What an hour or a part of a grid is from the average of its year, and what a guess of the place adds.
_GRID: Final = Spread(0.7, 1.35)
_GUESSED_GRID: Final = Spread(0.3, 1.6)
#: A core's watts and the share of its time that a call had; a meter and how it is shared.
_CORES: Final = Spread(0.4, 2.0)
_METER: Final = Spread(0.9, 1.12)
#: The call whose length stands for others when targets are compared: tokens before the one that is written.
_CONTEXT: Final = 1000.0


class Footprint(msgspec.Struct, frozen=True, gc=False):
    """What one call took, data centre included; ``low`` and ``high`` bound its 80 % interval. None: not known."""

    energy_wh: float
    energy_low_wh: float
    energy_high_wh: float
    #: Grams of CO2 equivalent: of the grid where it was computed, after contracts, and of making the hardware.
    carbon_g: float | None
    carbon_market_g: float | None
    embodied_g: float | None
    water_ml: float | None
    method: Method


class Row(msgspec.Struct, frozen=True, gc=False):
    """One model's numbers. Energies are Wh with the data centre's overhead in them, by token, second or joule."""

    method: Method
    #: For a token read, and low and high for it.
    read: float = 0.0
    read_low: float = 0.0
    read_high: float = 0.0
    #: For a token written: ``scale * (base + slope * context) ** power``.
    scale: float = 0.0
    base: float = 0.0
    slope: float = 0.0
    power: float = 1.0
    write_low: float = 1.0
    write_high: float = 1.0
    #: For a second, where the time tells instead of the tokens.
    second: float | None = None
    #: For a joule at the devices: what a meter of theirs tells.
    joule: float = 0.0
    joule_low: float = 1.0
    joule_high: float = 1.0
    #: For a Wh: grams, grams after contracts, grams of hardware, mL.
    carbon: float | None = None
    market: float | None = None
    embodied: float | None = None
    water: float | None = None
    #: The published method's, when it is chosen: kWh of its cards by token, of its servers by second, seconds by token.
    card: float | None = None
    server: float = 0.0
    slowness: float = 0.0
    #: Grams by second, then.
    made: float = 0.0

    def of(self, usage: Usage, seconds: float) -> Footprint:
        """Return the footprint of a call that took ``usage`` and ``seconds``. Cached input was computed before."""
        written = usage.output
        if self.card is not None:
            return self._published(written, seconds)
        if self.second is not None:
            energy = self.second * seconds
            return self._footprint(energy, energy * self.write_low, energy * self.write_high, self.method)
        read = usage.input - usage.cache_read
        context = usage.input + written * 0.5
        reading = self.read * read
        writing: float = self.scale * (self.base + self.slope * context) ** self.power * written
        return self._footprint(
            reading + writing,
            self.read_low * read + self.write_low * writing,
            self.read_high * read + self.write_high * writing,
            self.method,
        )

    def of_measured(self, joules: float) -> Footprint:
        """Return the footprint of a call to which a meter of the devices gives ``joules``."""
        energy = self.joule * joules
        return self._footprint(energy, energy * self.joule_low, energy * self.joule_high, "measured")

    def _published(self, written: int, seconds: float) -> Footprint:
        assert self.card is not None
        took = written * self.slowness
        if 0.0 < seconds < took:
            took = seconds
        energy = self.card * written + self.server * took
        carbon, market, water = self.carbon, self.market, self.water
        return Footprint(
            energy,
            energy * self.write_low,
            energy * self.write_high,
            None if carbon is None else carbon * energy,
            None if market is None else market * energy,
            self.made * took,
            None if water is None else water * energy,
            "ecologits",
        )

    def _footprint(self, energy: float, low: float, high: float, method: Method) -> Footprint:
        carbon, market, embodied, water = self.carbon, self.market, self.embodied, self.water
        return Footprint(
            energy,
            low,
            high,
            None if carbon is None else carbon * energy,
            None if market is None else market * energy,
            None if embodied is None else embodied * energy,
            None if water is None else water * energy,
            method,
        )


class Footprints:
    """Every model's numbers, by its name in the configuration."""

    __slots__ = ("_profiles", "_published", "_rows")

    def __init__(self, profiles: Iterable[Profile], *, published: bool = False) -> None:
        self._profiles = {profile.model: profile for profile in profiles}
        self._published = published
        self._rows: Mapping[str, Row] = {name: self._row(profile) for name, profile in self._profiles.items()}

    def of(self, model: str, usage: Usage | None, seconds: float) -> Footprint | None:
        """Return the footprint of a call of ``model`` that took ``usage`` and ``seconds`` of its time; None when the
        model is not known or nobody knows what the call took."""
        row = self._rows.get(model)
        if row is None or usage is None:
            return None
        return row.of(usage, seconds)

    def of_measured(self, model: str, joules: float) -> Footprint | None:
        """Return the footprint of a call of ``model`` to which a meter of its devices gives ``joules``."""
        row = self._rows.get(model)
        return row.of_measured(joules) if row is not None else None

    def profile(self, model: str) -> Profile | None:
        """Return what is known of ``model``."""
        return self._profiles.get(model)

    def coefficients(self, model: str) -> tuple[float, float] | None:
        """Return grams of CO2 for a million tokens read and written, for choosing only: where no grid is known, the
        world's average stands in, so that models can be compared at all."""
        found = self._profiles.get(model)
        if found is None:
            return None
        grams = found.place.zone.grams if found.place.zone is not None else world_intensity()
        row = _modelled(found, grams / 1000)
        each = row.scale * float((row.base + row.slope * _CONTEXT) ** row.power)
        return row.read * 1e6 * grams / 1000, each * 1e6 * grams / 1000

    def with_intensity(self, grams: Mapping[str, float]) -> "Footprints":
        """Return the same with today's ``grams`` per kWh for the zones named."""
        new = Footprints((), published=self._published)
        new._profiles = self._profiles
        rows = {}
        for name, row in self._rows.items():
            zone = self._profiles[name].place.zone
            today = grams.get(zone.name) if zone is not None else None
            rows[name] = row if today is None else msgspec.structs.replace(row, carbon=today / 1000)
        new._rows = rows
        return new

    def explain(self, model: str, usage: Usage, seconds: float = 0.0) -> tuple[Estimate, ...]:
        """Return energy, carbon by location, carbon after contracts, carbon of hardware, and water of one call, each
        with its interval and, where it is not known, the reason.

        Raises:
            KeyError: the model is not known.
        """
        found, row = self._profiles[model], self._rows[model]
        if row.second is not None and not seconds:
            row = _modelled(found, row.carbon)
        return estimates(found, row.of(usage, seconds))

    def _row(self, found: Profile) -> Row:
        grams = found.place.zone.grams / 1000 if found.place.zone is not None else None
        return _published(found, grams) if self._published and found.watts is None else _row(found, grams)


def _overhead(found: Profile) -> tuple[float, Spread]:
    """Return what a joule at the devices is at the meter of the data centre, and how far off that may be."""
    place = found.place
    factors = [
        place.pue,
        _triple(1 + share for share in found.host),
        _triple(1 + share for share in found.idle),
    ]
    likely = factors[0][1] * factors[1][1] * factors[2][1]
    return likely, combine([Spread(low / middle, high / middle) for low, middle, high in factors])


def _triple(numbers: Iterable[float]) -> Triple:
    low, likely, high = numbers
    return low, likely, high


def _shares(found: Profile, overhead: float, carbon: float | None) -> dict[str, Any]:
    """Return what goes with each Wh: the fields of ``Row`` for grams and mL."""
    place, device = found.place, found.device
    water = embodied = None
    if place.zone is not None:
        water = place.wue[1] / place.pue[1] + place.zone.water_l + place.zone.reservoir_l
    if device.embodied_kg is not None:
        kilograms = device.embodied_kg + (_SERVER_KG if device.kind == "gpu" else 0.0)
        device_seconds = _JOULES / overhead / found.deployment.machine.busy_w
        embodied = device_seconds * kilograms * 1000 / (_LIFE_S * _WORKING)
    market = place.market / 1000 if place.market is not None else None
    return {"carbon": carbon, "market": market, "embodied": embodied, "water": water}


def _row(found: Profile, carbon: float | None) -> Row:
    if found.watts is None:
        return _modelled(found, carbon)
    overhead, spread = _overhead(found)
    spread = combine((_CORES, spread))
    row = _modelled(found, carbon)
    return msgspec.structs.replace(
        row,
        second=found.watts * overhead / _JOULES / found.deployment.batch,
        write_low=spread.low,
        write_high=spread.high,
    )


def _modelled(found: Profile, carbon: float | None) -> Row:
    tokens = found.tokens
    overhead, spread = _overhead(found)
    each = overhead / _JOULES
    read, write = combine((tokens.read_spread, spread)), combine((tokens.spread, spread))
    meter = combine((_METER, spread))
    return Row(
        found.method,
        tokens.input_j * each,
        tokens.input_j * each * read.low,
        tokens.input_j * each * read.high,
        tokens.scale * each,
        tokens.base_j,
        tokens.context_j,
        tokens.power,
        write.low,
        write.high,
        joule=each,
        joule_low=meter.low,
        joule_high=meter.high,
        **_shares(found, overhead, carbon),
    )


def _published(found: Profile, carbon: float | None) -> Row:
    place = found.place

    def of(which: int, seconds: float | None) -> ecologits.Impacts:
        return ecologits.impacts(
            found.active[which], found.total[which], 1.0, pue=place.pue[1], wue=0.0, grid_kg=0.0, seconds=seconds
        )

    # Both parts are straight lines: of the tokens, and of the time that they take.
    whole, cards = [of(which, None) for which in range(3)], of(1, 0.0)
    slowness = ecologits.token_seconds(found.active[1])
    ends = Spread(*(min(1.0, whole[0].energy_kwh / whole[1].energy_kwh), whole[2].energy_kwh / whole[1].energy_kwh))
    overhead, _ = _overhead(found)
    shares = _shares(found, overhead, carbon)
    shares.pop("embodied")
    return Row(
        "ecologits",
        write_low=ends.low,
        write_high=max(1.0, ends.high),
        card=cards.energy_kwh * 1000,
        server=(whole[1].energy_kwh - cards.energy_kwh) * 1000 / slowness,
        slowness=slowness,
        made=whole[1].embodied_kg * 1000 / slowness,
        joule=overhead / _JOULES,
        **shares,
    )


def estimates(found: Profile, what: Footprint) -> tuple[Estimate, ...]:
    """Return ``what`` as estimates: energy, carbon by location, after contracts, of hardware, and water."""
    place, method = found.place, what.method
    boundary: Boundary = "datacentre"
    spread = CERTAIN
    if what.energy_wh:
        spread = Spread(what.energy_low_wh / what.energy_wh, what.energy_high_wh / what.energy_wh)
    grid = _GRID if place.said else _GUESSED_GRID
    wet = combine((spread, Spread(0.3, 2.0)))

    def figure(value: float | None, within: Spread, unit: str, reason: str) -> Estimate:
        if value is None:
            return Estimate.missing(unit, method, boundary, reason)
        return Estimate.around(value, within, unit, method, boundary)

    return (
        figure(what.energy_wh, spread, "Wh", ""),
        figure(what.carbon_g, combine((spread, grid)), "g", place.reason),
        figure(what.carbon_market_g, spread, "g", place.market_reason),
        figure(
            what.embodied_g,
            combine((spread, Spread(0.5, 2.0))),
            "g",
            f"what making the device takes is not known for {found.device.name}",
        ),
        figure(what.water_ml, wet, "mL", place.reason),
    )
