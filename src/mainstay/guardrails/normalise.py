"""A text as a reader would take it: disguises of characters undone, encoded parts decoded, every place remembered.

Attacks are written so that a model understands them and a filter does not: with invisible characters between the
letters, letters of other scripts, figures for letters, blanks in words, escapes, base64. Here each is undone, and a map
leads from every character back to where it stood. Ordinary text in any language stays as it is. Linear in the length of
the text; pure; never raises. Knows nothing of what is an attack.
"""

import bisect
import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from mainstay.guardrails.confusables import FOREIGN, INVISIBLE, LATIN, LEET, WORDS
from mainstay.guardrails.decoding import escapes, readable, runs

__all__ = ["Layer", "Normalised", "normalise"]

_Edit = tuple[int, int, str]

#: Decoding inside what was decoded, and encoded parts of one text that are read.
_DEPTH: Final = 3
_LAYERS: Final = 64

_HIDDEN: Final = re.compile(f"[{INVISIBLE}]{{1,256}}")
_CONTROLS: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]{1,64}")
_MARK: Final = "\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"
_ODD: Final = re.compile(f"[{INVISIBLE}{_MARK}\U0001f150-\U0001f189]")
#: A character, and the marks that stand on it.
_CLUSTER: Final = re.compile(rf"[\s\S][{_MARK}]{{0,64}}")
_MARKED: Final = re.compile(r"[\x20-\x7e]?[^\x00-\x7f]+")
#: A word of letters that are of ASCII, look like one, or are one with an accent.
_ALIKE: Final = "A-Za-z0-9_\u00c0-\u024f\u1e00-\u1eff" + "".join(map(chr, (*FOREIGN, *LATIN)))
_WORD: Final = re.compile(rf"(?<!\w)[{_ALIKE}]{{3,40}}(?!\w)")
#: A figure before a letter; at the end of a word, one that does not number things.
_LEET_NEAR: Final = re.compile(r"[013456789@$!|+](?=[A-Za-z])|[347@$](?<=[A-Za-z].)")
_LEET_WORD: Final = re.compile(r"(?<![\w@$|+])[A-Za-z013456789@$!|+]{3,24}(?![\w@$|+])")
_SPACED: Final = re.compile(
    r"(?<![^\W_])[A-Za-z](?P<by>[ ]|[.\-_*~|/,]|[ ]?[-.*][ ]?)[A-Za-z]"
    r"(?:(?:(?P=by)|[ ]{2,4}|(?P=by)[ ]{1,3}|[ ]/[ ])[A-Za-z]){2,120}(?![^\W_])"
)
_SPACED_NEAR: Final = re.compile(r"[ .\-_*~|/,][A-Za-z][ .\-_*~|/,]{1,3}[A-Za-z][ .\-_*~|/,]")
_WIDE: Final = re.compile(r"[ ]{2,4}|[^A-Za-z ][ ]{1,3}|[ ]/[ ]")
_LONGEST_WORD: Final = max(map(len, WORDS))
#: Variation selectors carry bytes, tags carry ASCII; a flag of a region has a few of the latter.
_TAGS: Final = re.compile("[\U000e0020-\U000e007f]{2,}")
_SELECTORS: Final = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]{4,}")
_FLAG: Final = "\U0001f3f4"
_FLAG_TAGS: Final = 8
_BIDI: Final = re.compile("[\u202a-\u202e\u2066-\u2069]")
#: Letters in boxes and circles that no form of Unicode undoes: first, last, and the first one's letter.
_BOXED: Final = ((0x1F150, 0x1F169, "A"), (0x1F170, 0x1F189, "A"))
#: Invisible characters in a row that are no accident; marks on a character likewise.
_MANY, _MARKS = 4, 4
#: Words up to this length are too short to be read as others.
_SHORT: Final = 3
_JOINS: Final = frozenset("\u200c\u200d\u200e\u200f\ufe0e\ufe0f\u00ad\ufeff")


class Layer(msgspec.Struct, frozen=True):
    """What an encoded part of a text says: its kind (``base64``), and where in the original it stands."""

    kind: str
    text: str
    start: int
    end: int


class _Map(msgspec.Struct, frozen=True):
    """Leads from a changed text back: pieces that begin at ``after`` came from ``before``, of as many characters if
    ``same``, otherwise as one."""

    after: list[int]
    before: list[int]
    same: list[bool]
    size: int

    def place(self, start: int, end: int) -> tuple[int, int]:
        return self._at(start)[0], self._at(end - 1)[1]

    def _at(self, place: int) -> tuple[int, int]:
        piece = bisect.bisect_right(self.after, place) - 1
        before = self.before[piece]
        if self.same[piece]:
            return before + place - self.after[piece], before + place - self.after[piece] + 1
        following = self.before[piece + 1] if piece + 1 < len(self.before) else self.size
        return before, following


