"""The safetensors format, read and written without its package: a header of JSON, then plain numbers.

Nothing in such a file can run. The format is https://github.com/huggingface/safetensors#format: eight bytes of length,
the header, and the tensors one after another, little-endian.
"""

import json
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["pack", "unpack"]

#: A longer header is not read.
_HEADER: Final = 1 << 20
_TYPES: Final = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I8": "|i1", "U8": "|u1"}


def unpack(data: bytes) -> "tuple[dict[str, NDArray[np.generic]], dict[str, str]]":
    """Return the tensors by name, and the header's notes.

    Raises:
        ValueError: it is damaged, holds no tensor, or has a type of number that is not known.
    """
    import numpy as np

    size = int.from_bytes(data[:8], "little")
    if size > _HEADER or 8 + size > len(data):
        raise ValueError("the file of weights has a damaged header")
    header: dict[str, Any] = json.loads(data[8 : 8 + size])
    if not isinstance(header, dict):
        raise ValueError("the file of weights has a damaged header")
    notes = header.pop("__metadata__", {})
    if not header:
        raise ValueError("the file of weights holds none")
    body = memoryview(data)[8 + size :]
    tensors = {}
    try:
        for name, entry in header.items():
            start, end = entry["data_offsets"]
            if not 0 <= start <= end <= len(body):
                raise ValueError
            tensors[name] = np.frombuffer(body[start:end], _TYPES[entry["dtype"]]).reshape(entry["shape"])
    except (ValueError, KeyError, TypeError):
        raise ValueError("the file of weights is damaged") from None
    return tensors, notes


def pack(tensors: "dict[str, NDArray[np.generic]]", notes: dict[str, str]) -> bytes:
    """Return a file of ``tensors`` and ``notes``; the same input gives the same bytes."""
    names = {kind: name for name, kind in _TYPES.items()}
    header: dict[str, Any] = {"__metadata__": dict(sorted(notes.items()))}
    body = bytearray()
    for name, tensor in sorted(tensors.items()):
        start = len(body)
        body += tensor.tobytes()
        header[name] = {
            "dtype": names[tensor.dtype.str],
            "shape": list(tensor.shape),
            "data_offsets": [start, len(body)],
        }
    head = json.dumps(header, separators=(",", ":")).encode()
    head += b" " * (-len(head) % 8)
    return len(head).to_bytes(8, "little") + head + bytes(body)
