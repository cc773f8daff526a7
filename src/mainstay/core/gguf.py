"""The header of a GGUF file: what the model is and how many bytes its tensors take, without reading the weights.

The format is ggml-org/ggml's, docs/gguf.md, versions 2 and 3. Reads from an open binary stream; knows no paths. A
header is a stranger's file: every length is checked before it is believed.
"""

import struct
from typing import BinaryIO, Final

import msgspec

from mainstay.core.errors import ConfigError

__all__ = ["BITS_PER_WEIGHT", "GgufHeader", "read_header"]

#: GGML type number -> its name, weights per block, bytes per block.
_TYPES: Final = {
    0: ("f32", 1, 4), 1: ("f16", 1, 2), 2: ("q4_0", 32, 18), 3: ("q4_1", 32, 20), 6: ("q5_0", 32, 22),
    7: ("q5_1", 32, 24), 8: ("q8_0", 32, 34), 9: ("q8_1", 32, 36), 10: ("q2_k", 256, 84), 11: ("q3_k", 256, 110),
    12: ("q4_k", 256, 144), 13: ("q5_k", 256, 176), 14: ("q6_k", 256, 210), 15: ("q8_k", 256, 292),
    16: ("iq2_xxs", 256, 66), 17: ("iq2_xs", 256, 74), 18: ("iq3_xxs", 256, 98), 19: ("iq1_s", 256, 50),
    20: ("iq4_nl", 32, 18), 21: ("iq3_s", 256, 110), 22: ("iq2_s", 256, 82), 23: ("iq4_xs", 256, 136),
    24: ("i8", 1, 1), 25: ("i16", 1, 2), 26: ("i32", 1, 4), 27: ("i64", 1, 8), 28: ("f64", 1, 8),
    29: ("iq1_m", 256, 56), 30: ("bf16", 1, 2), 34: ("tq1_0", 256, 54), 35: ("tq2_0", 256, 66), 39: ("mxfp4", 32, 17),
}  # fmt: skip
#: Bits that one weight takes in each tensor type, scales included.
BITS_PER_WEIGHT: Final = {name: size * 8 / block for name, block, size in _TYPES.values()}
#: Value type -> struct format.
_SCALARS: Final = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_TEXT, _ARRAY = 8, 9
_MOST = 1 << 20  # entries, tensors, or bytes of one text: far above any real file
_LONGEST_ARRAY = 1 << 22


class GgufHeader(msgspec.Struct, frozen=True):
    """What a header says. ``counts`` are weights per tensor, ``weight_bytes`` the bytes of all tensors."""

    version: int
    #: Texts and numbers; arrays are left out.
    metadata: dict[str, object]
    counts: dict[str, int]
    weight_bytes: int
    #: Tokens of its vocabulary; 0 when it has none.
    vocabulary: int = 0

    @property
    def parameters(self) -> int:
        """Return the number of weights."""
        return sum(self.counts.values())


class _Reader:
    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def take(self, size: int) -> bytes:
        data = self._stream.read(size)
        if len(data) != size:
            raise ValueError("it ends within its header")
        return data

    def scalar(self, kind: int) -> object:
        form = _SCALARS[kind]
        value: object = struct.unpack(f"<{form}", self.take(struct.calcsize(form)))[0]
        return value

    def whole(self, form: str = "Q", most: int = _MOST) -> int:
        value = int(struct.unpack(f"<{form}", self.take(struct.calcsize(form)))[0])
        if value > most:
            raise ValueError("a length in its header is not to be believed")
        return value

    def text(self) -> str:
        return self.take(self.whole()).decode("utf-8", "replace")

    def value(self, kind: int) -> object:
        """Return a scalar or a text; of an array only its length, as a tuple of one."""
        if kind in _SCALARS:
            return self.scalar(kind)
        if kind == _TEXT:
            return self.text()
        if kind != _ARRAY:
            raise ValueError("it has a type of value that is not known")
        inner, length = self.whole("I", 64), self.whole(most=_LONGEST_ARRAY)
        if inner in _SCALARS:
            self.take(struct.calcsize(_SCALARS[inner]) * length)
        elif inner == _TEXT:
            for _ in range(length):
                self.take(self.whole())
        else:
            raise ValueError("it has an array of arrays")
        return (length,)


def read_header(stream: BinaryIO) -> GgufHeader:
    """Return the header of the GGUF file that ``stream`` is at the beginning of.

    Raises:
        ConfigError: it is no GGUF file, or one that is cut short or made to mislead.
    """
    reader = _Reader(stream)
    try:
        return _read(reader)
    except (ValueError, KeyError, struct.error) as error:
        why = str(error) if isinstance(error, ValueError) else "it has a type that is not known"
        raise ConfigError(f"The GGUF file cannot be read: {why}.") from None


def _read(reader: _Reader) -> GgufHeader:
    if reader.take(4) != b"GGUF":
        raise ValueError("it does not begin as a GGUF file does")
    version = reader.whole("I", 0xFFFFFFFF)
    if version not in (2, 3):
        raise ValueError("its version is neither 2 nor 3, or its bytes are in the other order")
    tensors, entries = reader.whole(), reader.whole()
    metadata: dict[str, object] = {}
    vocabulary = 0
    for _ in range(entries):
        name = reader.text()
        value = reader.value(reader.whole("I", 64))
        if isinstance(value, tuple):
            vocabulary = value[0] if name == "tokenizer.ggml.tokens" else vocabulary
        else:
            metadata[name] = value
    counts: dict[str, int] = {}
    total = 0
    for _ in range(tensors):
        name = reader.text()
        count = 1
        for _ in range(reader.whole("I", 8)):
            count *= reader.whole(most=1 << 40)
        _, block, size = _TYPES[reader.whole("I", 1 << 16)]
        reader.take(8)
        counts[name] = count
        total += -(-count // block) * size
    return GgufHeader(version, metadata, counts, total, vocabulary)
