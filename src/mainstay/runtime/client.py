"""The lean HTTP/1.1 client: pools of connections by origin, and nothing per request that is not needed.

The gateway's own upstream client for TCP, TLS, Unix sockets and forward proxies. A request costs one write, one
future and one ``Response``: no task, no timer (``runtime.timers`` sweeps for all). It asks for no compression,
follows no redirect, keeps no cookie, reads no proxy from the environment, and never asks twice, but for the one
case that is safe: a reused connection that proves closed before any byte of an answer came.
"""

import asyncio
import ssl

from mainstay.core.errors import InvalidRequest, UpstreamUnreachable
from mainstay.core.ports import Origin, Outgoing
from mainstay.core.timeouts import Timeouts
from mainstay.runtime.connection import Connection
from mainstay.runtime.dial import authority, dial, proxy_authorization, trust
from mainstay.runtime.heads import Heads
from mainstay.runtime.response import Response
from mainstay.runtime.timers import TICK, Sweep

__all__ = ["LeanTransport"]

#: Methods whose requests always say how long their body is, be it nothing (RFC 9110, 8.6).
_WITH_BODY = frozenset({b"POST", b"PUT", b"PATCH"})


class LeanTransport:
    """``core.ports.Transport`` over HTTP/1.1. One event loop only: that of the first ``send``.

    Args:
        ca_file: PEM file of authorities trusted beside the system's, or None.
        idle_per_origin: unused connections kept per origin; more are closed as they come back.
        idle_expiry: seconds after which an unused connection is closed.
    """

    def __init__(self, *, ca_file: str | None = None, idle_per_origin: int = 256, idle_expiry: float = 60.0) -> None:
        self._ca_file = ca_file
        self._idle_per_origin = idle_per_origin
        self._idle_expiry = idle_expiry
        self._pools: dict[Origin, _Pool] = {}
        self._tls: ssl.SSLContext | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._sweep: Sweep | None = None
        self._closed = False

    async def send(self, origin: Origin, request: Outgoing, timeouts: Timeouts) -> Response:
        """Send ``request`` and wait for the head of the response; see ``core.ports.Transport``.

        Raises:
            InvalidRequest: method, target or headers hold what would not stay one request on the wire.
        """
        pool = self._pools.get(origin)
        if pool is None:
            pool = self._open_pool(origin)
        head = pool.head(request)
        now = pool.loop.time()
        total_due = now + TICK + timeouts.total
        connection = pool.take()
        if connection is not None:
            response = pool.start(connection, head, request, timeouts, now, total_due)
            try:
                await response.head()
            except UpstreamUnreachable:
                if response.touched or self._closed or not connection.reused:
                    raise
            else:
                return response
        connection = await self._connect(pool, min(timeouts.connect, total_due - pool.loop.time()))
        response = pool.start(connection, head, request, timeouts, pool.loop.time(), total_due)
        await response.head()
        return response

    def connection(self, origin: Origin) -> Connection:
        """Return a connection object for a socket to ``origin`` that someone else has opened."""
        return (self._pools.get(origin) or self._open_pool(origin)).make()

    def keep(self, connection: Connection) -> None:
        """Take such a connection, once it stands, for the next request."""
        connection.home.release(connection)

    async def aclose(self) -> None:
        """Close every connection; answers under way fail."""
        self._closed = True
        if self._sweep is not None:
            for response in self._sweep.watched():
                assert isinstance(response, Response)
                response.close()
            self._sweep.stop()
        for pool in self._pools.values():
            pool.retire()
        self._pools.clear()
        # Closing is done by the loop in its next turn.
        await asyncio.sleep(0)

    def _open_pool(self, origin: Origin) -> "_Pool":
        if self._closed:
            raise UpstreamUnreachable("Mainstay is stopping; try again shortly.")
        if self._loop is None or self._sweep is None:
            self._loop = asyncio.get_running_loop()
            self._sweep = Sweep(self._loop, self._tidy, min(5.0, max(self._idle_expiry / 2, TICK)))
        pool = self._pools[origin] = _Pool(origin, self._loop, self._sweep, self._idle_per_origin)
        return pool

    async def _connect(self, pool: "_Pool", limit: float) -> Connection:
        if pool.origin.tls and self._tls is None:
            self._tls = trust(self._ca_file)
        connection = await dial(pool.origin, self._tls if pool.origin.tls else None, pool.make, limit)
        assert isinstance(connection, Connection)
        if self._closed:
            connection.abort()
            raise UpstreamUnreachable("Mainstay is stopping; try again shortly.")
        return connection

    def _tidy(self, now: float) -> bool:
        """Close what was unused for long, forget empty pools; return whether any connection is left."""
        for origin, pool in list(self._pools.items()):
            if not pool.expire(now - self._idle_expiry):
                pool.retire()
                del self._pools[origin]
        return bool(self._pools)


