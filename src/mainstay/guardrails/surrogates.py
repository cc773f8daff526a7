"""What a value is replaced by where it shall look like one of its kind: invented names, addresses that lead nowhere.

Each is made of bits of a digest and of nothing else, so it tells nothing of the value. Names are of syllables that make
no real ones, so that a text rarely holds them; domains, networks and the country code are those set aside for examples
or unassigned (RFC 2606, RFC 3849, E.164). It knows neither keys nor maps.
"""

import re
from collections.abc import Callable
from typing import Final

__all__ = ["surrogate", "words"]

_WORD: Final = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
#: Sixteen, sixteen and sixteen: twelve bits a pair, so that a name of five parts tells a million words apart.
_FIRST: Final = [
    "Bra",
    "Cor",
    "Del",
    "Fen",
    "Gal",
    "Hes",
    "Jor",
    "Kel",
    "Lan",
    "Mor",
    "Nev",
    "Pel",
    "Quen",
    "Ros",
    "Tav",
    "Wyn",
]
_MIDDLE: Final = [
    "ada",
    "ebi",
    "eni",
    "eva",
    "ila",
    "imo",
    "ona",
    "ori",
    "ova",
    "uba",
    "uli",
    "una",
    "ava",
    "eri",
    "ibe",
    "oma",
]
_INNER: Final = ["b", "d", "f", "g", "l", "m", "n", "p", "r", "s", "t", "v", "br", "dr", "st", "th"]
_VOWEL: Final = ["a", "e", "i", "o", "u", "ae", "ei", "ia"]
_LAST: Final = [
    "ck",
    "dell",
    "dric",
    "ffe",
    "gard",
    "lin",
    "mond",
    "nce",
    "rdt",
    "sk",
    "sten",
    "thal",
    "vane",
    "wick",
    "xby",
    "zen",
]


def surrogate(kind: str, digest: bytes) -> str | None:
    """Return what stands for a value of ``kind`` whose keyed digest is ``digest`` (32 bytes), or None where there is no
    such form. ``person word`` is one word of a name."""
    number = int.from_bytes(digest[:8])
    if kind == "person word":
        return (
            _FIRST[number & 15]
            + _MIDDLE[number >> 4 & 15]
            + _INNER[number >> 8 & 15]
            + _VOWEL[number >> 12 & 7]
            + _LAST[number >> 15 & 15]
        )
    if kind == "email":
        return f"user.{number & 0xFFFFFFFFFF:010x}@example.com"
    if kind == "url":
        return f"https://www.example.com/{number & 0xFFFFFFFFFF:010x}"
    if kind == "phone":
        return f"+999 {number % 10**10:010d}"
    if kind == "ip":
        one, two, three = (number >> shift & 0xFFF | 0x1000 for shift in (0, 12, 24))
        return f"2001:db8:{one:x}:{two:x}::{three:x}"
    return None


def words(value: str, name: Callable[[str], str]) -> str:
    """Return a person's name with each of its words replaced, so that whoever is called by one word of it keeps it."""
    return _WORD.sub(lambda match: name(match[0]), value)
