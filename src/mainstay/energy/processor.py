"""Where no meter exists: the processor time of our own engines, at so many watts for a busy core.

Modelled, not measured. Reads ``/proc``; elsewhere there is a reason instead of a figure.
"""

import os
from collections.abc import Sequence
from pathlib import Path

from mainstay.energy.estimate import Boundary, Method
from mainstay.energy.port import Reading

__all__ = ["PROC", "Processor"]

#: Where Linux shows processes.
PROC = Path("/proc")


class Processor:
    """Counts the processor seconds of processes, times watts.

    Args:
        processes: their ids.
        watts: of one busy core.
        folder: where processes are shown.
        ticks: of the processor's clock in a second; None: as the system says.
    """

    name = "processor"
    method: Method = "modelled"
    boundary: Boundary = "accelerator"

    def __init__(self, processes: Sequence[int], watts: float, folder: Path = PROC, ticks: int | None = None) -> None:
        self._files = [folder / str(process) / "stat" for process in processes]
        self._watts = watts
        self._ticks = ticks or os.sysconf("SC_CLK_TCK")
        self._most = [0] * len(self._files)

    def read(self) -> Reading:
        """Return the joules of all of them; what has ended counts as it last did."""
        seen = 0
        for place, file in enumerate(self._files):
            try:
                text = file.read_text()
            except OSError:
                continue
            # The name, in brackets, may hold anything; user and system time are the 14th and 15th fields.
            fields = text.rpartition(")")[2].split()
            try:
                self._most[place] = max(self._most[place], int(fields[11]) + int(fields[12]))
            except (IndexError, ValueError):
                continue
            seen += 1
        if not seen and not any(self._most):
            return Reading(None, "no such process is running, or this system shows no processes under /proc")
        return Reading(sum(self._most) / self._ticks * self._watts)

    def close(self) -> None:
        """Nothing is held between readings."""
