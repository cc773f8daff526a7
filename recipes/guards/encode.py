"""Vectors of texts, kept in a file so that a second run need not compute them again."""

import hashlib
import pickle
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mainstay.encoders.minilm import DIMENSIONS, open_encoder

__all__ = ["Vectors"]


class Vectors:
    """The vectors of texts that were met; ``path`` is a file of ours, never one from elsewhere."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[bytes, NDArray[np.float16]] = pickle.loads(path.read_bytes()) if path.exists() else {}

    def of(self, texts: list[str]) -> NDArray[np.float32]:
        """Return one row for each text."""
        keys = [hashlib.sha256(text.encode("utf-8", "replace")).digest()[:16] for text in texts]
        missing = list({key: text for key, text in zip(keys, texts, strict=True) if key not in self._known}.items())
        for start in range(0, len(missing), 2000):
            some = missing[start : start + 2000]
            rows = open_encoder().encode([text for _, text in some]).astype(np.float16)
            self._known.update(zip((key for key, _ in some), rows, strict=True))
            self._path.write_bytes(pickle.dumps(self._known))
        if not keys:
            return np.zeros((0, DIMENSIONS), np.float32)
        return np.stack([self._known[key] for key in keys]).astype(np.float32)
