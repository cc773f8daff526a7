"""Embeddings that are looked up, not computed: a mean of the vectors of a text's pieces. A hundred times as fast as
MiniLM, and weaker; they gain where they are fused with words.

The weights (MIT) and the table of pieces come from the package ``wordllama``, of which only these two files are opened,
never its code; their SHA-256 are checked. Pieces are those of Llama 2: byte pairs, merged by rank (Sennrich, Haddow and
Birch 2016), signs that are unknown as bytes.
"""

import hashlib
import json
import os
import re
from collections.abc import Sequence
from functools import cache, lru_cache
from importlib.util import find_spec
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, Literal

from mainstay.core.errors import Unavailable
from mainstay.encoders.tensors import unpack

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["MODEL", "Pieces", "WordLlama", "is_installed"]

_PACKAGE: Final = "wordllama"
_WEIGHTS: Final = (
    "weights/l2_supercat_256.safetensors",
    "64b47a2dc493cb8e85944076601189739852d7b64e0e1eedcb1937a251cd9fd5",
)
_PIECES: Final = (
    "tokenizers/l2_supercat_tokenizer_config.json",
    "93248f2a9ec36c7b35f700a033d5f36228aae48db61aee31007fa49062cdeb68",
)
#: Marks vectors that are kept: those of another model cannot be compared with them.
MODEL: Final = f"wordllama-256:{_WEIGHTS[1][:12]}"
#: Signs of a text that are read.
_READ: Final = 20_000
#: A longer run is cut: merging takes the square of its length.
_WORDS: Final = re.compile(r"\S{1,60}")
_NEVER: Final = 1 << 30
_MISSING: Final = "The embedder wordllama is not installed; run pip install wordllama or choose another embedder."


def is_installed() -> bool:
    """Return whether the packages are there, without loading anything."""
    return all(find_spec(name) is not None for name in ("numpy", _PACKAGE))


class Pieces:
    """Cuts words into pieces and gives their numbers. ``vocabulary`` numbers pieces, ``merges`` are pairs, first first.

    Pieces never reach over a blank, so words are cut one by one, and remembered.
    """

    def __init__(self, vocabulary: dict[str, int], merges: Sequence[str]) -> None:
        self._numbers = vocabulary
        self._ranks = {tuple(pair.split(" ", 1)): rank for rank, pair in enumerate(merges)}
        self._word = lru_cache(50_000)(self._cut)

    def encode(self, text: str) -> list[int]:
        """Return the numbers of the pieces of ``text``, whatever its blanks are."""
        return [number for word in _WORDS.findall(text) for number in self._word(word)]

    def _cut(self, word: str) -> tuple[int, ...]:
        parts = ["\u2581", *word]
        while len(parts) > 1:
            ranked = [(self._ranks.get(pair, _NEVER), at) for at, pair in enumerate(pairwise(parts))]
            rank, at = min(ranked)
            if rank == _NEVER:
                break
            parts[at : at + 2] = [parts[at] + parts[at + 1]]
        numbers: list[int] = []
        for part in parts:
            number = self._numbers.get(part)
            numbers += [number] if number is not None else [self._byte(byte) for byte in part.encode()]
        return tuple(numbers)

    def _byte(self, byte: int) -> int:
        return self._numbers.get(f"<0x{byte:02X}>", 0)


class WordLlama:
    """An ``Embedder``. Some 0.1 ms for a question and 1 ms for a passage; loads with the first text.

    Raises:
        Unavailable: the package is not installed, or its files are not those that are known.
    """

    name = MODEL
    dimensions = 256

    def __init__(self) -> None:
        if not is_installed():
            raise Unavailable(_MISSING)

    def embed(self, texts: Sequence[str], kind: Literal["question", "passage"]) -> "NDArray[np.float32]":
        """Return a row for each text; questions and passages are read alike. A text without words has zeros."""
        import numpy as np

        pieces, table = _open()
        result = np.zeros((len(texts), self.dimensions), np.float32)
        for at, text in enumerate(texts):
            if numbers := pieces.encode(text[:_READ]):
                mean = table[numbers].mean(axis=0, dtype=np.float32)
                result[at] = mean / (float(np.linalg.norm(mean)) or 1.0)
        return result


@cache
def _open() -> "tuple[Pieces, NDArray[Any]]":
    try:
        tensors, _ = unpack(_read(*_WEIGHTS))
        model = json.loads(_read(*_PIECES))["model"]
    except (OSError, ValueError, KeyError) as error:
        raise Unavailable(_MISSING) from error
    return Pieces(model["vocab"], model["merges"]), tensors["embedding.weight"]


def _read(path: str, sha256: str) -> bytes:
    spec = find_spec(_PACKAGE)
    folders = spec.submodule_search_locations if spec is not None else None
    with open(os.path.join(folders[0] if folders else "", path), "rb") as file:
        data = file.read()
    if hashlib.sha256(data).hexdigest() != sha256:
        raise ValueError("a file of the package wordllama is not the one that is known")
    return data
