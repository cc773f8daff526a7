"""What a model says, taken apart as it comes: words, marks, and where one claim ends and the next begins.

Two texts run side by side: the one that leaves (with its marks or without), and the one without marks, which is what
claims are found in and checked by. What comes out is the same however the text was cut; nothing is held back but an
open bracket, and blanks before what may be one. Pure.
"""

from collections.abc import Sequence
from typing import Final, Protocol

import msgspec

from mainstay.grounding.marks import Mark, Marks
from mainstay.grounding.sentences import Stretch

__all__ = ["ClaimEnd", "Piece", "Splitter", "Spoken", "Words"]

_BLANKS: Final = " \t"


class Splitter(Protocol):
    """Finds claims in a text as it comes."""

    def feed(self, text: str) -> Sequence[Stretch]:
        """Take more of the text; return the claims that are known to have ended."""
        ...

    def finish(self) -> Sequence[Stretch]:
        """The text is over: return what is left."""
        ...


class Words(msgspec.Struct, frozen=True):
    """A piece of text: as it leaves, and as it is read for claims. One of the two may be empty."""

    visible: str
    clean: str


class ClaimEnd(msgspec.Struct, frozen=True):
    """A claim ends: code points ``start`` up to ``end`` of the text without marks, and the sources that its marks
    name, in order, each once. ``joined``: the next claim is of the same sentence; they end at one place."""

    start: int
    end: int
    text: str
    numbers: tuple[int, ...] = ()
    checkable: bool = True
    joined: bool = False


Piece = Words | ClaimEnd


class Spoken:
    """The text of one choice of an answer.

    Args:
        most: how many sources were offered.
        keep: whether marks stay in the text.
        splitter: finds its claims.
    """

    def __init__(self, most: int, splitter: Splitter, *, keep: bool) -> None:
        self._marks = Marks(most)
        self._splitter = splitter
        self._keep = keep
        #: Blanks that wait for what follows, whether a mark stood behind them, and whether they have left with it.
        self._blanks = ""
        self._marked = False
        self._shown = False
        #: The text without marks since the last claim, where that begins, and how much there is in all.
        self._text = ""
        self._start = 0
        self._length = 0
        #: Whether it is at the head of a line.
        self._heads = True
        #: Claims whose end is known and behind which nothing has been said yet, and marks that have no claim.
        self._ended: list[Stretch] = []
        self._numbers: list[tuple[int, tuple[int, ...]]] = []
        #: How many numbers of marks were invented.
        self.invented = 0

    def feed(self, text: str) -> list[Piece]:
        """Take more of the text; return what it comes to, in order."""
        return self._read(self._marks.feed(text))

    def pause(self) -> list[Piece]:
        """Something else than text comes next: return what was held back."""
        return self._read(self._marks.finish())

    def part(self) -> list[Piece]:
        """A part of the text is over, with the blanks at its end: return what was held back."""
        pieces = self.pause()
        if self._blanks and not self._marked:
            self._emit(pieces, self._blanks, self._blanks)
            self._blanks = ""
        return pieces

    def rest(self, tag: int) -> None:
        """Something that stands in no mark rests the claim that is being said: ``tag`` is among its numbers."""
        self._numbers.append((self._length, (tag,)))

    def finish(self) -> list[Piece]:
        """The text is over: return the rest."""
        pieces = self._read(self._marks.finish())
        if self._blanks:
            # Nothing follows that they could stand before.
            self._say(pieces, "" if self._marked else self._blanks, "")
            self._blanks = ""
        self._ended += self._splitter.finish()
        while self._ended:
            self._end(pieces, self._length, joined=len(self._ended) > 1)
        return pieces

    def _read(self, tokens: Sequence[str | Mark]) -> list[Piece]:
        pieces: list[Piece] = []
        for token in tokens:
            if isinstance(token, Mark):
                self._mark(pieces, token)
            else:
                self._words(pieces, token)
        return pieces

    def _mark(self, pieces: list[Piece], mark: Mark) -> None:
        self.invented += mark.invented
        self._marked = True
        if mark.numbers:
            self._numbers.append((self._length, mark.numbers))
        if self._keep and mark.text:
            self._say(pieces, ("" if self._shown else self._blanks) + mark.text, "")
            self._shown = True

    def _words(self, pieces: list[Piece], text: str) -> None:
        if self._marked and self._heads and not self._shown:
            # Nothing of the line is left before it.
            text = text.lstrip(_BLANKS)
            if not text:
                return
        body = text.rstrip(_BLANKS)
        if self._marked:
            # Of the blanks on both sides of a mark one is enough, and none stands before a full stop.
            first = text[0]
            between = self._blanks if first.isalnum() or first in '([{“‘«"' else ""
            self._emit(pieces, "" if self._shown else between, between)
        elif body:
            self._emit(pieces, self._blanks, self._blanks)
        else:
            self._blanks += text
            return
        self._marked = self._shown = False
        if body:
            self._emit(pieces, body, body)
        self._blanks = text[len(body) :]

    def _emit(self, pieces: list[Piece], visible: str, clean: str) -> None:
        if clean:
            self._claims(pieces, visible, clean)
        else:
            self._say(pieces, visible, "")

    def _say(self, pieces: list[Piece], visible: str, clean: str) -> None:
        if visible or clean:
            pieces.append(Words(visible, clean))
            self._text += clean
            self._length += len(clean)
            self._heads = clean[-1] == "\n" if clean else self._heads

    def _claims(self, pieces: list[Piece], visible: str, clean: str) -> None:
        """Say words, with the boundaries that lie among them in place."""
        self._ended += self._splitter.feed(clean)
        said, begin = 0, self._length
        while self._ended:
            claim = next((one for one in self._ended if not self._is_joined(one, clean, begin)), self._ended[-1])
            place = max(0, claim.end - begin, said)
            rest = clean[place:]
            place += len(rest) - len(rest.lstrip())
            if place >= len(clean):
                break
            self._say(pieces, visible[said:place] if visible else "", clean[said:place])
            said = place
            while self._ended[0] is not claim:
                self._end(pieces, begin + place, joined=True)
            self._end(pieces, begin + place)
        self._say(pieces, visible[said:] if visible else "", clean[said:])

    def _is_joined(self, claim: Stretch, clean: str, begin: int) -> bool:
        """Whether a claim ends within a sentence: its other clauses follow. ``clean`` begins at ``begin``."""
        place = claim.end - begin
        if place < 0:
            return self._text[claim.end - self._start] in ",;"
        return clean[place : place + 1] in (",", ";")

    def _end(self, pieces: list[Piece], cut: int, *, joined: bool = False) -> None:
        claim = self._ended.pop(0)
        text, start = self._text, self._start
        limit = min(cut, self._ended[0].start) if self._ended else cut
        own: dict[int, None] = {}
        left: list[tuple[int, tuple[int, ...]]] = []
        for place, numbers in self._numbers:
            # At the head of a line a mark belongs to what follows.
            if place > limit or (place > claim.end and "\n" in text[claim.end - start : place - start]):
                left.append((place, numbers))
            else:
                own.update(dict.fromkeys(numbers))
        self._numbers = left
        said = text[claim.start - start : claim.end - start]
        pieces.append(ClaimEnd(claim.start, claim.end, said, tuple(own), claim.checkable, joined))
        self._text = text[claim.end - start :]
        self._start = claim.end
