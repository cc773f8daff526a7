import contextlib
import io
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainstay.core.errors import ConfigError
from mainstay.core.gguf import BITS_PER_WEIGHT, read_header


def _text(text: str) -> bytes:
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def _file(entries: list[bytes], tensors: list[bytes], version: int = 3) -> bytes:
    head = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(entries))
    return head + b"".join(entries) + b"".join(tensors)


def _tensor(name: str, shape: tuple[int, ...], kind: int) -> bytes:
    return _text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind, 0)


WHOLE = _file(
    [
        _text("general.architecture") + struct.pack("<I", 8) + _text("llama"),
        _text("llama.block_count") + struct.pack("<II", 4, 30),
        _text("a.flag") + struct.pack("<I?", 7, True),
        _text("tokenizer.ggml.tokens") + struct.pack("<IIQ", 9, 8, 2) + _text("a") + _text("b"),
        _text("tokenizer.ggml.scores") + struct.pack("<IIQff", 9, 6, 2, 0.5, 1.5),
    ],
    [_tensor("token_embd.weight", (64, 10), 2), _tensor("norm", (64,), 0)],
)


def test_a_header_gives_metadata_weights_and_bytes() -> None:
    header = read_header(io.BytesIO(WHOLE))
    assert header.metadata == {"general.architecture": "llama", "llama.block_count": 30, "a.flag": True}
    assert header.counts == {"token_embd.weight": 640, "norm": 64}
    assert header.parameters == 704
    # 20 blocks of 32 weights in q4_0 take 18 bytes each, 64 of 32 bits 256.
    assert header.weight_bytes == 20 * 18 + 256
    assert header.vocabulary == 2


def test_a_weight_in_q8_0_takes_eight_and_a_half_bits() -> None:
    assert BITS_PER_WEIGHT["q8_0"] == 8.5
    assert BITS_PER_WEIGHT["mxfp4"] == 4.25


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "ends within"),
        (b"ZIP4" + WHOLE[4:], "does not begin"),
        (_file([], [], version=9), "version"),
        (b"GGUF" + struct.pack("<IQQ", 3, 1 << 60, 0), "not to be believed"),
        (_file([_text("x") + struct.pack("<IIQ", 9, 9, 1)], []), "array of arrays"),
        (_file([_text("x") + struct.pack("<I", 33)], []), "type of value"),
        (_file([], [_tensor("x", (4,), 4000)]), "type that is not known"),
        (_file([_text("x") + struct.pack("<IIQ", 9, 0, 1 << 40)], []), "not to be believed"),
        (WHOLE[:-20], "ends within"),
    ],
)
def test_what_is_no_gguf_file_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        read_header(io.BytesIO(data))


@settings(max_examples=200)
@given(st.integers(0, len(WHOLE) - 1), st.integers(0, 255))
def test_a_damaged_header_is_read_or_refused_and_nothing_else(place: int, byte: int) -> None:
    damaged = bytearray(WHOLE)
    damaged[place] = byte
    with contextlib.suppress(ConfigError):
        read_header(io.BytesIO(bytes(damaged)))
