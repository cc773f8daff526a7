"""Server-sent events, read from bytes however they are cut (WHATWG HTML, section 9.2).

Every streamed wire stands on this one decoder. It knows lines and fields, not what the data of an event means; all
wires here carry JSON, and that is used once: to tell a whole last event from a cut one.
"""

import re

import msgspec

from mainstay.core.errors import UpstreamBroken

__all__ = ["SseDecoder", "SseEvent"]

_BOM = b"\xef\xbb\xbf"
#: A string of a JSON text, whatever is in it; also one without its end, or each quote in it would be looked at anew.
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+("?)', re.DOTALL)


class SseEvent(msgspec.Struct, gc=False):
    """One event: its data (lines joined by a newline) and its name ("" when the wire gave none)."""

    data: bytes
    name: bytes = b""


class SseDecoder:
    """Cuts a stream of bytes into events.

    Comments, and events without data, say only that the other side lives: they raise ``alive`` and are not returned.
    ``id`` and ``retry`` are read past, since nothing here reconnects.

    Args:
        limit: most bytes one event may have; memory held never exceeds it by more than one piece fed.
    """

    __slots__ = ("_after_cr", "_data", "_fields", "_limit", "_line", "_name", "_size", "_start", "alive")

    def __init__(self, limit: int = 32 * 1024 * 1024) -> None:
        #: How many comments and events without data have come.
        self.alive = 0
        self._limit = limit
        #: Pieces of a line whose end has not come; joined once, so that a long line costs no copy per piece.
        self._line: list[bytes] = []
        self._data: list[bytes] = []
        self._name = b""
        self._fields = False
        #: Bytes held in ``_line`` and ``_data``.
        self._size = 0
        self._after_cr = False
        self._start = True

    def feed(self, piece: bytes) -> list[SseEvent]:
        """Return the events that ``piece`` completes.

        Raises:
            UpstreamBroken: an event is over the limit. The decoder is of no use afterwards.
        """
        if self._start:
            piece = self._strip_bom(piece)
        if self._after_cr and piece:
            self._after_cr = False
            if piece[0] == 10:
                piece = piece[1:]
        if b"\r" in piece:
            self._after_cr = piece[-1] == 13
            piece = piece.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        lines = piece.split(b"\n")
        rest = lines.pop()
        events: list[SseEvent] = []
        if lines and self._line:
            self._line.append(lines[0])
            lines[0] = b"".join(self._line)
            self._size -= len(lines[0]) - len(self._line[-1])
            self._line = []
        for line in lines:
            if line:
                self._read_line(line)
            elif self._data:
                self._size = 0
                self._dispatch(events)
            elif self._fields:
                self._drop()
        if rest:
            self._line.append(rest)
            self._size += len(rest)
            self._check_size()
        return events

    def close(self) -> list[SseEvent]:
        """Return the last event if the body ended without its blank line and the event is whole.

        Whole is a JSON text from its first bracket to its last, or ``[DONE]``. What stands in its strings is not looked
        at: half a character there, as servers send that cut one in two, is damage and no cut, and the reader of the
        wire judges it as in any other event. A cut event is dropped: whether the answer is complete without it is for
        that reader to say.
        """
        events: list[SseEvent] = []
        if self._line:
            line, self._line = b"".join(self._line), []
            self._read_line(line)
        if self._data:
            self._dispatch(events)
        return [event for event in events if _is_whole(event.data)]

    def _strip_bom(self, piece: bytes) -> bytes:
        piece = b"".join(self._line) + piece
        self._line = []
        self._size = 0
        if len(piece) < len(_BOM) and _BOM.startswith(piece):
            # Undecided: wait for more. Not a line yet, so nothing is lost.
            if piece:
                self._line = [piece]
                self._size = len(piece)
            return b""
        self._start = False
        return piece.removeprefix(_BOM)

    def _read_line(self, line: bytes) -> None:
        if line.startswith(b"data:"):
            # Exactly one space is framing; any more belong to the data.
            value = line[6:] if line[5:6] == b" " else line[5:]
            self._data.append(value)
            # The newline that joins it counts, or a flood of empty lines would be free.
            self._size += len(value) + 1
            self._check_size()
        elif line[0] == 58:
            self.alive += 1
        elif line.startswith(b"event:"):
            self._name = line[7:] if line[6:7] == b" " else line[6:]
            self._fields = True
        elif line == b"data":
            self._data.append(b"")
            self._size += 1
            self._check_size()
        elif line == b"event":
            self._name = b""
            self._fields = True
        else:
            self._fields = True

    def _dispatch(self, events: list[SseEvent]) -> None:
        data = self._data[0] if len(self._data) == 1 else b"\n".join(self._data)
        if data:
            events.append(SseEvent(data, self._name))
        else:
            self.alive += 1
        self._data = []
        self._name = b""
        self._fields = False

    def _drop(self) -> None:
        self.alive += 1
        self._name = b""
        self._fields = False

    def _check_size(self) -> None:
        if self._size > self._limit:
            self._line, self._data = [], []
            raise UpstreamBroken(f"The upstream sent an event of more than {self._limit} bytes.")


def _is_whole(data: bytes) -> bool:
    if data.strip() == b"[DONE]":
        return True
    try:
        msgspec.json.decode(_STRING.sub(rb'"\1', data), type=msgspec.Raw)
    except (msgspec.DecodeError, RecursionError):
        return False
    return True
