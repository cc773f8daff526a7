import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.core.errors import ConfigError
from mainstay.core.gguf import GgufHeader
from mainstay.core.sizes import ModelSize, all_sizes, count_parameters, find_size, from_config, from_gguf, guess_size

KNOWN = [row for row in all_sizes() if row.known]
#: Shapes whose parameters do not follow from the columns: shared experts, dense layers between, a part that sees.
APART = {"llama-4-scout", "llama-4-maverick", "qwen3-next-80b-a3b", "deepseek-v3", "deepseek-v2-lite", "gemma-3-4b"}

LLAMA = {
    "model_type": "llama",
    "num_hidden_layers": 32,
    "hidden_size": 4096,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "intermediate_size": 14336,
    "vocab_size": 128256,
    "max_position_embeddings": 131072,
}


@pytest.mark.parametrize("row", all_sizes(), ids=lambda row: row.name)
def test_every_row_makes_sense(row: ModelSize) -> None:
    assert row.source
    assert 0 < row.active_b <= row.total_b
    assert row.known != row.closed
    low, high = row.total_interval()
    assert low <= row.total_b <= high
    low, high = row.active_interval()
    assert low <= row.active_b <= high
    assert row.closed == (row.total_range is not None)
    if row.known:
        assert min(row.layers, row.d_model, row.heads, row.kv_heads, row.head_dim, row.d_ff, row.vocab) > 0
        assert row.heads % row.kv_heads == 0
        assert (row.kv_rank > 0) == (row.rope_dim > 0)
        assert row.moe == (row.active_b < row.total_b)


@pytest.mark.parametrize("row", [r for r in KNOWN if not r.hybrid and r.name not in APART], ids=lambda row: row.name)
def test_parameters_follow_from_the_shape(row: ModelSize) -> None:
    total, active = count_parameters(row)
    assert total == pytest.approx(row.total_b, rel=0.04)
    assert active == pytest.approx(row.active_b, rel=0.18 if row.moe else 0.04)


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("meta-llama/Llama-3.1-8B-Instruct", "llama-3.1-8b"),
        ("accounts/fireworks/models/llama-v3p3-70b-instruct", "llama-3.3-70b"),
        ("llama3.1:8b", "llama-3.1-8b"),
        ("Qwen/Qwen3-235B-A22B-Instruct-2507-FP8", "qwen3-235b-a22b"),
        ("deepseek-ai/DeepSeek-R1-0528", "deepseek-v3"),
        ("deepseek-ai/DeepSeek-R1-Distill-Llama-70B", "llama-3.3-70b"),
        ("deepseek-r1-0528-qwen3-8b", "qwen3-8b"),
        ("smollm2-135m-instruct-q8_0.gguf", "smollm2-135m"),
        ("nvidia/NVIDIA-Nemotron-Nano-9B-v2", "nemotron-nano-9b-v2"),
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "claude-sonnet"),
        ("claude-3-5-haiku-latest", "claude-haiku"),
        ("gpt-4o-mini-2024-07-18", "gpt-4o-mini"),
        ("gpt-4o-2024-11-20", "gpt-4o"),
        ("gpt-5.1", "gpt-5"),
        ("models/gemini-2.5-flash-lite", "gemini-flash-lite"),
    ],
)
def test_a_model_is_found_by_the_name_its_vendor_gives_it(name: str, row: str) -> None:
    assert find_size(name).name == row


def test_every_row_is_found_by_its_own_name() -> None:
    for row in all_sizes():
        assert find_size(row.name) is row


def test_an_unknown_model_gets_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"did you mean 'llama-3\.1-8b'"):
        find_size("lama-3.1-9b")


def test_a_name_alone_tells_a_size_with_a_wide_interval() -> None:
    dense, sparse = guess_size("foo-13b-chat"), guess_size("acme/bar-30b-a3b")
    assert dense is not None
    assert sparse is not None
    assert (dense.total_b, dense.active_b, dense.known) == (13, 13, False)
    assert (sparse.total_b, sparse.active_b) == (30, 3)
    assert dense.total_interval() == (9.75, 16.25)
    assert guess_size("an unheard-of model") is None
    assert guess_size("Qwen/Qwen3-8B") is find_size("qwen3-8b")


@given(st.text(max_size=120))
def test_any_name_is_found_guessed_or_refused(name: str) -> None:
    size = guess_size(name)
    assert size is None or size.total_b > 0


