"""NVIDIA's own meter (NVML), through the package ``nvidia-ml-py``: joules of each card.

Cards since Volta count energy; of older ones the power is summed over time as it is read, so they must be read often.
The library is passed in, or imported when a meter is opened; without it, or without a card, there is a reason.
"""

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

from mainstay.core.clock import monotonic
from mainstay.energy.estimate import Boundary, Method
from mainstay.energy.null import NullMeter
from mainstay.energy.port import Meter, Reading

__all__ = ["MISSING", "Nvml", "open_nvml"]

#: What to say where the package is not installed.
MISSING = "nvidia-ml-py is not installed; pip install 'mainstay[energy]'"


class Nvml:
    """Sums cards.

    Args:
        library: the module ``pynvml``, initialised.
        cards: their numbers; None: all.
        now: monotonic seconds.

    Raises:
        library.NVMLError: a card cannot be had.
    """

    name = "nvml"
    method: Method = "measured"
    boundary: Boundary = "accelerator"

    def __init__(self, library: Any, cards: Sequence[int] | None = None, now: Callable[[], float] = monotonic) -> None:
        self._library = library
        numbers = range(library.nvmlDeviceGetCount()) if cards is None else cards
        self._cards = [_Card(library, library.nvmlDeviceGetHandleByIndex(number), now) for number in numbers]

    def __len__(self) -> int:
        return len(self._cards)

    def read(self) -> Reading:
        """Return the joules since it was opened."""
        try:
            return Reading(sum(card.read() for card in self._cards))
        except self._library.NVMLError as error:
            return Reading(None, f"the cards' meter does not answer: {error}")

    def close(self) -> None:
        """Let go of the library."""
        try:
            self._library.nvmlShutdown()
        except self._library.NVMLError:
            return


class _Card:
    __slots__ = ("_at", "_handle", "_joules", "_library", "_now", "_start", "_watts")

    def __init__(self, library: Any, handle: Any, now: Callable[[], float]) -> None:
        self._library = library
        self._handle = handle
        self._now = now
        self._joules = 0.0
        self._start: float | None = None
        try:
            self._start = library.nvmlDeviceGetTotalEnergyConsumption(handle) / 1e3
        except library.NVMLError:
            # Older than Volta: power is all it tells.
            self._at = now()
            self._watts = library.nvmlDeviceGetPowerUsage(handle) / 1e3

    def read(self) -> float:
        if self._start is not None:
            total: float = self._library.nvmlDeviceGetTotalEnergyConsumption(self._handle) / 1e3
            # The counter begins anew when the driver is loaded anew.
            self._joules = max(self._joules, total - self._start)
            return self._joules
        now, watts = self._now(), self._library.nvmlDeviceGetPowerUsage(self._handle) / 1e3
        self._joules += (now - self._at) * (watts + self._watts) / 2
        self._at, self._watts = now, watts
        return self._joules


def open_nvml(library: Any = None, cards: Sequence[int] | None = None) -> Meter:
    """Return the meter of this machine's NVIDIA cards, or a Null that says why there is none."""
    if library is None:
        try:
            library = import_module("pynvml")
        except ImportError:
            return NullMeter("nvml", MISSING)
    try:
        library.nvmlInit()
    except library.NVMLError as error:
        return NullMeter("nvml", f"there is no NVIDIA card, or no driver: {error}")
    try:
        meter = Nvml(library, cards)
    except library.NVMLError as error:
        library.nvmlShutdown()
        return NullMeter("nvml", f"the cards' meter does not answer: {error}")
    if not len(meter):
        meter.close()
        return NullMeter("nvml", "there is no NVIDIA card")
    return meter
