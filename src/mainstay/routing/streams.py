"""Streams under a route's care: watched to their end, held back, or taken up again after a break.

Stands between the provider's frames and the rest of the line. Which target is asked next is the stage's; what may be
handed on is decided here and in ``resume``.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

from mainstay.core.answer import Frames
from mainstay.core.errors import CallerError, MainstayError, UpstreamBroken, UpstreamInterrupted
from mainstay.core.events import Frame, Metered
from mainstay.core.record import Attempt
from mainstay.routing.resume import CatchUp, Delivered, Differs

__all__ = ["Held", "Resumed", "Watched", "hold", "interrupted", "note_usage"]

#: Bytes of an answer that may be held back.
_MOST = 64 * 1024 * 1024

#: Told once how a stream ended: the error that broke it or None, and whether it was left early.
End = Callable[[MainstayError | None, bool], None]


class Watched:
    """Frames as they come; ``ended`` is told once how they ended: (error or None, whether they were left early).

    What the answer took is noted in ``attempt``, where there is one.
    """

    __slots__ = ("_attempt", "_done", "_ended", "_inner", "_next")

    def __init__(self, inner: Frames, ended: End, attempt: Attempt | None = None) -> None:
        self._attempt = attempt
        self._inner = inner
        self._next = inner.__anext__
        self._ended = ended
        self._done = False

    def __aiter__(self) -> AsyncIterator[Sequence[Frame]]:
        return self

    async def __anext__(self) -> Sequence[Frame]:
        try:
            batch = await self._next()
            if self._attempt is not None:
                note_usage(batch, self._attempt)
            return batch
        except StopAsyncIteration:
            self._end(None, left=False)
            raise
        except MainstayError as error:
            self._end(error, left=False)
            if isinstance(error, CallerError | UpstreamInterrupted):
                raise
            # Whatever broke it, to the caller it is an answer that broke off; the record has the cause.
            raise interrupted() from error

    async def aclose(self) -> None:
        self._end(None, left=True)
        await self._inner.aclose()

    def _end(self, error: MainstayError | None, *, left: bool) -> None:
        if not self._done:
            self._done = True
            self._ended(error, left)


class Held:
    """An answer that was held back until it was complete, as a stream."""

    __slots__ = ("_batches",)

    def __init__(self, batches: list[Sequence[Frame]]) -> None:
        self._batches = batches[::-1]

    def __aiter__(self) -> AsyncIterator[Sequence[Frame]]:
        return self

    async def __anext__(self) -> Sequence[Frame]:
        if not self._batches:
            raise StopAsyncIteration
        return self._batches.pop()

    async def aclose(self) -> None:
        self._batches.clear()


def note_usage(batch: Sequence[Frame], attempt: Attempt) -> None:
    """Note what an answer took, if these frames say so: the last word counts."""
    for frame in batch:
        for event in frame.events:
            if type(event) is Metered:
                attempt.usage = event.usage


async def hold(frames: Frames, attempt: Attempt) -> Held:
    """Read ``frames`` to their end and return them whole.

    Raises:
        MainstayError: they broke; nothing of them is to be used.
    """
    batches: list[Sequence[Frame]] = []
    size = 0
    try:
        async for batch in frames:
            batches.append(batch)
            note_usage(batch, attempt)
            size += sum(len(frame.wire) for frame in batch)
            if size > _MOST:
                raise UpstreamBroken("The answer is longer than may be held back; ask for a shorter one.")
    finally:
        await frames.aclose()
    return Held(batches)


class Resumed:
    """A stream that, when it breaks, goes on from another answer that says the same so far.

    Args:
        inner: the first answer's frames.
        again: asks for another answer after an error: its frames, or raises what the caller must be told.
    """

    __slots__ = ("_again", "_catch", "_delivered", "_inner")

    def __init__(self, inner: Frames, again: Callable[[MainstayError], Awaitable[Frames]]) -> None:
        self._inner = inner
        self._again = again
        self._delivered = Delivered()
        self._catch: CatchUp | None = None

    def __aiter__(self) -> AsyncIterator[Sequence[Frame]]:
        return self

    async def __anext__(self) -> Sequence[Frame]:
        while True:
            try:
                frames = await self._more()
            except Differs:
                raise interrupted() from None
            except MainstayError as error:
                if not self._delivered.plain or isinstance(error, CallerError):
                    raise
                self._inner = await self._again(error)
                self._catch = CatchUp(self._delivered)
                continue
            if frames:
                self._delivered.add(frames)
                return frames

    async def _more(self) -> Sequence[Frame]:
        catch = self._catch
        try:
            batch = await self._inner.__anext__()
        except StopAsyncIteration:
            if catch is not None:
                catch.close()
            raise
        if catch is not None:
            return catch.feed(batch)
        # The caller must not see one answer's ids give way to another's: frames go out without their bytes.
        return [Frame(frame.events, b"", frame.dialect, frame.name) for frame in batch]

    async def aclose(self) -> None:
        await self._inner.aclose()


def interrupted() -> UpstreamInterrupted:
    """Return the error for an answer that broke off after the caller had some of it."""
    return UpstreamInterrupted("The answer broke off before its end and cannot be continued; ask again.")
