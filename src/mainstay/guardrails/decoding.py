"""Texts hidden inside a text: base64, base32, hex, binary, codes of characters, rot13, and words written backwards.

Only what decodes to something readable counts; bounds on the size of a run and on their number keep it linear. Also
escapes that stand for single characters (``%69``, ``&#105;``, ``\\u0069``), which ``normalise`` puts in their places.
Pure; knows no normalised text.
"""

import base64
import binascii
import codecs
import html
import re
from collections.abc import Callable, Iterator
from typing import Final
from urllib.parse import unquote_to_bytes

from mainstay.guardrails.confusables import WORDS

__all__ = ["LONGEST", "escapes", "readable", "runs"]

#: Characters of an encoded run that are read; the rest of a longer one is left.
LONGEST: Final = 4096
#: A decoded text is at least this long, and this share of it letters, figures and blanks.
_SHORTEST, _PLAIN = 8, 0.8

# What may not stand before a run is looked at after its first character: so the search may skip to where one can begin.
_BASE64: Final = re.compile(r"[A-Za-z0-9+/_-](?<![A-Za-z0-9+/_-]{2})[A-Za-z0-9+/_-]{15,4095}={0,6}")
#: Of ASCII alone, whose first figures are few.
_HEX: Final = re.compile(
    r"[02-7](?<![0-9A-Za-z].)(?:(?<=0)x[2-7])?[0-9a-fA-F](?:[ :,-]{0,2}(?:0x)?[02-7][0-9a-fA-F]){7,1023}(?![0-9A-Za-z])"
)
_BINARY: Final = re.compile(r"[01](?<![0-9].)[01]{7}(?:[ ,]?[01]{8}){7,400}(?![0-9])")
_CODES: Final = re.compile(r"[0-9](?<![0-9.].)[0-9]{1,2}(?:[ ,;]{1,2}[0-9]{2,3}){9,800}(?![0-9.])")
_TWO: Final = re.compile(r"[0-9a-fA-F]{2}(?![0-9a-fA-F]?x)")
_LETTERS: Final = re.compile(r"[^\W\d_]+")
_WORD: Final = re.compile(r"(?<![a-z])[a-z]{4,16}(?![a-z])")
#: A line, or what of it is read together.
_LINE: Final = re.compile(r"[^\n]{1,512}")
#: Words that must be found for a line to be taken for one in rot13 or backwards.
_ENOUGH: Final = 2
#: One of these stands in any that is worth reading.
_TELLING: Final = (
    "ignor",
    "prompt",
    "instruct",
    "previous",
    "system",
    "reveal",
    "forget",
    "disregard",
    "password",
    "secret",
)

_LONG: Final = frozenset(word for word in WORDS if len(word) > 3)
_TURNED: Final = frozenset(codecs.encode(word, "rot13") for word in _LONG) - _LONG
_BACKWARDS: Final = frozenset(word[::-1] for word in _LONG) - _LONG

_ESCAPE: Final = re.compile(
    r"(?P<percent>(?:%[0-9A-Fa-f]{2}){1,256})|(?P<entity>&(?:#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z]{2,10});)"
    r"|(?P<unit>(?:\\u[0-9A-Fa-f]{4}|\\x[0-9A-Fa-f]{2}|\\u\{[0-9A-Fa-f]{1,6}\}|\\U[0-9A-Fa-f]{8}){1,256})"
)
_UNIT: Final = re.compile(r"\\[uUx]\{?([0-9A-Fa-f]+)\}?")


def runs(text: str) -> Iterator[tuple[str, int, int, str]]:
    """Yield what is encoded in ``text``: its kind, where it stands, and what it says. Runs may overlap."""
    for pattern, kind, decode in _CODINGS:
        for run in pattern.finditer(text):
            decoded = decode(run[0])
            if decoded and readable(decoded):
                yield kind, run.start(), run.end(), decoded
    folded = text.lower()
    for kind, hidden, turn, telling in _WHOLE_LINES:
        if not any(word in folded for word in telling):
            continue
        for line in _LINE.finditer(text):
            if len(hidden.intersection(_WORD.findall(line[0].lower()))) >= _ENOUGH:
                yield kind, line.start(), line.end(), turn(line[0])


def readable(text: str) -> bool:
    """Return whether ``text`` is something that a person wrote, rather than bytes that happen to be characters."""
    if len(text) < _SHORTEST:
        return False
    plain = sum(map(len, _LETTERS.findall(text))) + sum(text.count(sign) for sign in " \n,.'")
    return plain >= _PLAIN * len(text) and text.replace("\n", " ").replace("\r", " ").replace("\t", " ").isprintable()


def escapes(text: str) -> list[tuple[int, int, str]]:
    """Return the escapes in ``text`` and what each run stands for; what stands for nothing readable is left."""
    if "%" not in text and "&" not in text and "\\" not in text:
        return []
    found = []
    for run in _ESCAPE.finditer(text):
        if run["percent"]:
            plain = _utf8(unquote_to_bytes(run[0]))
        elif run["entity"]:
            plain = html.unescape(run[0])
        else:
            plain = _units(run[0])
        if plain and plain != run[0] and all(one.isprintable() or one in "\t\n\r" for one in plain):
            found.append((run.start(), run.end(), plain))
    return found


def _units(run: str) -> str:
    try:
        # Halves of a pair become one character.
        text = "".join(chr(int(code, 16)) for code in _UNIT.findall(run))
        return text.encode("utf-16", "surrogatepass").decode("utf-16")
    except (ValueError, OverflowError):
        return ""


def _utf8(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return ""


def _base64(run: str) -> str:
    plain = run.rstrip("=").translate(_URL_SAFE)
    # What is cut off at the end is less than a character.
    plain = plain[: len(plain) - (len(plain) % 4 == 1)]
    try:
        return _utf8(base64.b64decode(plain + "=" * (-len(plain) % 4))) or _base32(run)
    except binascii.Error:
        return _base32(run)


def _base32(run: str) -> str:
    plain = run.rstrip("=")
    if not plain.isupper():
        return ""
    try:
        return _utf8(base64.b32decode(plain + "=" * (-len(plain) % 8)))
    except binascii.Error:
        return ""


def _hex(run: str) -> str:
    return _utf8(bytes(int(two, 16) for two in _TWO.findall(run.replace("0x", " "))))


def _binary(run: str) -> str:
    bits = run.replace(" ", "").replace(",", "")
    return _utf8(bytes(int(bits[at : at + 8], 2) for at in range(0, len(bits), 8)))


def _codes(run: str) -> str:
    return "".join(chr(int(code)) for code in re.findall("[0-9]+", run))


_URL_SAFE: Final = str.maketrans("-_", "+/")
_CODINGS: Final[tuple[tuple[re.Pattern[str], str, Callable[[str], str]], ...]] = (
    (_BASE64, "base64", _base64),
    (_HEX, "hex", _hex),
    (_BINARY, "binary", _binary),
    (_CODES, "codes", _codes),
)


def _rot13(line: str) -> str:
    return codecs.encode(line, "rot13")


def _backwards(line: str) -> str:
    return line[::-1]


_WHOLE_LINES: Final[tuple[tuple[str, frozenset[str], Callable[[str], str], tuple[str, ...]], ...]] = (
    ("rot13", _TURNED, _rot13, tuple(map(_rot13, _TELLING))),
    ("backwards", _BACKWARDS, _backwards, tuple(map(_backwards, _TELLING))),
)
