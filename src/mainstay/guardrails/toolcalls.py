"""An answer's calls of tools, each judged with its complete arguments before it leaves.

Stands behind the rails of outputs, so that it reads what the caller would. Knows events, no prompts and no wire.

- Text passes at once. A call whose arguments count waits for them, and with it what its choice says after it; a call
  that is refused whatever its arguments ends the answer where it begins.
- From the first call that waits, frames are written anew: bytes that say a call nobody has judged do not pass.
- A stream ends as its whole would: both go through the same steps.
"""

from collections.abc import AsyncIterator, Sequence
from typing import Final

from msgspec.structs import replace

from mainstay.core.answer import Answer, Frames
from mainstay.core.clock import monotonic
from mainstay.core.errors import MainstayError, UpstreamBroken
from mainstay.core.events import (
    Event,
    Finished,
    Frame,
    Metered,
    Opaque,
    Piece,
    Started,
    ToolDelta,
    ToolStarted,
)
from mainstay.guardrails.sending import Sending

__all__ = ["with_calls_judged"]

#: Seconds of silence after which the caller is sent a sign of life.
_PING: Final = 5.0
_ALIVE: Final = (Frame(),)


async def with_calls_judged(answer: Answer, sending: Sending) -> Answer:
    """Return ``answer`` of a conversation, the same where it is whole.

    Raises:
        ToolNotAllowed, NeedsReview: a call in it may not be made. A stream raises it on its way.
    """
    if answer.frames is not None:
        return replace(answer, frames=_Frames(answer.frames, sending))
    assert answer.whole is not None
    if any(isinstance(event, ToolStarted) for event in answer.whole.events):
        sorter = _Sorter(sending)
        out: list[Event] = []
        for event in answer.whole.events:
            await sorter.take(event, out)
        await sorter.close(out)
    return answer


class _Waiting:
    """A call whose arguments are not all there."""

    __slots__ = ("done", "pieces", "place", "sources", "tool")

    def __init__(self, tool: str, sources: frozenset[str], place: str) -> None:
        self.tool = tool
        self.sources = sources
        self.place = place
        self.pieces: list[str] = []
        self.done = False


class _Choice:
    """What one choice calls."""

    __slots__ = ("calls", "foreign", "held", "waiting")

    def __init__(self) -> None:
        #: By index; None where a call may go on as it likes.
        self.calls: dict[int, _Waiting | None] = {}
        #: What it has read of its own.
        self.foreign: frozenset[str] = frozenset()
        self.waiting: list[_Waiting] = []
        #: What is kept back until those are decided: all that came since the first of them.
        self.held: list[Event] = []


