"""One request on a shared HTTP/2 connection: what its ``Response`` may do to the wire.

Stands under ``runtime.http2``, which owns the socket; knows nothing of frames.
"""

import asyncio
from typing import Protocol

from mainstay.runtime.response import Response

__all__ = ["TOP_UP", "Shared", "Stream"]

#: A window is topped up when so much of it is used: one frame for many.
TOP_UP = 128 * 1024


class Shared(Protocol):
    """The connection, as a stream sees it."""

    loop: asyncio.AbstractEventLoop
    usable: bool
    received: int

    def drop(self, stream: "Stream") -> None:
        """Reset a stream."""
        ...

    def grant(self, identity: int, size: int) -> None:
        """Let the upstream send so many bytes more on a stream."""
        ...


class Stream:
    """One request on a shared connection; ``runtime.response.Carrier``."""

    __slots__ = (
        "_owed",
        "_paused",
        "announced",
        "connection",
        "head_only",
        "identity",
        "loop",
        "missing",
        "response",
        "seen",
        "unsent",
        "window",
    )

    def __init__(self, connection: Shared, identity: int, window: int) -> None:
        self.connection = connection
        self.loop = connection.loop
        self.identity = identity
        #: Bytes of body we may send, and those that wait for leave.
        self.window = window
        self.unsent = memoryview(b"")
        self.response: Response | None = None
        self.head_only = False
        #: How much the connection had received when the request began.
        self.seen = connection.received
        #: Whether the response said how long its body is, and how much of that is still to come.
        self.announced = False
        self.missing = 0
        self._owed = 0
        self._paused = False

    def abort(self) -> None:
        """Reset the stream; the connection goes on."""
        self.connection.drop(self)

    def give_up(self) -> None:
        """Reset the stream. If the whole connection was silent since it began, trust it with no other request."""
        if self.connection.received == self.seen:
            self.connection.usable = False
        self.abort()

    def pause(self) -> None:
        """Grant the upstream no more bytes until ``resume``."""
        self._paused = True

    def resume(self) -> None:
        """Grant what was withheld."""
        self._paused = False
        if self._owed >= TOP_UP:
            self._grant()

    def took(self, size: int) -> None:
        """Count bytes of body (padding included) that came."""
        self._owed += size
        if self._owed >= TOP_UP and not self._paused:
            self._grant()

    def _grant(self) -> None:
        self.connection.grant(self.identity, self._owed)
        self._owed = 0
