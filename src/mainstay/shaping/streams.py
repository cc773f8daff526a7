"""Streams whose answers must have a form: collected, or judged as they pass.

Stands between the frames of an answer and whoever asked for a form. Knows events only, no dialect.
"""

from collections.abc import AsyncIterator, Sequence

from mainstay.core.answer import Frames
from mainstay.core.errors import UpstreamBroken
from mainstay.core.events import Event, Finished, Frame, RefusalDelta, TextDelta, ToolDelta, ToolStarted
from mainstay.core.record import Record
from mainstay.shaping.asked import Asked
from mainstay.shaping.json import Json
from mainstay.shaping.partial import PartialJson
from mainstay.shaping.port import Flaw, Misfit
from mainstay.shaping.verdict import judge, refusal

__all__ = ["Checked", "ListedFrames", "collect"]

#: Bytes of an answer that may be held back.
_MOST = 64 * 1024 * 1024


async def collect(frames: Frames) -> list[Sequence[Frame]]:
    """Return everything of a stream, in the pieces that came, and let go of it.

    Raises:
        UpstreamBroken: it is too large to be held.
    """
    kept: list[Sequence[Frame]] = []
    size = 0
    try:
        async for batch in frames:
            size += sum(len(frame.wire) + 64 for frame in batch)
            if size > _MOST:
                raise UpstreamBroken("The answer is larger than can be held back; ask for less.")
            kept.append(batch)
    finally:
        await frames.aclose()
    return kept


class ListedFrames:
    """Frames that are all there."""

    __slots__ = ("_batches",)

    def __init__(self, batches: Sequence[Sequence[Frame]]) -> None:
        self._batches = iter(batches)

    def __aiter__(self) -> AsyncIterator[Sequence[Frame]]:
        return self

    async def __anext__(self) -> Sequence[Frame]:
        for batch in self._batches:
            return batch
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Nothing is held outside."""
        self._batches = iter(())


class Checked:
    """Frames as they come, judged in passing; ends in an ``OutputInvalid`` as soon as the answer cannot fit.

    What is judged before it is passed on: a text that can no longer become JSON, a member of its root object that does
    not fit, the arguments of a call that is complete, and at a choice's end the whole of it, after which nothing comes.
    """

    __slots__ = ("_asked", "_declined", "_ended", "_events", "_inner", "_next", "_partial", "_record")

    def __init__(self, inner: Frames, asked: Asked, record: Record) -> None:
        self._inner = inner
        self._next = inner.__anext__
        self._asked = asked
        self._record = record
        self._partial: dict[int, PartialJson] = {}
        self._events: dict[int, list[Event]] = {}
        self._declined: set[int] = set()
        self._ended: set[int] = set()

    def __aiter__(self) -> AsyncIterator[Sequence[Frame]]:
        return self

    async def __anext__(self) -> Sequence[Frame]:
        try:
            try:
                batch = await self._next()
            except StopAsyncIteration:
                if self._events.keys() - self._ended:
                    # Never judged: no end of it came.
                    raise Misfit(Flaw("The answer has no end.", rule="cut")) from None
                raise
            for frame in batch:
                for event in frame.events:
                    self._take(event)
        except Misfit as misfit:
            events = [event for kept in self._events.values() for event in kept]
            if self._record.attempts:
                self._record.attempts[-1].detail = f"form: {misfit.flaws[0].rule}"
            await self._inner.aclose()
            raise refusal(events, misfit, 1) from misfit
        return batch

    async def aclose(self) -> None:
        await self._inner.aclose()

    def _take(self, event: Event) -> None:
        if isinstance(event, TextDelta):
            self._keep(event, event.choice)
            self._follow(event)
        elif isinstance(event, ToolStarted | ToolDelta):
            self._keep(event, event.choice)
        elif isinstance(event, RefusalDelta):
            self._declined.add(event.choice)
        elif isinstance(event, Finished):
            if event.choice in self._ended:
                return
            self._keep(event, event.choice)
            if event.choice not in self._declined:
                judge(self._asked, self._events[event.choice])
            self._ended.add(event.choice)

    def _keep(self, event: Event, choice: int) -> None:
        if choice in self._ended and not (isinstance(event, TextDelta) and not event.text):
            raise Misfit(Flaw("The answer goes on after its end.", rule="json"))
        self._events.setdefault(choice, []).append(event)

    def _follow(self, event: TextDelta) -> None:
        form = self._asked.text
        if not isinstance(form, Json) or event.choice in self._declined:
            return
        partial = self._partial.get(event.choice)
        if partial is None:
            partial = self._partial[event.choice] = PartialJson()
        try:
            for name, value in partial.feed(event.text):
                if form.schema is not None:
                    form.schema.check_member(name, value)
        except ValueError as error:
            raise Misfit(Flaw(f"The answer is not one JSON value: {error}.", rule="json")) from error
