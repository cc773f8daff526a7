"""What a provider is: something that answers a call; and what a codec is: one vendor wire, both ways, without I/O."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from mainstay.core.answer import Answer, Whole
from mainstay.core.call import Ask, Call
from mainstay.core.errors import MainstayError
from mainstay.core.events import Dialect, Frame
from mainstay.core.ports import Outgoing
from mainstay.core.record import Attempt
from mainstay.core.sse import SseEvent
from mainstay.core.target import Target

__all__ = ["Codec", "Decoder", "Framed", "Provider", "Signer", "StreamReader"]

Headers = Sequence[tuple[bytes, bytes]]


class Provider(Protocol):
    """Answers one attempt of a call."""

    async def answer(self, call: Call, target: Target, attempt: Attempt) -> Answer:
        """Ask ``target`` once and fill ``attempt`` with what happened.

        A streamed answer is returned only after its first content-bearing event came, so that every failure before it
        can still become an HTTP status or another attempt.

        Raises:
            MainstayError: the attempt failed; the class says how.
        """
        ...

    async def aclose(self) -> None:
        """Let go of what the provider holds."""
        ...


class StreamReader(Protocol):
    """Reads one streamed answer of one wire, event by event."""

    def feed(self, event: SseEvent) -> Frame | None:
        """Return what ``event`` says, or None when it says nothing (a second ``[DONE]``).

        Raises:
            MainstayError: the event is an error, or cannot be read.
        """
        ...

    def finish(self) -> Frame | None:
        """Called at the end of the body: return what is still held.

        Raises:
            UpstreamInterrupted: the answer is not complete.
        """
        ...


class Codec(Protocol):
    """One vendor wire. Pure: values in, values out."""

    dialect: Dialect

    def request(self, ask: Ask, target: Target, *, stream: bool) -> tuple[bytes, bytes]:
        """Return the path below the base URL and the body that asks ``target`` what ``ask`` asks.

        Bytes of the wire's own dialect pass through; only what must change is changed. ``stream`` is what to ask of
        the upstream, whatever the caller asked.

        Raises:
            Unsupported: the wire cannot say it; ``param`` names the caller's field.
            InvalidRequest: the caller's body is wrong in a way only a full reading shows.
        """
        ...

    def credentials(self, api_key: str) -> tuple[tuple[bytes, bytes], ...]:
        """Return the headers that carry ``api_key`` and those that the wire always wants."""
        ...

    def whole(self, body: bytes) -> Whole:
        """Read the body of a successful answer.

        Raises:
            MainstayError: it is not an answer, or it is an error under a status of 200.
        """
        ...

    def reader(self) -> StreamReader:
        """Return a reader for one streamed answer."""
        ...

    def error(self, status: int, headers: Headers, body: bytes) -> MainstayError:
        """Return the error that a response with ``status`` >= 400 means. Nothing secret goes into its message."""
        ...


class Decoder(Protocol):
    """Cuts the bytes of a streamed answer into events; :class:`~mainstay.core.sse.SseDecoder` is the usual one."""

    #: Grows with whatever came that is no event and yet shows that the other side lives.
    alive: int

    def feed(self, piece: bytes) -> list[SseEvent]:
        """Return the events that ``piece`` completes.

        Raises:
            UpstreamBroken: the framing is damaged, or an event is too long.
        """
        ...

    def close(self) -> list[SseEvent]:
        """Called at the end of the body: return what is still held and whole."""
        ...


@runtime_checkable
class Framed(Protocol):
    """A codec whose streams are not server-sent events: it brings the decoder of its own framing."""

    def decoder(self) -> Decoder:
        """Return a decoder for one streamed answer."""
        ...


class Signer(Protocol):
    """A credential that depends on the request it goes with: its method, path, headers and body, and the time."""

    #: What must never be shown, should an upstream repeat it.
    secrets: Sequence[bytes]

    def sign(self, request: Outgoing) -> Outgoing:
        """Return ``request`` with the headers that prove who sends it."""
        ...
