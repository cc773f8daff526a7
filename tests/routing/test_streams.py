"""Streams under a route's care: told of once, held back whole, taken up again."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from mainstay.core.errors import (
    ContentFiltered,
    MainstayError,
    UpstreamBroken,
    UpstreamInterrupted,
    UpstreamTimeout,
)
from mainstay.core.events import Event, Finished, FinishReason, Frame, Started, TextDelta, ToolStarted
from mainstay.core.record import Attempt
from mainstay.routing import streams
from mainstay.routing.streams import Resumed, Watched, hold

STOP = Finished(FinishReason.STOP)


class Script:
    """Frames that are scripted, one event each, and may end in an error."""

    def __init__(self, *steps: Event | MainstayError) -> None:
        self.steps = list(steps)
        self.closed = 0

    def __aiter__(self) -> AsyncIterator[Sequence[Frame]]:
        return self

    async def __anext__(self) -> Sequence[Frame]:
        if not self.steps:
            raise StopAsyncIteration
        step = self.steps.pop(0)
        if isinstance(step, MainstayError):
            raise step
        return [Frame((step,), b'{"wire":1}')]

    async def aclose(self) -> None:
        self.closed += 1


def text_of(batches: Sequence[Sequence[Frame]]) -> str:
    return "".join(
        event.text for batch in batches for frame in batch for event in frame.events if isinstance(event, TextDelta)
    )


async def read(frames: AsyncIterator[Sequence[Frame]]) -> list[Sequence[Frame]]:
    return [batch async for batch in frames]


def test_the_end_of_a_stream_is_told_once_and_leaving_after_it_tells_nothing() -> None:
    told: list[tuple[object, bool]] = []

    async def run() -> None:
        watched = Watched(Script(TextDelta("a")), lambda error, left: told.append((error, left)))
        await read(watched)
        await watched.aclose()

    asyncio.run(run())
    assert told == [(None, False)]


def test_leaving_a_stream_early_is_told_and_closes_the_upstream() -> None:
    told: list[tuple[object, bool]] = []
    script = Script(TextDelta("a"), TextDelta("b"))

    async def run() -> None:
        watched = Watched(script, lambda error, left: told.append((error, left)))
        await watched.__anext__()
        await watched.aclose()

    asyncio.run(run())
    assert told == [(None, True)]
    assert script.closed == 1


@pytest.mark.parametrize("cause", [UpstreamTimeout("idle"), UpstreamBroken("junk"), UpstreamInterrupted("cut")])
def test_whatever_breaks_a_stream_the_caller_hears_of_an_interruption(cause: MainstayError) -> None:
    told: list[object] = []

    async def run() -> None:
        await read(Watched(Script(TextDelta("a"), cause), lambda error, left: told.append(error)))

    with pytest.raises(UpstreamInterrupted):
        asyncio.run(run())
    assert told == [cause]


def test_a_filter_that_cuts_a_stream_is_told_as_such() -> None:
    with pytest.raises(ContentFiltered):
        asyncio.run(read(Watched(Script(TextDelta("a"), ContentFiltered("no")), lambda error, left: None)))


def test_a_held_answer_comes_whole_or_not_at_all() -> None:
    async def run() -> list[Sequence[Frame]]:
        return await read(await hold(Script(TextDelta("a"), TextDelta("b"), STOP), Attempt()))

    assert text_of(asyncio.run(run())) == "ab"
    broken = Script(TextDelta("a"), UpstreamInterrupted("cut"))
    with pytest.raises(UpstreamInterrupted):
        asyncio.run(hold(broken, Attempt()))
    assert broken.closed == 1


def test_an_answer_too_long_to_hold_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "_MOST", 15)
    script = Script(*(TextDelta("a") for _ in range(9)))
    with pytest.raises(UpstreamBroken):
        asyncio.run(hold(script, Attempt()))
    assert script.closed == 1


def resumed(first: Script, *others: Script | MainstayError) -> tuple[Resumed, list[MainstayError]]:
    asked: list[MainstayError] = []
    queue = list(others)

    async def again(error: MainstayError) -> Script:
        asked.append(error)
        found = queue.pop(0)
        if isinstance(found, MainstayError):
            raise found
        return found

    return Resumed(first, again), asked


def test_an_answer_goes_on_from_another_that_says_the_same() -> None:
    cut = UpstreamInterrupted("cut")
    frames, asked = resumed(
        Script(Started("1"), TextDelta("to be "), TextDelta("or "), cut),
        Script(Started("2"), TextDelta("to be or not"), TextDelta(" to be"), STOP),
    )
    batches = asyncio.run(read(frames))
    assert text_of(batches) == "to be or not to be"
    assert asked == [cut]
    assert [event for batch in batches for frame in batch for event in frame.events].count(Started("1")) == 1
    assert all(not frame.wire for batch in batches for frame in batch)


def test_it_may_break_more_than_once() -> None:
    cut = UpstreamInterrupted("cut")
    frames, asked = resumed(
        Script(TextDelta("ab"), cut),
        Script(TextDelta("a"), cut),
        Script(TextDelta("abc"), cut),
        Script(TextDelta("abcd"), STOP),
    )
    assert text_of(asyncio.run(read(frames))) == "abcd"
    assert len(asked) == 3


def test_an_answer_that_differs_ends_in_an_interruption_and_adds_nothing() -> None:
    frames, _ = resumed(Script(TextDelta("to be "), UpstreamInterrupted("cut")), Script(TextDelta("to see "), STOP))
    seen: list[Sequence[Frame]] = []

    async def run() -> None:
        async for batch in frames:
            seen.append(batch)

    with pytest.raises(UpstreamInterrupted):
        asyncio.run(run())
    assert text_of(seen) == "to be "


def test_tool_calls_are_not_resumed() -> None:
    frames, asked = resumed(Script(ToolStarted("1", "f"), UpstreamInterrupted("cut")))
    with pytest.raises(UpstreamInterrupted):
        asyncio.run(read(frames))
    assert asked == []
