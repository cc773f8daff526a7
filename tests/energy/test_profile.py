"""What is known of a model's computing, and what is said to be assumed."""

from typing import Any

import pytest

from mainstay.energy.config import EnergyConfig, ModelEnergyConfig
from mainstay.energy.profile import Profile, Served, profile


def known(served: Served, energy: dict[str, Any] | None = None, **own: Any) -> Profile:
    return profile(served, EnergyConfig.model_validate(energy or {}), ModelEnergyConfig.model_validate(own))


RENTED = Served("llama", "meta-llama/Llama-3.3-70B-Instruct", "pool", "vllm")
BOUGHT = Served("mini", "gpt-4o-mini", "openai", "openai")
LOCAL = Served("small", "smollm2-135m-instruct", "house", "llamacpp", local=True, cores=4)


def test_with_size_device_and_batch_known_it_is_modelled() -> None:
    found = known(RENTED, accelerator="H100", count=4, batch=64)
    assert (found.method, found.assumed) == ("modelled", ())
    assert found.deployment.count == 4
    assert found.deployment.size.total_b == pytest.approx(70.55)
    assert (found.tokens.spread.low, found.tokens.spread.high) == pytest.approx((0.68, 1.52))


def test_devices_that_nobody_counted_are_as_many_as_the_weights_need() -> None:
    assert known(RENTED, accelerator="H100", batch=64).deployment.count == 4
    assert known(RENTED, accelerator="H100", batch=64, bits=4).deployment.count == 1
    assert known(RENTED, accelerator="B200", batch=64).deployment.count == 1


@pytest.mark.parametrize(
    ("served", "own", "words"),
    [
        (BOUGHT, {"accelerator": "H100", "batch": 64}, ["does not publish its size"]),
        (RENTED, {"accelerator": "H100"}, ["batch"]),
        (RENTED, {"batch": 8}, ["devices"]),
        (Served("x", "mystery", "p", "openai"), {"accelerator": "L4", "batch": 1}, ["size is not known"]),
        (Served("x", "acme-13b", "p", "openai"), {"accelerator": "L4", "batch": 1}, ["what its name says"]),
        (BOUGHT, {}, ["size", "devices", "batch"]),
    ],
)
def test_what_is_not_known_is_assumed_said_and_widens_the_interval(
    served: Served, own: dict[str, Any], words: list[str]
) -> None:
    found, sure = known(served, **own), known(served, **{"params": 70, "accelerator": "L4", "batch": 64} | own)
    assert found.method == "assumed"
    assert len(found.assumed) == len(words)
    assert all(word in text for word, text in zip(words, found.assumed, strict=True))
    if found.assumed != sure.assumed:
        assert found.tokens.spread.high / found.tokens.spread.low > sure.tokens.spread.high / sure.tokens.spread.low


def test_a_local_engine_without_a_device_is_modelled_from_its_time() -> None:
    assert known(LOCAL).watts == pytest.approx(24.0)
    assert known(LOCAL, cores=8, watts_per_core=10).watts == pytest.approx(80.0)
    assert known(LOCAL, accelerator="RTX 4090").watts is None
    assert known(LOCAL).idle == (0, 0, 0)


def test_our_own_machines_stand_where_the_configuration_says_and_vendors_where_they_do() -> None:
    energy = {"zone": "DE", "pue": 1.4, "market": 0, "providers": {"pool": {"zone": "gcp:europe-west4", "wue": 2}}}
    own, rented, bought = known(LOCAL, energy).place, known(RENTED, energy).place, known(BOUGHT, energy).place
    assert own.zone is not None
    assert (own.zone.name, own.pue, own.market, own.said) == ("DEU", (1.4,) * 3, 0, True)
    assert rented.zone is not None
    assert (rented.zone.name, rented.wue, rented.market, rented.said) == ("gcp:europe-west4", (2,) * 3, None, True)
    assert bought.zone is not None
    assert (bought.zone.name, bought.pue[1], bought.said) == ("USA", 1.17, False)


def test_a_place_that_nobody_said_has_a_reason_that_says_which_setting_is_missing() -> None:
    assert known(LOCAL).place.reason == "say where it is: energy.zone"
    assert "energy.providers.pool.zone" in known(RENTED).place.reason
    assert known(RENTED).place.zone is None


def test_the_region_of_a_providers_own_settings_is_where_it_computes() -> None:
    found = known(Served("c", "claude-haiku-4-5", "aws", "bedrock", "aws:eu-central-1")).place
    assert found.zone is not None
    assert (found.zone.name, found.said, found.pue[1]) == ("aws:eu-central-1", True, 1.14)
