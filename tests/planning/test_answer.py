from typing import Any

import pytest

from mainstay.core.errors import ConfigError
from mainstay.core.sizes import from_config
from mainstay.planning.answer import answer, choose_devices, traffic_of
from mainstay.planning.config import Scenario
from mainstay.planning.traffic import Traffic

BUY = {"price": {"input": 2, "output": 8, "cache_read": 0.5}}


def ask(**more: Any) -> Scenario:
    return Scenario.model_validate(
        {
            "model": {"name": "llama-3.3-70b", "precision": "fp8", "gpu": "H100"},
            "traffic": {"requests_per_day": 200_000, "peak_to_mean": 4},
            **more,
        }
    )


def test_auto_takes_the_fewest_devices_it_fits_on(replica: Any) -> None:
    assert answer(ask()).devices == 2
    assert choose_devices(replica("llama-3.1-8b"), 8192) == 1
    assert choose_devices(replica("llama-3.1-405b", "H100", 1, "fp8"), 8192) == 8


def test_what_fits_on_no_number_of_devices_is_refused(replica: Any) -> None:
    with pytest.raises(ConfigError, match="does not fit on 64"):
        choose_devices(replica("kimi-k2", "T4", 1, "fp8"), 8192)


def test_without_a_vendor_there_is_no_comparison() -> None:
    found = answer(ask())
    assert found.comparison is None
    assert found.usd_per_million is not None
    assert found.useful == pytest.approx(0.7 / 4)


def test_the_cost_per_million_is_that_of_the_curve_at_its_utilisation() -> None:
    found = answer(ask())
    assert found.usd_per_million is not None
    always = found.by_use[-1][1]
    assert found.usd_per_million.mid == pytest.approx(always.mid / found.useful)


def test_a_large_volume_at_a_high_price_is_better_built() -> None:
    found = answer(ask(traffic={"requests_per_day": 3_000_000}, buy={"price": {"input": 5, "output": 25}})).comparison
    assert found is not None
    assert found.built_monthly < found.bought_monthly
    assert found.draws.cheaper > 0.9
    assert found.verdict.startswith("Building is clearly cheaper")
    assert found.payback.month is not None


def test_a_small_volume_is_better_bought() -> None:
    found = answer(ask(traffic={"requests_per_day": 1_000}, buy=BUY)).comparison
    assert found is not None
    assert found.verdict.startswith("Buying from the API is clearly cheaper")
    assert found.break_even.first is not None
    assert found.break_even.first > found.volume
    assert found.payback.month is None


def test_the_curve_meets_at_the_break_even() -> None:
    found = answer(ask(buy=BUY)).comparison
    assert found is not None
    assert found.break_even.first is not None
    before = [point for point in found.curve if point[0] < found.break_even.first]
    assert all(point[3] > point[1] for point in before)
    assert all(point[2] <= point[3] <= point[4] for point in found.curve)


def test_equal_quality_makes_cost_per_good_answer_proportional() -> None:
    found = answer(ask(buy=BUY)).comparison
    assert found is not None
    assert found.built_success_usd / found.bought_success_usd == pytest.approx(
        found.built_monthly / found.bought_monthly
    )


def test_blended_prices_count_tokens_in_and_out() -> None:
    found = answer(ask(buy={"price": {"input": 3, "output": 3}})).comparison
    assert found is not None
    assert found.bought_blended == pytest.approx(3)
    assert found.built_blended == pytest.approx(found.built_monthly / found.volume / (1155 + 211) * 1e6)


def test_unequal_quality_is_said() -> None:
    found = answer(ask(buy={**BUY, "success": 0.95}, build={"success": 0.8}))
    assert any("not equally good" in warning for warning in found.warnings)


def test_own_measurements_correct_the_speed() -> None:
    slow = {"batch": 32, "input_tokens": 1155, "output_tokens": 211, "itl_ms": 80}
    plain, own = answer(ask(goals={"itl_ms": None})), answer(ask(measurements=[slow, slow], goals={"itl_ms": None}))
    assert own.capacity.speed.itl_ms.mid > 1.5 * plain.capacity.speed.itl_ms.mid
    assert "corrected by 2 of your own" in own.calibration


def test_traffic_from_records_replaces_that_of_the_scenario() -> None:
    traffic = Traffic(requests_per_month=1e6, input_tokens=500, output_tokens=100, source="records")
    assert answer(ask(), traffic=traffic).traffic == traffic


def test_a_size_from_a_file_replaces_the_table() -> None:
    size = from_config(
        {
            "num_hidden_layers": 40, "hidden_size": 5120, "num_attention_heads": 40, "num_key_value_heads": 8,
            "intermediate_size": 17408, "vocab_size": 151936, "max_position_embeddings": 40960,
        },
        "our-own",
    )  # fmt: skip
    found = answer(ask(model={"name": "whatever", "gpu": "H100"}), size=size)
    assert (found.model, found.devices) == ("our-own", 1)
    assert answer(ask(model={"name": "x", "gpu": "H100"}), size=size, file_bytes=8 * 10**9).fit.weights_gib < 8


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"traffic": {}}, "requests_per_day"),
        ({"model": {"name": "gpt-4o", "gpu": "H100"}}, "shape of 'gpt-4o'"),
        ({"model": {"name": "llama-3.3-70b", "gpu": "H100", "gpus_per_replica": 1}}, "more on each device"),
        ({"model": {"name": "llama-3.1-8b", "gpu": "MI300X"}, "buy": BUY}, "usd_per_gpu_hour"),
        ({"goals": {"itl_ms": 1}}, "does not fit, or no batch keeps"),
    ],
)
def test_what_cannot_be_answered_says_what_to_give(more: dict[str, Any], why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        answer(ask(**more))


def test_a_device_without_a_price_still_has_memory_speed_and_replicas() -> None:
    found = answer(ask(model={"name": "llama-3.1-8b", "gpu": "MI300X"}))
    assert (found.usd_per_million, found.by_use) == (None, [])
    assert any("measure" in warning for warning in found.warnings)


def test_a_day_is_a_part_of_an_average_month() -> None:
    assert traffic_of(ask()).requests_per_month == pytest.approx(200_000 * 30.44)
    assert traffic_of(ask(traffic={"requests_per_month": 5})).requests_per_month == 5