class Normalised(msgspec.Struct, frozen=True):
    """A text as it is read. ``tricks`` counts what was undone: ``invisible``, ``bidi``, ``homoglyph``, ``leet``,
    ``spacing``, ``marks``, ``escape`` and each kind of layer."""

    text: str
    layers: tuple[Layer, ...] = ()
    tricks: Mapping[str, int] = {}
    maps: tuple[_Map, ...] = ()

    def place(self, start: int, end: int) -> tuple[int, int]:
        """Return where in the original the characters from ``start`` up to ``end`` of ``text`` stood."""
        if start >= end:
            raise ValueError("a place has at least one character")
        for one in reversed(self.maps):
            start, end = one.place(start, end)
        return start, end


def normalise(text: str) -> Normalised:
    """Return ``text`` as it is read, with what was encoded in it (also inside what was, three deep) as layers."""
    tricks: dict[str, int] = {}
    layers = [] if text.isascii() else _smuggled(text, tricks)
    read, maps = _read(text, tricks)
    result = Normalised(read, (), tricks, maps)
    queue: list[tuple[str, Layer | None, int]] = [(read, None, 0), *((one.text, one, 1) for one in layers)]
    for inner, outer, depth in queue:
        for kind, start, end, decoded in runs(inner):
            if len(layers) >= _LAYERS:
                break
            place = result.place(start, end) if outer is None else (outer.start, outer.end)
            tricks[kind] = tricks.get(kind, 0) + 1
            layer = Layer(kind, _read(decoded, tricks)[0], *place)
            layers.append(layer)
            if depth + 1 < _DEPTH:
                queue.append((layer.text, layer, depth + 1))
    return Normalised(read, tuple(layers), tricks, maps)


def _read(text: str, tricks: dict[str, int]) -> tuple[str, tuple[_Map, ...]]:
    """Return ``text`` with all disguises undone that put one character for another, and the way back."""
    maps: list[_Map] = []
    for find in _PASSES:
        if edits := find(text, tricks):
            text, one = _edited(text, edits)
            maps.append(one)
    return text, tuple(maps)


def _edited(text: str, edits: Sequence[_Edit]) -> tuple[str, _Map]:
    """Return ``text`` with ``edits`` made, which are in order and apart, and the way back."""
    pieces: list[str] = []
    after: list[int] = [0]
    before: list[int] = [0]
    same: list[bool] = [True]
    place = done = 0
    for start, end, plain in edits:
        if start > done:
            after.append(place)
            before.append(done)
            same.append(True)
            pieces.append(text[done:start])
            place += start - done
        if plain:
            after.append(place)
            before.append(start)
            same.append(end - start == len(plain))
            pieces.append(plain)
            place += len(plain)
        done = end
        # What follows begins here, so that what was removed belongs to none.
        after.append(place)
        before.append(end)
        same.append(True)
    pieces.append(text[done:])
    return "".join(pieces), _Map(after, before, same, len(text))


def _count(tricks: dict[str, int], name: str) -> None:
    tricks[name] = tricks.get(name, 0) + 1


def _smuggled(text: str, tricks: dict[str, int]) -> list[Layer]:
    """Return texts that are written in characters that nobody sees."""
    found: list[Layer] = []
    for run in _TAGS.finditer(text):
        if text[run.start() - 1 : run.start()] == _FLAG and run.end() - run.start() <= _FLAG_TAGS:
            continue
        plain = "".join(chr(ord(one) - 0xE0000) for one in run[0] if one != "\U000e007f")
        found.append(Layer("tags", plain, run.start(), run.end()))
        _count(tricks, "tags")
    for run in _SELECTORS.finditer(text):
        data = bytes(ord(one) - (0xFE00 if ord(one) < 0xE0100 else 0xE00F0) for one in run[0])
        plain = data.decode("utf-8", "replace")
        if readable(plain):
            found.append(Layer("selectors", plain, run.start(), run.end()))
            _count(tricks, "selectors")
    return found


def _escaped(text: str, tricks: dict[str, int]) -> list[_Edit]:
    edits = escapes(text)
    if edits:
        tricks["escape"] = tricks.get("escape", 0) + len(edits)
    return edits


def _characters(text: str, tricks: dict[str, int]) -> list[_Edit]:
    """Characters that are not shown, or are one letter by another code."""
    edits: list[_Edit] = [(run.start(), run.end(), "") for run in _CONTROLS.finditer(text)]
    if text.isascii():
        return edits
    for chunk in _MARKED.finditer(text):
        part = chunk[0]
        if _ODD.search(part) is None and unicodedata.is_normalized("NFKC", part):
            continue
        at, stop = chunk.span()
        while at < stop:
            hidden = _HIDDEN.match(text, at, stop)
            if hidden is not None:
                if _is_trick(text, hidden.start(), hidden.end(), tricks):
                    edits.append((hidden.start(), hidden.end(), ""))
                at = hidden.end()
                continue
            cluster = _CLUSTER.match(text, at, stop)
            assert cluster is not None, "any character begins one"
            plain = _plain(cluster[0], tricks)
            if plain != cluster[0]:
                edits.append((at, cluster.end(), plain))
            at = cluster.end()
    edits.sort()
    return edits