class _Sorter:
    """Brings the events of an answer to their calls, and to the caller what may leave."""

    def __init__(self, sending: Sending) -> None:
        self._sending = sending
        self._choices: dict[int, _Choice] = {}
        #: Whether anything leaves later than it came, or not at all.
        self.changed = False

    async def take(self, event: Event, out: list[Event]) -> None:
        """Take an event; append to ``out`` what may leave.

        Raises:
            ToolNotAllowed, NeedsReview: a call may not be made.
        """
        if isinstance(event, Started | Metered | Piece):
            out.append(event)
            return
        choice = self._choice(getattr(event, "choice", 0))
        if isinstance(event, ToolStarted):
            self._start(event, choice)
        elif isinstance(event, ToolDelta):
            if not self._argue(event, choice):
                return
        elif isinstance(event, Finished):
            await self._settle(choice, out)
        elif isinstance(event, Opaque):
            choice.foreign |= self._sending.foreign(bytes(event.payload))
        if choice.waiting and self._sending.enforce:
            self.changed = True
            choice.held.append(event)
        else:
            out.append(event)

    async def close(self, out: list[Event]) -> None:
        """The answer is over: append to ``out`` what is left.

        Raises:
            ToolNotAllowed, NeedsReview: a call may not be made.
        """
        for choice in self._choices.values():
            await self._settle(choice, out)

    def _choice(self, index: int) -> _Choice:
        choice = self._choices.get(index)
        if choice is None:
            choice = self._choices[index] = _Choice()
        return choice

    def _start(self, event: ToolStarted, choice: _Choice) -> None:
        sending = self._sending
        sources = sending.sources() | choice.foreign
        choice.calls[event.index] = None
        if not sources:
            return
        place = f"{event.choice}.tool.{event.index}"
        if sending.waits(event.name, sources):
            call = choice.calls[event.index] = _Waiting(event.name, sources, place)
            choice.waiting.append(call)
        elif reason := sending.decide_now(event.name, sources, place):
            raise sending.refusal(event.name, reason, sources)

    def _argue(self, event: ToolDelta, choice: _Choice) -> bool:
        """Return whether a piece of arguments may be passed on."""
        call = choice.calls.get(event.index)
        if call is not None and not call.done:
            call.pieces.append(event.arguments)
        elif call is not None and self._sending.enforce:
            if event.arguments.strip():
                raise UpstreamBroken("The upstream added to a tool call that was complete; ask again.")
            self.changed = True
            return False
        elif event.index not in choice.calls and self._sending.enforce:
            # Of a call that nobody has named, and so nobody can judge.
            self.changed = True
            return False
        return True

    async def _settle(self, choice: _Choice, out: list[Event]) -> None:
        waiting, choice.waiting = choice.waiting, []
        for call in waiting:
            call.done = True
            reason = await self._sending.decide(call.tool, "".join(call.pieces), call.sources, call.place)
            if reason:
                raise self._sending.refusal(call.tool, reason, call.sources)
        held, choice.held = choice.held, []
        out += held


class _Frames:
    """A stream whose calls are judged while it passes; see :class:`~mainstay.core.answer.Frames`."""

    __slots__ = ("_due", "_ended", "_error", "_inner", "_next", "_sorter")

    def __init__(self, inner: Frames, sending: Sending) -> None:
        self._inner = inner
        self._next = inner.__anext__
        self._sorter = _Sorter(sending)
        self._ended = False
        #: What the answer ends in, once what came before it has left.
        self._error: MainstayError | None = None
        self._due = monotonic() + _PING

    def __aiter__(self) -> AsyncIterator[Sequence[Frame]]:
        return self

    async def __anext__(self) -> Sequence[Frame]:
        if self._ended:
            raise StopAsyncIteration
        batch: Sequence[Frame] | None = None
        try:
            if self._error is not None:
                raise self._error
            batch = await self._go()
            return batch
        finally:
            if batch is None:
                await self.aclose()

    async def aclose(self) -> None:
        """Stop the upstream."""
        self._ended = True
        await self._inner.aclose()

    async def _go(self) -> Sequence[Frame]:
        while True:
            try:
                batch = await self._next()
            except StopAsyncIteration:
                self._ended = True
                out: list[Event] = []
                await self._sorter.close(out)
                if out:
                    return (Frame(tuple(out)),)
                raise
            found: list[Frame] = []
            try:
                for frame in batch:
                    await self._take(frame, found)
            except MainstayError as error:
                if not found:
                    raise
                self._error = error
            if found or not batch:
                self._due = monotonic() + _PING
                return found
            if monotonic() >= self._due:
                self._due = monotonic() + _PING
                return _ALIVE

    async def _take(self, frame: Frame, found: list[Frame]) -> None:
        """Append to ``found`` what of a frame may leave now; itself where that is all of it."""
        sorter = self._sorter
        if frame.events and type(frame.events[0]) is Piece:
            found.append(frame)
            return
        if not frame.events:
            # A sign of life, or the end of what is held.
            found.append(Frame() if sorter.changed else frame)
            return
        out: list[Event] = []
        try:
            for event in frame.events:
                await sorter.take(event, out)
        except MainstayError:
            if out:
                found.append(Frame(tuple(out)))
            raise
        if not sorter.changed:
            found.append(frame)
        elif out:
            found.append(Frame(tuple(out)))
