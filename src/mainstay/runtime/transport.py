"""Opens the transport that providers send through: HTTP/1.1, or HTTP/2 where an upstream offers it over TLS.

``NegotiatedTransport`` stands over ``runtime.client`` and ``runtime.http2``. It learns what an upstream speaks from
its first TLS handshake; an upstream that does not offer HTTP/2 is ``runtime.client``'s alone from then on.
"""

import asyncio
import ssl
from typing import cast

from mainstay.core.errors import InvalidRequest, UpstreamTimeout, UpstreamUnreachable
from mainstay.core.ports import Incoming, Origin, Outgoing, Transport
from mainstay.core.timeouts import Timeouts
from mainstay.runtime.client import LeanTransport
from mainstay.runtime.connection import Connection
from mainstay.runtime.dial import authority, dial, trust
from mainstay.runtime.http2 import Http2Connection
from mainstay.runtime.response import Response
from mainstay.runtime.timers import TICK, Sweep

__all__ = ["NegotiatedTransport", "open_transport"]

#: Seconds after which a connection without requests is closed.
_IDLE_EXPIRY = 60.0


def open_transport(*, http2: bool = True, ca_file: str | None = None) -> Transport:
    """Return a transport for every kind of origin; no connection is made before the first ``send``.

    Args:
        http2: speak HTTP/2 to upstreams that offer it over TLS.
        ca_file: PEM file of authorities to trust beside the system's, or None.

    Raises:
        StartError: ``ca_file`` cannot be read or holds no certificates.
    """
    if ca_file:
        trust(ca_file)
    return NegotiatedTransport(ca_file=ca_file) if http2 else LeanTransport(ca_file=ca_file)


class NegotiatedTransport:
    """``core.ports.Transport`` over HTTP/2 where TLS agrees on it, else over HTTP/1.1. One event loop only."""

    def __init__(self, *, ca_file: str | None = None) -> None:
        self._ca_file = ca_file
        self._lean = LeanTransport(ca_file=ca_file)
        self._sites: dict[Origin, _Site] = {}
        self._tls: ssl.SSLContext | None = None
        self._sweep: Sweep | None = None
        self._closed = False

    async def send(self, origin: Origin, request: Outgoing, timeouts: Timeouts) -> Incoming:
        """Send ``request`` and wait for the head of the response; see ``core.ports.Transport``.

        Raises:
            InvalidRequest: target or headers hold what would not stay one request on the wire.
        """
        if not origin.tls:
            return await self._lean.send(origin, request, timeouts)
        site = self._sites.get(origin) or self._open_site(origin)
        if site.plain:
            return await self._lean.send(origin, request, timeouts)
        _check(request)
        total_due = site.loop.time() + TICK + timeouts.total
        connection = site.take()
        used = connection is not None
        if connection is not None:
            response = self._start(connection, request, timeouts, total_due)
            try:
                await response.head()
            except UpstreamUnreachable:
                if response.touched or self._closed:
                    raise
            else:
                return response
        limit = min(timeouts.connect, total_due - site.loop.time())
        connection = await self._connect(site, limit, fresh=used)
        if connection is None:
            return await self._lean.send(origin, request, timeouts)
        response = self._start(connection, request, timeouts, total_due)
        await response.head()
        return response

    async def aclose(self) -> None:
        """Close every connection; answers under way fail."""
        self._closed = True
        for site in self._sites.values():
            for connection in site.connections[:]:
                connection.abort()
        self._sites.clear()
        if self._sweep is not None:
            self._sweep.stop()
        await self._lean.aclose()

    def _open_site(self, origin: Origin) -> "_Site":
        if self._closed:
            raise UpstreamUnreachable("Mainstay is stopping; try again shortly.")
        loop = asyncio.get_running_loop()
        if self._sweep is None:
            self._sweep = Sweep(loop, self._tidy)
        site = self._sites[origin] = _Site(origin, loop)
        return site

    def _start(self, connection: Http2Connection, request: Outgoing, timeouts: Timeouts, total_due: float) -> Response:
        assert self._sweep is not None
        stream = connection.open()
        response = Response(stream, timeouts, connection.loop.time(), total_due, self._sweep)
        self._sweep.watch(response)
        connection.request(stream, request, response)
        return response

    async def _connect(self, site: "_Site", limit: float, *, fresh: bool) -> Http2Connection | None:
        """Return a connection with room, or None when the upstream speaks HTTP/1.1 only.

        One request dials for all that come meanwhile: most of them will share its connection.
        """
        try:
            async with asyncio.timeout(limit), site.dialling:
                connection = None if fresh else site.take()
                if connection is None and not site.plain:
                    connection = await self._dial(site, limit)
                return connection
        except TimeoutError as error:
            raise UpstreamTimeout("The upstream did not answer within its connect limit; try again.") from error

    async def _dial(self, site: "_Site", limit: float) -> Http2Connection | None:
        if self._tls is None:
            self._tls = trust(self._ca_file, ("h2", "http/1.1"))
        chooser = await dial(site.origin, self._tls, lambda: _Chooser(self._lean, site), limit)
        assert isinstance(chooser, _Chooser)
        chosen = chooser.chosen
        assert chosen is not None
        if isinstance(chosen, Connection):
            site.plain = True
            self._lean.keep(chosen)
            return None
        # Requests that share the connection from its first moment must know how many may.
        try:
            await chosen.settled
        except asyncio.CancelledError:
            chosen.abort()
            raise
        if self._closed or not chosen.free:
            chosen.abort()
            raise UpstreamUnreachable("The upstream closed the connection at once; try again shortly.")
        return chosen

    def _tidy(self, now: float) -> bool:
        """Close connections that carried nothing for long; return whether any is left."""
        left = False
        for site in self._sites.values():
            for connection in site.connections[:]:
                if not connection.busy and connection.idle_since < now - _IDLE_EXPIRY:
                    connection.transport.close()
                else:
                    left = True
        return left


