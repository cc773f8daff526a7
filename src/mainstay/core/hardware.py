"""What language models run on: a row per device, from data sheets, with what was measured and what it costs to hire.

Rows stand in ``hardware.toml`` and are read when something first asks. Peaks are data-sheet peaks: what an engine
reaches of them is for ``planning/`` to say. Knows nothing of the machine it runs on.
"""

import tomllib
from functools import cache
from pathlib import Path

import msgspec

from mainstay.core.errors import ConfigError
from mainstay.core.names import closest, plain

__all__ = ["Accelerator", "all_accelerators", "find_accelerator"]

_ROWS = Path(__file__).with_name("hardware.toml")


class Accelerator(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One device. What is not known is None, never a guess.

    ``memory_gib`` is what its driver reports (GiB), ``bandwidth_gbs`` the bandwidth of that memory and ``link_gbs``
    that to a neighbouring device in one direction (GB/s; 0 when it has none), ``tflops`` dense peaks by precision.
    """

    name: str
    aliases: tuple[str, ...] = ()
    #: ``gpu`` (any card or chip with memory of its own), ``unified`` (memory shared with the processor) or ``cpu``.
    kind: str = "gpu"
    memory_gib: float
    bandwidth_gbs: float
    tflops: dict[str, float]
    link_gbs: float = 0.0
    #: The most it may draw, in watts: a limit, not what it draws.
    tdp_w: float | None = None
    #: Watts of one device while it serves: p10, p50, p90 of what was measured.
    typical_w: tuple[float, float, float] | None = None
    #: US dollars per hour on demand, a reference figure; ``priced`` says when and where.
    usd_per_hour: float | None = None
    priced: str = ""
    #: Making it, in kg of CO2 equivalent.
    embodied_kg: float | None = None
    source: str

    def peak(self, precision: str) -> float:
        """Return the peak in TFLOPS at ``precision``; where it has none, that of the next wider one it computes in.

        Weights of four bits are unpacked and multiplied at 16: they save bandwidth, not arithmetic.
        """
        ladder = {"fp8": ("fp8", "bf16"), "int8": ("int8", "bf16"), "fp32": ("fp32",), "fp16": ("fp16", "bf16")}
        for step in (*ladder.get(precision, ("bf16",)), "bf16", "fp16", "fp32"):
            if step in self.tflops:
                return self.tflops[step]
        return max(self.tflops.values())


@cache
def all_accelerators() -> tuple[Accelerator, ...]:
    """Return every row, in the table's order."""
    with _ROWS.open("rb") as file:
        return tuple(msgspec.convert(tomllib.load(file)["accelerator"], list[Accelerator]))


@cache
def _by_name() -> dict[str, Accelerator]:
    return {plain(name): row for row in all_accelerators() for name in (row.name, *row.aliases)}


def find_accelerator(name: str) -> Accelerator:
    """Return the device called ``name``, whatever its case and hyphens: ``H100``, ``a100-40gb``, ``NVIDIA L4``.

    Raises:
        ConfigError: no row has that name; the message gives the nearest.
    """
    rows = _by_name()
    sought = plain(name)
    for attempt in (sought, sought.removeprefix("nvidia-"), sought.removeprefix("amd-"), sought.replace("-", "")):
        if attempt in rows:
            return rows[attempt]
    near = closest(name, (each for row in all_accelerators() for each in (row.name, *row.aliases)))
    hint = (
        f"did you mean {' or '.join(repr(each) for each in near)}?" if near else "'mainstay plan devices' lists them."
    )
    raise ConfigError(f"There is no device '{name[:64]}' in the table: {hint}")
