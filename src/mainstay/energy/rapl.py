"""The processor's own meter (RAPL) as Linux shows it: packages and their memory, in joules.

Counters wrap; what they counted before is kept here, so they must be read more often than they wrap (minutes). Virtual
machines rarely have them and only root may read them on most systems; then there is a reason instead of a figure.
Whole machines are counted, never one process: ``sharing.py`` divides.
"""

from pathlib import Path

from mainstay.energy.estimate import Boundary, Method
from mainstay.energy.null import NullMeter
from mainstay.energy.port import Meter, Reading

__all__ = ["FOLDER", "Rapl", "open_rapl"]

#: Where Linux shows the counters.
FOLDER = Path("/sys/class/powercap")


class _Counter:
    """One zone's counter, made to go on where it wraps."""

    __slots__ = ("_before", "_joules", "_path", "_range")

    def __init__(self, zone: Path) -> None:
        self._path = zone / "energy_uj"
        self._range = _whole(zone / "max_energy_range_uj")
        self._before = _whole(self._path)
        self._joules = 0.0

    def read(self) -> float:
        now = _whole(self._path)
        passed = now - self._before
        if passed < 0:
            passed += self._range + 1
        self._before = now
        self._joules += passed / 1e6
        return self._joules


class Rapl:
    """Sums the zones given.

    Args:
        zones: folders with ``energy_uj`` and ``max_energy_range_uj``, none of them part of another.

    Raises:
        OSError, ValueError: one cannot be read.
    """

    name = "rapl"
    method: Method = "measured"
    boundary: Boundary = "accelerator"

    def __init__(self, zones: list[Path]) -> None:
        self._counters = [_Counter(zone) for zone in zones]

    def read(self) -> Reading:
        """Return the joules since it was opened."""
        try:
            return Reading(sum(counter.read() for counter in self._counters))
        except (OSError, ValueError) as error:
            return Reading(None, _why(error))

    def close(self) -> None:
        """Nothing is held between readings."""


def open_rapl(folder: Path = FOLDER) -> Meter:
    """Return the meter of this machine's processors, or a Null that says why there is none."""
    try:
        zones = [zone for zone in sorted(folder.iterdir()) if _counts(zone)]
        if not zones:
            return NullMeter("rapl", "this machine shows no energy counter; virtual machines rarely do")
        return Rapl(zones)
    except FileNotFoundError:
        return NullMeter("rapl", "this machine shows no energy counter; virtual machines rarely do")
    except (OSError, ValueError) as error:
        return NullMeter("rapl", _why(error))


def _counts(zone: Path) -> bool:
    """Whether ``zone`` is a package, or memory that no package counts; cores are parts of packages."""
    name = zone / "name"
    if not zone.name.startswith("intel-rapl:") or not name.is_file():
        return False
    kind = name.read_text().strip()
    return kind.startswith("package") or kind == "dram"


def _whole(path: Path) -> int:
    return int(path.read_text())


def _why(error: Exception) -> str:
    if isinstance(error, PermissionError):
        return "the energy counter may be read by root only; give this user leave to read energy_uj"
    if isinstance(error, ValueError):
        return "the energy counter shows no number"
    return "the energy counter is not there any more"
