from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainstay.core.errors import ConfigError
from mainstay.core.hardware import find_accelerator
from mainstay.core.sizes import all_sizes, find_size
from mainstay.planning.deployment import Deployment, find_precision
from mainstay.planning.throughput import SHIPPED, TERMS, Interval, best_batch, prefill_ms, speed, step_terms

MODELS = [row.name for row in all_sizes() if row.known]


def test_every_term_has_a_coefficient() -> None:
    assert len(SHIPPED.terms) == len(TERMS)
    assert all(term > 0 for term in SHIPPED.terms)
    assert SHIPPED.terms[TERMS.index("weights")] >= 1.1


@pytest.mark.parametrize(
    ("model", "devices", "batch", "measured"),
    [
        # Public measurements, output tokens per second (reference figures of ML.ENERGY's leaderboard, H100).
        ("llama-3.1-8b", 1, 8, 1_070),
        ("llama-3.1-8b", 1, 64, 5_147),
        ("llama-3.1-8b", 1, 256, 9_010),
        ("llama-3.3-70b", 4, 8, 465),
        ("llama-3.3-70b", 4, 64, 2_564),
        ("llama-3.3-70b", 4, 256, 5_130),
        ("qwen3-32b", 2, 64, 2_654),
    ],
)
def test_measured_rates_lie_within_the_interval(
    replica: Any, model: str, devices: int, batch: int, measured: float
) -> None:
    found = speed(replica(model, "H100", devices), batch, input_tokens=150, output_tokens=630).tokens_per_s
    assert found.low <= measured <= found.high
    assert found.mid == pytest.approx(measured, rel=0.23)


def test_weights_are_read_once_per_step(replica: Any) -> None:
    terms = dict(zip(TERMS, step_terms(replica("llama-3.1-8b"), 1, 100), strict=True))
    assert terms["weights"] == pytest.approx(8.03e9 * 2 / 3350e6)
    assert terms["compute"] == pytest.approx(2 * 8.03 / 989)
    assert terms["exchange"] == 0


def test_few_sequences_touch_few_experts(replica: Any) -> None:
    plan = replica("qwen3-30b-a3b")
    one, many = (step_terms(plan, batch, 100)[0] for batch in (1, 256))
    assert one == pytest.approx(3.35e9 * 2 / 3350e6)
    assert many == pytest.approx(30.53e9 * 2 / 3350e6, rel=1e-6)


def test_a_prefill_is_bound_by_arithmetic_or_by_reading_the_weights(replica: Any) -> None:
    plan = replica("llama-3.1-8b")
    assert prefill_ms(plan, 1) == pytest.approx(8.03e9 * 2 / 3350e6)
    operations = 2 * 8.03e9 * 8000 + 2 * 32 * 4096 * 8000**2
    assert prefill_ms(plan, 8000) == pytest.approx(operations / 989e9 * SHIPPED.prefill)
    assert prefill_ms(plan, 0) == 0


def test_a_cached_prompt_comes_sooner(replica: Any) -> None:
    plan = replica("llama-3.3-70b", "H100", 4)
    cold, warm = (speed(plan, 16, input_tokens=8000, output_tokens=200, cached_share=share) for share in (0, 0.9))
    assert warm.ttft_ms.mid < cold.ttft_ms.mid / 3
    assert warm.tokens_per_s.mid > cold.tokens_per_s.mid


@settings(max_examples=150, deadline=None)
@given(model=st.sampled_from(MODELS), batch=st.integers(1, 1000), context=st.integers(10, 30_000))
def test_more_at_once_is_slower_for_each_and_faster_for_all(model: str, batch: int, context: int) -> None:
    plan = Deployment(size=find_size(model), device=find_accelerator("H100"), devices=2)
    one, two = (speed(plan, b, input_tokens=context, output_tokens=200) for b in (batch, batch + 1))
    assert two.itl_ms.mid >= one.itl_ms.mid
    # Sparse experts are touched one by one at first, which may outweigh the gain of one sequence more.
    assert two.tokens_per_s.mid >= one.tokens_per_s.mid * (0.9 if plan.size.moe else 0.999)


@settings(max_examples=100, deadline=None)
@given(model=st.sampled_from(MODELS), batch=st.integers(1, 500))
def test_fewer_bytes_and_more_bandwidth_are_never_slower(model: str, batch: int) -> None:
    def itl(gpu: str, precision: str) -> float:
        plan = Deployment(size=find_size(model), device=find_accelerator(gpu), precision=find_precision(precision))
        return speed(plan, batch, input_tokens=500, output_tokens=200).itl_ms.mid

    assert itl("H200", "bf16") <= itl("H100", "bf16") <= itl("A100", "bf16")
    assert itl("H100", "fp8") <= itl("H100", "bf16") * 1.001


def test_intervals_lie_around_their_middle(replica: Any) -> None:
    found = speed(replica("llama-3.1-8b"), 8)
    for each in (found.itl_ms, found.ttft_ms, found.tokens_per_s, found.requests_per_s):
        assert 0 < each.low < each.mid < each.high
    assert Interval(1, 2, 4).inverse(8) == Interval(2, 4, 8)


def test_the_best_batch_fits_and_keeps_the_time_between_tokens(replica: Any) -> None:
    plan = replica("llama-3.1-8b")
    free = best_batch(plan, input_tokens=1000, output_tokens=250)
    held = best_batch(plan, input_tokens=1000, output_tokens=250, itl_ms=30)
    assert 0 < held < free
    assert speed(plan, held, input_tokens=1000, output_tokens=250).itl_ms.high <= 30
    assert speed(plan, held + 1, input_tokens=1000, output_tokens=250).itl_ms.high > 30


def test_there_is_no_batch_for_what_does_not_fit(replica: Any) -> None:
    assert best_batch(replica("llama-3.3-70b"), input_tokens=1000, output_tokens=250) == 0


@pytest.mark.parametrize("more", [{"output_tokens": 0}, {"input_tokens": -1}, {"cached_share": 1.1}])
def test_numbers_that_make_no_sense_are_refused(replica: Any, more: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        speed(replica("llama-3.1-8b"), 1, **more)
