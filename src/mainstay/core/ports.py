"""What rooms need from outside, as protocols. Adapters live in ``runtime`` and ``store``; ``app`` hands them over."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import msgspec

from mainstay.core.call import Call, Caller
from mainstay.core.record import Record
from mainstay.core.timeouts import Timeouts

__all__ = [
    "Assessor",
    "Incoming",
    "JournalPort",
    "KeyRing",
    "Material",
    "Origin",
    "Outgoing",
    "Settler",
    "Transcriber",
    "Transport",
]

Headers = Sequence[tuple[bytes, bytes]]


class Origin(msgspec.Struct, frozen=True):
    """Where a request goes: host and port over TCP, with TLS or not, or a Unix socket (then ``uds`` is its path)."""

    host: str
    port: int
    tls: bool = False
    uds: str = ""
    #: ``http://host:port`` of a forward proxy, or "".
    proxy: str = ""
    #: The one address to connect to instead of looking ``host`` up, or "": what was checked is what is reached.
    address: str = ""


class Outgoing(msgspec.Struct, frozen=True):
    """A request for an upstream: ``target`` is path and query; ``headers`` lack host, length and connection."""

    method: bytes
    target: bytes
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes


class Incoming(Protocol):
    """An upstream's response whose head has come."""

    status: int
    #: Lower-case names.
    headers: Headers
    #: Where a reader may leave what it finds out from the head, but for the body's length: answers that have the same
    #: head share it.
    notes: dict[str, Any]

    async def read(self, limit: int) -> bytes:
        """Read the whole body.

        Raises:
            UpstreamTimeout: no byte for ``idle`` seconds.
            UpstreamInterrupted: the connection broke before the end.
            UpstreamBroken: the body is longer than ``limit`` bytes.
        """
        ...

    async def chunk(self) -> bytes:
        """Return the next piece of the body as it arrives, or ``b""`` at its end. Raises as :meth:`read`."""
        ...

    def close(self) -> None:
        """Let go of the response; the connection is closed at once unless the body was read to its end."""
        ...


class Transport(Protocol):
    """Sends HTTP requests. Cancelling a ``send`` or a read closes that request's connection at once."""

    async def send(self, origin: Origin, request: Outgoing, timeouts: Timeouts) -> Incoming:
        """Send ``request`` and wait for the head of the response.

        A reused connection that turns out to be closed before any byte of the response came is replaced by a fresh
        one, once.

        Raises:
            UpstreamUnreachable: no connection, or it was lost before the head was complete.
            UpstreamTimeout: the connect or headers limit ran out.
            UpstreamBroken: what came is not HTTP.
        """
        ...

    async def aclose(self) -> None:
        """Close every connection."""
        ...


class Transcriber(Protocol):
    """Writes down what is said in a recording."""

    async def transcribe(self, call: Call, audio: bytes, kind: str) -> str:
        """Return the words of ``audio``, in the format ``kind`` (``mp3``, ``wav``); ``call`` is the one it is for.

        Raises:
            MainstayError: it cannot be heard; the class says why.
        """
        ...


class Material(msgspec.Struct, frozen=True):
    """What one verdict is about: texts, and the bytes of images, that belong together."""

    texts: tuple[str, ...] = ()
    images: tuple[bytes, ...] = ()


class Assessor(Protocol):
    """Says what is wrong with texts and images, in the form of the results of ``/v1/moderations``."""

    async def assess(
        self, inputs: Sequence[Material], thresholds: Mapping[str, float | None], seconds: float
    ) -> Sequence[Mapping[str, Any]]:
        """Return a verdict for each input, within ``seconds``. ``thresholds`` by category take the place of the usual
        ones; one that is None never flags.

        Raises:
            Unreadable: an image cannot be looked at; the message is the end of a sentence about it.
            Unavailable: what judges is not there, or is too busy.
        """
        ...


class KeyRing(Protocol):
    """Answers who a presented key belongs to, from memory, without I/O."""

    def find(self, presented: bytes) -> Caller:
        """Return the caller.

        Raises:
            Unauthenticated: the key is unknown, revoked or expired (one message for all three).
        """
        ...


class Settler(Protocol):
    """Works out what a call has cost, once, before its record is written."""

    def settle(self, record: Record) -> None:
        """Put the cost into ``record``."""
        ...


class JournalPort(Protocol):
    """Takes records before their answers close."""

    def append(self, line: bytes) -> bool:
        """Append one line (without its newline) so that a ``kill -9`` right after does not lose it.

        Returns False when it could not be written (a full disk); the caller counts it.
        """
        ...
