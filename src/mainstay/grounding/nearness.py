"""Which passages say nearly the same: by sketches of their runs of words, whoever wrote them first counting as the one.

A sketch is the smallest hashes of a passage's shingles (bottom-k, Broder 1997, "On the resemblance and containment of
documents"): the share that two have in common estimates that of their shingles. Passages whose numbers differ are never
near: a price list of another year is no duplicate. Pure; deterministic across processes.
"""

import re
import zlib
from array import array
from typing import Final

__all__ = ["Nearness"]

_WORDS: Final = re.compile(r"\w+")
_NUMBERS: Final = re.compile(r"\d+")
_ASCII: Final = re.compile(rb"\w+")
#: Hashes in a sketch, and those of them that a passage is found by. A shingle is three words.
_SKETCH: Final = 32
_KEYS: Final = 4
#: Passages of fewer words are near only where they are the same.
_FEW: Final = 12
#: The most passages that one hash leads to: boilerplate is found by another.
_CROWD: Final = 64


class Nearness:
    """Passages seen so far, and whether another is near one of them.

    Args:
        threshold: the estimated share of shingles in common from which two count as near.
    """

    def __init__(self, threshold: float = 0.75) -> None:
        self._threshold = threshold
        self._sketches: list[tuple[str, int, array[int]]] = []
        self._by: dict[int, list[int]] = {}
        self._of: dict[str, list[int]] = {}

    def add(self, owner: str, text: str) -> None:
        """Note a passage of the document ``owner``."""
        numbers, sketch = _sketch(text)
        self._add(owner, numbers, sketch)

    def drop(self, owner: str) -> None:
        """Forget the passages of a document: it is read anew."""
        for place in self._of.pop(owner, ()):
            self._sketches[place] = ("", 0, array("I"))

    def check(self, owner: str, text: str) -> str | None:
        """Return the document that has nearly the same passage, None where none does; then this one is noted."""
        numbers, sketch = _sketch(text)
        seen: set[int] = set()
        for key in sketch[:_KEYS]:
            for place in self._by.get(key, ()):
                if place in seen:
                    continue
                seen.add(place)
                name, theirs, other = self._sketches[place]
                if theirs == numbers and other and _share(sketch, other) >= self._threshold:
                    return name
        self._add(owner, numbers, sketch)
        return None

    def _add(self, owner: str, numbers: int, sketch: "array[int]") -> None:
        self._of.setdefault(owner, []).append(len(self._sketches))
        for key in sketch[:_KEYS]:
            places = self._by.setdefault(key, [])
            if len(places) < _CROWD:
                places.append(len(self._sketches))
        self._sketches.append((owner, numbers, sketch))


def _sketch(text: str) -> "tuple[int, array[int]]":
    """Return a hash of the numbers of a text, and its smallest hashes of shingles."""
    numbers = zlib.crc32(" ".join(_NUMBERS.findall(text)).encode())
    if text.isascii():
        words = _ASCII.findall(text.lower().encode())
    else:
        words = [word.encode("utf-8", "replace") for word in _WORDS.findall(text.casefold())]
    if len(words) < _FEW:
        return numbers, array("I", (zlib.crc32(b" ".join(words)),) if words else ())
    # The hash of a shingle is that of its last word, begun with that of those before.
    ones = map(zlib.crc32, words)
    twos = map(zlib.crc32, words[1:], ones)
    return numbers, array("I", sorted(set(map(zlib.crc32, words[2:], twos)))[:_SKETCH])


def _share(one: "array[int]", other: "array[int]") -> float:
    """Return the estimated Jaccard index: of the smallest hashes of both together, the share that both have."""
    both = sorted({*one, *other})[: max(1, min(_SKETCH, max(len(one), len(other))))]
    first, second = frozenset(one), frozenset(other)
    return sum(value in first and value in second for value in both) / len(both)
