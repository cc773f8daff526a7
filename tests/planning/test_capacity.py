from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainstay.core.errors import ConfigError
from mainstay.core.hardware import find_accelerator
from mainstay.core.sizes import find_size
from mainstay.planning.capacity import Goals, capacity
from mainstay.planning.deployment import Deployment
from mainstay.planning.queues import simulate
from mainstay.planning.traffic import MONTH_S, Traffic


def _traffic(per_s: float, **more: float) -> Traffic:
    return Traffic(requests_per_month=per_s * MONTH_S, input_tokens=1000, output_tokens=200, **more)


def test_replicas_are_no_busier_than_allowed(replica: Any) -> None:
    need = capacity(replica("llama-3.1-8b"), _traffic(20), Goals(itl_ms=50, busiest=0.7, spares=2))
    assert need.busy_at_peak <= 0.7
    assert need.busy_on_average == pytest.approx(need.busy_at_peak / 3)
    assert need.replicas == need.serving + 2
    assert need.interval[0] <= need.serving <= need.interval[1]
    fewer = 20 * 3 / ((need.serving - 1) * need.speed.requests_per_s.mid)
    assert fewer > 0.7


def test_a_promise_of_the_first_token_may_decide(replica: Any) -> None:
    plan, traffic = replica("llama-3.1-8b", "L4", 1, "fp8"), _traffic(0.5, arrival_cv2=9, peak_to_mean=1)
    loose = Goals(itl_ms=None, busiest=0.98, spares=0)
    tight = msgspec.structs.replace(loose, ttft_ms=1800)
    few, many = (capacity(plan, traffic, goals, slots=4) for goals in (loose, tight))
    assert few.decided_by == "load"
    assert many.decided_by == "waiting"
    assert many.serving > few.serving


def test_the_promise_holds_in_a_simulation(replica: Any) -> None:
    plan, traffic = replica("llama-3.1-8b", "L4", 1, "fp8"), _traffic(0.5, peak_to_mean=1)
    goals = Goals(ttft_ms=1800, itl_ms=None, busiest=0.95, spares=0)
    need = capacity(plan, traffic, goals, slots=4)
    service = need.slots / need.speed.requests_per_s.mid
    seen = simulate(need.serving * need.slots, traffic.peak_per_s, service, arrivals=40_000)
    assert seen.p95_s * 1000 + need.speed.ttft_ms.mid <= 1800 * 1.1


def test_what_computing_alone_takes_longer_than_cannot_be_promised(replica: Any) -> None:
    with pytest.raises(ConfigError, match="before any waiting"):
        capacity(replica("llama-3.3-70b", "A100", 4), _traffic(1), Goals(ttft_ms=20, itl_ms=None))


def test_what_does_not_fit_has_no_capacity(replica: Any) -> None:
    with pytest.raises(ConfigError, match="does not fit"):
        capacity(replica("llama-3.3-70b"), _traffic(1), Goals())


def test_a_traffic_beyond_reason_is_refused(replica: Any) -> None:
    with pytest.raises(ConfigError, match="check its numbers"):
        capacity(replica("llama-3.1-8b", "T4", 1, "int4"), _traffic(1e9), Goals(itl_ms=None))


PLAN = Deployment(size=find_size("llama-3.1-8b"), device=find_accelerator("H100"))


@settings(max_examples=40, deadline=None)
@given(per_s=st.floats(0.1, 500), more=st.floats(1.0, 3.0), peak=st.floats(1, 10))
def test_more_traffic_never_needs_fewer_replicas(per_s: float, more: float, peak: float) -> None:
    goals = Goals(ttft_ms=1000, itl_ms=60)
    few, many = (capacity(PLAN, _traffic(rate, peak_to_mean=peak), goals).serving for rate in (per_s, per_s * more))
    assert many >= few
