"""Text to the numbers that a BERT reads: words are cut into pieces of a fixed vocabulary, the longest piece first.

The algorithm is that of the uncased BERT (Devlin et al. 2018, ``BasicTokenizer`` and ``WordpieceTokenizer``). The
vocabulary is that of the uncased BERT (Apache-2.0), which our models share.
"""

import re
import unicodedata
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from typing import Final

__all__ = ["WordPiece", "open_pieces"]

#: A longer word is unknown, as the reference has it.
_LONGEST: Final = 100
#: Words whose pieces are remembered.
_REMEMBERED: Final = 20_000
#: In ASCII: letters and digits, or one sign; what is left are spaces and controls.
_ASCII: Final = re.compile(r"[a-z0-9]+|[!-/:-@\[-`{-~]")
_PLAIN: Final = re.compile(r"[\t\n\r\x20-\x7e]*\Z")
_IDEOGRAPHS: Final = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0002fa1f]")


def _words(text: str) -> list[str]:
    """Return the words and signs of ``text`` in lower case, without accents and controls; each ideograph is a word."""
    text = text.lower()
    if _PLAIN.match(text):
        return _ASCII.findall(text)
    kept = []
    for sign in unicodedata.normalize("NFD", text):
        kind = unicodedata.category(sign)
        if kind == "Zs" or sign in "\t\n\r":
            kept.append(" ")
        elif kind[0] == "P" or (sign < "\x7f" and kind[0] == "S") or _IDEOGRAPHS.match(sign):
            kept.append(f" {sign} ")
        elif kind != "Mn" and kind[0] != "C" and sign != "\ufffd":
            kept.append(sign)
    return "".join(kept).split()


class WordPiece:
    """Cuts texts into pieces of ``vocabulary``, which holds one piece a line; a piece's number is its line's."""

    def __init__(self, vocabulary: Iterable[str]) -> None:
        self._numbers = {piece.rstrip("\n"): number for number, piece in enumerate(vocabulary)}
        self.start, self.end = self._numbers["[CLS]"], self._numbers["[SEP]"]
        self._unknown = self._numbers["[UNK]"]
        self._known: dict[str, list[int]] = {}

    def encode(self, text: str, limit: int) -> list[int]:
        """Return the numbers of ``text`` between the marks of start and end: at most ``limit``, the rest cut off."""
        numbers = [self.start]
        room = limit - 1
        known = self._known
        for word in _words(text):
            pieces = known.get(word)
            numbers += self._learn(word) if pieces is None else pieces
            if len(numbers) >= room:
                break
        del numbers[room:]
        numbers.append(self.end)
        return numbers

    def _learn(self, word: str) -> list[int]:
        pieces = self._cut(word)
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        self._known[word] = pieces
        return pieces

    def _cut(self, word: str) -> list[int]:
        if len(word) > _LONGEST:
            return [self._unknown]
        pieces, at = [], 0
        while at < len(word):
            for end in range(len(word), at, -1):
                number = self._numbers.get(("##" if at else "") + word[at:end])
                if number is not None:
                    break
            else:
                return [self._unknown]
            pieces.append(number)
            at = end
        return pieces


@cache
def open_pieces() -> WordPiece:
    """Return what cuts words by the vocabulary of the uncased BERT; read once, 20 ms."""
    with files("mainstay.encoders").joinpath("weights/vocab.txt").open(encoding="utf-8") as lines:
        return WordPiece(lines)
