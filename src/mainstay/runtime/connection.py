"""One HTTP/1.1 connection to an upstream.

A connection carries one request at a time. Its bytes go through httptools' parser into the ``Response`` that the
caller reads; a response that ended as it should gives the connection back to whoever made it. Stands under
``runtime.client``, which pools connections; knows nothing of origins, retries or connecting.
"""

import asyncio
from typing import Protocol, cast

import httptools

from mainstay.core.errors import UpstreamBroken, UpstreamInterrupted, UpstreamUnreachable
from mainstay.runtime.heads import Heads
from mainstay.runtime.response import HEAD_LIMIT, Response, garbage

__all__ = ["Connection", "Home"]

#: Bytes of body that still go into one write with the head; copying more costs more than a second write.
_JOIN = 64 * 1024


class Home(Protocol):
    """Where a connection belongs."""

    #: What its upstream's answers begin with.
    heads: Heads

    def release(self, connection: "Connection") -> None:
        """Take back a connection that is fit for another request."""
        ...

    def discard(self, connection: "Connection") -> None:
        """Forget a connection that is closed or about to be."""
        ...


class Connection(asyncio.Protocol):
    """One connection. ``home`` gets it back, or hears that it is gone."""

    __slots__ = (
        "_barren",
        "_complete",
        "_encoding",
        "_framed",
        "_head_only",
        "_headers",
        "_interim",
        "_keep",
        "_parser",
        "_paused",
        "_response",
        "_stray",
        "home",
        "idle_since",
        "loop",
        "reused",
        "transport",
    )

    transport: asyncio.Transport
    _complete: bool

    def __init__(self, home: Home, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        #: When it was last given back, by the loop's clock.
        self.idle_since = 0.0
        #: Whether it has carried a request before.
        self.reused = False
        self.home = home
        self._parser = httptools.HttpResponseParser(self)
        self._response: Response | None = None
        self._headers: list[tuple[bytes, bytes]] = []
        self._paused = False
        self._reset()

    def request(self, head: bytes, body: bytes, response: Response, head_only: bool) -> None:
        """Send a request; what comes goes to ``response``."""
        self._response = response
        self._head_only = head_only
        if len(body) <= _JOIN:
            self.transport.write(head + body)
        else:
            self.transport.write(head)
            self.transport.write(body)

    def abort(self) -> None:
        """Close the socket now; whatever was unsent or unread is lost."""
        self._response = None
        self.home.discard(self)
        self.transport.abort()

    def give_up(self) -> None:
        """Close the socket now: a connection that carries one request has no other use."""
        self.abort()

    def pause(self) -> None:
        """Stop reading until ``resume``, so that the upstream feels its reader's pace."""
        if not self._paused and not self.transport.is_closing():
            self._paused = True
            self.transport.pause_reading()

    def resume(self) -> None:
        """Read on; nothing happens unless paused."""
        if self._paused:
            self._paused = False
            if not self.transport.is_closing():
                self.transport.resume_reading()

    # asyncio's callbacks

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports do not inherit from asyncio's.
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        response = self._response
        if response is None:
            self.abort()
            return
        first = not response.touched
        if first:
            response.touched = True
            heads = self.home.heads
            # The parser stands between two answers, and is not told of one that needs no parsing.
            if heads.is_known and not self._head_only and (known := heads.read(data)) is not None:
                response.notes = heads.notes
                response.begin(200, known[0], b"")
                response.add(known[1])
                self._keep = True
                self._finish(response)
                return
        self._barren += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            if not self._complete:
                cause = error.__context__
                self._break(cause if isinstance(cause, UpstreamBroken) else garbage())
                return
            self._stray = True
        if self._complete:
            if first and self._keep and response.status == 200 and not (self._stray or self._head_only):
                response.notes = self.home.heads.keep(data, response.headers) or {}
            self._finish(response)
        elif self._barren > HEAD_LIMIT:
            self._break(garbage())
        response.arrived()

    def eof_received(self) -> None:
        self.home.discard(self)
        self._lost(clean=True)

    def connection_lost(self, exc: Exception | None) -> None:
        self.home.discard(self)
        self._lost(clean=exc is None)

    # httptools' callbacks

    def on_message_begin(self) -> None:
        if self._complete:
            self._stray = True

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        self._headers.append((name, value))
        if name == b"content-length" or name == b"transfer-encoding":
            self._framed = True
        elif name == b"content-encoding":
            self._encoding = value

    def on_headers_complete(self) -> None:
        response = self._response
        if response is None or self._complete:
            return
        headers, self._headers = self._headers, []
        status = self._parser.get_status_code()
        if status < 200:
            self._interim = True
            return
        if self._barren > HEAD_LIMIT and sum(len(k) + len(v) + 4 for k, v in headers) > HEAD_LIMIT:
            raise garbage()
        response.begin(status, headers, self._encoding)
        if self._head_only:
            self._complete = True

    def on_body(self, body: bytes) -> None:
        self._barren = 0
        if self._response is not None and not self._complete:
            self._response.add(body)

    def on_message_complete(self) -> None:
        if self._interim:
            self._interim = self._framed = False
            self._encoding = b""
        elif not self._complete:
            self._complete = True
            self._keep = self._parser.should_keep_alive()

    # ends

    def _finish(self, response: Response) -> None:
        """Give the connection back if another request may follow on it."""
        self._response = None
        fit = self._keep and not self._stray and not self.transport.get_write_buffer_size()
        self._reset()
        response.finish()
        if fit:
            self.resume()
            self.reused = True
            self.home.release(self)
        else:
            self.abort()

    def _reset(self) -> None:
        self._complete = self._framed = self._interim = self._stray = self._keep = self._head_only = False
        self._encoding = b""
        self._headers = []
        self._barren = 0

    def _break(self, error: UpstreamBroken) -> None:
        response = self._response
        if response is not None:
            response.fail(error)
        self.abort()

    def _lost(self, *, clean: bool) -> None:
        response, self._response = self._response, None
        if response is None:
            return
        if not response.head_came:
            response.fail(UpstreamUnreachable("The upstream closed the connection without an answer; try again."))
        elif clean and not self._framed:
            response.finish()
        else:
            response.fail(UpstreamInterrupted("The upstream's answer broke off before its end; try again."))
