"""Footprints of calls: what goes in, what comes out, what is None and why."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.core.usage import Usage
from mainstay.energy import ecologits
from mainstay.energy.config import EnergyConfig, ModelEnergyConfig
from mainstay.energy.footprint import Footprints
from mainstay.energy.profile import Served, profile

RENTED = Served("llama", "meta-llama/Llama-3.3-70B-Instruct", "pool", "vllm")
BOUGHT = Served("flash", "gemini-2.5-flash", "gemini", "gemini")
LOCAL = Served("small", "smollm2-135m-instruct", "house", "llamacpp", local=True, cores=4)
USAGE = Usage(input=1000, output=200)


def footprints(*, published: bool = False, energy: dict[str, Any] | None = None, **own: Any) -> Footprints:
    usual = {"zone": "DE", "pue": 1.0, "providers": {"pool": {"zone": "FR"}}}
    section = EnergyConfig.model_validate(usual if energy is None else energy)
    rented = ModelEnergyConfig.model_validate({"accelerator": "H100", "count": 4, "batch": 64} | own)
    profiles = [profile(RENTED, section, rented), profile(BOUGHT, section), profile(LOCAL, section)]
    return Footprints(profiles, published=published)


def test_energy_is_that_of_tokens_with_servers_idle_and_the_data_centre() -> None:
    found = footprints(host=0.25, idle=0.1, energy={"providers": {"pool": {"pue": 1.2}}})
    tokens = found.profile("llama").tokens  # type: ignore[union-attr]  # it is there
    expected = 1.25 * 1.1 * 1.2 * tokens.joules(1000, 200, 1100) / 3600
    assert found.of("llama", USAGE, 3.0).energy_wh == pytest.approx(expected)  # type: ignore[union-attr]  # likewise


def test_input_counts_unless_it_was_cached() -> None:
    found = footprints()
    long, cached = Usage(input=5000, output=200), Usage(input=5000, output=200, cache_read=4000)
    wh = [found.of("llama", usage, 1.0).energy_wh for usage in (USAGE, cached, long)]  # type: ignore[union-attr]  # known
    assert wh[0] < wh[1] < wh[2]


@given(st.integers(0, 200_000), st.integers(0, 20_000), st.floats(0, 600))
def test_every_figure_is_finite_and_within_its_interval(read: int, written: int, seconds: float) -> None:
    for published in (False, True):
        found = footprints(published=published)
        for model in ("llama", "flash", "small"):
            what = found.of(model, Usage(input=read, output=written), seconds)
            assert what is not None
            assert 0 <= what.energy_low_wh <= what.energy_wh * (1 + 1e-9)
            assert what.energy_wh <= what.energy_high_wh * (1 + 1e-9) < 1e9
            assert what.carbon_g is not None


def test_carbon_is_of_the_place_and_after_contracts_only_where_they_are_known() -> None:
    found = footprints()
    rented, bought = found.of("llama", USAGE, 1.0), found.of("flash", USAGE, 1.0)
    assert rented is not None
    assert rented.carbon_g == pytest.approx(rented.energy_wh * 56.0 / 1000)
    assert rented.carbon_market_g is None
    assert bought is not None
    assert bought.carbon_market_g == pytest.approx(bought.energy_wh * 94.0 / 1000)
    assert bought.method == "assumed"


def test_what_is_not_known_is_none_with_a_reason() -> None:
    found = footprints(energy={})
    energy, carbon, market, embodied, water = found.explain("small", USAGE, 2.0)
    assert energy.value == pytest.approx(24.0 * 2 * 1.25 / 3600)
    assert (carbon.value, carbon.reason) == (None, "say where it is: energy.zone")
    assert (water.value, water.reason) == (None, "say where it is: energy.zone")
    assert market.value is None
    assert market.reason
    assert embodied.value is None
    assert "CPU" in embodied.reason


def test_an_unknown_model_or_usage_has_no_footprint() -> None:
    found = footprints()
    assert found.of("other", USAGE, 1.0) is None
    assert found.of("llama", None, 1.0) is None
    assert found.of_measured("other", 1.0) is None
    assert found.coefficients("other") is None


def test_measured_joules_get_the_overhead_and_a_narrow_interval() -> None:
    found = footprints(host=0.2, idle=0.0, energy={"providers": {"pool": {"pue": 1.5, "zone": "FR"}}})
    what = found.of_measured("llama", 3600.0)
    assert what is not None
    assert (what.energy_wh, what.method) == (pytest.approx(1.8), "measured")
    assert what.energy_high_wh / what.energy_low_wh < 1.3
    assert what.carbon_g == pytest.approx(1.8 * 0.056)


def test_a_published_figure_equals_the_published_method() -> None:
    found = footprints(published=True, energy={"providers": {"pool": {"zone": "FR", "pue": 1.2, "wue": 0.5}}})
    for seconds in (0.0, 0.01, 100.0):
        what = found.of("llama", USAGE, seconds)
        grid_l = 1.81 + 1.76
        expected = ecologits.impacts(
            70.55, 70.55, 200, pue=1.2, wue=0.5, grid_kg=0.056, grid_l=grid_l, seconds=seconds or None
        )
        assert what is not None
        assert what.method == "ecologits"
        assert [what.energy_wh, what.carbon_g, what.embodied_g, what.water_ml] == pytest.approx(
            [
                expected.energy_kwh * 1000,
                expected.usage_kg * 1000,
                expected.embodied_kg * 1000,
                expected.water_l * 1000,
            ]
        )


def test_today_s_intensity_changes_carbon_by_location_and_nothing_else() -> None:
    before = footprints()
    after = before.with_intensity({"FRA": 20.0})
    old, new = before.of("llama", USAGE, 1.0), after.of("llama", USAGE, 1.0)
    assert old is not None
    assert new is not None
    assert new.carbon_g == pytest.approx(new.energy_wh * 0.020)
    assert (new.energy_wh, new.water_ml) == (old.energy_wh, old.water_ml)
    assert after.of("small", USAGE, 1.0) == before.of("small", USAGE, 1.0)


def test_models_are_compared_by_grams_for_a_million_tokens_wherever_they_are() -> None:
    read, written = footprints().coefficients("llama") or (0.0, 0.0)
    assert 0 < read < written
    nowhere = footprints(energy={}).coefficients("llama")
    assert nowhere is not None
    assert nowhere[1] > written


def test_google_s_own_measurement_lies_within_what_is_assumed_of_it() -> None:
    # Elsworth et al. 2025: 0.24 Wh for the median prompt; a few hundred tokens each way.
    energy, *_ = footprints().explain("flash", Usage(input=500, output=400))
    assert energy.low is not None
    assert energy.high is not None
    assert energy.low < 0.24 < energy.high
