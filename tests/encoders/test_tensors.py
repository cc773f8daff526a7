"""Weights in the safetensors format."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

np = pytest.importorskip("numpy", reason="the extra 'guards' is not installed")

from mainstay.encoders.tensors import pack, unpack  # noqa: E402  # numpy may be missing


def test_what_is_packed_is_read_back_and_the_same_input_gives_the_same_bytes() -> None:
    tensors = {
        "a": np.arange(6, dtype=np.float32).reshape(2, 3),
        "b": np.array([-1, 2], np.int8),
        "c": np.zeros((0, 4), np.float16),
        "d": np.array(3.5),
    }
    data = pack(tensors, {"x": "1"})
    found, notes = unpack(data)
    assert notes == {"x": "1"}
    assert {name: (tensor.tolist(), tensor.dtype) for name, tensor in found.items()} == {
        name: (tensor.tolist(), tensor.dtype) for name, tensor in tensors.items()
    }
    assert pack(dict(reversed(tensors.items())), {"x": "1"}) == data


def test_the_file_is_one_that_the_package_safetensors_reads() -> None:
    safetensors = pytest.importorskip("safetensors.numpy")
    assert safetensors.load(pack({"a": np.ones(3, np.float32)}, {}))["a"].tolist() == [1, 1, 1]


@given(data=st.binary(max_size=60))
@settings(max_examples=200, deadline=None)
def test_a_damaged_file_is_refused_with_one_kind_of_error(data: bytes) -> None:
    good = pack({"a": np.ones(3, np.float32)}, {})
    for damaged in (data, good[:-1], good[:20], len(data).to_bytes(8, "little") + data):
        with pytest.raises(ValueError):
            unpack(damaged)


@pytest.mark.parametrize(
    "entry",
    [
        {"dtype": "F32", "shape": [1], "data_offsets": [0, 400]},
        {"dtype": "F32", "shape": [9], "data_offsets": [0, 4]},
        {"dtype": "PY", "shape": [1], "data_offsets": [0, 4]},
        {"dtype": "F32", "shape": [1], "data_offsets": [-4, 4]},
        {"dtype": "F32", "data_offsets": [0, 4]},
        7,
    ],
)
def test_a_header_that_lies_is_refused(entry: object) -> None:
    head = json.dumps({"a": entry}).encode()
    with pytest.raises(ValueError, match="damaged"):
        unpack(len(head).to_bytes(8, "little") + head + b"\0" * 8)
