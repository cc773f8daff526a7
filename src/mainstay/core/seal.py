"""Who made a sealed piece of an answer: encrypted reasoning, or a signature that only one account accepts.

Callers hold such pieces without reading them and send them back with the conversation. A mark in front of each names
the provider that made it, so that any worker of any gateway knows it again and nothing needs to be remembered: routing
asks that provider first, its codec takes the mark off and gives it its own bytes back, and every other codec leaves the
piece out. A piece without a mark is from before there were marks, or from elsewhere; it goes where the call goes.
"""

import re
from typing import Final

__all__ = ["last_maker", "mark", "opened", "unmark"]

#: In front of every mark. Vendors' own pieces are base64, which has neither sign.
_HEAD: Final = "mainstay:"
_END: Final = "|"
_MARK: Final = re.compile(r"mainstay:([A-Za-z0-9._:/@-]{1,128})\|")
#: A mark at the beginning of a JSON string, or behind what another dialect puts in front (``responses:rs_1:``).
_IN_JSON: Final = re.compile(rb'(?<!\\)"(?:[a-z]{3,20}:[^"\\|]{0,200}:)?mainstay:([A-Za-z0-9._:/@-]{1,128})\|')


def mark(maker: str, sealed: str) -> str:
    """Return ``sealed`` with the mark of the provider ``maker``; itself where that has no name or nothing is sealed."""
    return f"{_HEAD}{maker}{_END}{sealed}" if maker and sealed else sealed


def unmark(sealed: str) -> tuple[str, str]:
    """Return who made ``sealed``, "" when it does not say, and the piece as its maker wrote it."""
    found = _MARK.match(sealed)
    return (found[1], sealed[found.end() :]) if found is not None else ("", sealed)


def opened(sealed: str, maker: str) -> str | None:
    """Return ``sealed`` as the provider ``maker`` knows it, or None when another provider made it."""
    found, own = unmark(sealed)
    return own if found in ("", maker) else None


def last_maker(raw: bytes) -> str:
    """Return who made the last marked piece in a JSON text, "" when there is none."""
    if b"mainstay:" not in raw:
        return ""
    last = ""
    for found in _IN_JSON.finditer(raw):
        last = found[1].decode()
    return last
