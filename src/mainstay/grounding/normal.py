"""The one form that text is stored in: what offsets count, what passages are cut from, what quotes are compared with.

NFC, lines that end with a line feed, no control characters but tabs. Done once, when a document is read; doing it
again changes nothing. Pure.
"""

import codecs
import itertools
import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Final

from mainstay.core.errors import Unreadable

__all__ = ["cut", "decode", "normalise", "normalise_marked"]

#: Every way to end a line or a page, those of other machines and of Unicode among them.
_ENDS: Final = re.compile("\r\n|[\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
#: What no text shows: controls but for tab and line feed, marks of byte order, halves of surrogate pairs.
_DROPPED: Final = re.compile("[\x00-\x08\x0e-\x1b\x1f\x7f-\x84\x86-\x9f\ufeff]")
_HALVES: Final = re.compile("[\ud800-\udfff]")
#: Whether there is anything to do, in one pass. All that NFC could change lies above U+02FF.
_ODD: Final = re.compile("[^\t\n\x20-\x7e\xa0-\u02ff]")
_BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
#: Controls that text holds now and then: tab, line ends, form feed, escape, and the end mark of old machines.
_BINARY: Final = re.compile(r"[\x00-\x08\x0b\x0e-\x19\x1c-\x1f\x7f]")


def normalise(text: str) -> str:
    """Return ``text`` in the form that it is stored in. ``normalise(normalise(x)) == normalise(x)``."""
    if _ODD.search(text) is None:
        return text
    text = _HALVES.sub("\ufffd", _DROPPED.sub("", _ENDS.sub("\n", text)))
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def normalise_marked(text: str, offsets: Sequence[int]) -> tuple[str, list[int]]:
    """Return ``text`` in its stored form, and where each of ``offsets`` (ascending, code points) came to lie in it."""
    whole = normalise(text)
    if whole == text:
        return text, list(offsets)
    edges = [0, *(min(max(0, offset), len(text)) for offset in offsets)]
    pieces = [normalise(text[one:two]) for one, two in itertools.pairwise(edges)]
    pieces.append(normalise(text[edges[-1] :]))
    if "".join(pieces) != whole:
        # An offset fell within what became one character: then every beginning is measured by itself.
        return whole, [min(len(normalise(text[:edge])), len(whole)) for edge in edges[1:]]
    placed, length = [], 0
    for piece in pieces[:-1]:
        length += len(piece)
        placed.append(length)
    return whole, placed


def cut(text: str, stretches: Iterable[tuple[int, int]], offsets: Sequence[int]) -> tuple[str, list[int | None]]:
    """Return ``text`` without ``stretches`` (code points, ends exclusive, any order), and where each of ``offsets``
    came to lie: None where that was taken out."""
    merged: list[list[int]] = []
    for start, end in sorted(stretches):
        if merged and start <= merged[-1][1]:
            merged[-1][1] = max(merged[-1][1], end)
        elif end > start:
            merged.append([start, end])
    kept, at = [], 0
    for start, end in merged:
        kept.append(text[at:start])
        at = end
    kept.append(text[at:])
    placed: list[int | None] = []
    for offset in offsets:
        gone = 0
        inside = False
        for start, end in merged:
            if offset < start:
                break
            inside = inside or offset < end
            gone += min(end, offset) - start
        placed.append(None if inside else offset - gone)
    return "".join(kept), placed


def decode(data: bytes) -> str:
    """Return the text of a file: by its mark, then as UTF-8, at last as Windows-1252.

    Raises:
        Unreadable: it is no text; the message is the end of a sentence that begins with the file.
    """
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return _checked(data[len(mark) :], encoding)
    try:
        return _checked(data, "utf-8")
    except Unreadable:
        return _checked(data, "cp1252")


def _checked(data: bytes, encoding: str) -> str:
    try:
        text = data.decode(encoding)
    except UnicodeError:
        raise Unreadable("is no text in an encoding that is known; save it as UTF-8") from None
    if not text.isprintable() and len(_BINARY.findall(text)) * 50 > len(text):
        raise Unreadable("is no text; add a file of a kind that can be read")
    return text
