"""What people write under ``energy:`` and ``models.NAME.energy``, and what they are told when it is wrong."""

from typing import Any

import pytest
from pydantic import ValidationError

from mainstay.config.schema import Config
from mainstay.energy.config import EnergyConfig, ModelEnergyConfig


def test_names_of_zones_and_devices_become_those_of_the_tables() -> None:
    assert EnergyConfig.model_validate({"zone": "de"}).zone == "DEU"
    assert ModelEnergyConfig.model_validate({"accelerator": "h100"}).accelerator == "H100 SXM"


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ({"zone": "Germny"}, "Germany"),
        ({"pue": 0.9}, "greater than or equal to 1"),
        ({"method": "guessed"}, "modelled"),
        ({"providers": {"p": {"zone": "aws:us-est-1"}}}, "aws:us-east-1"),
        ({"live": {"kind": "file"}}, "Field required"),
        ({"refresh": "1s"}, "60"),
    ],
)
def test_what_is_wrong_is_said_with_what_is_right(section: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        EnergyConfig.model_validate(section)


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ({"accelerator": "H1000"}, "H100"),
        ({"params": 8, "active": 9}, "active must be at most params"),
        ({"batch": 0.5}, "greater than or equal to 1"),
        ({"params": 0}, "greater than 0"),
    ],
)
def test_what_a_model_runs_on_is_checked(section: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        ModelEnergyConfig.model_validate(section)


def test_energy_may_be_just_a_method_and_a_model_says_what_it_runs_on() -> None:
    config = Config.model_validate(
        {
            "energy": "ecologits",
            "providers": {"p": {"kind": "echo"}},
            "models": {"m": {"provider": "p", "energy": {"params": 8, "accelerator": "H100", "batch": 64}}},
        }
    )
    assert config.energy.method == "ecologits"
    own = config.models["m"].energy
    assert own is not None
    assert (own.params, own.batch) == (8, 64)
    assert Config.model_validate({}).energy == EnergyConfig()
