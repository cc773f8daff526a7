"""What the command line asks of this room: the meters that this machine has, and the footprint of an imagined call."""

from pathlib import Path
from typing import Any

import msgspec

from mainstay.core.usage import Usage
from mainstay.energy.config import EnergyConfig, ModelEnergyConfig
from mainstay.energy.footprint import Footprints
from mainstay.energy.nvml import open_nvml
from mainstay.energy.port import Meter
from mainstay.energy.profile import Profile, Served, profile
from mainstay.energy.rapl import FOLDER, open_rapl

__all__ = ["NAMES", "Report", "imagine", "open_meters"]

#: What the figures of a report are, in their order.
NAMES = ("energy", "carbon_location", "carbon_market", "carbon_embodied", "water")


class Report(msgspec.Struct, frozen=True):
    """The footprint of one imagined call, and what it was made from. ``figures`` maps a name to the fields of an
    ``Estimate``."""

    model: str
    input: int
    output: int
    method: str
    size_b: float
    active_b: float
    device: str
    count: int
    batch: float
    zone: str | None
    pue: float
    assumed: tuple[str, ...]
    figures: dict[str, dict[str, Any]]


def imagine(
    served: Served, energy: EnergyConfig, own: ModelEnergyConfig | None, usage: Usage, seconds: float = 0.0
) -> Report:
    """Return the footprint of a call of ``served`` that takes ``usage``."""
    found = profile(served, energy, own)
    numbers = Footprints((found,), published=energy.method == "ecologits")
    estimates = numbers.explain(served.model, usage, seconds)
    figures = {name: msgspec.structs.asdict(one) for name, one in zip(NAMES, estimates, strict=True)}
    return _report(found, usage, estimates[0].method, figures)


def _report(found: Profile, usage: Usage, method: str, figures: dict[str, dict[str, Any]]) -> Report:
    deployment, place = found.deployment, found.place
    return Report(
        found.model,
        usage.input,
        usage.output,
        method,
        deployment.size.total_b,
        deployment.size.active_b,
        found.device.name,
        deployment.count,
        deployment.batch,
        place.zone.name if place.zone is not None else None,
        place.pue[1],
        found.assumed,
        figures,
    )


def open_meters(folder: Path = FOLDER, library: Any = None) -> tuple[Meter, ...]:
    """Return every kind of meter of this machine, those that are not there included: they say why."""
    return open_rapl(folder), open_nvml(library)
