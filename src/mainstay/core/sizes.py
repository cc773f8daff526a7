"""How large models are: a row per model, as its makers publish it, or as wide a guess as an unpublished one deserves.

Rows stand in ``sizes.toml`` and are read when something first asks; a model that is not among them is read from its
Hugging Face ``config.json`` (``from_config``) or the header of its GGUF file (``from_gguf``). What a model needs of a
device is for ``planning/`` to say, what it draws for ``energy/``.
"""

import re
import tomllib
from collections.abc import Mapping
from functools import cache, lru_cache
from pathlib import Path

import msgspec

from mainstay.core.errors import ConfigError
from mainstay.core.gguf import GgufHeader
from mainstay.core.names import closest, plain

__all__ = ["ModelSize", "all_sizes", "count_parameters", "find_size", "from_config", "from_gguf", "guess_size"]

_ROWS = Path(__file__).with_name("sizes.toml")
#: ``llama-7b``, ``qwen-235b-a22b``, ``mixtral-8x7b``, ``smollm-135m``: what a name says of a size.
_IN_NAME = re.compile(r"(?:^|[-.])(?:(\d+)x)?(\d+(?:\.\d+)?)([bm])(?:-a(\d+(?:\.\d+)?)b)?(?=$|[-.])")


class ModelSize(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The size and shape of one model; parameters in billions. A shape that is not known is zeros.

    ``layers`` layers of ``heads`` query heads and ``kv_heads`` key-value heads of ``head_dim``; ``d_ff`` is the inner
    width of one expert where there are ``experts``, of which a token passes ``top_k``. Latent attention has a
    ``kv_rank`` and a ``rope_dim``. A ``local_share`` of the layers keeps only ``window`` tokens (0: a state of fixed
    size).
    """

    name: str
    aliases: tuple[str, ...] = ()
    total_b: float
    active_b: float
    #: For a closed model: between what and what the truth should lie.
    total_range: tuple[float, float] | None = None
    active_range: tuple[float, float] | None = None
    layers: int = 0
    d_model: int = 0
    heads: int = 0
    kv_heads: int = 0
    head_dim: int = 0
    d_ff: int = 0
    vocab: int = 0
    #: The longest context, in tokens.
    context: int = 0
    kv_rank: int = 0
    rope_dim: int = 0
    window: int = 0
    local_share: float = 0.0
    experts: int = 0
    top_k: int = 0
    #: Whether input and output embeddings are one matrix.
    tied: bool = False
    #: Whether some layers are no transformer's, so that the parameters do not follow from the shape.
    hybrid: bool = False
    #: The precision its makers publish it in.
    published: str = "bf16"
    #: Whether its makers keep its size to themselves: all of it is a guess then.
    closed: bool = False
    source: str

    @property
    def known(self) -> bool:
        """Whether the shape is known, so that memory and speed can be worked out."""
        return self.layers > 0

    @property
    def moe(self) -> bool:
        """Whether a token passes only some of the parameters."""
        return self.experts > 1

    def total_interval(self) -> tuple[float, float]:
        """Return low and high of the total parameters, in billions."""
        return self.total_range or (self.total_b, self.total_b)

    def active_interval(self) -> tuple[float, float]:
        """Return low and high of the parameters active per token, in billions."""
        return self.active_range or (self.active_b, self.active_b)


@cache
def all_sizes() -> tuple[ModelSize, ...]:
    """Return every row, in the table's order."""
    with _ROWS.open("rb") as file:
        return tuple(msgspec.convert(tomllib.load(file)["model"], list[ModelSize]))


@cache
def _patterns() -> tuple[tuple[int, re.Pattern[str], ModelSize], ...]:
    # A vendor's prefix may come before, a date or a variant after: us.anthropic.claude-sonnet-4-20250514-v1.
    found = (
        (len(name), re.compile(rf"(?:^|[-.@]){re.escape(name)}(?:$|[-.@])"), row)
        for row in all_sizes()
        for name in dict.fromkeys(plain(each) for each in (row.name, *row.aliases))
    )
    return tuple(sorted(found, key=lambda each: -each[0]))


@lru_cache(4096)
def _lookup(name: str) -> ModelSize | None:
    return next((row for _, pattern, row in _patterns() if pattern.search(name)), None)


def find_size(name: str) -> ModelSize:
    """Return the size of the model called ``name``, as its vendor, a hub or a file calls it.

    The longest name of the table that ``name`` holds decides: ``meta-llama/Llama-3.1-8B-Instruct`` is ``llama-3.1-8b``.

    Raises:
        ConfigError: no row fits; the message gives the nearest.
    """
    if (row := _lookup(plain(name)[:200])) is not None:
        return row
    near = closest(name.rpartition("/")[2], (row.name for row in all_sizes()))
    hint = f"did you mean {' or '.join(repr(each) for each in near)}?" if near else "give its config.json or GGUF file."
    raise ConfigError(f"There is no model '{name[:64]}' in the table of sizes: {hint}")


def guess_size(name: str) -> ModelSize | None:
    """Return the row of ``name``, or else what its name says (``foo-13b``, ``foo-30b-a3b``), or None.

    What only the name says has no shape, and intervals a quarter to each side.
    """
    if (row := _lookup(plain(name)[:200])) is not None:
        return row
    match = _IN_NAME.search(plain(name)[:200])
    if match is None:
        return None
    copies, number, unit, active = match.groups()
    total = float(number) * (1.0 if unit == "b" else 0.001) * int(copies or 1)
    act = float(active) if active else total * (0.28 if copies else 1.0)
    if not 0.01 <= total <= 20_000:
        return None
    return ModelSize(
        name=name,
        total_b=total,
        active_b=min(act, total),
        total_range=(total * 0.75, total * 1.25),
        active_range=(min(act, total) * 0.75, min(act, total) * 1.25),
        source="its name",
    )


def _whole(config: Mapping[str, object], *names: str, default: int = 0) -> int:
    for name in names:
        value = config.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0:
            return int(value)
    return default


def from_config(config: Mapping[str, object], name: str = "", total_b: float | None = None) -> ModelSize:
    """Return the size of a model from its Hugging Face ``config.json``.

    ``total_b`` overrides the count that follows from the shape (within 3 % for plain decoders).

    Raises:
        ConfigError: it is not the configuration of a decoder.
    """
    inner = config.get("text_config")
    c: Mapping[str, object] = {**config, **inner} if isinstance(inner, Mapping) else config
    layers = _whole(c, "num_hidden_layers", "n_layer")
    d = _whole(c, "hidden_size", "n_embd", "d_model")
    heads = _whole(c, "num_attention_heads", "n_head")
    vocab = _whole(c, "vocab_size")
    if min(layers, d, heads, vocab) < 1:
        raise ConfigError(
            f"The config.json of '{(name or 'the model')[:64]}' does not give num_hidden_layers, hidden_size, "
            "num_attention_heads and vocab_size; give that of a decoder."
        )
    experts = _whole(c, "num_local_experts", "n_routed_experts", "num_experts", default=0)
    dense = _whole(c, "intermediate_size", "n_inner", default=4 * d)
    quantised = c.get("quantization_config")
    method = str(quantised.get("quant_method", "")) if isinstance(quantised, Mapping) else ""
    window, share = _locals(c, layers)
    shape = ModelSize(
        name=name or str(c.get("_name_or_path") or c.get("model_type") or "model"),
        total_b=1.0,
        active_b=1.0,
        layers=layers,
        d_model=d,
        heads=heads,
        kv_heads=_whole(c, "num_key_value_heads", default=heads),
        head_dim=_whole(c, "head_dim", default=d // heads) or d // heads,
        d_ff=_whole(c, "moe_intermediate_size", default=dense) if experts > 1 else dense,
        vocab=vocab,
        context=_whole(c, "max_position_embeddings", "n_positions", default=2048),
        kv_rank=_whole(c, "kv_lora_rank"),
        rope_dim=_whole(c, "qk_rope_head_dim") if _whole(c, "kv_lora_rank") else 0,
        window=window,
        local_share=share,
        experts=experts if experts > 1 else 0,
        top_k=_whole(c, "num_experts_per_tok", "moe_top_k") if experts > 1 else 0,
        tied=bool(c.get("tie_word_embeddings", False)),
        published={"mxfp4": "mxfp4", "fp8": "fp8", "awq": "q4", "gptq": "q4"}.get(method, "bf16"),
        source="its config.json",
    )
    first_dense = _whole(c, "first_k_dense_replace")
    shared = _whole(c, "n_shared_experts")
    total, active = count_parameters(shape, dense_ff=dense, first_dense=first_dense, shared=shared)
    if total_b is not None:
        active = active * total_b / total
        total = total_b
    return msgspec.structs.replace(shape, total_b=round(total, 4), active_b=round(active, 4))


def _locals(c: Mapping[str, object], layers: int) -> tuple[int, float]:
    """Return the window and the share of layers that keep only so many tokens."""
    window = _whole(c, "sliding_window", "attention_chunk_size")
    kinds = c.get("layer_types")
    if isinstance(kinds, list) and kinds:
        linear = sum(kind in ("linear_attention", "mamba", "conv") for kind in kinds)
        sliding = sum("sliding" in str(kind) or "chunked" in str(kind) for kind in kinds)
        if linear and not sliding:
            return 0, linear / len(kinds)
        return (window, sliding / len(kinds)) if window and sliding else (0, 0.0)
    if not window or c.get("use_sliding_window") is False:
        return 0, 0.0
    every = _whole(c, "sliding_window_pattern", "_sliding_window_pattern")
    if c.get("model_type") in ("gemma2",):
        every = every or 2
    if c.get("model_type") in ("gemma3", "gemma3_text"):
        every = every or 6
    return window, (layers - layers // every) / layers if every > 1 else 1.0


def count_parameters(
    shape: ModelSize, *, dense_ff: int = 0, first_dense: int = 0, shared: int = 0
) -> tuple[float, float]:
    """Return total and active parameters, in billions, that follow from a shape.

    Gated feed-forward blocks; latent attention with a query rank of at most 1536. ``first_dense`` layers have one block
    of ``dense_ff``, the others ``experts`` and ``shared`` blocks of ``d_ff``.
    """
    d = shape.d_model
    if shape.kv_rank:
        width = shape.heads * (shape.head_dim + shape.rope_dim)
        query = min(d * width, 1536 * (d + width))
        latent = d * (shape.kv_rank + shape.rope_dim) + shape.kv_rank * shape.heads * 2 * shape.head_dim
        attention = query + latent + shape.heads * shape.head_dim * d
    else:
        attention = 2 * d * shape.head_dim * (shape.heads + shape.kv_heads)
    block = 3 * d * shape.d_ff
    embeddings = d * shape.vocab * (1 if shape.tied else 2)
    if not shape.experts:
        total = embeddings + shape.layers * (attention + block)
        return total / 1e9, total / 1e9
    plain_layers = first_dense * (attention + 3 * d * (dense_ff or shape.d_ff))
    rest = shape.layers - first_dense
    router = d * shape.experts
    total = embeddings + plain_layers + rest * (attention + router + (shape.experts + shared) * block)
    active = embeddings + plain_layers + rest * (attention + router + (shape.top_k + shared) * block)
    return total / 1e9, active / 1e9


def from_gguf(header: GgufHeader, name: str = "") -> ModelSize:
    """Return the size of a model from the header of its GGUF file (``core.gguf.read_header``).

    Raises:
        ConfigError: the header describes no language model.
    """
    arch = str(header.metadata.get("general.architecture", ""))
    values = {key.removeprefix(f"{arch}."): value for key, value in header.metadata.items()}
    layers, d = _whole(values, "block_count"), _whole(values, "embedding_length")
    heads = _whole(values, "attention.head_count")
    if min(layers, d, heads) < 1 or not header.parameters:
        raise ConfigError(f"'{(name or 'The file')[:64]}' holds no language model; give a GGUF file of one.")
    experts, top_k = _whole(values, "expert_count"), _whole(values, "expert_used_count")
    total = header.parameters / 1e9
    spread = sum(count for tensor, count in header.counts.items() if "_exps" in tensor) / 1e9
    window = _whole(values, "attention.sliding_window")
    every = {"gemma2": 2, "gemma3": 6, "gpt-oss": 2, "cohere2": 4, "llama4": 4}.get(arch, 1 if window else 0)
    return ModelSize(
        name=name or str(header.metadata.get("general.name", arch)),
        total_b=total,
        active_b=total - spread * (1 - top_k / experts) if experts > 1 else total,
        layers=layers,
        d_model=d,
        heads=heads,
        kv_heads=_whole(values, "attention.head_count_kv", default=heads),
        head_dim=_whole(values, "attention.key_length", default=d // heads),
        d_ff=_whole(values, "expert_feed_forward_length", "feed_forward_length"),
        vocab=header.vocabulary or _whole(values, "vocab_size"),
        context=_whole(values, "context_length"),
        kv_rank=_whole(values, "attention.kv_lora_rank"),
        rope_dim=_whole(values, "rope.dimension_count") if _whole(values, "attention.kv_lora_rank") else 0,
        window=window,
        local_share=(layers - layers // every) / layers if every > 1 else 1.0 if window else 0.0,
        experts=experts if experts > 1 else 0,
        top_k=top_k if experts > 1 else 0,
        tied="output.weight" not in header.counts,
        source="its GGUF header",
    )
