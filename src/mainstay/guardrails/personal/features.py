"""What the tagger sees of a word: its shape, its ends, its neighbours, the lists it is on. Shared with the training.

Pure; it knows neither weights nor labels.
"""

import re
from collections.abc import Sequence
from typing import Final

import msgspec

from mainstay.guardrails.personal.gazetteer import COMMON, Gazetteer, fold

__all__ = ["Token", "first_features", "second_features", "tokenise"]

_TOKEN: Final = re.compile(r"\w+(?:['’]\w+)*|\n|[^\w\s]")
#: A longer word is no name; across a wider gap words do not belong together.
_LONGEST: Final = 24
_GAP: Final = 6
_EDGE: Final = "^"


class Token(msgspec.Struct, gc=False):
    """A word, a number, a mark or the end of a line, and what is known of it alone."""

    start: int
    end: int
    text: str
    folded: str
    flags: int
    shape: str
    #: Whether it may be part of a name or an address, and so is looked at.
    open: bool


def tokenise(text: str, gazetteer: Gazetteer) -> list[list[Token]]:
    """Return the words and marks of ``text`` without spaces, in segments that know nothing of one another.

    A segment ends where a word is longer than any name or a gap is wide, which bounds how far six words reach.
    """
    tokens: list[Token] = []
    segments = [tokens]
    lists = gazetteer.flags
    last = 0
    for match in _TOKEN.finditer(text):
        word = match[0]
        start, end = match.span()
        if start - last > _GAP or end - start > _LONGEST:
            tokens = []
            segments.append(tokens)
        last = end
        if end - start > _LONGEST:
            continue
        first = word[0]
        if not (first.isalnum() or first == "_"):
            tokens.append(Token(start, end, word, word, 0, word if word != "\n" else "/", open=False))
            continue
        folded = fold(word)
        if first.isdigit():
            shape = _number(word)
            tokens.append(Token(start, end, word, folded, 0, shape, open=end - start <= 10))
            continue
        if folded.endswith(("'s", "’s")):
            folded = folded[:-2]
        flags = lists(folded)
        if first.isupper():
            shape = _shape(word)
            tokens.append(Token(start, end, word, folded, flags, shape, open=True))
        else:
            # Whoever writes names small is found by the words that are not common.
            tokens.append(Token(start, end, word, folded, flags, "x", open=not flags & COMMON and len(word) > 2))
    return segments


def first_features(tokens: Sequence[Token], index: int, gazetteer: Gazetteer) -> list[str]:
    """Return what is seen of the token at ``index`` and of two tokens on each side."""
    one = tokens[index]
    count = len(tokens)
    before = tokens[index - 1] if index else None
    before2 = tokens[index - 2] if index > 1 else None
    after = tokens[index + 1] if index + 1 < count else None
    after2 = tokens[index + 2] if index + 2 < count else None
    wb, fb, sb = (before.folded, before.flags, before.shape) if before else (_EDGE, 0, _EDGE)
    wb2, fb2, sb2 = (before2.folded, before2.flags, before2.shape) if before2 else (_EDGE, 0, _EDGE)
    wa, fa, sa = (after.folded, after.flags, after.shape) if after else (_EDGE, 0, _EDGE)
    wa2, fa2, sa2 = (after2.folded, after2.flags, after2.shape) if after2 else (_EDGE, 0, _EDGE)
    word, flags, shape = one.folded, one.flags, one.shape
    found = [
        "bias",
        f"w={word}",
        f"s={shape}",
        f"f={flags}",
        f"fs={flags} {shape}",
        f"w-1={wb}",
        f"w+1={wa}",
        f"w-2={wb2}",
        f"w+2={wa2}",
        f"w-21={wb2} {wb}",
        f"w+12={wa} {wa2}",
        f"f-1={fb} {sb}",
        f"f+1={fa} {sa}",
        f"f-2={fb2} {sb2}",
        f"f+2={fa2} {sa2}",
        f"s3={sb} {shape} {sa}",
        f"s5={sb2} {sb} {shape} {sa} {sa2}",
        f"f3={fb} {flags} {fa}",
        f"wbf={wb} {flags} {shape}",
        f"waf={wa} {flags} {shape}",
    ]
    if shape[0] in "Xx":
        found += (f"p3={word[:3]}", f"e2={word[-2:]}", f"e3={word[-3:]}", f"e4={word[-4:]}")
        if before is not None and fb | sb.startswith("X"):
            pair = gazetteer.flags(f"{wb} {word}")
            if pair:
                found.append(f"pb={pair}")
        if after is not None and sa[0] in "Xx":
            pair = gazetteer.flags(f"{word} {wa}")
            if pair:
                found.append(f"pa={pair}")
    return found


def second_features(tokens: Sequence[Token], labels: Sequence[str], index: int) -> list[str]:
    """Return what is seen of the labels that the first look gave to the token at ``index`` and four on each side."""
    own = labels[index]
    # Before the text and after it nothing has a label either.
    near = [labels[place] if 0 <= place < len(labels) else "-" for place in range(index - 4, index + 5)]
    shape = tokens[index].shape
    return [
        f"l={own}",
        f"l-1={near[3]} {own}",
        f"l+1={own} {near[5]}",
        f"l3={near[3]} {own} {near[5]}",
        f"l-2={near[2]} {near[3]} {own}",
        f"l+2={own} {near[5]} {near[6]}",
        f"l5={near[2]} {near[3]} {own} {near[5]} {near[6]}",
        f"l-3={near[1]} {near[2]}",
        f"l+3={near[6]} {near[7]}",
        f"lf={near[0]} {near[1]} {near[2]} {near[3]}",
        f"lb={near[5]} {near[6]} {near[7]} {near[8]}",
        f"ls={near[3]} {shape} {near[5]}",
    ]


def _shape(word: str) -> str:
    """Return the shape of a word that begins with a capital: ``X``, ``Xx``, ``XX``, ``XxX``, ``X9``."""
    if word.isalpha():
        if len(word) == 1:
            return "X"
        if word.isupper():
            return "XX" if len(word) > 3 else "XX3"
        return "Xx" if word[1:].islower() else "XxX"
    if "_" in word:
        return "X_"
    if word.isalnum():
        return "X9"
    return "X'"


def _number(word: str) -> str:
    if word.isdigit():
        return f"9{min(len(word), 10)}"
    return "9x" if word.isalnum() and len(word) < 5 else "9~"
