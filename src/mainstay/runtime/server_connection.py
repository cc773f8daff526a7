"""One client connection: requests in order, responses out, refusals, and the clocks that watch it.

Stands between a transport and the exchanges. Requests are run one at a time; what a client sends beyond the running
one is held as bytes up to a bound, then reading stops. There is no timer here: the server's sweep calls ``check``.
Knows nothing of the app but that an exchange runs it.
"""

import asyncio
import socket
import struct
from math import inf
from typing import cast

from mainstay.core.clock import monotonic
from mainstay.core.errors import MainstayError, RequestTimeout
from mainstay.runtime.http1 import TO_CLOSE, Progress, refusal, request_id
from mainstay.runtime.server_exchange import Exchange, Runner, Site
from mainstay.runtime.server_reader import Address, RequestReader

__all__ = ["Connection"]

#: Bytes held unparsed behind a running request before reading stops. While we read we notice a client that leaves.
_HOLD = 64 * 1024
#: Bytes of body that may wait for the app, and bytes of response that may wait for the client.
_BODY_HIGH = 256 * 1024
_WRITE_HIGH = 256 * 1024
#: A rest of a body up to this size is read and dropped to keep the connection when the app answered early.
_REST = 64 * 1024
#: Seconds of silence after which a lingering connection is closed.
_LINGER_SILENCE = 5.0
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Connection(asyncio.Protocol):
    """Serves one connection until it ends."""

    def __init__(self, site: Site, connections: "set[Connection]") -> None:
        self._site = site
        self._limits = site.limits
        self._connections = connections
        self._transport: asyncio.Transport
        self._reader: RequestReader
        # The request being answered (``_fresh`` until it is started), and what waits behind it.
        self._current: Exchange | None = None
        self._fresh = False
        self._queue: list[Exchange] = []
        self._runner = Runner(site)
        self._held: list[bytes] = []
        self._held_size = 0
        #: What to refuse, and which exchange if its head was good, once all requests before it are answered.
        self._broken: tuple[MainstayError, Exchange | None] | None = None
        #: Nothing more is read as a request; bytes are counted and dropped.
        self._deaf = False
        self._discarded = 0
        self._paused = False
        self._can_write: asyncio.Event | None = None
        #: The current response is complete but the client must catch up before the next begins.
        self._stalled = False
        # Clocks, in monotonic seconds: the latest read, the latest wait for a head, and the one deadline.
        self._now = monotonic()
        self._since = 0.0
        self._deadline = inf
        self._lingers_until = 0.0
        self._progress = Progress()

    # Called by the transport.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take a new connection."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=_WRITE_HIGH)
        info = transport.get_extra_info
        address = Address(info("peername"), info("sockname"), info("sslcontext") is not None)
        self._reader = RequestReader(self, self._site, address)
        self._deadline = self._now + self._limits.head_timeout
        self._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is no more."""
        self._connections.discard(self)
        self._vanish()
        self._site.settled()

    def eof_received(self) -> bool:
        """The client sends no more. One that still reads cannot be told from one that left, so it has left."""
        self._vanish()
        return False

    def pause_writing(self) -> None:
        """The client reads slowly."""
        self._can_write = asyncio.Event()

    def resume_writing(self) -> None:
        """The client has caught up."""
        if self._can_write is not None:
            self._can_write.set()
            self._can_write = None
        if self._stalled:
            self._stalled = False
            self._advance()

    def data_received(self, data: bytes) -> None:
        """Take what the client sent."""
        if self._deaf:
            self._discard(len(data))
            return
        current = self._current
        if current is not None and current is not self._reader.incoming:
            self._hold(data)
            return
        self._now = monotonic()
        self._feed(data)

    def _vanish(self) -> None:
        self._deaf = True
        self._queue.clear()
        self._held.clear()
        self._broken = None
        if self._can_write is not None:
            self._can_write.set()
        if self._current is not None:
            self._current.vanish("the client left")
        self._runner.end()

    # Requests in.

    def _feed(self, data: bytes) -> None:
        reader = self._reader
        try:
            rest = reader.feed(data, self._now)
        except MainstayError as error:
            self._break(error)
        else:
            if rest:
                self._hold(rest)
            elif reader.incoming is not None:
                self._pace()
        if self._fresh:
            self._fresh = False
            if self._current is not None:
                self._runner.begin(self._current)
        elif self._broken is not None and self._current is None:
            self._answer_broken()
        self._rearm()

    def _hold(self, data: bytes) -> None:
        self._held.append(data)
        self._held_size += len(data)
        self._pace()

    def busy(self) -> bool:
        """Whether a request that was read whole is waiting for its answer, so that no other should be read."""
        return self._current is not None and self._current is not self._reader.incoming

    def opened(self, exchange: Exchange) -> None:
        """A head is complete: the exchange is next, or waits its turn."""
        if self._current is None:
            self._current = exchange
            self._fresh = True
        else:
            self._queue.append(exchange)

    def completed(self, exchange: Exchange) -> None:
        """A request is complete; if it was answered before it was, the next may come now."""
        if exchange.done and exchange is self._current:
            if self._can_write is None:
                self._current = None
            else:
                self._stalled = True
            self._since = self._now

    def _advance(self) -> None:
        """Take up what waits behind the request just answered."""
        self._current = None
        self._now = self._since = monotonic()
        if self._queue:
            self._current = self._queue.pop(0)
            self._current.body_clock = self._now
            self._runner.begin(self._current)
        if self._held and not self.busy():
            data = b"".join(self._held)
            self._held.clear()
            self._held_size = 0
            self._feed(data)
            self._pace()
        elif self._broken is not None and self._current is None:
            self._answer_broken()
        else:
            self._rearm()

    def _pace(self) -> None:
        """Read on, or stop reading, as what waits demands."""
        incoming = self._reader.incoming
        stop = not self._deaf and (self._held_size > _HOLD or (incoming is not None and incoming.buffered > _BODY_HIGH))
        if stop is self._paused or self._transport.is_closing():
            return
        self._paused = stop
        if stop:
            self._transport.pause_reading()
        else:
            now = monotonic()
            if incoming is not None:
                incoming.body_clock += now - self._now
            self._now = now
            self._transport.resume_reading()
        self._rearm()

    # Refusals.

    def _break(self, error: MainstayError) -> None:
        """Nothing further can be read from this connection: whoever waits for it gets ``error``."""
        self._deaf = True
        self._held.clear()
        exchange, self._reader.incoming = self._reader.incoming, None
        if exchange is None:
            self._broken = (error, None)
        elif exchange is not self._current:
            self._queue.remove(exchange)
            self._broken = (error, exchange)
        elif self._fresh:
            self._current = None
            self._fresh = False
            self._broken = (error, exchange)
        elif exchange.done:
            self._close()
        else:
            exchange.fail(error)
        self._pace()

    def _answer_broken(self) -> None:
        error, exchange = cast("tuple[MainstayError, Exchange | None]", self._broken)
        self._broken = None
        if exchange is None:
            method, path, fields = self._reader.unfinished()
            started = self._reader.began or self._now
        else:
            scope = exchange.scope
            method, path = scope["method"], scope["path"]
            fields, started = scope["extensions"]["mainstay"]["headers"], scope["extensions"]["mainstay"]["started"]
        shown = request_id(fields)
        self._site.on_refused(error, started, method, path, shown)
        self._refuse(error, path, shown, method == "HEAD")

    def answer(self, error: MainstayError, exchange: Exchange) -> None:
        """Answer for an app that failed before it did; the app has had its chance to record the call."""
        exchange.done = True
        scope = exchange.scope
        shown = request_id(scope["extensions"]["mainstay"]["headers"])
        self._refuse(error, scope["path"], shown, scope["method"] == "HEAD")

    def _refuse(self, error: MainstayError, path: str, shown: str, head_only: bool) -> None:
        site, spent = self._site, monotonic() - self._now
        status, body, extra = site.refuse(error, path, shown)
        self.write(refusal(status, shown, body, extra=extra, spent=spent, head_only=head_only, date=site.date))
        self._linger()

    # Responses out: what an exchange asks of its connection.

    def write(self, data: bytes) -> None:
        """Hand bytes to the transport."""
        self._progress.written += len(data)
        self._transport.write(data)

    def writable(self) -> bool:
        """Whether the client keeps up."""
        return self._can_write is None

    async def drained(self) -> None:
        """Wait until the client has caught up or left."""
        if self._can_write is not None:
            await self._can_write.wait()

    def may_keep(self, exchange: Exchange) -> bool:
        """Whether the connection can serve another request after ``exchange``."""
        if self._site.draining or (self._deaf and self._broken is None):
            return False
        return exchange.complete or (not exchange.expects_continue and 0 < exchange.body - exchange.received <= _REST)

    def body_taken(self) -> None:
        """The app took what there was of the body."""
        if self._paused:
            self._pace()

    def send_continue(self, exchange: Exchange) -> None:
        """Tell a waiting client to send its body."""
        exchange.expects_continue = False
        exchange.body_clock = self._now = monotonic()
        if not (exchange.head_sent or exchange.received):
            self.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        self._rearm()

    def response_done(self, exchange: Exchange) -> None:
        """The response is complete: take up the next request, or close."""
        if exchange is not self._current:
            return
        if not exchange.keep:
            self._close()
        elif exchange is self._reader.incoming:
            self._pace()
        elif self._can_write is not None:
            self._stalled = True
        else:
            self._advance()

    def break_off(self, exchange: Exchange) -> None:
        """End an incomplete response so that the client cannot take it for a complete one."""
        if exchange is not self._current or exchange.done:
            return
        self._deaf = True
        if exchange.head_sent and exchange.framing == TO_CLOSE:
            # Here the end of the connection is the end of the body; only a reset says that it was cut.
            sock = self._transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            self._transport.abort()
        else:
            self._transport.close()

    def _close(self) -> None:
        """Close when all is sent; linger first if the client may still be sending, lest a reset eat the answer."""
        if self._deaf or self._held or self._queue or self._reader.incoming is not None:
            self._linger()
        else:
            self._deaf = True
            self._deadline = inf
            self._transport.close()

    def _linger(self) -> None:
        """Say that nothing more will be sent, and read on for a while, dropping what comes."""
        self._deaf = True
        self._current = self._reader.incoming = self._broken = None
        self._queue.clear()
        self._held.clear()
        if self._transport.is_closing():
            return
        self._pace()
        if self._transport.can_write_eof():
            self._transport.write_eof()
        now = monotonic()
        self._lingers_until = now + self._limits.linger
        self._deadline = min(self._lingers_until, now + _LINGER_SILENCE)

    def _discard(self, size: int) -> None:
        self._discarded += size
        if self._discarded > self._limits.max_discard:
            self._transport.abort()
        elif self._lingers_until:
            self._deadline = min(self._lingers_until, monotonic() + _LINGER_SILENCE)

    def retire(self, since: float) -> None:
        """Close if idle from monotonic second ``since`` on; the server no longer accepts requests."""
        if not (self._deaf or self._current or self._reader.in_head) and max(self._now, self._since) <= since:
            self._close()

    def abort(self, why: str) -> None:
        """End at once, whatever runs."""
        if self._current is not None:
            self._current.vanish(why)
        self._transport.abort()

    def _rearm(self) -> None:
        """Set the deadline by what this connection waits for."""
        current, incoming, limits = self._current, self._reader.incoming, self._limits
        if self._lingers_until:
            return
        if self._deaf or (current is not None and current is not incoming):
            self._deadline = inf
        elif incoming is not None:
            waits = incoming.expects_continue or self._paused
            self._deadline = inf if waits else self._now + limits.body_timeout
        elif self._reader.in_head:
            self._deadline = max(self._reader.began, self._since) + limits.head_timeout
        else:
            self._deadline = self._now + limits.keep_alive

    def check(self, now: float) -> None:
        """Act on clocks that ran out; called by the server's sweep."""
        unsent = self._transport.get_write_buffer_size()
        if self._progress.stopped_for(unsent, now) >= self._limits.write_timeout:
            self.abort("the client stopped reading")
            return
        if now >= self._deadline:
            self._expired()
            return
        incoming = self._reader.incoming
        if incoming is not None and incoming is self._current and self._deadline is not inf:
            age = now - incoming.body_clock
            if age > self._limits.body_grace and incoming.received < self._limits.min_body_rate * age:
                self._expired()

    def _expired(self) -> None:
        self._deadline, self._now = inf, monotonic()
        if self._lingers_until:
            self._transport.abort()
        elif self._reader.in_head or self._reader.incoming is not None:
            self._break(RequestTimeout("The request came too slowly; send it faster."))
            if self._broken is not None and self._current is None:
                self._answer_broken()
        else:
            self._close()
