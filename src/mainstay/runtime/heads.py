"""Heads of messages that come again, known without a parser.

Callers send the same head from request to request, and servers from answer to answer, but for the length of the body
and once a second the date. ``Heads`` is an upstream's, one for all connections to an origin; ``server_reader`` keeps a
caller's own. Pure: sees bytes and knows no sockets.
"""

import re
from collections.abc import Sequence
from typing import Any, Final

__all__ = ["LENGTH", "Heads", "body_at"]

#: The line of a head that says how long the body is, in its plainest form; and the most digits that are read.
LENGTH: Final = re.compile(rb"\r\n(?i:content-length):[ \t]*([0-9]+)\r\n")
_DIGITS: Final = 12
#: A head this long is not kept.
_MOST: Final = 8192
#: Headers that make more of an answer than a head and a body of known length.
_NOT_PLAIN: Final = frozenset((b"transfer-encoding", b"content-encoding", b"upgrade", b"trailer"))
#: Heads in a row that were never seen again, after which so many answers are let pass before the next is kept: some
#: servers put an id of its own into every answer.
_PATIENCE: Final = 8
_PAUSE: Final = 256


def body_at(before: bytes, after: bytes, data: bytes) -> int:
    """Return where the body begins in ``data``, if that is one whole message with a known head; -1 for any other.

    ``before`` ends where the digits of the content length begin, ``after`` begins behind them and ends with the head.
    """
    if not data.startswith(before):
        return -1
    at = len(before)
    end = data.find(b"\r", at, at + _DIGITS)
    if end < 0 or not data.startswith(after, end):
        return -1
    body = end + len(after)
    digits = data[at:end]
    return body if digits.isdigit() and int(digits) == len(data) - body else -1


class Heads:
    """Remembers one head."""

    __slots__ = ("_after", "_before", "_headers", "_place", "_trust", "is_known", "notes")

    def __init__(self) -> None:
        #: Whether there is a head to compare with.
        self.is_known = False
        #: What readers of an answer have found out from its head, but for its length; good for all that have this head.
        self.notes: dict[str, Any] = {}
        self._before = self._after = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._place = 0
        self._trust = _PATIENCE

    def read(self, data: bytes) -> tuple[list[tuple[bytes, bytes]], bytes] | None:
        """Return the headers and the body of an answer that has the known head and is whole; None of any other."""
        body = body_at(self._before, self._after, data)
        if body < 0:
            return None
        self._trust = _PATIENCE
        headers = self._headers.copy()
        headers[self._place] = (b"content-length", data[len(self._before) : body - len(self._after)])
        return headers, data[body:]

    def keep(self, data: bytes, headers: Sequence[tuple[bytes, bytes]]) -> dict[str, Any] | None:
        """Keep the head of ``data``, one answer with status 200 that a parser has found whole, if it is plain.

        Returns where its reader may leave notes, None if it was not kept.
        """
        self._trust -= 1
        if self._trust < 0:
            self.is_known = False
            if self._trust < -_PAUSE:
                self._trust = _PATIENCE
            return None
        end = data.find(b"\r\n\r\n", 0, _MOST) + 4
        found = LENGTH.search(data, 0, end)
        if found is None or int(found[1]) != len(data) - end:
            return None
        places = [place for place, (name, _) in enumerate(headers) if name == b"content-length"]
        if len(places) != 1 or not _NOT_PLAIN.isdisjoint(name for name, _ in headers):
            return None
        self._before, self._after = data[: found.start(1)], data[found.end(1) : end]
        self._headers, self._place = list(headers), places[0]
        self.notes = {}
        self.is_known = True
        return self.notes
