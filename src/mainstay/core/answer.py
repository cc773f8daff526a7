"""What comes back up the line: a whole answer, or a stream of frames."""

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Protocol

import msgspec

from mainstay.core.events import Dialect, Event, FinishReason, Frame
from mainstay.core.target import Target
from mainstay.core.usage import Usage

__all__ = ["Answer", "Frames", "SingleFrame", "Whole"]


class Whole(msgspec.Struct):
    """A complete answer. ``wire`` is its body in ``dialect``, or empty when it was made or changed by Mainstay.

    The summary fields are read at once because every call needs them; ``events`` are decoded when first asked for.
    """

    wire: bytes
    dialect: Dialect
    id: str
    model: str
    finish: tuple[FinishReason, ...]
    usage: Usage | None
    decode: Callable[[bytes], tuple[Event, ...]] | None = None
    _events: tuple[Event, ...] | None = None
    #: The provider's own mark of what served, may be empty.
    fingerprint: str = ""

    @property
    def events(self) -> tuple[Event, ...]:
        """The answer as events, in order: Started, deltas by choice, Finished by choice, Metered."""
        if self._events is None:
            self._events = self.decode(self.wire) if self.decode is not None else ()
        return self._events


class Frames(Protocol):
    """A stream of answers' frames that can be left early."""

    def __aiter__(self) -> AsyncIterator[Sequence[Frame]]: ...

    async def __anext__(self) -> Sequence[Frame]: ...

    async def aclose(self) -> None:
        """Stop: let go of the upstream at once. Harmless after the end."""
        ...


class Answer(msgspec.Struct):
    """An answer: exactly one of ``whole`` and ``frames`` is set.

    ``frames`` yields the frames that arrived together, so that they leave together. It ends after the last frame of a
    complete answer and raises an ``UpstreamError`` otherwise; whoever stops early calls its ``aclose``. ``headers``
    are the upstream's that the caller should see; ``kind`` is the content type of the upstream's body, "" where the
    answer was made here.
    """

    target: Target
    headers: tuple[tuple[bytes, bytes], ...] = ()
    whole: Whole | None = None
    frames: Frames | None = None
    kind: bytes = b""


class SingleFrame:
    """A whole answer as a stream of one frame."""

    __slots__ = ("_frame",)

    def __init__(self, frame: Frame) -> None:
        self._frame: Frame | None = frame

    def __aiter__(self) -> AsyncIterator[Sequence[Frame]]:
        return self

    async def __anext__(self) -> Sequence[Frame]:
        if self._frame is None:
            raise StopAsyncIteration
        frame, self._frame = self._frame, None
        return [frame]

    async def aclose(self) -> None:
        self._frame = None
