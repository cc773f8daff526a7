"""A response under way: what arrives from the network on one side, what the caller reads on the other.

``Response`` is ``core.ports.Incoming`` for every HTTP version: a protocol object feeds it, its reader waits on one
future at a time, and a sweep looks after its limits. Stands under ``runtime.connection`` and ``runtime.http2``;
knows nothing of framing, pools or retries.
"""

import asyncio
from collections.abc import Sequence
from typing import Any, Protocol

from mainstay.core.errors import (
    UpstreamBroken,
    UpstreamError,
    UpstreamInterrupted,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from mainstay.core.timeouts import Timeouts
from mainstay.runtime.content import Decoder, decoder_for
from mainstay.runtime.timers import TICK, Sweep

__all__ = ["HEAD_LIMIT", "Carrier", "Response", "garbage"]

#: Bytes that may come without any body in them: a head, trailers, chunk extensions.
HEAD_LIMIT = 64 * 1024
#: Reading pauses above so many unread bytes of body.
_HIGH = 256 * 1024


class Carrier(Protocol):
    """What a response arrives on: a connection of its own, or a stream of a shared one."""

    loop: asyncio.AbstractEventLoop

    def abort(self) -> None:
        """End it now; whatever was unsent or unread is lost."""
        ...

    def give_up(self) -> None:
        """As ``abort``, because nothing came for too long."""
        ...

    def pause(self) -> None:
        """Make the upstream feel that its reader is slow."""
        ...

    def resume(self) -> None:
        """Let bytes come; called often, so it must cost nothing when nothing is paused."""
        ...


class Response:
    """The response to one request: ``core.ports.Incoming``, whatever the HTTP version."""

    __slots__ = (
        "_connection",
        "_decoder",
        "_done",
        "_error",
        "_head_due",
        "_idle",
        "_limit",
        "_loop",
        "_parts",
        "_size",
        "_stamp",
        "_sweep",
        "_total_due",
        "_waiter",
        "head_came",
        "headers",
        "notes",
        "status",
        "touched",
    )

    def __init__(self, connection: Carrier, timeouts: Timeouts, now: float, total_due: float, sweep: Sweep) -> None:
        self.status = 0
        self.headers: Sequence[tuple[bytes, bytes]] = ()
        #: What its reader has found out from the head but for its length; answers with the same head share it.
        self.notes: dict[str, Any] = {}
        #: Whether the head is complete, and whether any byte of the response has come.
        self.head_came = False
        self.touched = False
        self._connection: Carrier | None = connection
        self._loop = connection.loop
        self._sweep = sweep
        self._head_due = now + TICK + timeouts.headers
        self._total_due = total_due
        self._idle = timeouts.idle + TICK
        self._stamp = 0.0
        self._parts: list[bytes] = []
        self._size = 0
        self._limit = -1
        self._done = False
        self._error: UpstreamError | None = None
        self._decoder: Decoder | None = None
        self._waiter: asyncio.Future[None] | None = None

    async def head(self) -> None:
        """Wait for the head. Raises as ``Transport.send``, and whatever cancels it after closing the connection."""
        if not self.head_came and self._error is None:
            await self._wait()
        if not self.head_came and self._error is not None:
            raise self._error

    async def read(self, limit: int) -> bytes:
        """Read the whole body; see ``core.ports.Incoming``."""
        self._limit = limit
        if not self._done:
            self._check_size()
            if self._error is None:
                self._resume()
                await self._wait()
        if self._error is not None:
            raise self._error
        parts, self._parts = self._parts, []
        body = parts[0] if len(parts) == 1 else b"".join(parts)
        if self._decoder is not None and not self._error:
            out = [self._decoder.feed(body, limit + 1)]
            while self._decoder.pending and sum(map(len, out)) <= limit:
                out.append(self._decoder.feed(b"", limit + 1))
            body = b"".join(out)
            if len(body) <= limit:
                self._decoder.finish()
        if len(body) > limit:
            raise _too_long()
        return body

    async def chunk(self) -> bytes:
        """Return what has come since the last call, waiting if nothing has; see ``core.ports.Incoming``."""
        while True:
            if self._parts or (self._decoder is not None and self._decoder.pending):
                piece = self._take()
                if piece:
                    return piece
            elif self._error is not None:
                raise self._error
            elif self._done:
                if self._decoder is not None:
                    self._decoder.finish()
                return b""
            else:
                await self._wait()

    def close(self) -> None:
        """Close the connection at once if the response is still under way."""
        connection = self._connection
        if connection is not None:
            ended = UpstreamInterrupted if self.head_came else UpstreamUnreachable
            self.fail(ended("The request to the upstream was given up; try again."))
            connection.abort()

    def expire(self, now: float) -> None:
        """Fail if a limit lies before ``now``."""
        if now >= self._total_due:
            name = "total"
        elif not self.head_came:
            if now < self._head_due:
                return
            name = "headers"
        elif self._waiter is not None and now - self._stamp >= self._idle:
            name = "idle"
        else:
            return
        connection = self._connection
        self.fail(UpstreamTimeout(f"The upstream did not answer within its {name} limit; try again."))
        if connection is not None:
            connection.give_up()

    def fail(self, error: UpstreamError) -> None:
        """End the response with an error, which its reader gets after what came before it."""
        if self._connection is not None:
            self._error = error
            self._leave()

    def finish(self) -> None:
        """End the response: the body is whole."""
        self._done = True
        self._leave()

    def begin(self, status: int, headers: list[tuple[bytes, bytes]], encoding: bytes) -> None:
        """Take the head."""
        self.status = status
        self._decoder = decoder_for(encoding) if encoding else None
        if self._decoder is not None:
            gone = (b"content-encoding", b"content-length")
            headers = [pair for pair in headers if pair[0] not in gone]
        self.headers = headers
        self.head_came = True

    def add(self, body: bytes) -> None:
        """Take a piece of body."""
        self._parts.append(body)
        self._size += len(body)

    def arrived(self) -> None:
        """Look at what one read from the socket brought: wake the reader, pause the socket, enforce the limit."""
        self._stamp = self._sweep.now
        if self._limit >= 0:
            self._check_size()
            return
        if self._waiter is not None and self.head_came:
            self._wake()
        if self._size > _HIGH and self._connection is not None:
            self._connection.pause()

    def _check_size(self) -> None:
        if self._size > self._limit >= 0 and self._connection is not None:
            connection = self._connection
            self.fail(_too_long())
            connection.abort()

    def _take(self) -> bytes:
        parts = self._parts
        piece = b"" if not parts else parts[0] if len(parts) == 1 else b"".join(parts)
        self._parts = []
        self._size = 0
        if self._decoder is not None:
            piece = self._decoder.feed(piece, _HIGH)
            if self._decoder.pending:
                return piece
        self._resume()
        return piece

    def _resume(self) -> None:
        if self._connection is not None:
            self._connection.resume()

    async def _wait(self) -> None:
        waiter = self._waiter = self._loop.create_future()
        self._stamp = self._sweep.now
        try:
            await waiter
        except asyncio.CancelledError:
            self.close()
            raise
        finally:
            self._waiter = None

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def _leave(self) -> None:
        self._connection = None
        self._sweep.forget(self)
        self._wake()


def garbage() -> UpstreamBroken:
    """Return the error for what cannot be parsed."""
    return UpstreamBroken("The upstream's answer is not HTTP that can be read; check its base_url.")


def _too_long() -> UpstreamBroken:
    return UpstreamBroken("The upstream's answer is longer than allowed; ask for a shorter one.")
