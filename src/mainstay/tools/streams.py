"""The answers of all rounds as one stream: the words of each as they come, no call of ours, one end.

Stands between the frames of each round's answer and the caller. Knows events only, no dialect.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Sequence
from contextlib import aclosing
from typing import Any, Final, Generic, TypeVar

from msgspec.structs import replace

from mainstay.core.answer import Answer, Frames, SingleFrame
from mainstay.core.clock import monotonic
from mainstay.core.events import Event, Finished, Frame, Metered, Started, TextDelta, ToolDelta, ToolStarted
from mainstay.core.fold import Fold
from mainstay.tools.rounds import Rounds
from mainstay.tools.turns import without_calls

__all__ = ["RoundFrames", "frames_of"]

#: Seconds of silence after which the caller is sent a sign of life.
_PING: Final = 5.0
_ALIVE: Final = (Frame(),)
#: What is not passed on as it comes: whose a call is, and whether the answer ends, is known at a turn's end.
_HELD: Final = (Started, ToolStarted, ToolDelta, Finished, Metered)

_Found = TypeVar("_Found")
Batch = Sequence[Frame]


class RoundFrames:
    """One stream for the caller, from as many as the model needs.

    Args:
        rounds: the call's.
        frames: the first answer's.
        words: pass on what a model writes before it is known whether it calls a tool.
    """

    def __init__(self, rounds: Rounds, frames: Frames, *, words: bool) -> None:
        self._rounds = rounds
        self._frames = frames
        self._words = words
        self._fold: Fold | None = None
        self._begun = False
        #: Whether an earlier round's words were passed on, which the next ones stand apart from.
        self._apart = False
        self._said = False
        self._steps = self._go()

    def __aiter__(self) -> AsyncIterator[Batch]:
        return self

    async def __anext__(self) -> Batch:
        return await self._steps.__anext__()

    async def aclose(self) -> None:
        """Stop: tools that run, and the upstream."""
        await self._steps.aclose()
        await self._frames.aclose()

    async def _go(self) -> AsyncGenerator[Batch, None]:
        rounds = self._rounds
        try:
            while True:
                async with aclosing(self._round()) as round_:
                    async for batch in round_:
                        yield batch
                assert self._fold is not None
                events = self._fold.events()
                self._fold = None
                rounds.spend(events)
                turn = rounds.read(events)
                if turn.ours:
                    async with aclosing(_Waited(rounds.work(turn))) as waited:
                        async for batch in waited:
                            yield batch
                    waited.result()
                if not turn.ours or turn.theirs:
                    last = [] if self._words else self._apart_from(without_calls(_unmetered(events)))
                    yield (Frame((*last, *await rounds.close(turn, events))),)
                    return
                async with aclosing(_Waited(rounds.ask())) as asked:
                    async for batch in asked:
                        yield batch
                self._frames = frames_of(asked.result())
        finally:
            if self._fold is not None and rounds.done:
                # It broke off, or nobody listens any more: what came was used.
                rounds.spend(self._fold.events())

    async def _round(self) -> AsyncGenerator[Batch, None]:
        """Yield what of one round's answer is passed on."""
        self._fold = fold = Fold()
        self._apart, self._said = self._apart or self._said, False
        due = monotonic() + _PING
        async for batch in self._frames:
            events = [event for frame in batch for event in frame.events]
            fold.add(events)
            shown = self._shown(events)
            if shown:
                yield (Frame(tuple(shown)),)
            elif not events or monotonic() >= due:
                yield _ALIVE
            else:
                continue
            due = monotonic() + _PING
        await self._frames.aclose()

    def _shown(self, events: Sequence[Event]) -> list[Event]:
        shown: list[Event] = []
        if not self._begun:
            started = next((event for event in events if isinstance(event, Started)), None)
            if started is not None:
                self._begun = True
                shown.append(started)
        if self._words:
            shown += self._apart_from([event for event in events if not isinstance(event, _HELD)])
        return shown

    def _apart_from(self, events: list[Event]) -> list[Event]:
        """Return ``events`` with an empty line before the first words, if others came before them."""
        for position, event in enumerate(events):
            if isinstance(event, TextDelta) and event.text:
                if self._apart and not self._said:
                    events[position] = replace(event, text="\n\n" + event.text)
                self._said = True
                break
        return events


class _Waited(Generic[_Found]):
    """Waits for ``work`` and yields a sign of life from time to time; closing it stops the work."""

    def __init__(self, work: Coroutine[Any, Any, _Found]) -> None:
        self._task = asyncio.get_running_loop().create_task(work)

    def __aiter__(self) -> AsyncIterator[Batch]:
        return self

    async def __anext__(self) -> Batch:
        await asyncio.wait((self._task,), timeout=_PING)
        if self._task.done():
            raise StopAsyncIteration
        return _ALIVE

    def result(self) -> _Found:
        """Return what the work gave, or raise what it raised."""
        return self._task.result()

    async def aclose(self) -> None:
        if not self._task.done():
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)


def frames_of(answer: Answer) -> Frames:
    """Return an answer as a stream, be it one or not."""
    if answer.frames is not None:
        return answer.frames
    assert answer.whole is not None
    return SingleFrame(Frame(tuple(answer.whole.events)))


def _unmetered(events: Sequence[Event]) -> list[Event]:
    return [event for event in events if not isinstance(event, Metered)]
