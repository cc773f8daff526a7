import pytest

from mainstay.core.errors import ConfigError
from mainstay.planning.quality import cost_per_success


def test_a_failure_costs_its_own_price_and_a_call_more() -> None:
    assert cost_per_success(0.01, 1.0) == 0.01
    assert cost_per_success(0.01, 0.5) == 0.02
    assert cost_per_success(0.01, 0.8, verify=0.002, failure=0.1) == pytest.approx((0.01 + 0.002 + 0.02) / 0.8)


@pytest.mark.parametrize("success", [0.0, -0.1, 1.01])
def test_no_success_has_no_price(success: float) -> None:
    with pytest.raises(ConfigError):
        cost_per_success(0.01, success)
