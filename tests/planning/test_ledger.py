from typing import Any

import pytest

from mainstay.core.errors import ConfigError
from mainstay.core.hardware import find_accelerator
from mainstay.planning.config import BuildPart, PurchasePart, Scenario
from mainstay.planning.ledger import FACTORS, Situation, bought_items, built_items, device_hour, ranges_of, sides
from mainstay.planning.throughput import SHIPPED
from mainstay.planning.traffic import Traffic

H100 = find_accelerator("H100")


@pytest.fixture
def at(replica: Any) -> Any:
    def make(**more: Any) -> Situation:
        value = {
            "model": {"name": "llama-3.3-70b", "gpu": "H100"},
            "buy": {"price": {"input": 2, "output": 8, "cache_read": 0.5}, "failover_share": 0},
            **more,
        }
        return Situation(
            scenario=Scenario.model_validate(value),
            plan=replica("llama-3.3-70b", "H100", 2, "fp8"),
            traffic=Traffic(
                requests_per_month=3e6, input_tokens=1000, output_tokens=200, cached_share=0.5, peak_to_mean=4
            ),
            slots=64,
            busiest=0.7,
            coefficients=SHIPPED,
        )

    return make


def test_a_hired_device_costs_the_tables_figure_or_ones_own() -> None:
    assert device_hour(BuildPart(), H100) == H100.usd_per_hour
    assert device_hour(BuildPart(usd_per_gpu_hour=2.5), H100) == 2.5


def test_spot_capacity_is_cheaper_less_what_is_lost() -> None:
    build = BuildPart(usd_per_gpu_hour=2.0, spot_share=0.5, spot_discount=0.6, preemption_loss=0.2)
    assert device_hour(build, H100) == pytest.approx(2.0 * (0.5 * 0.4 / 0.8 + 0.5))


def test_a_bought_device_costs_an_annuity_and_power() -> None:
    free = PurchasePart(
        usd_per_gpu=24_000, years=2, residual_share=0, interest=0, watts_per_gpu=1, host_watts_per_gpu=0, usd_per_kwh=0
    )
    assert device_hour(BuildPart(purchase=free), H100) * 730.56 == pytest.approx(1000)
    powered = free.model_copy(update={"watts_per_gpu": 1000.0, "pue": 1.5, "usd_per_kwh": 0.2})
    more = device_hour(BuildPart(purchase=powered), H100) - device_hour(BuildPart(purchase=free), H100)
    assert more == pytest.approx(1.5 * 0.2)
    dearer = free.model_copy(update={"interest": 0.1})
    assert device_hour(BuildPart(purchase=dearer), H100) > device_hour(BuildPart(purchase=free), H100)


def test_power_of_a_bought_device_is_what_was_measured_of_its_kind() -> None:
    bare = PurchasePart(usd_per_gpu=0, interest=0, host_watts_per_gpu=0, pue=1, usd_per_kwh=1)
    assert device_hour(BuildPart(purchase=bare), H100) == pytest.approx(0.5)
    assert device_hour(BuildPart(purchase=bare), find_accelerator("L4")) == pytest.approx(0.072 * 0.7)


def test_a_device_without_a_price_asks_for_one() -> None:
    with pytest.raises(ConfigError, match="usd_per_gpu_hour"):
        device_hour(BuildPart(), find_accelerator("MI300X"))
    with pytest.raises(ConfigError, match="watts_per_gpu"):
        device_hour(BuildPart(purchase=PurchasePart(usd_per_gpu=1)), find_accelerator("TPU v5e"))


def test_a_request_costs_its_tokens_with_the_cached_at_their_price(at: Any) -> None:
    assert sides(at())[0].unit == pytest.approx((500 * 2 + 500 * 0.5 + 200 * 8) / 1e6)


def test_batches_discounts_premiums_and_double_spend_are_in_the_price(at: Any) -> None:
    plain = sides(at())[0].unit
    buy = {
        "price": {"input": 2, "output": 8, "cache_read": 0.5},
        "batch_share": 0.4, "failover_share": 0.02, "residency_premium": 0.1, "discount": 0.15,
    }  # fmt: skip
    assert sides(at(buy=buy))[0].unit == pytest.approx(plain * 0.8 * 1.02 * 1.1 * 0.85)


def test_a_replica_carries_what_its_peak_allows(at: Any) -> None:
    one, other = sides(at())[1], sides(at(), {"peak to mean": 0.5})[1]
    assert other.volume == pytest.approx(2 * one.volume)
    assert sides(at(), {"tokens per second": 1.5})[1].volume == pytest.approx(1.5 * one.volume)


def test_answers_that_are_good_less_often_need_more_of_them(at: Any) -> None:
    equal, worse = sides(at())[1], sides(at(build={"success": 0.45}))[1]
    assert worse.volume == pytest.approx(equal.volume / 2)


def test_failures_cost_what_they_cost_on_both_sides(at: Any) -> None:
    bought, built = sides(at(failure_usd=1.0, verify_usd=0.1))
    assert bought.unit - sides(at())[0].unit == pytest.approx(0.1 + 0.1)
    assert built.unit == pytest.approx(0.2)


def test_the_lines_add_up_to_the_sides(at: Any) -> None:
    for more in (
        {},
        {"failure_usd": 0.01, "verify_usd": 0.001},
        {"build": {"autoscale": 0.6, "licences_usd_per_month": 300, "success": 0.8}},
        {"goals": {"spares": 3}, "build": {"purchase": {"usd_per_gpu": 30000}}},
    ):
        case = at(**more)
        bought, built = sides(case, once=False)
        for volume in (1e4, 3e6, 2e7):
            assert sum(item.monthly for item in built_items(case, volume)) == pytest.approx(built.at(volume))
            assert sum(item.monthly for item in bought_items(case, volume)) == pytest.approx(bought.at(volume))


def test_a_commitment_that_is_not_used_has_its_line(at: Any) -> None:
    buy = {"price": {"input": 2, "output": 8}, "commitment_usd_per_month": 50_000}
    case = at(buy=buy)
    assert "commitment not used" in {item.name for item in bought_items(case, 1e5)}
    assert sum(item.monthly for item in bought_items(case, 1e5)) == pytest.approx(sides(case, once=False)[0].at(1e5))


def test_what_is_paid_once_is_spread_over_the_horizon(at: Any) -> None:
    case = at(build={"migration_usd": 24_000, "exit_usd": 2_400}, horizon_months=24)
    assert sides(case)[1].fixed - sides(case, once=False)[1].fixed == pytest.approx(1_100)


def test_own_ranges_replace_the_usual_ones(at: Any) -> None:
    found = ranges_of(at(ranges={"people": [0.9, 1.1]}))
    assert found["people"] == (0.9, 1.1)
    assert found["tokens per second"] == pytest.approx((0.670, 1.398), abs=0.001)
    assert set(found) == set(FACTORS) - {"own success"}
    assert "own success" in ranges_of(at(failure_usd=0.1))


@pytest.mark.parametrize("ranges", [{"weather": [0.5, 2]}, {"people": [2, 0.5]}])
def test_ranges_of_what_there_is_not_are_refused(at: Any, ranges: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="ranges: "):
        ranges_of(at(ranges=ranges))


def test_without_a_price_to_compare_with_there_is_no_comparison(at: Any) -> None:
    case = at(buy=None)
    with pytest.raises(ConfigError, match=r"buy\.price"):
        sides(case)
    assert bought_items(case, 1) == []
