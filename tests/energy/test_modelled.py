"""The model of a token's energy: near published figures, and rising with what costs energy."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from mainstay.energy.modelled import Deployment, Machine, Size, roofline, token_energy

H100 = Machine(3350, 989, 500, 700, fitted=True)
B200 = Machine(8000, 2250, 799, 1000, 1.0, fitted=True)
L4 = Machine(300, 121, 54, 72)


def serve(total: float, active: float, machine: Machine = H100, count: int = 1, batch: float = 64) -> Deployment:
    return Deployment(Size(total, active), machine, count, batch)


def written(deployment: Deployment, context: float = 500.0) -> float:
    return token_energy(deployment).joules(0, 1, context)


def test_a_roofline_is_weights_and_cache_read_and_numbers_multiplied() -> None:
    # 16 GB over 3,350 GB/s and a batch of 64; 1.2 x 16 GFLOP at 989 TFLOPS; 0.02 GB x sqrt(8) for a thousand tokens.
    expected = 500 * (16 / 64 / 3350 + 1.2 * 16 / 989_000 + 0.02 * math.sqrt(8) / 3350)
    assert roofline(serve(8, 8), 1000) == pytest.approx(expected)


def test_of_a_mixture_only_the_experts_that_the_batch_needs_are_read() -> None:
    alone, many = serve(100, 10, batch=1), serve(100, 10, batch=1000)
    read = [roofline(each, 0) - 500 * 1.2 * 20 / 989_000 for each in (alone, many)]
    assert read[0] == pytest.approx(500 * 20 / 3350)
    assert read[1] == pytest.approx(500 * 200 / 1000 / 3350)


@pytest.mark.parametrize(
    ("deployment", "tokens_per_second"),
    [
        # Published: Llama-3.1-8B on one H100 at batches of 8, 64 and 256, Llama-3.3-70B on four.
        (serve(8, 8, batch=8), 1070),
        (serve(8, 8, batch=64), 5147),
        (serve(8, 8, batch=256), 9010),
        (serve(70, 70, count=4, batch=8), 465),
        (serve(70, 70, count=4, batch=64), 2564),
        (serve(70, 70, count=4, batch=256), 5130),
    ],
)
def test_figures_are_near_those_published_for_known_models(deployment: Deployment, tokens_per_second: float) -> None:
    expected = deployment.count * 500 / tokens_per_second
    assert expected / 2 < written(deployment) < expected * 2


DEPLOYMENTS = st.builds(
    lambda total, share, machine, count, batch: serve(total, total * share, machine, count, batch),
    st.floats(0.1, 2000),
    st.floats(0.02, 1),
    st.sampled_from([H100, B200, L4]),
    st.integers(1, 16),
    st.floats(1, 4000),
)


@given(DEPLOYMENTS, st.floats(1.1, 10))
def test_larger_models_take_more_and_larger_batches_less(deployment: Deployment, factor: float) -> None:
    size = deployment.size
    larger = replace(deployment, size=Size(size.total_b * factor, size.active_b * factor))
    fuller = replace(deployment, batch=deployment.batch * factor)
    assert written(larger) > written(deployment) > written(fuller) > 0
    assert token_energy(larger).input_j > token_energy(deployment).input_j > 0


@given(DEPLOYMENTS, st.integers(0, 10_000), st.integers(0, 10_000))
def test_tokens_read_and_written_add_up_and_a_longer_context_takes_more(
    deployment: Deployment, read: int, wrote: int
) -> None:
    energy = token_energy(deployment)
    assert energy.joules(read, wrote, 100) == pytest.approx(energy.joules(read, 0, 100) + energy.joules(0, wrote, 100))
    assert energy.joules(0, 1, 10_000) > energy.joules(0, 1, 100)


def test_intervals_widen_where_nobody_measured() -> None:
    known, other, small = (token_energy(each) for each in (serve(8, 8), serve(8, 8, L4), serve(0.135, 0.135, L4)))
    assert known.spread.high < other.spread.high < small.spread.high
    assert known.spread.low > other.spread.low > small.spread.low
