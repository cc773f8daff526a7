"""What stands on the encoder: a small net that turns a text's vector and its letters into logits. Arithmetic alone.

A net has one layer or two over what its file says: the vector of meaning, the sum of an 8-bit table's rows over the
hashed features, the words in their order, the cues of an attack, the signs of a refusal. Its logits are calibrated by a
scale and a shift for each head (Platt 1999; with a scale alone it is the temperature of Guo et al. 2017).
"""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from mainstay.encoders.tensors import unpack
from mainstay.encoders.wordpiece import open_pieces
from mainstay.guardrails.cues import cues
from mainstay.guardrails.hashed import hashed
from mainstay.guardrails.refusal import signs

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Net"]

_EXCLUSIVE: Final = "softmax"
#: Pieces of words that are read in their order, marks included, and what stands for a text without any.
_PIECES: Final = 194
_UNKNOWN: Final = 100


class _Words:
    """Words in their order: 8-bit rows for pieces of words, runs of 3 and of 5 of them, and of each run's numbers the
    highest in the text (Kim 2014, "Convolutional neural networks for sentence classification")."""

    def __init__(self, tensors: "dict[str, NDArray[np.generic]]") -> None:
        import numpy as np

        self._rows = np.asarray(tensors["pieces"])
        self._scale = np.asarray(tensors["pieces_scale"], np.float32)
        self._runs = [
            (
                length,
                np.asarray(tensors[f"run{length}"], np.float32),
                np.asarray(tensors[f"run{length}_bias"], np.float32),
            )
            for length in (3, 5)
        ]
        self._pieces = open_pieces()

    def read(self, text: str) -> "NDArray[np.float32]":
        import numpy as np

        numbers = self._pieces.encode(text, _PIECES)[1:-1] or [_UNKNOWN]
        rows = self._rows[numbers] * self._scale
        found = []
        for length, weight, bias in self._runs:
            side = length // 2
            wide = np.pad(rows, ((side, side), (0, 0)))
            # Row i holds the pieces i-side to i+side, one after another.
            runs = np.concatenate([wide[at : at + len(rows)] for at in range(length)], axis=1)
            found.append(np.maximum(runs @ weight + bias, 0).max(axis=0))
        return np.concatenate(found)


class Net:
    """A net read from the bytes of its file.

    Raises:
        ValueError: the file is damaged or lacks a part.
    """

    def __init__(self, data: bytes) -> None:
        import numpy as np

        tensors, notes = unpack(data)
        try:
            self.heads = tuple(notes["heads"].split(","))
            self.window = int(notes["window"])
            self.blind = notes.get("blind") == "yes"
            self.thresholds: dict[str, float] = json.loads(notes["thresholds"])
            self.known: list[tuple[str, str, float, float]] = json.loads(notes["known"])
            self.reads = frozenset(notes["reads"].split(","))
            self._exclusive = notes["answer"] == _EXCLUSIVE
            self._table = tensors["table"] if "letters" in self.reads else None
            self._scale = np.asarray(tensors["scale"], np.float32) if "letters" in self.reads else None
            self._words = _Words(tensors) if "words" in self.reads else None
            self._layers = [
                (np.asarray(tensors[f"weight{at}"], np.float32), np.asarray(tensors[f"bias{at}"], np.float32))
                for at in (1, 2)
                if at == 1 or f"weight{at}" in tensors
            ]
            self._slope = np.asarray(tensors["slope"], np.float32)
            self._shift = np.asarray(tensors["shift"], np.float32)
        except KeyError as missing:
            raise ValueError(f"the file of weights lacks {missing}") from None

    def judge(self, vectors: "NDArray[np.float32]", texts: Sequence[str]) -> "NDArray[np.float32]":
        """Return a probability for each text (rows) and head (columns); ``vectors`` belong to ``texts``, row by row."""
        import numpy as np

        logits = self.logits(vectors, texts) * self._slope + self._shift
        if self._exclusive:
            powers = np.exp(logits - logits.max(axis=1, keepdims=True))
            shares: NDArray[np.float32] = powers / powers.sum(axis=1, keepdims=True)
            return shares
        result: NDArray[np.float32] = 1 / (1 + np.exp(-np.clip(logits, -30, 30)))
        return result

    def logits(self, vectors: "NDArray[np.float32]", texts: Sequence[str]) -> "NDArray[np.float32]":
        """Return what is to be calibrated."""
        import numpy as np

        inputs = [vectors] if "meaning" in self.reads else []
        if "letters" in self.reads:
            inputs.append(np.stack([self._letters(text) for text in texts]))
        if self._words is not None:
            inputs.append(np.stack([self._words.read(text) for text in texts]))
        if "cues" in self.reads:
            inputs.append(np.stack([cues(text) for text in texts]))
        if "signs" in self.reads:
            inputs.append(np.stack([signs(text) for text in texts]))
        found = np.concatenate(inputs, axis=1)
        for at, (weight, bias) in enumerate(self._layers):
            found = (np.maximum(found, 0) if at else found) @ weight + bias
        result: NDArray[np.float32] = found.astype(np.float32)
        return result

    def _letters(self, text: str) -> "NDArray[np.float32]":
        import numpy as np

        assert self._table is not None
        found = hashed(text)
        total = self._table[found].sum(axis=0, dtype=np.int32)
        result: NDArray[np.float32] = total * self._scale / np.float32(max(1, len(found))) ** np.float32(0.5)
        return result