class _Pool:
    """The unused connections to one origin, the last used on top; ``runtime.connection.Home``."""

    __slots__ = (
        "_after",
        "_before",
        "_ends",
        "_headers",
        "_idle",
        "_method",
        "_most",
        "_start",
        "_target",
        "heads",
        "loop",
        "origin",
        "sweep",
    )

    def __init__(self, origin: Origin, loop: asyncio.AbstractEventLoop, sweep: Sweep, most: int) -> None:
        self.origin = origin
        self.loop = loop
        self.sweep = sweep
        self.heads = Heads()
        self._most = most
        self._idle: list[Connection] = []
        host = authority(origin)
        self._before = b" "
        self._after = b" HTTP/1.1\r\nhost: " + host + b"\r\naccept-encoding: identity"
        if origin.proxy and not origin.tls:
            # A proxy is told the whole URL; with TLS it has made a tunnel and sees nothing.
            self._before = b" http://" + host
            self._after += (b"\r\n" + proxy_authorization(origin)).removesuffix(b"\r\n")
        self._ends = self._after.count(b"\r\n")
        #: The last head that was made, and what it was made of.
        self._headers: tuple[tuple[bytes, bytes], ...] | None = None
        self._target = self._method = self._start = b""

    def make(self) -> Connection:
        """Return a connection object for the socket being opened."""
        return Connection(self, self.loop)

    def take(self) -> Connection | None:
        """Return the connection used last, or None."""
        while self._idle:
            connection = self._idle.pop()
            if not connection.transport.is_closing():
                return connection
        return None

    def start(
        self,
        connection: Connection,
        head: bytes,
        request: Outgoing,
        timeouts: Timeouts,
        now: float,
        total_due: float,
    ) -> Response:
        """Send on ``connection``; return the response to wait for."""
        response = Response(connection, timeouts, now, total_due, self.sweep)
        self.sweep.watch(response)
        connection.request(head, request.body, response, request.method == b"HEAD")
        return response

    def head(self, request: Outgoing) -> bytes:
        """Return request line and headers.

        Raises:
            InvalidRequest: something in them would end a line, or the request line is not three words.
        """
        start = self._start
        if request.headers is not self._headers or request.target != self._target or request.method != self._method:
            start = self._begin(request)
        if request.body or request.method in _WITH_BODY:
            return b"%bcontent-length: %d\r\n\r\n" % (start, len(request.body))
        return start + b"\r\n"

    def _begin(self, request: Outgoing) -> bytes:
        """Return the head but for the length and the empty line, checked, and remember it for the next request."""
        lines = [request.method + self._before + request.target + self._after]
        lines += [name + b": " + value for name, value in request.headers]
        start = b"\r\n".join(lines) + b"\r\n"
        # Counting line ends is cheaper than looking at each part: those we made, and no others.
        ends = len(lines) + self._ends
        if start.count(b"\n") != ends or start.count(b"\r") != ends or b"\0" in start or b" " in request.target:
            raise InvalidRequest("A header or the path has a line break or a space in it; remove it.")
        # A provider hands in the same tuple for every call that adds no header of its own.
        self._headers, self._target, self._method, self._start = request.headers, request.target, request.method, start
        return start

    def release(self, connection: Connection) -> None:
        """Keep a connection for the next request."""
        if len(self._idle) < self._most:
            connection.idle_since = self.sweep.now
            self._idle.append(connection)
        else:
            connection.transport.close()

    def discard(self, connection: Connection) -> None:
        """Forget a connection."""
        if connection in self._idle:
            self._idle.remove(connection)

    def retire(self) -> None:
        """Drop the unused and keep nothing from now on: what is still in use closes when it comes back."""
        self._most = 0
        for connection in self._idle[:]:
            connection.abort()

    def expire(self, since: float) -> bool:
        """Close what was last used before ``since``; return whether any unused connection is left."""
        while self._idle and self._idle[0].idle_since < since:
            self._idle.pop(0).transport.close()
        return bool(self._idle)
