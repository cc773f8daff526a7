"""Whether a fresh answer says the same as a kept one: what the semantic tier's bound on errors rests on.

Two answers of one model to one question differ in words. So short ones must agree in numbers, names and polarity, and
long ones in matter only: the meaning of their beginnings and the words that they share. A port, since a judge may do
better.
"""

from typing import Final, Protocol

from mainstay.caching.names import names_differ
from mainstay.caching.numbers import numbers_differ
from mainstay.caching.polarity import negations
from mainstay.caching.words import is_content, split
from mainstay.encoders.minilm import Encoder

__all__ = ["Comparer", "NullComparer", "Overlap"]

#: Words of an answer that is short: what it says is one thing.
_SHORT: Final = 12
#: Cosines and shares of words from which on answers say the same.
_ALIKE_SHORT: Final = 0.85
_ALIKE: Final = 0.75
_SHARED: Final = 0.15


class Comparer(Protocol):
    """Tells how far two answers to what is taken for one question are apart."""

    def apart(self, question: str, fresh: str, kept: str) -> float:
        """Return 0 where they say the same, 1 where they do not, something between where that is known.

        Runs in a thread.
        """
        ...


class NullComparer:
    """Takes answers that are not equal to the letter as different."""

    def apart(self, question: str, fresh: str, kept: str) -> float:
        """Return 0 for equal texts."""
        return float(fresh.split() != kept.split())


class Overlap:
    """See :class:`Comparer`."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder

    def apart(self, question: str, fresh: str, kept: str) -> float:
        """Return 0 or 1."""
        if fresh.split() == kept.split():
            return 0.0
        mine, theirs = split(fresh), split(kept)
        if not mine or not theirs:
            return 1.0
        one, other = self._encoder.encode([fresh, kept])
        alike = float(one @ other)
        if max(len(mine), len(theirs)) <= _SHORT:
            agree = (
                alike >= _ALIKE_SHORT
                and numbers_differ(fresh, kept) is None
                and names_differ(fresh, kept) is None
                and negations(mine) % 2 == negations(theirs) % 2
            )
            return float(not agree)
        here, there = ({word.stem for word in words if is_content(word)} for words in (mine, theirs))
        shared = len(here & there) / max(1, min(len(here), len(there)))
        return float(alike < _ALIKE or shared < _SHARED)
