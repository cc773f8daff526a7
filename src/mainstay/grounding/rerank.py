"""Reading question and passage together, after the search and before the prompt: by whatever model is handed in.

No reranker is on by default: none whose licence lets it ship gains anything here (``bench/LOG.md``).
"""

import math
from collections.abc import Callable, Sequence

from mainstay.core.errors import MainstayError, Unavailable
from mainstay.grounding.port import Hit, Reranker

__all__ = ["Asked", "reorder"]


class Asked:
    """A ``Reranker`` that asks a configured model. ``ask`` takes question and passages and returns a score for each."""

    def __init__(
        self, name: str, ask: Callable[[str, Sequence[str]], Sequence[float]], *, characters: int = 4000
    ) -> None:
        self.name = name
        self._ask = ask
        self._characters = characters

    def rank(self, question: str, passages: Sequence[str]) -> Sequence[float]:
        """Return a score for each passage.

        Raises:
            Unavailable: it cannot be reached, or does not answer with a number for each.
        """
        if not passages:
            return ()
        try:
            scores = self._ask(question, [passage[: self._characters] or " " for passage in passages])
        except MainstayError as error:
            raise Unavailable(f"The reranker {self.name} cannot be reached; try again shortly.") from error
        if len(scores) != len(passages) or not all(math.isfinite(score) for score in scores):
            raise Unavailable(f"The reranker {self.name} does not answer with a score for each passage.")
        return scores


def reorder(hits: Sequence[Hit], texts: Sequence[str], question: str, reranker: Reranker) -> list[Hit]:
    """Return ``hits`` by the reranker's scores, ties as they stood. Raises as ``reranker`` does."""
    scores = reranker.rank(question, texts)
    ranked = [Hit(hit.row, float(score)) for hit, score in zip(hits, scores, strict=True)]
    return sorted(ranked, key=lambda hit: -hit.score)
