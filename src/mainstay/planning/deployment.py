"""One model on some devices: what every question of the planner is about, and what a weight takes in each precision.

Values only. Does not say whether it fits (``memory``) or how fast it is (``throughput``).
"""

from typing import Final

import msgspec

from mainstay.core.errors import ConfigError
from mainstay.core.gguf import BITS_PER_WEIGHT
from mainstay.core.hardware import Accelerator
from mainstay.core.names import closest, plain
from mainstay.core.sizes import ModelSize

__all__ = ["KV_PRECISIONS", "PRECISIONS", "Deployment", "Precision", "find_precision"]


class Precision(msgspec.Struct, frozen=True):
    """How weights are kept: ``bytes`` per weight with its scales, and the precision they are multiplied in."""

    name: str
    bytes: float
    compute: str


def _rows() -> dict[str, Precision]:
    plain_rows = {
        "fp32": (4.0, "fp32"),
        "bf16": (2.0, "bf16"),
        "fp16": (2.0, "fp16"),
        # Scales per block of 128, and embeddings and norms that stay wider.
        "fp8": (1.02, "fp8"),
        "int8": (1.03, "int8"),
        # Groups of 128 with scale and zero, embeddings and head in 16 bits.
        "awq": (0.58, "bf16"),
        "gptq": (0.58, "bf16"),
        "int4": (0.58, "bf16"),
        "nvfp4": (0.60, "bf16"),
        # What engines load of gpt-oss: 64.4 GiB of 116.8 billion; attention and embeddings stay in 16 bits.
        "mxfp4": (0.592, "bf16"),
        # Mixtures of block types that llama.cpp's quantiser makes, averaged over models of 7 to 70 billion.
        "q2_k": (0.40, "bf16"),
        "q3_k_s": (0.44, "bf16"),
        "q3_k_m": (0.49, "bf16"),
        "q3_k_l": (0.53, "bf16"),
        "q4_k_s": (0.57, "bf16"),
        "q4_k_m": (0.605, "bf16"),
        "q5_k_s": (0.69, "bf16"),
        "q5_k_m": (0.71, "bf16"),
        "iq4_xs": (0.54, "bf16"),
    }
    blocks = {name: (bits / 8, "bf16") for name, bits in BITS_PER_WEIGHT.items() if name.startswith(("q", "iq"))}
    return {name: Precision(name, *row) for name, row in {**blocks, **plain_rows}.items()}


#: Precisions of weights, by name.
PRECISIONS: Final = _rows()
#: Bytes of one number in the key-value cache.
KV_PRECISIONS: Final = {"fp32": 4.0, "bf16": 2.0, "fp16": 2.0, "fp8": 1.0, "int8": 1.0, "q8_0": 1.0625, "q4_0": 0.5625}
_ALIASES: Final = {
    "bfloat16": "bf16", "float16": "fp16", "float32": "fp32", "f16": "fp16", "f32": "fp32", "half": "fp16",
    "w8a8": "int8", "w4a16": "int4", "q4": "q4_k_m", "q5": "q5_k_m", "q8": "q8_0", "q6": "q6_k", "4bit": "int4",
    "8bit": "int8", "fp4": "nvfp4",
}  # fmt: skip


def find_precision(name: str) -> Precision:
    """Return the precision called ``name``. Raises ConfigError with the nearest names."""
    key = plain(name).replace("-", "_")
    row = PRECISIONS.get(_ALIASES.get(key, key))
    if row is None:
        near = closest(key, PRECISIONS)
        hint = f"did you mean {' or '.join(map(repr, near))}?" if near else "try bf16, fp8, int4 or q4_k_m."
        raise ConfigError(f"There is no precision '{name[:64]}': {hint}")
    return row


class Deployment(msgspec.Struct, frozen=True, kw_only=True):
    """One replica: ``size`` on ``devices`` devices that share every layer (tensor parallel).

    Raises:
        ConfigError: a number makes no sense, the model's shape is unknown, or the key-value precision is.
    """

    size: ModelSize
    device: Accelerator
    devices: int = 1
    precision: Precision = Precision("bf16", 2.0, "bf16")
    kv: str = "bf16"
    #: Bytes of the weights, where a file says; else they follow from size and precision.
    file_bytes: int | None = None
    #: The share of a device's memory that the engine may take.
    usable: float = 0.9
    #: Tokens of prompts that one step computes at most; 0 for what engines do by default on such a device.
    chunk: int = 0
    #: Sequences that the engine makes room for when it picks tokens; 0 for what engines do by default.
    slots: int = 0

    def __post_init__(self) -> None:
        if not self.size.known:
            raise ConfigError(
                f"The shape of '{self.size.name}' is not known, so it cannot be planned for; give the config.json or "
                "GGUF file of a model that can be run."
            )
        if self.kv not in KV_PRECISIONS:
            raise ConfigError(f"The key-value cache has no precision '{self.kv[:32]}'; it is bf16, fp8, q8_0 or q4_0.")
        if not 1 <= self.devices <= 4096:
            raise ConfigError("A replica has 1 to 4096 devices.")
        if not 0.1 <= self.usable <= 1.0:
            raise ConfigError("The usable share of a device's memory lies between 0.1 and 1.")

    @property
    def weight_bytes(self) -> float:
        """Return the bytes of all weights."""
        return float(self.file_bytes) if self.file_bytes is not None else self.size.total_b * 1e9 * self.bytes_each

    @property
    def bytes_each(self) -> float:
        """Return the bytes of one weight, scales included."""
        if self.file_bytes is not None and self.size.total_b > 0:
            return self.file_bytes / (self.size.total_b * 1e9)
        return self.precision.bytes

    @property
    def step_tokens(self) -> int:
        """Return how many tokens of prompts one step computes at most."""
        if self.chunk:
            return self.chunk
        if self.device.kind != "gpu":
            return 512
        return 8192 if self.device.memory_gib > 64 else 2048

    @property
    def picked(self) -> int:
        """Return for how many sequences the engine makes room when it picks tokens."""
        if self.slots:
            return self.slots
        if self.device.kind != "gpu":
            return 16
        return 1024 if self.device.memory_gib > 64 else 256
