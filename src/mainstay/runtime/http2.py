"""One HTTP/2 connection to an upstream (RFC 9113), carrying many requests.

Each request is a ``Stream`` that feeds a ``Response``; cancelling one resets its stream and leaves the others be.
Headers go out as plain literals (RFC 7541, 6.2.3), so the upstream need keep no table for us; the ``hpack`` package
decodes those that come. Only what a client needs is here: no push, no priorities. Stands under
``runtime.transport``; knows nothing of origins, retries or connecting.
"""

import asyncio
from collections.abc import Callable
from typing import cast

from hpack import Decoder, HPACKError

from mainstay.core.errors import UpstreamBroken, UpstreamError, UpstreamInterrupted, UpstreamUnreachable
from mainstay.core.ports import Outgoing
from mainstay.runtime.http2_frames import (
    ACK,
    CANCEL,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    NO_ERROR,
    PING,
    PRIORITY,
    PUSH,
    REFUSED,
    RESET,
    SETTINGS,
    WINDOW,
    frame,
    literal,
    unpadded,
)
from mainstay.runtime.http2_stream import TOP_UP, Stream
from mainstay.runtime.response import HEAD_LIMIT, Response, garbage

__all__ = ["Http2Connection"]

#: Bytes of body a stream may send before its reader takes them, and all streams of a connection together.
_STREAM_WINDOW, _CONNECTION_WINDOW = 512 * 1024, 64 * 1024 * 1024
_FRAME = 16384
#: The largest frame we send, if the upstream allows more than the usual.
_LARGEST = 65536
_LAST_STREAM = 2**31 - 1
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


