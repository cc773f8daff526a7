"""HTTP/1.1 as the server speaks it, without I/O: limits, framing of a request, head of a response (RFC 9112).

The server's connections and exchanges call these functions; nothing here holds a socket, a task or a clock. Reading
the bytes of a request is httptools' work, deciding what they mean is done here.
"""

import re
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from urllib.parse import unquote_to_bytes

import msgspec

from mainstay.core.errors import BodyTooLarge, InvalidRequest
from mainstay.core.ids import uuid7

__all__ = [
    "BODILESS",
    "CHUNKED",
    "NO_BODY",
    "TO_CLOSE",
    "Limits",
    "Progress",
    "check_body_size",
    "refusal",
    "request_body",
    "request_id",
    "request_target",
    "response_head",
    "whole_head",
]

Fields = Mapping[bytes, bytes]
Headers = Iterable[tuple[bytes, bytes]]

#: Framings of a body other than a number of bytes.
CHUNKED = -1
TO_CLOSE = -2
NO_BODY = -3

_STATUS_LINES = {status.value: b"HTTP/1.1 %d %b" % (status, status.phrase.encode()) for status in HTTPStatus}
#: Response headers that the server itself decides about.
_OWNED = frozenset((b"connection", b"content-length", b"date", b"keep-alive", b"transfer-encoding"))
#: Statuses whose responses have no body, whatever the headers say.
BODILESS = frozenset((204, 304))
#: What every answer says of how it came about, when there was no route yet.
_NOTHING_SERVED = (
    (b"x-mainstay-route", b""),
    (b"x-mainstay-model", b""),
    (b"x-mainstay-provider", b""),
    (b"x-mainstay-cache", b"off"),
    (b"x-mainstay-cost-usd", b"unknown"),
    (b"x-mainstay-attempts", b"0"),
)
_SANE_ID = re.compile(rb"[A-Za-z0-9._:/@+=-]{1,128}")


class Limits(msgspec.Struct, frozen=True):
    """What one connection may cost: sizes in bytes, times in seconds.

    ``max_head`` bounds the request line and headers, give or take 4 KiB. ``head_timeout`` is for a whole head,
    ``body_timeout`` for one silence within a body. After ``body_grace`` seconds a body must have come at
    ``min_body_rate`` bytes per second on average. ``keep_alive`` is how long an idle connection is kept,
    ``write_timeout`` how long a reader may take nothing at all. After a refusal at most ``max_discard`` further bytes
    are read and thrown away, for at most ``linger`` seconds, so that the client gets to see the answer.
    """

    max_body: int = 32 * 1024 * 1024
    max_head: int = 64 * 1024
    max_headers: int = 100
    head_timeout: float = 15.0
    body_timeout: float = 30.0
    body_grace: float = 10.0
    min_body_rate: int = 256
    keep_alive: float = 75.0
    write_timeout: float = 120.0
    linger: float = 30.0
    max_discard: int = 256 * 1024 * 1024


class Progress:
    """Whether the client takes what is sent to it."""

    __slots__ = ("_moved", "_taken", "written")

    def __init__(self) -> None:
        #: Bytes handed to the transport so far.
        self.written = 0
        self._taken = -1
        self._moved = 0.0

    def stopped_for(self, unsent: int, now: float) -> float:
        """Return for how many seconds, as far as was seen, the client has taken none of ``unsent`` bytes."""
        taken = self.written - unsent
        if not unsent or taken != self._taken:
            self._taken = taken if unsent else -1
            self._moved = now
        return now - self._moved


def request_id(fields: Fields) -> str:
    """Return the caller's own request id when it is short and printable, else a new one."""
    own = fields.get(b"x-request-id", b"")
    return own.decode("ascii") if _SANE_ID.fullmatch(own) else uuid7()


def request_target(target: bytes) -> tuple[str, bytes, bytes]:
    """Return the decoded path, the raw path and the query of a request target (RFC 9112, section 3.2).

    Raises:
        InvalidRequest: it is neither a path, an ``http(s)`` URL nor ``*``.
    """
    if not target.startswith(b"/") and target != b"*":
        scheme, mark, rest = target.partition(b"://")
        if not mark or scheme.lower() not in (b"http", b"https"):
            raise InvalidRequest("The request target is not a path; send a path such as /v1/models.")
        authority = re.split(rb"[/?]", rest, maxsplit=1)[0]
        target = rest[len(authority) :]
        if not target.startswith(b"/"):
            target = b"/" + target
    raw, _, query = target.partition(b"?")
    plain = unquote_to_bytes(raw) if b"%" in raw else raw
    return plain.decode("utf-8", "replace"), raw, query


