"""Whether a string is made of chance, or of words; and whether it was made up to stand for a secret.

Names in code are the classic false hit of every scanner that knows entropy alone: ``requestTimeoutMilliseconds`` has
as much of it as a key. Here a string is cut as names are cut (camel case, figures, signs), and each piece of letters is
asked how likely its letters follow each other, by a table of triples counted in the identifiers of Python's standard
library (``letters.txt``; 27 x 26 x 27 log ratios to chance, one character each). Pure.
"""

import base64
import math
import re
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Final

__all__ = ["entropy", "is_basic", "is_made_up", "is_password", "is_random", "is_uuid", "likeness", "words_share"]

_TABLE = Path(__file__).with_name("letters.txt")
_LEVELS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
#: The table's levels lie evenly from -8 to 5 (log2 of how much likelier than chance).
_LOWEST, _STEP = -8.0, 13 / 63

#: A name's pieces: a capital and what follows, small letters, capitals.
_PIECES: Final = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\Z")
_PATH: Final = re.compile(r"(?:\.{0,2}/|~/|[A-Za-z]:\\)\S*\.\w{1,5}\Z|(?:\\x[0-9a-fA-F]{2}|\\[0-7]{3})+\Z")
_FIGURES: Final = re.compile(r"[0-9.,:/_+TZ-]+\Z|0x[0-9a-fA-F]{1,16}\Z")
#: Words of those who write examples.
_MADE_UP: Final = re.compile(
    r"example|sample|placeholder|change_?-?me|dummy|redacted|replace|insert|fixme|foobar|lorem|undefined|not-?_?real"
    r"|x{4,}|\*{3,}|\.{3,}|\$\{|\{\{|\$\(|%\(|%s|<|process\.env|environ|getenv|secrets\.|vault:|ref\+",
    re.IGNORECASE,
)
#: Short ones, where they stand alone; a vendor's prefix may hold them too, so they count in what has no fixed form.
_ALSO_MADE_UP: Final = re.compile(
    r"(?<![a-z])(?:your?|my|fake|mock|none|null|todo|test|demo|secret|password|token|api[_-]?key)(?![a-z0-9+/])",
    re.IGNORECASE,
)
#: A short one in hex is a digest, cut to tell versions apart.
_HEX: Final = re.compile(r"[0-9a-fA-F]+\Z")
_DIGEST: Final = 20
#: What standards and manuals give as an example: OAuth 2.0 and 1.0, jwt.io, and the database that asks scott.
_KNOWN: Final = re.compile(
    r"2YotnFZFEjr1zCsicMWp|tGzv3JOkF0XG5Qx2TlKW|czZCaGRSa3F0Mzpn|mF_9\.B5f-4\.1JqM|hh5s93j4hdidpol|hdhd0244k9j7ao0"
    r"|nnch734d00sl2jd|pfkkdhi9sl3r4s0|eyJzdWIiOiIxMjM0NTY3ODkwI|QWxhZGRpbjpvcGVu|tiger"
)
_SAME: Final = re.compile(r"(.)\1{5,}|(..)\2{4,}|(...)\3{3,}|(.{4,8})\4{2,}")
#: Rows of a keyboard, the alphabet and figures: eight in a row are nobody's secret.
_ROWS: Final = (
    "0123456789abcdefghijklmnopqrstuvwxyz",
    "1234567890",
    "qwertyuiopasdfghjkl",
    "9876543210",
    "zyxwvutsrqpo",
)
_IN_A_ROW: Final = 8
#: Below this mean a piece of letters is no word; set so that of six random letters 2% pass and 99% of words do.
_WORD: Final = 0.0
_WORDY: Final = 0.5
_WORDY_PASSWORD: Final = 0.6
#: A password of two sorts of characters is none below this length.
_LONG: Final = 16


@cache
def _levels() -> tuple[float, ...]:
    text = _TABLE.read_text().replace("\n", "")
    return tuple(_LOWEST + _STEP * _LEVELS.index(level) for level in text)


def entropy(value: str) -> float:
    """Return Shannon's entropy of the characters of ``value``, in bits per character."""
    size = len(value)
    if not size:
        return 0.0
    return math.log2(size) - sum(count * math.log2(count) for count in Counter(value).values()) / size


def likeness(piece: str) -> float:
    """Return how much likelier than chance the letters of ``piece`` (a-z) follow each other: mean log2 of the ratio."""
    levels = _levels()
    before, here = 0, ord(piece[0]) - 97
    total = 0.0
    for letter in piece[1:]:
        after = ord(letter) - 97
        total += levels[(before * 26 + here) * 27 + after]
        before, here = here + 1, after
    return (total + levels[(before * 26 + here) * 27 + 26]) / len(piece)


def words_share(value: str) -> float:
    """Return the share of the letters and figures of ``value`` that stand in words, from 0 to 1."""
    size = sum(map(str.isalnum, value))
    if not size:
        return 1.0
    worded = 0
    for piece in _PIECES.findall(value):
        if len(piece) > 2 and likeness(piece.lower()) > _WORD:
            worded += len(piece)
    return worded / size


def is_made_up(value: str, *, free: bool = False, repeats: bool = False) -> bool:
    """Return whether ``value`` stands for a secret rather than being one: an example, a variable, a row of keys.

    ``free``: it has no fixed form, so short words tell too. ``repeats``: one character may well be repeated.
    """
    if _MADE_UP.search(value) or (not repeats and _SAME.search(value)) or (free and _ALSO_MADE_UP.search(value)):
        return True
    if _KNOWN.search(value):
        return True
    folded = value.lower()
    return any(row[at : at + _IN_A_ROW] in folded for row in _ROWS for at in range(len(row) - _IN_A_ROW + 1))


def is_uuid(value: str) -> bool:
    """Return whether ``value`` is a UUID in its usual form."""
    return _UUID.match(value) is not None


def is_random(value: str) -> bool:
    """Return whether ``value`` is made of chance: neither of words, nor a number, nor a UUID."""
    if _UUID.match(value) or _FIGURES.match(value):
        return False
    kinds = sum(any(map(test, value)) for test in (str.islower, str.isupper, str.isdigit))
    if kinds < 2 or (len(value) < _DIGEST and _HEX.match(value)):
        return False
    return words_share(value) < _WORDY


def is_password(value: str) -> bool:
    """Return whether ``value`` may be a password: of three sorts of characters at least, and not a word with a tail."""
    if _UUID.match(value) or _FIGURES.match(value) or _PATH.match(value):
        return False
    kinds = sum(any(map(test, value)) for test in (str.islower, str.isupper, str.isdigit, _is_sign))
    if kinds < 3:
        return len(value) >= _LONG and is_random(value)
    return words_share(value) < _WORDY_PASSWORD


def is_basic(value: str) -> bool:
    """Return whether ``value`` is base64 of a name, a colon and a password."""
    try:
        text = base64.b64decode(value, validate=True).decode()
    except ValueError:
        return False
    name, colon, password = text.partition(":")
    return bool(colon and name) and len(password) >= 4 and text.isprintable() and not is_made_up(password)


def _is_sign(character: str) -> bool:
    return not character.isalnum()
