"""Embeddings computed inside Mainstay by MiniLM, from weights that come in a package. English, one processor."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, Literal

from mainstay.core.errors import Unavailable
from mainstay.encoders import minilm

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["MiniLM"]

#: Pieces of words that are read, about 1,100 characters of English: what the model was trained on.
_PIECES: Final = 256


class MiniLM:
    """An ``Embedder``. Some 6 ms for a question and up to 80 ms for a passage; loads with the first text.

    Raises:
        Unavailable: the packages of the extra ``knowledge`` are not installed.
    """

    name = minilm.MODEL
    dimensions = minilm.DIMENSIONS

    def __init__(self) -> None:
        if not minilm.is_installed():
            raise Unavailable(_MISSING)

    def embed(self, texts: Sequence[str], kind: Literal["question", "passage"]) -> "NDArray[np.float32]":
        """Return a row for each text; the model reads questions and passages alike."""
        try:
            encoder = minilm.open_encoder()
        except ImportError as error:
            raise Unavailable(_MISSING) from error
        return encoder.encode(texts, _PIECES)


_MISSING: Final = "The embedder minilm is not installed; install mainstay[knowledge] or set the embedder to none."