class _Site:
    """What is known of one origin, and the HTTP/2 connections to it."""

    __slots__ = ("connections", "dialling", "loop", "origin", "plain")

    def __init__(self, origin: Origin, loop: asyncio.AbstractEventLoop) -> None:
        self.origin = origin
        self.loop = loop
        #: Whether it does not offer HTTP/2.
        self.plain = False
        self.connections: list[Http2Connection] = []
        self.dialling = asyncio.Lock()

    def take(self) -> Http2Connection | None:
        """Return a connection with room for one more request, or None."""
        return next((connection for connection in self.connections if connection.free), None)

    def freed(self, connection: Http2Connection) -> None:
        """Note that a connection carries nothing now; close it if it must not carry more."""
        connection.idle_since = self.loop.time()
        if not connection.usable:
            connection.transport.close()

    def closed(self, connection: Http2Connection) -> None:
        """Forget a connection."""
        if connection in self.connections:
            self.connections.remove(connection)


class _Chooser(asyncio.Protocol):
    """Hands a new TLS connection to the protocol that both sides agreed on."""

    def __init__(self, lean: LeanTransport, site: _Site) -> None:
        self.chosen: Http2Connection | Connection | None = None
        self._lean = lean
        self._site = site

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        site = self._site
        if transport.get_extra_info("ssl_object").selected_alpn_protocol() == "h2":
            self.chosen = Http2Connection(site.loop, authority(site.origin), site.closed, site.freed)
            site.connections.append(self.chosen)
        else:
            self.chosen = self._lean.connection(site.origin)
        cast("asyncio.Transport", transport).set_protocol(self.chosen)
        self.chosen.connection_made(transport)


def _check(request: Outgoing) -> None:
    parts = [request.method, request.target]
    for pair in request.headers:
        parts += pair
    text = b"".join(parts)
    if b"\r" in text or b"\n" in text or b"\0" in text or b" " in request.target:
        raise InvalidRequest("A header or the path has a line break or a space in it; remove it.")
