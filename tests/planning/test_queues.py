import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.planning.queues import erlang_c, simulate, wait


def test_one_server_waits_as_often_as_it_is_busy() -> None:
    assert erlang_c(1, 0.7) == pytest.approx(0.7)


def test_the_textbook_case_of_ten_servers() -> None:
    # Load of 8 Erlang on 10 servers: Erlang's C is 0.409.
    assert erlang_c(10, 8) == pytest.approx(0.4092, abs=1e-4)


def test_a_large_group_does_not_overflow() -> None:
    assert 0 < erlang_c(5000, 4900) < 1


@pytest.mark.parametrize("busy", [0.9, 0.95, 0.98, 0.995])
def test_the_limit_for_many_servers_joins_the_sum(busy: float) -> None:
    assert erlang_c(2001, 2001 * busy) == pytest.approx(erlang_c(2000, 2000 * busy), rel=0.05, abs=2e-3)
    assert erlang_c(10_000_000, 10_000_000 * busy) == pytest.approx(0, abs=1e-6)


@given(st.integers(1, 200), st.floats(0.01, 0.99))
def test_more_servers_wait_less(servers: int, busy: float) -> None:
    load = servers * busy
    assert 0 <= erlang_c(servers + 1, load) <= erlang_c(servers, load) <= 1


@pytest.mark.parametrize(("servers", "load"), [(1, 0.6), (4, 3.2), (16, 14.0), (64, 58.0)])
def test_the_formula_agrees_with_a_simulation(servers: int, load: float) -> None:
    said = wait(servers, load / 2.0, 2.0)
    seen = simulate(servers, load / 2.0, 2.0, arrivals=60_000)
    assert seen.waiting_share == pytest.approx(said.waiting_share, abs=0.06)
    assert seen.mean_s == pytest.approx(said.mean_s, rel=0.3, abs=0.02)
    assert seen.busy == pytest.approx(said.busy, abs=0.02)


@pytest.mark.parametrize("cv2", [0.25, 4.0])
def test_bursts_wait_about_as_long_as_the_correction_says(cv2: float) -> None:
    said = wait(8, 3.4, 2.0, arrival_cv2=cv2, service_cv2=cv2)
    seen = simulate(8, 3.4, 2.0, arrival_cv2=cv2, service_cv2=cv2, arrivals=100_000)
    assert seen.mean_s == pytest.approx(said.mean_s, rel=0.4)


def test_a_line_without_end_waits_for_ever() -> None:
    found = wait(4, 3.0, 2.0)
    assert (found.busy, found.waiting_share) == (1.0, 1.0)
    assert math.isinf(found.p95_s)


def test_nobody_waits_without_arrivals() -> None:
    assert wait(4, 0.0, 2.0).p95_s == 0.0
