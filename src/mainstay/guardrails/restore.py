"""Puts the values back where an answer names their pseudonyms, also while it streams.

A pseudonym that a model bent a little is known all the same: in other case, with its underscores escaped for Markdown,
or turned into hyphens or spaces; what stands around it (a possessive, quotes) stays. It knows neither what the values
are nor where the text comes from.
"""

import json
import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from typing import Final

__all__ = ["ALPHABET", "LENGTH", "Restorer", "restore"]

#: What the last part of a typed pseudonym is made of: digits and letters that are not taken for one another.
ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"
LENGTH: Final = 8

_TYPED: Final = re.compile(rf"[A-Z][A-Z0-9_]*_[{ALPHABET}]{{{LENGTH}}}", re.ASCII)
_SEPARATOR: Final = r"(?:\\{0,2}_|[ -])"
#: The same, and a backslash at the end of a piece, which may become one.
_SEPARATORS: Final = re.compile(r"\\{1,2}(?:_|$)|[_ -]")
_NEVER: Final = re.compile(r"(?!)")


class Restorer:
    """Restores one stream of text: :meth:`feed` each piece, then :meth:`close`.

    What comes out is what the whole text gives, however it was cut. Held back is only the longest end of the text so
    far that more text could make a pseudonym.

    Args:
        mapping: values by pseudonym, as :meth:`~mainstay.guardrails.pseudonyms.Pseudonyms.hide` gives them. It may grow
            between streams, not during one.
        json: the text is JSON (the arguments of a tool, an answer held to a schema), so values are escaped as it wants.
    """

    __slots__ = ("_firsts", "_folded", "_held", "_longest", "_pattern", "_values", "restored")

    def __init__(self, mapping: Mapping[str, str], *, json: bool = False) -> None:
        self._values = {_fold(key): _escaped(value) if json else value for key, value in mapping.items()}
        self._pattern = _pattern(mapping)
        self._folded = sorted(self._values)
        self._firsts = frozenset(key[0] for key in self._folded) | {key[0].upper() for key in self._folded}
        # An underscore may have come as three characters.
        self._longest = max((len(key) + 2 * key.count("_") for key in self._folded), default=1)
        self._held = ""
        #: Pseudonyms restored so far.
        self.restored = 0

    @property
    def held(self) -> int:
        """Characters that are held back."""
        return len(self._held)

    def feed(self, text: str) -> str:
        """Take the next piece and return what can be said so far; often all of it."""
        if not self._folded:
            return text
        text = self._held + text
        done: list[str] = []
        position = 0
        while True:
            hold = self.hold(text, position)
            found = next(self.find(text, position), None)
            if found is None or found[0] >= hold:
                break
            done.append(text[position : found[0]])
            done.append(found[2])
            self.restored += 1
            position = found[1]
        done.append(text[position:hold])
        self._held = text[hold:]
        return "".join(done)

    def close(self) -> str:
        """Return what is still held, now that no more comes. The restorer may then be used for another stream."""
        text, self._held = self._held, ""
        done: list[str] = []
        position = 0
        for start, end, value in self.find(text):
            done.append(text[position:start])
            done.append(value)
            self.restored += 1
            position = end
        done.append(text[position:])
        return "".join(done)

    def stop(self) -> str:
        """Return what is held as it came: another restorer goes on with it."""
        text, self._held = self._held, ""
        return text

    def find(self, text: str, position: int = 0) -> Iterator[tuple[int, int, str]]:
        """Yield where a whole ``text`` names pseudonyms, and their values."""
        while (match := self._pattern.search(text, position)) is not None:
            value = self._values.get(_fold(match[0]))
            if value is None:
                position = match.start() + 1
            else:
                yield match.start(), match.end(), value
                position = match.end()

    def hold(self, text: str, position: int = 0) -> int:
        """Return where the longest end of ``text`` begins that is a proper beginning of a pseudonym."""
        size = len(text)
        folded = self._folded
        for start in range(max(position, size - self._longest + 1), size):
            if text[start] not in self._firsts:
                continue
            end = _fold(text[start:])
            index = bisect_left(folded, end)
            if index < len(folded) and folded[index] == end:
                index += 1
            if index < len(folded) and folded[index].startswith(end):
                return start
        return size


def restore(text: str, mapping: Mapping[str, str], *, json: bool = False) -> str:
    """Return a whole ``text`` with the values put back; see :class:`Restorer`."""
    restorer = Restorer(mapping, json=json)
    return restorer.feed(text) + restorer.close()


def _pattern(mapping: Mapping[str, str]) -> re.Pattern[str]:
    """Return what matches the pseudonyms of ``mapping``, bent ones too, and others like them: the same pattern for the
    same kinds, so that it is rarely compiled."""
    if not mapping:
        return _NEVER
    labels = {key[: -LENGTH - 1] for key in mapping if _TYPED.fullmatch(key)}
    others = [re.escape(key) for key in mapping if not _TYPED.fullmatch(key)]
    # The longest first, so that one that begins another is not taken for it.
    parts = [label.replace("_", _SEPARATOR) for label in sorted(labels, key=lambda label: (-len(label), label))]
    typed = [f"(?:{'|'.join(parts)}){_SEPARATOR}[{ALPHABET}]{{{LENGTH}}}"] if parts else []
    return re.compile(
        "|".join(typed + sorted(others, key=lambda other: (-len(other), other))), re.IGNORECASE | re.ASCII
    )


def _fold(text: str) -> str:
    return _SEPARATORS.sub("_", text).lower()


def _escaped(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)[1:-1]
