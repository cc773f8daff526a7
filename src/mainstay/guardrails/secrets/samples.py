"""Examples of rules, filled with chance: a row writes ``ghp_<62*36>`` and this makes tokens that nobody gave.

So that no repository holds what looks like a credential, and that tests and measurements see many. What the marks
mean: ``<SET*N>`` is N characters of a set below, ``<uuid>`` a random UUID, ``<pw*N>`` a password as people make them,
``<basic*N>`` a name and a password of N characters in base64. Any other text in angle brackets stays as it is.
"""

import base64
import random
import re
import string
from typing import Final

__all__ = ["fill"]

_DIGITS, _LOWER, _UPPER = string.digits, string.ascii_lowercase, string.ascii_uppercase
_SETS: Final = {
    "10": _DIGITS,
    "16": "0123456789abcdef",
    "16U": "0123456789ABCDEF",
    "32": _UPPER + "234567",
    "36": _DIGITS + _LOWER,
    "36U": _DIGITS + _UPPER,
    "52": _LOWER + _UPPER,
    "62": _DIGITS + _LOWER + _UPPER,
    "64": _DIGITS + _LOWER + _UPPER + "+/",
    "64u": _DIGITS + _LOWER + _UPPER + "-_",
    "bech": "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L",
}
_MARK: Final = re.compile(r"<(?:(uuid)|(pw|basic|10|16U?|32|36U?|52|62|64u?|bech)\*(\d+))>")
_SIGNS: Final = "!#%+-.=?_"


def fill(sample: str, chance: random.Random) -> str:
    """Return ``sample`` with its marks filled; the same ``chance`` gives the same text."""
    return _MARK.sub(lambda mark: _filled(mark, chance), sample)


def _filled(mark: re.Match[str], chance: random.Random) -> str:
    if mark[1]:
        some = "".join(chance.choices(_SETS["16"], k=32))
        return f"{some[:8]}-{some[8:12]}-4{some[13:16]}-a{some[17:20]}-{some[20:]}"
    size = int(mark[3])
    if mark[2] == "pw":
        return _password(size, chance)
    if mark[2] == "basic":
        return base64.b64encode(f"svc:{_password(size, chance)}".encode()).decode()
    return "".join(chance.choices(_SETS[mark[2]], k=size))


def _password(size: int, chance: random.Random) -> str:
    """Return a password with a capital, a small letter, a figure and a sign, none of the last at an end."""
    inner = [chance.choice(_UPPER), chance.choice(_LOWER), chance.choice(_DIGITS), chance.choice(_SIGNS)]
    inner += chance.choices(_SETS["62"], k=max(0, size - 6))
    chance.shuffle(inner)
    return "".join((chance.choice(_SETS["62"]), *inner, chance.choice(_SETS["62"])))