def _is_trick(text: str, start: int, end: int, tricks: dict[str, int]) -> bool:
    """Return whether invisible characters are to be removed; a joiner that a script or an emoji needs is not."""
    before, after = text[max(0, start - 1) : start], text[end : end + 1]
    if before == _FLAG:
        return False
    if end - start == 1 and text[start] in _JOINS and not (before.isascii() and after.isascii()):
        return False
    if _BIDI.search(text, start, end):
        _count(tricks, "bidi")
    elif (before.isalnum() and after.isalnum() and text[start] != "\u00ad") or end - start >= _MANY:
        _count(tricks, "invisible")
    return True


def _plain(cluster: str, tricks: dict[str, int]) -> str:
    """Return a character with its marks as it is usually written."""
    code = ord(cluster[0])
    for first, last, letter in _BOXED:
        if first <= code <= last:
            _count(tricks, "styled")
            return chr(ord(letter) + code - first)
    plain = unicodedata.normalize("NFKC", cluster)
    if len(cluster) > 1 and len(plain) > 1 and (cluster[0].isascii() or len(cluster) > _MARKS):
        _count(tricks, "marks")
        return unicodedata.normalize("NFKC", cluster[0])
    if plain != cluster and len(cluster) == 1 and plain.isascii() and plain.isalpha():
        _count(tricks, "styled")
    return plain


def _letters(text: str, tricks: dict[str, int]) -> list[_Edit]:
    """Words with letters of another script, or with letters that make one of our words."""
    if text.isascii():
        return []
    edits: list[_Edit] = []
    for match in _WORD.finditer(text):
        word = match[0]
        if word.isascii():
            continue
        others = [one for one in word if not one.isascii()]
        if len(others) < sum(map(str.isalpha, word)) and all(ord(one) in FOREIGN for one in others):
            plain = word.translate(FOREIGN)
            _count(tricks, "homoglyph")
        else:
            bare = "".join(unicodedata.normalize("NFD", one)[0] for one in word)
            plain = bare.translate(FOREIGN).translate(LATIN)
            if len(plain) <= _SHORT or plain.lower() not in WORDS:
                continue
            if plain != bare:
                _count(tricks, "homoglyph")
        edits.append((match.start(), match.end(), plain))
    return edits


def _leet(text: str, tricks: dict[str, int]) -> list[_Edit]:
    """Words of ours that are written with figures and signs."""
    if _LEET_NEAR.search(text) is None:
        return []
    edits: list[_Edit] = []
    for match in _LEET_WORD.finditer(text):
        word = match[0]
        if len(word) <= _SHORT or word.isalpha() or not _LEET_NEAR.search(word):
            continue
        for table in LEET:
            for end in {len(word), len(word.rstrip("!"))}:
                plain = word[:end].translate(table)
                if len(plain) > _SHORT and plain.lower() in WORDS:
                    edits.append((match.start(), match.start() + end, plain))
                    break
            else:
                continue
            _count(tricks, "leet")
            break
    return edits


def _spacing(text: str, tricks: dict[str, int]) -> list[_Edit]:
    """Words of ours whose letters stand apart."""
    if _SPACED_NEAR.search(text) is None:
        return []
    edits: list[_Edit] = []
    for run in _SPACED.finditer(text):
        words: list[str] = []
        for group in _WIDE.split(run[0]):
            letters = "".join(filter(str.isalpha, group)).lower()
            found = [letters] if letters in WORDS else _segmented(letters)
            if not found:
                break
            words += found
        else:
            if sum(map(len, words)) > _SHORT + 1:
                edits.append((run.start(), run.end(), " ".join(words)))
                _count(tricks, "spacing")
    return edits


def _segmented(letters: str) -> list[str]:
    """Return the fewest words of ours that ``letters`` are made of, none if they are not."""
    best: list[list[str] | None] = [[]]
    for end in range(1, len(letters) + 1):
        options = [
            [*head, letters[start:end]]
            for start in range(max(0, end - _LONGEST_WORD), end)
            if letters[start:end] in WORDS and (head := best[start]) is not None
        ]
        best.append(min(options, key=len) if options else None)
    return best[-1] or []


#: Escapes may be escaped once more.
_PASSES: Final = (_escaped, _escaped, _characters, _letters, _leet, _spacing)
