"""Several prompts of one request, asked one by one of a provider that answers one at a time, as one answer.

The choices of the first prompt come first, as the wire has it: with two each, the second prompt's are 2 and 3. What was
used is added up. A stream has the prompts' answers one after the other.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

from msgspec.structs import replace

from mainstay.core.answer import Answer, Frames, Whole
from mainstay.core.call import Ask
from mainstay.core.errors import InvalidRequest
from mainstay.core.events import Dialect, Event, Finished, Frame, Metered, Started
from mainstay.core.record import Attempt
from mainstay.core.usage import Usage, add_up

__all__ = ["ask_each"]

_MOST = 32
_AT_ONCE = 4

#: Asks one of the prompts and fills the attempt.
One = Callable[[Ask, Attempt], Awaitable[Answer]]


async def ask_each(asks: Sequence[Ask], choices: int, attempt: Attempt, one: One) -> Answer:
    """Return the answers to ``asks``, each with ``choices`` choices, as one; ``attempt`` tells of the first.

    Raises:
        InvalidRequest: there are too many.
        MainstayError: one of them failed.
    """
    if len(asks) > _MOST:
        raise InvalidRequest(f"'prompt' may have at most {_MOST} prompts for this model; send fewer.", param="prompt")
    if asks[0].stream:
        first = await one(asks[0], attempt)
        assert first.frames is not None
        return replace(first, frames=_EachFrames(first.frames, asks[1:], choices, one))
    turns = asyncio.Semaphore(_AT_ONCE)

    async def take(ask: Ask, own: Attempt) -> Answer:
        async with turns:
            return await one(ask, own)

    async with _Group() as group:
        tasks = [group.create_task(take(ask, attempt if place == 0 else Attempt())) for place, ask in enumerate(asks)]
    answers = [task.result() for task in tasks]
    return replace(answers[0], whole=_joined([_whole(answer) for answer in answers], choices))


class _Group(asyncio.TaskGroup):
    """Raises what the first task raised, and not a group of it."""

    async def __aexit__(self, *args: object) -> None:
        try:
            await super().__aexit__(*args)  # type: ignore[arg-type]  # the base class names the three arguments
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from None


def _whole(answer: Answer) -> Whole:
    assert answer.whole is not None
    return answer.whole


def _joined(wholes: Sequence[Whole], choices: int) -> Whole:
    head = next((event for event in wholes[0].events if isinstance(event, Started)), Started())
    events: list[Event] = [head]
    usage: Usage | None = None
    for place, whole in enumerate(wholes):
        events += _moved(whole.events, place * choices)
        usage = _sum(usage, whole.usage)
    if usage is not None:
        events.append(Metered(usage))
    finish = tuple(event.reason for event in events if isinstance(event, Finished))
    # Written from its events: the bytes are those of many answers.
    dialect = Dialect.COMPLETIONS if wholes[0].dialect is Dialect.COMPLETIONS else Dialect.OPENAI
    return Whole(b"", dialect, wholes[0].id, wholes[0].model, finish, usage, None, tuple(events))


def _moved(events: Sequence[Event], by: int) -> list[Event]:
    return [
        replace(event, choice=event.choice + by) if by and hasattr(event, "choice") else event
        for event in events
        if not isinstance(event, Started | Metered)
    ]


def _sum(one: Usage | None, other: Usage | None) -> Usage | None:
    if one is None or other is None:
        return one or other
    return add_up((one, other))


class _EachFrames:
    """The streams of several prompts, one after the other; see :class:`~mainstay.core.answer.Frames`."""

    def __init__(self, first: Frames, rest: Sequence[Ask], choices: int, one: One) -> None:
        self._frames = first
        self._rest = list(rest)
        self._choices = choices
        self._one = one
        self._place = 0
        #: What the prompts before this one used, and this one so far.
        self._before: Usage | None = None
        self._now: Usage | None = None

    def __aiter__(self) -> AsyncIterator[Sequence[Frame]]:
        return self

    async def __anext__(self) -> Sequence[Frame]:
        while True:
            try:
                batch = await self._frames.__anext__()
            except StopAsyncIteration:
                if not self._rest:
                    raise
                await self._next()
                continue
            events = [event for frame in batch for event in frame.events]
            self._now = next((event.usage for event in reversed(events) if isinstance(event, Metered)), self._now)
            moved: list[Event] = _moved(events, self._place * self._choices)
            if not self._place:
                moved[:0] = [event for event in events if isinstance(event, Started)]
            if any(isinstance(event, Metered) for event in events) and self._now is not None:
                moved.append(Metered(_sum(self._before, self._now) or self._now))
            return [Frame(tuple(moved))]

    async def _next(self) -> None:
        await self._frames.aclose()
        self._before, self._now = _sum(self._before, self._now), None
        answer = await self._one(self._rest.pop(0), Attempt())
        assert answer.frames is not None
        self._frames = answer.frames
        self._place += 1

    async def aclose(self) -> None:
        self._rest.clear()
        await self._frames.aclose()
