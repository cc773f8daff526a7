"""Check values are those that engines logged in public issues, named at each."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainstay.core.hardware import find_accelerator
from mainstay.core.sizes import all_sizes, find_size
from mainstay.planning.deployment import Deployment, find_precision
from mainstay.planning.memory import GIB, activation_bytes, fit, kv_bytes, kv_bytes_per_token

MODELS = [row.name for row in all_sizes() if row.known]


@pytest.mark.parametrize(
    ("model", "devices", "size"),
    [
        ("llama-3.1-8b", 1, 131_072),
        ("llama-3.3-70b", 1, 327_680),
        ("llama-3.3-70b", 4, 81_920),
        ("llama-3.3-70b", 8, 40_960),
        ("llama-3.3-70b", 16, 40_960),  # eight heads on sixteen devices: each is kept twice
        ("deepseek-v3", 1, 70_272),
        ("deepseek-v3", 8, 70_272),  # the latent stands whole on each
        ("qwen3-14b", 2, 81_920),
    ],
)
def test_a_token_takes_the_published_bytes_of_cache(replica: Any, model: str, devices: int, size: int) -> None:
    assert kv_bytes_per_token(replica(model, "H100", devices)) == size


def test_a_sliding_layer_keeps_no_more_than_its_window(replica: Any) -> None:
    plan = replica("gemma-3-27b", "H100")
    each = 2 * 16 * 128 * 2
    assert kv_bytes(plan, 1024) == pytest.approx(62 * each * 1024, rel=1e-3)
    assert kv_bytes(plan, 32_768) == pytest.approx((10 * 32_768 + 52 * 1024) * each, rel=1e-3)


def test_layers_with_a_state_of_fixed_size_take_nothing_per_token(replica: Any) -> None:
    plan = replica("nemotron-nano-9b-v2", "H100")
    assert kv_bytes(plan, 8192) == pytest.approx(4 * 2 * 8 * 128 * 2 * 8192, rel=1e-3)


@pytest.mark.parametrize(
    ("model", "gpu", "devices", "precision", "more", "context", "logged"),
    [
        # vllm-project/vllm#10517: one 3090, 1,952 blocks of 16 tokens; with a chunk of 29,000 tokens, 1,478.
        ("llama-3.1-8b", "RTX 3090", 1, "bf16", {"chunk": 20_000}, 20_000, 31_232),
        ("llama-3.1-8b", "RTX 3090", 1, "bf16", {"chunk": 29_000}, 20_000, 23_648),
        # vllm-project/vllm#12569: eight-bit weights on one H100 with 98 % of its memory, 1,381 blocks.
        ("llama-3.1-70b", "H100", 1, "int8", {"usable": 0.98}, 2_048, 22_096),
    ],
)
def test_cached_tokens_are_within_ten_per_cent_of_what_engines_logged(
    replica: Any, model: str, gpu: str, devices: int, precision: str, more: Any, context: int, logged: int
) -> None:
    found = fit(replica(model, gpu, devices, precision, **more), context=context)
    assert found.kv_tokens == pytest.approx(logged, rel=0.1)


@pytest.mark.parametrize(
    ("model", "gpu", "devices", "precision", "more", "context"),
    [
        # vllm-project/vllm#23278: -2.1 GiB left for the cache.
        ("gpt-oss-120b", "H100", 1, "mxfp4", {}, 131_072),
        ("gpt-oss-120b", "H100", 1, "mxfp4", {}, 8_192),
        # vllm-project/vllm#10517: 23,648 tokens cached, 29,000 asked for.
        ("llama-3.1-8b", "RTX 3090", 1, "bf16", {"chunk": 29_000}, 29_000),
        ("llama-3.3-70b", "H100", 1, "bf16", {}, 1_024),
        ("llama-3.1-405b", "H100", 8, "bf16", {}, 1_024),
        ("deepseek-v3", "H100", 8, "fp8", {}, 1_024),
        ("llama-3.1-8b", "T4", 1, "bf16", {}, 1_024),
        ("qwen3-32b", "RTX 4090", 1, "int8", {}, 1_024),
    ],
)
def test_what_ran_out_of_memory_is_never_said_to_fit(
    replica: Any, model: str, gpu: str, devices: int, precision: str, more: Any, context: int
) -> None:
    assert fit(replica(model, gpu, devices, precision, **more), context=context).verdict != "fits"


@pytest.mark.parametrize(
    ("model", "gpu", "devices", "precision"),
    [
        ("llama-3.1-8b", "H100", 1, "bf16"),
        ("llama-3.3-70b", "H100", 4, "bf16"),
        ("llama-3.1-405b", "H100", 8, "fp8"),
        ("qwen3-235b-a22b", "H100", 8, "bf16"),
        ("qwen3-coder-480b-a35b", "B200", 8, "bf16"),
        ("deepseek-v3", "B200", 8, "fp8"),
        ("gpt-oss-120b", "B200", 1, "mxfp4"),
        ("gpt-oss-20b", "H100", 1, "mxfp4"),
        ("gemma-3-27b", "H100", 1, "bf16"),
    ],
)
def test_what_was_measured_in_public_is_said_to_fit(
    replica: Any, model: str, gpu: str, devices: int, precision: str
) -> None:
    assert fit(replica(model, gpu, devices, precision), context=2_048, batch=16).verdict == "fits"


def test_the_parts_add_up_to_the_device(replica: Any) -> None:
    found = fit(replica("llama-3.3-70b", "H100", 4), context=4096)
    parts = found.weights_gib + found.kv_gib + found.activations_gib + found.engine_gib
    assert parts == pytest.approx(found.usable_gib)
    assert found.usable_gib == pytest.approx(found.memory_gib * 0.9)


def test_a_context_beyond_the_models_own_does_not_fit(replica: Any) -> None:
    found = fit(replica("phi-4", "H100"), context=32_768)
    assert (found.verdict, "16,384" in found.why) == ("no", True)


def test_a_batch_that_would_be_preempted_does_not_fit(replica: Any) -> None:
    found = fit(replica("llama-3.1-8b", "H100"), context=8192, batch=500)
    assert found.verdict == "no"
    assert "preempt" in found.why


def test_what_to_know_stands_in_the_notes(replica: Any) -> None:
    notes = " ".join(fit(replica("llama-3.3-70b", "A100", 16, "fp8"), context=4096).notes)
    assert "kept more than once" in notes
    assert "does not compute in fp8" in notes
    assert "do not divide" in " ".join(fit(replica("llama-3.3-70b", "H100", 6)).notes)


def _plan(model: str, devices: int, precision: str, kv: str) -> Deployment:
    return Deployment(
        size=find_size(model),
        device=find_accelerator("H100"),
        devices=devices,
        precision=find_precision(precision),
        kv=kv,
    )


_ANY = {
    "model": st.sampled_from(MODELS),
    "devices": st.integers(1, 16),
    "precision": st.sampled_from(["bf16", "fp8", "int4", "q4_k_m"]),
    "context": st.integers(64, 100_000),
}


@settings(max_examples=150, deadline=None)
@given(**_ANY)
def test_more_devices_never_cache_fewer_tokens(model: str, devices: int, precision: str, context: int) -> None:
    if devices == 1:
        return  # the second device needs channels to the first, once
    few, many = (fit(_plan(model, n, precision, "bf16"), context=context) for n in (devices, devices + 1))
    assert many.kv_tokens >= few.kv_tokens
    assert many.sequences >= few.sequences


@settings(max_examples=150, deadline=None)
@given(**_ANY)
def test_smaller_caches_and_shorter_sequences_never_hold_less(
    model: str, devices: int, precision: str, context: int
) -> None:
    wide, narrow = (fit(_plan(model, devices, precision, kv), context=context) for kv in ("bf16", "fp8"))
    assert narrow.sequences >= wide.sequences
    assert fit(_plan(model, devices, precision, "bf16"), context=context // 2).sequences >= wide.sequences


@settings(max_examples=150, deadline=None)
@given(**_ANY)
def test_caution_never_holds_more(model: str, devices: int, precision: str, context: int) -> None:
    found = fit(_plan(model, devices, precision, "bf16"), context=context)
    assert 0 <= found.cautious_sequences <= found.sequences
    assert (found.verdict == "fits") <= (found.cautious_sequences >= 1)


def test_longer_chunks_take_more(replica: Any) -> None:
    small, large = (activation_bytes(replica("llama-3.1-8b", chunk=chunk), 1) for chunk in (2048, 16_384))
    assert large - small == pytest.approx(2 * 14_336 * (4 * 4096 + 2 * 14_336))
    assert small < GIB * 2
