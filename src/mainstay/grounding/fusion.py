"""Two rankings made one: of words (BM25) and of meaning (vectors).

Pure. Scores are fused, not ranks, because a weak ranker's ranks cost more than its scores: with vectors of a static
model, ranks fall below BM25 alone and scores gain (measured, ``bench/retrieval.py``). After Bruch, Gai and Ingber, "An
Analysis of Fusion Functions for Hybrid Retrieval" (2023).
"""

from collections.abc import Mapping, Sequence
from typing import Final

from mainstay.encoders.minilm import MODEL
from mainstay.grounding.port import Hit
from mainstay.grounding.wordllama import MODEL as STATIC

__all__ = ["fuse", "reciprocal", "scaled", "usual_weight"]

#: Cormack, Clarke and Büttcher, "Reciprocal Rank Fusion" (2009).
_K: Final = 60.0
#: Learnt on the train claims of SciFact, cut as ingestion cuts them and whole; flat around these.
_WEIGHTS: Final = {MODEL: 0.55, STATIC: 0.4}
_WEIGHT: Final = 0.6


def usual_weight(embedder: str) -> float:
    """Return the weight of meaning against words for an embedder, by its name, until judged questions teach another."""
    return _WEIGHTS.get(embedder, _WEIGHT)


def scaled(scores: Mapping[int, float], least: float | None = None) -> dict[int, float]:
    """Return scores as 0 to 1: the best is 1, the worst (or what is at or below ``least``) 0. All alike are all 1."""
    if not scores:
        return {}
    top = max(scores.values())
    low = min(scores.values()) if least is None else least
    if top <= low:
        return dict.fromkeys(scores, 1.0)
    width = top - low
    return {row: max(0.0, (score - low) / width) for row, score in scores.items()}


def fuse(lexical: Mapping[int, float], dense: Mapping[int, float], weight: float) -> list[Hit]:
    """Return all rows, best first, by ``weight`` (0 to 1) of meaning and the rest of words.

    ``lexical`` are BM25 scores, of which a row that is missing has none of the words: zero. ``dense`` must hold a score
    for each row of ``lexical`` that has a vector (``Snapshot.dots``), else such a row counts as the worst. Rows of one
    score stand in their own order.
    """
    if not dense:
        weight = 0.0
    elif not lexical:
        weight = 1.0
    words = scaled(lexical, min(0.0, *lexical.values()) if lexical else None)
    meaning = scaled(dense)
    both = {
        row: (1.0 - weight) * words.get(row, 0.0) + weight * meaning.get(row, 0.0)
        for row in dict.fromkeys((*lexical, *dense))
    }
    return [Hit(row, score) for row, score in sorted(both.items(), key=lambda one: (-one[1], one[0]))]


def reciprocal(rankings: Sequence[Sequence[int]], k: float = _K) -> list[Hit]:
    """Return all rows, best first, by the sum of ``1 / (k + rank)`` over ``rankings``, where ranks count from 1."""
    sums: dict[int, float] = {}
    for ranking in rankings:
        for rank, row in enumerate(ranking, 1):
            sums[row] = sums.get(row, 0.0) + 1.0 / (k + rank)
    return [Hit(row, score) for row, score in sorted(sums.items(), key=lambda one: (-one[1], one[0]))]
