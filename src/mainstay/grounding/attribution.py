"""Which words of which source a claim rests on: by the words that both have.

Finds the sentences of a source that a cited claim is best quoted by, and the source of a claim that a model did not
mark. Pure and quick, since a stream waits for it; whether the source supports the claim is the verifier's to say.
"""

from collections.abc import Sequence

import msgspec

from mainstay.core.sources import Source
from mainstay.grounding.sentences import sentences
from mainstay.grounding.terms import root, terms, tokens

__all__ = ["Passages", "Quote"]

#: Sentences of one quote at most, and what another must add to the share of words that are found.
_MOST, _GAIN = 3, 0.15
#: Least share of a claim's words for a source that nobody marked, and least number of words to go by.
_LEAST, _WORDS = 0.6, 3


class Quote(msgspec.Struct, frozen=True):
    """Code points ``start`` up to ``end`` of a source's text, and the share (0 to 1) of a claim's words in them."""

    start: int
    end: int
    share: float


class _Passage:
    """A source's sentences, each with the words it has."""

    __slots__ = ("places", "words")

    def __init__(self, text: str) -> None:
        self.places = [(one.start, one.end) for one in sentences(text)] or [(0, len(text))]
        self.words = [frozenset(map(root, tokens(text[start:end]))) for start, end in self.places]


class Passages:
    """The sources of one answer, as claims are compared with them; each is read when it is first asked for.

    Args:
        sources: what the model was given, in the order of its numbers.
    """

    def __init__(self, sources: Sequence[Source]) -> None:
        self.sources = tuple(sources)
        self._read: dict[int, _Passage] = {}

    def quote(self, number: int, claim: str) -> Quote:
        """Return the sentences of source ``number`` (from 1) that say most of what ``claim`` says."""
        return self._quote(number, _words(claim))

    def attribute(self, claim: str) -> int:
        """Return the number of the source that says nearly all of what ``claim`` says, 0 where none does."""
        words = _words(claim)
        if len(words) < _WORDS:
            return 0
        numbers = frozenset(word for word in words if any(map(str.isdigit, word)))
        best, most = 0, 0.0
        for number in range(1, len(self.sources) + 1):
            passage = self._passage(number)
            quote = self._quote(number, words)
            if quote.share >= _LEAST and quote.share > most and numbers <= frozenset().union(*passage.words):
                best, most = number, quote.share
        return best

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

    def _quote(self, number: int, words: frozenset[str]) -> Quote:
        passage = self._passage(number)
        sized = len(words) or 1
        held = [words & has for has in passage.words]
        best = max(range(len(held)), key=lambda place: len(held[place]))
        low = high = best
        shared = held[best]
        while high - low + 1 < _MOST:
            beside = [place for place in (low - 1, high + 1) if 0 <= place < len(held)]
            if not beside:
                break
            place = max(beside, key=lambda one: len(held[one] - shared))
            if len(held[place] - shared) / sized < _GAIN:
                break
            shared |= held[place]
            low, high = min(low, place), max(high, place)
        return Quote(passage.places[low][0], passage.places[high][1], len(shared) / sized)


def _words(claim: str) -> frozenset[str]:
    return frozenset(root(part) for word in terms(claim) for part in tokens(word))
