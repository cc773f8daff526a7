"""The HTTP/1.1 server that runs an ASGI app: listening, the one timer, and the graceful end.

Plain ASGI 3 (``await app(scope, receive, send)``, type ``http``; lifespan and WebSockets are not its job), with these
promises on top:

- ``scope["extensions"]["mainstay"]`` has ``started``, the monotonic second at which the head's first byte was read,
  ``headers``, the request's headers as a dict (of a repeated name, the last), ``notes``, a dict in which the app may
  keep what it made of the head: the next request of the connection finds it there if its head is the same but for the
  length of the body, and ``body``, the whole body, if it was there when the app began.
- When the client disconnects before the response is complete, the app's task is cancelled at once; whoever still
  calls ``receive`` gets ``http.disconnect``. A task that has sent its whole response is never cancelled for that.
- When the body breaks a limit or the protocol after the app began, ``receive`` raises the ``MainstayError``, so that
  the app can answer in its caller's dialect; if it lets the error pass, the server answers. A request refused before
  the app began is answered by the server and reported to ``on_refused``.

Knows sockets and HTTP; knows no route, key or dialect.
"""

import asyncio
import contextlib
import socket
import ssl as tls
from collections.abc import Sequence
from email.utils import formatdate

from mainstay.core.clock import monotonic
from mainstay.core.errors import MainstayError
from mainstay.runtime import http1
from mainstay.runtime.server_connection import Connection
from mainstay.runtime.server_exchange import App, OnRefused, Refuse, Site

__all__ = ["Limits", "Server"]

#: What one connection may cost.
Limits = http1.Limits

_BACKLOG = 2048
#: Seconds between two looks at every connection's clocks.
_SWEEP = 0.5
#: Seconds that an idle connection gets for one more request in a drain; its answer tells the client to go elsewhere.
_PATIENCE = 1.0
#: Seconds that cancelled apps get to tidy up.
_LAST_WORDS = 1.0


def _unrecorded(error: MainstayError, started: float, method: str, path: str, shown: str) -> None:
    """Record nothing."""


class Server:
    """Serves one ASGI app on any number of sockets of the running event loop."""

    def __init__(
        self, app: App, limits: Limits | None = None, *, refuse: Refuse, on_refused: OnRefused = _unrecorded
    ) -> None:
        """Prepare to serve ``app``; nothing is opened before ``start``.

        Args:
            refuse: renders an error that the server answers itself; see ``Refuse``.
            on_refused: told of each request refused before the app saw it; see ``OnRefused``.
        """
        limits = limits or Limits()
        self._site = Site(app, limits, refuse, on_refused)
        self._connections: set[Connection] = set()
        self._listeners: list[asyncio.Server] = []
        self._timer: asyncio.TimerHandle | None = None
        #: While draining: from when on, and for how long, an idle connection is left open.
        self._drained, self._patience = 0.0, 0.0
        shortest = min(limits.head_timeout, limits.body_timeout, limits.keep_alive, limits.write_timeout, limits.linger)
        self._interval = min(_SWEEP, max(shortest / 4, 0.01))

    @property
    def in_flight(self) -> int:
        """How many requests the app is working on."""
        return len(self._site.running)

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return len(self._connections)

    async def start(
        self, sockets: socket.socket | Sequence[socket.socket], *, ssl: tls.SSLContext | None = None
    ) -> None:
        """Accept connections on bound ``sockets``, TCP or Unix; with ``ssl``, over TLS."""
        loop = self._site.loop = asyncio.get_running_loop()
        self._sweep()
        for sock in [sockets] if isinstance(sockets, socket.socket) else sockets:
            local = sock.family == socket.AF_UNIX
            if not local:
                # Accepted sockets inherit it. Not every loop sets it, and with it unset a stream stutters.
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            create = loop.create_unix_server if local else loop.create_server
            self._listeners.append(await create(self._connect, sock=sock, ssl=ssl, backlog=_BACKLOG))

    def _connect(self) -> Connection:
        return Connection(self._site, self._connections)

    def _sweep(self) -> None:
        """Look at every connection's clocks: one timer, however many requests."""
        self._timer = self._site.loop.call_later(self._interval, self._sweep)
        self._site.date = b"date: " + formatdate(usegmt=True).encode()
        now = monotonic()
        for connection in tuple(self._connections):
            connection.check(now)
        if self._site.draining:
            self._retire()

    def _retire(self) -> None:
        """Close the connections that were idle for as long as a drain lets them be."""
        since = monotonic() - self._patience
        if since >= self._drained:
            for connection in tuple(self._connections):
                connection.retire(since)

    async def drain(self, seconds: float, patience: float = _PATIENCE) -> None:
        """Stop accepting, let what runs finish for up to ``seconds``, then cut the rest off.

        Every response that begins now says ``connection: close``, and its connection closes after it. An idle one is
        closed after ``patience`` seconds (no more than ``seconds``): to close it at once would lose the request that
        its client may be sending.
        """
        site = self._site
        site.draining = True
        self._drained, self._patience = monotonic(), min(patience, seconds)
        for listener in self._listeners:
            listener.close()
        if self._patience:
            site.loop.call_later(self._patience, self._retire)
        else:
            self._retire()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._settle()
        for connection in tuple(self._connections):
            connection.abort("the server stopped")
        for exchange in tuple(site.running):
            if exchange.task is not None and not exchange.task.cancelling():
                exchange.task.cancel("the server stopped")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LAST_WORDS):
                await self._settle()
        if self._timer is not None:
            self._timer.cancel()

    async def _settle(self) -> None:
        """Wait until nothing runs and no connection is open."""
        quiet = asyncio.Event()
        self._site.settled = quiet.set
        while self._site.running or self._connections:
            quiet.clear()
            await quiet.wait()
