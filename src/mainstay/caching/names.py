"""Proper names, identifiers, quotations and code of two questions compared: what one has, the other must have.

A name is told by how it is written: a capital inside a sentence, an acronym, a mixture of cases, digits or signs. One
that stands in the other text in small letters is there, too, so that carelessness of writing costs no hit. Pure.
"""

import re
from functools import lru_cache
from typing import Final

from mainstay.caching.words import FUNCTION, stem, unify

__all__ = ["names", "names_differ"]

_FENCED: Final = re.compile(r"```.*?```|`[^`]+`", re.DOTALL)
_QUOTED: Final = re.compile(r'"([^"]{1,200})"|(?<!\w)\'([^\']{2,200})\'(?!\w)')
#: Addresses, paths, versions, names with signs inside: what is no plain word.
_IDENTIFIER: Final = re.compile(
    r"https?://\S+|[\w.+-]+@[\w-]+\.\w+|(?:[~.]?/)?(?:[\w.-]+/){1,}[\w.-]+|(?<!\S)--?[a-zA-Z][\w-]*(?==|\b)(?<=\w)(?<!\w-\w)"
    r"|\w+(?:_\w+)+|\w+(?:\.\w+)+(?:\(\))?|\w+\(\)|\w+(?:::\w+)+|[a-zA-Z]\+\+|\b[a-zA-Z]#|\.[nN][eE][tT]\b"
    r"|\b[a-z]+[A-Z]\w*|\b[A-Z][a-z]+[A-Z]\w*|\b(?=\w*\d)(?=\w*[a-zA-Z])\w+"
)
_ORDINAL: Final = re.compile(r"\d+(?:st|nd|rd|th|s|k|m|kg|g|km|cm|mm|h|hr|hrs|am|pm|gb|mb|tb|x)?", re.IGNORECASE)
_NAME: Final = re.compile(r"\b[A-Z][\w'&-]*")
_STARTS: Final = re.compile(r"(?:^|[.?!:;]\s+|[\"(\[]\s*)$")
#: Words that are often written with a capital without being names.
_COMMON: Final = FUNCTION | frozenset({"is", "are", "hi", "dear", "yes", "does", "did", "tell"})
#: Names whose signs may be left out.
_JOINED: Final = re.compile(r"[\w&' -]+")
_PUNCTUATION: Final = ".,;:!?()[]{}\"'"


def _norm(name: str) -> str:
    return " ".join(name.casefold().strip(_PUNCTUATION).split()).removesuffix("'s")


@lru_cache(1024)
def names(text: str) -> frozenset[str]:
    """Return the names, identifiers, quotations and pieces of code of ``text``, in small letters."""
    text = unify(text)
    found: set[str] = set()

    def take(match: re.Match[str]) -> str:
        found.add(" ".join(match[0].strip("`").split()).casefold())
        return " ; "

    rest = _FENCED.sub(take, text)
    found.update(_norm(match[1] or match[2]) for match in _QUOTED.finditer(rest))
    found.update(
        _norm(match[0]) for match in _IDENTIFIER.finditer(rest) if not _ORDINAL.fullmatch(match[0].strip(_PUNCTUATION))
    )
    letters = [sign for sign in rest if sign.isalpha()]
    shouted = bool(letters) and sum(sign.isupper() for sign in letters) > 0.6 * len(letters)
    if not shouted:
        found.update(_capitals(rest))
    found.discard("")
    return frozenset(found)


def _capitals(text: str) -> set[str]:
    words = re.findall(r"[A-Za-z][\w'-]*", text)
    long = [word for word in words if word.casefold() not in _COMMON]
    # A text in which most words have a capital says nothing by it.
    titled = len(long) > 4 and sum(word[0].isupper() for word in long) > 0.8 * len(long)
    found = set()
    for match in _NAME.finditer(text):
        word = _norm(match[0])
        acronym = len(match[0]) > 1 and match[0].isupper()
        if not acronym and (titled or word in _COMMON or _STARTS.search(text[: match.start()])):
            continue
        if word != "i" and not word.startswith("i'"):
            found.add(word)
    return found


def names_differ(first: str, second: str) -> str | None:
    """Return a name that stands in one of the two texts only, None where there is none."""
    return _missing(first, second) or _missing(second, first)


def _missing(first: str, second: str) -> str | None:
    wanted = names(first)
    if not wanted:
        return None
    there = names(second)
    plain = unify(second).casefold()
    tokens = {token.strip(_PUNCTUATION).removesuffix("'s") for token in plain.split()}
    stems = {stem(token) for token in tokens}
    joined = "".join(sign for sign in plain if sign.isalnum())
    for name in sorted(wanted):
        if name in there or name in tokens or stem(name) in stems:
            continue
        if " " in name and name in plain:
            continue
        if name.isalpha() and re.search(rf"(?<![\w/.-]){re.escape(name)}(?![a-z/_-]|\.\w)", plain):
            continue
        # "Wi-Fi" and "wifi", "iPhone 6" and "iphone6": signs and blanks say nothing, but for code and short names.
        bare = "".join(sign for sign in name if sign.isalnum())
        if name.isalpha() or len(bare) < 4 or bare not in joined or not _JOINED.fullmatch(name):
            return name
    return None
