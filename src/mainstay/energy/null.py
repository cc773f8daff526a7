"""No meter and no source of intensities: what stands in where there is none, and says why."""

from mainstay.energy.estimate import Boundary, Method
from mainstay.energy.port import Reading, Series

__all__ = ["NullIntensities", "NullMeter"]


class NullMeter:
    """Measures nothing.

    Args:
        name: of the meter that is not there.
        reason: why it is not.
    """

    method: Method = "measured"
    boundary: Boundary = "accelerator"

    def __init__(self, name: str, reason: str) -> None:
        self.name = name
        self._reading = Reading(None, reason)

    def read(self) -> Reading:
        """Return that there is nothing, and why."""
        return self._reading

    def close(self) -> None:
        """Nothing is held."""


class NullIntensities:
    """Knows no intensity: yearly averages hold."""

    async def fetch(self) -> Series | None:
        """Return None."""
        return None
