"""Marks that a model sets at what it says: ``[1]``, ``[2][3]``, ``[1, 3]``, ``[source 2]``.

Reads text as it comes, cut anywhere, and holds back no more than a bracket that may yet be a mark. What stands in
code, or leads to an address, is none. A mark that names nothing that was offered is removed and counted; it is never
renumbered to something near.
"""

import re
from typing import Final

import msgspec

__all__ = ["Mark", "Marks"]

_SPECIAL: Final = re.compile(r"[\[`~\n]")
_WORD: Final = r"(?:sources?|refs?|docs?)\.?\s{0,2}"
_ONE: Final = rf"(?:{_WORD})?\d{{1,3}}"
_MORE: Final = rf"(?:\s{{0,2}}[,;]\s{{0,2}}{_ONE}|\s?[-–]\s?\d{{1,3}})*"
_MARK: Final = re.compile(rf"\[\s{{0,2}}{_ONE}{_MORE}\s{{0,2}}\]", re.IGNORECASE)
_NUMBERS: Final = re.compile(r"(\d{1,3})(?:\s?[-–]\s?(\d{1,3}))?")
#: What a mark is made of: with anything else in it, a bracket is none.
_INSIDE: Final = frozenset("0123456789 ,;-–.sourceSOURCErefREFdocDOC")
#: Characters of the longest mark, and numbers of the widest range.
_LONGEST, _WIDEST = 64, 20


class Mark(msgspec.Struct, frozen=True):
    """A mark: the sources that it names, numbered from 1, each once; what is left of it when what it invents is taken
    out ("" where nothing is); and how many of its numbers were never offered."""

    numbers: tuple[int, ...]
    text: str
    invented: int = 0


class Marks:
    """Finds the marks in one text.

    Args:
        most: how many sources were offered.
    """

    __slots__ = ("_before", "_fence", "_held", "_inline", "_leading", "_most", "_run", "_sign")

    def __init__(self, most: int) -> None:
        self._most = most
        #: A bracket that may be a mark, with what follows it.
        self._held = ""
        #: The character before it.
        self._before = ""
        #: Signs of a run of backticks or tildes that goes on, and whether only blanks stand before it on its line.
        self._run = 0
        self._sign = ""
        self._leading = True
        #: Length of what opened the code that goes on: a block, or words within a line.
        self._fence = 0
        self._inline = 0

    def feed(self, text: str) -> list[str | Mark]:
        """Take more of the text; return what of it is decided, in order. No piece is empty."""
        text = self._held + text
        self._held = ""
        found: list[str | Mark] = []
        said = position = 0
        while position < len(text):
            if self._run:
                position = self._go_on(text, position)
                continue
            special = _SPECIAL.search(text, position)
            self._pass(text, position, len(text) if special is None else special.start())
            if special is None:
                break
            position = special.start()
            sign = special[0]
            if sign == "\n":
                self._inline = 0
                self._leading = True
            elif sign != "[":
                self._run, self._sign = 1, sign
            elif not (self._fence or self._inline or self._behind(text, position) == "\\"):
                end = self._close(text, position)
                if end < 0:
                    self._add(found, text[said:position])
                    self._held = text[position:]
                    self._before = self._behind(text, position)
                    return found
                if end:
                    self._add(found, text[said:position])
                    found.append(self._mark(text[position:end]))
                    self._leading = False
                    said = position = end
                    continue
                self._leading = False
            else:
                self._leading = False
            position += 1
        self._add(found, text[said:])
        self._before = text[-1:] or self._before
        return found

    def finish(self) -> list[str | Mark]:
        """The text is over, or something else than text comes next: return what was held back."""
        held, self._held = self._held, ""
        if not held:
            return []
        return [self._mark(held)] if _MARK.fullmatch(held) else [held]

    def _behind(self, text: str, position: int) -> str:
        return text[position - 1] if position else self._before

    def _pass(self, text: str, start: int, end: int) -> None:
        if self._leading and start < end and not text[start:end].isspace():
            self._leading = False

    def _go_on(self, text: str, position: int) -> int:
        """Follow a run of backticks or tildes; return where it ends, or the text does."""
        while position < len(text) and text[position] == self._sign:
            position += 1
            self._run += 1
        if position < len(text):
            self._ran()
        return position

    def _ran(self) -> None:
        length, self._run = self._run, 0
        if self._fence:
            if self._leading and length >= self._fence:
                self._fence = 0
        elif self._leading and length >= 3:
            self._fence = length
        elif self._sign == "`":
            self._inline = 0 if self._inline == length else self._inline or length
        self._leading = False

    def _close(self, text: str, start: int) -> int:
        """Return the end of the mark that begins at ``start``; 0 where it is none, -1 where that is not known yet."""
        for place in range(start + 1, min(len(text), start + _LONGEST)):
            sign = text[place]
            if sign == "]":
                if not _MARK.fullmatch(text, start, place + 1):
                    return 0
                if place + 1 == len(text):
                    return -1
                # An address follows: a link, or what a link refers to.
                return 0 if text[place + 1] in "(:" else place + 1
            if sign not in _INSIDE:
                return 0
        return -1 if len(text) - start < _LONGEST else 0

    def _mark(self, text: str) -> Mark:
        named: dict[int, None] = {}
        invented = 0
        for first, last in _NUMBERS.findall(text):
            low, high = int(first), int(last or first)
            span = range(low, high + 1) if low <= high < low + _WIDEST else (low, high)
            for number in span:
                if 1 <= number <= self._most:
                    named[number] = None
                else:
                    invented += 1
        if invented and named:
            text = f"[{', '.join(map(str, named))}]"
        return Mark(tuple(named), text if named else "", invented)

    @staticmethod
    def _add(found: list[str | Mark], text: str) -> None:
        if text:
            found.append(text)
