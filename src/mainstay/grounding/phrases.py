"""Words as they stand in a text, whatever their case and the blanks between them: how what was retracted is known.

A phrase is a row of words and signs; it is looked for as whole words, so that "art" is not in "part". One whose words
were erased is known by the SHA-256 of what they were. Pure.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

__all__ = ["Phrase", "Words", "digest", "fold"]

_TOKENS = re.compile(r"\w+|[^\w\s]")


def fold(text: str) -> str:
    """Return the words and signs of ``text`` in lower case, one blank between two."""
    return " ".join(token.lower() for token in _TOKENS.findall(text))


def digest(text: str) -> str:
    """Return the SHA-256 of a text's UTF-8, hex."""
    return hashlib.sha256(text.encode()).hexdigest()


class Phrase(NamedTuple):
    """A phrase: ``words`` folded, "" where they were erased; how many tokens; and the SHA-256 of the folded words."""

    words: str
    length: int
    sha256: str

    @classmethod
    def of(cls, text: str) -> "Phrase":
        """Return the phrase that ``text`` is."""
        folded = fold(text)
        return cls(folded, folded.count(" ") + 1 if folded else 0, digest(folded))

    def might_be_in(self, text: str) -> bool:
        """Whether ``text`` can hold it, as far as a quick look tells; ``text`` is in lower case."""
        return not self.words or max(self.words.split(" "), key=len) in text


class Words:
    """The words of one text, made ready to look for many phrases."""

    def __init__(self, text: str) -> None:
        found = list(_TOKENS.finditer(text))
        self._spans = [one.span() for one in found]
        self._tokens = [one.group().lower() for one in found]
        self._where: dict[str, list[int]] = {}
        for index, token in enumerate(self._tokens):
            self._where.setdefault(token, []).append(index)
        self._digests: dict[int, Mapping[str, list[int]]] = {}

    def find(self, phrase: Phrase) -> list[tuple[int, int]]:
        """Return where a phrase stands, code points."""
        if not phrase.length:
            return []
        return [(self._spans[index][0], self._spans[index + phrase.length - 1][1]) for index in self._starts(phrase)]

    def _starts(self, phrase: Phrase) -> Iterable[int]:
        if not phrase.words:
            if phrase.length not in self._digests:
                self._digests[phrase.length] = self._hashed(phrase.length)
            return self._digests[phrase.length].get(phrase.sha256, ())
        wanted = phrase.words.split(" ")
        return (
            index for index in self._where.get(wanted[0], ()) if self._tokens[index : index + phrase.length] == wanted
        )

    def _hashed(self, length: int) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for index in range(len(self._tokens) - length + 1):
            found.setdefault(digest(" ".join(self._tokens[index : index + length])), []).append(index)
        return found
