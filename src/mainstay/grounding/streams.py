"""Streamed answers as they are cited: words pass at once, or wait for their claim, or for the whole answer."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Final, Protocol

from msgspec.structs import replace

from mainstay.core.answer import Frames
from mainstay.core.clock import monotonic
from mainstay.core.errors import MainstayError, UpstreamBroken
from mainstay.core.events import Cited, Event, Frame, Grounded, Piece
from mainstay.core.fold import Fold
from mainstay.grounding.answering import Ungrounded

__all__ = ["CitedFrames", "HeldFrames", "Refuse", "Taking", "cited", "collect"]


class Taking(Protocol):
    """Takes the events of one answer and gives back those that leave."""

    async def take(self, event: Event, out: list[Event]) -> None:
        """Take an event; append to ``out`` what leaves."""
        ...

    async def stop(self) -> None:
        """Give up what is still being done."""
        ...


#: Returns the error that an answer ends in.
Refuse = Callable[[Ungrounded], Awaitable[MainstayError]]

#: Seconds of silence after which the caller is sent a sign of life.
_PING: Final = 5.0
_ALIVE: Final = (Frame(),)
#: Characters of an answer that may be held back, by its events' texts.
_MOST: Final = 16 * 1024 * 1024


async def cited(answering: Taking, events: Sequence[Event]) -> list[Event]:
    """Return the events of a whole answer as they leave, every citation with its last verdict.

    Raises:
        Ungrounded: a claim is not supported, and the policy lets no such claim pass.
    """
    out: list[Event] = []
    try:
        for event in events:
            await answering.take(event, out)
    finally:
        await answering.stop()
    last = {
        (one.choice, number): citation
        for one in out
        if isinstance(one, Grounded)
        for number, citation in enumerate(one.citations)
    }
    seen: dict[int, int] = {}
    for place, event in enumerate(out):
        if isinstance(event, Cited):
            number = seen.get(event.choice, 0)
            seen[event.choice] = number + 1
            out[place] = replace(event, citation=last.get((event.choice, number), event.citation))
    return out


async def collect(frames: Frames) -> tuple[Event, ...]:
    """Return the events of a whole stream, folded, and let go of it.

    Raises:
        UpstreamBroken: it is too large to be held back.
    """
    fold, size = Fold(), 0
    try:
        async for batch in frames:
            size += _add(fold, batch, size)
    finally:
        await frames.aclose()
    return fold.events()


def _add(fold: Fold, batch: Sequence[Frame], size: int) -> int:
    more = 0
    for frame in batch:
        fold.add(frame.events)
        more += sum(64 + len(getattr(event, "text", "") or getattr(event, "arguments", "")) for event in frame.events)
    if size + more > _MOST:
        raise UpstreamBroken("The answer is larger than can be held back; ask for less.")
    return more


class CitedFrames:
    """A stream that is cited while it passes; see :class:`~mainstay.core.answer.Frames`."""

    __slots__ = ("_answering", "_ended", "_inner", "_refuse")

    def __init__(self, inner: Frames, answering: Taking, refuse: Refuse) -> None:
        self._inner = inner
        self._answering = answering
        self._refuse = refuse
        self._ended = False

    def __aiter__(self) -> AsyncIterator[Sequence[Frame]]:
        return self

    async def __anext__(self) -> Sequence[Frame]:
        if self._ended:
            raise StopAsyncIteration
        due = monotonic() + _PING
        while True:
            out: list[Event] = []
            media: list[Frame] = []
            try:
                batch = await self._inner.__anext__()
                for frame in batch:
                    if frame.events and type(frame.events[0]) is Piece:
                        media.append(frame)
                        continue
                    for event in frame.events:
                        await self._answering.take(event, out)
            except StopAsyncIteration:
                await self.aclose()
                raise
            except Ungrounded as ungrounded:
                error = await self._refuse(ungrounded)
                await self.aclose()
                raise error from None
            if out or media:
                return (Frame(tuple(out)), *media) if out else media
            if not all(frame.events for frame in batch) or monotonic() >= due:
                return _ALIVE

    async def aclose(self) -> None:
        """Stop: what is still being checked, and the upstream."""
        self._ended = True
        try:
            await self._answering.stop()
        finally:
            await self._inner.aclose()


class HeldFrames:
    """A stream that is held back until it is complete, and then settled; see :class:`~mainstay.core.answer.Frames`.

    Args:
        inner: the upstream's.
        settle: returns the events that leave.
    """

    __slots__ = ("_ended", "_fold", "_inner", "_settle", "_size")

    def __init__(self, inner: Frames, settle: Callable[[Sequence[Event]], Awaitable[Sequence[Event]]]) -> None:
        self._inner = inner
        self._settle = settle
        self._fold = Fold()
        self._size = 0
        self._ended = False

    def __aiter__(self) -> AsyncIterator[Sequence[Frame]]:
        return self

    async def __anext__(self) -> Sequence[Frame]:
        if self._ended:
            raise StopAsyncIteration
        due = monotonic() + _PING
        while True:
            try:
                batch = await self._inner.__anext__()
            except StopAsyncIteration:
                self._ended = True
                return (Frame(tuple(await self._settle(self._fold.events()))),)
            self._size += _add(self._fold, batch, self._size)
            if monotonic() >= due or not all(frame.events for frame in batch):
                return _ALIVE

    async def aclose(self) -> None:
        """Stop: the upstream."""
        self._ended = True
        await self._inner.aclose()
