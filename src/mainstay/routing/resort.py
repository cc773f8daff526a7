"""The last resort: what a route answers when everything failed, marked as such in a header."""

from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from hashlib import blake2b
from typing import Final, Protocol

import msgspec
from msgspec.structs import replace

from mainstay.core.answer import Answer, Frames, SingleFrame, Whole
from mainstay.core.call import Call
from mainstay.core.errors import MainstayError
from mainstay.core.events import Event, Finished, FinishReason, Frame, Metered, Started, TextDelta
from mainstay.core.fold import fold
from mainstay.core.target import Target
from mainstay.core.usage import Usage

__all__ = ["Earlier", "LastModel", "LastWords", "Resort"]

_MARK: Final = b"x-mainstay-last-resort"
#: Bytes of earlier answers kept per route and worker, and the most that one may have.
_MEMORY: Final = 16 * 1024 * 1024
_LARGEST: Final = 256 * 1024

#: Makes one upstream call: (target, cause) → answer.
Ask = Callable[[Target, str], Awaitable[Answer]]


class Resort(Protocol):
    """Answers a call that every target failed."""

    def seen(self, call: Call, answer: Answer) -> None:
        """Take note of a good answer; may put other frames in its place."""
        ...

    async def answer(self, call: Call, error: MainstayError, ask: Ask) -> Answer:
        """Return an answer marked with a header, or raise ``error``, the first cause."""
        ...


class LastWords:
    """Answers with the route's own text: nothing was served, so no model is named and no token counted."""

    def __init__(self, text: str) -> None:
        self._text = text

    def seen(self, call: Call, answer: Answer) -> None:
        """The words are always the same."""

    async def answer(self, call: Call, error: MainstayError, ask: Ask) -> Answer:
        """Return the text; see :class:`Resort`."""
        events = (Started(call.record.id), TextDelta(self._text), Finished(FinishReason.STOP), Metered(Usage()))
        nobody = Target("last_resort", "mainstay", "mainstay", "last_resort")
        headers = ((_MARK, b"text"),)
        if call.ask.stream:
            return Answer(nobody, headers, frames=SingleFrame(Frame(events)))
        stop = (FinishReason.STOP,)
        whole = Whole(b"", call.ask.dialect, call.record.id, "last_resort", stop, Usage(), lambda _: events)
        return Answer(nobody, headers, whole=whole)


class LastModel:
    """Asks one more model, outside the route's cap on attempts: a smaller local one, most often."""

    def __init__(self, target: Target, then: Resort | None = None) -> None:
        self._target = target
        self._then = then

    def seen(self, call: Call, answer: Answer) -> None:
        """Hand it on."""
        if self._then is not None:
            self._then.seen(call, answer)

    async def answer(self, call: Call, error: MainstayError, ask: Ask) -> Answer:
        """Return that model's answer; see :class:`Resort`."""
        try:
            answer = await ask(self._target, "last_resort")
        except MainstayError as other:
            if self._then is not None:
                return await self._then.answer(call, error, ask)
            raise error from other
        return replace(answer, headers=(*answer.headers, (_MARK, b"model")))


class _Kept(msgspec.Struct):
    target: Target
    whole: Whole
    size: int


class Earlier:
    """Answers with what the same request of the same team or key was answered before, if it still is in memory."""

    def __init__(self, then: Resort | None = None, memory: int = _MEMORY) -> None:
        self._then = then
        self._memory = memory
        self._size = 0
        #: The one used last at the end.
        self._kept: OrderedDict[bytes, _Kept] = OrderedDict()

    def seen(self, call: Call, answer: Answer) -> None:
        """Keep the answer; one that streams is kept when it was complete."""
        key = _key(call)
        if answer.whole is not None:
            self._keep(key, answer.target, answer.whole)
        elif answer.frames is not None:
            answer.frames = _Copied(answer.frames, lambda events: self._keep(key, answer.target, fold(events)))
        if self._then is not None:
            self._then.seen(call, answer)

    async def answer(self, call: Call, error: MainstayError, ask: Ask) -> Answer:
        """Return the earlier answer; see :class:`Resort`."""
        kept = self._kept.get(_key(call))
        if kept is None:
            if self._then is not None:
                return await self._then.answer(call, error, ask)
            raise error
        headers = ((_MARK, b"earlier"),)
        # Nothing was used this time.
        events = tuple(event for event in kept.whole.events if not isinstance(event, Metered))
        free = (*events, Metered(Usage()))
        if call.ask.stream:
            return Answer(kept.target, headers, frames=SingleFrame(Frame(free)))
        whole = replace(kept.whole, wire=b"", usage=Usage(), decode=None, _events=free)
        return Answer(kept.target, headers, whole=whole)

    def _keep(self, key: bytes, target: Target, whole: Whole) -> None:
        size = len(whole.wire) or len(msgspec.json.encode(whole.events))
        if size > _LARGEST:
            return
        old = self._kept.pop(key, None)
        if old is not None:
            self._size -= old.size
        self._kept[key] = _Kept(target, whole, size)
        self._size += size
        while self._size > self._memory:
            _, oldest = self._kept.popitem(last=False)
            self._size -= oldest.size


def _key(call: Call) -> bytes:
    caller = call.caller
    found = blake2b(digest_size=32)
    for piece in ((caller.team or caller.key).encode(), b"team" if caller.team else b"key", call.ask.raw):
        found.update(b"%d:" % len(piece))
        found.update(piece)
    return found.digest()


class _Copied:
    """Frames on their way out; ``complete`` gets their events when the last has gone."""

    __slots__ = ("_complete", "_events", "_inner")

    def __init__(self, inner: Frames, complete: Callable[[list[Event]], None]) -> None:
        self._inner = inner
        self._complete = complete
        self._events: list[Event] = []

    def __aiter__(self) -> AsyncIterator[Sequence[Frame]]:
        return self

    async def __anext__(self) -> Sequence[Frame]:
        try:
            batch = await self._inner.__anext__()
        except StopAsyncIteration:
            events, self._events = self._events, []
            if events:
                self._complete(events)
            raise
        for frame in batch:
            self._events += frame.events
        return batch

    async def aclose(self) -> None:
        await self._inner.aclose()