def test_a_config_json_gives_the_shape() -> None:
    size, row = from_config(LLAMA, "mine"), find_size("llama-3.1-8b")
    assert size.total_b == pytest.approx(8.03, rel=0.005)
    for field in ("layers", "d_model", "heads", "kv_heads", "head_dim", "d_ff", "vocab", "context"):
        assert getattr(size, field) == getattr(row, field)


def test_a_config_json_of_experts_gives_what_a_token_passes() -> None:
    size = from_config(
        {**LLAMA, "num_local_experts": 8, "num_experts_per_tok": 2, "vocab_size": 32000, "model_type": "mixtral"}
    )
    assert size.total_b == pytest.approx(46.7, rel=0.01)
    assert size.active_b == pytest.approx(12.9, rel=0.01)


def test_a_config_json_with_latent_attention_is_read() -> None:
    size = from_config(
        {
            "num_hidden_layers": 61, "hidden_size": 7168, "num_attention_heads": 128, "num_key_value_heads": 128,
            "head_dim": 128, "intermediate_size": 18432, "moe_intermediate_size": 2048, "n_routed_experts": 256,
            "num_experts_per_tok": 8, "n_shared_experts": 1, "first_k_dense_replace": 3, "kv_lora_rank": 512,
            "qk_rope_head_dim": 64, "vocab_size": 129280, "max_position_embeddings": 163840,
            "quantization_config": {"quant_method": "fp8"},
        }
    )  # fmt: skip
    assert (size.kv_rank, size.rope_dim, size.published) == (512, 64, "fp8")
    assert size.total_b == pytest.approx(671, rel=0.01)
    assert size.active_b == pytest.approx(37.6, rel=0.02)


@pytest.mark.parametrize(
    ("more", "window", "share"),
    [
        ({"sliding_window": 4096, "model_type": "gemma2"}, 4096, 0.5),
        ({"sliding_window": 1024, "model_type": "gemma3_text", "num_hidden_layers": 48}, 1024, 40 / 48),
        ({"sliding_window": 128, "layer_types": ["sliding_attention", "full_attention"] * 16}, 128, 0.5),
        ({"layer_types": ["linear_attention"] * 24 + ["full_attention"] * 8}, 0, 0.75),
        ({"sliding_window": 4096, "use_sliding_window": False}, 0, 0.0),
        ({"sliding_window": 4096}, 4096, 1.0),
        ({"sliding_window": None}, 0, 0.0),
    ],
)
def test_windows_are_read_however_they_are_written(more: dict[str, object], window: int, share: float) -> None:
    size = from_config({**LLAMA, **more})
    assert (size.window, size.local_share) == (window, pytest.approx(share))


def test_a_given_total_overrides_the_count_and_scales_what_is_active() -> None:
    assert from_config(LLAMA, total_b=9.0).active_b == pytest.approx(9.0)


def test_what_is_inside_a_text_config_counts() -> None:
    assert from_config({"model_type": "gemma3", "text_config": LLAMA}).layers == 32


@pytest.mark.parametrize("config", [{}, {"num_hidden_layers": 12}, {**LLAMA, "hidden_size": "wide"}])
def test_a_config_json_of_no_decoder_is_refused(config: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="num_hidden_layers"):
        from_config(config, "mine")


def test_a_gguf_header_gives_shape_and_true_parameters() -> None:
    header = GgufHeader(
        version=3,
        metadata={
            "general.architecture": "llama",
            "llama.block_count": 2,
            "llama.embedding_length": 64,
            "llama.attention.head_count": 4,
            "llama.attention.head_count_kv": 2,
            "llama.feed_forward_length": 128,
            "llama.context_length": 4096,
            "llama.expert_count": 8,
            "llama.expert_used_count": 2,
        },
        counts={"token_embd.weight": 1_000_000, "blk.0.ffn_up_exps.weight": 8_000_000},
        weight_bytes=9_000_000,
        vocabulary=1000,
    )
    size = from_gguf(header, "tiny")
    assert size.total_b == pytest.approx(0.009)
    assert size.active_b == pytest.approx(0.003)
    assert (size.kv_heads, size.head_dim, size.vocab, size.experts, size.tied) == (2, 16, 1000, 8, True)


def test_a_gguf_header_of_no_language_model_is_refused() -> None:
    with pytest.raises(ConfigError, match="no language model"):
        from_gguf(GgufHeader(3, {"general.architecture": "clip"}, {"a": 1}, 1))
