"""Whether two questions ask the same: a small net of ours over the states that the encoder gave their words.

Each piece of one text is held against those of the other that it attends to (Parikh et al. 2016, "A decomposable
attention model", with the comparison of Chen et al. 2017, "Enhanced LSTM for natural language inference"), and what is
left over decides. It is symmetric. The weights lie in ``weights/``, pinned; how they were trained stands in
``recipes/caching``. A build of them that does not know its own answers is refused.
"""

import hashlib
import json
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from mainstay.core.errors import StartError
from mainstay.encoders.minilm import Reading
from mainstay.encoders.tensors import unpack

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["FILE", "SHA256", "Read", "Verifier", "check", "open_verifier"]

FILE: Final = "weights/verifier.safetensors"
#: Of the weights.
SHA256: Final = "356a0d86aebfc76b8337244119ebcf470fb111b980cff781b83944669d442337"


class Read:
    """A text as the net keeps it: some 200 bytes a piece."""

    __slots__ = ("inner", "pieces")

    def __init__(self, pieces: "NDArray[np.int32]", inner: "NDArray[np.float16]") -> None:
        self.pieces = pieces
        self.inner = inner


class Verifier:
    """Says how likely it is that two texts ask the same. Safe to share between threads.

    Raises:
        ValueError: the file of weights is damaged or lacks a part.
    """

    def __init__(self, data: bytes) -> None:
        import numpy as np

        tensors, notes = unpack(data)
        try:
            self._tensors = {name: np.asarray(tensor, np.float32) for name, tensor in tensors.items()}
            self.known: list[tuple[str, str, float, float]] = json.loads(notes["known"])
            #: The probability from which on two texts are taken to ask the same; the card says how it was chosen.
            self.threshold = float(notes["threshold"])
            self._width = self._tensors["in_weight"].shape[1]
        except KeyError as missing:
            raise ValueError(f"the file of weights lacks {missing}") from None

    def read(self, reading: Reading) -> Read:
        """Return a text as it is compared and kept."""
        import numpy as np

        t = self._tensors
        inner = np.tanh(_evened(reading.states) @ t["in_weight"] + t["in_bias"])
        return Read(np.asarray(reading.pieces, np.int32), inner.astype(np.float16))

    def same(self, first: Read, second: Read, similarity: float) -> float:
        """Return the probability that two texts of that cosine ask the same."""
        import numpy as np

        if not len(first.pieces) or not len(second.pieces):
            return 0.0
        t = self._tensors
        mine, theirs = first.inner.astype(np.float32), second.inner.astype(np.float32)
        equal = (first.pieces[:, None] == second.pieces[None, :]).astype(np.float32)
        # Rows of ``near`` say where each piece of the first looks in the second.
        near = (mine @ t["query"]) @ (theirs @ t["query"]).T / np.float32(self._width**0.5) + equal * t["equal"][0]
        left = self._compared(mine, _attended(near, theirs), equal.max(axis=1))
        right = self._compared(theirs, _attended(near.T, mine), equal.max(axis=0))
        found = np.concatenate([left + right, np.abs(left - right), np.array([similarity], np.float32)])
        found = np.maximum(found @ t["out1_weight"] + t["out1_bias"], 0) @ t["out2_weight"] + t["out2_bias"]
        logit = float(found[0]) * float(t["slope"][0]) + float(t["shift"][0])
        return float(1 / (1 + np.exp(-np.clip(logit, -30, 30))))

    def _compared(
        self, mine: "NDArray[np.float32]", other: "NDArray[np.float32]", equal: "NDArray[np.float32]"
    ) -> "NDArray[np.float32]":
        import numpy as np

        t = self._tensors
        wide = np.concatenate([mine, other, np.abs(mine - other), mine * other, equal[:, None]], axis=1)
        held = np.maximum(wide @ t["compare_weight"] + t["compare_bias"], 0)
        return np.concatenate([held.max(axis=0), held.mean(axis=0)]).astype(np.float32)


def _evened(states: "NDArray[np.float32]") -> "NDArray[np.float32]":
    """Return states with a mean square of 1."""
    import numpy as np

    result: NDArray[np.float32] = states / np.sqrt((states**2).mean(axis=1, keepdims=True) + np.float32(1e-9))
    return result


def _attended(near: "NDArray[np.float32]", values: "NDArray[np.float32]") -> "NDArray[np.float32]":
    import numpy as np

    powers = np.exp(near - near.max(axis=1, keepdims=True))
    result: NDArray[np.float32] = (powers / powers.sum(axis=1, keepdims=True)) @ values
    return result


@cache
def open_verifier() -> Verifier:
    """Return the process's one verifier.

    Raises:
        StartError: the weights are not the ones that are known.
    """
    data = files("mainstay.caching").joinpath(FILE).read_bytes()
    if hashlib.sha256(data).hexdigest() != SHA256:
        raise StartError("The weights of the cache's verifier are damaged; install mainstay again.")
    return Verifier(data)


def check(verifier: Verifier, read: "Sequence[tuple[Reading, Reading]]") -> None:
    """Ask what the answers are known of; ``read`` has the texts of ``verifier.known``, as the encoder gave them.

    Raises:
        StartError: an answer is not the known one.
    """
    for (first, second, least, most), (one, other) in zip(verifier.known, read, strict=True):
        found = verifier.same(verifier.read(one), verifier.read(other), float(one.vector @ other.vector))
        if not least <= found <= most:
            raise StartError(
                f"The cache's verifier answers {found:.2f} for '{first}' and '{second}', where {least:.2f} to"
                f" {most:.2f} is right; its packages do not work on this processor."
            )
