"""AWS's binary event stream (``application/vnd.amazon.eventstream``), read from bytes however they are cut.

A message is a prelude (its length, its headers' length, a CRC-32 of both), headers, a payload and a CRC-32 of all
before it; numbers are big-endian. Knows messages and headers, not what a payload means. An event comes out as its
payload under the name of its type; an exception under its type after :data:`EXCEPTION`, so that the reader of the wire
can tell the two apart.
"""

import struct
from binascii import crc32

import msgspec

from mainstay.core.errors import UpstreamBroken
from mainstay.core.sse import SseEvent

__all__ = ["EXCEPTION", "EventStreamDecoder"]

#: What the name of an exception begins with.
EXCEPTION = b"exception:"

_PRELUDE = struct.Struct(">III")
_LENGTH = struct.Struct(">H")
#: A prelude and a checksum: the least a message has.
_LEAST = 16
#: Bytes of a header's value by its type; None where a length of two bytes stands before it.
_SIZES: dict[int, int | None] = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 6: None, 7: None, 8: 8, 9: 16}
_BYTES, _STRING = 6, 7
#: A stream has a handful of kinds of message, each with the same headers every time.
_REMEMBERED = 64


class EventStreamDecoder:
    """Cuts a stream of bytes into events; see :class:`~mainstay.providers.port.Decoder`.

    Args:
        limit: most bytes one message may have; memory held never exceeds it by more than one piece fed.
    """

    __slots__ = ("_broken", "_known", "_limit", "_need", "_pieces", "_size", "alive")

    def __init__(self, limit: int = 32 * 1024 * 1024) -> None:
        #: How many messages came that are neither event nor exception.
        self.alive = 0
        self._limit = limit
        #: Pieces of a message whose end has not come; joined once it has, so that a long one costs no copy per piece.
        self._pieces: list[bytes] = []
        self._size = 0
        #: Bytes that must be there before it is worth looking.
        self._need = _LEAST
        self._known: dict[bytes, tuple[bytes, bytes]] = {}
        self._broken: UpstreamBroken | None = None

    def feed(self, piece: bytes) -> list[SseEvent]:
        """Return the events that ``piece`` completes.

        What came whole before a fault is returned first; the fault is raised by the next call.

        Raises:
            UpstreamBroken: a checksum or length is wrong, headers cannot be read, or a message is over the limit. The
                decoder is of no use afterwards.
        """
        if self._broken is not None:
            raise self._broken
        self._pieces.append(piece)
        self._size += len(piece)
        if self._size < self._need:
            return []
        data = piece if len(self._pieces) == 1 else b"".join(self._pieces)
        events: list[SseEvent] = []
        try:
            rest = self._cut(data, events)
        except UpstreamBroken as error:
            self._broken, self._pieces = error, []
            if not events:
                raise
            return events
        self._pieces = [data[rest:]] if rest < len(data) else []
        self._size = len(data) - rest
        return events

    def close(self) -> list[SseEvent]:
        """Say that the body has ended; a cut message is dropped, for the reader knows whether one was still owed.

        Raises:
            UpstreamBroken: the fault that :meth:`feed` still owed.
        """
        if self._broken is not None:
            raise self._broken
        self._pieces, self._size = [], 0
        return []

    def _cut(self, data: bytes, events: list[SseEvent]) -> int:
        """Append the whole messages of ``data``; return where the first that is not whole begins."""
        view = memoryview(data)
        start, end = 0, len(data)
        self._need = _LEAST
        while end - start >= _LEAST:
            total, size, checksum = _PRELUDE.unpack_from(data, start)
            if crc32(view[start : start + 8]) != checksum:
                raise _fault("an event whose head is damaged")
            if total > self._limit:
                raise UpstreamBroken(f"The upstream sent an event of more than {self._limit} bytes.")
            if total < size + _LEAST:
                raise _fault("an event of an impossible length")
            stop = start + total
            if stop > end:
                self._need = total
                break
            if crc32(view[start : stop - 4]) != int.from_bytes(view[stop - 4 : stop], "big"):
                raise _fault("an event whose checksum is wrong")
            head = start + 12 + size
            kind, name = self._read_headers(data[start + 12 : head])
            if kind == b"event":
                events.append(SseEvent(data[head : stop - 4], name))
            elif kind:
                # An ``error`` says in its headers what an exception says in its payload.
                payload = data[head : stop - 4] if kind == b"exception" else kind
                events.append(SseEvent(payload, EXCEPTION + name))
            else:
                self.alive += 1
            start = stop
        return start

    def _read_headers(self, raw: bytes) -> tuple[bytes, bytes]:
        known = self._known.get(raw)
        if known is None:
            known = _judge(_headers(raw))
            if len(self._known) < _REMEMBERED:
                self._known[raw] = known
        return known


def _judge(headers: dict[bytes, bytes]) -> tuple[bytes, bytes]:
    """Return the kind (``event``, ``exception``, the payload of an error, or nothing) and the name of a message."""
    kind = headers.get(b":message-type")
    if kind == b"event":
        return kind, headers.get(b":event-type", b"")
    if kind == b"exception":
        return kind, headers.get(b":exception-type", b"")
    if kind == b"error":
        message = headers.get(b":error-message", b"").decode("utf-8", "replace")
        return msgspec.json.encode({"message": message}), headers.get(b":error-code", b"")
    return b"", b""


def _headers(raw: bytes) -> dict[bytes, bytes]:
    """Return the headers whose values are text or bytes, by name; the others are read past.

    Raises:
        UpstreamBroken: they are not what the framing allows.
    """
    found: dict[bytes, bytes] = {}
    at, end = 0, len(raw)
    while at < end:
        begin = at + 1
        at = begin + raw[at]
        if at >= end or raw[at] not in _SIZES:
            raise _fault("an event with unreadable headers")
        name, kind = raw[begin:at], raw[at]
        at += 1
        size = _SIZES[kind]
        if size is None:
            if at + 2 > end:
                raise _fault("an event with unreadable headers")
            (size,) = _LENGTH.unpack_from(raw, at)
            at += 2
        value = raw[at : at + size]
        at += size
        if at > end:
            raise _fault("an event with unreadable headers")
        if kind in (_BYTES, _STRING):
            found[name] = value
    return found


def _fault(what: str) -> UpstreamBroken:
    return UpstreamBroken(f"The upstream sent {what}; ask again.")
