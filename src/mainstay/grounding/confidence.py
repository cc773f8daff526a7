"""How sure it is that what was found answers the question at all, from signs of the search alone.

Logistic models over few signs. Their numbers were fitted on the train claims of SciFact, searched with their abstracts
in the base and without, and on questions about other things altogether (CLINC150). ``bench/retrieval.py`` measures them
on claims they have not seen. Pure.
"""

import math
from collections.abc import Sequence
from typing import Final

import msgspec

from mainstay.encoders.minilm import MODEL
from mainstay.grounding.port import Hit

__all__ = ["Signals", "confidence", "margin"]

#: Hits that a margin needs: of few, the best always stands out. Without one, what is usual counts.
_FEW: Final = 20
_BEHIND: Final = 5
_USUAL: Final = 0.25


class Signals(msgspec.Struct, frozen=True):
    """What a search shows, each 0 to 1: the share of the question's words in the best passage (``coverage``), how far
    the best stands above the rest (:func:`margin`), and the best ``cosine`` with the ``embedder`` that it is of."""

    coverage: float
    margin: float = _USUAL
    cosine: float = 0.0
    embedder: str = ""


#: Constant, coverage, margin, cosine.
_WORDS: Final = (-3.3, 4.0, 3.0, 0.0)
#: By embedder, because what a cosine means is its own.
_MEANING: Final = {MODEL: (-5.7, 2.1, 4.4, 6.6)}


def margin(hits: Sequence[Hit]) -> float:
    """Return the best score (of fused hits, best first) less the sixth; what is usual where there are only a few."""
    return hits[0].score - hits[_BEHIND].score if len(hits) >= _FEW else _USUAL


def confidence(signals: Signals) -> float:
    """Return 0 to 1; exactly 0 where nothing of the question was found."""
    if signals.coverage <= 0.0 and signals.cosine <= 0.0:
        return 0.0
    base, *factors = _MEANING.get(signals.embedder, _WORDS)
    value = (signals.coverage, signals.margin, signals.cosine)
    return 1.0 / (1.0 + math.exp(-base - sum(factor * sign for factor, sign in zip(factors, value, strict=True))))
