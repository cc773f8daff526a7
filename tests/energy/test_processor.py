"""Processor time stands in for a meter, and says that it is modelled."""

import os
from pathlib import Path

import pytest

from mainstay.energy.processor import Processor


def process(folder: Path, number: int, user: int, system: int) -> None:
    (folder / str(number)).mkdir(exist_ok=True)
    rest = ["S", *["0"] * 10, str(user), str(system), "0", "0"]
    (folder / str(number) / "stat").write_text(f"{number} (a (very) odd) name) {' '.join(rest)}\n")


def test_seconds_of_all_processes_times_watts_are_joules(tmp_path: Path) -> None:
    process(tmp_path, 1, 150, 50)
    process(tmp_path, 2, 100, 0)
    meter = Processor([1, 2], 6.0, tmp_path, ticks=100)
    assert meter.read().joules == pytest.approx(3.0 * 6.0)
    assert meter.method == "modelled"


def test_what_a_process_took_stays_when_it_has_ended(tmp_path: Path) -> None:
    process(tmp_path, 1, 100, 100)
    meter = Processor([1], 5.0, tmp_path, ticks=100)
    before = meter.read()
    (tmp_path / "1" / "stat").unlink()
    assert meter.read() == before
    meter.close()


@pytest.mark.parametrize("text", ["", "1 (x) S 0", "1 (x) S 0 0 0 0 0 0 0 0 0 0 user system"])
def test_what_is_no_process_has_a_reason_and_never_a_zero(tmp_path: Path, text: str) -> None:
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "stat").write_text(text)
    for meter in (Processor([1], 5.0, tmp_path), Processor([], 5.0, tmp_path)):
        assert meter.read().joules is None
        assert "no such process" in meter.read().reason


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="this system shows no processes")
def test_this_very_process_has_used_some() -> None:
    sum(range(3_000_000))
    assert (Processor([os.getpid()], 6.0).read().joules or 0) > 0