def request_body(fields: Fields, http10: bool, limit: int) -> int:
    """Return how the body of a request is framed: its length in bytes (0: none) or ``CHUNKED``.

    The parser has already refused both framings at once, a repeated length and one that is not a number.

    Raises:
        InvalidRequest: a transfer coding other than ``chunked``, or one in HTTP/1.0.
        BodyTooLarge: the announced length is over ``limit``.
    """
    coding = fields.get(b"transfer-encoding")
    if coding is not None:
        if http10 or coding.lower() != b"chunked":
            raise InvalidRequest("The only transfer coding understood is chunked; send the body plain or chunked.")
        return CHUNKED
    length = int(fields.get(b"content-length", b"0"))
    check_body_size(length, limit)
    return length


def check_body_size(size: int, limit: int) -> None:
    """Refuse a body that is too long.

    Raises:
        BodyTooLarge: ``size`` is over ``limit``.
    """
    if size > limit:
        raise BodyTooLarge(f"The request body is over the limit of {limit} bytes; send a smaller one.")


def response_head(
    status: int,
    headers: Headers,
    *,
    whole: int | None,
    head_only: bool,
    http10: bool,
    keep: bool,
    date: bytes,
) -> tuple[bytes, int, bool]:
    """Return the bytes of a head, the framing of the body that follows, and whether the connection is kept.

    ``whole`` is the length of the body when all of it is at hand, else None. ``head_only`` answers HEAD. ``date`` is
    the header line. A ``connection: close`` among ``headers`` is obeyed; the other hop-by-hop headers are dropped.

    Raises:
        ValueError: a header holds CR, LF or NUL, or a content length is not a number; nothing was sent.
    """
    if not 200 <= status <= 999:
        raise ValueError("a response status is a number from 200 to 999")
    lines = [_STATUS_LINES.get(status) or b"HTTP/1.1 %d " % status, date]
    bodiless = head_only or status in BODILESS
    # What GET would say: an empty body given in answer to HEAD does not mean that there is none.
    length = (whole or None) if head_only else None if bodiless else whole
    for header in headers:
        if header[0] in _OWNED:
            name, value = header
            if name == b"content-length":
                length = _length(value)
            elif name == b"connection" and value.lower() == b"close":
                keep = False
        else:
            lines.append(b": ".join(header))
    framing = NO_BODY
    if length is not None and status != 204:
        lines.append(b"content-length: %d" % length)
    if not bodiless:
        if length is not None:
            framing = length
        elif http10:
            framing, keep = TO_CLOSE, False
        else:
            framing = CHUNKED
            lines.append(b"transfer-encoding: chunked")
    if not keep:
        lines.append(b"connection: close")
    elif http10:
        lines.append(b"connection: keep-alive")
    lines.append(b"\r\n")
    head = b"\r\n".join(lines)
    ends = len(lines)
    if head.count(b"\n") != ends or head.count(b"\r") != ends or b"\0" in head:
        raise ValueError("a response header holds CR, LF or NUL")
    return head, framing, keep


def whole_head(status: int, lines: bytes, length: int, *, keep: bool, date: bytes) -> bytes:
    """Return the head of a response with ``length`` bytes of body; ``lines`` are headers, ready to send."""
    return b"%b\r\n%b\r\n%bcontent-length: %d\r\n%b\r\n" % (
        _STATUS_LINES.get(status) or b"HTTP/1.1 %d " % status,
        date,
        lines,
        length,
        b"" if keep else b"connection: close\r\n",
    )


def _length(value: bytes) -> int:
    if not value.isdigit():
        raise ValueError("a content-length is not a number")
    return int(value)


def refusal(
    status: int, shown_id: str, body: bytes, *, extra: Headers = (), spent: float, head_only: bool, date: bytes
) -> bytes:
    """Return a whole response with a JSON ``body`` that ends its connection; ``spent`` are the seconds it took us."""
    headers = [
        (b"content-type", b"application/json"),
        (b"x-request-id", shown_id.encode()),
        *_NOTHING_SERVED,
        (b"x-mainstay-overhead-ms", b"%.3f" % (spent * 1000)),
        *extra,
    ]
    whole = len(body)
    head, _, _ = response_head(status, headers, whole=whole, head_only=head_only, http10=False, keep=False, date=date)
    return head if head_only else head + body
