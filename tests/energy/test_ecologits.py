"""The published method gives what the package gives, to a part in a thousand million."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.energy.ecologits import VERSION, impacts, token_seconds

GOLDEN = json.loads(Path(__file__).with_name("ecologits_0_11_3.json").read_text())


@pytest.mark.parametrize("row", GOLDEN["rows"], ids=str)
def test_every_golden_case_is_met_to_a_part_in_a_thousand_million(row: list[float]) -> None:
    active, total, output, pue, wue, grid_kg, grid_l, seconds, *expected = row
    found = impacts(active, total, output, pue=pue, wue=wue, grid_kg=grid_kg, grid_l=grid_l, seconds=seconds)
    got = [found.energy_kwh, found.usage_kg, found.embodied_kg, found.water_l]
    assert got == pytest.approx(expected, rel=1e-9, abs=1e-21)


def test_there_are_enough_golden_cases_and_their_version_is_the_one_named() -> None:
    assert len(GOLDEN["rows"]) >= 50
    assert VERSION in GOLDEN["made_by"]


@given(st.floats(0.1, 2000), st.floats(0, 1, exclude_min=True), st.floats(1, 1e5), st.floats(0, 1e5) | st.none())
def test_a_time_that_was_measured_only_ever_lowers_it(
    total: float, share: float, output: float, seconds: float | None
) -> None:
    whole = impacts(total * share, total, output, pue=1.2, wue=0.5, grid_kg=0.4)
    cut = impacts(total * share, total, output, pue=1.2, wue=0.5, grid_kg=0.4, seconds=seconds)
    assert 0 < cut.energy_kwh <= whole.energy_kwh
    if seconds is None or seconds >= output * token_seconds(total * share):
        assert cut == whole
