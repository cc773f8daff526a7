"""Which words of which source a claim rests on: by the words that both have.

Finds the sentences of a source that a cited claim is best quoted by, and the source of a claim that a model did not
mark. Pure and quick, since a stream waits for it; whether the source supports the claim is the verifier's to say.

A word weighs the more the fewer sentences of the sources have it, and most where none has. A claim is attributed where
nearly all of its weight stands together in one source and clearly less in any other; ``bench/attribution.py`` measures
that on claims and abstracts. Where claims are checked, a source that is only likely counts once the check supports it.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Final

import msgspec

from mainstay.core.sources import Source
from mainstay.grounding.sentences import sentences
from mainstay.grounding.terms import root, terms, tokens

__all__ = ["Passages", "Quote"]

#: Sentences of one quote at most, and what another must add to the share of words that are found.
_MOST, _GAIN = 3, 0.15
#: Least weight of a claim in a source that nobody marked, how much less of it is in every other, and the least share of
#: its neighbouring words that stand near each other there. Words that are said as they stand need no distance.
_LEAST: Final = 0.8
_APART: Final = 0.2
_TOGETHER: Final = 0.2
_VERBATIM: Final = (0.95, 0.6)
#: Least weight where a check has the last word, and least number of words to go by.
_LIKELY: Final = 0.6
_WORDS: Final = 3
#: Words between neighbours.
_NEAR: Final = 4


class Quote(msgspec.Struct, frozen=True):
    """Code points ``start`` up to ``end`` of a source's text, and the share (0 to 1) of a claim's words in them."""

    start: int
    end: int
    share: float


class _Passage:
    """A source's sentences, each with its words in order, and as a set."""

    __slots__ = ("order", "places", "words")

    def __init__(self, text: str) -> None:
        self.places = [(one.start, one.end) for one in sentences(text)] or [(0, len(text))]
        self.order = [[root(word) for word in tokens(text[start:end])] for start, end in self.places]
        self.words = [frozenset(words) for words in self.order]


class Passages:
    """The sources of one answer, as claims are compared with them; each is read when it is first asked for.

    Args:
        sources: what the model was given, in the order of its numbers.
    """

    def __init__(self, sources: Sequence[Source]) -> None:
        self.sources = tuple(sources)
        self._read: dict[int, _Passage] = {}
        #: How many sentences of all sources have a word, and how many there are.
        self._sentences: Counter[str] | None = None
        self._count = 0

    def quote(self, number: int, claim: str) -> Quote:
        """Return the sentences of source ``number`` (from 1) that say most of what ``claim`` says."""
        return self._quote(number, _words(claim))

    def attribute(self, claim: str) -> int:
        """Return the number of the source that plainly says what ``claim`` says, 0 where none does."""
        words = _words(claim)
        if len(words) < _WORDS:
            return 0
        shares = self._weighed(words)
        number = max(shares, key=lambda one: (shares[one], -one), default=0)
        share = shares.get(number, 0.0)
        if share < _LEAST or not self._has_numbers(number, words):
            return 0
        together = self._together(number, claim, words)
        if share >= _VERBATIM[0] and together >= _VERBATIM[1]:
            return number
        rest = max((other for one, other in shares.items() if one != number), default=0.0)
        return number if share - rest >= _APART and together >= _TOGETHER else 0

    def likely(self, claim: str) -> tuple[int, ...]:
        """Return the numbers of the sources that may say what ``claim`` says, best first, for a check to decide."""
        words = _words(claim)
        shares = self._weighed(words) if len(words) >= _WORDS else {}
        may = [one for one, share in shares.items() if share >= _LIKELY and self._has_numbers(one, words)]
        return tuple(sorted(may, key=lambda one: (-shares[one], one)))

    def _weighed(self, words: frozenset[str]) -> dict[int, float]:
        """Return the share of the weight of ``words`` that stands together in each source."""
        if self._sentences is None:
            self._sentences = Counter()
            for number in range(1, len(self.sources) + 1):
                for has in self._passage(number).words:
                    self._sentences.update(has)
                    self._count += 1
        weights = {word: math.log(1 + self._count / (0.5 + self._sentences[word])) for word in words}
        return {number: self._quote(number, words, weights).share for number in range(1, len(self.sources) + 1)}

    def _has_numbers(self, number: int, words: frozenset[str]) -> bool:
        numbers = frozenset(word for word in words if any(map(str.isdigit, word)))
        return not numbers or numbers <= frozenset().union(*self._passage(number).words)

    def _together(self, number: int, claim: str, words: frozenset[str]) -> float:
        """Return the share of neighbouring words of a claim that stand near each other in a source."""
        said = [word for word in map(root, tokens(claim)) if word in words]
        pairs = list(pairwise(said))
        places: dict[str, list[int]] = {}
        passage = self._passage(number)
        for place, word in enumerate([word for order in passage.order for word in order]):
            if word in words:
                places.setdefault(word, []).append(place)
        near = sum(
            any(0 < abs(one - other) <= _NEAR for one in places.get(left, ()) for other in places.get(right, ()))
            for left, right in pairs
        )
        return near / len(pairs) if pairs else 1.0

    def nearest(self, claim: str, most: int) -> tuple[int, ...]:
        """Return the numbers of the ``most`` sources that have most of the words of ``claim``, best first."""
        words = _words(claim)
        shares = {number: self._quote(number, words).share for number in range(1, len(self.sources) + 1)}
        return tuple(sorted(shares, key=lambda number: (-shares[number], number))[:most])

    def _passage(self, number: int) -> _Passage:
        found = self._read.get(number)
        if found is None:
            found = self._read[number] = _Passage(self.sources[number - 1].text)
        return found

    def _quote(self, number: int, words: frozenset[str], weights: Mapping[str, float] | None = None) -> Quote:
        passage = self._passage(number)

        def weigh(some: frozenset[str]) -> float:
            return len(some) if weights is None else sum([weights[word] for word in some])

        sized = weigh(words) or 1
        held = [words & has for has in passage.words]
        best = max(range(len(held)), key=lambda place: weigh(held[place]))
        low = high = best
        shared = held[best]
        while high - low + 1 < _MOST:
            beside = [place for place in (low - 1, high + 1) if 0 <= place < len(held)]
            if not beside:
                break
            place = max(beside, key=lambda one: weigh(held[one] - shared))
            if weigh(held[place] - shared) / sized < (_GAIN if weights is None else 0.05):
                break
            shared |= held[place]
            low, high = min(low, place), max(high, place)
        return Quote(passage.places[low][0], passage.places[high][1], weigh(shared) / sized)


def _words(claim: str) -> frozenset[str]:
    return frozenset(root(part) for word in terms(claim) for part in tokens(word))
