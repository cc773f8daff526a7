"""The cards' meter, over a library of the shape of pynvml that says what a test says."""

# ruff: noqa: N802 - the names are the library's own

from typing import Any

import pytest

from mainstay.energy.nvml import MISSING, Nvml, open_nvml


class NVMLError(Exception):
    pass


class Library:
    """Cards with millijoules counted, or (None) power only; watts; what fails."""

    NVMLError = NVMLError

    def __init__(self, energy: list[int | None], watts: float = 300.0) -> None:
        self.energy = energy
        self.watts = watts
        self.failing: set[str] = set()
        self.closed = 0

    def _may(self, name: str) -> None:
        if name in self.failing:
            raise NVMLError("Driver Not Loaded")

    def nvmlInit(self) -> None:
        self._may("init")

    def nvmlShutdown(self) -> None:
        self.closed += 1
        self._may("shutdown")

    def nvmlDeviceGetCount(self) -> int:
        return len(self.energy)

    def nvmlDeviceGetHandleByIndex(self, number: int) -> int:
        self._may("handle")
        return number

    def nvmlDeviceGetTotalEnergyConsumption(self, handle: int) -> int:
        self._may("energy")
        found = self.energy[handle]
        if found is None:
            raise NVMLError("Not Supported")
        return found

    def nvmlDeviceGetPowerUsage(self, handle: int) -> int:
        self._may("power")
        return int(self.watts * 1000)


def test_the_joules_of_all_cards_since_it_was_opened_are_summed() -> None:
    library = Library([10_000, 500_000])
    meter = open_nvml(library)
    library.energy = [12_500, 501_000]
    assert meter.read().joules == pytest.approx(2.5 + 1.0)
    assert open_nvml(library, cards=[1]).read().joules == 0.0


def test_an_old_card_that_only_tells_its_power_is_summed_over_time() -> None:
    library, clock = Library([None], watts=100.0), [0.0]
    meter = Nvml(library, now=lambda: clock[0])
    clock[0], library.watts = 10.0, 200.0
    assert meter.read().joules == pytest.approx(1500.0)
    clock[0] = 20.0
    assert meter.read().joules == pytest.approx(3500.0)


def test_a_counter_that_begins_anew_never_falls() -> None:
    library = Library([10_000])
    meter = open_nvml(library)
    library.energy = [30_000]
    assert meter.read().joules == pytest.approx(20.0)
    library.energy = [0]
    assert meter.read().joules == pytest.approx(20.0)


@pytest.mark.parametrize(
    ("library", "failing", "reason"),
    [
        (Library([]), set(), "there is no NVIDIA card"),
        (Library([1]), {"init"}, "there is no NVIDIA card, or no driver: Driver Not Loaded"),
        (Library([1]), {"handle"}, "the cards' meter does not answer: Driver Not Loaded"),
    ],
)
def test_where_it_cannot_be_had_there_is_a_reason(library: Any, failing: set[str], reason: str) -> None:
    library.failing = failing
    assert open_nvml(library).read() == type(open_nvml(library).read())(None, reason)


def test_a_card_that_falls_off_the_bus_has_a_reason_and_never_a_zero() -> None:
    library = Library([1])
    meter = open_nvml(library)
    library.failing = {"energy"}
    assert meter.read().joules is None
    assert "does not answer" in meter.read().reason
    meter.close()
    library.failing = {"shutdown"}
    meter.close()
    assert library.closed == 2


def test_without_the_package_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pynvml", None)
    assert open_nvml().read().reason == MISSING
