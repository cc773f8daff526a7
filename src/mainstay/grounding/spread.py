"""Which of the passages that were found go into a prompt: different ones, neighbours where they are wanted, and no more
than fit.

Pure. A neighbour is a passage of its own, read through the gate and named like any other, never text that is glued to
one: so an answer that rests on it is dropped when it changes.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from mainstay.core.estimate import text_tokens
from mainstay.core.sources import Source
from mainstay.grounding.port import Hit
from mainstay.grounding.terms import tokens

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["diverse", "fitting", "likeness", "overlap", "source_tokens", "windows"]

#: Passages as alike as this say the same twice.
_SAME: Final = 0.97
#: Signs of a passage that are compared where there are no vectors.
_COMPARED: Final = 800
#: Tokens that each source takes besides its text: its mark and its title.
_FRAME: Final = 16


def likeness(
    rows: Sequence[int], sources: Mapping[int, Source], vectors: "Mapping[int, NDArray[np.float32]]"
) -> list[list[float]]:
    """Return how alike passages are, 0 to 1, as a square: by their vectors where both have one, else by their words."""
    if rows and all(row in vectors for row in rows):
        import numpy as np

        table = np.stack([vectors[row] for row in rows])
        close: list[list[float]] = np.maximum(table @ table.T, 0.0).tolist()
        return close
    words = [frozenset(tokens(sources[row].text[:_COMPARED])) for row in rows]
    square = [[0.0] * len(rows) for _ in rows]
    for i, one in enumerate(rows):
        for j in range(i):
            other = rows[j]
            if one in vectors and other in vectors:
                alike = max(0.0, float(vectors[one] @ vectors[other]))
            else:
                alike = overlap(words[i], words[j])
            square[i][j] = square[j][i] = alike
    return square


def overlap(one: frozenset[str], other: frozenset[str]) -> float:
    """Return the share of words that two passages have in common, of all that either has; 0 if neither has any."""
    common = len(one & other)
    return common / ((len(one) + len(other) - common) or 1)


def diverse(hits: Sequence[Hit], alike: Sequence[Sequence[float]], diversity: float, most: int) -> list[Hit]:
    """Return up to ``most`` of ``hits`` (best first), each by its score and by how little it is like those before it.

    Maximal marginal relevance (Carbonell and Goldstein 1998) over scores scaled to 0 to 1. ``diversity`` 0 keeps the
    order. Passages that are all but equal to one before them are left out in any case.
    """
    if not hits:
        return []
    top, low = max(hit.score for hit in hits), min(hit.score for hit in hits)
    worth = [(hit.score - low) / (top - low) if top > low else 1.0 for hit in hits]
    nearest = [0.0] * len(hits)
    left = list(range(len(hits)))
    kept: list[Hit] = []
    while left and len(kept) < most:
        best = max(left, key=lambda at: ((1.0 - diversity) * worth[at] - diversity * nearest[at], -at))
        kept.append(hits[best])
        left.remove(best)
        for at in left:
            nearest[at] = max(nearest[at], alike[best][at])
        left = [at for at in left if nearest[at] < _SAME]
    return kept


def windows(hits: Sequence[Hit], near: Mapping[int, Sequence[int]]) -> list[int]:
    """Return the rows of ``hits``, best first, each amid its neighbours in the order of their document, once each.

    ``near`` are the neighbours of a row in the order of its document, itself among them. What is a hit of its own
    stands with the first window that holds it.
    """
    rows: dict[int, None] = {}
    for hit in hits:
        rows |= dict.fromkeys(near.get(hit.row, (hit.row,)))
    return list(rows)


def source_tokens(source: Source) -> int:
    """Return about how many tokens a source takes in a prompt."""
    return text_tokens(len(source.text.encode())) + _FRAME


def fitting(sources: Sequence[Source], tokens: int, most: int) -> list[Source]:
    """Return those of ``sources``, in order, that fit into ``tokens`` together, ``most`` at most. One that is too large
    is left out, and smaller ones after it may still fit; none is cut, since a cut passage is not what was stored."""
    kept: list[Source] = []
    for source in sources:
        size = source_tokens(source)
        if size <= tokens and len(kept) < most:
            kept.append(source)
            tokens -= size
    return kept