class Http2Connection(asyncio.Protocol):
    """The connection. ``closed`` is called once when it is gone, ``freed`` whenever it carries nothing any more."""

    transport: asyncio.Transport

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        authority: bytes,
        closed: Callable[["Http2Connection"], None],
        freed: Callable[["Http2Connection"], None],
    ) -> None:
        self.loop = loop
        #: Whether another request may begin, besides the limit on streams.
        self.usable = True
        #: Bytes received so far, and when it last became free of streams, by the loop's clock.
        self.received = 0
        self.idle_since = 0.0
        #: Done when the upstream has said how many streams it takes.
        self.settled: asyncio.Future[None] = loop.create_future()
        self._authority = authority
        self._closed = closed
        self._freed = freed
        self._streams: dict[int, Stream] = {}
        self._next = 1
        self._most = 100
        self._window = 65535
        self._first_window = 65535
        self._frame = _FRAME
        self._owed = 0
        self._buffer = bytearray()
        self._block = bytearray()
        self._block_of: tuple[int, int] | None = None
        self._decoder = Decoder(max_header_list_size=HEAD_LIMIT)

    @property
    def free(self) -> bool:
        """Whether one more request may begin now."""
        return (
            self.usable
            and len(self._streams) < self._most
            and self._next < _LAST_STREAM
            and not self.transport.is_closing()
        )

    @property
    def busy(self) -> bool:
        """Whether any request is under way."""
        return bool(self._streams)

    def open(self) -> Stream:
        """Return a new stream."""
        stream = self._streams[self._next] = Stream(self, self._next, self._first_window)
        self._next += 2
        return stream

    def request(self, stream: Stream, request: Outgoing, response: Response) -> None:
        """Send a request; what comes goes to ``response``."""
        stream.response = response
        stream.head_only = request.method == b"HEAD"
        block = [
            literal(b":method", request.method),
            b"\x87",  # :scheme https, from the static table
            literal(b":authority", self._authority),
            literal(b":path", request.target),
            literal(b"accept-encoding", b"identity"),
        ]
        block += [literal(name.lower(), value) for name, value in request.headers]
        if request.body or request.method in (b"POST", b"PUT", b"PATCH"):
            block.append(literal(b"content-length", b"%d" % len(request.body)))
        head = b"".join(block)
        flags = 0 if request.body else END_STREAM
        out = []
        for start in range(0, len(head), self._frame):
            piece = head[start : start + self._frame]
            last = END_HEADERS if start + self._frame >= len(head) else 0
            kind = HEADERS if start == 0 else CONTINUATION
            out.append(frame(kind, (flags if start == 0 else 0) | last, stream.identity, piece))
        stream.unsent = memoryview(request.body)
        out += self._sendable(stream)
        self.transport.write(b"".join(out))

    def drop(self, stream: Stream) -> None:
        """Reset a stream."""
        if self._streams.pop(stream.identity, None) is not None and not self.transport.is_closing():
            self.transport.write(frame(RESET, 0, stream.identity, CANCEL.to_bytes(4, "big")))
            self._left()

    def grant(self, identity: int, size: int) -> None:
        """Let the upstream send so many bytes more, on a stream or (0) in all."""
        if not self.transport.is_closing():
            self.transport.write(frame(WINDOW, 0, identity, size.to_bytes(4, "big")))

    def abort(self) -> None:
        """Close the socket now; every request on it fails."""
        self._fail_all(UpstreamInterrupted("The upstream's answer broke off before its end; try again."))
        self.transport.abort()

    # asyncio's callbacks

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        settings = b"".join(
            key.to_bytes(2, "big") + value.to_bytes(4, "big")
            for key, value in ((2, 0), (4, _STREAM_WINDOW), (6, HEAD_LIMIT))
        )
        more = (_CONNECTION_WINDOW - 65535).to_bytes(4, "big")
        self.transport.write(_PREFACE + frame(SETTINGS, 0, 0, settings) + frame(WINDOW, 0, 0, more))

    def data_received(self, data: bytes) -> None:
        self.received += len(data)
        buffer = self._buffer
        buffer += data
        try:
            at = 0
            while len(buffer) - at >= 9:
                size = int.from_bytes(buffer[at : at + 3], "big")
                if size > _FRAME:
                    raise garbage()
                if len(buffer) - at < 9 + size:
                    break
                identity = int.from_bytes(buffer[at + 5 : at + 9], "big") & 0x7FFFFFFF
                self._take(buffer[at + 3], buffer[at + 4], identity, bytes(buffer[at + 9 : at + 9 + size]))
                at += 9 + size
            del buffer[:at]
        except (UpstreamError, HPACKError, IndexError) as error:
            self._fail_all(error if isinstance(error, UpstreamError) else garbage())
            self.transport.abort()

    def eof_received(self) -> None:
        self._gone()

    def connection_lost(self, exc: Exception | None) -> None:
        self._gone()

    # frames

    def _take(self, kind: int, flags: int, identity: int, payload: bytes) -> None:
        if self._block_of is not None and (kind != CONTINUATION or identity != self._block_of[0]):
            raise garbage()
        if kind == DATA:
            self._take_data(flags, identity, payload)
        elif kind == HEADERS:
            body = unpadded(flags, payload)
            self._block += body[5:] if flags & PRIORITY else body
            self._block_of = (identity, flags)
            self._take_block(flags)
        elif kind == CONTINUATION:
            if self._block_of is None:
                raise garbage()
            self._block += payload
            self._take_block(flags)
        elif kind == SETTINGS:
            self._take_settings(flags, payload)
        elif kind == WINDOW:
            self._take_window(identity, int.from_bytes(payload, "big") & 0x7FFFFFFF)
        elif kind == RESET:
            self._take_reset(identity, int.from_bytes(payload, "big"))
        elif kind == PING and not flags & ACK:
            self.transport.write(frame(PING, ACK, 0, payload))
        elif kind == GOAWAY:
            self._take_goaway(int.from_bytes(payload[:4], "big") & 0x7FFFFFFF)
        elif kind == PUSH:
            raise garbage()

    def _take_data(self, flags: int, identity: int, payload: bytes) -> None:
        self._owed += len(payload)
        if self._owed >= TOP_UP:
            self.grant(0, self._owed)
            self._owed = 0
        stream = self._streams.get(identity)
        if stream is None or stream.response is None:
            return
        body = unpadded(flags, payload)
        response = stream.response
        if not response.head_came:
            raise garbage()
        if body:
            stream.missing -= len(body)
            response.add(body)
        if flags & END_STREAM:
            self._finish(stream)
        response.arrived()
        stream.took(len(payload))

    def _take_block(self, flags: int) -> None:
        if len(self._block) > HEAD_LIMIT:
            raise garbage()
        if not flags & END_HEADERS or self._block_of is None:
            return
        identity, first = self._block_of
        # Decoded even when the stream is gone: the table is shared by all.
        pairs = cast("list[tuple[bytes, bytes]]", self._decoder.decode(bytes(self._block), raw=True))
        self._block.clear()
        self._block_of = None
        stream = self._streams.get(identity)
        if stream is None or stream.response is None:
            return
        response = stream.response
        response.touched = True
        if not response.head_came:
            fields = dict(pairs)
            status = fields.get(b":status", b"")
            if not status.isdigit():
                raise garbage()
            if len(status) == 3 and status >= b"200":
                headers = [(name, value) for name, value in pairs if not name.startswith(b":")]
                length = fields.get(b"content-length", b"")
                if length.isdigit() and not stream.head_only:
                    stream.announced, stream.missing = True, int(length)
                try:
                    response.begin(int(status), headers, fields.get(b"content-encoding", b""))
                except UpstreamBroken as error:
                    response.fail(error)
                    self.drop(stream)
                    return
        if first & END_STREAM:
            self._finish(stream)
        response.arrived()

    def _take_settings(self, flags: int, payload: bytes) -> None:
        if flags & ACK:
            return
        for at in range(0, len(payload) - 5, 6):
            key, value = int.from_bytes(payload[at : at + 2], "big"), int.from_bytes(payload[at + 2 : at + 6], "big")
            if key == 3:
                self._most = value
            elif key == 4:
                for stream in self._streams.values():
                    stream.window += value - self._first_window
                self._first_window = value
            elif key == 5:
                self._frame = min(max(_FRAME, value), _LARGEST)
        self._settle()
        self.transport.write(frame(SETTINGS, ACK, 0, b"") + b"".join(self._all_sendable()))

    def _take_window(self, identity: int, size: int) -> None:
        if identity == 0:
            self._window += size
            self.transport.write(b"".join(self._all_sendable()))
        elif (stream := self._streams.get(identity)) is not None:
            stream.window += size
            self.transport.write(b"".join(self._sendable(stream)))

    def _take_reset(self, identity: int, code: int) -> None:
        stream = self._streams.pop(identity, None)
        if stream is None or stream.response is None:
            return
        if code != REFUSED:
            stream.response.touched = True
        self._fail(stream)
        self._left()

    def _take_goaway(self, last: int) -> None:
        self.usable = False
        for stream in [stream for number, stream in self._streams.items() if number > last]:
            del self._streams[stream.identity]
            self._fail(stream)
        self._left()

    # sending

    def _all_sendable(self) -> list[bytes]:
        return [frame for stream in list(self._streams.values()) for frame in self._sendable(stream)]

    def _sendable(self, stream: Stream) -> list[bytes]:
        """Return the frames of a request's body that the windows allow now."""
        out = []
        while stream.unsent:
            size = min(len(stream.unsent), self._frame, stream.window, self._window)
            if size <= 0:
                break
            piece, stream.unsent = stream.unsent[:size], stream.unsent[size:]
            stream.window -= size
            self._window -= size
            out.append(frame(DATA, 0 if stream.unsent else END_STREAM, stream.identity, piece))
        return out

    # ends

    def _finish(self, stream: Stream) -> None:
        if self._streams.pop(stream.identity, None) is None or stream.response is None:
            return
        if stream.unsent and not self.transport.is_closing():
            # The answer is whole before the request is; the rest of the request is of no use.
            self.transport.write(frame(RESET, 0, stream.identity, NO_ERROR.to_bytes(4, "big")))
        if stream.response.head_came and (stream.missing == 0 or not stream.announced):
            stream.response.finish()
        else:
            self._fail(stream)
        self._left()

    def _fail(self, stream: Stream) -> None:
        response = stream.response
        if response is None:
            return
        if response.head_came:
            response.fail(UpstreamInterrupted("The upstream's answer broke off before its end; try again."))
        else:
            response.fail(UpstreamUnreachable("The upstream gave the request up without an answer; try again."))

    def _fail_all(self, error: UpstreamError) -> None:
        self.usable = False
        streams, self._streams = self._streams, {}
        for stream in streams.values():
            if stream.response is not None:
                stream.response.fail(error)

    def _settle(self) -> None:
        if not self.settled.done():
            self.settled.set_result(None)

    def _gone(self) -> None:
        self.usable = False
        self._settle()
        streams, self._streams = self._streams, {}
        for stream in streams.values():
            self._fail(stream)
        self._closed(self)

    def _left(self) -> None:
        if not self._streams:
            self._freed(self)
