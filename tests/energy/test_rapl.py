"""The processor's meter: what is counted, what wraps, and what is said where there is none."""

from pathlib import Path

import pytest

from mainstay.energy.rapl import Rapl, open_rapl


def zone(folder: Path, name: str, kind: str, microjoules: int, largest: int = 262_143_328_850) -> Path:
    path = folder / name
    path.mkdir(parents=True)
    (path / "name").write_text(f"{kind}\n")
    (path / "energy_uj").write_text(f"{microjoules}\n")
    (path / "max_energy_range_uj").write_text(f"{largest}\n")
    return path


def test_packages_and_memory_are_summed_and_cores_are_part_of_packages(tmp_path: Path) -> None:
    counted = [zone(tmp_path, "intel-rapl:0", "package-0", 5), zone(tmp_path, "intel-rapl:0:2", "dram", 7)]
    others = [zone(tmp_path, "intel-rapl:0:0", "core", 1), zone(tmp_path, "intel-rapl:1", "psys", 1)]
    others.append(zone(tmp_path, "intel-rapl-mmio:0", "package-0", 1))
    meter = open_rapl(tmp_path)
    assert meter.read().joules == 0.0
    for path in counted:
        (path / "energy_uj").write_text("2000007")
    for path in others:
        (path / "energy_uj").write_text("900000000")
    assert meter.read().joules == pytest.approx(2.000002 + 2.0)


def test_a_counter_that_wraps_goes_on(tmp_path: Path) -> None:
    package = zone(tmp_path, "intel-rapl:0", "package-0", 9_999_990, largest=9_999_999)
    meter = Rapl([package])
    for value in (0, 5_000_000, 10):
        (package / "energy_uj").write_text(str(value))
        found = meter.read()
    # Ten to the largest and one more, half-way round, and the rest with ten.
    assert found.joules == pytest.approx((10 + 5_000_000 + 5_000_000 + 10) / 1e6)


def test_where_there_is_no_counter_there_is_a_reason(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "absent"):
        meter = open_rapl(folder)
        assert meter.read().joules is None
        assert "virtual machines" in meter.read().reason
        meter.close()


def test_a_counter_that_may_not_be_read_says_who_may(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    zone(tmp_path, "intel-rapl:0", "package-0", 1)
    read = Path.read_text

    def refuse(path: Path) -> str:
        if path.name == "energy_uj":
            raise PermissionError(13, "Permission denied")
        return read(path)

    monkeypatch.setattr(Path, "read_text", refuse)
    assert "root only" in open_rapl(tmp_path).read().reason


def test_a_counter_that_goes_away_or_shows_no_number_has_a_reason_and_never_a_zero(tmp_path: Path) -> None:
    package = zone(tmp_path, "intel-rapl:0", "package-0", 1)
    meter = open_rapl(tmp_path)
    (package / "energy_uj").write_text("none")
    assert (meter.read().joules, meter.read().reason) == (None, "the energy counter shows no number")
    (package / "energy_uj").unlink()
    assert (meter.read().joules, meter.read().reason) == (None, "the energy counter is not there any more")
