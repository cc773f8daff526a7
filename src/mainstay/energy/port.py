"""What this room needs from outside: meters of energy, and sources of carbon intensity."""

from typing import Protocol

import msgspec

from mainstay.energy.estimate import Boundary, Method

__all__ = ["Intensities", "Meter", "Point", "Reading", "Series"]


class Reading(msgspec.Struct, frozen=True):
    """A meter's counter: joules since a moment that stays the same for the life of the meter; or None and why not."""

    joules: float | None
    reason: str = ""


class Meter(Protocol):
    """Counts joules. Reading never raises: what cannot be read is None with a reason."""

    @property
    def name(self) -> str:
        """What it is: ``rapl``, ``nvml``, ``processor``."""
        ...

    @property
    def method(self) -> Method:
        """``measured``, or ``modelled`` where time is counted and watts are taken from a table."""
        ...

    @property
    def boundary(self) -> Boundary:
        """What its joules take in."""
        ...

    def read(self) -> Reading:
        """Return the counter; it never falls."""
        ...

    def close(self) -> None:
        """Let go of what it holds."""
        ...


class Point(msgspec.Struct, frozen=True):
    """From ``at`` (seconds since 1970) on, a kWh means ``grams`` of CO2 equivalent."""

    at: float
    grams: float


class Series(msgspec.Struct, frozen=True):
    """Carbon intensities of one zone over time, in order of time; the last holds until ``end``."""

    points: tuple[Point, ...]
    end: float
    #: ``average`` of what is generated, or ``marginal``: of what would be generated beside it.
    basis: str
    source: str


class Intensities(Protocol):
    """Where carbon intensities come from."""

    async def fetch(self) -> Series | None:
        """Return what is known now and ahead; None where nothing is.

        Raises:
            MainstayError, ValueError, OSError: it cannot be had now.
        """
        ...
