"""Puts the footprint of each call into its record: of all its attempts together, measured where there is a meter.

Asked once for each record: by the worker while it settles it where a meter counts, else by whoever loads it, since
nobody waits for the figure. A meter counts a machine, so it says what a call took only where one worker has all the
calls of the engines on it; otherwise, and for what is bought, it is modelled.
"""

from collections.abc import Sequence

from mainstay.core.record import Attempt, Record
from mainstay.energy.footprint import Footprint, Footprints
from mainstay.energy.port import Meter
from mainstay.energy.sharing import Sharing

__all__ = ["Tally"]

#: From the least to the best known.
_METHODS = ("assumed", "modelled", "ecologits", "measured")


class Tally:
    """Settles the energy of records.

    Args:
        meters: those of the machine that the local engines run on; none where its calls are spread over workers.
    """

    def __init__(self, meters: Sequence[Meter] = ()) -> None:
        self._meters = [meter for meter in meters if meter.read().joules is not None]
        self._sharing = Sharing()
        #: By the average of the year, and as they are today.
        self._usual: Footprints | None = None
        self._footprints: Footprints | None = None
        self._local: frozenset[str] = frozenset()

    @property
    def measures(self) -> bool:
        """Whether there is a meter that can be read."""
        return bool(self._meters)

    @property
    def idle_joules(self) -> float:
        """What the meters counted while no engine here was asked anything."""
        return self._sharing.idle

    def renew(self, footprints: Footprints | None, local: frozenset[str]) -> None:
        """Take in a new configuration: the numbers of its models, and which of them run on this machine."""
        self._usual = self._footprints = footprints
        self._local = local

    def shift(self, zone: str, grams: float | None) -> None:
        """Count by today's ``grams`` per kWh in ``zone`` from now on; None: by the average of the year."""
        if self._usual is not None:
            self._footprints = self._usual.with_intensity({zone: grams} if grams is not None else {})

    def sample(self, at: float, busy: int) -> None:
        """To be called several times a second: ``busy`` calls of local models are under way at wall-clock ms ``at``."""
        if not self._meters:
            return
        readings = [meter.read().joules for meter in self._meters]
        self._sharing.sample(at, sum(joules for joules in readings if joules is not None), busy)

    def settle(self, record: Record) -> None:
        """Put the footprint of all attempts into ``record``; where nothing is known, say why."""
        if self._footprints is None or not record.attempts or record.energy_method:
            return
        found = [one for attempt in record.attempts if (one := self._of(record, attempt)) is not None]
        if not found:
            known = any(self._footprints.profile(attempt.target) is not None for attempt in record.attempts)
            record.energy_method = f"none: {'nobody says what it took' if known else 'no model of its own was run'}"
            return
        record.energy_wh = sum([one.energy_wh for one in found])
        record.energy_low_wh = sum([one.energy_low_wh for one in found])
        record.energy_high_wh = sum([one.energy_high_wh for one in found])
        record.carbon_g = _sum([one.carbon_g for one in found])
        record.carbon_market_g = _sum([one.carbon_market_g for one in found])
        record.embodied_g = _sum([one.embodied_g for one in found])
        record.water_ml = _sum([one.water_ml for one in found])
        methods = {one.method for one in found}
        # Of several the weakest word: a sum is no better known than its least known part.
        record.energy_method = next(name for name in _METHODS if name in methods)

    def _of(self, record: Record, attempt: Attempt) -> Footprint | None:
        assert self._footprints is not None
        if self._meters and attempt.target in self._local:
            start = record.at + attempt.offset_ms
            joules = self._sharing.share(start, start + attempt.total_ms)
            if joules is not None:
                return self._footprints.of_measured(attempt.target, joules)
        return self._footprints.of(attempt.target, attempt.usage, attempt.total_ms / 1000)


def _sum(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None
