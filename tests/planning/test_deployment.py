from typing import Any

import pytest

from mainstay.core.errors import ConfigError
from mainstay.core.sizes import find_size
from mainstay.planning.deployment import PRECISIONS, Deployment, find_precision


@pytest.mark.parametrize(
    ("name", "size"), [("bf16", 2.0), ("BFloat16", 2.0), ("Q8_0", 1.0625), ("q4-k-m", 0.605), ("W8A8", 1.03)]
)
def test_a_precision_is_found_however_it_is_spelt(name: str, size: float) -> None:
    assert find_precision(name).bytes == size


def test_an_unknown_precision_gets_the_nearest() -> None:
    with pytest.raises(ConfigError, match="did you mean 'q4_k_m'"):
        find_precision("q4_k_mm")


@pytest.mark.parametrize("name", PRECISIONS)
def test_every_precision_takes_a_believable_number_of_bytes(name: str) -> None:
    assert 0.15 < PRECISIONS[name].bytes <= 4


def test_weights_of_a_file_are_what_the_file_says(replica: Any) -> None:
    plan = replica("llama-3.1-8b", file_bytes=4_920_000_000)
    assert plan.weight_bytes == 4.92e9
    assert plan.bytes_each == pytest.approx(0.613, abs=0.001)


@pytest.mark.parametrize(
    ("more", "why"),
    [({"kv": "int2"}, "key-value cache"), ({"devices": 0}, "devices"), ({"usable": 1.5}, "usable share")],
)
def test_numbers_that_make_no_sense_are_refused(replica: Any, more: dict[str, Any], why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        replica("llama-3.1-8b", **more)


def test_a_closed_model_cannot_be_planned_for() -> None:
    from mainstay.core.hardware import find_accelerator

    with pytest.raises(ConfigError, match=r"shape of 'gpt-4o' is not known"):
        Deployment(size=find_size("gpt-4o"), device=find_accelerator("H100"))
