"""Embeddings of a model elsewhere: a configured provider, or a local model. Whoever assembles the house hands in how it
is asked; this cuts the work into batches, asks again, and checks what comes back.
"""

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, Literal

from mainstay.core.errors import MainstayError, Unavailable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Ask", "Remote"]

#: Texts to vectors, in order. Blocks; raises what it likes of ``MainstayError``.
Ask = Callable[[Sequence[str]], Sequence[Sequence[float]]]

#: Seconds before the second attempt; each further one waits twice as long.
_PAUSE: Final = 0.2


class Remote:
    """An ``Embedder`` that asks.

    Args:
        name: marks the vectors; a model's name with whatever else changes them.
        dimensions: numbers that a vector must have.
        ask: turns texts into vectors.
        batch: texts asked for at once.
        characters: signs read of a text; the rest is cut off, because servers refuse what is too long.
        attempts: how often a batch is asked for in all, where the error says that asking again makes sense.
        prefixes: what the model wants before a question and before a passage.
        sleep: waits between attempts.
    """

    def __init__(
        self,
        name: str,
        dimensions: int,
        ask: Ask,
        *,
        batch: int = 64,
        characters: int = 8000,
        attempts: int = 3,
        prefixes: tuple[str, str] = ("", ""),
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.name = name
        self.dimensions = dimensions
        self._ask = ask
        self._batch = batch
        self._characters = characters
        self._attempts = attempts
        self._prefixes = {"question": prefixes[0], "passage": prefixes[1]}
        self._sleep = sleep

    def embed(self, texts: Sequence[str], kind: Literal["question", "passage"]) -> "NDArray[np.float32]":
        """Return a row for each text.

        Raises:
            Unavailable: it cannot be reached, or what it answers are not vectors of this length.
        """
        import numpy as np

        result = np.empty((len(texts), self.dimensions), np.float32)
        before = self._prefixes[kind]
        for first in range(0, len(texts), self._batch):
            # Servers refuse a text without signs.
            some = [before + (text[: self._characters] or " ") for text in texts[first : first + self._batch]]
            try:
                rows = np.asarray(self._try(some), np.float32)
            except (ValueError, TypeError):
                rows = np.empty(0, np.float32)
            if rows.shape != (len(some), self.dimensions) or not np.isfinite(rows).all():
                raise Unavailable(
                    f"The model of embeddings {self.name} does not answer with vectors of {self.dimensions} numbers;"
                    " check its row in the configuration."
                )
            lengths = np.linalg.norm(rows, axis=1, keepdims=True)
            result[first : first + len(some)] = rows / np.where(lengths > 0, lengths, 1.0)
        return result

    def _try(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        pause = _PAUSE
        for left in range(self._attempts - 1, -1, -1):
            try:
                return self._ask(texts)
            except MainstayError as error:
                if not left or not error.retryable:
                    raise Unavailable(
                        f"The model of embeddings {self.name} cannot be reached; try again shortly.",
                        retry_after=error.retry_after,
                    ) from error
                self._sleep(max(pause, error.retry_after or 0.0))
                pause *= 2
        raise AssertionError("unreachable")
