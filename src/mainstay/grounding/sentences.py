"""Where sentences begin and end, in text that comes cut anywhere: of answers, and of the sources that they quote.

An end is known once the first letter of what follows is there, so it is the same however the text was cut. Pure.
"""

import re
from typing import Final

import msgspec

__all__ = ["Sentences", "Stretch", "sentences"]

#: The end of a sentence with what closes behind it, or of a line, where more follows; scripts without blanks need none.
_LINE: Final = re.compile(
    r"[.!?…]+[\"'”’)\]»*_`]*(?=\s+\S)|[。！？]+[」』”’）]*(?=\s*[^\s。！？」』”’）])|(?=[ \t\r]*\n\s*\S)"
)
_BLANK_LINE: Final = re.compile(
    r"[.!?…]+[\"'”’)\]»*_`]*(?=\s+\S)|[。！？]+[」』”’）]*(?=\s*[^\s。！？」』”’）])|(?=[ \t\r]*\n[ \t\r]*\n\s*\S)"
)
#: What may be the beginning of an end.
_TAIL: Final = re.compile(r"[.!?…。！？\"'”’)\]»」』）*_`\s]*\Z")
#: What a line may begin with before it says anything.
_LEAD: Final = re.compile(r"(?:\s|[-*+•>#|]+(?=\s)|\(?\d{1,3}[.)](?=\s)|\*\*(?=\S))*")
_SHORT: Final = re.compile(
    r"(?:^|[\s(\[])(?:[A-Z]|e\.g|i\.e|cf|vs|etc|approx|ca|Dr|Mr|Mrs|Ms|Prof|St|No|Nr|Fig|Eq|Sec|Vol|Inc|Ltd|Jr|Sr|"
    r"al|bzw|z\.B|d\.h|u\.a|p|pp)\.\Z"
)
_NUMBERED: Final = re.compile(r"(?:^|\n)[\s>*-]*\(?\d{1,3}\.\Z")
_WORD: Final = re.compile(r"\w")


class Stretch(msgspec.Struct, frozen=True):
    """A sentence: code points ``start`` up to ``end`` of the text. ``checkable`` is false where it claims nothing."""

    start: int
    end: int
    checkable: bool = True


class Sentences:
    """Finds the sentences of one text as it comes.

    Args:
        lines: the end of a line ends a sentence, as in what models write; else only an empty line does, as in files.
    """

    __slots__ = ("_at", "_from", "_pattern", "_text")

    def __init__(self, *, lines: bool = True) -> None:
        self._pattern = _LINE if lines else _BLANK_LINE
        #: What has not ended, where it begins in the whole text, and where an end is looked for.
        self._text = ""
        self._at = 0
        self._from = 0

    def feed(self, text: str) -> list[Stretch]:
        """Take more of the text; return the sentences that are known to have ended."""
        self._text += text
        found: list[Stretch] = []
        while (end := self._next()) >= 0:
            self._take(end, found)
        return found

    def finish(self) -> list[Stretch]:
        """The text is over: return what is left of it."""
        found: list[Stretch] = []
        self._take(len(self._text), found)
        return found

    def _next(self) -> int:
        text = self._text
        for match in self._pattern.finditer(text, self._from):
            end = match.end()
            follows = text[end:].lstrip()[:1]
            broken = "\n" in text[end : end + len(text[end:]) - len(text[end:].lstrip())]
            if not text[:end].strip():
                continue
            if match[0] and not broken and (follows.islower() or _is_short(text[:end])):
                continue
            if _NUMBERED.search(text[:end]):
                continue
            return end
        tail = _TAIL.search(text)
        self._from = tail.start() if tail is not None else len(text)
        return -1

    def _take(self, end: int, found: list[Stretch]) -> None:
        text = self._text[:end]
        lead = _LEAD.match(text)
        start = lead.end() if lead is not None else 0
        said = text[start:].rstrip()
        if _WORD.search(said):
            checkable = not said.rstrip("\"'”’)*_").endswith(("?", "？")) and len(said.split()) > 1
            found.append(Stretch(self._at + start, self._at + start + len(said), checkable))
        self._text = self._text[end:]
        self._at += end
        self._from = 0


def _is_short(text: str) -> bool:
    return text.endswith(".") and _SHORT.search(text[-12:]) is not None


def sentences(text: str, *, lines: bool = False) -> list[Stretch]:
    """Return the sentences of a whole text."""
    found = Sentences(lines=lines)
    return found.feed(text) + found.finish()
