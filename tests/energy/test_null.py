"""What stands in where there is nothing says so, and every meter is one."""

from pathlib import Path

import pytest

from mainstay.energy.null import NullIntensities, NullMeter
from mainstay.energy.port import Intensities, Meter
from mainstay.energy.processor import Processor
from mainstay.energy.rapl import open_rapl

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("kind", ["null", "rapl", "processor"])
def test_every_meter_reads_a_figure_or_a_reason_and_may_be_closed_twice(kind: str, tmp_path: Path) -> None:
    meters: dict[str, Meter] = {
        "null": NullMeter("nvml", "no card"),
        "rapl": open_rapl(tmp_path),
        "processor": Processor([1], 6.0, tmp_path),
    }
    meter = meters[kind]
    found = meter.read()
    assert (found.joules is None) == bool(found.reason)
    assert meter.name
    assert meter.boundary == "accelerator"
    assert meter.method in ("measured", "modelled")
    meter.close()
    meter.close()


async def test_no_source_knows_no_intensity() -> None:
    source: Intensities = NullIntensities()
    assert await source.fetch() is None
