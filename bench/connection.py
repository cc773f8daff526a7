"""One kept HTTP/1.1 connection of the load generator: one request in flight, times taken as bytes arrive.

Stands below the loops in load.py. It knows nothing of schedules and keeps no totals.
"""

import asyncio
import time
from array import array
from collections.abc import Callable
from typing import cast

import httptools

from bench.wire import DONE, MARK, Request

__all__ = ["UNTOLD", "Connection", "StreamConnection", "connect"]

#: How the failure of an overloaded server ends that does not say when to come again.
UNTOLD = " without retry-after"
_KEEP = max(len(MARK), len(DONE.strip())) - 1


class Connection(asyncio.Protocol):
    """Sends one request at a time and calls `on_done(self)` when its answer has ended, well or badly.

    After each answer: `status` (0 when none came), `failure` (None, or one word), `finished` and, on streams,
    `arrivals`, all in `time.perf_counter()` seconds. `due` is the caller's own note.
    """

    def __init__(self, on_done: Callable[["Connection"], None]) -> None:
        self.on_done = on_done
        self.due = 0.0
        self.status = 0
        self.failure: str | None = None
        self.finished = 0.0
        self.arrivals: array[float] = array("d")
        self.open = False
        self.busy = False
        self._now = 0.0
        self._piece = b""
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._expected = 0

    def send(self, request: Request) -> None:
        """Write the request; the connection must be open and idle."""
        assert self._transport is not None
        self.busy = True
        self.status = 0
        self.failure = None
        self._expected = request.events
        self._transport.write(request.data)

    @property
    def ready(self) -> bool:
        """Whether a request may be sent: the server may have closed it, and the loop not yet said so."""
        return self.open and self._transport is not None and not self._transport.is_closing()

    def close(self) -> None:
        """Close without a word; a request in flight ends as failed."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport (asyncio's hook; both loops set TCP_NODELAY)."""
        # A cast, not a check: uvloop's transports do not derive from asyncio's.
        self._transport = cast("asyncio.Transport", transport)
        self.open = True

    def data_received(self, data: bytes) -> None:
        """Stamp the time and feed the parser (asyncio's hook)."""
        self._now = time.perf_counter()
        self._piece = data
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._end("malformed")
            self.close()

    def connection_lost(self, error: Exception | None) -> None:
        """End the request in flight, if any (asyncio's hook)."""
        self.open = False
        if self.busy:
            self._now = time.perf_counter()
            self._end("reset" if error is not None else "closed")

    def on_headers_complete(self) -> None:
        """Note the status (httptools' hook)."""
        self.status = self._parser.get_status_code()

    def on_message_complete(self) -> None:
        """End the answer (httptools' hook)."""
        if not self._parser.should_keep_alive():
            self.open = False
        self._end(self._verdict())

    def _verdict(self) -> str | None:
        if self.status == 200:
            return None
        # Refusals are small: head and body come as one piece.
        told = self.status not in (429, 503) or b"\r\nretry-after:" in self._piece.lower()
        return f"status {self.status}{'' if told else UNTOLD}"

    def _end(self, failure: str | None) -> None:
        if not self.busy:
            return
        self.busy = False
        self.failure = failure
        self.finished = self._now
        self.on_done(self)


class StreamConnection(Connection):
    """A connection for streamed answers: notes when each content event arrived and that none is missing."""

    def __init__(self, on_done: Callable[[Connection], None]) -> None:
        super().__init__(on_done)
        self._tail = b""
        self._ended = False

    def send(self, request: Request) -> None:
        """Write the request and forget the last answer's events."""
        self.arrivals = array("d")
        self._tail = b""
        self._ended = False
        super().send(request)

    def on_body(self, body: bytes) -> None:
        """Count the content events in this piece (httptools' hook)."""
        text = self._tail + body
        fresh = text.count(MARK) - self._tail.count(MARK)
        if fresh == 1:
            self.arrivals.append(self._now)
        elif fresh:
            self.arrivals.extend([self._now] * fresh)
        self._ended = self._ended or b"[DONE]" in text
        self._tail = text[-_KEEP:]

    def _verdict(self) -> str | None:
        failure = super()._verdict()
        if failure is None and (len(self.arrivals) != self._expected or not self._ended):
            return "incomplete stream"
        return failure


async def connect(
    kind: type[Connection], request: Request, on_done: Callable[[Connection], None], timeout: float = 5.0
) -> Connection:
    """Open one connection to where the request goes. Raises OSError when none can be had within `timeout`."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(timeout):
        _, protocol = await loop.create_connection(lambda: kind(on_done), request.host, request.port)
    return protocol
