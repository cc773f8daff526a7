"""The footprint of a call stands in its record, with the method named and a reason where there is none."""

import pytest

from mainstay.core.record import Attempt, Record
from mainstay.core.usage import Usage
from mainstay.energy.config import EnergyConfig, ModelEnergyConfig
from mainstay.energy.estimate import Boundary, Method
from mainstay.energy.footprint import Footprints
from mainstay.energy.port import Reading
from mainstay.energy.profile import Served, profile
from mainstay.energy.tally import Tally

CONFIG = EnergyConfig(zone="DE")


class Scripted:
    """A meter that counts what the test says."""

    name = "rapl"
    method: Method = "measured"
    boundary: Boundary = "accelerator"

    def __init__(self) -> None:
        self.joules: float | None = 0.0

    def read(self) -> Reading:
        return Reading(self.joules, "" if self.joules is not None else "there is none")


def footprints() -> Footprints:
    own = ModelEnergyConfig.model_validate({"params": 8, "accelerator": "H100", "count": 1, "batch": 32})
    return Footprints(
        [
            profile(Served("big", "llama-3.1-8b", "up", "openai"), CONFIG, own),
            profile(Served("mine", "smollm2-135m-instruct", "house", "llamacpp", local=True, cores=2), CONFIG),
        ]
    )


def record(*attempts: Attempt) -> Record:
    found = Record.opened("chat", "POST", "/v1/chat/completions")
    found.attempts = list(attempts)
    return found


def settled(tally: Tally, *attempts: Attempt) -> Record:
    found = record(*attempts)
    tally.renew(footprints(), frozenset({"mine"}))
    tally.settle(found)
    return found


def test_a_call_has_energy_with_its_interval_and_its_carbon() -> None:
    found = settled(Tally(), Attempt(target="big", usage=Usage(1000, 200), total_ms=900))
    assert found.energy_method == "modelled"
    assert found.energy_low_wh is not None
    assert found.energy_wh is not None
    assert found.energy_high_wh is not None
    assert 0 < found.energy_low_wh < found.energy_wh < found.energy_high_wh
    assert found.carbon_g is not None


def test_every_attempt_counts() -> None:
    one = settled(Tally(), Attempt(target="big", usage=Usage(1000, 200)))
    two = settled(Tally(), *[Attempt(target="big", usage=Usage(1000, 200)) for _ in range(2)])
    assert one.energy_wh is not None
    assert two.energy_wh == pytest.approx(2 * one.energy_wh)


def test_what_is_not_known_is_none_with_a_reason_and_never_zero() -> None:
    for attempt in (Attempt(target="echo", usage=Usage(1, 1)), Attempt(target="big")):
        found = settled(Tally(), attempt)
        assert found.energy_wh is None
        assert found.energy_method.startswith("none: ")


def test_no_attempt_takes_nothing_and_says_nothing() -> None:
    assert settled(Tally()).energy_method == ""


def test_a_local_model_is_measured_where_there_is_a_meter() -> None:
    meter = Scripted()
    tally = Tally([meter])
    call = record(Attempt(target="mine", usage=Usage(10, 10), offset_ms=0.0, total_ms=1000.0))
    tally.sample(call.at, 1)
    meter.joules = 3600.0
    tally.sample(call.at + 1000, 1)
    tally.renew(footprints(), frozenset({"mine"}))
    tally.settle(call)
    assert call.energy_method == "measured"
    assert call.energy_wh is not None
    assert call.energy_wh >= 1.0


def test_a_meter_that_cannot_be_read_measures_nothing() -> None:
    meter = Scripted()
    meter.joules = None
    found = settled(Tally([meter]), Attempt(target="mine", usage=Usage(10, 10), total_ms=1000.0))
    assert found.energy_method == "modelled"


def test_a_sum_is_no_better_known_than_its_least_known_part() -> None:
    vendor = Footprints([profile(Served("sold", "gpt-4o", "up", "openai"), EnergyConfig())])
    tally = Tally()
    tally.renew(vendor, frozenset())
    call = record(Attempt(target="sold", usage=Usage(10, 10)))
    tally.settle(call)
    assert call.energy_method == "assumed"
